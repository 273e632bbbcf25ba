/* keyring.h - what each stored key does now, and the key that comes next. Private to auth.
 *
 *   PENDING --active_at--> SIGNING --active_at of a later one--> VERIFYING --+ expiry--> ENDED
 *   any of them --retired_at, by hand--> RETIRED: refused at once
 *
 * Nothing of this is written: it follows from the times of all keys, so that a rotation is one
 * insert, and whoever is killed in the middle of one leaves the old ring or the new. Later is who
 * has the higher generation, whatever the algorithm: with another JWT_ALG the next key is of that
 * one, and the old key signs until the new one has been published for long enough.
 *
 * When the clock steps back behind the active_at of all, the first that would be active signs; a
 * key that signs never verifies for less than its tokens live.
 *
 * Threads:   keyring_prepare before the others; keyring_follow from the one thread that follows;
 * the rest from any.
 * Ownership: everything lives in the arena that it was read with. */
#ifndef DOORWARD_AUTH_KEYRING_H
#define DOORWARD_AUTH_KEYRING_H

#include "context.h"

#define KEYRING_ARENA_BYTES ((size_t)4 * 1024 * 1024)
/* What one process adds all others have read before it signs: they follow twice a second. */
#define KEYRING_SPREAD_MS INT64_C(2000)
#define KEYRING_LEAD_MS   INT64_C(5000) /* of a planned rotation, at least; else JWKS_MAX_AGE too */

struct keyring_key {
    struct store_key record;
    enum auth_key_state state;
    int64_t ends_at; /* verifies until then, 0: open; its retirement is not in it */
    bool may_sign;   /* neither retired nor followed by one that was retired when it signed */
};
struct keyring {
    struct keyring_key *keys; /* later ones behind earlier ones */
    size_t count;
};
/* No key, only what tells whether the master key is that of before (token_witness_make). */
bool keyring_is_witness(const struct store_key *k);
MUST_CHECK enum err keyring_read(struct auth *au, struct arena *a, struct keyring *ret_ring);
/* NULL: none. */
const struct keyring_key *keyring_find(const struct keyring *ring, struct span kid);
/* Whether there is a key to sign with, now or as soon as its time comes, other than `kid`. */
bool keyring_can_sign_without(const struct keyring *ring, struct span kid);
/* Adds the next key, which is active `lead_ms` from now. ERR_CONFLICT: another process added one
 * meanwhile. ERR_BUSY: there are as many keys as there may be; with less than KEYRING_SPREAD_MS,
 * where none is left to sign, some more may. */
MUST_CHECK enum err keyring_add(struct auth *au, struct arena *a, const struct keyring *ring,
                                int64_t lead_ms, struct store_key *ret_key);
int64_t keyring_lead_ms(const struct auth *au);

/* Publishes the stored keys, after making the first one where none signs, and the next one where
 * JWT_ALG is another now. ERR_CONFIG: the master keys do not open them, see au->problem; the store
 * is as it was. */
MUST_CHECK enum err keyring_prepare(struct auth *au);
/* Publishes the stored keys if they are others than the published ones. */
MUST_CHECK enum err keyring_follow(struct auth *au);
/* Adds the next key when it is due, and deletes those that ended long ago. */
MUST_CHECK enum err keyring_tend(struct auth *au);

#endif

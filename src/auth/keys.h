/* keys.h - the signing keys, for the command line; a part of auth.h, which others include.
 *
 * Threads, ownership, failure: as auth.h. keyring.h tells how the states follow from the times. */
#ifndef DOORWARD_AUTH_KEYS_H
#define DOORWARD_AUTH_KEYS_H

#include "auth.h"

enum auth_key_state {
    AUTH_KEY_PENDING, /* published, and signs from active_at on */
    AUTH_KEY_SIGNING,
    AUTH_KEY_VERIFYING, /* a later one signs; until ends_at */
    AUTH_KEY_ENDED,     /* its last token has expired */
    AUTH_KEY_RETIRED,   /* refused, by hand */
};
struct auth_key {
    struct span kid, algorithm;
    int64_t generation;
    enum auth_key_state state;
    int64_t created_at, active_at;
    int64_t ends_at, retired_at; /* 0: open, not */
    char master[9];              /* id of the master key that wraps it */
    bool master_known;           /* it is among those that are given */
};
bool auth_has_ring(const struct auth *au); /* false with HS256: nothing of this works then */
MUST_CHECK enum err auth_key_list(struct auth *au, struct auth_call *call,
                                  struct auth_key **ret_keys, size_t *ret_count);
/* Adds the next key. `now`: it signs within seconds, not only when others had the time to read the
 * key set. ERR_CONFIG: as auth_prepare; ERR_BUSY: too many keys still verify; ERR_CONFLICT: another
 * process added one at this moment. */
MUST_CHECK enum err auth_key_rotate(struct auth *au, struct auth_call *call, bool now,
                                    struct auth_key *ret_key);
/* Adds the key that signs when `kid` does not, where there is none (else ret_key->kid has data
 * NULL): AUTH_KEY_SPREAD_MS from now, or once `kid` is retired. Retiring does it as well; in two
 * steps, with that time between, no process meets a token of the new key before it has read that.
 * ERR_NOT_FOUND, and those above. */
#define AUTH_KEY_SPREAD_MS INT64_C(1500)
MUST_CHECK enum err auth_key_stand_in(struct auth *au, struct auth_call *call, struct span kid,
                                      struct auth_key *ret_key);
/* Refused from now on, here and within a second in every process. */
MUST_CHECK enum err auth_key_retire(struct auth *au, struct auth_call *call, struct span kid);

#endif

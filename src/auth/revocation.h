/* revocation.h - which sessions and users' epochs have ended while access tokens of theirs are
 * still alive. Private to auth.
 *
 * An open-addressing table that is published by an atomic pointer. Entries are added and raised in
 * place, never taken out; forgetting and growing make a new table. A reader names the table it
 * looks at in its own hazard slot, and an old table is freed when no slot names it.
 *
 * Threads:   revocations_refuse from loop threads, each with its own index, without locks or waits.
 * The rest from any other thread, serialised by a mutex that readers never touch.
 * Failure:   ERR_NOMEM without memory or past REVOCATIONS_MAX. From then on, as from birth on, the
 * table is incomplete, and whoever asks it is refused, until revocations_complete().
 * Memory:    48 bytes a slot, 2 to 4 slots an entry: at most 200 bytes a revocation, held until its
 * last access token has expired; twice that for the moment of a change of tables. */
#ifndef DOORWARD_AUTH_REVOCATION_H
#define DOORWARD_AUTH_REVOCATION_H

#include "base.h"

#define REVOCATIONS_MAX (1 << 20) /* entries */

struct revocations;
MUST_CHECK enum err revocations_new(unsigned loops, struct revocations **ret_revocations);
void revocations_free(struct revocations *r); /* NULL is fine; no reader may be inside */

struct revocation {
    struct uuid id; /* a session's, or a user's when is_user */
    bool is_user;
    int64_t epoch;      /* user: tokens of a lower epoch are refused ... */
    struct uuid keep;   /* ... unless their session is this one; nil for none */
    int64_t expires_at; /* Unix milliseconds */
};
/* Refused on every loop when this returns ERR_OK. Repeating is fine: of one id the highest epoch
 * and the latest expiry win. */
MUST_CHECK enum err revocations_add(struct revocations *r, const struct revocation *revocation);
/* Is this, or more, known already? */
bool revocations_has(struct revocations *r, const struct revocation *revocation);
/* Drops what has expired. */
MUST_CHECK enum err revocations_forget(struct revocations *r, int64_t now_ms);
/* How many additions have failed, to be asked before all that the store has is added ... */
uint64_t revocations_failures(struct revocations *r);
/* ... and given back after it: unless another one failed meanwhile, everything is made good. */
void revocations_complete(struct revocations *r, uint64_t failures);
size_t revocations_count(struct revocations *r);
size_t revocations_bytes(struct revocations *r); /* of all tables that are held */

/* What a token says of itself. */
struct revocation_subject {
    struct uuid session_id, user_id;
    int64_t epoch;
};
/* ERR_OK, ERR_TOKEN_REVOKED, or ERR_UNAVAILABLE while the table is incomplete. */
MUST_CHECK enum err revocations_refuse(struct revocations *r, unsigned loop,
                                       const struct revocation_subject *subject);

#endif

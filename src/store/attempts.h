/* attempts.h - what failed attempts cost; a part of store.h, which includes it.
 *
 * An attempt counts as failed, in one write, before its password is tried: so guesses at the same
 * time count, and so do those that a kill cuts off. A success is told with the session that it
 * opens (store_session_add()) or with a change of the user (store_user_change()).
 *
 * With `free_attempts` used up not_before moves to now + 1 s * 2^(failures - free_attempts), at
 * most max_wait_ms. One further ahead than that (a clock was wrong) counts as over. Failures are
 * forgotten when for STORE_FORGET_WAITS(free_attempts) * max_wait_ms none was added: who waits so
 * long could have tried as often meanwhile. On MongoDB a success is known by its session alone, so
 * that time must not be longer than the session is kept, which is STORE_SWEEP_AFTER_MS past its
 * end: else the failures of somebody who seldom logs in, and always rightly, would add up.
 *
 * Threads, ownership, failure, units: as store.h. */
#ifndef DOORWARD_STORE_ATTEMPTS_H
#define DOORWARD_STORE_ATTEMPTS_H

#include "base.h"

struct store;
#define STORE_FORGET_WAITS(free_attempts) ((free_attempts) + 41)
#define STORE_SWEEP_AFTER_MS              (INT64_C(24) * 3600 * 1000)
struct store_attempt {
    int64_t number;  /* ERR_OK: names the attempt to store_session_add(); never 0 */
    int64_t wait_ms; /* ERR_TOO_MANY_ATTEMPTS: until the next may be tried */
};

/* ERR_TOO_MANY_ATTEMPTS: not_before is not reached; nothing was written. ERR_NOT_FOUND. */
MUST_CHECK enum err store_user_attempt(struct store *s, struct uuid id, int64_t free_attempts,
                                       int64_t max_wait_ms, struct store_attempt *ret_attempt);

/* The same for a name that no user has, so that guessing it is slowed alike: `name` is a keyed hash
 * of it. There are STORE_STRANGERS places, chosen by its first two bytes; a name takes over the
 * place of another, whose failures are forgotten. Never ERR_NOT_FOUND. */
#define STORE_STRANGERS      65536
#define STORE_STRANGER_BYTES 16
MUST_CHECK enum err store_stranger_attempt(struct store *s,
                                           const uint8_t name[static STORE_STRANGER_BYTES],
                                           int64_t free_attempts, int64_t max_wait_ms,
                                           struct store_attempt *ret_attempt);

#endif

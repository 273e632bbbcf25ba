/* throttle.h - counts failed logins of accounts that do not exist, so that they answer as those
 * that do. Private to auth.
 *
 * Accounts have their counter in the store; strangers have it here, by a keyed hash of the name, in
 * this process only. A full set forgets the name that was tried longest ago.
 *
 * Threads:   any; a mutex held for a few comparisons.
 * Memory:    THROTTLE_ENTRIES * 32 bytes, never more. */
#ifndef DOORWARD_AUTH_THROTTLE_H
#define DOORWARD_AUTH_THROTTLE_H

#include "base.h"

#define THROTTLE_ENTRIES 16384 /* names */
#define THROTTLE_WAYS    8     /* names that share a set */

struct throttle;
MUST_CHECK enum err throttle_new(struct throttle **ret_throttle);
void throttle_free(struct throttle *t); /* NULL is fine */

struct throttle_rule {
    int64_t free_attempts, max_wait_ms, now_ms;
};
/* As store_user_attempt: counts the attempt, or ERR_TOO_MANY_ATTEMPTS with *ret_wait_ms. `name` in
 * the form in which accounts are looked up. */
MUST_CHECK enum err throttle_attempt(struct throttle *t, struct span name,
                                     const struct throttle_rule *rule, int64_t *ret_wait_ms);

#endif

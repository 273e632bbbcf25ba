/* throttle.h - counts failed logins of accounts that do not exist, so that they answer as those
 * that do; and everybody's logins that are under way here. Private to auth.
 *
 * Accounts have their counter in the store; strangers have it here, by a keyed hash of the name, in
 * this process only. A full set forgets the name that was tried longest ago.
 *
 * Threads:   any; a mutex held for a few comparisons, and atomics.
 * Memory:    THROTTLE_ENTRIES * 32 + THROTTLE_FLIGHTS * 4 bytes, never more. */
#ifndef DOORWARD_AUTH_THROTTLE_H
#define DOORWARD_AUTH_THROTTLE_H

#include "base.h"

#define THROTTLE_ENTRIES 16384 /* names */
#define THROTTLE_WAYS    8     /* names that share a set */
#define THROTTLE_FLIGHTS 4096  /* counters of logins under way */

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

/* A login of `who`, an account's id or a stranger's name, is under way until throttle_leave(). */
void throttle_enter(struct throttle *t, struct span who);
void throttle_leave(struct throttle *t, struct span who);
/* Logins of `who` under way besides the caller's own; others may share the counter. */
int64_t throttle_others(struct throttle *t, struct span who);

#endif

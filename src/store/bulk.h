/* bulk.h - many records at a time, for moving a deployment; a part of store.h, which others
 * include.
 *
 * Each record is an atomic write of its own, as everywhere: many are sent together only to be fast.
 *
 * Threads, ownership, failure, units: as store.h. After an error some of the records may have been
 * added; the same call again finds them taken. */
#ifndef DOORWARD_STORE_BULK_H
#define DOORWARD_STORE_BULK_H

#include "store.h"

#define STORE_MAX_BULK 256 /* records of one call */

/* ret_results[i]: what store_user_add() would give, ERR_OK or the conflict. Of two in one call that
 * are in each other's way the first is added. */
MUST_CHECK enum err store_users_add(struct store *s, const struct store_user *users, size_t count,
                                    enum err *ret_results);
/* Those of at most STORE_MAX_BULK users that are there, each once, in any order. */
MUST_CHECK enum err store_users_find(struct store *s, const struct uuid *ids, size_t count,
                                     struct arena *a, struct store_user **ret_users,
                                     size_t *ret_count);
/* Nobody is evicted. ret_results[i]: ERR_OK, or ERR_CONFLICT: the id is taken. */
MUST_CHECK enum err store_sessions_add(struct store *s, const struct store_session *sessions,
                                       size_t count, enum err *ret_results);

/* A session's place in the order of users, then of sessions. */
struct store_session_place {
    struct uuid user_id, id;
};
/* Living sessions behind `after` of users up to `last_user`, in that order, at most `max`. Epochs
 * are the caller's to compare. */
MUST_CHECK enum err store_session_scan(struct store *s, const struct store_session_place *after,
                                       struct uuid last_user, size_t max, struct arena *a,
                                       struct store_session **ret_sessions, size_t *ret_count);

#endif

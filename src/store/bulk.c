/* bulk.c - hands calls with many records to the backend. Only the command line makes them, which
 * has no metrics. */
#include "backend.h"

enum err store_users_add(struct store *s, const struct store_user *users, size_t count,
                         enum err *ret_results)
{
    INVARIANT(count <= STORE_MAX_BULK);
    return count == 0 ? ERR_OK : s->backend->bulk->users_add(s, users, count, ret_results);
}

enum err store_users_find(struct store *s, const struct uuid *ids, size_t count, struct arena *a,
                          struct store_user **ret_users, size_t *ret_count)
{
    INVARIANT(count <= STORE_MAX_BULK);
    *ret_count = 0;
    return count == 0 ? ERR_OK
                      : s->backend->bulk->users_find(s, ids, count, a, ret_users, ret_count);
}

enum err store_sessions_add(struct store *s, const struct store_session *sessions, size_t count,
                            enum err *ret_results)
{
    INVARIANT(count <= STORE_MAX_BULK);
    return count == 0 ? ERR_OK : s->backend->bulk->sessions_add(s, sessions, count, ret_results);
}

enum err store_session_scan(struct store *s, const struct store_session_place *after,
                            struct uuid last_user, size_t max, struct arena *a,
                            struct store_session **ret_sessions, size_t *ret_count)
{
    return s->backend->bulk->session_scan(s, after, last_user, max, a, ret_sessions, ret_count);
}

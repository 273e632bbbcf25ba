/* sqlite_bulk.c - many records in one change of the writer, and so in one commit. */
#include "sqlite.h"

/* ---- users ---- */
struct users {
    const struct store_user *list;
    size_t count;
    enum err *results;
};

static bool is_conflict(enum err e)
{
    return e == ERR_CONFLICT || e == ERR_CONFLICT_USERNAME || e == ERR_CONFLICT_EMAIL;
}

/* A conflict has written nothing: the others need no savepoint between them. */
static enum err insert_users(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    struct users *users = argument;
    (void)now_ms;
    for (size_t i = 0; i < users->count; i++) {
        enum err e = sqlite_user_insert(c, &users->list[i]);
        if (e != ERR_OK && !is_conflict(e)) {
            return e;
        }
        users->results[i] = e;
    }
    return ERR_OK;
}

static enum err users_add(struct store *s, const struct store_user *users, size_t count,
                          enum err *ret_results)
{
    struct users all = { .list = users, .count = count, .results = ret_results };
    return sqlite_write(&sqlite_of(s)->writer, insert_users, &all);
}

static enum err users_find(struct store *s, const struct uuid *ids, size_t count, struct arena *a,
                           struct store_user **ret_users, size_t *ret_count)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    struct store_user *users = ARENA_ARRAY(a, struct store_user, count);
    size_t found = 0;
    if (users == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        enum err e = sqlite_user_find(reader.conn, ids[i], a, &users[found]);
        if (e != ERR_OK && e != ERR_NOT_FOUND) {
            return e;
        }
        found += e == ERR_OK;
    }
    *ret_users = users;
    *ret_count = found;
    return ERR_OK;
}

/* ---- sessions ---- */
struct sessions {
    const struct store_session *list;
    size_t count;
    enum err *results;
};

static enum err insert_sessions(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    struct sessions *sessions = argument;
    (void)now_ms;
    for (size_t i = 0; i < sessions->count; i++) {
        enum err e = sqlite_session_insert(c, &sessions->list[i]);
        if (e != ERR_OK && e != ERR_CONFLICT) {
            return e;
        }
        sessions->results[i] = e;
    }
    return ERR_OK;
}

static enum err sessions_add(struct store *s, const struct store_session *sessions, size_t count,
                             enum err *ret_results)
{
    struct sessions all = { .list = sessions, .count = count, .results = ret_results };
    return sqlite_write(&sqlite_of(s)->writer, insert_sessions, &all);
}

static const char sql_scan[] =
    "SELECT " SQLITE_SESSION_COLUMNS " FROM sessions WHERE revoked_at = 0"
    " AND idle_expires_at > ?1 AND expires_at > ?1 AND (user_id, id) > (?2, ?3) AND user_id <= ?4"
    " ORDER BY user_id, id LIMIT ?5";

static enum err session_scan(struct store *s, const struct store_session_place *after,
                             struct uuid last_user, size_t max, struct arena *a,
                             struct store_session **ret_sessions, size_t *ret_count)
{
    int64_t now_ms = clock_now_ms(sqlite_of(s)->writer.clock);
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(reader.conn, sql_scan, &q));
    sqlite_bind_int(&q, now_ms);
    sqlite_bind_uuid(&q, after->user_id);
    sqlite_bind_uuid(&q, after->id);
    sqlite_bind_uuid(&q, last_user);
    sqlite_bind_count(&q, max);
    struct sqlite_rows rows = { 0 };
    TRY(sqlite_rows_read(&q, a, sqlite_session_read, sizeof(struct store_session), &rows));
    *ret_sessions = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

const struct store_bulk_ops sqlite_bulk_ops = {
    .users_add = users_add,
    .users_find = users_find,
    .sessions_add = sessions_add,
    .session_scan = session_scan,
};

/* sqlite_sessions.c - sessions, and the one conditional write of a refresh. */
#include "sqlite.h"

enum err sqlite_session_read(struct sqlite_query *q, struct arena *a, void *ret_row)
{
    struct store_session s = { 0 };
    s.id = sqlite_read_uuid(q);
    s.user_id = sqlite_read_uuid(q);
    s.epoch = sqlite_read_int(q);
    s.master_key = sqlite_read_bytes(q, a);
    s.counter = sqlite_read_int(q);
    s.created_at = sqlite_read_int(q);
    s.rotated_at = sqlite_read_int(q);
    s.last_used_at = sqlite_read_int(q);
    s.idle_expires_at = sqlite_read_int(q);
    s.expires_at = sqlite_read_int(q);
    s.revoked_at = sqlite_read_int(q);
    s.ip = sqlite_read_text(q, a);
    s.agent = sqlite_read_text(q, a);
    TRY(sqlite_read_end(q));
    *(struct store_session *)ret_row = s;
    return ERR_OK;
}

/* The second midnight after a session has expired. It moves once a day, and so does what the sweep
 * looks for: a refresh seldom writes to more than the session's own row. */
static int64_t sweep_at(const struct store_session *s)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    _Static_assert(STORE_SWEEP_AFTER_MS <= DAY_MS, "a whole day lies before it at least");
    return (s->idle_expires_at / DAY_MS + 2) * DAY_MS;
}

/* ---- adding ---- */
static const char sql_insert[] =
    "INSERT INTO sessions (" SQLITE_SESSION_COLUMNS ", sweep_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
    " ON CONFLICT DO NOTHING";
/* Sessions of an older epoch are dead already, but the kept one: they do not count. */
static const char sql_evict[] =
    "UPDATE sessions SET revoked_at = ?4 WHERE id IN ("
    " SELECT id FROM sessions WHERE user_id = ?1 AND id <> ?2 AND revoked_at = 0"
    "   AND idle_expires_at > ?4 AND expires_at > ?4"
    "   AND (epoch >= ?3 OR id = (SELECT epoch_keep FROM users WHERE id = ?1))"
    " ORDER BY last_used_at DESC, id DESC LIMIT ?6 OFFSET ?5)"
    " RETURNING id";

static const char sql_forgive[] = "UPDATE users SET failures = 0, not_before = 0"
                                  " WHERE id = ?1 AND (failures > 0 OR not_before > 0)";

struct addition {
    const struct store_session *session;
    size_t max_sessions;
    struct store_evicted evicted; /* the result */
};

enum err sqlite_session_insert(struct sqlite_conn *c, const struct store_session *s)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_insert, &q));
    sqlite_bind_uuid(&q, s->id);
    sqlite_bind_uuid(&q, s->user_id);
    sqlite_bind_int(&q, s->epoch);
    sqlite_bind_bytes(&q, s->master_key);
    sqlite_bind_int(&q, s->counter);
    sqlite_bind_int(&q, s->created_at);
    sqlite_bind_int(&q, s->rotated_at);
    sqlite_bind_int(&q, s->last_used_at);
    sqlite_bind_int(&q, s->idle_expires_at);
    sqlite_bind_int(&q, s->expires_at);
    sqlite_bind_int(&q, s->revoked_at);
    sqlite_bind_text(&q, sqlite_present(s->ip));
    sqlite_bind_text(&q, sqlite_present(s->agent));
    sqlite_bind_int(&q, sweep_at(s));
    int64_t changed = 0;
    TRY(sqlite_run(&q, &changed));
    return changed == 1 ? ERR_OK : ERR_CONFLICT;
}

static enum err forgive(struct sqlite_conn *c, const struct store_session *s)
{
    int64_t changed = 0;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_forgive, &q));
    sqlite_bind_uuid(&q, s->user_id);
    return sqlite_run(&q, &changed);
}

static enum err evict(struct sqlite_conn *c, int64_t now_ms, struct addition *addition)
{
    const struct store_session *s = addition->session;
    struct store_evicted *evicted = &addition->evicted;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_evict, &q));
    sqlite_bind_uuid(&q, s->user_id);
    sqlite_bind_uuid(&q, s->id);
    sqlite_bind_int(&q, s->epoch);
    sqlite_bind_int(&q, now_ms);
    /* The new one is among those allowed, and is never evicted itself. */
    sqlite_bind_count(&q, addition->max_sessions > 0 ? addition->max_sessions - 1 : 0);
    sqlite_bind_count(&q, STORE_MAX_EVICTED);
    enum err e = ERR_OK;
    while ((e = sqlite_row(&q)) == ERR_OK) {
        INVARIANT(evicted->count < STORE_MAX_EVICTED);
        evicted->ids[evicted->count++] = sqlite_read_uuid(&q);
        TRY(sqlite_read_end(&q));
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err add_and_evict(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    struct addition *addition = argument;
    TRY(sqlite_session_insert(c, addition->session));
    if (addition->session->attempt != 0) {
        TRY(forgive(c, addition->session));
    }
    return evict(c, now_ms, addition);
}

static enum err session_add(struct store *s, const struct store_session *session,
                            size_t max_sessions, struct store_evicted *ret_evicted)
{
    struct addition addition = { .session = session, .max_sessions = max_sessions };
    TRY(sqlite_write(&sqlite_of(s)->writer, add_and_evict, &addition));
    if (ret_evicted != NULL) {
        *ret_evicted = addition.evicted;
    }
    return ERR_OK;
}

/* ---- reading ---- */
static const char sql_by_id[] = "SELECT " SQLITE_SESSION_COLUMNS " FROM sessions WHERE id = ?1";
static const char sql_list[] =
    "SELECT " SQLITE_SESSION_COLUMNS " FROM sessions WHERE user_id = ?1 AND revoked_at = 0"
    " AND idle_expires_at > ?2 AND expires_at > ?2 ORDER BY created_at DESC, id DESC LIMIT ?3";

static enum err find_session(struct sqlite_conn *c, struct uuid id, struct arena *a,
                             struct store_session *ret_session)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_by_id, &q));
    sqlite_bind_uuid(&q, id);
    TRY(sqlite_row(&q));
    return sqlite_session_read(&q, a, ret_session);
}

static enum err session_get(struct store *s, struct uuid id, struct arena *a,
                            struct store_session *ret_session)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    return find_session(reader.conn, id, a, ret_session);
}

static enum err session_get_with_user(struct store *s, struct uuid id, struct arena *a,
                                      struct store_session *ret_session,
                                      struct store_user *ret_user)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    struct store_session session = { 0 };
    struct store_user user = { 0 };
    TRY(find_session(reader.conn, id, a, &session));
    enum err e = sqlite_user_find(reader.conn, session.user_id, a, &user);
    TRY(e == ERR_NOT_FOUND ? ERR_OK : e);
    *ret_session = session;
    *ret_user = user;
    return ERR_OK;
}

static enum err session_list(struct store *s, struct uuid user_id, size_t max, struct arena *a,
                             struct store_session **ret_sessions, size_t *ret_count)
{
    int64_t now_ms = clock_now_ms(sqlite_of(s)->writer.clock);
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(reader.conn, sql_list, &q));
    sqlite_bind_uuid(&q, user_id);
    sqlite_bind_int(&q, now_ms);
    sqlite_bind_count(&q, max);
    struct sqlite_rows rows = { 0 };
    TRY(sqlite_rows_read(&q, a, sqlite_session_read, sizeof(struct store_session), &rows));
    *ret_sessions = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

/* ---- refreshing ---- */
#define ROTATE                                                                                     \
    "UPDATE sessions SET counter = ?2, rotated_at = ?3, last_used_at = ?3, idle_expires_at = ?4,"  \
    " ip = ?5, agent = ?6"
static const char sql_rotate[] = ROTATE " WHERE id = ?1";
static const char sql_rotate_daily[] = ROTATE ", sweep_at = ?7 WHERE id = ?1";

struct rotation {
    const struct store_rotation *what;
    struct arena *arena;
    struct store_rotated result;
};

static bool may_rotate(const struct store_rotation *what, const struct store_session *s,
                       int64_t now_ms)
{
    return s->counter == what->counter && s->counter < INT64_MAX &&
           span_equal(s->master_key, what->master_key) && s->revoked_at == 0 &&
           s->idle_expires_at > now_ms && s->expires_at > now_ms;
}

/* What the session becomes; its texts are the result's. */
static enum err turn(struct rotation *r)
{
    struct store_session *s = &r->result.session;
    int64_t now_ms = r->result.now_ms;
    int64_t left_ms = s->expires_at - now_ms;
    s->counter++;
    s->rotated_at = now_ms;
    s->last_used_at = now_ms;
    s->idle_expires_at =
        r->what->idle_ttl_ms < left_ms ? now_ms + r->what->idle_ttl_ms : s->expires_at;
    TRY(arena_copy(r->arena, sqlite_present(r->what->ip), &s->ip));
    return arena_copy(r->arena, sqlite_present(r->what->agent), &s->agent);
}

/* SQLite writes to each index over a column that is named, whatever its value. */
static enum err write_turn(struct sqlite_conn *c, const struct store_session *s, bool is_new_day)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, is_new_day ? sql_rotate_daily : sql_rotate, &q));
    sqlite_bind_uuid(&q, s->id);
    sqlite_bind_int(&q, s->counter);
    sqlite_bind_int(&q, s->rotated_at);
    sqlite_bind_int(&q, s->idle_expires_at);
    sqlite_bind_text(&q, s->ip);
    sqlite_bind_text(&q, s->agent);
    if (is_new_day) {
        sqlite_bind_int(&q, sweep_at(s));
    }
    return sqlite_run(&q, NULL);
}

/* Nobody else writes between the looks and the write: all are in the writer's transaction. The
 * loser of a race sees the winner's record there, and is answered after the commit that both are
 * part of. */
static enum err look_and_rotate(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    struct rotation *r = argument;
    struct store_session *session = &r->result.session;
    r->result.now_ms = now_ms;
    TRY(find_session(c, r->what->id, r->arena, session));
    enum err found = sqlite_user_find(c, session->user_id, r->arena, &r->result.user);
    TRY(found == ERR_NOT_FOUND ? ERR_OK : found);
    if (!may_rotate(r->what, session, now_ms)) {
        return ERR_OK;
    }
    int64_t swept_at = sweep_at(session);
    TRY(turn(r));
    r->result.rotated = true;
    return write_turn(c, session, sweep_at(session) != swept_at);
}

static enum err session_rotate(struct store *s, const struct store_rotation *rotation,
                               struct arena *a, struct store_rotated *ret_rotated)
{
    struct rotation r = { .what = rotation, .arena = a };
    TRY(sqlite_write_last(&sqlite_of(s)->writer, look_and_rotate, &r));
    *ret_rotated = r.result;
    return ERR_OK;
}

/* ---- revoking ---- */
static const char sql_revoke[] =
    "UPDATE sessions SET revoked_at = CASE revoked_at WHEN 0 THEN ?2 ELSE revoked_at END"
    " WHERE id = ?1";

static enum err mark_revoked(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    const struct uuid *id = argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_revoke, &q));
    sqlite_bind_uuid(&q, *id);
    sqlite_bind_int(&q, now_ms);
    int64_t changed = 0;
    TRY(sqlite_run(&q, &changed));
    return changed == 1 ? ERR_OK : ERR_NOT_FOUND;
}

static enum err session_revoke(struct store *s, struct uuid id)
{
    return sqlite_write(&sqlite_of(s)->writer, mark_revoked, &id);
}

const struct store_session_ops sqlite_session_ops = {
    .add = session_add,
    .get = session_get,
    .get_with_user = session_get_with_user,
    .list = session_list,
    .rotate = session_rotate,
    .revoke = session_revoke,
};

/* sqlite_users.c - user records; a deleted one stays as a tombstone without names. */
#include "sqlite.h"

/* ---- reading ---- */
#define USER_COLUMNS                                                                               \
    "SELECT id, username, email, password_hash, roles, disabled, session_epoch, epoch_keep,"       \
    " failures, not_before, created_at, updated_at FROM users"

static const char sql_by_id[] = USER_COLUMNS " WHERE id = ?1 AND deleted_at = 0";
static const char sql_by_username[] =
    USER_COLUMNS " WHERE username_key = lower(?1) AND deleted_at = 0";
static const char sql_by_email[] = USER_COLUMNS " WHERE email = ?1 AND deleted_at = 0";
static const char sql_list[] =
    USER_COLUMNS " WHERE id > ?1 AND deleted_at = 0 ORDER BY id LIMIT ?2";

static enum err read_user(struct sqlite_query *q, struct arena *a, void *ret_row)
{
    struct store_user u = { 0 };
    u.id = sqlite_read_uuid(q);
    u.username = sqlite_read_text_or_null(q, a);
    u.email = sqlite_read_text_or_null(q, a);
    u.password_hash = sqlite_read_text(q, a);
    u.roles = sqlite_read_text(q, a);
    u.disabled = sqlite_read_int(q) != 0;
    u.session_epoch = sqlite_read_int(q);
    u.epoch_keep = sqlite_read_uuid(q);
    u.failures = sqlite_read_int(q);
    u.not_before = sqlite_read_int(q);
    u.created_at = sqlite_read_int(q);
    u.updated_at = sqlite_read_int(q);
    TRY(sqlite_read_end(q));
    *(struct store_user *)ret_row = u;
    return ERR_OK;
}

enum err sqlite_user_find(struct sqlite_conn *c, struct uuid id, struct arena *a,
                          struct store_user *ret_user)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_by_id, &q));
    sqlite_bind_uuid(&q, id);
    TRY(sqlite_row(&q));
    return read_user(&q, a, ret_user);
}

static enum err user_by_id(struct store *s, struct uuid id, struct arena *a,
                           struct store_user *ret_user)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    return sqlite_user_find(reader.conn, id, a, ret_user);
}

static enum err user_by_name(struct store *s, const char *sql, struct span name, struct arena *a,
                             struct store_user *ret_user)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(reader.conn, sql, &q));
    sqlite_bind_text(&q, name);
    TRY(sqlite_row(&q));
    return read_user(&q, a, ret_user);
}

static enum err user_by_username(struct store *s, struct span username, struct arena *a,
                                 struct store_user *ret_user)
{
    return user_by_name(s, sql_by_username, username, a, ret_user);
}

static enum err user_by_email(struct store *s, struct span email, struct arena *a,
                              struct store_user *ret_user)
{
    return user_by_name(s, sql_by_email, email, a, ret_user);
}

static enum err user_list(struct store *s, struct uuid after, size_t max, struct arena *a,
                          struct store_user **ret_users, size_t *ret_count)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(reader.conn, sql_list, &q));
    sqlite_bind_uuid(&q, after);
    sqlite_bind_count(&q, max);
    struct sqlite_rows rows = { 0 };
    TRY(sqlite_rows_read(&q, a, read_user, sizeof(struct store_user), &rows));
    *ret_users = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

/* ---- adding ---- */
static const char sql_insert[] =
    "INSERT INTO users (id, username, username_key, email, password_hash, roles, disabled,"
    " session_epoch, epoch_keep, failures, not_before, created_at, updated_at)"
    " VALUES (?1, ?2, lower(?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
    " ON CONFLICT DO NOTHING";
static const char sql_has_username[] = "SELECT 1 FROM users WHERE username_key = lower(?1)";
static const char sql_has_email[] = "SELECT 1 FROM users WHERE email = ?1";

static enum err is_taken(struct sqlite_conn *c, const char *sql, struct span name, bool *ret_taken)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql, &q));
    sqlite_bind_text(&q, name);
    enum err e = sqlite_row(&q);
    *ret_taken = (e == ERR_OK);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Which of the unique fields refused the user: nobody else writes before this transaction ends. */
static enum err conflict_of(struct sqlite_conn *c, const struct store_user *user)
{
    bool taken = false;
    TRY(is_taken(c, sql_has_username, user->username, &taken));
    if (taken) {
        return ERR_CONFLICT_USERNAME;
    }
    TRY(is_taken(c, sql_has_email, user->email, &taken));
    return taken ? ERR_CONFLICT_EMAIL : ERR_CONFLICT;
}

enum err sqlite_user_insert(struct sqlite_conn *c, const struct store_user *u)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_insert, &q));
    sqlite_bind_uuid(&q, u->id);
    sqlite_bind_text(&q, u->username);
    sqlite_bind_text(&q, u->email);
    sqlite_bind_text(&q, sqlite_present(u->password_hash));
    sqlite_bind_text(&q, sqlite_present(u->roles));
    sqlite_bind_int(&q, u->disabled);
    sqlite_bind_int(&q, u->session_epoch);
    sqlite_bind_uuid(&q, u->epoch_keep);
    sqlite_bind_int(&q, u->failures);
    sqlite_bind_int(&q, u->not_before);
    sqlite_bind_int(&q, u->created_at);
    sqlite_bind_int(&q, u->updated_at);
    int64_t changed = 0;
    TRY(sqlite_run(&q, &changed));
    return changed == 1 ? ERR_OK : conflict_of(c, u);
}

static enum err insert_user(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    (void)now_ms;
    return sqlite_user_insert(c, *(const struct store_user **)argument);
}

static enum err user_add(struct store *s, const struct store_user *user)
{
    return sqlite_write(&sqlite_of(s)->writer, insert_user, &user);
}

/* ---- changing ---- */
static const char sql_change[] =
    "UPDATE users SET"
    " password_hash = coalesce(?3, password_hash),"
    " roles = coalesce(?4, roles),"
    " disabled = CASE ?5 WHEN 1 THEN 0 WHEN 2 THEN 1 ELSE disabled END,"
    " session_epoch = session_epoch + ?6,"
    " epoch_keep = CASE WHEN ?6 > 0 THEN ?7 ELSE epoch_keep END,"
    " failures = CASE ?8 WHEN 1 THEN 0 ELSE failures END,"
    " not_before = CASE ?8 WHEN 1 THEN 0 ELSE not_before END,"
    " updated_at = CASE ?9 WHEN 1 THEN ?10 ELSE updated_at END"
    " WHERE id = ?1 AND deleted_at = 0 AND (?2 IS NULL OR password_hash = ?2)"
    " AND (?11 = 0 OR session_epoch = ?12)"
    " RETURNING session_epoch";
static const char sql_exists[] = "SELECT 1 FROM users WHERE id = ?1 AND deleted_at = 0";
_Static_assert(STORE_ENABLE == 1 && STORE_DISABLE == 2, "sql_change names them by number");

struct change {
    struct uuid id;
    const struct store_user_change *what;
    int64_t epoch; /* the result */
};

/* Why a conditional write met no row: the user is gone, or is not as the condition wants. */
static enum err missed(struct sqlite_conn *c, struct uuid id)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_exists, &q));
    sqlite_bind_uuid(&q, id);
    TRY(sqlite_row(&q));
    return ERR_CONFLICT;
}

/* The epoch that a write with RETURNING gives back. */
static enum err run_for_epoch(struct sqlite_query *q, int64_t *ret_epoch)
{
    TRY(sqlite_row(q));
    *ret_epoch = sqlite_read_int(q);
    return sqlite_read_end(q);
}

static enum err update_user(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    struct change *change = argument;
    const struct store_user_change *what = change->what;
    bool is_visible = what->password_hash.data != NULL || what->roles.data != NULL ||
                      what->state != STORE_KEEP_STATE;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_change, &q));
    sqlite_bind_uuid(&q, change->id);
    sqlite_bind_text(&q, what->if_password_hash);
    sqlite_bind_text(&q, what->password_hash);
    sqlite_bind_text(&q, what->roles);
    sqlite_bind_int(&q, (int64_t)what->state);
    sqlite_bind_int(&q, what->raise_epoch);
    sqlite_bind_uuid(&q, what->keep);
    sqlite_bind_int(&q, what->reset_failures);
    sqlite_bind_int(&q, is_visible);
    sqlite_bind_int(&q, now_ms);
    sqlite_bind_int(&q, what->if_session_epoch != NULL);
    sqlite_bind_int(&q, what->if_session_epoch != NULL ? *what->if_session_epoch : 0);
    enum err e = run_for_epoch(&q, &change->epoch);
    return e == ERR_NOT_FOUND ? missed(c, change->id) : e;
}

static enum err user_change(struct store *s, struct uuid id, const struct store_user_change *what,
                            int64_t *ret_epoch)
{
    struct change change = { .id = id, .what = what };
    TRY(sqlite_write(&sqlite_of(s)->writer, update_user, &change));
    if (ret_epoch != NULL) {
        *ret_epoch = change.epoch;
    }
    return ERR_OK;
}

/* ---- deleting ---- */
static const char sql_delete[] =
    "UPDATE users SET username = NULL, username_key = NULL, email = NULL, password_hash = '',"
    " roles = '', disabled = 1, session_epoch = session_epoch + 1, epoch_keep = zeroblob(16),"
    " updated_at = ?3, deleted_at = ?3"
    " WHERE id = ?1 AND deleted_at = 0 AND (?2 IS NULL OR password_hash = ?2)"
    " RETURNING session_epoch";

struct removal {
    struct uuid id;
    struct span if_password_hash;
    int64_t epoch; /* the result */
};

static enum err bury_user(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    struct removal *removal = argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_delete, &q));
    sqlite_bind_uuid(&q, removal->id);
    sqlite_bind_text(&q, removal->if_password_hash);
    sqlite_bind_int(&q, now_ms);
    enum err e = run_for_epoch(&q, &removal->epoch);
    return e == ERR_NOT_FOUND ? missed(c, removal->id) : e;
}

static enum err user_remove(struct store *s, struct uuid id, struct span if_password_hash,
                            int64_t *ret_epoch)
{
    struct removal removal = { .id = id, .if_password_hash = if_password_hash };
    TRY(sqlite_write(&sqlite_of(s)->writer, bury_user, &removal));
    if (ret_epoch != NULL) {
        *ret_epoch = removal.epoch;
    }
    return ERR_OK;
}

const struct store_user_ops sqlite_user_ops = {
    .add = user_add,
    .by_id = user_by_id,
    .by_username = user_by_username,
    .by_email = user_by_email,
    .list = user_list,
    .change = user_change,
    .attempt = sqlite_user_attempt,
    .stranger_attempt = sqlite_stranger_attempt,
    .remove = user_remove,
};

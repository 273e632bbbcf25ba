/* sqlite_keys.c - the key ring's records. */
#include "sqlite.h"

/* More keys than this are not a key ring any more: a rotation a day for a year. */
#define MAX_KEYS 400

static const char sql_add_first[] =
    "INSERT INTO keys (kid, algorithm, state, created_at, active_at, expires_at, public_jwk,"
    " wrapped_private)"
    " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
    " WHERE NOT EXISTS (SELECT 1 FROM keys WHERE algorithm = ?2 AND state = 0)"
    " ON CONFLICT DO NOTHING";
_Static_assert(STORE_KEY_ACTIVE == 0, "sql_add_first names it by number");

static enum err add_first_key(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    (void)now_ms;
    const struct store_key *k = *(const struct store_key **)argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_add_first, &q));
    sqlite_bind_text(&q, sqlite_present(k->kid));
    sqlite_bind_text(&q, sqlite_present(k->algorithm));
    sqlite_bind_int(&q, (int64_t)k->state);
    sqlite_bind_int(&q, k->created_at);
    sqlite_bind_int(&q, k->active_at);
    sqlite_bind_int(&q, k->expires_at);
    sqlite_bind_text(&q, sqlite_present(k->public_jwk));
    sqlite_bind_bytes(&q, k->wrapped_private);
    int64_t changed = 0;
    TRY(sqlite_run(&q, &changed));
    return changed == 1 ? ERR_OK : ERR_CONFLICT;
}

static enum err key_add_first(struct store *s, const struct store_key *key)
{
    return sqlite_write(&sqlite_of(s)->writer, add_first_key, &key);
}

static const char sql_list[] =
    "SELECT kid, algorithm, state, created_at, active_at, expires_at, public_jwk, wrapped_private"
    " FROM keys ORDER BY kid LIMIT ?1";

static enum err read_key(struct sqlite_query *q, struct arena *a, void *ret_row)
{
    struct store_key k = { 0 };
    k.kid = sqlite_read_text(q, a);
    k.algorithm = sqlite_read_text(q, a);
    int64_t state = sqlite_read_int(q);
    k.created_at = sqlite_read_int(q);
    k.active_at = sqlite_read_int(q);
    k.expires_at = sqlite_read_int(q);
    k.public_jwk = sqlite_read_text(q, a);
    k.wrapped_private = sqlite_read_bytes(q, a);
    TRY(sqlite_read_end(q));
    if (state != STORE_KEY_ACTIVE && state != STORE_KEY_RETIRED) {
        return ERR_INTERNAL;
    }
    k.state = state == STORE_KEY_ACTIVE ? STORE_KEY_ACTIVE : STORE_KEY_RETIRED;
    *(struct store_key *)ret_row = k;
    return ERR_OK;
}

static enum err key_list(struct store *s, struct arena *a, struct store_key **ret_keys,
                         size_t *ret_count)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(reader.conn, sql_list, &q));
    sqlite_bind_count(&q, MAX_KEYS);
    struct sqlite_rows rows = { 0 };
    TRY(sqlite_rows_read(&q, a, read_key, sizeof(struct store_key), &rows));
    *ret_keys = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

const struct store_key_ops sqlite_key_ops = {
    .add_first = key_add_first,
    .list = key_list,
};

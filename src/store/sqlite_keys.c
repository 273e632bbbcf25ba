/* sqlite_keys.c - the key ring's records. */
#include "sqlite.h"

/* (algorithm, generation) is unique: of several processes one adds the next key. */
static const char sql_add[] =
    "INSERT INTO keys (kid, algorithm, generation, created_at, active_at, retired_at, public_jwk,"
    " wrapped_private) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";

static enum err add_key(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    (void)now_ms;
    const struct store_key *k = *(const struct store_key **)argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_add, &q));
    sqlite_bind_text(&q, sqlite_present(k->kid));
    sqlite_bind_text(&q, sqlite_present(k->algorithm));
    sqlite_bind_int(&q, k->generation);
    sqlite_bind_int(&q, k->created_at);
    sqlite_bind_int(&q, k->active_at);
    sqlite_bind_int(&q, k->retired_at);
    sqlite_bind_text(&q, sqlite_present(k->public_jwk));
    sqlite_bind_bytes(&q, k->wrapped_private);
    int64_t changed = 0;
    TRY(sqlite_run(&q, &changed));
    return changed == 1 ? ERR_OK : ERR_CONFLICT;
}

static enum err key_add(struct store *s, const struct store_key *key)
{
    return sqlite_write(&sqlite_of(s)->writer, add_key, &key);
}

/* Repeating it changes nothing but must find the key. */
static const char sql_retire[] =
    "UPDATE keys SET retired_at = CASE WHEN retired_at = 0 THEN max(?2, 1) ELSE retired_at END"
    " WHERE kid = ?1";
static const char sql_delete[] = "DELETE FROM keys WHERE kid = ?1";

static enum err retire_key(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    const struct span *kid = argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_retire, &q));
    sqlite_bind_text(&q, sqlite_present(*kid));
    sqlite_bind_int(&q, now_ms);
    int64_t changed = 0;
    TRY(sqlite_run(&q, &changed));
    return changed == 1 ? ERR_OK : ERR_NOT_FOUND;
}

static enum err key_retire(struct store *s, struct span kid)
{
    return sqlite_write(&sqlite_of(s)->writer, retire_key, &kid);
}

static enum err delete_key(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    (void)now_ms;
    const struct span *kid = argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_delete, &q));
    sqlite_bind_text(&q, sqlite_present(*kid));
    int64_t changed = 0;
    TRY(sqlite_run(&q, &changed));
    return changed == 1 ? ERR_OK : ERR_NOT_FOUND;
}

static enum err key_delete(struct store *s, struct span kid)
{
    return sqlite_write(&sqlite_of(s)->writer, delete_key, &kid);
}

/* Should there ever be more than STORE_MAX_KEYS, the oldest are the ones to miss. */
static const char sql_list[] =
    "SELECT * FROM (SELECT kid, algorithm, generation, created_at, active_at, retired_at,"
    " public_jwk, wrapped_private FROM keys ORDER BY generation DESC, algorithm DESC LIMIT ?1)"
    " ORDER BY generation, algorithm";

static enum err read_key(struct sqlite_query *q, struct arena *a, void *ret_row)
{
    struct store_key k = { 0 };
    k.kid = sqlite_read_text(q, a);
    k.algorithm = sqlite_read_text(q, a);
    k.generation = sqlite_read_int(q);
    k.created_at = sqlite_read_int(q);
    k.active_at = sqlite_read_int(q);
    k.retired_at = sqlite_read_int(q);
    k.public_jwk = sqlite_read_text(q, a);
    k.wrapped_private = sqlite_read_bytes(q, a);
    TRY(sqlite_read_end(q));
    if (k.generation < 1) {
        return ERR_INTERNAL;
    }
    *(struct store_key *)ret_row = k;
    return ERR_OK;
}

static enum err key_list(struct store *s, struct arena *a, struct store_key **ret_keys,
                         size_t *ret_count)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(reader.conn, sql_list, &q));
    sqlite_bind_count(&q, STORE_MAX_KEYS);
    struct sqlite_rows rows = { 0 };
    TRY(sqlite_rows_read(&q, a, read_key, sizeof(struct store_key), &rows));
    *ret_keys = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

const struct store_key_ops sqlite_key_ops = {
    .add = key_add,
    .retire = key_retire,
    .remove = key_delete,
    .list = key_list,
};

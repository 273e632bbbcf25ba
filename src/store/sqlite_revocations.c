/* sqlite_revocations.c - what every process follows, in the order in which it was committed. */
#include "sqlite.h"

/* A new sequence only for news: a row that says more replaces the old one, so that who has read
 * past the old one meets it again. One writer at a time makes the sequence grow in commit order. */
static const char sql_put[] =
    "INSERT OR REPLACE INTO revocations (id, is_user, epoch, keep, expires_at)"
    " SELECT ?1, ?2, max(?3, coalesce(old.epoch, ?3)),"
    "   CASE WHEN old.epoch >= ?3 THEN old.keep ELSE ?4 END,"
    "   max(?5, coalesce(old.expires_at, ?5))"
    " FROM (SELECT 1) LEFT JOIN revocations AS old ON old.id = ?1 AND old.is_user = ?2"
    " WHERE old.id IS NULL OR old.epoch < ?3 OR old.expires_at < ?5";

static enum err put_revocation(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    (void)now_ms;
    const struct store_revocation *r = *(const struct store_revocation **)argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_put, &q));
    sqlite_bind_uuid(&q, r->id);
    sqlite_bind_int(&q, r->is_user);
    sqlite_bind_int(&q, r->epoch);
    sqlite_bind_uuid(&q, r->keep);
    sqlite_bind_int(&q, r->expires_at);
    return sqlite_run(&q, NULL);
}

static enum err revocation_put(struct store *s, const struct store_revocation *revocation)
{
    return sqlite_write(&sqlite_of(s)->writer, put_revocation, &revocation);
}

static const char sql_since[] =
    "SELECT id, is_user, epoch, keep, expires_at, sequence FROM revocations"
    " WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";

static enum err read_revocation(struct sqlite_query *q, struct arena *a, void *ret_row)
{
    (void)a; /* nothing of it is text */
    struct store_revocation r = { 0 };
    r.id = sqlite_read_uuid(q);
    r.is_user = sqlite_read_int(q) != 0;
    r.epoch = sqlite_read_int(q);
    r.keep = sqlite_read_uuid(q);
    r.expires_at = sqlite_read_int(q);
    r.sequence = sqlite_read_int(q);
    TRY(sqlite_read_end(q));
    *(struct store_revocation *)ret_row = r;
    return ERR_OK;
}

static enum err revocation_since(struct store *s, int64_t after, size_t max, struct arena *a,
                                 struct store_revocation **ret_revocations, size_t *ret_count)
{
    AUTO(sqlite_reader) struct sqlite_reader reader = sqlite_reader_take(&sqlite_of(s)->readers);
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(reader.conn, sql_since, &q));
    sqlite_bind_int(&q, after);
    sqlite_bind_count(&q, max);
    struct sqlite_rows rows = { 0 };
    TRY(sqlite_rows_read(&q, a, read_revocation, sizeof(struct store_revocation), &rows));
    *ret_revocations = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

/* One writer at a time gives the sequences, in the order of the commits. */
static int64_t revocation_overlap(const struct store *s)
{
    (void)s;
    return 0;
}

const struct store_revocation_ops sqlite_revocation_ops = {
    .put = revocation_put,
    .since = revocation_since,
    .overlap = revocation_overlap,
};

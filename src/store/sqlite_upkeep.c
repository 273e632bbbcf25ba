/* sqlite_upkeep.c - the heartbeat, and sweeping what nobody needs any more. */
#include "sqlite.h"

/* Always another value: SQLite does not write a row that stays as it was. */
static const char sql_beat[] = "INSERT INTO heartbeat (id, at) VALUES (1, ?1)"
                               " ON CONFLICT (id) DO UPDATE SET at = max(excluded.at, at + 1)";

static enum err beat(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    (void)argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql_beat, &q));
    sqlite_bind_int(&q, now_ms);
    return sqlite_run(&q, NULL);
}

static enum err heartbeat(struct store *s)
{
    return sqlite_write(&sqlite_of(s)->writer, beat, NULL);
}

/* ---- sweeping ---- */
/* sweep_at is only where to look: an older version that runs beside this one does not move it. */
static const char sweep_sessions[] =
    "DELETE FROM sessions WHERE id IN"
    " (SELECT id FROM sessions WHERE sweep_at < ?1 AND idle_expires_at < ?1"
    "   ORDER BY sweep_at LIMIT ?2)";
static const char sweep_revocations[] =
    "DELETE FROM revocations WHERE sequence IN"
    " (SELECT sequence FROM revocations WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
static const char sweep_users[] =
    "DELETE FROM users WHERE id IN"
    " (SELECT id FROM users WHERE deleted_at > 0 AND deleted_at < ?1 LIMIT ?2)";

static const struct {
    const char *sql;
    int64_t after_ms;
} sweeps[] = {
    { sweep_sessions, 0 }, /* it is in sweep_at */
    { sweep_revocations, STORE_SWEEP_AFTER_MS },
    { sweep_users, STORE_TOMBSTONE_AFTER_MS },
};

struct batch {
    size_t max;
    size_t deleted; /* the result */
};

static enum err sweep_one(struct sqlite_conn *c, const char *sql, int64_t before_ms,
                          struct batch *batch)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql, &q));
    sqlite_bind_int(&q, before_ms);
    sqlite_bind_count(&q, batch->max - batch->deleted);
    int64_t changed = 0;
    TRY(sqlite_run(&q, &changed));
    batch->deleted += (size_t)changed;
    return ERR_OK;
}

static enum err sweep_batch(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    struct batch *batch = argument;
    for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) {
        TRY(sweep_one(c, sweeps[i].sql, now_ms - sweeps[i].after_ms, batch));
    }
    return ERR_OK;
}

/* In batches, each a write of its own, so that no caller waits behind a long one. */
static enum err sweep(struct store *s, size_t max, bool *ret_more)
{
    enum { BATCH = 256 };
    size_t left = max;
    bool more = left > 0;
    while (left > 0 && more) {
        struct batch batch = { .max = left < BATCH ? left : BATCH };
        TRY(sqlite_write(&sqlite_of(s)->writer, sweep_batch, &batch));
        more = batch.deleted == batch.max;
        left -= batch.deleted;
    }
    *ret_more = more;
    return ERR_OK;
}

const struct store_upkeep_ops sqlite_upkeep_ops = {
    .heartbeat = heartbeat,
    .sweep = sweep,
};

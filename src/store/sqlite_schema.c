/* sqlite_schema.c - the tables, and how a file of an older schema becomes one of today.
 *
 * A new file starts at schema 0 and takes the same way, so that every migration runs every time.
 * Each step is one transaction with its version in it: killed half way, it was never begun. Add a
 * step at the end; never change one that was released. */
#include "sqlite.h"

#include <inttypes.h>

#define APPLICATION_ID 1146048338 /* "DOOR" */

static const char schema_1[] =
    "CREATE TABLE users ("
    "  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    "  username TEXT,"
    "  username_key TEXT UNIQUE," /* in ASCII lower case */
    "  email TEXT UNIQUE,"
    "  password_hash TEXT NOT NULL,"
    "  roles TEXT NOT NULL,"
    "  disabled INTEGER NOT NULL,"
    "  session_epoch INTEGER NOT NULL,"
    "  epoch_keep BLOB NOT NULL,"
    "  failures INTEGER NOT NULL,"
    "  not_before INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL,"
    "  deleted_at INTEGER NOT NULL DEFAULT 0" /* 0: lives */
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at > 0;"
    "CREATE TABLE sessions ("
    "  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    "  user_id BLOB NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  master_key BLOB NOT NULL,"
    "  counter INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  rotated_at INTEGER NOT NULL,"
    "  last_used_at INTEGER NOT NULL,"
    "  idle_expires_at INTEGER NOT NULL,"
    "  expires_at INTEGER NOT NULL,"
    "  revoked_at INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX sessions_user ON sessions (user_id);"
    "CREATE INDEX sessions_expiry ON sessions (idle_expires_at);"
    "CREATE TABLE revocations ("
    "  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    "  is_user INTEGER NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  keep BLOB NOT NULL,"
    "  expires_at INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE keys ("
    "  kid TEXT NOT NULL PRIMARY KEY,"
    "  algorithm TEXT NOT NULL,"
    "  state INTEGER NOT NULL," /* enum store_key_state */
    "  created_at INTEGER NOT NULL,"
    "  active_at INTEGER NOT NULL,"
    "  expires_at INTEGER NOT NULL,"
    "  public_jwk TEXT NOT NULL,"
    "  wrapped_private BLOB NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE heartbeat ("
    "  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),"
    "  at INTEGER NOT NULL"
    ") STRICT;";

/* Sessions show where they were used. Revocations are followed by sequence, not by time: clocks of
 * several processes differ. AUTOINCREMENT never gives a number again, whatever was swept. */
static const char schema_2[] =
    "ALTER TABLE sessions ADD COLUMN ip TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE revocations_2 ("
    "  sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"
    "  id BLOB NOT NULL CHECK (length(id) = 16),"
    "  is_user INTEGER NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  keep BLOB NOT NULL,"
    "  expires_at INTEGER NOT NULL,"
    "  UNIQUE (id, is_user)"
    ") STRICT;"
    "INSERT INTO revocations_2 (id, is_user, epoch, keep, expires_at)"
    "  SELECT id, is_user, epoch, keep, expires_at FROM revocations ORDER BY id;"
    "DROP TABLE revocations;"
    "ALTER TABLE revocations_2 RENAME TO revocations;"
    "CREATE INDEX revocations_expiry ON revocations (expires_at);";

/* A login looks at its user's living sessions. An account of a machine leaves thousands of revoked
 * ones behind, which it must not meet. */
static const char schema_3[] =
    "DROP INDEX sessions_user;"
    "CREATE INDEX sessions_user ON sessions (user_id) WHERE revoked_at = 0;";

/* Guesses at names that no user has are counted as those at users are. A table of its own, which
 * stays as large as its places: strangers choose how many names there are. */
static const char schema_4[] =
    "CREATE TABLE strangers ("
    "  slot INTEGER PRIMARY KEY CHECK (slot BETWEEN 0 AND 65535)," /* by the hash of the name */
    "  name BLOB NOT NULL CHECK (length(name) = 16),"              /* the hash */
    "  failures INTEGER NOT NULL,"
    "  not_before INTEGER NOT NULL"
    ") STRICT;";

/* What a key does follows from the times of all of them, so that a rotation is one insert, and the
 * generation decides who makes it. The first keys were active from the beginning. */
static const char schema_5[] =
    "CREATE TABLE keys_5 ("
    "  kid TEXT NOT NULL PRIMARY KEY,"
    "  algorithm TEXT NOT NULL,"
    "  generation INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  active_at INTEGER NOT NULL,"
    "  retired_at INTEGER NOT NULL," /* 0: is not */
    "  public_jwk TEXT NOT NULL,"
    "  wrapped_private BLOB NOT NULL,"
    "  UNIQUE (algorithm, generation)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO keys_5 SELECT kid, algorithm, row_number() OVER (ORDER BY created_at, kid),"
    "  created_at, max(active_at, created_at), CASE state WHEN 0 THEN 0 ELSE max(expires_at, 1) "
    "END,"
    "  public_jwk, wrapped_private FROM keys;"
    "DROP TABLE keys;"
    "ALTER TABLE keys_5 RENAME TO keys;";

/* An index over what each refresh moves would be written with each refresh: this one is over a
 * midnight behind it (sqlite_sessions.c). */
static const char schema_6[] =
    "ALTER TABLE sessions ADD COLUMN sweep_at INTEGER NOT NULL DEFAULT 0;"
    "UPDATE sessions SET sweep_at = (idle_expires_at / 86400000 + 2) * 86400000;"
    "DROP INDEX sessions_expiry;"
    "CREATE INDEX sessions_sweep ON sessions (sweep_at);";

static const char *const migrations[] = {
    schema_1, schema_2, schema_3, schema_4, schema_5, schema_6
};
#define NEWEST_SCHEMA ((int64_t)(sizeof(migrations) / sizeof(migrations[0])))

struct identity {
    int64_t application, schema, tables;
};

/* Inside a transaction, or the parts may be of before and after another process's step. */
static int read_identity(sqlite3 *db, struct identity *ret)
{
    int code = sqlite_number(db, "PRAGMA application_id", &ret->application);
    if (code == SQLITE_OK) {
        code = sqlite_number(db, "PRAGMA user_version", &ret->schema);
    }
    if (code == SQLITE_OK) {
        code = sqlite_number(db, "SELECT count(*) FROM sqlite_schema", &ret->tables);
    }
    return code;
}

static int look(sqlite3 *db, struct identity *ret)
{
    int code = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    code = read_identity(db, ret);
    int last = sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    return code == SQLITE_OK ? last : code;
}

static enum err judge(const struct identity *found, const char *path, struct arena *a,
                      struct span *ret_why)
{
    bool is_new = found->application == 0 && found->schema == 0 && found->tables == 0;
    if (!is_new && found->application != APPLICATION_ID) {
        TRY(arena_printf(a, ret_why, "the database %s belongs to another program", path));
        return ERR_IO;
    }
    if (found->schema < 0 || found->schema > NEWEST_SCHEMA) {
        TRY(arena_printf(a, ret_why,
                         "the database %s was made by a newer Doorward: schema %" PRId64
                         ", this program knows up to %" PRId64,
                         path, found->schema, NEWEST_SCHEMA));
        return ERR_IO;
    }
    return ERR_OK;
}

/* The step from `schema` to the next, inside the transaction that the caller has begun. */
static int apply(sqlite3 *db, int64_t schema)
{
    char *version = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %lld;",
                                    APPLICATION_ID, (long long)schema + 1);
    if (version == NULL) {
        return SQLITE_NOMEM;
    }
    int code = sqlite3_exec(db, migrations[schema], NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(db, version, NULL, NULL, NULL);
    }
    sqlite3_free(version);
    return code;
}

/* One step, unless another process has made it meanwhile: the version is read again under the
 * write lock. */
static int migrate_once(sqlite3 *db)
{
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    struct identity now = { 0 };
    code = read_identity(db, &now);
    if (code == SQLITE_OK && now.schema >= 0 && now.schema < NEWEST_SCHEMA) {
        code = apply(db, now.schema);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    if (code != SQLITE_OK && sqlite3_get_autocommit(db) == 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return code;
}

static int set_wal(sqlite3 *db, bool *ret_is_wal)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(statement, 0);
        *ret_is_wal = mode != NULL && span_equal_nocase(span_of(mode), SPAN("wal"));
    }
    int last = sqlite3_finalize(statement);
    return code == SQLITE_ROW ? last : code;
}

/* SQLite's own busy timeout does not cover the change to WAL, which wants the file alone: of
 * several processes that start on a new file together all but one are refused at once. */
static int set_wal_patiently(sqlite3 *db, int64_t patience_ms, bool *ret_is_wal)
{
    enum { PAUSE_MS = 20 };
    int64_t deadline_us = clock_monotonic_us() + patience_ms * 1000;
    int code = set_wal(db, ret_is_wal);
    while ((code & 0xff) == SQLITE_BUSY && clock_monotonic_us() < deadline_us) {
        (void)sqlite3_sleep(PAUSE_MS);
        code = set_wal(db, ret_is_wal);
    }
    return code;
}

enum err sqlite_schema_prepare(struct sqlite_conn *c, const char *path, int64_t busy_timeout_ms,
                               struct arena *a, struct span *ret_why)
{
    struct identity found = { 0 };
    int code = look(c->db, &found);
    if (code != SQLITE_OK) {
        return sqlite_file_why(c, code, path, a, ret_why);
    }
    TRY(judge(&found, path, a, ret_why));
    bool is_wal = false;
    code = set_wal_patiently(c->db, busy_timeout_ms, &is_wal);
    if (code == SQLITE_OK && !is_wal) {
        TRY(arena_printf(a, ret_why,
                         "the database %s is on a file system that cannot keep a write-ahead log",
                         path));
        return ERR_IO;
    }
    while (code == SQLITE_OK && found.schema < NEWEST_SCHEMA) {
        code = migrate_once(c->db);
        if (code == SQLITE_OK) {
            code = look(c->db, &found);
        }
    }
    if (code != SQLITE_OK) {
        return sqlite_file_why(c, code, path, a, ret_why);
    }
    return judge(&found, path, a, ret_why);
}

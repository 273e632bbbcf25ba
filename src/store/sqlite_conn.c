/* sqlite_conn.c - a connection to the file, with the settings that make it safe and small. */
#include "sqlite_query.h"

#include <limits.h>
#include <string.h>

/* The file may have been made by somebody else: nothing in its schema may run, and nothing may
 * write to it but our statements. */
static int harden(sqlite3 *db)
{
    static const struct {
        int option, value;
    } settings[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },      { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 }, { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        { SQLITE_DBCONFIG_DQS_DML, 0 },        { SQLITE_DBCONFIG_DQS_DDL, 0 },
    };
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < sizeof(settings) / sizeof(settings[0]); i++) {
        code = sqlite3_db_config(db, settings[i].option, settings[i].value, NULL);
    }
    return code;
}

/* A value of ours is a hash, a name or a key; a row with more is not ours. */
#define MAX_VALUE_BYTES (1024 * 1024)

int sqlite_conn_open(struct sqlite_conn *c, const char *path, int64_t busy_timeout_ms)
{
    *c = (struct sqlite_conn){ 0 };
    /* Without SQLITE_OPEN_CREATE: the file was made, with its mode, by sqlite_file_prepare(). */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = sqlite3_open_v2(path, &c->db, flags, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    (void)sqlite3_extended_result_codes(c->db, 1);
    (void)sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES);
    (void)sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_busy_timeout(c->db, busy_timeout_ms > INT_MAX ? INT_MAX : (int)busy_timeout_ms);
    return harden(c->db);
}

/* secure_delete: what is deleted, a password hash say, is overwritten in the file. The caches are
 * small because the kernel has the same pages anyway. */
static const char writer_settings[] = "PRAGMA synchronous=FULL;"
                                      "PRAGMA secure_delete=ON;"
                                      "PRAGMA cell_size_check=ON;"
                                      "PRAGMA temp_store=MEMORY;"
                                      "PRAGMA cache_size=-1024;"
                                      "PRAGMA wal_autocheckpoint=0;" /* sqlite_checkpoint.c */
                                      "PRAGMA journal_size_limit=16777216;";
static const char reader_settings[] = "PRAGMA query_only=ON;"
                                      "PRAGMA cell_size_check=ON;"
                                      "PRAGMA temp_store=MEMORY;"
                                      "PRAGMA cache_size=-256;";

int sqlite_conn_set_up(struct sqlite_conn *c, enum sqlite_role role)
{
    const char *settings = role == SQLITE_WRITER ? writer_settings : reader_settings;
    return sqlite3_exec(c->db, settings, NULL, NULL, NULL);
}

void sqlite_conn_close(struct sqlite_conn *c)
{
    for (size_t i = 0; i < c->count; i++) {
        (void)sqlite3_finalize(c->statements[i].handle);
    }
    /* With all statements finalized it cannot fail. */
    (void)sqlite3_close(c->db);
    *c = (struct sqlite_conn){ 0 };
}

int sqlite_number(sqlite3 *db, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(statement, 0);
        return sqlite3_finalize(statement);
    }
    (void)sqlite3_finalize(statement);
    return code == SQLITE_DONE ? SQLITE_ERROR : code;
}

/* sqlite_query.c - statements: kept, bound, stepped, and read without trust in the row. */
#include "sqlite_query.h"

#include <string.h>

enum err sqlite_error(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_INTERRUPT:
    case SQLITE_NOLFS:
        return ERR_UNAVAILABLE;
    default:
        return ERR_INTERNAL;
    }
}

static enum err prepare(struct sqlite_conn *c, const char *sql, sqlite3_stmt **ret_statement)
{
    INVARIANT(c->count < SQLITE_MAX_STATEMENTS);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    TRY(sqlite_error(code));
    c->statements[c->count].sql = sql;
    c->statements[c->count].handle = statement;
    c->count++;
    *ret_statement = statement;
    return ERR_OK;
}

enum err sqlite_query_open(struct sqlite_conn *c, const char *sql, struct sqlite_query *ret_query)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->statements[i].sql == sql) {
            *ret_query = (struct sqlite_query){ .statement = c->statements[i].handle };
            return ERR_OK;
        }
    }
    sqlite3_stmt *statement = NULL;
    TRY(prepare(c, sql, &statement));
    *ret_query = (struct sqlite_query){ .statement = statement };
    return ERR_OK;
}

void sqlite_query_auto(struct sqlite_query *q)
{
    if (q->statement != NULL) {
        /* Its code repeats the failure of the last step, which was returned there. */
        (void)sqlite3_reset(q->statement);
        /* The bindings point into memory of the caller. */
        (void)sqlite3_clear_bindings(q->statement);
    }
}

static void note(struct sqlite_query *q, enum err e)
{
    if (q->failure == ERR_OK) {
        q->failure = e;
    }
}

void sqlite_bind_int(struct sqlite_query *q, int64_t value)
{
    note(q, sqlite_error(sqlite3_bind_int64(q->statement, ++q->bound, value)));
}

void sqlite_bind_count(struct sqlite_query *q, size_t count)
{
    sqlite_bind_int(q, count > INT64_MAX ? INT64_MAX : (int64_t)count);
}

void sqlite_bind_uuid(struct sqlite_query *q, struct uuid id)
{
    /* Copied: the argument is gone when the query runs. */
    note(q, sqlite_error(sqlite3_bind_blob(q->statement, ++q->bound, id.bytes, UUID_BYTES,
                                           SQLITE_TRANSIENT)));
}

void sqlite_bind_text(struct sqlite_query *q, struct span text)
{
    note(q, sqlite_error(sqlite3_bind_text64(q->statement, ++q->bound, text.data, text.length,
                                             SQLITE_STATIC, SQLITE_UTF8)));
}

void sqlite_bind_bytes(struct sqlite_query *q, struct span bytes)
{
    const char *data = bytes.data != NULL ? bytes.data : "";
    note(q, sqlite_error(
                sqlite3_bind_blob64(q->statement, ++q->bound, data, bytes.length, SQLITE_STATIC)));
}

enum err sqlite_row(struct sqlite_query *q)
{
    TRY(q->failure);
    q->read = 0;
    int code = sqlite3_step(q->statement);
    if (code == SQLITE_ROW) {
        return ERR_OK;
    }
    return code == SQLITE_DONE ? ERR_NOT_FOUND : sqlite_error(code);
}

enum err sqlite_run(struct sqlite_query *q, int64_t *ret_changed)
{
    enum err e = sqlite_row(q);
    if (e != ERR_NOT_FOUND) {
        return e == ERR_OK ? ERR_INTERNAL : e;
    }
    if (ret_changed != NULL) {
        *ret_changed = sqlite3_changes(sqlite3_db_handle(q->statement));
    }
    return ERR_OK;
}

/* Whether the next column is of `type`; the row may have been made by hand. */
static bool next_is(struct sqlite_query *q, int type, int *ret_column)
{
    *ret_column = q->read++;
    if (sqlite3_column_type(q->statement, *ret_column) != type) {
        note(q, ERR_INTERNAL);
        return false;
    }
    return true;
}

int64_t sqlite_read_int(struct sqlite_query *q)
{
    int column = 0;
    return next_is(q, SQLITE_INTEGER, &column) ? sqlite3_column_int64(q->statement, column) : 0;
}

struct uuid sqlite_read_uuid(struct sqlite_query *q)
{
    struct uuid id = { 0 };
    int column = 0;
    if (!next_is(q, SQLITE_BLOB, &column)) {
        return id;
    }
    const void *bytes = sqlite3_column_blob(q->statement, column);
    if (bytes == NULL || sqlite3_column_bytes(q->statement, column) != UUID_BYTES) {
        note(q, ERR_INTERNAL);
        return id;
    }
    memcpy(id.bytes, bytes, UUID_BYTES);
    return id;
}

static struct span copy_column(struct sqlite_query *q, int column, struct arena *a)
{
    /* sqlite3_column_blob gives the bytes of a text as well, but NULL for an empty value. */
    const char *data = sqlite3_column_blob(q->statement, column);
    int length = sqlite3_column_bytes(q->statement, column);
    struct span value = { .data = data != NULL ? data : "", .length = (size_t)length };
    if (data == NULL && length > 0) {
        note(q, ERR_NOMEM);
        return SPAN_NONE;
    }
    struct span copy = SPAN_NONE;
    note(q, arena_copy(a, value, &copy));
    return copy;
}

struct span sqlite_read_text(struct sqlite_query *q, struct arena *a)
{
    int column = 0;
    return next_is(q, SQLITE_TEXT, &column) ? copy_column(q, column, a) : SPAN_NONE;
}

struct span sqlite_read_text_or_null(struct sqlite_query *q, struct arena *a)
{
    if (sqlite3_column_type(q->statement, q->read) == SQLITE_NULL) {
        q->read++;
        return SPAN_NONE;
    }
    return sqlite_read_text(q, a);
}

struct span sqlite_read_bytes(struct sqlite_query *q, struct arena *a)
{
    int column = 0;
    return next_is(q, SQLITE_BLOB, &column) ? copy_column(q, column, a) : SPAN_NONE;
}

enum err sqlite_read_end(const struct sqlite_query *q)
{
    INVARIANT(q->read == sqlite3_column_count(q->statement));
    return q->failure;
}

/* Room for one more row, or NULL. */
static void *next_row(struct sqlite_rows *rows, struct arena *a, size_t row_bytes)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 8 : rows->capacity * 2;
        void *data = arena_get_array(a, capacity, row_bytes);
        if (data == NULL) {
            return NULL;
        }
        if (rows->count > 0) {
            memcpy(data, rows->data, rows->count * row_bytes);
        }
        rows->data = data;
        rows->capacity = capacity;
    }
    return (char *)rows->data + rows->count * row_bytes;
}

enum err sqlite_rows_read(struct sqlite_query *q, struct arena *a, sqlite_read_fn *read,
                          size_t row_bytes, struct sqlite_rows *rows)
{
    enum err e = ERR_OK;
    while ((e = sqlite_row(q)) == ERR_OK) {
        void *row = next_row(rows, a, row_bytes);
        if (row == NULL) {
            return ERR_NOMEM;
        }
        TRY(read(q, a, row));
        rows->count++;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* sqlite_query.h - one connection, its kept statements, and the way to run one of them.
 *
 * A query is opened, its parameters are bound in order, rows are asked for one by one, and the
 * columns of a row are read in order. The first failure sticks and comes out of the next
 * sqlite_row() or sqlite_read_end(), so that callers bind and read without asking each time.
 *
 * Threads:   a connection has one user at a time.
 * Ownership: bound spans must outlive the query; what is read is copied into the arena.
 * Failure:   ERR_INTERNAL for a row that is not as the schema says, whoever wrote it. */
#ifndef DOORWARD_SQLITE_QUERY_H
#define DOORWARD_SQLITE_QUERY_H

#include "base.h"
#include <sqlite3.h>

#define SQLITE_MAX_STATEMENTS 40
struct sqlite_statement {
    const char *sql; /* by address: each text is one static array */
    sqlite3_stmt *handle;
};
struct sqlite_conn {
    sqlite3 *db;
    size_t count;
    struct sqlite_statement statements[SQLITE_MAX_STATEMENTS];
};

enum sqlite_role { SQLITE_WRITER, SQLITE_READER };
/* Opens the file, which must exist, with our limits and safety settings. Gives SQLite's code;
 * *c may be used for its error text, and must be closed, in any case. */
int sqlite_conn_open(struct sqlite_conn *c, const char *path, int64_t busy_timeout_ms);
/* The settings that read or write the file: its journal, its durability. Gives SQLite's code. */
int sqlite_conn_set_up(struct sqlite_conn *c, enum sqlite_role role);
void sqlite_conn_close(struct sqlite_conn *c); /* twice is fine */
/* Our code for SQLite's. */
enum err sqlite_error(int code);
/* The whole number that `sql` gives. */
int sqlite_number(sqlite3 *db, const char *sql, int64_t *ret_number);

struct sqlite_query {
    sqlite3_stmt *statement;
    int bound;        /* parameters so far */
    int read;         /* columns of this row so far */
    enum err failure; /* the first */
};
/* AUTO(sqlite_query) struct sqlite_query q = { 0 }; closes it: no read transaction stays open. */
MUST_CHECK enum err sqlite_query_open(struct sqlite_conn *c, const char *sql,
                                      struct sqlite_query *ret_query);
void sqlite_query_auto(struct sqlite_query *q);

void sqlite_bind_int(struct sqlite_query *q, int64_t value);
void sqlite_bind_count(struct sqlite_query *q, size_t count); /* clipped to what SQLite can count */
void sqlite_bind_uuid(struct sqlite_query *q, struct uuid id);
void sqlite_bind_text(struct sqlite_query *q, struct span text);   /* data NULL binds NULL */
void sqlite_bind_bytes(struct sqlite_query *q, struct span bytes); /* never NULL */

/* For columns that are never NULL: an absent text as an empty one. */
static inline struct span sqlite_present(struct span text)
{
    return text.data != NULL ? text : SPAN("");
}

/* ERR_OK: a row is there. ERR_NOT_FOUND: none, or no more. */
MUST_CHECK enum err sqlite_row(struct sqlite_query *q);
/* For a statement without rows; *ret_changed, the rows that it changed, may be NULL. */
MUST_CHECK enum err sqlite_run(struct sqlite_query *q, int64_t *ret_changed);

int64_t sqlite_read_int(struct sqlite_query *q);
struct uuid sqlite_read_uuid(struct sqlite_query *q);
struct span sqlite_read_text(struct sqlite_query *q, struct arena *a);
struct span sqlite_read_text_or_null(struct sqlite_query *q, struct arena *a);
struct span sqlite_read_bytes(struct sqlite_query *q, struct arena *a);
/* Whether all columns of the row were as expected. */
MUST_CHECK enum err sqlite_read_end(const struct sqlite_query *q);

/* Rows of a result whose count is not known before, in an arena. */
struct sqlite_rows {
    void *data;
    size_t count, capacity;
};
/* Reads the present row into *ret_row. */
typedef enum err sqlite_read_fn(struct sqlite_query *q, struct arena *a, void *ret_row);
/* All rows, each of `row_bytes`; *rows begins empty. */
MUST_CHECK enum err sqlite_rows_read(struct sqlite_query *q, struct arena *a, sqlite_read_fn *read,
                                     size_t row_bytes, struct sqlite_rows *rows);

#endif

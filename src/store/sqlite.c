/* sqlite.c - opens and closes the SQLite backend: the file, its writer and its readers. */
#include "sqlite.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* SQLite gives a meaning to "file:..." and ":memory:"; with a directory in front a name is only a
 * name. */
static enum err copy_path(struct span location, struct arena *a, struct span *ret_why,
                          char **ret_path)
{
    enum { LONGEST_SUFFIX = sizeof("./-journal") };
    if (location.length == 0) {
        *ret_why = SPAN("sqlite: must be followed by a path, as in sqlite:./var/doorward.db");
        return ERR_CONFIG;
    }
    if (location.length + LONGEST_SUFFIX > PATH_MAX ||
        memchr(location.data, '\0', location.length)) {
        *ret_why = SPAN("the path after sqlite: is too long or has a NUL in it");
        return ERR_CONFIG;
    }
    if (location.data[location.length - 1] == '/') {
        *ret_why = SPAN("the path after sqlite: must be a file's, not a directory's");
        return ERR_CONFIG;
    }
    const char *prefix = location.data[0] == '/' ? "" : "./";
    struct span path = SPAN_NONE;
    TRY(arena_printf(a, &path, "%s%.*s", prefix, SPAN_FMT(location)));
    *ret_path = strndup(path.data, path.length);
    return *ret_path != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err prepare_file(const struct store_options *options, const char *path, struct arena *a,
                             struct span *ret_why, struct sqlite_conn *conn)
{
    TRY(sqlite_file_prepare(path, a, ret_why));
    int code = sqlite_conn_open(conn, path, options->busy_timeout_ms);
    if (code != SQLITE_OK) {
        return sqlite_file_why(conn, code, path, a, ret_why);
    }
    if (sqlite3_db_readonly(conn->db, "main") == 1) {
        return sqlite_file_why(conn, SQLITE_READONLY, path, a, ret_why);
    }
    code = sqlite_conn_set_up(conn, SQLITE_WRITER);
    if (code != SQLITE_OK) {
        return sqlite_file_why(conn, code, path, a, ret_why);
    }
    return sqlite_schema_prepare(conn, path, options->busy_timeout_ms, a, ret_why);
}

static enum err start(struct sqlite_store *s, const struct store_options *options,
                      struct sqlite_conn *conn)
{
    size_t readers = options->readers > 0 ? options->readers : 1;
    TRY(sqlite_readers_init(&s->readers, s->path, options->busy_timeout_ms, readers));
    enum err e = sqlite_writer_start(&s->writer, conn, options);
    if (e != ERR_OK) {
        sqlite_readers_done(&s->readers);
    }
    return e;
}

static enum err open_store(const struct store_options *options, struct span location,
                           struct arena *a, struct span *ret_why, struct store **ret_store)
{
    struct sqlite_store *s = calloc(1, sizeof(*s));
    *ret_why = SPAN("not enough memory or threads to open the database");
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->base.backend = &store_sqlite_backend;
    struct sqlite_conn conn = { 0 };
    enum err e = copy_path(location, a, ret_why, &s->path);
    if (e == ERR_OK) {
        e = prepare_file(options, s->path, a, ret_why, &conn);
    }
    if (e == ERR_OK) {
        e = start(s, options, &conn);
    }
    if (e != ERR_OK) {
        sqlite_conn_close(&conn);
        free(s->path);
        free(s);
        return e == ERR_CONFIG ? ERR_CONFIG : ERR_IO;
    }
    *ret_why = SPAN_NONE;
    *ret_store = &s->base;
    return ERR_OK;
}

static void close_store(struct store *base)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite_readers_done(&s->readers);
    /* Last, since the last connection to close folds the write-ahead log into the file. */
    sqlite_writer_stop(&s->writer);
    free(s->path);
    free(s);
}

const struct store_backend store_sqlite_backend = {
    .open = open_store,
    .close = close_store,
    .users = &sqlite_user_ops,
    .sessions = &sqlite_session_ops,
    .revocations = &sqlite_revocation_ops,
    .keys = &sqlite_key_ops,
    .upkeep = &sqlite_upkeep_ops,
    .bulk = &sqlite_bulk_ops,
};

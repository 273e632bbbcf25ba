/* sqlite_readers.c - a few connections for reading, lent to the threads that ask. */
#include "sqlite.h"

#include <stdlib.h>

static enum err open_reader(const struct sqlite_readers *r, struct sqlite_conn **ret_conn)
{
    struct sqlite_conn *c = malloc(sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    int code = sqlite_conn_open(c, r->path, r->busy_timeout_ms);
    if (code == SQLITE_OK) {
        code = sqlite_conn_set_up(c, SQLITE_READER);
    }
    if (code != SQLITE_OK) {
        sqlite_conn_close(c);
        free(c);
        return sqlite_error(code);
    }
    *ret_conn = c;
    return ERR_OK;
}

enum err sqlite_readers_init(struct sqlite_readers *r, const char *path, int64_t busy_timeout_ms,
                             size_t max)
{
    *r = (struct sqlite_readers){ .path = path, .busy_timeout_ms = busy_timeout_ms, .max = max };
    INVARIANT(max > 0);
    r->idle = calloc(max, sizeof(struct sqlite_conn *));
    if (r->idle == NULL) {
        return ERR_NOMEM;
    }
    enum err e = open_reader(r, &r->idle[0]);
    if (e != ERR_OK) {
        free(r->idle);
        return e;
    }
    r->opened = 1;
    r->idle_count = 1;
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->returned, NULL);
    return ERR_OK;
}

void sqlite_readers_done(struct sqlite_readers *r)
{
    INVARIANT(r->idle_count == r->opened);
    for (size_t i = 0; i < r->idle_count; i++) {
        sqlite_conn_close(r->idle[i]);
        free(r->idle[i]);
    }
    free(r->idle);
    (void)pthread_cond_destroy(&r->returned);
    (void)pthread_mutex_destroy(&r->lock);
}

/* Whether the caller may open one more; otherwise one was idle, or has come back. */
static bool reserve(struct sqlite_readers *r, bool may_open, struct sqlite_conn **ret_conn)
{
    bool opens = false;
    (void)pthread_mutex_lock(&r->lock);
    while (r->idle_count == 0 && !opens) {
        if (may_open && r->opened < r->max) {
            r->opened++;
            opens = true;
        } else {
            (void)pthread_cond_wait(&r->returned, &r->lock);
        }
    }
    if (!opens) {
        *ret_conn = r->idle[--r->idle_count];
    }
    (void)pthread_mutex_unlock(&r->lock);
    return opens;
}

struct sqlite_reader sqlite_reader_take(struct sqlite_readers *r)
{
    struct sqlite_conn *c = NULL;
    if (reserve(r, true, &c) && open_reader(r, &c) != ERR_OK) {
        /* Out of descriptors or memory: the first one is always there to wait for. */
        (void)pthread_mutex_lock(&r->lock);
        r->opened--;
        (void)pthread_mutex_unlock(&r->lock);
        (void)reserve(r, false, &c);
    }
    return (struct sqlite_reader){ .from = r, .conn = c };
}

void sqlite_reader_auto(struct sqlite_reader *reader)
{
    struct sqlite_readers *r = reader->from;
    if (r == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->idle[r->idle_count++] = reader->conn;
    (void)pthread_cond_signal(&r->returned);
    (void)pthread_mutex_unlock(&r->lock);
}

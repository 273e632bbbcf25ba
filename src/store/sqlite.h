/* sqlite.h - the SQLite backend's inside: one file, one writer thread, a few readers.
 *
 * All changes go through the writer, which commits what waits together (group commit): the call
 * that asked for a change sleeps until its commit is on the disk. Reads run on the calling thread,
 * on a connection lent from a small pool, beside the writer (WAL).
 *
 * Other processes may use the same file: the command line beside `serve`, or two `serve`s. */
#ifndef DOORWARD_STORE_SQLITE_H
#define DOORWARD_STORE_SQLITE_H

#include "backend.h"
#include "sqlite_query.h"
#include <pthread.h>
#include <semaphore.h>

/* ---- the file (sqlite_file.c, sqlite_schema.c) ---- */
/* Makes the directory and the file where they are missing, private to the user. On failure
 * *ret_why says what to mend. */
MUST_CHECK enum err sqlite_file_prepare(const char *path, struct arena *a, struct span *ret_why);
/* The sentence for SQLite's refusal to open or migrate. Gives ERR_IO, or ERR_NOMEM. */
MUST_CHECK enum err sqlite_file_why(struct sqlite_conn *c, int code, const char *path,
                                    struct arena *a, struct span *ret_why);
/* Turns WAL on and brings the schema up to date, once however many processes start together. */
MUST_CHECK enum err sqlite_schema_prepare(struct sqlite_conn *c, const char *path,
                                          int64_t busy_timeout_ms, struct arena *a,
                                          struct span *ret_why);

/* ---- the writer (sqlite_writer.c) ---- */
/* One change. Runs on the writer's thread inside a savepoint of its own, which is rolled back when
 * it gives an error. `argument` is the caller's, who sleeps meanwhile. What it found out counts
 * only once sqlite_write() has returned. */
typedef enum err sqlite_change_fn(struct sqlite_conn *c, int64_t now_ms, void *argument);

/* How long the write-ahead log is, and when it was last too long (sqlite_checkpoint.c). */
struct sqlite_log {
    int pages;
    int next_restart_pages;
};
void sqlite_log_watch(struct sqlite_log *l, struct sqlite_conn *c);
/* Folds the log into the file when it is long enough; between groups, so that nobody waits. */
void sqlite_log_fold(struct sqlite_log *l, struct sqlite_conn *c, int64_t busy_timeout_ms);

struct sqlite_job;
struct sqlite_writer {
    struct sqlite_conn conn;   /* writer thread */
    struct sqlite_log log;     /* writer thread */
    bool failing;              /* writer thread */
    int64_t failed_at_us;      /* writer thread: when that was last told; 0: never */
    int64_t busy_timeout_ms;   /* fixed */
    const struct clock *clock; /* fixed */
    void (*meanwhile)(void);   /* fixed */
    pthread_t thread;          /* fixed */
    pthread_mutex_t lock;      /* guards what follows */
    pthread_cond_t wake;
    struct sqlite_job *first, *last;
    bool stopping;
};
/* Takes over *c, also on failure. */
MUST_CHECK enum err sqlite_writer_start(struct sqlite_writer *w, struct sqlite_conn *c,
                                        const struct store_options *options);
void sqlite_writer_stop(struct sqlite_writer *w);
/* What `change` gave, once that is committed; ERR_UNAVAILABLE when its group was not. */
MUST_CHECK enum err sqlite_write(struct sqlite_writer *w, sqlite_change_fn *change, void *argument);
/* The same, cheaper, for a change that writes by one statement, after which nothing of it can fail:
 * a statement that fails leaves nothing behind, so that it needs no savepoint. While it waits the
 * thread is lent to store_options.meanwhile: the caller holds no lock. */
MUST_CHECK enum err sqlite_write_last(struct sqlite_writer *w, sqlite_change_fn *change,
                                      void *argument);

/* ---- the readers (sqlite_readers.c) ---- */
struct sqlite_readers {
    const char *path;        /* fixed */
    int64_t busy_timeout_ms; /* fixed */
    size_t max;              /* fixed */
    pthread_mutex_t lock;    /* guards what follows */
    pthread_cond_t returned;
    size_t opened;             /* or being opened */
    size_t idle_count;         /* the last used is lent first, so that few stay warm */
    struct sqlite_conn **idle; /* room for `max` */
};
/* Opens the first one; others as they are needed. */
MUST_CHECK enum err sqlite_readers_init(struct sqlite_readers *r, const char *path,
                                        int64_t busy_timeout_ms, size_t max);
void sqlite_readers_done(struct sqlite_readers *r);

struct sqlite_reader {
    struct sqlite_readers *from;
    struct sqlite_conn *conn;
};
/* Waits for a connection; AUTO(sqlite_reader) gives it back. */
MUST_CHECK struct sqlite_reader sqlite_reader_take(struct sqlite_readers *r);
void sqlite_reader_auto(struct sqlite_reader *reader);

/* ---- the backend ---- */
struct sqlite_store {
    struct store base; /* first: the op tables are given this */
    char *path;        /* fixed */
    struct sqlite_writer writer;
    struct sqlite_readers readers;
};
static inline struct sqlite_store *sqlite_of(struct store *s)
{
    INVARIANT(s->backend == &store_sqlite_backend);
    return (struct sqlite_store *)s;
}

/* Two of the user operations (sqlite_attempts.c). */
MUST_CHECK enum err sqlite_user_attempt(struct store *s, struct uuid id, int64_t free_attempts,
                                        int64_t max_wait_ms, struct store_attempt *ret_attempt);
MUST_CHECK enum err sqlite_stranger_attempt(struct store *s,
                                            const uint8_t name[static STORE_STRANGER_BYTES],
                                            int64_t free_attempts, int64_t max_wait_ms,
                                            struct store_attempt *ret_attempt);

/* One record in the writer's transaction; a conflict has written nothing. */
MUST_CHECK enum err sqlite_user_insert(struct sqlite_conn *c, const struct store_user *user);
MUST_CHECK enum err sqlite_session_insert(struct sqlite_conn *c, const struct store_session *s);
#define SQLITE_SESSION_COLUMNS                                                                     \
    "id, user_id, epoch, master_key, counter, created_at, rotated_at, last_used_at,"               \
    " idle_expires_at, expires_at, revoked_at, ip, agent"
MUST_CHECK enum err sqlite_user_find(struct sqlite_conn *c, struct uuid id, struct arena *a,
                                     struct store_user *ret_user);
MUST_CHECK enum err sqlite_session_read(struct sqlite_query *q, struct arena *a, void *ret_row);

extern const struct store_user_ops sqlite_user_ops;
extern const struct store_session_ops sqlite_session_ops;
extern const struct store_revocation_ops sqlite_revocation_ops;
extern const struct store_key_ops sqlite_key_ops;
extern const struct store_upkeep_ops sqlite_upkeep_ops;
extern const struct store_bulk_ops sqlite_bulk_ops;

#endif

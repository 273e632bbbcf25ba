/* sqlite_writer.c - group commit: what waits is written in one transaction and synced once.
 *
 *   callers:  queue a job, sleep ............................ wake with the job's result
 *   writer:   take all | BEGIN | per job: SAVEPOINT, change, RELEASE or ROLLBACK TO | COMMIT | wake
 *                        (no savepoint for one statement that is the last: it undoes itself)
 *
 * While the writer syncs, the next group gathers, so that it needs no delay to be large. A change
 * that fails is undone alone; when the world fails (disk full, file locked) nothing of the group is
 * kept and all of it is told so, since an answer may rest on a change that is now undone. The queue
 * is bounded by the threads that call, each of which has at most one job in it. */
#include "sqlite.h"

#include <errno.h>

#define STACK_BYTES (256 * 1024)

struct sqlite_job {
    sqlite_change_fn *change;
    void *argument;
    bool writes_last; /* has nothing to be undone when it fails */
    enum err result;
    sem_t done;
    struct sqlite_job *next;
};

static const char sql_begin[] = "BEGIN IMMEDIATE";
static const char sql_commit[] = "COMMIT";
static const char sql_rollback[] = "ROLLBACK";
static const char sql_savepoint[] = "SAVEPOINT job";
static const char sql_release[] = "RELEASE job";
static const char sql_rollback_to[] = "ROLLBACK TO job";

static enum err control(struct sqlite_conn *c, const char *sql)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, sql, &q));
    return sqlite_run(&q, NULL);
}

/* Some failures (disk full, I/O) end SQLite's transaction on their own. */
static bool transaction_is_open(const struct sqlite_conn *c)
{
    return sqlite3_get_autocommit(c->db) == 0;
}

/* Gives an error only when the whole group must be undone. */
static enum err run_job(struct sqlite_writer *w, struct sqlite_job *job)
{
    if (!job->writes_last) {
        TRY(control(&w->conn, sql_savepoint));
    }
    job->result = job->change(&w->conn, clock_now_ms(w->clock), job->argument);
    if (job->result == ERR_UNAVAILABLE || !transaction_is_open(&w->conn)) {
        return ERR_UNAVAILABLE;
    }
    if (job->writes_last) {
        return ERR_OK;
    }
    if (job->result != ERR_OK) {
        TRY(control(&w->conn, sql_rollback_to));
    }
    return control(&w->conn, sql_release);
}

static enum err run_group(struct sqlite_writer *w, struct sqlite_job *first)
{
    TRY(control(&w->conn, sql_begin));
    size_t count = 0;
    for (struct sqlite_job *job = first; job != NULL; job = job->next) {
        TRY(run_job(w, job));
        count++;
    }
    TRY(control(&w->conn, sql_commit));
    metrics_observe(METRIC_STORE_BATCH, 0, (double)count);
    return ERR_OK;
}

/* The calls only know "unavailable"; the cause is known nowhere but here, and is worth one line
 * when it begins and one when it ends. On a full disk small writes may go on while large ones fail:
 * such a change of state is told now and then, not every time. */
static void note_state(struct sqlite_writer *w, bool failing, const char *cause)
{
    enum { PAUSE_US = 10 * 1000 * 1000 };
    int64_t now_us = clock_monotonic_us();
    bool is_too_soon = failing && w->failed_at_us != 0 && now_us - w->failed_at_us < PAUSE_US;
    if (w->failing == failing || is_too_soon) {
        return;
    }
    w->failing = failing;
    if (failing) {
        w->failed_at_us = now_us;
        log_event(LOG_ERROR, "store_failing", LOG_STR("cause", cause));
    } else {
        log_event(LOG_INFO, "store_recovered",
                  LOG_NUMBER("after_ms", (now_us - w->failed_at_us) / 1000));
    }
}

static void commit_group(struct sqlite_writer *w, struct sqlite_job *first)
{
    enum err e = run_group(w, first);
    note_state(w, e != ERR_OK, sqlite3_errmsg(w->conn.db));
    if (transaction_is_open(&w->conn)) {
        /* When even this fails, the next BEGIN does, and is answered in the same way. */
        (void)control(&w->conn, sql_rollback);
    }
    struct sqlite_job *next = NULL;
    for (struct sqlite_job *job = first; job != NULL; job = next) {
        next = job->next; /* once it is told, the job is gone with its caller's stack */
        if (e != ERR_OK) {
            job->result = ERR_UNAVAILABLE;
        }
        (void)sem_post(&job->done);
    }
}

/* All that waits; NULL when the writer is to end. */
static struct sqlite_job *take_group(struct sqlite_writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->stopping) {
        (void)pthread_cond_wait(&w->wake, &w->lock);
    }
    struct sqlite_job *first = w->first;
    w->first = NULL;
    w->last = NULL;
    (void)pthread_mutex_unlock(&w->lock);
    return first;
}

static void *writer_main(void *argument)
{
    struct sqlite_writer *w = argument;
    (void)pthread_setname_np(pthread_self(), "store-writer");
    struct sqlite_job *first = NULL;
    while ((first = take_group(w)) != NULL) {
        commit_group(w, first);
        sqlite_log_fold(&w->log, &w->conn, w->busy_timeout_ms);
    }
    return NULL;
}

enum err sqlite_writer_start(struct sqlite_writer *w, struct sqlite_conn *c,
                             const struct store_options *options)
{
    *w = (struct sqlite_writer){
        .conn = *c,
        .clock = options->clock,
        .busy_timeout_ms = options->busy_timeout_ms,
        .meanwhile = options->meanwhile,
    };
    *c = (struct sqlite_conn){ 0 };
    sqlite_log_watch(&w->log, &w->conn);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->wake, NULL);
    enum err e = thread_start(&w->thread, "store-writer", STACK_BYTES, writer_main, w);
    if (e != ERR_OK) {
        (void)pthread_cond_destroy(&w->wake);
        (void)pthread_mutex_destroy(&w->lock);
        sqlite_conn_close(&w->conn);
    }
    return e;
}

void sqlite_writer_stop(struct sqlite_writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    INVARIANT(w->first == NULL);
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    sqlite_conn_close(&w->conn);
}

static enum err write_job(struct sqlite_writer *w, struct sqlite_job job)
{
    (void)sem_init(&job.done, 0, 0);
    (void)pthread_mutex_lock(&w->lock);
    bool is_first = w->last == NULL;
    if (is_first) {
        w->first = &job;
    } else {
        w->last->next = &job;
    }
    w->last = &job;
    (void)pthread_mutex_unlock(&w->lock);
    if (is_first) {
        /* Not under the lock: the writer would only wait for it. */
        (void)pthread_cond_signal(&w->wake);
    }
    if (job.writes_last && w->meanwhile != NULL) {
        w->meanwhile();
    }
    while (sem_wait(&job.done) != 0) {
        INVARIANT(errno == EINTR);
    }
    (void)sem_destroy(&job.done);
    return job.result;
}

enum err sqlite_write(struct sqlite_writer *w, sqlite_change_fn *change, void *argument)
{
    return write_job(w, (struct sqlite_job){ .change = change, .argument = argument });
}

enum err sqlite_write_last(struct sqlite_writer *w, sqlite_change_fn *change, void *argument)
{
    return write_job(
        w, (struct sqlite_job){ .change = change, .argument = argument, .writes_last = true });
}

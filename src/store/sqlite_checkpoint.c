/* sqlite_checkpoint.c - keeps the write-ahead log short.
 *
 * SQLite's own automatic checkpoint runs inside COMMIT, where the callers wait for it, and it never
 * starts the log anew while reads overlap without a gap: then the log grows without end. So the
 * writer does it, after it has answered, and now and then waits for the readers of that moment. */
#include "sqlite.h"

#include <limits.h>

#define FOLD_PAGES    1000 /* 4 MB: worth copying into the file */
#define RESTART_PAGES 4000 /* 16 MB: worth a pause, so that the log starts anew */
#define PAUSE_MS      100  /* at most, for readers to finish */

static int note_pages(void *argument, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct sqlite_log *l = argument;
    l->pages = pages;
    return SQLITE_OK; /* anything else would fail a commit that is already durable */
}

void sqlite_log_watch(struct sqlite_log *l, struct sqlite_conn *c)
{
    *l = (struct sqlite_log){ .next_restart_pages = RESTART_PAGES };
    (void)sqlite3_wal_hook(c->db, note_pages, l);
}

/* A reader that stays, somebody's shell say, must not cost every commit the pause. */
static void restart(struct sqlite_log *l, struct sqlite_conn *c, int64_t busy_timeout_ms)
{
    (void)sqlite3_busy_timeout(c->db, PAUSE_MS);
    int code = sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    (void)sqlite3_busy_timeout(c->db, busy_timeout_ms > INT_MAX ? INT_MAX : (int)busy_timeout_ms);
    l->next_restart_pages = code == SQLITE_OK ? RESTART_PAGES : l->pages + FOLD_PAGES;
}

void sqlite_log_fold(struct sqlite_log *l, struct sqlite_conn *c, int64_t busy_timeout_ms)
{
    if (l->pages >= l->next_restart_pages) {
        restart(l, c, busy_timeout_ms);
    } else if (l->pages >= FOLD_PAGES) {
        /* When it fails, for want of space say, the log keeps everything and it is tried again. */
        (void)sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    bool is_anew = l->pages > 0 && l->pages < FOLD_PAGES;
    if (is_anew) {
        l->next_restart_pages = RESTART_PAGES; /* who stood in the way has gone */
    }
    l->pages = 0; /* until the next commit says */
}

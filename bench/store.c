/* store.c - the store on SQLite beside raw SQLite: a table of the same shape in a file of its own,
 * prepared statements, the same durability, no second thread. With --uri any other store, alone. */
#include "store.h"
#include "bench.h"
#include "measure.h"

#include <ftw.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SESSIONS       64 /* each user has one */
#define ARENA_BYTES    16384
#define PATH_BYTES     4096
#define TTL_MS         (INT64_C(14) * 24 * 3600 * 1000)
#define MAX_SESSIONS   1000000 /* none gives way */
#define HASH           "$2b$12$abcdefghijklmnopqrstuuJ9QhLqCWXhOjzNQfPvhRVbZr8tPNRk2"
#define RAW_PRAGMAS    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
#define RAW_ATTRIBUTES " STRICT, WITHOUT ROWID;"

static const char raw_schema[] =
    RAW_PRAGMAS "CREATE TABLE users (id BLOB PRIMARY KEY, name TEXT UNIQUE, email TEXT UNIQUE,"
                " hash TEXT, roles TEXT, disabled INT, epoch INT, keep BLOB, failures INT,"
                " not_before INT, created_at INT, updated_at INT)" RAW_ATTRIBUTES
                "CREATE TABLE sessions (id BLOB PRIMARY KEY, user_id BLOB, epoch INT, master TEXT,"
                " counter INT, created_at INT, rotated_at INT, used_at INT, idle_at INT,"
                " expires_at INT, revoked_at INT, ip TEXT, agent TEXT)" RAW_ATTRIBUTES
                "CREATE INDEX sessions_user ON sessions (user_id);"
                "CREATE INDEX sessions_idle ON sessions (idle_at)";
static const char raw_user_add[] =
    "INSERT INTO users VALUES (?1, ?2, NULL, ?3, '', 0, 0, x'', 0, 0,"
    " 1, 1)";
static const char raw_session_add[] =
    "INSERT INTO sessions VALUES (?1, ?2, 0, 'master-a', 1, 1, 1, 1, ?3, ?3, 0, '192.0.2.1',"
    " 'bench')";
static const char raw_user_get[] = "SELECT * FROM users WHERE name = ?1";
static const char raw_owner_get[] = "SELECT * FROM users WHERE id = ?1";
static const char raw_session_get[] = "SELECT * FROM sessions WHERE id = ?1";
static const char raw_rotate[] =
    "UPDATE sessions SET counter = counter + 1, rotated_at = ?3, used_at = ?3, idle_at = ?3 + 1,"
    " ip = '192.0.2.1', agent = 'bench' WHERE id = ?1 AND counter = ?2 AND master = 'master-a'"
    " AND revoked_at = 0 RETURNING *";

struct session {
    struct uuid id, user_id;
    int64_t counter, raw_counter;
    char name[48];
};
struct world {
    char directory[PATH_BYTES];
    struct store *store;
    struct arena arena;
    struct session sessions[SESSIONS];
    size_t next;
    int64_t now_ms;
    int64_t end_ns; /* of the batch under way */
    /* raw */
    sqlite3 *db;
    sqlite3_stmt *user_get, *owner_get, *session_get, *rotate, *user_add, *session_add;
};

/* ---- raw SQLite ---- */

static void raw_require(const struct world *w, bool condition)
{
    if (!condition) {
        complain("raw SQLite: %s", sqlite3_errmsg(w->db));
        exit(EXIT_REFUSED);
    }
}

static void raw_run(const struct world *w, const char *sql)
{
    raw_require(w, sqlite3_exec(w->db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static sqlite3_stmt *raw_prepare(const struct world *w, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    raw_require(w, sqlite3_prepare_v3(w->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                                      NULL) == SQLITE_OK);
    return statement;
}

static void raw_bind_id(sqlite3_stmt *statement, int index, const struct uuid *id)
{
    (void)sqlite3_bind_blob(statement, index, id, sizeof(*id), SQLITE_STATIC);
}

/* One row read, to its last column. */
static void raw_read(const struct world *w, sqlite3_stmt *statement)
{
    raw_require(w, sqlite3_step(statement) == SQLITE_ROW);
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        (void)sqlite3_column_text(statement, i);
    }
    (void)sqlite3_reset(statement);
}

static void raw_write(const struct world *w, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    raw_require(w, code == SQLITE_DONE ||
                       (code == SQLITE_ROW && sqlite3_step(statement) == SQLITE_DONE));
    raw_require(w, sqlite3_reset(statement) == SQLITE_OK);
}

static struct session *turn(struct world *w)
{
    return &w->sessions[w->next++ % SESSIONS];
}

static void raw_read_user(void *context)
{
    struct world *w = context;
    const struct session *s = turn(w);
    (void)sqlite3_bind_text(w->user_get, 1, s->name, -1, SQLITE_STATIC);
    raw_read(w, w->user_get);
}

static void raw_read_session(void *context)
{
    struct world *w = context;
    raw_bind_id(w->session_get, 1, &turn(w)->id);
    raw_read(w, w->session_get);
}

static void raw_refresh(void *context)
{
    struct world *w = context;
    struct session *s = turn(w);
    raw_bind_id(w->rotate, 1, &s->id);
    (void)sqlite3_bind_int64(w->rotate, 2, s->raw_counter);
    (void)sqlite3_bind_int64(w->rotate, 3, w->now_ms);
    raw_write(w, w->rotate);
    raw_require(w, sqlite3_changes(w->db) == 1);
    s->raw_counter++;
    raw_bind_id(w->owner_get, 1, &s->user_id);
    raw_read(w, w->owner_get);
}

static void raw_add_session(const struct world *w, const struct uuid *id, const struct uuid *user)
{
    raw_bind_id(w->session_add, 1, id);
    raw_bind_id(w->session_add, 2, user);
    (void)sqlite3_bind_int64(w->session_add, 3, w->now_ms + TTL_MS);
    raw_write(w, w->session_add);
}

static void raw_open_session(void *context)
{
    struct world *w = context;
    struct uuid id;
    measure_check(uuid_new(w->now_ms, &id), "no id");
    raw_add_session(w, &id, &turn(w)->user_id);
}

static void raw_open(struct world *w)
{
    char path[PATH_BYTES + 16];
    (void)snprintf(path, sizeof(path), "%s/raw.db", w->directory);
    raw_require(w, sqlite3_open(path, &w->db) == SQLITE_OK);
    raw_run(w, raw_schema);
    w->user_add = raw_prepare(w, raw_user_add);
    w->session_add = raw_prepare(w, raw_session_add);
    w->user_get = raw_prepare(w, raw_user_get);
    w->owner_get = raw_prepare(w, raw_owner_get);
    w->session_get = raw_prepare(w, raw_session_get);
    w->rotate = raw_prepare(w, raw_rotate);
    raw_run(w, "BEGIN");
    for (size_t i = 0; i < SESSIONS; i++) {
        struct session *s = &w->sessions[i];
        s->raw_counter = 1;
        raw_bind_id(w->user_add, 1, &s->user_id);
        (void)sqlite3_bind_text(w->user_add, 2, s->name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(w->user_add, 3, HASH, -1, SQLITE_STATIC);
        raw_write(w, w->user_add);
        raw_add_session(w, &s->id, &s->user_id);
    }
    raw_run(w, "COMMIT");
}

static void raw_close(struct world *w)
{
    sqlite3_stmt *statements[] = { w->user_get, w->owner_get, w->session_get,
                                   w->rotate,   w->user_add,  w->session_add };
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        (void)sqlite3_finalize(statements[i]);
    }
    (void)sqlite3_close(w->db);
}

/* ---- ours ---- */

static void read_user(void *context)
{
    struct world *w = context;
    struct store_user user;
    measure_check(store_user_by_username(w->store, span_of(turn(w)->name), &w->arena, &user),
                  "no user");
    arena_reset(&w->arena);
}

static void read_session(void *context)
{
    struct world *w = context;
    struct store_session session;
    measure_check(store_session_get(w->store, turn(w)->id, &w->arena, &session), "no session");
    arena_reset(&w->arena);
}

static void rotate(struct world *w, struct session *s, struct arena *a)
{
    const struct store_rotation rotation = { .id = s->id,
                                             .master_key = SPAN("master-a"),
                                             .counter = s->counter,
                                             .idle_ttl_ms = TTL_MS,
                                             .ip = SPAN("192.0.2.1"),
                                             .agent = SPAN("bench") };
    struct store_rotated after;
    measure_check(store_session_rotate(w->store, &rotation, a, &after), "refresh");
    measure_require(after.rotated, "a refresh was lost");
    s->counter++;
    arena_reset(a);
}

static void refresh(void *context)
{
    struct world *w = context;
    rotate(w, turn(w), &w->arena);
}

static void open_session_of(struct world *w, const struct session *s, struct uuid id)
{
    const struct store_session session = { .id = id,
                                           .user_id = s->user_id,
                                           .master_key = SPAN("master-a"),
                                           .counter = 1,
                                           .created_at = w->now_ms,
                                           .rotated_at = w->now_ms,
                                           .last_used_at = w->now_ms,
                                           .idle_expires_at = w->now_ms + TTL_MS,
                                           .expires_at = w->now_ms + TTL_MS,
                                           .ip = SPAN("192.0.2.1"),
                                           .agent = SPAN("bench") };
    measure_check(store_session_add(w->store, &session, MAX_SESSIONS, NULL), "no session");
}

static void open_session(void *context)
{
    struct world *w = context;
    struct uuid id;
    measure_check(uuid_new(w->now_ms, &id), "no id");
    open_session_of(w, turn(w), id);
}

/* ---- refreshes of many at once: the writer commits them together ---- */

struct worker {
    struct world *world;
    struct session *session;
    pthread_t thread;
    uint64_t count;
};

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    do {
        rotate(worker->world, worker->session, &a);
        worker->count++;
    } while (measure_elapsed_ns() < worker->world->end_ns);
    arena_done(&a);
    return NULL;
}

static void refresh_together(void *context, int64_t least_ns, struct measure_sample *ret_sample)
{
    struct world *w = context;
    struct worker workers[SESSIONS] = { 0 };
    struct measure_sample s = { .cpu_ns = -measure_cpu_ns(),
                                .elapsed_ns = -measure_elapsed_ns(),
                                .allocations = -measure_allocations() };
    w->end_ns = least_ns - s.elapsed_ns;
    for (size_t i = 0; i < SESSIONS; i++) {
        workers[i].world = w;
        workers[i].session = &w->sessions[i];
        measure_check(thread_start(&workers[i].thread, "bench", 0, worker_main, &workers[i]),
                      "no thread");
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        s.count += workers[i].count;
    }
    s.cpu_ns += measure_cpu_ns();
    s.elapsed_ns += measure_elapsed_ns();
    s.allocations += measure_allocations();
    *ret_sample = s;
}

/* ---- the world ---- */

static void fill(struct world *w)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        struct session *s = &w->sessions[i];
        (void)snprintf(s->name, sizeof(s->name), "bench-%lld-%zu", (long long)w->now_ms, i);
        measure_check(uuid_new(w->now_ms, &s->user_id), "no id");
        measure_check(uuid_new(w->now_ms, &s->id), "no id");
        const struct store_user user = { .id = s->user_id,
                                         .username = span_of(s->name),
                                         .password_hash = SPAN(HASH),
                                         .roles = SPAN(""),
                                         .created_at = w->now_ms,
                                         .updated_at = w->now_ms };
        measure_check(store_user_add(w->store, &user), "no user");
        open_session_of(w, s, s->id);
        s->counter = 1;
    }
}

/* NULL: SQLite, and raw SQLite beside it. */
static void open_world(struct world *w, const char *parent, const char *other)
{
    static const struct clock real = { 0 };
    char uri[PATH_BYTES + 32];
    struct span why = SPAN_NONE;
    *w = (struct world){ .now_ms = clock_now_ms(&real) };
    int length = snprintf(w->directory, sizeof(w->directory), "%s/doorward-bench-XXXXXX", parent);
    if (length < 0 || (size_t)length >= sizeof(w->directory) || mkdtemp(w->directory) == NULL) {
        complain("store: nothing can be made in %s", parent);
        exit(EXIT_REFUSED);
    }
    arena_init(&w->arena, ARENA_BYTES);
    (void)snprintf(uri, sizeof(uri), "sqlite:%s/ours.db", w->directory);
    const struct store_options options = {
        .uri = span_of(other != NULL ? other : uri),
        .clock = &real,
        .readers = 4,
        .busy_timeout_ms = 5000,
        .pool = SESSIONS,
        .pool_wait_ms = 5000,
        .selection_timeout_ms = 2000,
        .socket_timeout_ms = 5000,
    };
    if (store_open(&options, &w->arena, &why, &w->store) != ERR_OK) {
        complain("store: %.*s", SPAN_FMT(why));
        (void)rmdir(w->directory);
        exit(EXIT_REFUSED);
    }
    fill(w);
    if (other == NULL) {
        raw_open(w);
    }
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static void close_world(struct world *w)
{
    store_close(w->store);
    raw_close(w);
    arena_done(&w->arena);
    (void)nftw(w->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int store_main(int argc, char **argv)
{
    const char *directory = "/var/tmp"; /* a disk, where /tmp may be memory */
    const char *uri = NULL;
    const struct measure_option own[] = {
        { .name = "directory", .ret_text = &directory },
        { .name = "uri", .ret_text = &uri },
        { 0 },
    };
    struct measure_plan plan = { .rounds = 9, .least_ns = 60000000 };
    struct measure m;
    struct world w;
    int code = measure_options(argc, argv, own, &plan);
    if (code != EXIT_GOOD) {
        return code;
    }
    const struct {
        const char *name;
        struct measure_side sides[2];
    } cases[] = {
        { "read a user",
          { { "Doorward", &w, read_user, NULL }, { "raw SQLite", &w, raw_read_user, NULL } } },
        { "read a session",
          { { "Doorward", &w, read_session, NULL },
            { "raw SQLite", &w, raw_read_session, NULL } } },
        { "refresh",
          { { "Doorward", &w, refresh, NULL }, { "raw SQLite", &w, raw_refresh, NULL } } },
        { "refresh, 64 at once",
          { { "Doorward", &w, NULL, refresh_together },
            { "raw SQLite, one by one", &w, raw_refresh, NULL } } },
        { "open a session",
          { { "Doorward", &w, open_session, NULL },
            { "raw SQLite", &w, raw_open_session, NULL } } },
    };
    open_world(&w, directory, uri);
    measure_begin(&m, argv[0], &plan);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        measure_case(&m, cases[i].name, cases[i].sides, uri != NULL ? 1 : 2);
    }
    close_world(&w);
    return measure_end(&m);
}

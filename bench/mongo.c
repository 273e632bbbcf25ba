/* mongo.c - refreshes through the store on MongoDB, beside a bare libmongoc loop that does the same
 * write and the same read on records of the same shape, on the same server, by turns.
 *
 * usage: bench-mongo URI THREADS ROUNDS MS
 * Prints a line of JSON for each side of each round, and one of memory and threads. */
#include "store.h"

#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_THREADS  64
#define ARENA_BYTES  16384
#define MOST_URI     4096
#define TTL_MS       (INT64_C(14) * 24 * 3600 * 1000)
#define MAX_SESSIONS 1000
#define GUARANTEES   "w=majority&journal=true&readConcernLevel=majority&retryWrites=true"

struct worker {
    struct uuid sessions[2], user; /* one session of each side's */
    int64_t counters[2];
    int64_t end_us;
    uint64_t count;
    bool is_bare;
    pthread_t thread;
};

static struct store *store;
static mongoc_client_pool_t *pool;
static const char *database;
static struct worker workers[MAX_THREADS];
static unsigned threads;

static void require(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "bench-mongo: %s\n", what);
        exit(1);
    }
}

static int64_t now_ms(void)
{
    static const struct clock real = { 0 };
    return clock_now_ms(&real);
}

/* ---- ours ---- */
static void refresh(struct worker *w, struct arena *a)
{
    const struct store_rotation rotation = { .id = w->sessions[0],
                                             .master_key = SPAN("key1"),
                                             .counter = w->counters[0]++,
                                             .idle_ttl_ms = TTL_MS,
                                             .ip = SPAN("192.0.2.1"),
                                             .agent = SPAN("bench") };
    struct store_rotated after;
    require(store_session_rotate(store, &rotation, a, &after) == ERR_OK && after.rotated,
            "a refresh failed");
    arena_reset(a);
}

/* ---- bare ---- */
static void write_bare(struct worker *w, mongoc_collection_t *sessions)
{
    bson_error_t error;
    bson_t reply;
    struct uuid mark;
    require(secret_random(mark.bytes, sizeof(mark.bytes)) == ERR_OK, "no random bytes");
    bson_t *filter = BCON_NEW("_id", BCON_BIN(BSON_SUBTYPE_UUID, w->sessions[1].bytes, UUID_BYTES),
                              "counter", BCON_INT64(w->counters[1]++), "master_key",
                              BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"key1", 4),
                              "revoked_at", BCON_NULL);
    bson_t *update =
        BCON_NEW("$inc", "{", "counter", BCON_INT64(1), "}", "$set", "{", "idle_expires_at",
                 BCON_DATE_TIME(now_ms() + TTL_MS), "ip", "192.0.2.1", "agent", "bench", "write",
                 BCON_BIN(BSON_SUBTYPE_UUID, mark.bytes, UUID_BYTES), "}", "$currentDate", "{",
                 "rotated_at", BCON_BOOL(true), "last_used_at", BCON_BOOL(true), "}");
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_update(options, update);
    (void)mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_RETURN_NEW);
    require(mongoc_collection_find_and_modify_with_opts(sessions, filter, options, &reply, &error),
            "a bare write failed");
    mongoc_find_and_modify_opts_destroy(options);
    bson_destroy(&reply);
    bson_destroy(filter);
    bson_destroy(update);
}

static void read_bare(const struct worker *w, mongoc_collection_t *users)
{
    const bson_t *doc = NULL;
    bson_t *filter = BCON_NEW("_id", BCON_BIN(BSON_SUBTYPE_UUID, w->user.bytes, UUID_BYTES));
    bson_t *options = BCON_NEW("limit", BCON_INT64(1), "singleBatch", BCON_BOOL(true));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(users, filter, options, NULL);
    require(mongoc_cursor_next(cursor, &doc), "a bare read failed");
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    bson_destroy(options);
}

static void refresh_bare(struct worker *w)
{
    mongoc_client_t *client = mongoc_client_pool_pop(pool);
    mongoc_collection_t *sessions = mongoc_client_get_collection(client, database, "sessions");
    mongoc_collection_t *users = mongoc_client_get_collection(client, database, "users");
    write_bare(w, sessions);
    read_bare(w, users);
    mongoc_collection_destroy(sessions);
    mongoc_collection_destroy(users);
    mongoc_client_pool_push(pool, client);
}

/* ---- rounds ---- */
static void *work(void *argument)
{
    struct worker *w = argument;
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    while (clock_monotonic_us() < w->end_us) {
        if (w->is_bare) {
            refresh_bare(w);
        } else {
            refresh(w, &a);
        }
        w->count++;
    }
    arena_done(&a);
    return NULL;
}

static int64_t cpu_us(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

static void run_side(bool is_bare, int64_t ms)
{
    int64_t start_us = clock_monotonic_us();
    int64_t start_cpu_us = cpu_us();
    uint64_t count = 0;
    for (unsigned i = 0; i < threads; i++) {
        workers[i].is_bare = is_bare;
        workers[i].count = 0;
        workers[i].end_us = start_us + ms * 1000;
        require(thread_start(&workers[i].thread, "bench", 0, work, &workers[i]) == ERR_OK,
                "no thread");
    }
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        count += workers[i].count;
    }
    printf("{\"side\":\"%s\",\"count\":%llu,\"elapsed_us\":%lld,\"cpu_us\":%lld}\n",
           is_bare ? "bare" : "ours", (unsigned long long)count,
           (long long)(clock_monotonic_us() - start_us), (long long)(cpu_us() - start_cpu_us));
}

/* ---- the world ---- */
/* Of /proc/self/status, in its own unit. */
static long long status_of(const char *name)
{
    char line[256];
    long long value = 0;
    FILE *f = fopen("/proc/self/status", "r");
    require(f != NULL, "no /proc");
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtoll(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(f);
    return value;
}

static void fill(struct worker *w)
{
    int64_t now = now_ms();
    struct store_user user = { .password_hash = SPAN("$2b$12$x"),
                               .roles = SPAN("reader"),
                               .created_at = now,
                               .updated_at = now };
    require(uuid_new(now, &user.id) == ERR_OK, "no id");
    w->user = user.id;
    require(store_user_add(store, &user) == ERR_OK, "no user");
    for (size_t i = 0; i < 2; i++) {
        require(uuid_new(now, &w->sessions[i]) == ERR_OK, "no id");
        struct store_session session = { .id = w->sessions[i],
                                         .user_id = user.id,
                                         .master_key = SPAN("key1"),
                                         .created_at = now,
                                         .rotated_at = now,
                                         .last_used_at = now,
                                         .idle_expires_at = now + TTL_MS,
                                         .expires_at = now + 2 * TTL_MS };
        require(store_session_add(store, &session, MAX_SESSIONS, NULL) == ERR_OK, "no session");
    }
}

static void open_bare(const char *uri)
{
    char text[MOST_URI];
    int length =
        snprintf(text, sizeof(text), "%s%s" GUARANTEES, uri, strchr(uri, '?') != NULL ? "&" : "?");
    require(length > 0 && length < MOST_URI, "the URI is too long");
    mongoc_uri_t *parsed = mongoc_uri_new(text);
    require(parsed != NULL && mongoc_uri_get_database(parsed) != NULL, "the URI names no database");
    pool = mongoc_client_pool_new(parsed);
    database = mongoc_uri_get_database(parsed); /* lives as long as this program */
}

static void open_ours(const char *uri)
{
    static const struct clock real = { 0 };
    struct arena a;
    struct span why = SPAN_NONE;
    struct store_options options = { .uri = span_of(uri),
                                     .clock = &real,
                                     .pool = MAX_THREADS,
                                     .pool_wait_ms = 1000,
                                     .selection_timeout_ms = 2000,
                                     .socket_timeout_ms = 5000 };
    arena_init(&a, ARENA_BYTES);
    if (store_open(&options, &a, &why, &store) != ERR_OK) {
        (void)fprintf(stderr, "bench-mongo: %.*s\n", SPAN_FMT(why));
        exit(1);
    }
    arena_done(&a);
}

int main(int argc, char **argv)
{
    require(argc == 5, "usage: bench-mongo URI THREADS ROUNDS MS");
    threads = (unsigned)strtoul(argv[2], NULL, 10);
    require(threads >= 1 && threads <= MAX_THREADS, "1 to 64 threads");
    long long alone_kb = status_of("VmRSS:");
    long long alone_threads = status_of("Threads:");
    int64_t start_us = clock_monotonic_us();
    open_ours(argv[1]);
    long long open_us = clock_monotonic_us() - start_us;
    printf("{\"open_us\":%lld,\"driver_kb\":%lld,\"driver_threads\":%lld}\n", open_us,
           status_of("VmRSS:") - alone_kb, status_of("Threads:") - alone_threads);
    mongoc_init();
    open_bare(argv[1]);
    for (unsigned i = 0; i < threads; i++) {
        fill(&workers[i]);
    }
    long rounds = strtol(argv[3], NULL, 10);
    long ms = strtol(argv[4], NULL, 10);
    for (long i = 0; i < 2 * rounds; i++) {
        run_side((i + i / 2) % 2 == 1, ms); /* ours, bare, bare, ours, ... */
    }
    mongoc_client_pool_destroy(pool);
    store_close(store);
    return 0;
}

/* backend_mongo.c - the MongoDB backend, on the server that MONGODB_URI leads to, in a database of
 * this run's own that is dropped at its end.
 *
 * The server's clock decides and cannot be moved. Time passes by making every date in the database
 * older, which to the store is the same. */
#include "contract.h"

#include <mongoc/mongoc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MAX_URI 4096

static mongoc_client_t *client; /* of the tests' own, for what the store does not offer */
static char database[64];
static char uri[MAX_URI];

static const char *const collections[] = { "users",     "sessions",   "revocations", "keys",
                                           "strangers", "heartbeats", "meta" };
#define COLLECTIONS (sizeof(collections) / sizeof(collections[0]))

/* ---- the server ---- */
static const char *why_not(void)
{
    const char *given = getenv("MONGODB_URI");
    return given == NULL || given[0] == '\0'
               ? "MONGODB_URI names no server; ./dev test contract starts one"
               : NULL;
}

/* MONGODB_URI with the run's database in the place of its own. */
static void make_uri(const char *given)
{
    const char *scheme_end = strstr(given, "://");
    CHECK(scheme_end != NULL);
    size_t hosts = (size_t)(scheme_end - given) + 3 + strcspn(scheme_end + 3, "/?");
    const char *options = strchr(given, '?');
    (void)snprintf(database, sizeof(database), "doorward_contract_%d_%lld", (int)getpid(),
                   (long long)time(NULL));
    int length = snprintf(uri, sizeof(uri), "%.*s/%s%s", (int)hosts, given, database,
                          options != NULL ? options : "");
    CHECK(length > 0 && length < MAX_URI);
}

static void connect_once(void)
{
    if (client == NULL) {
        make_uri(getenv("MONGODB_URI"));
        mongoc_init();
        client = mongoc_client_new(uri);
        CHECK(client != NULL);
    }
}

static void run_command(bson_t *command, bson_t *ret_reply)
{
    bson_error_t error = { 0 };
    if (!mongoc_client_command_simple(client, database, command, NULL, ret_reply, &error)) {
        print_error("%s\n", error.message);
        fail();
    }
    bson_destroy(command);
}

static int64_t now_ms(void)
{
    bson_t reply;
    bson_iter_t at;
    run_command(BCON_NEW("hello", BCON_INT32(1)), &reply);
    CHECK(bson_iter_init_find(&at, &reply, "localTime") && BSON_ITER_HOLDS_DATE_TIME(&at));
    int64_t now = bson_iter_date_time(&at);
    bson_destroy(&reply);
    return now;
}

/* ---- passing time ---- */
static const char *const dates[] = { "created_at", "updated_at",      "deleted_at", "not_before",
                                     "rotated_at", "idle_expires_at", "expires_at", "last_used_at",
                                     "revoked_at", "active_at",       "retired_at" };

static bson_t *new_aging(int64_t ms)
{
    bson_t set = BSON_INITIALIZER;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "$%s", dates[i]);
        /* What is not there stays null, which is read as absent. */
        BCON_APPEND(&set, dates[i], "{", "$toDate", "{", "$subtract", "[", "{", "$toLong",
                    BCON_UTF8(path), "}", BCON_INT64(ms), "]", "}", "}");
    }
    bson_t *pipeline = BCON_NEW("0", "{", "$set", BCON_DOCUMENT(&set), "}");
    bson_destroy(&set);
    return pipeline;
}

static void make_older(int64_t ms)
{
    bson_t *aging = new_aging(ms);
    bson_t all = BSON_INITIALIZER;
    bson_error_t error = { 0 };
    for (size_t i = 0; i < COLLECTIONS; i++) {
        mongoc_collection_t *c = mongoc_client_get_collection(client, database, collections[i]);
        if (!mongoc_collection_update_many(c, &all, aging, NULL, NULL, &error)) {
            print_error("%s\n", error.message);
            fail();
        }
        mongoc_collection_destroy(c);
    }
    bson_destroy(aging);
}

/* ---- stores ---- */
static enum err try_open_within(int64_t ms, const char *text, struct arena *a, struct span *ret_why,
                                struct store **ret_store)
{
    struct store_options options = { .uri = span_of(text),
                                     .clock = &contract_clock,
                                     .pool = 32,
                                     .pool_wait_ms = ms,
                                     .selection_timeout_ms = ms,
                                     .socket_timeout_ms = ms };
    return store_open(&options, a, ret_why, ret_store);
}

static enum err try_open(const char *text, struct arena *a, struct span *ret_why,
                         struct store **ret_store)
{
    return try_open_within(5000, text, a, ret_why, ret_store);
}

static struct store *open_again(const struct clock *clock)
{
    (void)clock;
    struct span why = SPAN_NONE;
    struct store *s = NULL;
    CONTRACT_ARENA(a);
    enum err e = try_open(uri, &a, &why, &s);
    if (e != ERR_OK) {
        print_error("%.*s\n", SPAN_FMT(why));
    }
    CHECK_ERR(e, ERR_OK);
    return s;
}

static void drop(void)
{
    bson_t reply;
    run_command(BCON_NEW("dropDatabase", BCON_INT32(1)), &reply);
    bson_destroy(&reply);
}

/* Emptied rather than dropped, which would take longer than the tests; but for users, whose names
 * some server may keep taken. */
static struct store *open_empty(const struct clock *clock)
{
    bson_t all = BSON_INITIALIZER;
    connect_once();
    for (size_t i = 0; i < COLLECTIONS; i++) {
        mongoc_collection_t *c = mongoc_client_get_collection(client, database, collections[i]);
        if (strcmp(collections[i], "users") == 0) {
            (void)mongoc_collection_drop(c, NULL); /* an error where there is none */
        } else if (strcmp(collections[i], "meta") != 0) {
            CHECK(mongoc_collection_delete_many(c, &all, NULL, NULL, NULL));
        }
        mongoc_collection_destroy(c);
    }
    return open_again(clock);
}

static void clean(void)
{
    if (client != NULL) {
        drop();
        mongoc_client_destroy(client);
    }
}

/* SecantusDB 0.5.3 keeps the key of a unique index when an update takes it away. */
static bool frees_names(void)
{
    bson_t reply;
    mongoc_collection_t *c = mongoc_client_get_collection(client, database, "probe");
    run_command(BCON_NEW("createIndexes", "probe", "indexes", "[", "{", "key", "{", "name",
                         BCON_INT32(1), "}", "name", "name", "unique", BCON_BOOL(true), "}", "]"),
                &reply);
    bson_destroy(&reply);
    bson_t *first = BCON_NEW("_id", BCON_INT32(1), "name", "ann");
    bson_t *second = BCON_NEW("_id", BCON_INT32(2), "name", "ann");
    bson_t *by_id = BCON_NEW("_id", BCON_INT32(1));
    bson_t *rename = BCON_NEW("$set", "{", "name", "bob", "}");
    CHECK(mongoc_collection_insert_one(c, first, NULL, NULL, NULL));
    CHECK(mongoc_collection_update_one(c, by_id, rename, NULL, NULL, NULL));
    bool frees = mongoc_collection_insert_one(c, second, NULL, NULL, NULL);
    if (!frees) {
        print_message("this server keeps a unique value taken that its record gave up\n");
    }
    CHECK(mongoc_collection_drop(c, NULL));
    bson_destroy(first);
    bson_destroy(second);
    bson_destroy(by_id);
    bson_destroy(rename);
    mongoc_collection_destroy(c);
    return frees;
}

/* ---- what only this backend has ---- */
static bool says(struct span why, const char *part)
{
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= why.length; i++) {
        if (memcmp(why.data + i, part, length) == 0) {
            return true;
        }
    }
    print_error("\"%.*s\" does not say \"%s\"\n", SPAN_FMT(why), part);
    return false;
}

static void check_refused(const char *text, enum err expected, const char *part)
{
    CONTRACT_ARENA(a);
    struct span why = SPAN_NONE;
    struct store *s = NULL;
    CHECK_ERR(try_open(text, &a, &why, &s), expected);
    CHECK(says(why, part));
}

static mongoc_collection_t *collection(const char *name)
{
    return mongoc_client_get_collection(client, database, name);
}

static int64_t ttl_of(const char *collection_name, const char *index)
{
    const bson_t *doc = NULL;
    bson_iter_t field;
    int64_t seconds = -1;
    mongoc_collection_t *c = collection(collection_name);
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(c, NULL);
    while (mongoc_cursor_next(cursor, &doc)) {
        if (bson_iter_init_find(&field, doc, "name") &&
            strcmp(bson_iter_utf8(&field, NULL), index) == 0 &&
            bson_iter_init_find(&field, doc, "expireAfterSeconds")) {
            seconds = bson_iter_as_int64(&field);
        }
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(c);
    return seconds;
}

TEST(the_server_is_told_when_to_sweep_what)
{
    connect_once();
    drop();
    store_close(contract_open_again());
    CHECK_INT(ttl_of("sessions", "expired"), 24 * 3600);
    CHECK_INT(ttl_of("revocations", "expired"), 24 * 3600);
    CHECK_INT(ttl_of("users", "deleted"), 30 * 24 * 3600);
    CHECK_INT(ttl_of("heartbeats", "expired"), 24 * 3600);
    CHECK_INT(ttl_of("strangers", "expired"), -1);
    CHECK_INT(ttl_of("keys", "expired"), -1);
}

static void open_and_close(void *argument, size_t index)
{
    atomic_int *opened = argument;
    (void)index;
    struct span why = SPAN_NONE;
    struct store *s = NULL;
    struct arena a;
    arena_init(&a, 64 * 1024);
    if (try_open(uri, &a, &why, &s) == ERR_OK) {
        atomic_fetch_add(opened, 1);
    }
    store_close(s);
    arena_done(&a);
}

TEST(many_that_start_at_once_on_an_empty_server_all_come_up)
{
    atomic_int opened = 0;
    connect_once();
    drop();
    contract_race(8, open_and_close, &opened);
    CHECK_INT(opened, 8);
}

TEST(a_database_of_a_newer_schema_is_refused_and_left_alone)
{
    store_close(contract_open_empty());
    mongoc_collection_t *meta = collection("meta");
    bson_t *filter = BCON_NEW("_id", "schema");
    bson_t *newer = BCON_NEW("$set", "{", "version", BCON_INT64(99), "}");
    CHECK(mongoc_collection_update_one(meta, filter, newer, NULL, NULL, NULL));
    check_refused(uri, ERR_IO, "schema 99 of a newer Doorward");
    drop();
    bson_destroy(filter);
    bson_destroy(newer);
    mongoc_collection_destroy(meta);
}

TEST(an_index_that_old_duplicates_are_in_the_way_of_is_named_with_one_of_them)
{
    connect_once();
    drop();
    mongoc_collection_t *users = collection("users");
    for (uint64_t i = 1; i <= 2; i++) {
        struct uuid id = contract_id(i);
        bson_t *doc = BCON_NEW("_id", BCON_BIN(BSON_SUBTYPE_UUID, id.bytes, UUID_BYTES), "email",
                               "ann@example.org");
        CHECK(mongoc_collection_insert_one(users, doc, NULL, NULL, NULL));
        bson_destroy(doc);
    }
    check_refused(uri, ERR_IO, "the index \"email\" on users cannot be made");
    check_refused(uri, ERR_IO, "UUID(\"019a0000-0000-7000-8000-00000000000");
    mongoc_collection_destroy(users);
    drop();
}

TEST(a_uri_that_says_otherwise_is_refused_by_name)
{
    static const struct {
        const char *options, *part;
    } cases[] = {
        { "readPreference=secondary", "readPreference other than primary" },
        { "w=1", "w other than majority" },
        { "W=majority&journal=false", "journal other than true" },
        { "readConcernLevel=local", "readConcernLevel other than majority" },
        { "retryWrites=false", "retryWrites other than true" },
        { "maxPoolSize=5", "set MONGO_POOL" },
        { "socketTimeoutMS=5", "set MONGO_SOCKET_TIMEOUT_MS" },
        { "serverselectiontimeoutms=5", "set MONGO_SELECTION_TIMEOUT_MS" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "mongodb://127.0.0.1:1/x?%s", cases[i].options);
        check_refused(text, ERR_CONFIG, cases[i].part);
    }
}

/* ---- watching ---- */
static bool offers_streams(void)
{
    mongoc_collection_t *c = mongoc_client_get_collection(client, database, "revocations");
    bson_t *options = BCON_NEW("maxAwaitTimeMS", BCON_INT64(1));
    bson_t pipeline = BSON_INITIALIZER;
    mongoc_change_stream_t *stream = mongoc_collection_watch(c, &pipeline, options);
    const bson_t *doc = NULL;
    bool offers = mongoc_change_stream_next(stream, &doc) ||
                  !mongoc_change_stream_error_document(stream, NULL, &doc);
    mongoc_change_stream_destroy(stream);
    mongoc_collection_destroy(c);
    bson_destroy(options);
    return offers;
}

static void count_put(void *argument)
{
    atomic_int *told = argument;
    atomic_fetch_add(told, 1);
}

static void wait_for_more(atomic_int *told, int than)
{
    const struct timespec moment = { .tv_nsec = 5000000 };
    int64_t end_us = clock_monotonic_us() + INT64_C(20000000);
    while (atomic_load(told) <= than && clock_monotonic_us() < end_us) {
        (void)nanosleep(&moment, NULL);
    }
    CHECK(atomic_load(told) > than);
}

TEST(who_watches_is_told_of_the_puts_of_others_where_the_server_has_change_streams)
{
    store_close(contract_open_empty());
    if (!offers_streams()) {
        skip(); /* leaves at once: nothing is open */
    }
    AUTO(store) struct store *other = contract_open_again();
    struct store *s = contract_open_again();
    atomic_int told = 0;
    struct store_revocation revocation = { .id = contract_id(1),
                                           .expires_at = CONTRACT_START_MS + 100000 };
    store_revocation_watch(s, count_put, &told);
    wait_for_more(&told, 0); /* it is open */
    for (uint64_t i = 1; i <= 3; i++) {
        int before = atomic_load(&told);
        revocation.id = contract_id(i);
        CHECK_ERR(store_revocation_put(other, &revocation), ERR_OK);
        wait_for_more(&told, before);
    }
    store_revocation_watch(s, NULL, NULL);
    int last = atomic_load(&told);
    revocation.id = contract_id(4);
    CHECK_ERR(store_revocation_put(other, &revocation), ERR_OK);
    store_close(s); /* waits for the thread */
    CHECK_INT(atomic_load(&told), last);
}

TEST(no_message_repeats_the_credentials)
{
    static const char *const uris[] = {
        "mongodb://ann:hunter2@",           "mongodb://ann:hunter2@127.0.0.1:notaport/",
        "mongodb://ann:hun%ter2@127.0.0.1", "mongodb://ann:hunter2@127.0.0.1/?tls=perhaps",
        "mongodb://ann:hunter2@a b/",       "mongodb://ann:hunter2@h/?w=hunter2",
    };
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        CONTRACT_ARENA(a);
        struct span why = SPAN_NONE;
        struct store *s = NULL;
        CHECK(try_open_within(300, uris[i], &a, &why, &s) != ERR_OK);
        CHECK(why.length > 0);
        for (size_t at = 0; at + 3 <= why.length; at++) {
            CHECK(memcmp(why.data + at, "hun", 3) != 0);
        }
    }
}

TEST(where_nobody_answers_one_line_says_so)
{
    CONTRACT_ARENA(a);
    struct span why = SPAN_NONE;
    struct store *s = NULL;
    CHECK_ERR(try_open_within(300, "mongodb://127.0.0.1:1/", &a, &why, &s), ERR_IO);
    CHECK(says(why, "could not read the database"));
    CHECK(says(why, "127.0.0.1:1"));
    CHECK_INT(span_find(why, '\n'), why.length);
}

CONTRACT_GROUP(
    own, cmocka_unit_test(the_server_is_told_when_to_sweep_what),
    cmocka_unit_test(many_that_start_at_once_on_an_empty_server_all_come_up),
    cmocka_unit_test(a_database_of_a_newer_schema_is_refused_and_left_alone),
    cmocka_unit_test(an_index_that_old_duplicates_are_in_the_way_of_is_named_with_one_of_them),
    cmocka_unit_test(a_uri_that_says_otherwise_is_refused_by_name),
    cmocka_unit_test(who_watches_is_told_of_the_puts_of_others_where_the_server_has_change_streams),
    cmocka_unit_test(no_message_repeats_the_credentials),
    cmocka_unit_test(where_nobody_answers_one_line_says_so));

const struct contract_backend contract_backend = {
    .name = "mongo",
    .open_empty = open_empty,
    .open_again = open_again,
    .clean = clean,
    .why_not = why_not,
    .now_ms = now_ms,
    .make_older = make_older,
    .server_sweeps = true,
    .evicts_later = true,
    .frees_names = frees_names,
    .own = &own,
};

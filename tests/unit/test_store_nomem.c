/* test_store_nomem.c - memory that runs out in the store, ours and SQLite's, at every moment.
 *
 * One scenario calls everything. Whatever fails in it fails with an error that is made for that,
 * and what was acknowledged all the same is there when memory is back. */
#include "check.h"
#include "failing_malloc.h"
#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/doorward-nomem-XXXXXX";
static char uri[sizeof(directory) + 32];
static struct clock now_clock = { .frozen_ms = INT64_C(1790000000000) };
static const struct uuid id = { .bytes = { 1 } };

/* ---- SQLite's memory ---- */
static sqlite3_mem_methods real_methods;
static _Atomic int sqlite_left;
static _Atomic bool sqlite_failed;

static bool sqlite_fails(void)
{
    if (atomic_fetch_sub(&sqlite_left, 1) != 1) {
        return false;
    }
    atomic_store(&sqlite_failed, true);
    return true;
}

static void *failing_malloc(int size)
{
    return sqlite_fails() ? NULL : real_methods.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
    return sqlite_fails() ? NULL : real_methods.xRealloc(old, size);
}

static void fail_sqlite(int n)
{
    atomic_store(&sqlite_failed, false);
    atomic_store(&sqlite_left, n);
}

/* ---- the scenario ---- */
struct outcome {
    bool opened, user, session, rotated, revocation, key;
};

static void remove_files(void)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < 3; i++) {
        char name[sizeof(uri) + 8];
        (void)snprintf(name, sizeof(name), "%s%s", uri + strlen("sqlite:"), suffixes[i]);
        (void)unlink(name);
    }
}

static enum err open_store(struct arena *a, struct store **ret_store)
{
    struct store_options options = {
        .uri = span_of(uri), .clock = &now_clock, .readers = 2, .busy_timeout_ms = 100
    };
    struct span why = SPAN_NONE;
    return store_open(&options, a, &why, ret_store);
}

/* Whether the call succeeded; a failure must be one of those for the world. */
static bool succeeded(enum err e)
{
    if (e != ERR_OK && e != ERR_NOMEM && e != ERR_UNAVAILABLE && e != ERR_NOT_FOUND) {
        print_error("ERR_%s is no answer to a lack of memory\n", err_name(e));
        CHECK(false);
    }
    return e == ERR_OK;
}

static void read_all(struct store *s, struct arena *a)
{
    struct store_user user = { 0 };
    struct store_user *users = NULL;
    struct store_session *sessions = NULL;
    struct store_revocation *revocations = NULL;
    struct store_key *keys = NULL;
    size_t count = 0;
    (void)succeeded(store_user_by_username(s, SPAN("ann"), a, &user));
    (void)succeeded(store_user_list(s, (struct uuid){ 0 }, 10, a, &users, &count));
    (void)succeeded(store_session_list(s, id, 10, a, &sessions, &count));
    (void)succeeded(store_revocation_since(s, 0, 10, a, &revocations, &count));
    (void)succeeded(store_key_list(s, a, &keys, &count));
}

static void change_all(struct store *s, struct arena *a, struct outcome *o)
{
    struct store_user user = { .id = id, .username = SPAN("ann"), .password_hash = SPAN("x") };
    int64_t expiry = now_clock.frozen_ms + 1000;
    struct store_session session = {
        .id = id, .user_id = id, .idle_expires_at = expiry, .expires_at = expiry
    };
    struct store_rotation rotation = { .id = id, .idle_ttl_ms = 100 };
    struct store_revocation revocation = { .id = id, .expires_at = expiry };
    struct store_key key = { .kid = SPAN("k"), .algorithm = SPAN("ES256") };
    struct store_user_change change = { .reset_failures = true };
    int64_t number = 0;
    bool rotated = false;
    o->user = succeeded(store_user_add(s, &user));
    (void)succeeded(store_user_attempt(s, id, 5, 1000, &number));
    (void)succeeded(store_user_change(s, id, &change, &number));
    o->session = succeeded(store_session_add(s, &session, 10));
    o->rotated = succeeded(store_session_rotate(s, &rotation, a, &rotated, &session, &number));
    o->revocation = succeeded(store_revocation_put(s, &revocation));
    o->key = succeeded(store_key_add_first(s, &key));
    (void)succeeded(store_heartbeat(s));
    (void)succeeded(store_sweep(s, 10, &rotated));
}

static struct outcome run_scenario(void)
{
    struct outcome o = { 0 };
    struct arena a;
    arena_init(&a, 256 * 1024);
    struct store *s = NULL;
    enum err e = open_store(&a, &s);
    CHECK(e == ERR_OK || e == ERR_IO || e == ERR_NOMEM);
    o.opened = e == ERR_OK;
    if (o.opened) {
        change_all(s, &a, &o);
        read_all(s, &a);
        store_close(s);
    }
    arena_done(&a);
    return o;
}

static void check_kept(const struct outcome *o)
{
    struct arena a;
    arena_init(&a, 256 * 1024);
    struct store *s = NULL;
    struct store_user user = { 0 };
    struct store_session session = { 0 };
    struct store_revocation *revocations = NULL;
    struct store_key *keys = NULL;
    size_t count = 0;
    CHECK_ERR(open_store(&a, &s), ERR_OK);
    CHECK(!o->user || store_user_by_id(s, id, &a, &user) == ERR_OK);
    CHECK(!o->session || store_session_get(s, id, &a, &session) == ERR_OK);
    CHECK(!o->rotated || session.counter == 1);
    CHECK_ERR(store_revocation_since(s, 0, 10, &a, &revocations, &count), ERR_OK);
    CHECK(!o->revocation || count == 1);
    CHECK_ERR(store_key_list(s, &a, &keys, &count), ERR_OK);
    CHECK(!o->key || count == 1);
    store_close(s);
    arena_done(&a);
}

TEST(without_a_failure_the_scenario_succeeds_in_everything)
{
    remove_files();
    struct outcome o = run_scenario();
    CHECK(o.opened && o.user && o.session && o.rotated && o.revocation && o.key);
    check_kept(&o);
}

TEST(whichever_of_our_allocations_fails_nothing_acknowledged_is_lost)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        remove_files();
        fail_allocation(n);
        struct outcome o = run_scenario();
        failed = allocation_failed();
        fail_allocation(0);
        check_kept(&o);
    }
}

TEST(whichever_of_sqlites_allocations_fails_nothing_acknowledged_is_lost)
{
    bool failed = true;
    /* The first ones each, then a sample: there are thousands. */
    for (int n = 1; failed; n += n < 60 ? 1 : 29) {
        remove_files();
        fail_sqlite(n);
        struct outcome o = run_scenario();
        failed = atomic_load(&sqlite_failed);
        fail_sqlite(0);
        check_kept(&o);
    }
}

int main(void)
{
    if (mkdtemp(directory) == NULL || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_methods) != 0) {
        return 1;
    }
    (void)snprintf(uri, sizeof(uri), "sqlite:%s/db", directory);
    sqlite3_mem_methods methods = real_methods;
    methods.xMalloc = failing_malloc;
    methods.xRealloc = failing_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_failure_the_scenario_succeeds_in_everything),
        cmocka_unit_test(whichever_of_our_allocations_fails_nothing_acknowledged_is_lost),
        cmocka_unit_test(whichever_of_sqlites_allocations_fails_nothing_acknowledged_is_lost),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_files();
    (void)rmdir(directory);
    return failed;
}

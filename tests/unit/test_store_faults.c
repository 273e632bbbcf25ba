/* test_store_faults.c - memory that runs out in the store, ours and SQLite's, and a disk that
 * fails, at every moment.
 *
 * One scenario calls everything. Whatever fails in it fails with an error that is made for that,
 * and what was acknowledged all the same is there when the fault is over. */
#include "check.h"
#include "failing_malloc.h"
#include "store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static char directory[] = "/tmp/doorward-faults-XXXXXX";
static char uri[sizeof(directory) + 32];
static struct clock now_clock = { .frozen_ms = INT64_C(1790000000000) };
static const struct uuid id = { .bytes = { 1 } };

/* ---- SQLite's memory ---- */
struct fault {
    _Atomic int left; /* 1: the next call fails; 0 and below: none does */
    _Atomic bool failed;
};

static void arm(struct fault *f, int n)
{
    atomic_store(&f->failed, false);
    atomic_store(&f->left, n);
}

static bool strikes(struct fault *f)
{
    if (atomic_fetch_sub(&f->left, 1) != 1) {
        return false;
    }
    atomic_store(&f->failed, true);
    errno = EIO;
    return true;
}

static struct fault memory;
static sqlite3_mem_methods real_methods;

static void *failing_malloc(int size)
{
    return strikes(&memory) ? NULL : real_methods.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
    return strikes(&memory) ? NULL : real_methods.xRealloc(old, size);
}

/* ---- SQLite's disk ---- */
static struct fault disk;
static _Atomic int sync_count;

/* These stand before the C library's, for SQLite too. */
int fdatasync(int fd)
{
    atomic_fetch_add(&sync_count, 1);
    return strikes(&disk) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    atomic_fetch_add(&sync_count, 1);
    return strikes(&disk) ? -1 : (int)syscall(SYS_fsync, fd);
}

static int failing_open(const char *path, int flags, int mode)
{
    return strikes(&disk) ? -1 : open(path, flags, (mode_t)mode);
}

static ssize_t failing_read(int fd, void *to, size_t length)
{
    return strikes(&disk) ? -1 : read(fd, to, length);
}

static ssize_t failing_pread(int fd, void *to, size_t length, off_t at)
{
    return strikes(&disk) ? -1 : pread(fd, to, length, at);
}

static ssize_t failing_write(int fd, const void *from, size_t length)
{
    return strikes(&disk) ? -1 : write(fd, from, length);
}

/* Half of it is written, as a disk does that dies. */
static ssize_t failing_pwrite(int fd, const void *from, size_t length, off_t at)
{
    if (!strikes(&disk)) {
        return pwrite(fd, from, length, at);
    }
    (void)!pwrite(fd, from, length / 2, at);
    errno = EIO;
    return -1;
}

static int failing_ftruncate(int fd, off_t length)
{
    return strikes(&disk) ? -1 : ftruncate(fd, length);
}

static void *failing_mmap(void *at, size_t length, int rights, int flags, int fd, off_t from)
{
    return strikes(&disk) ? MAP_FAILED : mmap(at, length, rights, flags, fd, from);
}

static void take_over_system_calls(void)
{
    static const struct {
        const char *name;
        sqlite3_syscall_ptr function;
    } calls[] = {
        { "open", (sqlite3_syscall_ptr)failing_open },
        { "read", (sqlite3_syscall_ptr)failing_read },
        { "pread", (sqlite3_syscall_ptr)failing_pread },
        { "pread64", (sqlite3_syscall_ptr)failing_pread },
        { "write", (sqlite3_syscall_ptr)failing_write },
        { "pwrite", (sqlite3_syscall_ptr)failing_pwrite },
        { "pwrite64", (sqlite3_syscall_ptr)failing_pwrite },
        { "ftruncate", (sqlite3_syscall_ptr)failing_ftruncate },
        { "mmap", (sqlite3_syscall_ptr)failing_mmap },
    };
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        /* One that this build of SQLite does not use is not found, and not needed. */
        (void)vfs->xSetSystemCall(vfs, calls[i].name, calls[i].function);
    }
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

/* Whether the call succeeded; a failure must be one of those for the world. A page that cannot be
 * read is, for SQLite, a damaged one. */
static bool succeeded(enum err e)
{
    bool is_damage = e == ERR_INTERNAL && atomic_load(&disk.failed);
    if (e != ERR_OK && e != ERR_NOMEM && e != ERR_UNAVAILABLE && e != ERR_NOT_FOUND && !is_damage) {
        print_error("ERR_%s is no answer to such a fault\n", err_name(e));
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
    struct store_key key = { .kid = SPAN("k"), .algorithm = SPAN("ES256"), .generation = 1 };
    struct store_user_change change = { .reset_failures = true };
    struct store_attempt attempt = { 0 };
    int64_t number = 0;
    struct store_rotated rotated = { 0 };
    bool more = false;
    o->user = succeeded(store_user_add(s, &user));
    (void)succeeded(store_user_attempt(s, id, 5, 1000, &attempt));
    (void)succeeded(store_stranger_attempt(s, id.bytes, 5, 1000, &attempt));
    (void)succeeded(store_user_change(s, id, &change, &number));
    session.attempt = attempt.number;
    o->session = succeeded(store_session_add(s, &session, 10, NULL));
    o->rotated = succeeded(store_session_rotate(s, &rotation, a, &rotated));
    o->revocation = succeeded(store_revocation_put(s, &revocation));
    o->key = succeeded(store_key_add(s, &key));
    (void)succeeded(store_key_retire(s, key.kid));
    (void)succeeded(store_heartbeat(s));
    (void)succeeded(store_sweep(s, 10, &more));
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
    for (int n = 1; failed; n += n < 60 ? 1 : 61) {
        remove_files();
        arm(&memory, n);
        struct outcome o = run_scenario();
        failed = atomic_load(&memory.failed);
        arm(&memory, 0);
        check_kept(&o);
    }
}

TEST(whichever_call_to_the_disk_fails_nothing_acknowledged_is_lost)
{
    bool failed = true;
    int n = 1;
    for (; failed; n += n < 60 ? 1 : 3) {
        remove_files();
        arm(&disk, n);
        struct outcome o = run_scenario();
        failed = atomic_load(&disk.failed);
        arm(&disk, 0);
        check_kept(&o);
    }
    CHECK(n > 100);
}

TEST(what_is_acknowledged_was_synced)
{
    struct arena a;
    arena_init(&a, 64 * 1024);
    struct store *s = NULL;
    remove_files();
    CHECK_ERR(open_store(&a, &s), ERR_OK);
    for (int i = 0; i < 10; i++) {
        int before = atomic_load(&sync_count);
        CHECK_ERR(store_heartbeat(s), ERR_OK);
        CHECK(atomic_load(&sync_count) > before);
    }
    store_close(s);
    arena_done(&a);
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
    take_over_system_calls();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_failure_the_scenario_succeeds_in_everything),
        cmocka_unit_test(whichever_of_our_allocations_fails_nothing_acknowledged_is_lost),
        cmocka_unit_test(whichever_of_sqlites_allocations_fails_nothing_acknowledged_is_lost),
        cmocka_unit_test(whichever_call_to_the_disk_fails_nothing_acknowledged_is_lost),
        cmocka_unit_test(what_is_acknowledged_was_synced),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_files();
    (void)rmdir(directory);
    return failed;
}

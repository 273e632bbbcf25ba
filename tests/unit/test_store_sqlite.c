/* test_store_sqlite.c - what is SQLite's own: the file, its refusals, migrations, group commit. */
#include "check.h"
#include "store.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a world: a directory of its own, a clock, an arena ---- */
#define ROOM 160
struct world {
    char directory[ROOM];
    char path[ROOM + 16];
    char why[512];
    struct clock clock;
    struct arena arena;
};

static void open_world(struct world *w)
{
    *w = (struct world){ .directory = "/tmp/doorward-sqlite-XXXXXX" };
    CHECK(mkdtemp(w->directory) != NULL);
    (void)snprintf(w->path, sizeof(w->path), "%s/db", w->directory);
    arena_init(&w->arena, 1024 * 1024);
}

static void close_world(struct world *w)
{
    char command[ROOM + 32];
    arena_done(&w->arena);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", w->directory);
    CHECK(system(command) == 0);
}

static enum err open_uri(struct world *w, const char *uri, struct store **ret_store)
{
    struct store_options options = {
        .uri = span_of(uri), .clock = &w->clock, .readers = 3, .busy_timeout_ms = 50
    };
    struct arena a;
    arena_init(&a, 64 * 1024);
    struct span why = SPAN_NONE;
    enum err e = store_open(&options, &a, &why, ret_store);
    (void)snprintf(w->why, sizeof(w->why), "%.*s", SPAN_FMT(why));
    arena_done(&a);
    return e;
}

static enum err open_path(struct world *w, struct store **ret_store)
{
    char uri[ROOM + 32];
    (void)snprintf(uri, sizeof(uri), "sqlite:%s", w->path);
    return open_uri(w, uri, ret_store);
}

static struct store *open_good(struct world *w)
{
    struct store *s = NULL;
    enum err e = open_path(w, &s);
    if (e != ERR_OK) {
        print_error("%s\n", w->why);
    }
    CHECK_ERR(e, ERR_OK);
    return s;
}

/* The open is refused with one line that has `text` in it. */
static void check_refused(struct world *w, const char *text)
{
    struct store *s = NULL;
    CHECK_ERR(open_path(w, &s), ERR_IO);
    CHECK(s == NULL);
    if (strstr(w->why, text) == NULL || strchr(w->why, '\n') != NULL) {
        print_error("\"%s\" does not say \"%s\"\n", w->why, text);
        CHECK(false);
    }
}

/* Something that is not Doorward works on the file. */
static sqlite3 *raw_open(const struct world *w)
{
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(w->path, &db), SQLITE_OK);
    return db;
}

static void raw_exec(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
        print_error("%s: %s\n", sql, error);
        CHECK(false);
    }
}

static void raw(const struct world *w, const char *sql)
{
    sqlite3 *db = raw_open(w);
    raw_exec(db, sql);
    CHECK_INT(sqlite3_close(db), SQLITE_OK);
}

static struct uuid id_of(uint32_t number)
{
    struct uuid id = { .bytes = { 0x01, 0x9a, [6] = 0x70, [8] = 0x80 } };
    for (size_t i = 0; i < 4; i++) {
        id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
    }
    return id;
}

static enum err add_user(struct store *s, uint32_t number, struct span password_hash)
{
    struct store_user user = { .id = id_of(number), .password_hash = password_hash };
    return store_user_add(s, &user);
}

static enum err find_user(struct store *s, uint32_t number)
{
    struct arena a;
    arena_init(&a, 64 * 1024);
    struct store_user user = { 0 };
    enum err e = store_user_by_id(s, id_of(number), &a, &user);
    arena_done(&a);
    return e;
}

/* ---- the file ---- */
static void check_mode(const char *path, mode_t expected)
{
    struct stat st = { 0 };
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 07777, expected);
}

static void check_file_mode(const struct world *w, const char *suffix)
{
    char name[ROOM + 32];
    (void)snprintf(name, sizeof(name), "%s%s", w->path, suffix);
    check_mode(name, 0600);
}

TEST(the_file_its_logs_and_its_directory_are_made_private)
{
    struct world w;
    open_world(&w);
    char directory[ROOM + 16];
    (void)snprintf(directory, sizeof(directory), "%s/var", w.directory);
    (void)snprintf(w.path, sizeof(w.path), "%s/var/db", w.directory);
    mode_t before = umask(0);
    struct store *s = open_good(&w);
    CHECK_ERR(store_heartbeat(s), ERR_OK);
    check_mode(directory, 0700);
    check_file_mode(&w, "");
    check_file_mode(&w, "-wal");
    check_file_mode(&w, "-shm");
    (void)umask(before);
    store_close(s);
    close_world(&w);
}

TEST(a_file_that_others_may_read_is_made_private)
{
    struct world w;
    open_world(&w);
    store_close(open_good(&w));
    CHECK_INT(chmod(w.path, 0664), 0);
    store_close(open_good(&w));
    check_file_mode(&w, "");
    close_world(&w);
}

TEST(a_bad_uri_is_a_setting_that_is_not_acceptable)
{
    struct world w;
    open_world(&w);
    static const char *const uris[] = { "",        "sqlite",    "sqlite:", "postgres://x",
                                        "./db.db", "mysql:./x", "SQLITE:x" };
    struct store *s = NULL;
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        CHECK_ERR(open_uri(&w, uris[i], &s), ERR_CONFIG);
        CHECK(strstr(w.why, "sqlite:") != NULL);
    }
    CHECK_ERR(open_uri(&w, "sqlite:/tmp/", &s), ERR_CONFIG);
    char longest[8192];
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "sqlite:", 7);
    longest[sizeof(longest) - 1] = '\0';
    CHECK_ERR(open_uri(&w, longest, &s), ERR_CONFIG);
    CHECK(s == NULL);
    close_world(&w);
}

TEST(a_path_is_only_a_path_whatever_it_looks_like)
{
    struct world w;
    open_world(&w);
    char before[4096];
    CHECK(getcwd(before, sizeof(before)) != NULL);
    CHECK_INT(chdir(w.directory), 0);
    static const char *const names[] = { ":memory:", "file:x?mode=memory" };
    for (size_t i = 0; i < 2; i++) {
        char uri[64];
        (void)snprintf(uri, sizeof(uri), "sqlite:%s", names[i]);
        struct store *s = NULL;
        CHECK_ERR(open_uri(&w, uri, &s), ERR_OK);
        store_close(s);
        check_mode(names[i], 0600);
    }
    CHECK_INT(chdir(before), 0);
    close_world(&w);
}

TEST(a_directory_that_cannot_be_is_refused_in_one_line)
{
    struct world w;
    open_world(&w);
    (void)snprintf(w.path, sizeof(w.path), "%s/a/b/db", w.directory);
    check_refused(&w, "make it first");
    (void)snprintf(w.path, sizeof(w.path), "%s/file/db", w.directory);
    char file[ROOM + 16];
    (void)snprintf(file, sizeof(file), "%s/file", w.directory);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, "this is certainly not a database at all", 39), 39);
    (void)close(fd);
    check_refused(&w, "is not a directory");
    (void)snprintf(w.path, sizeof(w.path), "%s/file", w.directory);
    check_refused(&w, "is not a database");
    (void)snprintf(w.path, sizeof(w.path), "/dev/null");
    check_refused(&w, "is not a regular file");
    (void)snprintf(w.path, sizeof(w.path), "%s/db", w.directory);
    CHECK_INT(chmod(w.directory, 0777), 0);
    check_refused(&w, "writable for everybody");
    CHECK_INT(chmod(w.directory, 0700), 0);
    close_world(&w);
}

/* Runs in a child without privileges, because nothing is forbidden to root. */
static bool refused_without_rights(struct world *w, const char *text)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(2);
        }
        struct store *s = NULL;
        enum err e = open_path(w, &s);
        _exit(e == ERR_IO && strstr(w->why, text) != NULL ? 0 : 1);
    }
    int status = 0;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

TEST(what_this_user_may_not_write_is_refused_in_one_line)
{
    struct world w;
    open_world(&w);
    store_close(open_good(&w));
    if (geteuid() == 0) {
        CHECK_INT(chown(w.directory, 65534, 65534), 0);
        CHECK_INT(chown(w.path, 65534, 65534), 0);
    }
    CHECK_INT(chmod(w.path, 0400), 0);
    CHECK(refused_without_rights(&w, "is not readable and writable for this user"));
    CHECK_INT(chmod(w.directory, 0500), 0);
    CHECK(refused_without_rights(&w, "is not writable for this user"));
    CHECK_INT(chmod(w.directory, 0700), 0);
    close_world(&w);
}

TEST(the_file_of_another_program_or_of_a_newer_doorward_is_left_alone)
{
    struct world w;
    open_world(&w);
    raw(&w, "CREATE TABLE notes (text)");
    check_refused(&w, "belongs to another program");
    CHECK_INT(unlink(w.path), 0);
    store_close(open_good(&w));
    raw(&w, "PRAGMA user_version = 1000");
    check_refused(&w, "was made by a newer Doorward: schema 1000, this program knows up to 6");
    close_world(&w);
}

TEST(a_locked_file_is_refused_at_the_start_in_one_line)
{
    struct world w;
    open_world(&w);
    sqlite3 *other = raw_open(&w);
    raw_exec(other, "BEGIN EXCLUSIVE");
    check_refused(&w, "is locked by another process");
    raw_exec(other, "COMMIT");
    store_close(open_good(&w));
    CHECK_INT(sqlite3_close(other), SQLITE_OK);
    close_world(&w);
}

TEST(several_processes_start_together_on_a_new_file)
{
    struct world w;
    open_world(&w);
    pid_t children[4];
    for (size_t i = 0; i < 4; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            struct store_options options = { .clock = &w.clock, .busy_timeout_ms = 10000 };
            struct span why = SPAN_NONE;
            struct store *s = NULL;
            char uri[ROOM + 32];
            (void)snprintf(uri, sizeof(uri), "sqlite:%s", w.path);
            options.uri = span_of(uri);
            bool good =
                store_open(&options, &w.arena, &why, &s) == ERR_OK && store_heartbeat(s) == ERR_OK;
            store_close(good ? s : NULL);
            _exit(good ? 0 : 1);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        int status = -1;
        CHECK(waitpid(children[i], &status, 0) == children[i]);
        CHECK_INT(status, 0);
    }
    close_world(&w);
}

/* ---- bad days while it runs ---- */
TEST(while_another_process_holds_the_file_writes_are_unavailable_and_reads_go_on)
{
    struct world w;
    open_world(&w);
    struct store *s = open_good(&w);
    CHECK_ERR(add_user(s, 1, SPAN("x")), ERR_OK);
    sqlite3 *other = raw_open(&w);
    raw_exec(other, "BEGIN IMMEDIATE");
    CHECK_ERR(store_heartbeat(s), ERR_UNAVAILABLE);
    CHECK_ERR(add_user(s, 2, SPAN("x")), ERR_UNAVAILABLE);
    CHECK_ERR(find_user(s, 1), ERR_OK);
    raw_exec(other, "COMMIT");
    CHECK_ERR(find_user(s, 2), ERR_NOT_FOUND);
    CHECK_ERR(store_heartbeat(s), ERR_OK);
    CHECK_ERR(add_user(s, 2, SPAN("x")), ERR_OK);
    CHECK_INT(sqlite3_close(other), SQLITE_OK);
    store_close(s);
    close_world(&w);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit = { 0 };
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Adds users until no more fit; gives how many were acknowledged. */
static uint32_t fill(struct store *s, uint32_t from)
{
    char hash[2000];
    memset(hash, 'h', sizeof(hash));
    struct span password_hash = { .data = hash, .length = sizeof(hash) };
    uint32_t number = from;
    enum err e = ERR_OK;
    while ((e = add_user(s, number, password_hash)) == ERR_OK && number < 5000) {
        number++;
    }
    CHECK_ERR(e, ERR_UNAVAILABLE);
    return number;
}

TEST(with_the_disk_full_nothing_is_acknowledged_falsely_and_it_recovers_by_itself)
{
    struct world w;
    open_world(&w);
    struct store *s = open_good(&w);
    (void)signal(SIGXFSZ, SIG_IGN);
    uint32_t end = 0;
    for (rlim_t kib = 200; kib <= 400; kib += 100) {
        limit_file_size(kib * 1024);
        end = fill(s, end);
        CHECK_ERR(find_user(s, end), ERR_NOT_FOUND);
        CHECK_ERR(add_user(s, 0, SPAN("x")), ERR_CONFLICT); /* true all the same */
        limit_file_size(RLIM_INFINITY);
        CHECK_ERR(store_heartbeat(s), ERR_OK);
        CHECK_ERR(add_user(s, 0, SPAN("x")), ERR_CONFLICT);
    }
    for (uint32_t i = 0; i < end; i++) {
        CHECK_ERR(find_user(s, i), ERR_OK);
    }
    store_close(s);
    s = open_good(&w);
    CHECK_ERR(find_user(s, end - 1), ERR_OK);
    CHECK_ERR(find_user(s, end), ERR_NOT_FOUND);
    store_close(s);
    close_world(&w);
}

TEST(a_row_made_by_hand_is_an_error_and_no_crash)
{
    struct world w;
    open_world(&w);
    struct store *s = open_good(&w);
    for (uint32_t i = 1; i <= 3; i++) {
        CHECK_ERR(add_user(s, i, SPAN("x")), ERR_OK);
    }
    raw(&w, "PRAGMA ignore_check_constraints = ON;"
            "UPDATE users SET epoch_keep = x'01' WHERE id = x'019a0000000070008000000000000001';"
            "INSERT INTO users SELECT x'ff', username, username_key, email, password_hash, roles,"
            " disabled, session_epoch, epoch_keep, failures, not_before, created_at, updated_at,"
            " deleted_at FROM users WHERE id = x'019a0000000070008000000000000002';"
            "INSERT INTO revocations VALUES (1, x'', 0, 0, x'', 1);"
            "INSERT INTO keys VALUES ('k', 'ES256', 0, 0, 0, 0, '', x'')");
    struct store_user *users = NULL;
    struct store_revocation *revocations = NULL;
    struct store_key *keys = NULL;
    size_t count = 0;
    CHECK_ERR(find_user(s, 1), ERR_INTERNAL);
    CHECK_ERR(find_user(s, 2), ERR_OK);
    CHECK_ERR(store_user_list(s, id_of(2), 9, &w.arena, &users, &count), ERR_INTERNAL);
    CHECK_ERR(store_revocation_since(s, 0, 9, &w.arena, &revocations, &count), ERR_INTERNAL);
    CHECK_ERR(store_key_list(s, &w.arena, &keys, &count), ERR_INTERNAL);
    store_close(s);
    close_world(&w);
}

TEST(a_table_made_by_hand_is_an_error_for_its_calls_and_no_crash)
{
    struct world w;
    open_world(&w);
    struct store *s = open_good(&w);
    CHECK_ERR(add_user(s, 1, SPAN("x")), ERR_OK);
    raw(&w, "DROP TABLE sessions; DROP TABLE users;"
            "CREATE TABLE users (id, username, username_key, email, password_hash, roles, disabled,"
            " session_epoch, epoch_keep, failures, not_before, created_at, updated_at, deleted_at);"
            "INSERT INTO users (id, deleted_at) VALUES (x'019a0000000070008000000000000001', 0);"
            "INSERT INTO users VALUES (x'019a0000000070008000000000000002', 1, 2, 3, x'00', 5.5,"
            " 'text', 'text', 9, 'x', 'y', x'01', NULL, 0)");
    struct store_session session = { .id = id_of(1) };
    struct store_user_change change = { .raise_epoch = 1 };
    int64_t epoch = 77;
    CHECK_ERR(find_user(s, 1), ERR_INTERNAL);
    CHECK_ERR(find_user(s, 2), ERR_INTERNAL);
    CHECK_ERR(store_user_change(s, id_of(1), &change, &epoch), ERR_INTERNAL);
    CHECK_INT(epoch, 77);
    CHECK_ERR(store_session_add(s, &session, 5, NULL), ERR_INTERNAL);
    CHECK_ERR(store_session_get(s, id_of(1), &w.arena, &session), ERR_INTERNAL);
    CHECK_ERR(store_heartbeat(s), ERR_OK);
    store_close(s);
    close_world(&w);
}

/* ---- migrations ---- */
static void load_schema(const struct world *w, int schema)
{
    static char sql[32 * 1024];
    char path[ROOM];
    (void)snprintf(path, sizeof(path), TEST_DATA_DIR "/schema-%d.sql", schema);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    size_t length = fread(sql, 1, sizeof(sql) - 1, file);
    (void)fclose(file);
    sql[length] = '\0';
    raw(w, sql);
}

static void check_migrated(struct world *w, struct span ip)
{
    struct store *s = open_good(w);
    struct store_user ann = { 0 };
    CHECK_ERR(store_user_by_username(s, SPAN("ANN"), &w->arena, &ann), ERR_OK);
    CHECK_SPAN(ann.password_hash, "$2b$12$ann");
    CHECK_INT(ann.session_epoch, 3);
    struct store_session session = { 0 };
    CHECK_ERR(store_session_get(s, id_of(0x11), &w->arena, &session), ERR_OK);
    CHECK_INT(session.counter, 7);
    CHECK(span_equal(session.ip, ip));
    struct store_revocation *list = NULL;
    size_t count = 0;
    CHECK_ERR(store_revocation_since(s, 0, 5000, &w->arena, &list, &count), ERR_OK);
    CHECK(count >= 2);
    CHECK(list[0].sequence > 0 && list[1].sequence > list[0].sequence);
    CHECK(uuid_equal(list[0].id, ann.id) && list[0].is_user);
    CHECK_INT(list[0].epoch, 3);
    struct store_key *keys = NULL;
    CHECK_ERR(store_key_list(s, &w->arena, &keys, &count), ERR_OK);
    CHECK_INT(count, 1);
    CHECK_INT(keys[0].generation, 1);
    CHECK_INT(keys[0].active_at, INT64_C(1780000000000));
    CHECK_INT(keys[0].retired_at, 0);
    CHECK_ERR(store_session_revoke(s, id_of(0x11)), ERR_OK);
    struct store_attempt attempt;
    CHECK_ERR(store_stranger_attempt(s, (const uint8_t[STORE_STRANGER_BYTES]){ 1 }, 5, 1, &attempt),
              ERR_OK);
    store_close(s);
}

TEST(a_file_of_the_first_schema_migrates_with_all_that_is_in_it)
{
    struct world w;
    open_world(&w);
    load_schema(&w, 1);
    check_migrated(&w, SPAN(""));
    check_migrated(&w, SPAN(""));
    close_world(&w);
}

TEST(a_file_of_the_third_schema_migrates_with_all_that_is_in_it)
{
    struct world w;
    open_world(&w);
    load_schema(&w, 3);
    check_migrated(&w, SPAN("192.0.2.7"));
    check_migrated(&w, SPAN("192.0.2.7"));
    close_world(&w);
}

/* A process of a version that knows no sweep_at goes on with a file that a newer one has migrated:
 * its sessions have the column's default. */
TEST(sessions_that_an_older_version_writes_beside_a_newer_one_are_not_swept_while_they_live)
{
    struct world w;
    open_world(&w);
    struct store *s = open_good(&w);
    const struct store_session session = { .id = id_of(0x11),
                                           .user_id = id_of(1),
                                           .idle_expires_at = INT64_C(4102444800000),
                                           .expires_at = INT64_C(4102444800000) };
    bool more = false;
    CHECK_ERR(store_session_add(s, &session, 9, NULL), ERR_OK);
    raw(&w, "UPDATE sessions SET sweep_at = 0");
    CHECK_ERR(store_sweep(s, 9, &more), ERR_OK);
    struct store_session found = { 0 };
    CHECK_ERR(store_session_get(s, session.id, &w.arena, &found), ERR_OK);
    raw(&w, "UPDATE sessions SET idle_expires_at = 1");
    CHECK_ERR(store_sweep(s, 9, &more), ERR_OK);
    CHECK_ERR(store_session_get(s, session.id, &w.arena, &found), ERR_NOT_FOUND);
    store_close(s);
    close_world(&w);
}

TEST(a_migrated_file_has_the_tables_of_a_new_one)
{
    static const char tables[] =
        "SELECT group_concat(name || ' ' || (SELECT group_concat(name || type || \"notnull\")"
        " FROM pragma_table_info(s.name)), ';') FROM (SELECT name FROM sqlite_schema"
        " WHERE type IN ('table', 'index') ORDER BY name) AS s";
    static const int from[] = { 0, 1, 3 }; /* 0: a new file */
    char found[3][4096];
    for (int i = 0; i < 3; i++) {
        struct world w;
        open_world(&w);
        if (from[i] > 0) {
            load_schema(&w, from[i]);
        }
        store_close(open_good(&w));
        sqlite3 *db = raw_open(&w);
        sqlite3_stmt *statement = NULL;
        CHECK_INT(sqlite3_prepare_v2(db, tables, -1, &statement, NULL), SQLITE_OK);
        CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
        (void)snprintf(found[i], sizeof(found[i]), "%s", sqlite3_column_text(statement, 0));
        (void)sqlite3_finalize(statement);
        CHECK_INT(sqlite3_close(db), SQLITE_OK);
        close_world(&w);
    }
    CHECK(strstr(found[0], "sequence") != NULL);
    assert_string_equal(found[0], found[1]);
    assert_string_equal(found[0], found[2]);
}

TEST(a_migration_that_is_killed_half_way_is_made_again)
{
    enum { ROUNDS = 12 };
    for (int round = 0; round < ROUNDS; round++) {
        struct world w;
        open_world(&w);
        load_schema(&w, 1);
        raw(&w, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                "INSERT INTO revocations SELECT CAST(x'ff' || randomblob(15) AS BLOB), 0, 0, "
                "zeroblob(16),"
                " 1999999999999 FROM n");
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            struct store *s = NULL;
            _exit(open_path(&w, &s) == ERR_OK ? 0 : 1);
        }
        /* Not a wait for something to happen: the moment of the kill is what is varied. */
        struct timespec moment = { .tv_nsec = round * 1500 * 1000L };
        (void)nanosleep(&moment, NULL);
        (void)kill(pid, SIGKILL);
        CHECK(waitpid(pid, NULL, 0) == pid);
        check_migrated(&w, SPAN(""));
        close_world(&w);
    }
}

/* ---- group commit ---- */
#define SESSIONS  64
#define ROTATIONS 5

struct refresher {
    struct store *store;
    uint32_t number;
    int rotated;
    enum err last;
};

static void *refresh(void *argument)
{
    struct refresher *r = argument;
    for (int64_t i = 0; i < ROTATIONS; i++) {
        struct store_rotation rotation = { .id = id_of(r->number),
                                           .counter = i,
                                           .idle_ttl_ms = 1000 };
        struct store_rotated rotated = { 0 };
        struct arena a;
        arena_init(&a, 16 * 1024);
        enum err e = store_session_rotate(r->store, &rotation, &a, &rotated);
        r->rotated += e == ERR_OK && rotated.rotated ? 1 : 0;
        arena_done(&a);
    }
    return NULL;
}

/* The value of a metric's line. */
static uint64_t metric(const char *name)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    metrics_render(&text);
    buf_add_char(&text, '\0');
    CHECK_ERR(buf_result(&text), ERR_OK);
    char line[128];
    (void)snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(text.data, line);
    uint64_t value = at != NULL ? (uint64_t)strtod(at + strlen(line), NULL) : 0;
    buf_done(&text);
    return value;
}

TEST(refreshes_of_many_threads_are_committed_in_groups)
{
    struct world w;
    open_world(&w);
    struct store *s = open_good(&w);
    struct refresher refreshers[SESSIONS];
    pthread_t threads[SESSIONS];
    int64_t expiry = clock_now_ms(&w.clock) + 3600 * 1000;
    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct store_session session = { .id = id_of(i),
                                         .idle_expires_at = expiry,
                                         .expires_at = expiry };
        CHECK_ERR(store_session_add(s, &session, 1000, NULL), ERR_OK);
        refreshers[i] = (struct refresher){ .store = s, .number = i };
    }
    uint64_t commits = metric("doorward_store_batch_writes_count");
    uint64_t writes = metric("doorward_store_batch_writes_sum");
    for (size_t i = 0; i < SESSIONS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, refresh, &refreshers[i]), 0);
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_INT(refreshers[i].rotated, ROTATIONS);
    }
    commits = metric("doorward_store_batch_writes_count") - commits;
    writes = metric("doorward_store_batch_writes_sum") - writes;
    print_message("%d writes in %d commits\n", (int)writes, (int)commits);
    CHECK_INT(writes, SESSIONS * ROTATIONS);
    CHECK(commits > 0 && commits * 2 < writes);
    store_close(s);
    close_world(&w);
}

/* Until the store refuses one. */
static void *refresh_on(void *argument)
{
    struct refresher *r = argument;
    struct store_rotated rotated = { .rotated = true };
    enum err e = ERR_OK;
    while (e == ERR_OK && rotated.rotated && r->rotated < 5000) {
        struct store_rotation rotation = { .id = id_of(r->number),
                                           .counter = r->rotated,
                                           .idle_ttl_ms = 1000 };
        struct arena a;
        arena_init(&a, 16 * 1024);
        e = store_session_rotate(r->store, &rotation, &a, &rotated);
        r->rotated += e == ERR_OK && rotated.rotated ? 1 : 0;
        arena_done(&a);
    }
    r->last = e;
    return NULL;
}

TEST(with_the_disk_full_only_acknowledged_refreshes_are_there)
{
    struct world w;
    open_world(&w);
    struct store *s = open_good(&w);
    struct refresher refreshers[SESSIONS];
    pthread_t threads[SESSIONS];
    int64_t expiry = clock_now_ms(&w.clock) + 3600 * 1000;
    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct store_session session = { .id = id_of(i),
                                         .idle_expires_at = expiry,
                                         .expires_at = expiry };
        CHECK_ERR(store_session_add(s, &session, 1000, NULL), ERR_OK);
        refreshers[i] = (struct refresher){ .store = s, .number = i };
    }
    (void)signal(SIGXFSZ, SIG_IGN);
    limit_file_size(600 * 1024);
    for (size_t i = 0; i < SESSIONS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, refresh_on, &refreshers[i]), 0);
    }
    uint32_t end = fill(s, 0); /* changes with a savepoint in the same groups */
    for (size_t i = 0; i < SESSIONS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    limit_file_size(RLIM_INFINITY);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct store_session session = { 0 };
        CHECK_ERR(refreshers[i].last, ERR_UNAVAILABLE);
        CHECK_ERR(store_session_get(s, id_of(i), &w.arena, &session), ERR_OK);
        CHECK_INT(session.counter, refreshers[i].rotated);
    }
    CHECK_ERR(find_user(s, end), ERR_NOT_FOUND);
    for (uint32_t i = 0; i < end; i++) {
        CHECK_ERR(find_user(s, i), ERR_OK);
    }
    store_close(s);
    close_world(&w);
}

TEST(the_log_does_not_grow_without_end)
{
    struct world w;
    open_world(&w);
    struct store *s = open_good(&w);
    static char hash[30000];
    memset(hash, 'h', sizeof(hash));
    for (uint32_t i = 0; i < 900; i++) {
        CHECK_ERR(add_user(s, i, (struct span){ hash, sizeof(hash) }), ERR_OK);
    }
    char name[ROOM + 32];
    struct stat st = { 0 };
    (void)snprintf(name, sizeof(name), "%s-wal", w.path);
    CHECK_INT(stat(name, &st), 0);
    CHECK(st.st_size < 24 * 1024 * 1024);
    store_close(s);
    CHECK(stat(name, &st) != 0);
    close_world(&w);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(the_file_its_logs_and_its_directory_are_made_private),
        cmocka_unit_test(a_file_that_others_may_read_is_made_private),
        cmocka_unit_test(a_bad_uri_is_a_setting_that_is_not_acceptable),
        cmocka_unit_test(a_path_is_only_a_path_whatever_it_looks_like),
        cmocka_unit_test(a_directory_that_cannot_be_is_refused_in_one_line),
        cmocka_unit_test(what_this_user_may_not_write_is_refused_in_one_line),
        cmocka_unit_test(the_file_of_another_program_or_of_a_newer_doorward_is_left_alone),
        cmocka_unit_test(a_locked_file_is_refused_at_the_start_in_one_line),
        cmocka_unit_test(several_processes_start_together_on_a_new_file),
        cmocka_unit_test(
            while_another_process_holds_the_file_writes_are_unavailable_and_reads_go_on),
        cmocka_unit_test(
            with_the_disk_full_nothing_is_acknowledged_falsely_and_it_recovers_by_itself),
        cmocka_unit_test(a_row_made_by_hand_is_an_error_and_no_crash),
        cmocka_unit_test(a_table_made_by_hand_is_an_error_for_its_calls_and_no_crash),
        cmocka_unit_test(a_file_of_the_first_schema_migrates_with_all_that_is_in_it),
        cmocka_unit_test(a_file_of_the_third_schema_migrates_with_all_that_is_in_it),
        cmocka_unit_test(
            sessions_that_an_older_version_writes_beside_a_newer_one_are_not_swept_while_they_live),
        cmocka_unit_test(a_migrated_file_has_the_tables_of_a_new_one),
        cmocka_unit_test(a_migration_that_is_killed_half_way_is_made_again),
        cmocka_unit_test(refreshes_of_many_threads_are_committed_in_groups),
        cmocka_unit_test(with_the_disk_full_only_acknowledged_refreshes_are_there),
        cmocka_unit_test(the_log_does_not_grow_without_end));
}

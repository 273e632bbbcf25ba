/* Endings: logout in its three scopes, seen by other processes, cut short by failures, and written
 * down. */
#include "test_auth_world.h"

#include <sqlite3.h>

TEST(logout_ends_this_session_at_once_on_every_loop_and_may_be_repeated)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, mine);
    for (int i = 0; i < 2; i++) {
        CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
        for (unsigned loop = 0; loop < 2; loop++) {
            CHECK_ERR(auth_verify(d.auth, loop, mine.access_token, &r.arena, &caller),
                      ERR_TOKEN_REVOKED);
        }
    }
    CHECK_ERR(refresh_result(&d, &r, mine.refresh_token), ERR_INVALID_REFRESH);
    CHECK_ERR(verify(&d, &r, other), ERR_OK);
}

TEST(logout_of_others_keeps_this_session_and_what_is_opened_later)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, mine);
    for (int i = 0; i < 2; i++) {
        CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_OTHERS), ERR_OK);
        CHECK_ERR(verify(&d, &r, mine), ERR_OK);
        CHECK_ERR(verify(&d, &r, other), ERR_TOKEN_REVOKED);
        CHECK_ERR(refresh_result(&d, &r, other.refresh_token), ERR_INVALID_REFRESH);
        mine = child_of(&d, &r, mine.refresh_token);
        CHECK_ERR(verify(&d, &r, mine), ERR_OK);
    }
    CHECK_ERR(verify(&d, &r, log_in(&d, &r, "ann")), ERR_OK);
}

TEST(logout_of_all_ends_every_session_and_none_of_anybody_else)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    (void)register_user(&d, &r, "bob");
    struct auth_tokens bobs = log_in(&d, &r, "bob");
    struct auth_caller caller = caller_of(&d, &r, mine);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_ALL), ERR_OK);
    CHECK_ERR(verify(&d, &r, mine), ERR_TOKEN_REVOKED);
    CHECK_ERR(verify(&d, &r, other), ERR_TOKEN_REVOKED);
    CHECK_ERR(verify(&d, &r, bobs), ERR_OK);
    CHECK_ERR(verify(&d, &r, log_in(&d, &r, "ann")), ERR_OK);
}

TEST(a_dead_session_ends_nobody_elses)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_caller dead = caller_of(&d, &r, register_and_log_in(&d, &r));
    struct auth_tokens other = log_in(&d, &r, "ann");
    CHECK_ERR(auth_logout(d.auth, &r.call, &dead, AUTH_THIS), ERR_OK);
    CHECK_ERR(auth_logout(d.auth, &r.call, &dead, AUTH_ALL), ERR_OK);
    CHECK_ERR(auth_logout(d.auth, &r.call, &dead, AUTH_OTHERS), ERR_OK);
    CHECK_ERR(verify(&d, &r, other), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, other.refresh_token), ERR_OK);
}

TEST(a_refresh_token_logs_out_as_its_session_does)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    CHECK_ERR(auth_logout_refresh(d.auth, &r.call, mine.refresh_token, AUTH_OTHERS), ERR_OK);
    CHECK_ERR(verify(&d, &r, other), ERR_TOKEN_REVOKED);
    CHECK_ERR(verify(&d, &r, mine), ERR_OK);
    for (int i = 0; i < 2; i++) {
        CHECK_ERR(auth_logout_refresh(d.auth, &r.call, mine.refresh_token, AUTH_THIS), ERR_OK);
        CHECK_ERR(verify(&d, &r, mine), ERR_TOKEN_REVOKED);
    }
    CHECK_ERR(auth_logout_refresh(d.auth, &r.call, SPAN("junk"), AUTH_ALL), ERR_OK);
}

TEST(a_spent_refresh_token_ends_its_own_session_only_whatever_it_asks_for)
{
    WORLD(w, d);
    REQUEST(r);
    struct span spent = register_and_log_in(&d, &r).refresh_token;
    struct auth_tokens newest = child_of(&d, &r, spent);
    struct auth_tokens other = log_in(&d, &r, "ann");
    pass_ms(&w, 10001);
    CHECK_ERR(auth_logout_refresh(d.auth, &r.call, spent, AUTH_OTHERS), ERR_OK);
    CHECK_ERR(verify(&d, &r, newest), ERR_TOKEN_REVOKED);
    CHECK_ERR(verify(&d, &r, other), ERR_OK);
}

/* Two sessions try to end each other, again and again: one call after the other, so at least one of
 * them, and whoever was told of nothing but success and lost, stays dead. */
struct rival {
    struct door *door;
    const struct auth_caller *caller;
    pthread_barrier_t *start;
    enum err result;
};

static void *end_others(void *argument)
{
    struct rival *me = argument;
    REQUEST(r);
    (void)pthread_barrier_wait(me->start);
    me->result = auth_logout(me->door->auth, &r.call, me->caller, AUTH_OTHERS);
    return NULL;
}

TEST(of_two_sessions_that_end_each_other_exactly_one_survives)
{
    WORLD(w, d);
    for (int round = 0; round < 10; round++) {
        REQUEST(r);
        pthread_t threads[2];
        pthread_barrier_t start;
        if (round == 0) {
            (void)register_user(&d, &r, "ann");
        }
        struct auth_tokens tokens[2] = { log_in(&d, &r, "ann"), log_in(&d, &r, "ann") };
        struct auth_caller callers[2] = { caller_of(&d, &r, tokens[0]),
                                          caller_of(&d, &r, tokens[1]) };
        struct rival rivals[2];
        CHECK(pthread_barrier_init(&start, NULL, 2) == 0);
        for (int i = 0; i < 2; i++) {
            rivals[i] = (struct rival){ .door = &d, .caller = &callers[i], .start = &start };
            CHECK(pthread_create(&threads[i], NULL, end_others, &rivals[i]) == 0);
        }
        for (int i = 0; i < 2; i++) {
            CHECK(pthread_join(threads[i], NULL) == 0);
            CHECK_ERR(rivals[i].result, ERR_OK);
        }
        CHECK(pthread_barrier_destroy(&start) == 0);
        bool first = refresh_result(&d, &r, tokens[0].refresh_token) == ERR_OK;
        bool second = refresh_result(&d, &r, tokens[1].refresh_token) == ERR_OK;
        CHECK(first != second);
        CHECK((verify(&d, &r, tokens[0]) == ERR_OK) == first);
        CHECK((verify(&d, &r, tokens[1]) == ERR_OK) == second);
    }
}

/* ---- other processes ---- */

TEST(what_ends_here_ends_in_another_process_when_it_follows)
{
    WORLD(w, d);
    DOOR(other);
    door_open(&w, &other);
    REQUEST(r);
    struct auth_tokens one = register_and_log_in(&d, &r);
    struct auth_tokens two = log_in(&d, &r, "ann");
    struct auth_tokens three = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, one);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    caller = caller_of(&d, &r, two);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_OTHERS), ERR_OK);
    CHECK_ERR(verify(&other, &r, one), ERR_OK);
    CHECK_ERR(auth_follow(other.auth), ERR_OK);
    CHECK_ERR(verify(&other, &r, one), ERR_TOKEN_REVOKED);
    CHECK_ERR(verify(&other, &r, two), ERR_OK);
    CHECK_ERR(verify(&other, &r, three), ERR_TOKEN_REVOKED);
}

TEST(what_has_ended_stays_ended_over_a_restart)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_caller caller = caller_of(&d, &r, tokens);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    DOOR(later);
    door_open(&w, &later);
    CHECK_ERR(verify(&later, &r, tokens), ERR_TOKEN_REVOKED);
}

TEST(an_ending_is_forgotten_after_its_last_token_and_not_before)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_caller caller = caller_of(&d, &r, tokens);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    pass_ms(&w, 3629 * 1000); /* the last moment within the leeway */
    CHECK_ERR(auth_tend(d.auth), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
    pass_ms(&w, 62 * 1000);
    CHECK_ERR(auth_tend(d.auth), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_EXPIRED);
}

/* ---- failures ---- */

static sqlite3 *open_file(struct world *w)
{
    sqlite3 *db = NULL;
    CHECK(sqlite3_open(w->uri + strlen("sqlite:"), &db) == SQLITE_OK);
    CHECK(sqlite3_busy_timeout(db, 5000) == SQLITE_OK);
    return db;
}

static void run_sql(struct world *w, const char *sql)
{
    sqlite3 *db = open_file(w);
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        print_error("%s\n", why);
        fail();
    }
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

/* From here to there no revocation can be written; everything else can. */
static const char no_revocations[] = "ALTER TABLE revocations RENAME TO away";
static const char revocations_again[] = "ALTER TABLE away RENAME TO revocations";

TEST(an_ending_that_was_not_published_is_no_success_and_every_repeat_makes_it_good)
{
    static const enum auth_scope scopes[] = { AUTH_THIS, AUTH_ALL };
    for (size_t i = 0; i < 2; i++) {
        WORLD(w, d);
        REQUEST(r);
        struct auth_tokens tokens = register_and_log_in(&d, &r);
        struct auth_caller caller = caller_of(&d, &r, tokens);
        run_sql(&w, no_revocations);
        CHECK(auth_logout(d.auth, &r.call, &caller, scopes[i]) != ERR_OK);
        run_sql(&w, revocations_again);
        CHECK_ERR(auth_logout(d.auth, &r.call, &caller, scopes[i]), ERR_OK);
        CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
    }
}

/* The import adds it between the two writes of the logout, and has looked before the second. */
TEST(a_logout_ends_a_session_that_an_import_brings_at_the_same_moment)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_caller caller = caller_of(&d, &r, tokens);
    run_sql(&w, "CREATE TABLE on_its_way AS SELECT * FROM sessions; DELETE FROM sessions;"
                "CREATE TRIGGER import AFTER INSERT ON revocations BEGIN"
                " INSERT INTO sessions SELECT * FROM on_its_way; END");
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_INVALID_REFRESH);
}

TEST(a_reuse_that_was_not_published_is_made_good_by_the_next_use)
{
    WORLD(w, d);
    REQUEST(r);
    struct span parent = register_and_log_in(&d, &r).refresh_token;
    struct auth_tokens newest = child_of(&d, &r, parent);
    pass_ms(&w, 10001);
    run_sql(&w, no_revocations);
    enum err cut_short = refresh_result(&d, &r, parent);
    CHECK(cut_short != ERR_OK && cut_short != ERR_REFRESH_REUSED);
    run_sql(&w, revocations_again);
    CHECK_ERR(verify(&d, &r, newest), ERR_OK); /* the gap that is to be closed */
    CHECK_ERR(refresh_result(&d, &r, parent), ERR_INVALID_REFRESH);
    CHECK_ERR(verify(&d, &r, newest), ERR_TOKEN_REVOKED);
}

TEST(a_deletion_that_was_not_published_is_made_good_by_the_next_look)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, mine);
    run_sql(&w, no_revocations);
    CHECK(auth_account_delete(d.auth, &r.call, &caller, SPAN(PASSWORD)) != ERR_OK);
    run_sql(&w, revocations_again);
    CHECK_ERR(auth_account_delete(d.auth, &r.call, &caller, SPAN(PASSWORD)), ERR_TOKEN_REVOKED);
    CHECK_ERR(verify(&d, &r, other), ERR_TOKEN_REVOKED);
}

/* Another process holds the file: reads go on, no write gets through. */
TEST(a_store_that_takes_no_writes_is_never_a_success)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    w.busy_timeout_ms = 20;
    door_open(&w, &d);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_caller caller = caller_of(&d, &r, tokens);
    struct auth_registration in = { .username = SPAN("bob"), .password = SPAN(PASSWORD) };
    struct auth_input_errors errors;
    struct auth_user user;
    sqlite3 *holder = open_file(&w);
    CHECK(sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    CHECK_ERR(auth_register(d.auth, &r.call, &in, &errors, &user), ERR_UNAVAILABLE);
    CHECK_ERR(try_login(&d, &r, "ann", PASSWORD), ERR_UNAVAILABLE);
    CHECK_ERR(try_login(&d, &r, "nobody", PASSWORD), ERR_UNAVAILABLE);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_UNAVAILABLE);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_UNAVAILABLE);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_ALL), ERR_UNAVAILABLE);
    CHECK_ERR(auth_logout_refresh(d.auth, &r.call, tokens.refresh_token, AUTH_THIS),
              ERR_UNAVAILABLE);
    CHECK_ERR(
        auth_password_change(d.auth, &r.call, &caller, SPAN(PASSWORD), SPAN(PASSWORD), &errors),
        ERR_UNAVAILABLE);
    CHECK_ERR(auth_account_delete(d.auth, &r.call, &caller, SPAN(PASSWORD)), ERR_UNAVAILABLE);
    CHECK_ERR(auth_session_end(d.auth, &r.call, &caller, caller.session_id), ERR_UNAVAILABLE);
    CHECK_ERR(auth_tend(d.auth), ERR_UNAVAILABLE);
    CHECK(!auth_health(d.auth).store_ok);
    CHECK(sqlite3_exec(holder, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_close(holder) == SQLITE_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_OK);
}

/* ---- keys and health ---- */

static enum err open_with_ring(struct world *w, struct door *d, const char *master)
{
    struct tokens *tokens = open_tokens("ES256", master);
    door_parts(w, &w->clock, d);
    token_close(d->tokens);
    d->tokens = tokens;
    struct auth_options options = door_options(d, &w->clock);
    options.has_ring = true;
    CHECK_ERR(auth_open(&options, &d->auth), ERR_OK);
    return auth_prepare(d->auth);
}

TEST(the_first_process_makes_a_key_and_the_next_ones_use_it)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(other);
    REQUEST(r);
    struct span json[2], etag[2];
    CHECK_ERR(open_with_ring(&w, &d, MASTER), ERR_OK);
    CHECK_ERR(open_with_ring(&w, &other, MASTER), ERR_OK);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    CHECK_ERR(verify(&other, &r, tokens), ERR_OK);
    auth_jwks(d.auth, &json[0], &etag[0]);
    auth_jwks(other.auth, &json[1], &etag[1]);
    CHECK(span_equal(json[0], json[1]) && span_equal(etag[0], etag[1]));
    CHECK(auth_health(d.auth).keys_ok);
}

TEST(a_wrong_master_key_stops_the_start_and_leaves_the_keys_alone)
{
    EMPTY_WORLD(w);
    REQUEST(r);
    struct store_key *keys = NULL;
    size_t count = 0;
    DOOR(d);
    CHECK_ERR(open_with_ring(&w, &d, MASTER), ERR_OK);
    DOOR(other);
    CHECK_ERR(open_with_ring(&w, &other, OTHER_MASTER), ERR_CONFIG);
    CHECK(!auth_health(other.auth).keys_ok);
    CHECK_ERR(store_key_list(d.store, &r.arena, &keys, &count), ERR_OK);
    CHECK_INT(count, 1);
}

TEST(before_it_is_prepared_nobody_passes)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    door_open(&w, &d);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_options options = door_options(&d, &w.clock);
    struct auth *unprepared = NULL;
    struct auth_caller caller;
    CHECK_ERR(auth_open(&options, &unprepared), ERR_OK);
    CHECK_ERR(auth_verify(unprepared, 0, tokens.access_token, &r.arena, &caller), ERR_UNAVAILABLE);
    CHECK(!auth_health(unprepared).revocations_ok);
    auth_close(unprepared);
}

TEST(health_tells_of_the_heartbeat_and_of_the_following)
{
    WORLD(w, d);
    CHECK(!auth_health(d.auth).store_ok);
    CHECK(auth_health(d.auth).revocations_ok);
    CHECK_ERR(auth_tend(d.auth), ERR_OK);
    CHECK(auth_health(d.auth).store_ok);
    CHECK(auth_health(d.auth).revocation_lag_ms < 5000);
}

/* ---- what is written down ---- */

/* Everything that is written to stderr while `story` runs. */
static size_t log_of(void (*story)(struct door *d, struct request *r), struct door *d,
                     struct request *r, char *text, size_t size)
{
    char path[] = "/tmp/doorward-audit-XXXXXX";
    int file = mkstemp(path);
    int saved = dup(STDERR_FILENO);
    CHECK(file >= 0 && saved >= 0 && dup2(file, STDERR_FILENO) >= 0);
    story(d, r);
    CHECK(dup2(saved, STDERR_FILENO) >= 0);
    ssize_t length = pread(file, text, size - 1, 0);
    CHECK(length >= 0);
    text[length] = '\0';
    (void)close(saved);
    (void)close(file);
    (void)unlink(path);
    return (size_t)length;
}

static char said_tokens[2][512];

static void live_a_life(struct door *d, struct request *r)
{
    struct auth_tokens tokens = register_and_log_in(d, r);
    struct auth_input_errors errors;
    (void)snprintf(said_tokens[0], sizeof(said_tokens[0]), "%.*s", SPAN_FMT(tokens.refresh_token));
    (void)snprintf(said_tokens[1], sizeof(said_tokens[1]), "%.*s", SPAN_FMT(tokens.access_token));
    CHECK_ERR(try_login(d, r, "ann", "wrong password"), ERR_BAD_CREDENTIALS);
    CHECK_ERR(try_login(d, r, "a-password-in-the-wrong-field", "x"), ERR_BAD_CREDENTIALS);
    struct auth_caller caller = caller_of(d, r, tokens);
    CHECK_ERR(auth_password_change(d->auth, &r->call, &caller, SPAN(PASSWORD),
                                   SPAN("another password"), &errors),
              ERR_OK);
    struct span child = child_of(d, r, tokens.refresh_token).refresh_token;
    (void)child_of(d, r, child);
    r->call.ip = SPAN("198.51.100.7");
    CHECK_ERR(refresh_result(d, r, tokens.refresh_token), ERR_REFRESH_REUSED);
    CHECK_ERR(try_login(d, r, "ann", "another password"), ERR_OK);
    CHECK_ERR(auth_user_delete(d->auth, &r->call, caller.user_id), ERR_OK);
}

TEST(deeds_are_written_down_without_names_passwords_tokens_or_hashes)
{
    static const char *const told[] = { "\"register\"",
                                        "\"login\"",
                                        "\"login_failed\"",
                                        "\"password_change\"",
                                        "\"refresh_reuse\"",
                                        "\"user_delete\"",
                                        "request-1",
                                        "\"ip\":\"198.51.100.7\"",
                                        "\"last_ip\":\"192.0.2.1\"" };
    static const char *const secret[] = {
        "\"ann\"", PASSWORD, "wrong password", "another password", "a-password-in-the-wrong-field",
        "$2b$"
    };
    static char text[64 * 1024];
    WORLD(w, d);
    REQUEST(r);
    CHECK(log_of(live_a_life, &d, &r, text, sizeof(text)) > 0);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        CHECK(strstr(text, told[i]) != NULL);
    }
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
        CHECK(strstr(text, secret[i]) == NULL);
    }
    CHECK(strstr(text, said_tokens[0]) == NULL);
    CHECK(strstr(text, said_tokens[1]) == NULL);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(logout_ends_this_session_at_once_on_every_loop_and_may_be_repeated),
        cmocka_unit_test(logout_of_others_keeps_this_session_and_what_is_opened_later),
        cmocka_unit_test(logout_of_all_ends_every_session_and_none_of_anybody_else),
        cmocka_unit_test(a_dead_session_ends_nobody_elses),
        cmocka_unit_test(a_refresh_token_logs_out_as_its_session_does),
        cmocka_unit_test(a_spent_refresh_token_ends_its_own_session_only_whatever_it_asks_for),
        cmocka_unit_test(of_two_sessions_that_end_each_other_exactly_one_survives),
        cmocka_unit_test(what_ends_here_ends_in_another_process_when_it_follows),
        cmocka_unit_test(what_has_ended_stays_ended_over_a_restart),
        cmocka_unit_test(an_ending_is_forgotten_after_its_last_token_and_not_before),
        cmocka_unit_test(
            an_ending_that_was_not_published_is_no_success_and_every_repeat_makes_it_good),
        cmocka_unit_test(a_logout_ends_a_session_that_an_import_brings_at_the_same_moment),
        cmocka_unit_test(a_reuse_that_was_not_published_is_made_good_by_the_next_use),
        cmocka_unit_test(a_deletion_that_was_not_published_is_made_good_by_the_next_look),
        cmocka_unit_test(a_store_that_takes_no_writes_is_never_a_success),
        cmocka_unit_test(the_first_process_makes_a_key_and_the_next_ones_use_it),
        cmocka_unit_test(a_wrong_master_key_stops_the_start_and_leaves_the_keys_alone),
        cmocka_unit_test(before_it_is_prepared_nobody_passes),
        cmocka_unit_test(health_tells_of_the_heartbeat_and_of_the_following),
        cmocka_unit_test(deeds_are_written_down_without_names_passwords_tokens_or_hashes));
}

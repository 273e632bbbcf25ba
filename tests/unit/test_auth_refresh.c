/* The refresh rule of DESIGN 5, point by point. */
#include "test_auth_world.h"

#define THREADS 8

TEST(a_refresh_gives_another_token_and_an_access_token_of_the_same_session)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens first = register_and_log_in(&d, &r);
    CHECK_INT(first.expires_in_s, 3600);
    CHECK_INT(first.refresh_expires_in_s, 1209600);
    struct auth_tokens second = child_of(&d, &r, first.refresh_token);
    CHECK(!span_equal(first.refresh_token, second.refresh_token));
    CHECK(uuid_equal(caller_of(&d, &r, first).session_id, caller_of(&d, &r, second).session_id));
}

struct race {
    struct door *doors;
    size_t door_count;
    struct span token;
    pthread_barrier_t start;
    struct request requests[THREADS];
    struct auth_tokens tokens[THREADS];
    enum err results[THREADS];
};
struct racer {
    struct race *race;
    size_t index;
};

static void *race_refresh(void *argument)
{
    struct racer *me = argument;
    struct race *race = me->race;
    struct door *d = &race->doors[me->index % race->door_count];
    request_start(&race->requests[me->index]);
    (void)pthread_barrier_wait(&race->start);
    race->results[me->index] =
        refresh(d, &race->requests[me->index], race->token, &race->tokens[me->index]);
    return NULL;
}

static void run_race(struct race *race)
{
    pthread_t threads[THREADS];
    struct racer racers[THREADS];
    CHECK(pthread_barrier_init(&race->start, NULL, THREADS) == 0);
    for (size_t i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){ .race = race, .index = i };
        CHECK(pthread_create(&threads[i], NULL, race_refresh, &racers[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(pthread_barrier_destroy(&race->start) == 0);
}

static void check_one_child(struct race *race)
{
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_ERR(race->results[i], ERR_OK);
        CHECK(span_equal(race->tokens[i].refresh_token, race->tokens[0].refresh_token));
    }
    for (size_t i = 0; i < THREADS; i++) {
        request_auto(&race->requests[i]);
    }
}

TEST(a_many_parallel_refreshes_of_one_token_over_two_processes_give_one_child)
{
    WORLD(w, d);
    DOOR(other);
    door_open(&w, &other);
    REQUEST(r);
    struct door doors[] = { d, other };
    struct span token = register_and_log_in(&d, &r).refresh_token;
    for (int round = 0; round < 10; round++) {
        struct race race = { .doors = doors, .door_count = 2, .token = token };
        run_race(&race);
        struct span child = SPAN_NONE;
        CHECK_ERR(arena_copy(&r.arena, race.tokens[0].refresh_token, &child), ERR_OK);
        check_one_child(&race);
        token = child;
    }
    CHECK_ERR(refresh_result(&d, &r, token), ERR_OK);
}

TEST(b_a_lost_answer_and_a_retry_give_the_same_child_and_a_fresh_access_token)
{
    WORLD(w, d);
    REQUEST(r);
    struct span parent = register_and_log_in(&d, &r).refresh_token;
    struct auth_tokens lost = child_of(&d, &r, parent);
    pass_ms(&w, 9999);
    struct auth_tokens again = child_of(&d, &r, parent);
    CHECK(span_equal(lost.refresh_token, again.refresh_token));
    CHECK(!span_equal(lost.access_token, again.access_token));
    CHECK_ERR(verify(&d, &r, again), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, again.refresh_token), ERR_OK);
}

static void check_ended(struct door *d, struct request *r, struct auth_tokens newest)
{
    CHECK_ERR(verify(d, r, newest), ERR_TOKEN_REVOKED);
    CHECK_ERR(refresh_result(d, r, newest.refresh_token), ERR_INVALID_REFRESH);
}

TEST(c_a_parent_after_the_window_ends_the_session_and_says_so_once)
{
    WORLD(w, d);
    REQUEST(r);
    struct span parent = register_and_log_in(&d, &r).refresh_token;
    struct auth_tokens newest = child_of(&d, &r, parent);
    pass_ms(&w, 10001);
    CHECK_ERR(refresh_result(&d, &r, parent), ERR_REFRESH_REUSED);
    check_ended(&d, &r, newest);
    CHECK_ERR(refresh_result(&d, &r, parent), ERR_INVALID_REFRESH);
}

TEST(c_a_grandparent_ends_the_session_within_the_window_too)
{
    WORLD(w, d);
    REQUEST(r);
    struct span grandparent = register_and_log_in(&d, &r).refresh_token;
    struct span parent = child_of(&d, &r, grandparent).refresh_token;
    struct auth_tokens newest = child_of(&d, &r, parent);
    CHECK_ERR(refresh_result(&d, &r, grandparent), ERR_REFRESH_REUSED);
    check_ended(&d, &r, newest);
}

TEST(c_a_reuse_ends_that_session_and_no_other)
{
    WORLD(w, d);
    REQUEST(r);
    struct span parent = register_and_log_in(&d, &r).refresh_token;
    struct auth_tokens other = log_in(&d, &r, "ann");
    (void)child_of(&d, &r, parent);
    pass_ms(&w, 10001);
    CHECK_ERR(refresh_result(&d, &r, parent), ERR_REFRESH_REUSED);
    CHECK_ERR(verify(&d, &r, other), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, other.refresh_token), ERR_OK);
}

TEST(d_the_window_counts_from_the_first_use_and_repeats_do_not_stretch_it)
{
    WORLD(w, d);
    REQUEST(r);
    struct span parent = register_and_log_in(&d, &r).refresh_token;
    (void)child_of(&d, &r, parent);
    for (int i = 0; i < 2; i++) {
        pass_ms(&w, 5000);
        (void)child_of(&d, &r, parent);
    }
    pass_ms(&w, 1);
    CHECK_ERR(refresh_result(&d, &r, parent), ERR_REFRESH_REUSED);
}

/* One thread refreshes on and on, as a client that follows its newest token. */
struct follower {
    struct door *door;
    char refresh[512], access[TOKEN_MAX_BYTES];
    struct auth_tokens last;
    enum err result;
};

static struct span keep_text(char *to, size_t size, struct span text)
{
    INVARIANT(text.length <= size);
    memcpy(to, text.data, text.length);
    return (struct span){ .data = to, .length = text.length };
}

static void *refresh_until_refused(void *argument)
{
    struct follower *f = argument;
    struct auth_tokens got = { 0 };
    do {
        REQUEST(r);
        f->result = auth_refresh(f->door->auth, &r.call, f->last.refresh_token, &got);
        if (f->result == ERR_OK) {
            f->last.refresh_token = keep_text(f->refresh, sizeof(f->refresh), got.refresh_token);
            f->last.access_token = keep_text(f->access, sizeof(f->access), got.access_token);
        }
    } while (f->result == ERR_OK);
    return NULL;
}

typedef void ending_fn(struct door *d, struct request *r, const struct auth_caller *caller);

static void end_by_logout(struct door *d, struct request *r, const struct auth_caller *caller)
{
    CHECK_ERR(auth_logout(d->auth, &r->call, caller, AUTH_THIS), ERR_OK);
}

static void end_by_logout_of_all(struct door *d, struct request *r,
                                 const struct auth_caller *caller)
{
    CHECK_ERR(auth_logout(d->auth, &r->call, caller, AUTH_ALL), ERR_OK);
}

/* From another session, so that this one is not kept. */
static void end_by_password_change(struct door *d, struct request *r,
                                   const struct auth_caller *caller)
{
    struct auth_input_errors errors;
    struct auth_caller other = caller_of(d, r, log_in(d, r, "ann"));
    (void)caller;
    CHECK_ERR(
        auth_password_change(d->auth, &r->call, &other, SPAN(PASSWORD), SPAN(PASSWORD), &errors),
        ERR_OK);
}

static void check_ending_wins(ending_fn *end)
{
    for (int round = 0; round < 5; round++) {
        WORLD(w, d);
        REQUEST(r);
        pthread_t thread;
        struct auth_tokens tokens = register_and_log_in(&d, &r);
        struct auth_caller caller = caller_of(&d, &r, tokens);
        struct follower f = { .door = &d, .last = tokens };
        CHECK(pthread_create(&thread, NULL, refresh_until_refused, &f) == 0);
        end(&d, &r, &caller);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_ERR(f.result, ERR_INVALID_REFRESH);
        CHECK_ERR(verify(&d, &r, f.last), ERR_TOKEN_REVOKED);
        CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
    }
}

TEST(e_a_logout_that_races_refreshes_always_wins)
{
    check_ending_wins(end_by_logout);
    check_ending_wins(end_by_logout_of_all);
}

TEST(e_a_password_change_that_races_refreshes_always_wins)
{
    check_ending_wins(end_by_password_change);
}

/* On SQLite the store's clock is that of the process that writes; on a server it is the server's.
 */
TEST(f_clocks_of_processes_that_are_thirty_seconds_apart_change_nothing_for_a_chain)
{
    WORLD(w, d);
    struct clock fast = { .frozen_ms = START_MS + 30000 };
    DOOR(ahead);
    door_open_at(&w, &fast, &ahead);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    for (int i = 0; i < 4; i++) {
        struct door *next = i % 2 == 0 ? &ahead : &d;
        tokens = child_of(next, &r, tokens.refresh_token);
        CHECK_ERR(verify(&d, &r, tokens), ERR_OK);
        CHECK_ERR(verify(&ahead, &r, tokens), ERR_OK);
    }
}

TEST(f_a_clock_that_goes_back_within_the_window_keeps_the_parent_good)
{
    WORLD(w, d);
    REQUEST(r);
    struct span parent = register_and_log_in(&d, &r).refresh_token;
    (void)child_of(&d, &r, parent);
    pass_ms(&w, -10000);
    (void)child_of(&d, &r, parent);
    pass_ms(&w, -1);
    CHECK_ERR(refresh_result(&d, &r, parent), ERR_REFRESH_REUSED);
}

TEST(h_junk_never_reaches_the_store)
{
    WORLD(w, d);
    REQUEST(r);
    struct span good = register_and_log_in(&d, &r).refresh_token;
    char *text = arena_get(&r.arena, good.length + 1);
    struct span flipped = { .data = text, .length = good.length };
    store_close(d.store); /* whoever touches it now crashes under the sanitizer */
    d.store = NULL;
    for (size_t i = 0; i < good.length; i++) {
        memcpy(text, good.data, good.length);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        CHECK_ERR(refresh_result(&d, &r, flipped), ERR_INVALID_REFRESH);
        CHECK_ERR(auth_logout_refresh(d.auth, &r.call, flipped, AUTH_ALL), ERR_OK);
        CHECK_ERR(refresh_result(&d, &r, span_slice(good, 0, i)), ERR_INVALID_REFRESH);
    }
}

/* ---- besides the letters ---- */

TEST(a_refresh_moves_the_idle_limit_and_never_the_absolute_one)
{
    static const int64_t two_weeks_ms = INT64_C(1209600000);
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    for (int i = 0; i < 6; i++) {
        pass_ms(&w, two_weeks_ms - 1000);
        tokens = child_of(&d, &r, tokens.refresh_token);
    }
    CHECK(tokens.refresh_expires_in_s < two_weeks_ms / 1000); /* 90 days are nearly over */
    CHECK_INT(tokens.refresh_expires_in_s, 7776000 - 6 * (1209600 - 1));
    pass_ms(&w, tokens.refresh_expires_in_s * 1000);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_REFRESH_EXPIRED);
}

TEST(an_idle_session_expires)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    pass_ms(&w, INT64_C(1209600000));
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_REFRESH_EXPIRED);
}

TEST(a_counter_ahead_of_the_record_is_refused_and_ends_nothing)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct token_refresh fields = { 0 };
    struct span ahead = SPAN_NONE;
    CHECK_ERR(token_refresh_parse(d.tokens, tokens.refresh_token, &r.arena, &fields), ERR_OK);
    fields.counter += 5; /* a restored backup: the client is further than the record */
    CHECK_ERR(token_refresh_make(d.tokens, &fields, &r.arena, &ahead), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, ahead), ERR_INVALID_REFRESH);
    CHECK_ERR(auth_logout_refresh(d.auth, &r.call, ahead, AUTH_ALL), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_OK);
}

TEST(a_token_of_a_session_that_is_not_there_is_refused)
{
    WORLD(w, d);
    REQUEST(r);
    struct token_refresh fields = { .counter = 0, .master_key = token_master_id(d.tokens) };
    struct span token = SPAN_NONE;
    CHECK_ERR(uuid_new(START_MS, &fields.session_id), ERR_OK);
    CHECK_ERR(token_refresh_make(d.tokens, &fields, &r.arena, &token), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, token), ERR_INVALID_REFRESH);
    CHECK_ERR(auth_logout_refresh(d.auth, &r.call, token, AUTH_THIS), ERR_OK);
}

/* Both keys are good, but the session was opened with the other one. */
TEST(a_token_that_was_made_with_another_master_key_advances_nothing)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct token_refresh fields = { 0 };
    struct store_session before = { 0 }, after = { 0 };
    struct span token = SPAN_NONE;
    CHECK_ERR(token_refresh_parse(d.tokens, tokens.refresh_token, &r.arena, &fields), ERR_OK);
    CHECK_ERR(store_session_get(d.store, fields.session_id, &r.arena, &before), ERR_OK);

    struct tokens *both = open_tokens_of("HS256", OTHER_MASTER, MASTER);
    fields.master_key = token_master_id(both);
    CHECK_ERR(token_refresh_make(both, &fields, &r.arena, &token), ERR_OK);
    struct auth_options options = door_options(&d, &w.clock);
    struct auth *auth = NULL;
    options.tokens = both;
    CHECK_ERR(auth_open(&options, &auth), ERR_OK);
    CHECK_ERR(auth_prepare(auth), ERR_OK);
    pass_ms(&w, 1000);
    CHECK_ERR(auth_refresh(auth, &r.call, token, &tokens), ERR_INVALID_REFRESH);
    auth_close(auth);
    token_close(both);

    CHECK_ERR(store_session_get(d.store, fields.session_id, &r.arena, &after), ERR_OK);
    CHECK_INT(after.counter, before.counter);
    CHECK_INT(after.last_used_at, before.last_used_at);
    CHECK_INT(after.revoked_at, 0);
}

TEST(a_repeat_tells_what_is_left_of_the_idle_limit_in_whole_seconds_rounded_up)
{
    WORLD(w, d);
    REQUEST(r);
    struct span parent = register_and_log_in(&d, &r).refresh_token;
    pass_ms(&w, 1500);
    struct auth_tokens tokens = child_of(&d, &r, parent);
    CHECK_INT(tokens.expires_in_s, 3600);
    CHECK_INT(tokens.refresh_expires_in_s, 1209600);
    pass_ms(&w, 1500);
    CHECK_INT(child_of(&d, &r, parent).refresh_expires_in_s, 1209600 - 1);
}

/* OpenID Connect wants auth_time <= iat; both have whole seconds. */
TEST(f_nobody_has_logged_in_after_his_token_was_issued_wherever_clocks_are)
{
    static const int64_t apart_ms[] = { -30000, -1, 0, 1, 30000 };
    for (size_t i = 0; i < sizeof(apart_ms) / sizeof(apart_ms[0]); i++) {
        WORLD(w, d);
        REQUEST(r);
        DOOR(other);
        struct clock clock = { .frozen_ms = START_MS + apart_ms[i] };
        struct token_claims claims;
        door_open_at(&w, &clock, &other);
        struct auth_tokens tokens = register_and_log_in(&d, &r);
        tokens = child_of(&other, &r, tokens.refresh_token);
        int64_t now_ms = START_MS + apart_ms[i];
        CHECK_ERR(token_verify(d.tokens, tokens.access_token, START_MS, &r.arena, &claims), ERR_OK);
        CHECK_INT(claims.issued_at_s, now_ms / 1000);
        CHECK_INT(claims.auth_time_s, (apart_ms[i] < 0 ? now_ms : START_MS) / 1000);
        tokens = child_of(&d, &r, tokens.refresh_token);
        CHECK_INT(caller_of(&other, &r, tokens).auth_time_s, START_MS / 1000);
    }
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(a_refresh_gives_another_token_and_an_access_token_of_the_same_session),
        cmocka_unit_test(a_many_parallel_refreshes_of_one_token_over_two_processes_give_one_child),
        cmocka_unit_test(b_a_lost_answer_and_a_retry_give_the_same_child_and_a_fresh_access_token),
        cmocka_unit_test(c_a_parent_after_the_window_ends_the_session_and_says_so_once),
        cmocka_unit_test(c_a_grandparent_ends_the_session_within_the_window_too),
        cmocka_unit_test(c_a_reuse_ends_that_session_and_no_other),
        cmocka_unit_test(d_the_window_counts_from_the_first_use_and_repeats_do_not_stretch_it),
        cmocka_unit_test(e_a_logout_that_races_refreshes_always_wins),
        cmocka_unit_test(e_a_password_change_that_races_refreshes_always_wins),
        cmocka_unit_test(
            f_clocks_of_processes_that_are_thirty_seconds_apart_change_nothing_for_a_chain),
        cmocka_unit_test(f_a_clock_that_goes_back_within_the_window_keeps_the_parent_good),
        cmocka_unit_test(f_nobody_has_logged_in_after_his_token_was_issued_wherever_clocks_are),
        cmocka_unit_test(h_junk_never_reaches_the_store),
        cmocka_unit_test(a_refresh_moves_the_idle_limit_and_never_the_absolute_one),
        cmocka_unit_test(an_idle_session_expires),
        cmocka_unit_test(a_counter_ahead_of_the_record_is_refused_and_ends_nothing),
        cmocka_unit_test(a_token_of_a_session_that_is_not_there_is_refused),
        cmocka_unit_test(a_token_that_was_made_with_another_master_key_advances_nothing),
        cmocka_unit_test(
            a_repeat_tells_what_is_left_of_the_idle_limit_in_whole_seconds_rounded_up));
}

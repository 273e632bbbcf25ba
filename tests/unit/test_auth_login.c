/* Logins: who is let in, who is not, and that nobody can tell why. */
#include "session.h"
#include "test_auth_world.h"

#include <stdatomic.h>

struct answer {
    enum err err;
    int64_t retry_after_s;
};

static struct answer answer_to(struct door *d, const char *name, const char *password)
{
    REQUEST(r);
    enum err e = try_login(d, &r, name, password);
    return (struct answer){ .err = e, .retry_after_s = r.call.retry_after_s };
}

static struct auth_user add_user(struct door *d, struct request *r, const char *username,
                                 const char *email)
{
    struct auth_registration in = { .username = span_of(username),
                                    .email = span_of(email),
                                    .password = SPAN(PASSWORD) };
    struct auth_input_errors errors;
    struct auth_user user = { 0 };
    CHECK_ERR(auth_register(d->auth, &r->call, &in, &errors, &user), ERR_OK);
    return user;
}

TEST(a_user_logs_in_by_every_name_in_any_case)
{
    static const char *const names[] = { "Ann", "aNN", "ann@example.org", "ANN@Example.ORG" };
    WORLD(w, d);
    REQUEST(r);
    struct auth_user user = add_user(&d, &r, "Ann", "Ann@Example.org");
    CHECK_SPAN(user.username, "Ann");
    CHECK_SPAN(user.email, "ann@example.org");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct auth_tokens tokens = log_in(&d, &r, names[i]);
        struct auth_caller caller = caller_of(&d, &r, tokens);
        CHECK(uuid_equal(caller.user_id, user.id));
        CHECK_SPAN(caller.username, "Ann");
        CHECK_INT(caller.auth_time_s, START_MS / 1000);
    }
}

/* Hashing and waiting for it takes its time, and a session is of when the password was given. */
TEST(a_session_is_as_old_as_its_login_and_lasts_from_its_opening_on)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_user ann = register_user(&d, &r, "ann");
    struct store_user user = { 0 };
    struct store_session session = { .created_at = START_MS };
    CHECK_ERR(store_user_by_id(d.store, ann.id, &r.arena, &user), ERR_OK);
    pass_ms(&w, 5000);
    CHECK_ERR(session_open(d.auth, &r.call, &user, &session), ERR_OK);
    CHECK_INT(session.created_at, START_MS);
    CHECK_INT(session.last_used_at, START_MS + 5000);
    CHECK_INT(session.idle_expires_at, START_MS + 5000 + 1209600 * INT64_C(1000));
    CHECK_INT(session.expires_at, START_MS + 5000 + 7776000 * INT64_C(1000));
}

TEST(a_member_names_only_what_it_says)
{
    WORLD(w, d);
    REQUEST(r);
    (void)add_user(&d, &r, "ann", "ann@example.org");
    struct auth_login_input in = { .username = SPAN("ann@example.org"),
                                   .password = SPAN(PASSWORD) };
    struct auth_user user;
    struct auth_tokens tokens;
    bool known = true;
    CHECK_ERR(auth_login(d.auth, &r.call, &in, &user, &tokens, &known), ERR_BAD_CREDENTIALS);
    CHECK(!known);
    in.username = SPAN_NONE;
    in.email = SPAN("ann");
    CHECK_ERR(auth_login(d.auth, &r.call, &in, &user, &tokens, &known), ERR_BAD_CREDENTIALS);
    in.email = SPAN("ANN@example.org");
    CHECK_ERR(auth_login(d.auth, &r.call, &in, &user, &tokens, &known), ERR_OK);
    CHECK(known);
}

TEST(a_login_takes_exactly_one_name_and_a_password_within_their_lengths)
{
    static char long_text[PASSWORD_MAX_BYTES + 2];
    memset(long_text, 'a', sizeof(long_text) - 1);
    struct span name = SPAN("ann");
    struct span password = SPAN(PASSWORD);
    struct span name_254 = { long_text, 254 };
    struct span name_255 = { long_text, 255 };
    struct span password_max = { long_text, PASSWORD_MAX_BYTES };
    struct span password_over = { long_text, PASSWORD_MAX_BYTES + 1 };
    const struct {
        struct auth_login_input in;
        enum err expected;
    } cases[] = {
        { { .password = password }, ERR_INVALID_INPUT },
        { { .username = name }, ERR_INVALID_INPUT },
        { { .username = name, .email = name, .password = password }, ERR_INVALID_INPUT },
        { { .username = name, .identifier = name, .password = password }, ERR_INVALID_INPUT },
        { { .username = name_255, .password = password }, ERR_INVALID_INPUT },
        { { .email = name_255, .password = password }, ERR_INVALID_INPUT },
        { { .identifier = name_255, .password = password }, ERR_INVALID_INPUT },
        { { .username = SPAN("a\0b"), .password = password }, ERR_INVALID_INPUT },
        { { .username = name, .password = SPAN("correct\0horse") }, ERR_INVALID_INPUT },
        { { .username = name, .password = password_over }, ERR_INVALID_INPUT },
        { { .username = name_254, .password = password }, ERR_BAD_CREDENTIALS },
        { { .username = SPAN("b"), .password = password_max }, ERR_BAD_CREDENTIALS },
        { { .username = SPAN(""), .password = password }, ERR_BAD_CREDENTIALS },
        { { .username = SPAN("c"), .password = SPAN("") }, ERR_BAD_CREDENTIALS },
    };
    WORLD(w, d);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        REQUEST(r);
        struct auth_user user;
        struct auth_tokens tokens;
        bool known = false;
        CHECK_ERR(auth_login(d.auth, &r.call, &cases[i].in, &user, &tokens, &known),
                  cases[i].expected);
    }
}

/* The whole series of answers: failures, the throttle with its growing waits, and after them. */
static void check_same_series(struct world *w, struct door *d, const char *known,
                              const char *password)
{
    for (int i = 0; i < 14; i++) {
        struct answer of_known = answer_to(d, known, password);
        struct answer of_stranger = answer_to(d, "nobody-of-that-name", password);
        CHECK_ERR(of_known.err, of_stranger.err);
        CHECK_INT(of_known.retry_after_s, of_stranger.retry_after_s);
        CHECK(of_known.err == (i < 4 || i % 2 == 1 ? ERR_BAD_CREDENTIALS : ERR_TOO_MANY_ATTEMPTS));
        if (of_known.err == ERR_TOO_MANY_ATTEMPTS) {
            pass_ms(w, of_known.retry_after_s * 1000);
        }
    }
}

TEST(an_account_a_stranger_and_a_wrong_password_get_the_same_answers_and_waits)
{
    WORLD(w, d);
    REQUEST(r);
    (void)register_user(&d, &r, "ann");
    check_same_series(&w, &d, "ann", "wrong password");
}

TEST(a_disabled_account_answers_as_a_stranger_even_to_the_right_password)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_user user = register_user(&d, &r, "ann");
    CHECK_ERR(auth_user_set_disabled(d.auth, &r.call, user.id, true), ERR_OK);
    check_same_series(&w, &d, "ann", PASSWORD);
}

TEST(all_spellings_of_one_account_share_one_counter)
{
    static const char *const names[] = { "ann", "ANN", "ann@example.org", "Ann@Example.Org" };
    WORLD(w, d);
    REQUEST(r);
    (void)add_user(&d, &r, "ann", "ann@example.org");
    for (size_t i = 0; i < 4; i++) {
        CHECK_ERR(answer_to(&d, names[i], "wrong password").err, ERR_BAD_CREDENTIALS);
    }
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_TOO_MANY_ATTEMPTS);
}

TEST(the_owner_gets_in_when_the_longest_wait_is_over_and_starts_anew)
{
    WORLD(w, d);
    REQUEST(r);
    (void)register_user(&d, &r, "ann");
    for (int i = 0; i < 40; i++) {
        (void)answer_to(&d, "ann", "wrong password");
        pass_ms(&w, 60000);
    }
    struct answer last = answer_to(&d, "ann", "wrong password");
    CHECK_ERR(last.err, ERR_BAD_CREDENTIALS);
    last = answer_to(&d, "ann", PASSWORD);
    CHECK_ERR(last.err, ERR_TOO_MANY_ATTEMPTS);
    CHECK_INT(last.retry_after_s, 60);
    pass_ms(&w, 60000);
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_OK);
    for (int i = 0; i < 4; i++) {
        CHECK_ERR(answer_to(&d, "ann", "wrong password").err, ERR_BAD_CREDENTIALS);
    }
}

/* ---- many at once ---- */
#define LOGIN_ATTEMPTS 3 /* of the world's doors */
#define CROWD          24

struct crowd {
    struct door *doors[2];
    const char *name;
    const char *password; /* NULL: each has one of its own */
    pthread_barrier_t start;
    atomic_int next, outcomes[ERR_COUNT];
};

static void *log_in_with_the_crowd(void *argument)
{
    struct crowd *c = argument;
    int index = atomic_fetch_add(&c->next, 1);
    char own[32];
    (void)snprintf(own, sizeof(own), "wrong password %d", index);
    (void)pthread_barrier_wait(&c->start);
    struct request r;
    request_start(&r);
    enum err e =
        try_login(c->doors[index % 2], &r, c->name, c->password != NULL ? c->password : own);
    request_auto(&r);
    atomic_fetch_add(&c->outcomes[e], 1);
    return NULL;
}

/* CROWD logins at once, by turns through both doors; gives how many had this answer. */
static int crowd(struct door *a, struct door *b, const char *name, const char *password,
                 enum err answer)
{
    pthread_t threads[CROWD];
    struct crowd c = { .doors = { a, b }, .name = name, .password = password };
    CHECK(pthread_barrier_init(&c.start, NULL, CROWD) == 0);
    for (size_t i = 0; i < CROWD; i++) {
        CHECK(pthread_create(&threads[i], NULL, log_in_with_the_crowd, &c) == 0);
    }
    for (size_t i = 0; i < CROWD; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    (void)pthread_barrier_destroy(&c.start);
    CHECK_INT(c.outcomes[ERR_OK] + c.outcomes[ERR_BAD_CREDENTIALS] +
                  c.outcomes[ERR_TOO_MANY_ATTEMPTS],
              CROWD);
    return c.outcomes[answer];
}

TEST(guesses_at_the_same_time_in_two_processes_get_no_more_tries_than_one_after_the_other)
{
    static const char *const names[] = { "ann", "nobody", "nobody@example.org" };
    static const char *const passwords[] = { NULL, "wrong password" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t k = 0; k < sizeof(passwords) / sizeof(passwords[0]); k++) {
            WORLD(w, d);
            DOOR(other);
            door_open(&w, &other);
            REQUEST(r);
            (void)register_user(&d, &r, "ann");
            CHECK_INT(crowd(&d, &other, names[i], passwords[k], ERR_BAD_CREDENTIALS),
                      LOGIN_ATTEMPTS + 1);
            CHECK_INT(crowd(&d, &other, names[i], passwords[k], ERR_BAD_CREDENTIALS), 0);
            pass_ms(&w, 1000);
            CHECK_INT(crowd(&d, &other, names[i], passwords[k], ERR_BAD_CREDENTIALS), 1);
        }
    }
}

TEST(a_client_that_logs_in_many_times_at_once_is_no_guesser)
{
    WORLD(w, d);
    REQUEST(r);
    (void)register_user(&d, &r, "ann");
    for (int i = 0; i < 5; i++) {
        CHECK_INT(crowd(&d, &d, "ann", PASSWORD, ERR_OK), CROWD);
        CHECK_ERR(answer_to(&d, "ann", "wrong password").err, ERR_BAD_CREDENTIALS);
    }
}

TEST(a_waiting_account_is_not_opened_by_a_crowd_with_the_right_password)
{
    WORLD(w, d);
    REQUEST(r);
    (void)register_user(&d, &r, "ann");
    for (int i = 0; i <= LOGIN_ATTEMPTS; i++) {
        CHECK_ERR(answer_to(&d, "ann", "wrong password").err, ERR_BAD_CREDENTIALS);
    }
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_TOO_MANY_ATTEMPTS);
    CHECK_INT(crowd(&d, &d, "ann", PASSWORD, ERR_TOO_MANY_ATTEMPTS), CROWD);
    pass_ms(&w, 1000);
    CHECK_INT(crowd(&d, &d, "ann", PASSWORD, ERR_OK), CROWD);
}

TEST(a_counter_is_shared_by_processes_and_outlives_them)
{
    WORLD(w, d);
    REQUEST(r);
    (void)register_user(&d, &r, "ann");
    for (int i = 0; i < 4; i++) {
        DOOR(other);
        door_open(&w, &other);
        CHECK_ERR(answer_to(&other, "ann", "wrong password").err, ERR_BAD_CREDENTIALS);
    }
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_TOO_MANY_ATTEMPTS);
}

TEST(a_strangers_counter_is_shared_by_processes_and_outlives_them)
{
    WORLD(w, d);
    for (int i = 0; i < 4; i++) {
        DOOR(other);
        door_open(&w, &other);
        CHECK_ERR(answer_to(&other, i % 2 == 0 ? "nobody" : "NoBody", "wrong password").err,
                  ERR_BAD_CREDENTIALS);
    }
    CHECK_ERR(answer_to(&d, "nobody", PASSWORD).err, ERR_TOO_MANY_ATTEMPTS);
}

/* Else one would tell: of an account both are free, of a stranger the one is used up. */
TEST(a_username_and_an_email_of_the_same_letters_are_counted_apart)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_login_input in = { .username = SPAN("nobody"), .password = SPAN("x") };
    struct auth_user user;
    struct auth_tokens tokens;
    bool known;
    for (int i = 0; i <= LOGIN_ATTEMPTS; i++) {
        CHECK_ERR(auth_login(d.auth, &r.call, &in, &user, &tokens, &known), ERR_BAD_CREDENTIALS);
    }
    CHECK_ERR(auth_login(d.auth, &r.call, &in, &user, &tokens, &known), ERR_TOO_MANY_ATTEMPTS);
    in = (struct auth_login_input){ .email = SPAN("nobody"), .password = SPAN("x") };
    CHECK_ERR(auth_login(d.auth, &r.call, &in, &user, &tokens, &known), ERR_BAD_CREDENTIALS);
}

static void add_with_hash(struct door *d, const char *name, struct span hash)
{
    struct store_user user = { .username = span_of(name), .password_hash = hash };
    CHECK_ERR(uuid_new(START_MS, &user.id), ERR_OK);
    CHECK_ERR(store_user_add(d->store, &user), ERR_OK);
}

TEST(a_hostile_stored_hash_fails_for_its_own_user_only)
{
    static const char *const hashes[] = {
        "",
        "x",
        "$2b$",
        "$2x$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcdefghi",
        "$2b$99$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcdefghi",
        "$2b$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcdefgh"
    };
    WORLD(w, d);
    REQUEST(r);
    (void)register_user(&d, &r, "ann");
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "user%zu", i);
        add_with_hash(&d, name, span_of(hashes[i]));
        CHECK_ERR(answer_to(&d, name, PASSWORD).err, ERR_INTERNAL);
    }
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_OK);
}

/* A match of a cheap hash is quick; so what is stored must have no part in the answer. */
TEST(the_stored_hash_of_a_disabled_account_is_not_tried)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_user user = { 0 };
    add_with_hash(&d, "ann", SPAN("no hash at all"));
    CHECK_ERR(auth_user_find(d.auth, &r.call, SPAN("ann"), &user), ERR_OK);
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_INTERNAL);
    CHECK_ERR(auth_user_set_disabled(d.auth, &r.call, user.id, true), ERR_OK);
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_BAD_CREDENTIALS);
}

TEST(a_login_brings_a_hash_of_another_cost_to_the_configured_one)
{
    WORLD(w, d);
    REQUEST(r);
    struct password_options dearer = { .threads = 1, .cost = 5, .queue_max = 4 };
    AUTO(password_engine) struct password_engine *e = NULL;
    struct span hash = SPAN_NONE;
    struct store_user user = { 0 };
    CHECK_ERR(password_engine_new(&dearer, &e), ERR_OK);
    CHECK_ERR(password_hash(e, SPAN(PASSWORD), &r.arena, &hash), ERR_OK);
    add_with_hash(&d, "ann", hash);
    CHECK_ERR(answer_to(&d, "ann", "wrong password").err, ERR_BAD_CREDENTIALS);
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_OK);
    CHECK_ERR(store_user_by_username(d.store, SPAN("ann"), &r.arena, &user), ERR_OK);
    CHECK_SPAN(span_slice(user.password_hash, 0, 7), "$2b$04$");
    CHECK_INT(user.failures, 0);
    CHECK_ERR(answer_to(&d, "ann", PASSWORD).err, ERR_OK);
}

/* All but one find another hash than the one that they have verified. */
TEST(a_crowd_that_logs_in_while_the_hash_is_renewed_leaves_no_failures_behind)
{
    WORLD(w, d);
    REQUEST(r);
    struct password_options dearer = { .threads = 1, .cost = 5, .queue_max = 4 };
    AUTO(password_engine) struct password_engine *e = NULL;
    struct span hash = SPAN_NONE;
    CHECK_ERR(password_engine_new(&dearer, &e), ERR_OK);
    CHECK_ERR(password_hash(e, SPAN(PASSWORD), &r.arena, &hash), ERR_OK);
    for (int i = 0; i < 5; i++) {
        struct store_user user = { 0 };
        char name[16];
        (void)snprintf(name, sizeof(name), "user%d", i);
        add_with_hash(&d, name, hash);
        CHECK_INT(crowd(&d, &d, name, PASSWORD, ERR_OK), CROWD);
        CHECK_ERR(store_user_by_username(d.store, span_of(name), &r.arena, &user), ERR_OK);
        CHECK_INT(user.failures, 0);
    }
}

TEST(every_login_opens_a_session_of_its_own_and_the_longest_unused_gives_way)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens first = register_and_log_in(&d, &r);
    struct auth_tokens newest = first;
    for (int i = 0; i < 5; i++) {
        pass_ms(&w, 1000);
        newest = log_in(&d, &r, "ann");
    }
    struct auth_session *sessions = NULL;
    size_t count = 0;
    struct auth_caller caller = caller_of(&d, &r, newest);
    CHECK_ERR(auth_sessions(d.auth, &r.call, &caller, &sessions, &count), ERR_OK);
    CHECK_INT(count, 5);
    CHECK_ERR(verify(&d, &r, first), ERR_TOKEN_REVOKED);
    CHECK_ERR(refresh_result(&d, &r, first.refresh_token), ERR_INVALID_REFRESH);
    CHECK_ERR(verify(&d, &r, newest), ERR_OK);
}

TEST(a_session_that_gives_way_here_ends_in_another_process_when_it_follows)
{
    WORLD(w, d);
    DOOR(other);
    door_open(&w, &other);
    REQUEST(r);
    struct auth_tokens first = register_and_log_in(&d, &r);
    CHECK_ERR(verify(&other, &r, first), ERR_OK);
    for (int i = 0; i < 5; i++) {
        pass_ms(&w, 1000);
        (void)log_in(&d, &r, "ann");
    }
    CHECK_ERR(auth_follow(other.auth), ERR_OK);
    CHECK_ERR(verify(&other, &r, first), ERR_TOKEN_REVOKED);
}

TEST(what_a_browser_says_of_itself_is_kept_short_and_printable)
{
    char agent[400];
    memset(agent, 0xff, sizeof(agent));
    WORLD(w, d);
    REQUEST(r);
    (void)register_user(&d, &r, "ann");
    r.call.agent = (struct span){ agent, sizeof(agent) };
    struct auth_caller caller = caller_of(&d, &r, log_in(&d, &r, "ann"));
    struct auth_session *sessions = NULL;
    size_t count = 0;
    CHECK_ERR(auth_sessions(d.auth, &r.call, &caller, &sessions, &count), ERR_OK);
    CHECK_INT(count, 1);
    CHECK_INT(sessions[0].agent.length, 256);
    CHECK(span_is_utf8(sessions[0].agent));
    CHECK(sessions[0].current);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(a_user_logs_in_by_every_name_in_any_case),
        cmocka_unit_test(a_session_is_as_old_as_its_login_and_lasts_from_its_opening_on),
        cmocka_unit_test(a_member_names_only_what_it_says),
        cmocka_unit_test(a_login_takes_exactly_one_name_and_a_password_within_their_lengths),
        cmocka_unit_test(an_account_a_stranger_and_a_wrong_password_get_the_same_answers_and_waits),
        cmocka_unit_test(a_disabled_account_answers_as_a_stranger_even_to_the_right_password),
        cmocka_unit_test(all_spellings_of_one_account_share_one_counter),
        cmocka_unit_test(the_owner_gets_in_when_the_longest_wait_is_over_and_starts_anew),
        cmocka_unit_test(
            guesses_at_the_same_time_in_two_processes_get_no_more_tries_than_one_after_the_other),
        cmocka_unit_test(a_client_that_logs_in_many_times_at_once_is_no_guesser),
        cmocka_unit_test(a_waiting_account_is_not_opened_by_a_crowd_with_the_right_password),
        cmocka_unit_test(a_counter_is_shared_by_processes_and_outlives_them),
        cmocka_unit_test(a_strangers_counter_is_shared_by_processes_and_outlives_them),
        cmocka_unit_test(a_username_and_an_email_of_the_same_letters_are_counted_apart),
        cmocka_unit_test(a_hostile_stored_hash_fails_for_its_own_user_only),
        cmocka_unit_test(the_stored_hash_of_a_disabled_account_is_not_tried),
        cmocka_unit_test(a_login_brings_a_hash_of_another_cost_to_the_configured_one),
        cmocka_unit_test(a_crowd_that_logs_in_while_the_hash_is_renewed_leaves_no_failures_behind),
        cmocka_unit_test(every_login_opens_a_session_of_its_own_and_the_longest_unused_gives_way),
        cmocka_unit_test(a_session_that_gives_way_here_ends_in_another_process_when_it_follows),
        cmocka_unit_test(what_a_browser_says_of_itself_is_kept_short_and_printable));
}

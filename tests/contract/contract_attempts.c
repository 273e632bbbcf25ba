/* contract_attempts.c - the wait that failed attempts cost an account, and a name without one. */
#include "contract.h"

#include <stdlib.h>

#define FREE_ATTEMPTS 3
#define MAX_WAIT_MS   5000

static struct store_user user_of(struct store *s, struct arena *a)
{
    struct store_user user = { 0 };
    CHECK_ERR(store_user_by_id(s, contract_id(1), a, &user), ERR_OK);
    return user;
}

/* `wait_ms`: from now on; 0 for none. */
static struct store *open_with_user(int64_t failures, int64_t wait_ms)
{
    struct store *s = contract_open_empty();
    struct store_user user = contract_user(1);
    user.failures = failures;
    user.not_before = wait_ms != 0 ? CONTRACT_START_MS + wait_ms : 0;
    CHECK_ERR(store_user_add(s, &user), ERR_OK);
    return s;
}

static void check_attempt(struct store *s, enum err expected, int64_t expected_wait_ms)
{
    struct store_attempt attempt = { 0 };
    CHECK_ERR(store_user_attempt(s, contract_id(1), FREE_ATTEMPTS, MAX_WAIT_MS, &attempt),
              expected);
    if (expected == ERR_TOO_MANY_ATTEMPTS) {
        CHECK_WAIT(attempt.wait_ms, expected_wait_ms);
    }
}

/* A session of the user's, as a login opens it. */
static void open_session(struct store *s, uint64_t number, int64_t attempt)
{
    struct store_session session = contract_session(number, contract_id(1));
    session.attempt = attempt;
    CHECK_ERR(store_session_add(s, &session, 1000, NULL), ERR_OK);
}

static int64_t count_attempt(struct store *s)
{
    struct store_attempt attempt = { 0 };
    CHECK_ERR(store_user_attempt(s, contract_id(1), FREE_ATTEMPTS, MAX_WAIT_MS, &attempt), ERR_OK);
    CHECK(attempt.number != 0);
    return attempt.number;
}

/* All that are free, and the first that costs a wait. */
static void use_up_all(struct store *s)
{
    for (int i = 0; i < FREE_ATTEMPTS + 1; i++) {
        check_attempt(s, ERR_OK, 0);
    }
    check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 1000);
}

TEST(the_first_attempts_are_free_and_counted)
{
    AUTO(store) struct store *s = open_with_user(0, 0);
    CONTRACT_ARENA(a);
    for (int i = 0; i < FREE_ATTEMPTS; i++) {
        check_attempt(s, ERR_OK, 0);
    }
    struct store_user user = user_of(s, &a);
    CHECK_INT(user.failures, FREE_ATTEMPTS);
    CHECK_TIME(user.not_before, CONTRACT_START_MS);
}

TEST(then_the_wait_doubles_up_to_its_maximum)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS, 0);
    static const int64_t waits[] = { 1000, 2000, 4000, MAX_WAIT_MS, MAX_WAIT_MS };
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        check_attempt(s, ERR_OK, 0);
        check_attempt(s, ERR_TOO_MANY_ATTEMPTS, waits[i]);
        contract_pass_time(waits[i] - contract_moment_ms());
        check_attempt(s, ERR_TOO_MANY_ATTEMPTS, contract_moment_ms());
        contract_pass_time(contract_moment_ms());
    }
}

TEST(a_refused_attempt_is_not_counted)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS, 0);
    CONTRACT_ARENA(a);
    check_attempt(s, ERR_OK, 0);
    for (int i = 0; i < 5; i++) {
        check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 1000);
    }
    CHECK_INT(user_of(s, &a).failures, FREE_ATTEMPTS + 1);
}

TEST(a_success_makes_attempts_free_again)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS + 2, 0);
    check_attempt(s, ERR_OK, 0);
    struct store_user_change success = { .reset_failures = true };
    CHECK_ERR(store_user_change(s, contract_id(1), &success, NULL), ERR_OK);
    for (int i = 0; i < FREE_ATTEMPTS; i++) {
        check_attempt(s, ERR_OK, 0);
    }
}

TEST(the_session_of_an_attempt_forgets_the_failures_and_the_wait)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS + 2, 0);
    open_session(s, 1, count_attempt(s));
    use_up_all(s);
}

TEST(a_session_that_no_attempt_opened_forgets_nothing)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS, 0);
    check_attempt(s, ERR_OK, 0);
    open_session(s, 1, 0);
    check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 1000);
}

TEST(a_session_forgets_once)
{
    AUTO(store) struct store *s = open_with_user(0, 0);
    open_session(s, 1, count_attempt(s));
    use_up_all(s);
    contract_pass_time(1000);
    check_attempt(s, ERR_OK, 0);
    check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 2000);
}

TEST(somebody_elses_session_forgets_nothing)
{
    AUTO(store) struct store *s = open_with_user(0, 0);
    struct store_user other = contract_user(2);
    CHECK_ERR(store_user_add(s, &other), ERR_OK);
    struct store_session session = contract_session(1, other.id);
    session.attempt = 100;
    CHECK_ERR(store_session_add(s, &session, 10, NULL), ERR_OK);
    use_up_all(s);
}

TEST(logins_in_a_row_are_never_slowed)
{
    AUTO(store) struct store *s = open_with_user(0, 0);
    for (uint64_t i = 1; i <= 5 * FREE_ATTEMPTS; i++) {
        open_session(s, i, count_attempt(s));
    }
    use_up_all(s);
}

TEST(a_revoked_session_has_proved_its_attempt_all_the_same)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS, 0);
    open_session(s, 1, count_attempt(s));
    CHECK_ERR(store_session_revoke(s, contract_id(1)), ERR_OK);
    use_up_all(s);
}

TEST(the_success_of_one_of_many_at_once_forgets_the_others)
{
    AUTO(store) struct store *s = open_with_user(0, 0);
    int64_t first = count_attempt(s);
    int64_t second = count_attempt(s);
    (void)count_attempt(s);
    open_session(s, 2, second);
    use_up_all(s);
    open_session(s, 1, first); /* late; what it forgets is the store's choice */
    contract_pass_time(1000);
    check_attempt(s, ERR_OK, 0);
}

/* A backup of a busy store has sessions of later attempts than its users know of. */
TEST(logins_are_not_slowed_when_a_session_is_of_an_attempt_yet_to_come)
{
    AUTO(store) struct store *s = open_with_user(0, 0);
    open_session(s, 1000, 1000);
    for (uint64_t i = 1; i <= 5 * FREE_ATTEMPTS; i++) {
        open_session(s, i, count_attempt(s));
    }
    use_up_all(s);
}

/* As long as who waits could have tried as often. */
TEST(failures_are_forgotten_after_a_long_silence_and_not_before)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS, 0);
    int64_t silence_ms = STORE_FORGET_WAITS(FREE_ATTEMPTS) * MAX_WAIT_MS;
    check_attempt(s, ERR_OK, 0);
    contract_pass_time(1000 + silence_ms - 2 * contract_moment_ms());
    check_attempt(s, ERR_OK, 0);
    check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 2000);
    contract_pass_time(2000 + silence_ms + contract_moment_ms());
    use_up_all(s);
}

TEST(a_wait_longer_than_any_that_is_given_counts_as_over)
{
    AUTO(store)
    struct store *s = open_with_user(FREE_ATTEMPTS, MAX_WAIT_MS + contract_moment_ms());
    check_attempt(s, ERR_OK, 0);
    check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 1000);
}

TEST(extreme_numbers_neither_overflow_nor_open_the_door)
{
    AUTO(store) struct store *s = open_with_user(INT64_MAX, 0);
    CONTRACT_ARENA(a);
    struct store_attempt attempt;
    CHECK_ERR(store_user_attempt(s, contract_id(1), 0, INT64_MAX, &attempt), ERR_OK);
    struct store_user user = user_of(s, &a);
    CHECK(user.failures > 1000);
    CHECK(user.not_before > CONTRACT_START_MS + INT64_C(24) * 3600 * 1000);
    CHECK_ERR(store_user_attempt(s, contract_id(1), 0, INT64_MAX, &attempt), ERR_TOO_MANY_ATTEMPTS);
    CHECK_ERR(store_user_attempt(s, contract_id(1), INT64_MIN, INT64_MIN, &attempt), ERR_OK);
}

TEST(an_attempt_on_an_unknown_account_is_not_found)
{
    AUTO(store) struct store *s = contract_open_empty();
    check_attempt(s, ERR_NOT_FOUND, 0);
}

/* ---- strangers ---- */
struct name {
    uint8_t bytes[STORE_STRANGER_BYTES];
};

/* Of the place `place`; names of one place differ in their last byte. */
static struct name name_of(unsigned place, uint8_t number)
{
    return (struct name){ { (uint8_t)(place >> 8), (uint8_t)place, [2] = 0xff, [15] = number } };
}

static void check_stranger(struct store *s, struct name name, enum err expected,
                           int64_t expected_wait_ms)
{
    struct store_attempt attempt = { 0 };
    CHECK_ERR(store_stranger_attempt(s, name.bytes, FREE_ATTEMPTS, MAX_WAIT_MS, &attempt),
              expected);
    if (expected == ERR_TOO_MANY_ATTEMPTS) {
        CHECK_WAIT(attempt.wait_ms, expected_wait_ms);
    }
}

static void use_up(struct store *s, struct name name)
{
    for (int i = 0; i < FREE_ATTEMPTS + 1; i++) {
        check_stranger(s, name, ERR_OK, 0);
    }
    check_stranger(s, name, ERR_TOO_MANY_ATTEMPTS, 1000);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* One step of a series: settings change and clocks go back in it, so that every branch of the rule
 * is met. With a clock that runs, nothing comes so close to a limit that the time between the two
 * calls would decide. */
struct step {
    int64_t free_attempts, max_wait_ms, pass_ms;
};

static struct step next_step(uint32_t *random, enum err last, int64_t last_wait_ms)
{
    struct step step = { .free_attempts = next_random(random) % 20 == 0 ? 0 : FREE_ATTEMPTS,
                         .max_wait_ms = next_random(random) % 30 == 0 ? 500 : MAX_WAIT_MS,
                         .pass_ms = (int64_t)(next_random(random) % 4000) - 800 };
    bool is_silence = next_random(random) % 25 == 0;
    if (contract_clock_runs()) {
        bool is_part = last_wait_ms > 3 * contract_moment_ms() && step.pass_ms % 2 == 0;
        step.max_wait_ms = MAX_WAIT_MS;
        step.pass_ms = last == ERR_OK ? 0
                       : is_part      ? last_wait_ms / 3
                                      : last_wait_ms + contract_moment_ms();
    }
    step.pass_ms = is_silence ? 2 * STORE_FORGET_WAITS(FREE_ATTEMPTS) * MAX_WAIT_MS : step.pass_ms;
    return step;
}

TEST(a_stranger_is_answered_as_a_user_in_any_series_of_attempts)
{
    AUTO(store) struct store *s = open_with_user(0, 0);
    struct name name = name_of(7, 1);
    uint32_t random = 1;
    int refused = 0;
    int steps = contract_clock_runs() ? 120 : 600;
    enum err of_user = ERR_OK;
    struct store_attempt attempts[2] = { 0 };
    for (int i = 0; i < steps; i++) {
        struct step step = next_step(&random, of_user, attempts[0].wait_ms);
        contract_pass_time(step.pass_ms);
        of_user = store_user_attempt(s, contract_id(1), step.free_attempts, step.max_wait_ms,
                                     &attempts[0]);
        enum err of_stranger = store_stranger_attempt(s, name.bytes, step.free_attempts,
                                                      step.max_wait_ms, &attempts[1]);
        CHECK_ERR(of_stranger, of_user);
        if (contract_clock_runs()) {
            CHECK(llabs(attempts[1].wait_ms - attempts[0].wait_ms) < contract_moment_ms());
        } else {
            CHECK_INT(attempts[1].wait_ms, attempts[0].wait_ms);
        }
        refused += of_user == ERR_TOO_MANY_ATTEMPTS;
    }
    CHECK(refused > steps / 6 && refused < steps * 5 / 6);
}

TEST(a_stranger_waits_by_the_stores_clock_from_the_first_attempt_if_none_is_free)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct name name = name_of(0, 0);
    struct store_attempt attempt;
    CHECK_ERR(store_stranger_attempt(s, name.bytes, 0, MAX_WAIT_MS, &attempt), ERR_OK);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, 0, MAX_WAIT_MS, &attempt),
              ERR_TOO_MANY_ATTEMPTS);
    CHECK_WAIT(attempt.wait_ms, 1000);
    contract_pass_time(1000);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, 0, MAX_WAIT_MS, &attempt), ERR_OK);
}

TEST(the_first_and_the_last_place_are_of_different_names)
{
    AUTO(store) struct store *s = contract_open_empty();
    use_up(s, name_of(0, 1));
    use_up(s, name_of(STORE_STRANGERS - 1, 1));
    use_up(s, name_of(256, 1));
    /* Longer ago than the wait, where the clock runs: what tells is that the next one is longer. */
    contract_pass_time(1000);
    check_stranger(s, name_of(0, 1), ERR_OK, 0);
    check_stranger(s, name_of(0, 1), ERR_TOO_MANY_ATTEMPTS, 2000);
}

TEST(a_name_takes_over_the_place_of_another_whose_failures_are_forgotten)
{
    AUTO(store) struct store *s = contract_open_empty();
    use_up(s, name_of(9, 1));
    use_up(s, name_of(9, 2));
    use_up(s, name_of(9, 1));
}

TEST(a_strangers_failures_are_there_after_closing_and_for_others_at_once)
{
    struct name name = name_of(9, 1);
    struct store *s = contract_open_empty();
    AUTO(store) struct store *other = contract_open_again();
    use_up(s, name);
    for (int64_t wait = 1000; wait < 4000; wait *= 2) {
        contract_pass_time(wait);
        check_stranger(s, name, ERR_OK, 0);
    }
    check_stranger(other, name, ERR_TOO_MANY_ATTEMPTS, 4000);
    store_close(s);
    AUTO(store) struct store *again = contract_open_again();
    check_stranger(again, name, ERR_TOO_MANY_ATTEMPTS, 4000);
}

TEST(sweeping_leaves_strangers)
{
    AUTO(store) struct store *s = contract_open_empty();
    bool more = true;
    use_up(s, name_of(9, 1));
    struct name name = name_of(9, 1);
    struct store_attempt attempt;
    contract_pass_time(INT64_C(1000) * 24 * 3600 * 1000);
    CHECK_ERR(store_sweep(s, 1000, &more), ERR_OK);
    /* Waits of a year, so that nothing is forgotten by itself. */
    CHECK_ERR(store_stranger_attempt(s, name.bytes, FREE_ATTEMPTS, INT64_MAX, &attempt), ERR_OK);
    check_stranger(s, name, ERR_TOO_MANY_ATTEMPTS, 2000);
}

TEST(extreme_numbers_are_harmless_for_strangers_as_well)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct name name = name_of(9, 1);
    struct store_attempt attempt;
    CHECK_ERR(store_stranger_attempt(s, name.bytes, INT64_MAX, INT64_MAX, &attempt), ERR_OK);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, INT64_MIN, INT64_MIN, &attempt), ERR_OK);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, INT64_MIN, INT64_MAX, &attempt), ERR_OK);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, INT64_MIN, INT64_MAX, &attempt),
              ERR_TOO_MANY_ATTEMPTS);
    CHECK(attempt.wait_ms > 0);
}

CONTRACT_GROUP(
    contract_attempts, cmocka_unit_test(the_first_attempts_are_free_and_counted),
    cmocka_unit_test(then_the_wait_doubles_up_to_its_maximum),
    cmocka_unit_test(a_refused_attempt_is_not_counted),
    cmocka_unit_test(a_success_makes_attempts_free_again),
    cmocka_unit_test(the_session_of_an_attempt_forgets_the_failures_and_the_wait),
    cmocka_unit_test(a_session_that_no_attempt_opened_forgets_nothing),
    cmocka_unit_test(a_session_forgets_once),
    cmocka_unit_test(somebody_elses_session_forgets_nothing),
    cmocka_unit_test(logins_in_a_row_are_never_slowed),
    cmocka_unit_test(logins_are_not_slowed_when_a_session_is_of_an_attempt_yet_to_come),
    cmocka_unit_test(a_revoked_session_has_proved_its_attempt_all_the_same),
    cmocka_unit_test(the_success_of_one_of_many_at_once_forgets_the_others),
    cmocka_unit_test(failures_are_forgotten_after_a_long_silence_and_not_before),
    cmocka_unit_test(a_wait_longer_than_any_that_is_given_counts_as_over),
    cmocka_unit_test(extreme_numbers_neither_overflow_nor_open_the_door),
    cmocka_unit_test(an_attempt_on_an_unknown_account_is_not_found),
    cmocka_unit_test(a_stranger_is_answered_as_a_user_in_any_series_of_attempts),
    cmocka_unit_test(a_stranger_waits_by_the_stores_clock_from_the_first_attempt_if_none_is_free),
    cmocka_unit_test(the_first_and_the_last_place_are_of_different_names),
    cmocka_unit_test(a_name_takes_over_the_place_of_another_whose_failures_are_forgotten),
    cmocka_unit_test(a_strangers_failures_are_there_after_closing_and_for_others_at_once),
    cmocka_unit_test(sweeping_leaves_strangers),
    cmocka_unit_test(extreme_numbers_are_harmless_for_strangers_as_well));

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

/* -1: nothing was told. */
static void check_wait(int64_t actual, int64_t expected)
{
    if (expected < 0) {
        CHECK_INT(actual, expected);
    } else {
        CHECK_WAIT(actual, expected);
    }
}

static void check_attempt(struct store *s, enum err expected, int64_t expected_wait_ms)
{
    int64_t wait = -1;
    CHECK_ERR(store_user_attempt(s, contract_id(1), FREE_ATTEMPTS, MAX_WAIT_MS, &wait), expected);
    check_wait(wait, expected_wait_ms);
}

TEST(the_first_attempts_are_free_and_counted)
{
    AUTO(store) struct store *s = open_with_user(0, 0);
    CONTRACT_ARENA(a);
    for (int i = 0; i < FREE_ATTEMPTS; i++) {
        check_attempt(s, ERR_OK, -1);
    }
    struct store_user user = user_of(s, &a);
    CHECK_INT(user.failures, FREE_ATTEMPTS);
    CHECK_INT(user.not_before, 0);
}

TEST(then_the_wait_doubles_up_to_its_maximum)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS, 0);
    static const int64_t waits[] = { 1000, 2000, 4000, MAX_WAIT_MS, MAX_WAIT_MS };
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        check_attempt(s, ERR_OK, -1);
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
    check_attempt(s, ERR_OK, -1);
    for (int i = 0; i < 5; i++) {
        check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 1000);
    }
    CHECK_INT(user_of(s, &a).failures, FREE_ATTEMPTS + 1);
}

TEST(a_success_makes_attempts_free_again)
{
    AUTO(store) struct store *s = open_with_user(FREE_ATTEMPTS + 2, 0);
    check_attempt(s, ERR_OK, -1);
    struct store_user_change success = { .reset_failures = true };
    CHECK_ERR(store_user_change(s, contract_id(1), &success, NULL), ERR_OK);
    for (int i = 0; i < FREE_ATTEMPTS; i++) {
        check_attempt(s, ERR_OK, -1);
    }
}

TEST(a_wait_longer_than_any_that_is_given_counts_as_over)
{
    AUTO(store)
    struct store *s = open_with_user(FREE_ATTEMPTS, MAX_WAIT_MS + contract_moment_ms());
    check_attempt(s, ERR_OK, -1);
    check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 1000);
}

TEST(extreme_numbers_neither_overflow_nor_open_the_door)
{
    AUTO(store) struct store *s = open_with_user(INT64_MAX, 0);
    CONTRACT_ARENA(a);
    int64_t wait = -1;
    CHECK_ERR(store_user_attempt(s, contract_id(1), 0, INT64_MAX, &wait), ERR_OK);
    struct store_user user = user_of(s, &a);
    CHECK(user.failures > 1000);
    CHECK(user.not_before > CONTRACT_START_MS + INT64_C(24) * 3600 * 1000);
    CHECK_ERR(store_user_attempt(s, contract_id(1), 0, INT64_MAX, &wait), ERR_TOO_MANY_ATTEMPTS);
    CHECK_ERR(store_user_attempt(s, contract_id(1), INT64_MIN, INT64_MIN, &wait), ERR_OK);
}

TEST(an_attempt_on_an_unknown_account_is_not_found)
{
    AUTO(store) struct store *s = contract_open_empty();
    check_attempt(s, ERR_NOT_FOUND, -1);
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
    int64_t wait = -1;
    CHECK_ERR(store_stranger_attempt(s, name.bytes, FREE_ATTEMPTS, MAX_WAIT_MS, &wait), expected);
    check_wait(wait, expected_wait_ms);
}

static void use_up(struct store *s, struct name name)
{
    for (int i = 0; i < FREE_ATTEMPTS + 1; i++) {
        check_stranger(s, name, ERR_OK, -1);
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
    if (contract_clock_runs()) {
        bool is_part = last_wait_ms > 3 * contract_moment_ms() && step.pass_ms % 2 == 0;
        step.max_wait_ms = MAX_WAIT_MS;
        step.pass_ms = last == ERR_OK ? 0
                       : is_part      ? last_wait_ms / 3
                                      : last_wait_ms + contract_moment_ms();
    }
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
    int64_t waits[2] = { -1, -1 };
    for (int i = 0; i < steps; i++) {
        struct step step = next_step(&random, of_user, waits[0]);
        contract_pass_time(step.pass_ms);
        waits[0] = waits[1] = -1;
        of_user =
            store_user_attempt(s, contract_id(1), step.free_attempts, step.max_wait_ms, &waits[0]);
        enum err of_stranger =
            store_stranger_attempt(s, name.bytes, step.free_attempts, step.max_wait_ms, &waits[1]);
        CHECK_ERR(of_stranger, of_user);
        if (contract_clock_runs()) {
            CHECK(llabs(waits[1] - waits[0]) < contract_moment_ms());
        } else {
            CHECK_INT(waits[1], waits[0]);
        }
        refused += of_user == ERR_TOO_MANY_ATTEMPTS;
    }
    CHECK(refused > steps / 6 && refused < steps * 5 / 6);
}

TEST(a_stranger_waits_by_the_stores_clock_from_the_first_attempt_if_none_is_free)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct name name = name_of(0, 0);
    int64_t wait = -1;
    CHECK_ERR(store_stranger_attempt(s, name.bytes, 0, MAX_WAIT_MS, &wait), ERR_OK);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, 0, MAX_WAIT_MS, &wait), ERR_TOO_MANY_ATTEMPTS);
    CHECK_WAIT(wait, 1000);
    contract_pass_time(1000);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, 0, MAX_WAIT_MS, &wait), ERR_OK);
}

TEST(the_first_and_the_last_place_are_of_different_names)
{
    AUTO(store) struct store *s = contract_open_empty();
    use_up(s, name_of(0, 1));
    use_up(s, name_of(STORE_STRANGERS - 1, 1));
    use_up(s, name_of(256, 1));
    check_stranger(s, name_of(0, 1), ERR_TOO_MANY_ATTEMPTS, 1000);
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
        check_stranger(s, name, ERR_OK, -1);
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
    contract_pass_time(INT64_C(1000) * 24 * 3600 * 1000);
    CHECK_ERR(store_sweep(s, 1000, &more), ERR_OK);
    check_stranger(s, name_of(9, 1), ERR_OK, -1);
    check_stranger(s, name_of(9, 1), ERR_TOO_MANY_ATTEMPTS, 2000);
}

TEST(extreme_numbers_are_harmless_for_strangers_as_well)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct name name = name_of(9, 1);
    int64_t wait = -1;
    CHECK_ERR(store_stranger_attempt(s, name.bytes, INT64_MAX, INT64_MAX, &wait), ERR_OK);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, INT64_MIN, INT64_MIN, &wait), ERR_OK);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, INT64_MIN, INT64_MAX, &wait), ERR_OK);
    CHECK_ERR(store_stranger_attempt(s, name.bytes, INT64_MIN, INT64_MAX, &wait),
              ERR_TOO_MANY_ATTEMPTS);
    CHECK(wait > 0);
}

CONTRACT_GROUP(
    contract_attempts, cmocka_unit_test(the_first_attempts_are_free_and_counted),
    cmocka_unit_test(then_the_wait_doubles_up_to_its_maximum),
    cmocka_unit_test(a_refused_attempt_is_not_counted),
    cmocka_unit_test(a_success_makes_attempts_free_again),
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

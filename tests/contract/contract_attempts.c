/* contract_attempts.c - the wait that failed attempts cost an account. */
#include "contract.h"

#define FREE_ATTEMPTS 3
#define MAX_WAIT_MS   5000

static struct store_user user_of(struct store *s, struct arena *a)
{
    struct store_user user = { 0 };
    CHECK_ERR(store_user_by_id(s, contract_id(1), a, &user), ERR_OK);
    return user;
}

static struct store *open_with_user(int64_t failures, int64_t not_before)
{
    struct store *s = contract_open_empty();
    struct store_user user = contract_user(1);
    user.failures = failures;
    user.not_before = not_before;
    CHECK_ERR(store_user_add(s, &user), ERR_OK);
    return s;
}

static void check_attempt(struct store *s, enum err expected, int64_t expected_wait_ms)
{
    int64_t wait = -1;
    CHECK_ERR(store_user_attempt(s, contract_id(1), FREE_ATTEMPTS, MAX_WAIT_MS, &wait), expected);
    CHECK_INT(wait, expected_wait_ms);
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
        contract_pass_time(waits[i] - 1);
        check_attempt(s, ERR_TOO_MANY_ATTEMPTS, 1);
        contract_pass_time(1);
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
    struct store *s = open_with_user(FREE_ATTEMPTS, CONTRACT_START_MS + MAX_WAIT_MS + 1);
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

CONTRACT_GROUP(contract_attempts, cmocka_unit_test(the_first_attempts_are_free_and_counted),
               cmocka_unit_test(then_the_wait_doubles_up_to_its_maximum),
               cmocka_unit_test(a_refused_attempt_is_not_counted),
               cmocka_unit_test(a_success_makes_attempts_free_again),
               cmocka_unit_test(a_wait_longer_than_any_that_is_given_counts_as_over),
               cmocka_unit_test(extreme_numbers_neither_overflow_nor_open_the_door),
               cmocka_unit_test(an_attempt_on_an_unknown_account_is_not_found));

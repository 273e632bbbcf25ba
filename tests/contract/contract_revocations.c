/* contract_revocations.c - what the processes follow. */
#include "contract.h"

static struct store_revocation of_user(uint64_t number, int64_t epoch, int64_t ttl_ms)
{
    return (struct store_revocation){ .id = contract_id(number),
                                      .is_user = true,
                                      .epoch = epoch,
                                      .keep = contract_id(500 + (uint64_t)epoch),
                                      .expires_at = CONTRACT_START_MS + ttl_ms };
}

static void put(struct store *s, struct store_revocation revocation)
{
    revocation.expires_at = contract_written(revocation.expires_at);
    CHECK_ERR(store_revocation_put(s, &revocation), ERR_OK);
}

/* The one revocation after `after`; its sequence is the result. */
static int64_t check_only_news(struct store *s, int64_t after, struct store_revocation expected)
{
    CONTRACT_ARENA(a);
    struct store_revocation *list = NULL;
    size_t count = 0;
    CHECK_ERR(store_revocation_since(s, after, 100, &a, &list, &count), ERR_OK);
    CHECK_INT(count, 1);
    contract_check_uuid(list[0].id, expected.id);
    CHECK(list[0].is_user == expected.is_user);
    CHECK_INT(list[0].epoch, expected.epoch);
    contract_check_uuid(list[0].keep, expected.keep);
    CHECK_TIME(list[0].expires_at, expected.expires_at);
    CHECK(list[0].sequence > after);
    return list[0].sequence;
}

static void check_no_news(struct store *s, int64_t after)
{
    CONTRACT_ARENA(a);
    struct store_revocation *list = NULL;
    size_t count = 77;
    CHECK_ERR(store_revocation_since(s, after, 100, &a, &list, &count), ERR_OK);
    CHECK_INT(count, 0);
}

TEST(a_revocation_is_news_once)
{
    AUTO(store) struct store *s = contract_open_empty();
    check_no_news(s, 0);
    struct store_revocation session = { .id = contract_id(1), .expires_at = CONTRACT_START_MS + 9 };
    put(s, session);
    int64_t at = check_only_news(s, 0, session);
    check_no_news(s, at);
    put(s, of_user(2, 4, 100));
    at = check_only_news(s, at, of_user(2, 4, 100));
    check_no_news(s, at);
}

TEST(repeating_or_lowering_a_revocation_is_no_news)
{
    AUTO(store) struct store *s = contract_open_empty();
    put(s, of_user(1, 4, 100));
    int64_t at = check_only_news(s, 0, of_user(1, 4, 100));
    put(s, of_user(1, 4, 100));
    put(s, of_user(1, 3, 100));
    put(s, of_user(1, 4, 99));
    put(s, of_user(1, 0, 0));
    check_no_news(s, at);
    check_only_news(s, 0, of_user(1, 4, 100));
}

TEST(the_highest_epoch_and_the_latest_expiry_win_and_are_news)
{
    AUTO(store) struct store *s = contract_open_empty();
    put(s, of_user(1, 4, 100));
    int64_t at = check_only_news(s, 0, of_user(1, 4, 100));

    put(s, of_user(1, 6, 50)); /* a higher epoch with its kept session, the later expiry stays */
    at = check_only_news(s, at, of_user(1, 6, 100));
    put(s, of_user(1, 5, 200)); /* a later expiry, the higher epoch and its kept session stay */
    at = check_only_news(s, at, of_user(1, 6, 200));
    check_no_news(s, at);
    check_only_news(s, 0, of_user(1, 6, 200));
}

TEST(a_session_and_a_user_of_one_id_are_two_things)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_revocation session = { .id = contract_id(1),
                                        .expires_at = CONTRACT_START_MS + 900 };
    put(s, session);
    int64_t at = check_only_news(s, 0, session);
    put(s, of_user(1, 4, 100));
    check_only_news(s, at, of_user(1, 4, 100));
}

TEST(news_come_in_order_and_in_pages)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    for (uint64_t i = 1; i <= 25; i++) {
        put(s, of_user(i, 1, 100));
    }
    int64_t after = 0;
    size_t seen = 0;
    for (size_t page = 0; page < 3; page++) {
        struct store_revocation *list = NULL;
        size_t count = 0;
        CHECK_ERR(store_revocation_since(s, after, 10, &a, &list, &count), ERR_OK);
        CHECK_INT(count, page < 2 ? 10 : 5);
        for (size_t i = 0; i < count; i++) {
            CHECK(list[i].sequence > after);
            after = list[i].sequence;
            contract_check_uuid(list[i].id, contract_id(++seen));
        }
    }
    check_no_news(s, after);
}

TEST(a_sequence_is_never_given_again_even_after_sweeping_and_opening)
{
    struct store *s = contract_open_empty();
    put(s, of_user(1, 1, 100));
    int64_t at = check_only_news(s, 0, of_user(1, 1, 100));
    contract_pass_time(INT64_C(25) * 3600 * 1000);
    bool more = false;
    CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
    if (!contract_backend.server_sweeps) {
        check_no_news(s, 0);
    }
    store_close(s);
    AUTO(store) struct store *again = contract_open_again();
    put(again, of_user(2, 1, 100));
    check_only_news(again, at, of_user(2, 1, 100));
}

CONTRACT_GROUP(contract_revocations, cmocka_unit_test(a_revocation_is_news_once),
               cmocka_unit_test(repeating_or_lowering_a_revocation_is_no_news),
               cmocka_unit_test(the_highest_epoch_and_the_latest_expiry_win_and_are_news),
               cmocka_unit_test(a_session_and_a_user_of_one_id_are_two_things),
               cmocka_unit_test(news_come_in_order_and_in_pages),
               cmocka_unit_test(a_sequence_is_never_given_again_even_after_sweeping_and_opening));

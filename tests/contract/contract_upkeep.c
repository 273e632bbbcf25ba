/* contract_upkeep.c - the key ring's records, the heartbeat and the sweep. */
#include "contract.h"

#define HOUR_MS (INT64_C(3600) * 1000)

static struct store_key key(const char *kid, const char *algorithm)
{
    return (struct store_key){ .kid = span_of(kid),
                               .algorithm = span_of(algorithm),
                               .state = STORE_KEY_ACTIVE,
                               .created_at = CONTRACT_START_MS,
                               .active_at = CONTRACT_START_MS + 1,
                               .expires_at = 0,
                               .public_jwk = SPAN("{\"kty\":\"EC\"}"),
                               .wrapped_private = SPAN("\x00\xff\x01") };
}

static size_t count_keys(struct store *s)
{
    CONTRACT_ARENA(a);
    struct store_key *keys = NULL;
    size_t count = 77;
    CHECK_ERR(store_key_list(s, &a, &keys, &count), ERR_OK);
    return count;
}

TEST(an_added_key_is_listed_with_all_that_it_has)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    CHECK_INT(count_keys(s), 0);
    struct store_key expected = key("k1", "ES256");
    CHECK_ERR(store_key_add_first(s, &expected), ERR_OK);
    struct store_key *keys = NULL;
    size_t count = 0;
    CHECK_ERR(store_key_list(s, &a, &keys, &count), ERR_OK);
    CHECK_INT(count, 1);
    CHECK(span_equal(keys[0].kid, expected.kid));
    CHECK(span_equal(keys[0].algorithm, expected.algorithm));
    CHECK_INT(keys[0].state, expected.state);
    CHECK_INT(keys[0].created_at, expected.created_at);
    CHECK_INT(keys[0].active_at, expected.active_at);
    CHECK_INT(keys[0].expires_at, expected.expires_at);
    CHECK(span_equal(keys[0].public_jwk, expected.public_jwk));
    CHECK(span_equal(keys[0].wrapped_private, expected.wrapped_private));
}

TEST(a_second_active_key_of_one_algorithm_is_a_conflict)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_key first = key("k2", "ES256");
    struct store_key second = key("k1", "ES256");
    struct store_key other = key("k0", "RS256");
    CHECK_ERR(store_key_add_first(s, &first), ERR_OK);
    CHECK_ERR(store_key_add_first(s, &second), ERR_CONFLICT);
    CHECK_ERR(store_key_add_first(s, &other), ERR_OK);
    other.algorithm = SPAN("PS256"); /* the kid is taken */
    CHECK_ERR(store_key_add_first(s, &other), ERR_CONFLICT);
    struct store_key *keys = NULL;
    size_t count = 0;
    CHECK_ERR(store_key_list(s, &a, &keys, &count), ERR_OK);
    CHECK_INT(count, 2);
    CHECK_SPAN(keys[0].kid, "k0");
    CHECK_SPAN(keys[1].kid, "k2");
}

TEST(a_retired_key_makes_room_for_a_first_one)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_key old = key("k1", "ES256");
    old.state = STORE_KEY_RETIRED;
    struct store_key fresh = key("k2", "ES256");
    CHECK_ERR(store_key_add_first(s, &old), ERR_OK);
    CHECK_ERR(store_key_add_first(s, &fresh), ERR_OK);
    CHECK_INT(count_keys(s), 2);
}

TEST(the_heart_beats_again_and_again)
{
    AUTO(store) struct store *s = contract_open_empty();
    CHECK_ERR(store_heartbeat(s), ERR_OK);
    contract_pass_time(2000);
    CHECK_ERR(store_heartbeat(s), ERR_OK);
}

static void fill(struct store *s)
{
    for (uint64_t i = 1; i <= 10; i++) {
        struct store_session session = contract_session(i, contract_id(77));
        session.idle_expires_at = CONTRACT_START_MS + (i <= 6 ? 0 : 48 * HOUR_MS);
        session.expires_at = CONTRACT_START_MS + 48 * HOUR_MS;
        CHECK_ERR(store_session_add(s, &session, 1000, NULL), ERR_OK);
        struct store_revocation revocation = { .id = contract_id(i),
                                               .expires_at = session.idle_expires_at };
        CHECK_ERR(store_revocation_put(s, &revocation), ERR_OK);
    }
    struct store_key old = key("k1", "ES256");
    old.state = STORE_KEY_RETIRED;
    old.expires_at = CONTRACT_START_MS;
    struct store_key open = key("k2", "ES256");
    CHECK_ERR(store_key_add_first(s, &old), ERR_OK);
    CHECK_ERR(store_key_add_first(s, &open), ERR_OK);
}

static size_t count_revocations(struct store *s)
{
    CONTRACT_ARENA(a);
    struct store_revocation *list = NULL;
    size_t count = 77;
    CHECK_ERR(store_revocation_since(s, 0, 100, &a, &list, &count), ERR_OK);
    return count;
}

static size_t count_sessions(struct store *s)
{
    CONTRACT_ARENA(a);
    size_t count = 0;
    for (uint64_t i = 1; i <= 10; i++) {
        struct store_session found = { 0 };
        enum err e = store_session_get(s, contract_id(i), &a, &found);
        CHECK(e == ERR_OK || e == ERR_NOT_FOUND);
        count += e == ERR_OK ? 1 : 0;
    }
    return count;
}

TEST(what_expired_less_than_a_day_ago_is_not_swept)
{
    AUTO(store) struct store *s = contract_open_empty();
    fill(s);
    contract_pass_time(24 * HOUR_MS);
    bool more = true;
    CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
    CHECK(!more);
    CHECK_INT(count_sessions(s), 10);
    CHECK_INT(count_revocations(s), 10);
    CHECK_INT(count_keys(s), 2);
}

TEST(what_expired_more_than_a_day_ago_is_swept_in_portions)
{
    AUTO(store) struct store *s = contract_open_empty();
    fill(s);
    contract_pass_time(24 * HOUR_MS + 1);
    bool more = false;
    size_t gone = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(store_sweep(s, 4, &more), ERR_OK);
        CHECK(more);
        gone += 4;
        CHECK_INT(count_sessions(s) + count_revocations(s) + count_keys(s), 22 - gone);
    }
    CHECK_ERR(store_sweep(s, 4, &more), ERR_OK);
    CHECK(!more);
    CHECK_INT(count_sessions(s), 4);
    CHECK_INT(count_revocations(s), 4);
    CHECK_INT(count_keys(s), 1);
    CHECK_ERR(store_sweep(s, 0, &more), ERR_OK);
}

TEST(a_tombstone_is_swept_after_thirty_days_and_the_living_never)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(1);
    struct store_user bob = contract_user(2);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    CHECK_ERR(store_user_add(s, &bob), ERR_OK);
    CHECK_ERR(store_user_delete(s, ann.id, SPAN_NONE, NULL), ERR_OK);
    bool more = true;
    contract_pass_time(30 * 24 * HOUR_MS);
    CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
    CHECK_ERR(store_user_add(s, &ann), ERR_CONFLICT);
    contract_pass_time(1);
    CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    CHECK_ERR(store_user_by_id(s, bob.id, &a, &bob), ERR_OK);
}

CONTRACT_GROUP(contract_upkeep, cmocka_unit_test(an_added_key_is_listed_with_all_that_it_has),
               cmocka_unit_test(a_second_active_key_of_one_algorithm_is_a_conflict),
               cmocka_unit_test(a_retired_key_makes_room_for_a_first_one),
               cmocka_unit_test(the_heart_beats_again_and_again),
               cmocka_unit_test(what_expired_less_than_a_day_ago_is_not_swept),
               cmocka_unit_test(what_expired_more_than_a_day_ago_is_swept_in_portions),
               cmocka_unit_test(a_tombstone_is_swept_after_thirty_days_and_the_living_never));

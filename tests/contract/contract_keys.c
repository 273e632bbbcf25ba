/* contract_keys.c - the key ring's records. */
#include "contract.h"

static struct store_key key(const char *kid, const char *algorithm, int64_t generation)
{
    return (struct store_key){ .kid = span_of(kid),
                               .algorithm = span_of(algorithm),
                               .generation = generation,
                               .created_at = CONTRACT_START_MS,
                               .active_at = CONTRACT_START_MS + 1,
                               .public_jwk = SPAN("{\"kty\":\"EC\"}"),
                               .wrapped_private = SPAN("\x00\xff\x01") };
}

static struct store_key *list(struct store *s, struct arena *a, size_t expected_count)
{
    struct store_key *keys = NULL;
    size_t count = 77;
    CHECK_ERR(store_key_list(s, a, &keys, &count), ERR_OK);
    CHECK_INT(count, expected_count);
    return keys;
}

TEST(an_added_key_is_listed_with_all_that_it_has)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    (void)list(s, &a, 0);
    struct store_key expected = key("k1", "ES256", 1);
    CHECK_ERR(store_key_add(s, &expected), ERR_OK);
    struct store_key *keys = list(s, &a, 1);
    CHECK(span_equal(keys[0].kid, expected.kid));
    CHECK(span_equal(keys[0].algorithm, expected.algorithm));
    CHECK_INT(keys[0].generation, 1);
    CHECK_TIME(keys[0].created_at, expected.created_at);
    CHECK_TIME(keys[0].active_at, expected.active_at);
    CHECK_INT(keys[0].retired_at, 0);
    CHECK(span_equal(keys[0].public_jwk, expected.public_jwk));
    CHECK(span_equal(keys[0].wrapped_private, expected.wrapped_private));
}

TEST(a_second_key_of_one_algorithm_and_generation_is_a_conflict_and_changes_nothing)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_key first = key("k2", "ES256", 1);
    struct store_key second = key("k1", "ES256", 1);
    second.public_jwk = SPAN("{}");
    CHECK_ERR(store_key_add(s, &first), ERR_OK);
    CHECK_ERR(store_key_add(s, &first), ERR_CONFLICT);
    CHECK_ERR(store_key_add(s, &second), ERR_CONFLICT);
    struct store_key *keys = list(s, &a, 1);
    CHECK_SPAN(keys[0].kid, "k2");
    CHECK(span_equal(keys[0].public_jwk, first.public_jwk));
}

TEST(a_kid_that_is_taken_is_a_conflict)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_key first = key("k1", "ES256", 1);
    struct store_key next = key("k1", "ES256", 2);
    struct store_key other = key("k1", "RS256", 1);
    CHECK_ERR(store_key_add(s, &first), ERR_OK);
    CHECK_ERR(store_key_add(s, &next), ERR_CONFLICT);
    CHECK_ERR(store_key_add(s, &other), ERR_CONFLICT);
    (void)list(s, &a, 1);
}

TEST(keys_are_listed_by_generation_and_algorithm)
{
    static const struct {
        const char *kid, *algorithm;
        int64_t generation;
    } added[] = { { "d", "RS256", 2 },
                  { "b", "RS256", 1 },
                  { "e", "ES256", 10 },
                  { "a", "ES256", 1 },
                  { "c", "ES256", 2 } };
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    for (size_t i = 0; i < 5; i++) {
        struct store_key k = key(added[i].kid, added[i].algorithm, added[i].generation);
        CHECK_ERR(store_key_add(s, &k), ERR_OK);
    }
    struct store_key *keys = list(s, &a, 5);
    for (size_t i = 0; i < 5; i++) {
        const char expected[] = { (char)('a' + i), '\0' };
        CHECK_SPAN(keys[i].kid, expected);
    }
}

TEST(retiring_sets_the_stores_time_once)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_key first = key("k1", "ES256", 1);
    struct store_key second = key("k2", "ES256", 2);
    CHECK_ERR(store_key_add(s, &first), ERR_OK);
    CHECK_ERR(store_key_add(s, &second), ERR_OK);
    contract_pass_time(5000);
    CHECK_ERR(store_key_retire(s, SPAN("k1")), ERR_OK);
    contract_pass_time(5000);
    CHECK_ERR(store_key_retire(s, SPAN("k1")), ERR_OK);
    CHECK_ERR(store_key_retire(s, SPAN("k3")), ERR_NOT_FOUND);
    struct store_key *keys = list(s, &a, 2);
    CHECK_TIME(keys[0].retired_at, CONTRACT_START_MS + 5000);
    CHECK_INT(keys[1].retired_at, 0);
    /* Its generation stays taken. */
    struct store_key again = key("k3", "ES256", 1);
    CHECK_ERR(store_key_add(s, &again), ERR_CONFLICT);
}

TEST(a_deleted_key_is_gone_and_nothing_else_is)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_key first = key("k1", "ES256", 1);
    struct store_key second = key("k2", "ES256", 2);
    CHECK_ERR(store_key_add(s, &first), ERR_OK);
    CHECK_ERR(store_key_add(s, &second), ERR_OK);
    CHECK_ERR(store_key_delete(s, SPAN("k1")), ERR_OK);
    CHECK_ERR(store_key_delete(s, SPAN("k1")), ERR_NOT_FOUND);
    CHECK_ERR(store_key_retire(s, SPAN("k1")), ERR_NOT_FOUND);
    CHECK_SPAN(list(s, &a, 1)[0].kid, "k2");
}

TEST(another_process_sees_what_was_added_and_retired)
{
    AUTO(store) struct store *s = contract_open_empty();
    AUTO(store) struct store *other = contract_open_again();
    CONTRACT_ARENA(a);
    struct store_key first = key("k1", "ES256", 1);
    CHECK_ERR(store_key_add(s, &first), ERR_OK);
    CHECK_INT(list(other, &a, 1)[0].retired_at, 0);
    CHECK_ERR(store_key_retire(other, SPAN("k1")), ERR_OK);
    CHECK_TIME(list(s, &a, 1)[0].retired_at, CONTRACT_START_MS);
}

/* A sweep of what expired long ago must leave all keys: whether one is over is auth's to say. */
TEST(sweeping_leaves_the_keys)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_key first = key("k1", "ES256", 1);
    bool more = true;
    CHECK_ERR(store_key_add(s, &first), ERR_OK);
    CHECK_ERR(store_key_retire(s, first.kid), ERR_OK);
    contract_pass_time(INT64_C(90) * 24 * 3600 * 1000);
    CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
    (void)list(s, &a, 1);
}

CONTRACT_GROUP(contract_keys, cmocka_unit_test(an_added_key_is_listed_with_all_that_it_has),
               cmocka_unit_test(
                   a_second_key_of_one_algorithm_and_generation_is_a_conflict_and_changes_nothing),
               cmocka_unit_test(a_kid_that_is_taken_is_a_conflict),
               cmocka_unit_test(keys_are_listed_by_generation_and_algorithm),
               cmocka_unit_test(retiring_sets_the_stores_time_once),
               cmocka_unit_test(a_deleted_key_is_gone_and_nothing_else_is),
               cmocka_unit_test(another_process_sees_what_was_added_and_retired),
               cmocka_unit_test(sweeping_leaves_the_keys));

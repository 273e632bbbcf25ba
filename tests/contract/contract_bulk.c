/* contract_bulk.c - many records at a time, and the walk over living sessions. */
#include "contract.h"

TEST(users_added_together_are_as_if_they_were_added_one_by_one)
{
    enum { USERS = STORE_MAX_BULK };
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user *users = ARENA_ARRAY(&a, struct store_user, USERS);
    enum err results[USERS] = { 0 };
    for (uint64_t i = 0; i < USERS; i++) {
        users[i] = contract_user(i + 1);
        CHECK_ERR(arena_printf(&a, &users[i].username, "bulk-%d", (int)i), ERR_OK);
        CHECK_ERR(arena_printf(&a, &users[i].email, "bulk-%d@example.org", (int)i), ERR_OK);
        CHECK_ERR(arena_copy(&a, users[i].password_hash, &users[i].password_hash), ERR_OK);
        results[i] = ERR_INTERNAL;
    }
    CHECK_ERR(store_users_add(s, users, USERS, results), ERR_OK);
    for (size_t i = 0; i < USERS; i++) {
        CHECK_ERR(results[i], ERR_OK);
    }
    struct store_user found = { 0 };
    CHECK_ERR(store_user_by_username(s, SPAN("BULK-255"), &a, &found), ERR_OK);
    contract_check_uuid(found.id, contract_id(USERS));
    CHECK_INT(found.session_epoch, users[USERS - 1].session_epoch);
    CHECK_TIME(found.created_at, users[USERS - 1].created_at);
}

TEST(of_users_added_together_those_in_each_others_way_are_told_and_the_rest_is_added)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    struct store_user same_id = contract_user(2);
    same_id.id = ann.id;
    struct store_user same_name = contract_user(3);
    same_name.username = ann.username;
    struct store_user fresh = contract_user(4);
    struct store_user same_email = contract_user(5);
    same_email.email = fresh.email;
    const struct store_user users[] = { ann, same_id, same_name, fresh, same_email, fresh };
    enum err results[6] = { ERR_OK };
    CHECK_ERR(store_users_add(s, users, 6, results), ERR_OK);
    CHECK_ERR(results[0], ERR_CONFLICT_USERNAME);
    CHECK_ERR(results[1], ERR_CONFLICT);
    CHECK_ERR(results[2], ERR_CONFLICT_USERNAME);
    CHECK_ERR(results[3], ERR_OK);
    CHECK_ERR(results[4], ERR_CONFLICT_EMAIL);
    CHECK_ERR(results[5], ERR_CONFLICT_USERNAME);
    struct store_user found = { 0 };
    CHECK_ERR(store_user_by_id(s, fresh.id, &a, &found), ERR_OK);
    CHECK_ERR(store_user_by_id(s, same_name.id, &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_id(s, same_email.id, &a, &found), ERR_NOT_FOUND);
}

TEST(a_deleted_users_id_stays_taken)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    enum err result = ERR_OK;
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    CHECK_ERR(store_user_delete(s, ann.id, SPAN_NONE, NULL), ERR_OK);
    ann.username = SPAN("other");
    ann.email = SPAN_NONE;
    CHECK_ERR(store_users_add(s, &ann, 1, &result), ERR_OK);
    CHECK_ERR(result, ERR_CONFLICT);
}

TEST(of_many_ids_the_users_that_are_there_are_found_but_no_deleted_one)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    for (uint64_t i = 1; i <= 4; i++) {
        struct store_user user = contract_user(i);
        CHECK_ERR(store_user_add(s, &user), ERR_OK);
    }
    CHECK_ERR(store_user_delete(s, contract_id(3), SPAN_NONE, NULL), ERR_OK);
    struct uuid ids[STORE_MAX_BULK];
    for (size_t i = 0; i < STORE_MAX_BULK; i++) {
        ids[i] = contract_id(STORE_MAX_BULK + 1 - i); /* 257 down to 2 */
    }
    struct store_user *users = NULL;
    size_t count = 77;
    CHECK_ERR(store_users_find(s, ids, STORE_MAX_BULK, &a, &users, &count), ERR_OK);
    CHECK_INT(count, 2);
    for (size_t i = 0; i < count; i++) {
        bool is_second = uuid_equal(users[i].id, contract_id(2));
        CHECK(is_second || uuid_equal(users[i].id, contract_id(4)));
        CHECK_SPAN(users[i].username, is_second ? "User-2" : "User-4");
    }
    CHECK(!uuid_equal(users[0].id, users[1].id));
    CHECK_ERR(store_users_find(s, ids, 0, &a, &users, &count), ERR_OK);
    CHECK_INT(count, 0);
}

TEST(sessions_added_together_evict_nobody_and_a_taken_id_is_told)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_session sessions[8];
    enum err results[8] = { ERR_OK };
    for (uint64_t i = 0; i < 8; i++) {
        sessions[i] = contract_session(10 + i, contract_id(1));
    }
    sessions[7].id = sessions[0].id;
    CHECK_ERR(store_sessions_add(s, sessions, 8, results), ERR_OK);
    for (size_t i = 0; i < 7; i++) {
        CHECK_ERR(results[i], ERR_OK);
    }
    CHECK_ERR(results[7], ERR_CONFLICT);
    struct store_session *listed = NULL;
    size_t count = 0;
    CHECK_ERR(store_session_list(s, contract_id(1), 100, &a, &listed, &count), ERR_OK);
    CHECK_INT(count, 7);
    struct store_session found = { 0 };
    CHECK_ERR(store_session_get(s, sessions[3].id, &a, &found), ERR_OK);
    CHECK_INT(found.counter, sessions[3].counter);
    CHECK(span_equal(found.master_key, sessions[3].master_key));
    CHECK_TIME(found.rotated_at, sessions[3].rotated_at);
}

static void add_session(struct store *s, uint64_t number, uint64_t user)
{
    struct store_session session = contract_session(number, contract_id(user));
    CHECK_ERR(store_session_add(s, &session, 50, NULL), ERR_OK);
}

/* Walks in steps of two, and checks that these sessions come, in this order. */
static void check_walk(struct store *s, struct store_session_place after, uint64_t last_user,
                       const uint64_t *expected, size_t expected_count)
{
    enum { STEP = 2 };
    CONTRACT_ARENA(a);
    size_t seen = 0;
    size_t count = STEP;
    while (count == STEP) {
        struct store_session *page = NULL;
        CHECK_ERR(store_session_scan(s, &after, contract_id(last_user), STEP, &a, &page, &count),
                  ERR_OK);
        for (size_t i = 0; i < count; i++, seen++) {
            CHECK(seen < expected_count);
            contract_check_uuid(page[i].id, contract_id(expected[seen]));
            after = (struct store_session_place){ page[i].user_id, page[i].id };
        }
    }
    CHECK_INT(seen, expected_count);
}

TEST(living_sessions_are_walked_over_by_user_and_id)
{
    AUTO(store) struct store *s = contract_open_empty();
    add_session(s, 31, 3);
    add_session(s, 12, 1);
    add_session(s, 22, 2);
    add_session(s, 35, 1);
    add_session(s, 21, 2);
    add_session(s, 41, 4);
    add_session(s, 23, 2);
    CHECK_ERR(store_session_revoke(s, contract_id(23)), ERR_OK);
    const struct store_session_place start = { 0 };
    check_walk(s, start, 3, (const uint64_t[]){ 12, 35, 21, 22, 31 }, 5);
    const struct store_session_place behind = { contract_id(2), contract_id(21) };
    check_walk(s, behind, 9, (const uint64_t[]){ 22, 31, 41 }, 3);
    check_walk(s, behind, 1, NULL, 0);
}

TEST(expired_sessions_are_not_walked_over)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_session idle = contract_session(11, contract_id(1));
    struct store_session old = contract_session(12, contract_id(1));
    idle.idle_expires_at = CONTRACT_START_MS + 1000;
    old.expires_at = CONTRACT_START_MS + 1000;
    CHECK_ERR(store_session_add(s, &idle, 50, NULL), ERR_OK);
    CHECK_ERR(store_session_add(s, &old, 50, NULL), ERR_OK);
    add_session(s, 13, 1);
    contract_pass_time(2000);
    const struct store_session_place start = { 0 };
    check_walk(s, start, 1, (const uint64_t[]){ 13 }, 1);
}

CONTRACT_GROUP(contract_bulk,
               cmocka_unit_test(users_added_together_are_as_if_they_were_added_one_by_one),
               cmocka_unit_test(
                   of_users_added_together_those_in_each_others_way_are_told_and_the_rest_is_added),
               cmocka_unit_test(a_deleted_users_id_stays_taken),
               cmocka_unit_test(of_many_ids_the_users_that_are_there_are_found_but_no_deleted_one),
               cmocka_unit_test(sessions_added_together_evict_nobody_and_a_taken_id_is_told),
               cmocka_unit_test(living_sessions_are_walked_over_by_user_and_id),
               cmocka_unit_test(expired_sessions_are_not_walked_over), );

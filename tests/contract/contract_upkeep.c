/* contract_upkeep.c - the heartbeat and the sweep. */
#include "contract.h"

#define HOUR_MS (INT64_C(3600) * 1000)

TEST(the_heart_beats_again_and_again)
{
    AUTO(store) struct store *s = contract_open_empty();
    CHECK_ERR(store_heartbeat(s), ERR_OK);
    contract_pass_time(2000);
    CHECK_ERR(store_heartbeat(s), ERR_OK);
}

/* Such a backend's own cases show that the server is told when. */
static void skip_where_the_server_sweeps(void)
{
    if (contract_backend.server_sweeps) {
        skip();
    }
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
    /* A clock that runs would pass the day during the test. */
    contract_pass_time(24 * HOUR_MS - (contract_clock_runs() ? HOUR_MS : 0));
    bool more = true;
    CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
    CHECK(!more);
    CHECK_INT(count_sessions(s), 10);
    CHECK_INT(count_revocations(s), 10);
}

TEST(what_expired_more_than_a_day_ago_is_swept_in_portions)
{
    skip_where_the_server_sweeps();
    AUTO(store) struct store *s = contract_open_empty();
    fill(s);
    contract_pass_time(48 * HOUR_MS + 1); /* a session may be left for a second day */
    bool more = false;
    size_t gone = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(store_sweep(s, 4, &more), ERR_OK);
        CHECK(more);
        gone += 4;
        CHECK_INT(count_sessions(s) + count_revocations(s), 20 - gone);
    }
    CHECK_ERR(store_sweep(s, 4, &more), ERR_OK);
    CHECK(!more);
    CHECK_INT(count_sessions(s), 4);
    CHECK_INT(count_revocations(s), 4);
    CHECK_ERR(store_sweep(s, 0, &more), ERR_OK);
}

TEST(a_session_is_swept_by_its_last_refresh)
{
    skip_where_the_server_sweeps();
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_session session = contract_session(1, contract_id(77));
    session.idle_expires_at = CONTRACT_START_MS + HOUR_MS;
    session.expires_at = CONTRACT_START_MS + 1000 * HOUR_MS;
    CHECK_ERR(store_session_add(s, &session, 10, NULL), ERR_OK);
    bool more = true;
    for (int64_t i = 0; i < 150; i++) {
        contract_pass_time(HOUR_MS / 2);
        struct store_rotation rotation = {
            .id = session.id, .master_key = session.master_key, .counter = i, .idle_ttl_ms = HOUR_MS
        };
        struct store_rotated r = { 0 };
        CHECK_ERR(store_session_rotate(s, &rotation, &a, &r), ERR_OK);
        CHECK(r.rotated);
        CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
        arena_reset(&a);
    }
    contract_pass_time(25 * HOUR_MS);
    CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
    CHECK_ERR(store_session_get(s, session.id, &a, &session), ERR_OK);
    contract_pass_time(24 * HOUR_MS + 1);
    CHECK_ERR(store_sweep(s, 100, &more), ERR_OK);
    CHECK_ERR(store_session_get(s, session.id, &a, &session), ERR_NOT_FOUND);
}

TEST(a_tombstone_is_swept_after_thirty_days_and_the_living_never)
{
    skip_where_the_server_sweeps();
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

CONTRACT_GROUP(contract_upkeep, cmocka_unit_test(the_heart_beats_again_and_again),
               cmocka_unit_test(what_expired_less_than_a_day_ago_is_not_swept),
               cmocka_unit_test(what_expired_more_than_a_day_ago_is_swept_in_portions),
               cmocka_unit_test(a_session_is_swept_by_its_last_refresh),
               cmocka_unit_test(a_tombstone_is_swept_after_thirty_days_and_the_living_never));

/* contract_sessions.c - sessions: adding, evicting, listing, rotating, revoking. */
#include "contract.h"

static const struct uuid user = { .bytes = { 5 } };

static void check_same_session(const struct store_session *actual,
                               const struct store_session *expected)
{
    contract_check_uuid(actual->id, expected->id);
    contract_check_uuid(actual->user_id, expected->user_id);
    CHECK_INT(actual->epoch, expected->epoch);
    CHECK(span_equal(actual->master_key, expected->master_key));
    CHECK_INT(actual->counter, expected->counter);
    CHECK_TIME(actual->created_at, expected->created_at);
    CHECK_TIME(actual->rotated_at, expected->rotated_at);
    CHECK_TIME(actual->last_used_at, expected->last_used_at);
    CHECK_TIME(actual->idle_expires_at, expected->idle_expires_at);
    CHECK_TIME(actual->expires_at, expected->expires_at);
    CHECK_TIME(actual->revoked_at, expected->revoked_at);
    CHECK(span_equal(actual->ip, expected->ip));
    CHECK(span_equal(actual->agent, expected->agent));
}

static void check_stored(struct store *s, const struct store_session *expected)
{
    CONTRACT_ARENA(a);
    struct store_session found = { 0 };
    CHECK_ERR(store_session_get(s, expected->id, &a, &found), ERR_OK);
    check_same_session(&found, expected);
}

static struct store_session add(struct store *s, uint64_t number)
{
    struct store_session session = contract_session(number, user);
    CHECK_ERR(store_session_add(s, &session, 1000, NULL), ERR_OK);
    return session;
}

static bool is_alive(struct store *s, uint64_t number)
{
    CONTRACT_ARENA(a);
    struct store_session found = { 0 };
    CHECK_ERR(store_session_get(s, contract_id(number), &a, &found), ERR_OK);
    return found.revoked_at == 0;
}

TEST(an_added_session_is_found_with_all_that_it_has)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_session session = contract_session(1, user);
    session.counter = 9;
    session.agent = SPAN("");
    session.master_key = SPAN("");
    CHECK_ERR(store_session_add(s, &session, 10, NULL), ERR_OK);
    check_stored(s, &session);
    add(s, 2);
}

TEST(an_unknown_session_is_not_found_by_any_call)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_session found = { .counter = 77 };
    struct store_rotation rotation = { .id = contract_id(1), .idle_ttl_ms = 1000 };
    struct store_rotated rotated = { .now_ms = 77 };
    CHECK_ERR(store_session_get(s, contract_id(1), &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_session_revoke(s, contract_id(1)), ERR_NOT_FOUND);
    CHECK_ERR(store_session_rotate(s, &rotation, &a, &rotated), ERR_NOT_FOUND);
    CHECK_INT(found.counter, 77);
    CHECK_INT(rotated.now_ms, 77);
}

TEST(a_session_is_found_together_with_its_user)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(5);
    struct store_session session = contract_session(1, ann.id);
    struct store_session found = { 0 };
    struct store_user found_user = { .failures = 77 };
    CHECK_ERR(store_session_get_with_user(s, session.id, &a, &found, &found_user), ERR_NOT_FOUND);
    CHECK_INT(found_user.failures, 77);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    CHECK_ERR(store_session_add(s, &session, 10, NULL), ERR_OK);
    CHECK_ERR(store_session_get_with_user(s, session.id, &a, &found, &found_user), ERR_OK);
    check_same_session(&found, &session);
    contract_check_uuid(found_user.id, ann.id);
    CHECK(span_equal(found_user.username, ann.username));
    CHECK(span_equal(found_user.roles, ann.roles));
    CHECK_INT(found_user.session_epoch, ann.session_epoch);
}

TEST(a_session_whose_user_is_not_there_or_deleted_is_found_without_one)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(5);
    struct store_session sessions[] = { contract_session(1, ann.id),
                                        contract_session(2, contract_id(6)) };
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    CHECK_ERR(store_user_delete(s, ann.id, SPAN_NONE, NULL), ERR_OK);
    for (size_t i = 0; i < 2; i++) {
        struct store_session found = { 0 };
        struct store_user none = { .id = ann.id, .failures = 77 };
        CHECK_ERR(store_session_add(s, &sessions[i], 10, NULL), ERR_OK);
        CHECK_ERR(store_session_get_with_user(s, sessions[i].id, &a, &found, &none), ERR_OK);
        check_same_session(&found, &sessions[i]);
        CHECK(uuid_is_nil(none.id));
    }
}

TEST(adding_a_session_twice_is_a_conflict_and_changes_nothing)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_session first = add(s, 1);
    struct store_session second = contract_session(1, user);
    second.counter = 4;
    CHECK_ERR(store_session_add(s, &second, 10, NULL), ERR_CONFLICT);
    check_stored(s, &first);
}

TEST(only_living_sessions_are_listed_newest_first_and_at_most_max)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    for (uint64_t i = 1; i <= 20; i++) {
        struct store_session session = contract_session(i, user);
        if (i == 20) {
            session.idle_expires_at = CONTRACT_START_MS;
        } else if (i == 19) {
            session.expires_at = CONTRACT_START_MS;
        }
        CHECK_ERR(store_session_add(s, &session, 1000, NULL), ERR_OK);
    }
    struct store_session stranger = contract_session(30, contract_id(31));
    CHECK_ERR(store_session_add(s, &stranger, 1000, NULL), ERR_OK);
    CHECK_ERR(store_session_revoke(s, contract_id(18)), ERR_OK);

    struct store_session *list = NULL;
    size_t count = 0;
    CHECK_ERR(store_session_list(s, user, 100, &a, &list, &count), ERR_OK);
    CHECK_INT(count, 17);
    for (size_t i = 0; i < count; i++) {
        contract_check_uuid(list[i].id, contract_id(17 - i));
    }
    CHECK_ERR(store_session_list(s, user, 5, &a, &list, &count), ERR_OK);
    CHECK_INT(count, 5);
    contract_check_uuid(list[0].id, contract_id(17));
    CHECK_ERR(store_session_list(s, contract_id(99), 5, &a, &list, &count), ERR_OK);
    CHECK_INT(count, 0);
}

TEST(beyond_the_maximum_the_longest_unused_sessions_are_revoked)
{
    AUTO(store) struct store *s = contract_open_empty();
    static const int64_t last_used[] = { 0, 50, 10, 40, 20, 30 };
    for (uint64_t i = 1; i <= 5; i++) {
        struct store_session session = contract_session(i, user);
        session.last_used_at = CONTRACT_START_MS + last_used[i];
        CHECK_ERR(store_session_add(s, &session, 1000, NULL), ERR_OK);
    }
    struct store_session stranger = contract_session(30, contract_id(31));
    CHECK_ERR(store_session_add(s, &stranger, 1, NULL), ERR_OK);
    struct store_session newest = contract_session(6, user);
    newest.last_used_at = CONTRACT_START_MS; /* it is never the one that goes */
    struct store_evicted evicted;
    CHECK_ERR(store_session_add(s, &newest, 3, &evicted), ERR_OK);
    CHECK_INT(evicted.count, 3);
    uint64_t told = 0; /* as a set: their order is the backend's */
    for (size_t i = 0; i < evicted.count; i++) {
        for (uint64_t id = 1; id <= 6; id++) {
            told |= uuid_equal(evicted.ids[i], contract_id(id)) ? UINT64_C(1) << id : 0;
        }
    }
    CHECK_INT(told, 1 << 2 | 1 << 4 | 1 << 5);
    static const bool alive[] = { false, true, false, true, false, false, true };
    for (uint64_t i = 1; i <= 6; i++) {
        CHECK(is_alive(s, i) == alive[i]);
    }
    CHECK(is_alive(s, 30));
}

TEST(a_session_within_the_maximum_evicts_nobody)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_session first = contract_session(1, user);
    struct store_evicted evicted = { .count = 7 };
    CHECK_ERR(store_session_add(s, &first, 1, &evicted), ERR_OK);
    CHECK_INT(evicted.count, 0);
    /* Nor does one that is not added. */
    evicted.count = 7;
    CHECK_ERR(store_session_add(s, &first, 1, &evicted), ERR_CONFLICT);
    CHECK_INT(evicted.count, 7);
}

TEST(of_many_sessions_beyond_the_maximum_each_call_evicts_a_part)
{
    AUTO(store) struct store *s = contract_open_empty();
    enum { LIVING = STORE_MAX_EVICTED + 10 };
    for (uint64_t i = 1; i <= LIVING; i++) {
        struct store_session session = contract_session(i, user);
        CHECK_ERR(store_session_add(s, &session, 1000, NULL), ERR_OK);
    }
    static const size_t gone[] = { STORE_MAX_EVICTED, LIVING + 1 - STORE_MAX_EVICTED, 1 };
    for (uint64_t i = 0; i < 3; i++) {
        struct store_session session = contract_session(200 + i, user);
        struct store_evicted evicted;
        CHECK_ERR(store_session_add(s, &session, 1, &evicted), ERR_OK);
        CHECK_INT(evicted.count, gone[i]);
    }
}

TEST(sessions_that_are_dead_by_epoch_do_not_push_out_the_kept_one)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    ann.session_epoch = 4;
    ann.epoch_keep = contract_id(100);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    for (uint64_t i = 100; i < 103; i++) {
        struct store_session old = contract_session(i, ann.id);
        old.last_used_at += (int64_t)i;
        CHECK_ERR(store_session_add(s, &old, 1000, NULL), ERR_OK);
    }
    struct store_session fresh = contract_session(200, ann.id);
    fresh.epoch = 4;
    CHECK_ERR(store_session_add(s, &fresh, 2, NULL), ERR_OK);
    CHECK(is_alive(s, 100));
    CHECK(is_alive(s, 200));
}

TEST(rotating_with_the_newest_counter_moves_counter_times_and_place)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_session expected = add(s, 1);
    contract_pass_time(700);
    struct store_rotation rotation = { .id = expected.id,
                                       .master_key = expected.master_key,
                                       .idle_ttl_ms = 5000,
                                       .ip = SPAN("2001:db8::1"),
                                       .agent = SPAN("$counter") };
    struct store_rotated r = { 0 };
    CHECK_ERR(store_session_rotate(s, &rotation, &a, &r), ERR_OK);
    CHECK(r.rotated);
    const struct store_session found = r.session;
    const int64_t now = r.now_ms;
    CHECK_TIME(now, CONTRACT_START_MS + 700);
    CHECK_INT(found.rotated_at, now);
    CHECK_INT(found.last_used_at, now);
    CHECK_INT(found.idle_expires_at, now + 5000);
    expected.counter = 1;
    expected.rotated_at = expected.last_used_at = contract_told(now);
    expected.idle_expires_at = contract_told(now) + 5000;
    expected.ip = rotation.ip;
    expected.agent = rotation.agent;
    check_same_session(&found, &expected);
    check_stored(s, &expected);
}

TEST(the_idle_limit_never_passes_the_absolute_one)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_session session = add(s, 1);
    static const int64_t ttls[] = { 1000001, INT64_MAX };
    for (int64_t i = 0; i < 2; i++) {
        struct store_rotation rotation = {
            .id = session.id, .master_key = session.master_key, .counter = i, .idle_ttl_ms = ttls[i]
        };
        struct store_rotated r = { 0 };
        CHECK_ERR(store_session_rotate(s, &rotation, &a, &r), ERR_OK);
        CHECK(r.rotated);
        CHECK_TIME(r.session.idle_expires_at, session.expires_at);
    }
}

TEST(a_rotation_finds_the_user_as_he_is_and_nobody_once_he_is_deleted)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(5);
    struct store_session session = contract_session(1, ann.id);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    CHECK_ERR(store_session_add(s, &session, 10, NULL), ERR_OK);
    struct store_rotation rotation = { .id = session.id,
                                       .master_key = session.master_key,
                                       .idle_ttl_ms = 5000 };
    struct store_user_change disable = { .state = STORE_DISABLE, .raise_epoch = 1 };
    int64_t epoch = 0;
    CHECK_ERR(store_user_change(s, ann.id, &disable, &epoch), ERR_OK);
    for (int again = 0; again < 2; again++) {
        struct store_rotated r = { 0 };
        CHECK_ERR(store_session_rotate(s, &rotation, &a, &r), ERR_OK);
        CHECK(r.rotated == (again == 0));
        CHECK(uuid_equal(r.user.id, ann.id));
        CHECK(r.user.disabled);
        CHECK_INT(r.user.session_epoch, epoch);
    }
    CHECK_ERR(store_user_delete(s, ann.id, SPAN_NONE, NULL), ERR_OK);
    struct store_rotated r = { 0 };
    rotation.counter = 1;
    CHECK_ERR(store_session_rotate(s, &rotation, &a, &r), ERR_OK);
    CHECK(r.rotated);
    CHECK(uuid_is_nil(r.user.id));
}

/* Rotates and expects that nothing is written, whatever the reason. */
static void check_not_rotated_with(struct store *s, const struct store_session *session,
                                   struct span master_key, int64_t counter)
{
    CONTRACT_ARENA(a);
    struct store_rotation rotation = { .id = session->id,
                                       .master_key = master_key,
                                       .counter = counter,
                                       .idle_ttl_ms = 5000,
                                       .ip = SPAN("other"),
                                       .agent = SPAN("other") };
    struct store_rotated r = { .rotated = true };
    CHECK_ERR(store_session_rotate(s, &rotation, &a, &r), ERR_OK);
    CHECK(!r.rotated);
    CHECK_TIME(r.now_ms, contract_now_ms());
    check_same_session(&r.session, session);
    check_stored(s, session);
}

static void check_not_rotated(struct store *s, const struct store_session *session, int64_t counter)
{
    check_not_rotated_with(s, session, session->master_key, counter);
}

TEST(any_other_counter_rotates_nothing_and_gives_the_record_as_it_stands)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_session session = contract_session(1, user);
    session.counter = 5;
    CHECK_ERR(store_session_add(s, &session, 10, NULL), ERR_OK);
    static const int64_t others[] = { 4, 6, 0, -1, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        check_not_rotated(s, &session, others[i]);
    }
}

TEST(a_token_of_another_master_key_rotates_nothing)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_session session = add(s, 1);
    const struct span others[] = { SPAN("mk\0\x02"), SPAN("mk"), SPAN("mk\0\x01x"), SPAN(""),
                                   SPAN_NONE };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        check_not_rotated_with(s, &session, others[i], session.counter);
    }
}

TEST(a_revoked_or_expired_session_does_not_rotate)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_session revoked = add(s, 1);
    CHECK_ERR(store_session_revoke(s, revoked.id), ERR_OK);
    revoked.revoked_at = CONTRACT_START_MS;
    check_not_rotated(s, &revoked, 0);

    struct store_session idle = contract_session(2, user);
    idle.idle_expires_at = CONTRACT_START_MS + 5000;
    CHECK_ERR(store_session_add(s, &idle, 10, NULL), ERR_OK);
    struct store_session old = contract_session(3, user);
    old.expires_at = CONTRACT_START_MS + 5000;
    CHECK_ERR(store_session_add(s, &old, 10, NULL), ERR_OK);
    contract_pass_time(5000);
    check_not_rotated(s, &idle, 0);
    check_not_rotated(s, &old, 0);
}

TEST(revoking_again_is_fine_and_keeps_the_first_time)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_session session = add(s, 1);
    CHECK_ERR(store_session_revoke(s, session.id), ERR_OK);
    contract_pass_time(1000);
    CHECK_ERR(store_session_revoke(s, session.id), ERR_OK);
    session.revoked_at = CONTRACT_START_MS;
    check_stored(s, &session);
}

CONTRACT_GROUP(
    contract_sessions, cmocka_unit_test(an_added_session_is_found_with_all_that_it_has),
    cmocka_unit_test(an_unknown_session_is_not_found_by_any_call),
    cmocka_unit_test(a_session_is_found_together_with_its_user),
    cmocka_unit_test(a_session_whose_user_is_not_there_or_deleted_is_found_without_one),
    cmocka_unit_test(adding_a_session_twice_is_a_conflict_and_changes_nothing),
    cmocka_unit_test(only_living_sessions_are_listed_newest_first_and_at_most_max),
    cmocka_unit_test(beyond_the_maximum_the_longest_unused_sessions_are_revoked),
    cmocka_unit_test(a_session_within_the_maximum_evicts_nobody),
    cmocka_unit_test(of_many_sessions_beyond_the_maximum_each_call_evicts_a_part),
    cmocka_unit_test(sessions_that_are_dead_by_epoch_do_not_push_out_the_kept_one),
    cmocka_unit_test(rotating_with_the_newest_counter_moves_counter_times_and_place),
    cmocka_unit_test(the_idle_limit_never_passes_the_absolute_one),
    cmocka_unit_test(a_rotation_finds_the_user_as_he_is_and_nobody_once_he_is_deleted),
    cmocka_unit_test(any_other_counter_rotates_nothing_and_gives_the_record_as_it_stands),
    cmocka_unit_test(a_token_of_another_master_key_rotates_nothing),
    cmocka_unit_test(a_revoked_or_expired_session_does_not_rotate),
    cmocka_unit_test(revoking_again_is_fine_and_keeps_the_first_time));

/* A move beside running services: what ends while records are on their way. */
#include "test_auth_world.h"

#include "transfer.h"

/* The next record of this type. False: there is none up to the end. */
static bool export_to(struct door *d, struct request *r, struct auth_export *x,
                      enum auth_record_type type, struct auth_record *ret_record)
{
    struct auth_record *records = NULL;
    size_t count = 0;
    do {
        CHECK_ERR(auth_export_next(d->auth, &r->call, x, &records, &count), ERR_OK);
        for (size_t i = 0; i < count; i++) {
            if (records[i].type == type) {
                *ret_record = records[i];
                return true;
            }
        }
    } while (count > 0);
    return false;
}

TEST(an_export_has_what_ended_while_it_ran_however_long_it_took)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_caller caller = caller_of(&d, &r, tokens);
    struct auth_export running = { .with_sessions = true };
    struct auth_record record;
    CHECK(export_to(&d, &r, &running, AUTH_RECORD_SESSION, &record));
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    pass_ms(&w, 2 * 3600 * INT64_C(1000)); /* the revocation has expired */
    CHECK(export_to(&d, &r, &running, AUTH_RECORD_REVOCATION, &record));
    CHECK(uuid_equal(record.revocation->id, caller.session_id));

    struct auth_export later = { .with_sessions = true };
    CHECK(!export_to(&d, &r, &later, AUTH_RECORD_REVOCATION, &record));
}

TEST(an_export_that_goes_on_has_what_ended_since_the_first_part)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_caller caller = caller_of(&d, &r, tokens);
    struct auth_export rest = { .with_sessions = true, .after = caller.user_id };
    struct auth_record record;
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    pass_ms(&w, 2 * 3600 * INT64_C(1000));
    CHECK(export_to(&d, &r, &rest, AUTH_RECORD_REVOCATION, &record));
    CHECK(uuid_equal(record.revocation->id, caller.session_id));
}

/* What a file says of an hour ago, as `other` imports it beside the service. */
static void import_old(struct world *w, struct door *other, struct request *r,
                       struct store_revocation revocation)
{
    struct auth_record record = { AUTH_RECORD_REVOCATION, { .revocation = &revocation } };
    struct auth_import_result result;
    revocation.expires_at = atomic_load(&w->clock.frozen_ms) - 1;
    CHECK_ERR(auth_import(other->auth, &r->call, &record, 1, false, &result), ERR_OK);
}

TEST(access_tokens_given_out_here_end_with_what_an_old_revocation_ends)
{
    WORLD(w, d);
    DOOR(other);
    REQUEST(r);
    door_open(&w, &other);
    struct auth_tokens tokens[3] = { register_and_log_in(&d, &r) };
    (void)register_user(&d, &r, "bob");
    (void)register_user(&d, &r, "eve");
    tokens[1] = log_in(&d, &r, "bob");
    tokens[2] = log_in(&d, &r, "eve");
    struct auth_tokens anns_second = log_in(&d, &r, "ann");
    const struct store_revocation revocations[] = {
        { .id = caller_of(&d, &r, tokens[0]).session_id },
        { .id = caller_of(&d, &r, tokens[1]).user_id, .is_user = true, .epoch = 7 },
        { .id = caller_of(&d, &r, tokens[2]).user_id, .is_user = true, .epoch = INT64_MAX },
    };
    for (size_t i = 0; i < 3; i++) {
        import_old(&w, &other, &r, revocations[i]);
        CHECK_ERR(auth_follow(d.auth), ERR_OK);
        CHECK_ERR(verify(&d, &r, tokens[i]), ERR_TOKEN_REVOKED);
        CHECK_ERR(refresh_result(&d, &r, tokens[i].refresh_token), ERR_INVALID_REFRESH);
    }
    pass_ms(&w, 3600 * INT64_C(1000) - 1);
    CHECK_ERR(auth_tend(d.auth), ERR_OK);
    for (size_t i = 0; i < 3; i++) {
        CHECK_ERR(verify(&d, &r, tokens[i]), ERR_TOKEN_REVOKED);
    }
    CHECK_ERR(verify(&d, &r, anns_second), ERR_OK);
}

TEST(a_session_that_had_ended_before_it_came_leaves_no_access_token)
{
    WORLD(w, d);
    DOOR(other);
    REQUEST(r);
    door_open(&w, &other);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_export x = { .with_sessions = true };
    struct auth_record record;
    struct auth_import_result result;
    CHECK(export_to(&d, &r, &x, AUTH_RECORD_SESSION, &record));
    const struct store_revocation old = { .id = caller_of(&d, &r, tokens).session_id,
                                          .expires_at = atomic_load(&w.clock.frozen_ms) - 1 };
    CHECK_ERR(store_revocation_put(d.store, &old), ERR_OK);
    CHECK_ERR(auth_import(other.auth, &r.call, &record, 1, false, &result), ERR_OK);
    CHECK(result.outcome == AUTH_IMPORT_THERE);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
}

/* That bob is gone, as a file says it. */
static struct auth_import_result import_bobs(struct door *d, struct request *r, struct uuid bob,
                                             int64_t expires_at)
{
    struct store_revocation v = {
        .id = bob, .is_user = true, .epoch = INT64_MAX, .expires_at = expires_at
    };
    struct auth_record record = { AUTH_RECORD_REVOCATION, { .revocation = &v } };
    struct auth_import_result result;
    CHECK_ERR(auth_import(d->auth, &r->call, &record, 1, false, &result), ERR_OK);
    return result;
}

TEST(a_revocation_that_would_stay_longer_than_any_token_is_refused_and_ends_nothing)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct uuid bob = caller_of(&d, &r, tokens).user_id;
    int64_t latest = atomic_load(&w.clock.frozen_ms) + 31 * 24 * 3600 * INT64_C(1000);
    struct auth_import_result result = import_bobs(&d, &r, bob, latest + 1);
    CHECK(result.outcome == AUTH_IMPORT_REFUSED);
    assert_string_equal(result.why.field, "expires_at");
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_OK);
    CHECK(import_bobs(&d, &r, bob, latest).outcome == AUTH_IMPORT_ADDED);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(an_export_has_what_ended_while_it_ran_however_long_it_took),
              cmocka_unit_test(an_export_that_goes_on_has_what_ended_since_the_first_part),
              cmocka_unit_test(access_tokens_given_out_here_end_with_what_an_old_revocation_ends),
              cmocka_unit_test(a_session_that_had_ended_before_it_came_leaves_no_access_token),
              cmocka_unit_test(
                  a_revocation_that_would_stay_longer_than_any_token_is_refused_and_ends_nothing));
}

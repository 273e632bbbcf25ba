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

int main(void)
{
    RUN_TESTS(cmocka_unit_test(an_export_has_what_ended_while_it_ran_however_long_it_took),
              cmocka_unit_test(an_export_that_goes_on_has_what_ended_since_the_first_part));
}

/* What happens without memory: nothing is let in, nothing that was ended comes back, and the next
 * try makes it good. */
#include "failing_malloc.h"
#include "test_auth_world.h"

#define MANY_ENDINGS 300 /* more than the first table holds */
#define ARENA_STEP   128

TEST(a_start_without_memory_lets_nobody_pass_until_it_has_everything)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_caller caller = caller_of(&d, &r, tokens);
    struct auth_options options = door_options(&d, &w.clock);
    bool failed = true;
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    for (int i = 0; i < MANY_ENDINGS; i++) {
        struct store_revocation v = { .expires_at = START_MS + 1000 };
        CHECK_ERR(uuid_new(START_MS, &v.id), ERR_OK);
        CHECK_ERR(store_revocation_put(d.store, &v), ERR_OK);
    }
    for (int n = 1; failed; n++) {
        struct auth *au = NULL;
        fail_allocation(n);
        enum err e = auth_open(&options, &au);
        if (e == ERR_OK) {
            e = auth_prepare(au);
        }
        failed = allocation_failed();
        fail_allocation(0);
        CHECK((e != ERR_OK) == failed);
        if (e != ERR_OK && au != NULL) {
            CHECK_ERR(auth_verify(au, 0, tokens.access_token, &r.arena, &caller), ERR_UNAVAILABLE);
            CHECK_ERR(auth_prepare(au), ERR_OK);
        }
        if (au != NULL) {
            CHECK_ERR(auth_verify(au, 0, tokens.access_token, &r.arena, &caller),
                      ERR_TOKEN_REVOKED);
        }
        auth_close(au);
    }
}

TEST(a_logout_without_memory_is_no_success_and_its_repeat_is_one)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        WORLD(w, d);
        REQUEST(r);
        struct auth_tokens tokens = register_and_log_in(&d, &r);
        struct auth_caller caller = caller_of(&d, &r, tokens);
        REQUEST(logout);
        fail_allocation(n);
        enum err e = auth_logout(d.auth, &logout.call, &caller, AUTH_ALL);
        failed = allocation_failed();
        fail_allocation(0);
        CHECK(e == ERR_OK || failed);
        CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_ALL), ERR_OK);
        CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
    }
}

TEST(a_login_over_the_arenas_ceiling_is_out_of_memory_and_nothing_else)
{
    WORLD(w, d);
    REQUEST(r);
    (void)register_user(&d, &r, "ann");
    enum err e = ERR_NOMEM;
    for (size_t max = 0; e == ERR_NOMEM; max += ARENA_STEP) {
        struct request small;
        request_start(&small);
        small.arena.max_bytes = max;
        e = try_login(&d, &small, "ann", PASSWORD);
        request_auto(&small);
        pass_ms(&w, 60000);
    }
    CHECK_ERR(e, ERR_OK);
}

TEST(a_refresh_over_the_arenas_ceiling_may_be_repeated_with_more)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    enum err e = ERR_NOMEM;
    for (size_t max = 0; e == ERR_NOMEM; max += ARENA_STEP) {
        struct request small;
        request_start(&small);
        small.arena.max_bytes = max;
        e = refresh_result(&d, &small, tokens.refresh_token);
        request_auto(&small);
    }
    CHECK_ERR(e, ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_OK);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_start_without_memory_lets_nobody_pass_until_it_has_everything),
              cmocka_unit_test(a_logout_without_memory_is_no_success_and_its_repeat_is_one),
              cmocka_unit_test(a_login_over_the_arenas_ceiling_is_out_of_memory_and_nothing_else),
              cmocka_unit_test(a_refresh_over_the_arenas_ceiling_may_be_repeated_with_more));
}

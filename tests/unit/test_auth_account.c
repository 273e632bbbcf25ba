/* Accounts: what may be registered, how they change, and how they end. */
#include "test_auth_world.h"

static struct auth_input_errors errors;

static enum err try_register(struct door *d, const struct auth_registration *in)
{
    struct auth_user user;
    REQUEST(r);
    return auth_register(d->auth, &r.call, in, &errors, &user);
}

static void check_refused(struct door *d, const struct auth_registration *in, const char *field,
                          const char *code)
{
    CHECK_ERR(try_register(d, in), ERR_INVALID_INPUT);
    CHECK_INT(errors.count, 1);
    CHECK(strcmp(errors.list[0].field, field) == 0);
    CHECK(strcmp(errors.list[0].code, code) == 0);
    CHECK(errors.list[0].detail != NULL);
}

TEST(a_username_is_1_to_64_of_its_characters)
{
    static char long_name[66];
    memset(long_name, 'a', 65);
    const struct {
        struct span name;
        const char *code;
    } cases[] = {
        { SPAN(""), "too_short" },
        { SPAN("a b"), "invalid_format" },
        { SPAN("ann@x"), "invalid_format" },
        { SPAN("a\0b"), "contains_nul" },
        { SPAN("\xc3\xa9"), "invalid_format" },
        { SPAN("a\n"), "invalid_format" },
        { SPAN("a/b"), "invalid_format" },
        { { long_name, 65 }, "too_long" },
    };
    const struct span fine[] = { SPAN("a"), SPAN("._-"), SPAN("Z9"), { long_name, 64 } };
    WORLD(w, d);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct auth_registration in = { .username = cases[i].name, .password = SPAN(PASSWORD) };
        check_refused(&d, &in, "username", cases[i].code);
    }
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        struct auth_registration in = { .username = fine[i], .password = SPAN(PASSWORD) };
        CHECK_ERR(try_register(&d, &in), ERR_OK);
    }
}

TEST(an_email_has_one_at_sign_and_nothing_that_hides)
{
    static char long_mail[256];
    memset(long_mail, 'a', 255);
    long_mail[1] = '@';
    const struct {
        struct span email;
        const char *code;
    } cases[] = {
        { SPAN(""), "invalid_format" },           { SPAN("a"), "invalid_format" },
        { SPAN("@b"), "invalid_format" },         { SPAN("a@"), "invalid_format" },
        { SPAN("a@b@c"), "invalid_format" },      { SPAN("a b@c"), "invalid_format" },
        { SPAN("a@b\n"), "invalid_format" },      { SPAN("a\0@b"), "contains_nul" },
        { SPAN("a@\x7f"), "invalid_format" },     { SPAN("a@b\xe2\x80\xa8"), "invalid_format" },
        { SPAN("a@\xc2\xa0"), "invalid_format" }, { SPAN("a@\xff"), "invalid_format" },
        { { long_mail, 255 }, "too_long" },
    };
    const struct span fine[] = { SPAN("a@b"), SPAN("\xc3\xa9@example.org"), { long_mail, 254 } };
    WORLD(w, d);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct auth_registration in = { .email = cases[i].email, .password = SPAN(PASSWORD) };
        check_refused(&d, &in, "email", cases[i].code);
    }
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        struct auth_registration in = { .email = fine[i], .password = SPAN(PASSWORD) };
        CHECK_ERR(try_register(&d, &in), ERR_OK);
    }
}

TEST(a_password_has_a_least_length_in_characters_and_a_greatest_in_bytes)
{
    static char long_password[1026];
    memset(long_password, 'p', 1025);
    const struct {
        struct span password;
        const char *code;
    } cases[] = {
        { SPAN_NONE, "required" },
        { SPAN(""), "too_short" },
        { SPAN("1234567"), "too_short" },
        { SPAN("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"), "too_short" },
        { SPAN("1234567\0"
               "9"),
          "contains_nul" },
        { SPAN("12345678\xff"), "invalid_format" },
        { { long_password, 1025 }, "too_long" },
    };
    const struct span fine[] = { SPAN("12345678"), SPAN("        "), { long_password, 1024 } };
    WORLD(w, d);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct auth_registration in = { .username = SPAN("ann"), .password = cases[i].password };
        check_refused(&d, &in, "password", cases[i].code);
    }
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        char name[] = { 'u', (char)('0' + i), '\0' };
        struct auth_registration in = { .username = span_of(name), .password = fine[i] };
        CHECK_ERR(try_register(&d, &in), ERR_OK);
    }
}

TEST(roles_are_up_to_16_words_by_single_spaces)
{
    const struct {
        struct span roles;
        const char *code;
    } cases[] = {
        { SPAN(" "), "invalid_format" },
        { SPAN("a "), "invalid_format" },
        { SPAN(" a"), "invalid_format" },
        { SPAN("a  b"), "invalid_format" },
        { SPAN("a,b"), "invalid_format" },
        { SPAN("a\n"), "invalid_format" },
        { SPAN("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"), "too_long" },
    };
    WORLD(w, d);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct auth_registration in = { .username = SPAN("ann"),
                                        .password = SPAN(PASSWORD),
                                        .roles = cases[i].roles };
        check_refused(&d, &in, "roles", cases[i].code);
    }
    struct auth_registration in = { .username = SPAN("ann"),
                                    .password = SPAN(PASSWORD),
                                    .roles = SPAN("admin api:read_1.x-y 3 4 5 6 7 8 9 10 11 12 13 "
                                                  "14 15 16") };
    CHECK_ERR(try_register(&d, &in), ERR_OK);
}

TEST(everything_that_is_wrong_is_told_at_once)
{
    WORLD(w, d);
    struct auth_registration in = { .username = SPAN(" "), .email = SPAN(""), .roles = SPAN(" ") };
    CHECK_ERR(try_register(&d, &in), ERR_INVALID_INPUT);
    CHECK_INT(errors.count, 4);
    in = (struct auth_registration){ .password = SPAN(PASSWORD) };
    check_refused(&d, &in, "username", "required");
}

TEST(a_taken_name_is_told_by_its_member_in_any_case)
{
    WORLD(w, d);
    struct auth_registration in = { .username = SPAN("Ann"),
                                    .email = SPAN("ann@example.org"),
                                    .password = SPAN(PASSWORD) };
    CHECK_ERR(try_register(&d, &in), ERR_OK);
    in.email = SPAN_NONE;
    in.username = SPAN("aNN");
    CHECK_ERR(try_register(&d, &in), ERR_CONFLICT_USERNAME);
    in.username = SPAN_NONE;
    in.email = SPAN("ANN@example.org");
    CHECK_ERR(try_register(&d, &in), ERR_CONFLICT_EMAIL);
}

/* ---- changing the password ---- */

static enum err change(struct door *d, struct request *r, const struct auth_caller *caller,
                       const char *current, const char *new_password)
{
    return auth_password_change(d->auth, &r->call, caller, span_of(current), span_of(new_password),
                                &errors);
}

TEST(a_new_password_keeps_this_session_and_ends_the_others)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, mine);
    CHECK_ERR(change(&d, &r, &caller, PASSWORD, "another password"), ERR_OK);
    CHECK_ERR(verify(&d, &r, other), ERR_TOKEN_REVOKED);
    CHECK_ERR(refresh_result(&d, &r, other.refresh_token), ERR_INVALID_REFRESH);
    CHECK_ERR(verify(&d, &r, mine), ERR_OK);
    mine = child_of(&d, &r, mine.refresh_token);
    CHECK_ERR(verify(&d, &r, mine), ERR_OK);
    CHECK_ERR(try_login(&d, &r, "ann", PASSWORD), ERR_BAD_CREDENTIALS);
    CHECK_ERR(try_login(&d, &r, "ann", "another password"), ERR_OK);
}

TEST(a_wrong_current_password_changes_nothing_and_is_throttled_with_the_logins)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_caller caller = caller_of(&d, &r, register_and_log_in(&d, &r));
    CHECK_ERR(try_login(&d, &r, "ann", "wrong password"), ERR_BAD_CREDENTIALS);
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(change(&d, &r, &caller, "wrong password", "another password"),
                  ERR_WRONG_PASSWORD);
    }
    CHECK_ERR(change(&d, &r, &caller, PASSWORD, "another password"), ERR_TOO_MANY_ATTEMPTS);
    CHECK_INT(r.call.retry_after_s, 1);
    CHECK_ERR(auth_account_delete(d.auth, &r.call, &caller, SPAN(PASSWORD)), ERR_TOO_MANY_ATTEMPTS);
    pass_ms(&w, 1000);
    CHECK_ERR(change(&d, &r, &caller, PASSWORD, "another password"), ERR_OK);
}

TEST(what_is_wrong_with_either_password_is_told_before_anything_is_counted)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_caller caller = caller_of(&d, &r, register_and_log_in(&d, &r));
    CHECK_ERR(auth_password_change(d.auth, &r.call, &caller, SPAN_NONE, SPAN("short"), &errors),
              ERR_INVALID_INPUT);
    CHECK_INT(errors.count, 2);
    CHECK(strcmp(errors.list[0].field, "current_password") == 0);
    CHECK(strcmp(errors.list[1].field, "new_password") == 0);
    CHECK_ERR(auth_account_delete(d.auth, &r.call, &caller, SPAN_NONE), ERR_INVALID_INPUT);
}

TEST(an_ended_session_changes_and_deletes_nothing)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_caller caller = caller_of(&d, &r, register_and_log_in(&d, &r));
    struct auth_user user;
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    CHECK_ERR(change(&d, &r, &caller, PASSWORD, "another password"), ERR_TOKEN_REVOKED);
    CHECK_ERR(auth_account_delete(d.auth, &r.call, &caller, SPAN(PASSWORD)), ERR_TOKEN_REVOKED);
    CHECK_ERR(auth_profile(d.auth, &r.call, &caller, &user), ERR_TOKEN_REVOKED);
    CHECK_ERR(try_login(&d, &r, "ann", PASSWORD), ERR_OK);
}

/* ---- deleting ---- */

TEST(a_deleted_account_is_gone_with_its_sessions_and_its_name_is_free)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, mine);
    CHECK_ERR(auth_account_delete(d.auth, &r.call, &caller, SPAN("wrong password")),
              ERR_WRONG_PASSWORD);
    CHECK_ERR(auth_account_delete(d.auth, &r.call, &caller, SPAN(PASSWORD)), ERR_OK);
    CHECK_ERR(verify(&d, &r, mine), ERR_TOKEN_REVOKED);
    CHECK_ERR(verify(&d, &r, other), ERR_TOKEN_REVOKED);
    CHECK_ERR(refresh_result(&d, &r, other.refresh_token), ERR_INVALID_REFRESH);
    CHECK_ERR(try_login(&d, &r, "ann", PASSWORD), ERR_BAD_CREDENTIALS);
    CHECK_ERR(verify(&d, &r, register_and_log_in(&d, &r)), ERR_OK);
    CHECK_ERR(verify(&d, &r, mine), ERR_TOKEN_REVOKED);
}

/* ---- sessions ---- */

TEST(sessions_are_listed_newest_first_and_end_one_by_one)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens first = register_and_log_in(&d, &r);
    pass_ms(&w, 1000);
    struct auth_tokens second = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, first);
    struct auth_session *list = NULL;
    size_t count = 0;
    CHECK_ERR(auth_sessions(d.auth, &r.call, &caller, &list, &count), ERR_OK);
    CHECK_INT(count, 2);
    CHECK(!list[0].current && list[1].current);
    CHECK_INT(list[0].expires_at, START_MS + 1000 + INT64_C(1209600000));
    CHECK_SPAN(list[0].ip, "192.0.2.1");
    CHECK_ERR(auth_session_end(d.auth, &r.call, &caller, list[0].id), ERR_OK);
    CHECK_ERR(verify(&d, &r, second), ERR_TOKEN_REVOKED);
    CHECK_ERR(auth_session_end(d.auth, &r.call, &caller, list[0].id), ERR_NOT_FOUND);
    CHECK_ERR(auth_sessions(d.auth, &r.call, &caller, &list, &count), ERR_OK);
    CHECK_INT(count, 1);
}

TEST(nobody_ends_or_finds_the_sessions_of_others)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_caller ann = caller_of(&d, &r, register_and_log_in(&d, &r));
    (void)register_user(&d, &r, "bob");
    struct auth_tokens bobs = log_in(&d, &r, "bob");
    struct auth_caller bob = caller_of(&d, &r, bobs);
    CHECK_ERR(auth_session_end(d.auth, &r.call, &ann, bob.session_id), ERR_NOT_FOUND);
    CHECK_ERR(verify(&d, &r, bobs), ERR_OK);
}

/* ---- the command line ---- */

TEST(an_operator_finds_users_by_id_name_and_email_and_lists_them)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_registration in = { .username = SPAN("ann"),
                                    .email = SPAN("ann@example.org"),
                                    .password = SPAN(PASSWORD) };
    struct auth_user user;
    struct auth_user *list = NULL;
    size_t count = 0;
    char id[UUID_TEXT_LENGTH + 1];
    CHECK_ERR(auth_register(d.auth, &r.call, &in, &errors, &user), ERR_OK);
    uuid_text(user.id, id);
    const struct span names[] = { span_of(id), SPAN("ANN"), SPAN("Ann@Example.ORG") };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct auth_user found;
        CHECK_ERR(auth_user_find(d.auth, &r.call, names[i], &found), ERR_OK);
        CHECK(uuid_equal(found.id, user.id));
    }
    CHECK_ERR(auth_user_find(d.auth, &r.call, SPAN("bob"), &user), ERR_NOT_FOUND);
    CHECK_ERR(auth_user_list(d.auth, &r.call, (struct uuid){ 0 }, 10, &list, &count), ERR_OK);
    CHECK_INT(count, 1);
}

TEST(what_an_operator_does_to_a_user_ends_his_sessions)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct uuid id = caller_of(&d, &r, tokens).user_id;
    CHECK_ERR(auth_user_set_roles(d.auth, &r.call, id, SPAN("admin"), false, &errors), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_OK);
    CHECK_ERR(auth_user_set_roles(d.auth, &r.call, id, SPAN("a b"), true, &errors), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
    tokens = log_in(&d, &r, "ann");
    CHECK_SPAN(caller_of(&d, &r, tokens).roles, "a b");
    CHECK_ERR(auth_user_set_roles(d.auth, &r.call, id, SPAN_NONE, false, &errors), ERR_OK);
    CHECK_SPAN(caller_of(&d, &r, child_of(&d, &r, tokens.refresh_token)).roles, "");
    CHECK_ERR(auth_user_set_password(d.auth, &r.call, id, SPAN("short"), &errors),
              ERR_INVALID_INPUT);
    CHECK_ERR(auth_user_set_password(d.auth, &r.call, id, SPAN(PASSWORD), &errors), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
    tokens = log_in(&d, &r, "ann");
    CHECK_ERR(auth_user_set_disabled(d.auth, &r.call, id, true), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_INVALID_REFRESH);
    CHECK_ERR(auth_user_set_disabled(d.auth, &r.call, id, false), ERR_OK);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_INVALID_REFRESH);
    tokens = log_in(&d, &r, "ann");
    CHECK_ERR(auth_user_delete(d.auth, &r.call, id), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
    CHECK_ERR(auth_user_delete(d.auth, &r.call, id), ERR_NOT_FOUND);
    CHECK_ERR(auth_user_set_disabled(d.auth, &r.call, id, true), ERR_NOT_FOUND);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(a_username_is_1_to_64_of_its_characters),
        cmocka_unit_test(an_email_has_one_at_sign_and_nothing_that_hides),
        cmocka_unit_test(a_password_has_a_least_length_in_characters_and_a_greatest_in_bytes),
        cmocka_unit_test(roles_are_up_to_16_words_by_single_spaces),
        cmocka_unit_test(everything_that_is_wrong_is_told_at_once),
        cmocka_unit_test(a_taken_name_is_told_by_its_member_in_any_case),
        cmocka_unit_test(a_new_password_keeps_this_session_and_ends_the_others),
        cmocka_unit_test(a_wrong_current_password_changes_nothing_and_is_throttled_with_the_logins),
        cmocka_unit_test(what_is_wrong_with_either_password_is_told_before_anything_is_counted),
        cmocka_unit_test(an_ended_session_changes_and_deletes_nothing),
        cmocka_unit_test(a_deleted_account_is_gone_with_its_sessions_and_its_name_is_free),
        cmocka_unit_test(sessions_are_listed_newest_first_and_end_one_by_one),
        cmocka_unit_test(nobody_ends_or_finds_the_sessions_of_others),
        cmocka_unit_test(an_operator_finds_users_by_id_name_and_email_and_lists_them),
        cmocka_unit_test(what_an_operator_does_to_a_user_ends_his_sessions));
}

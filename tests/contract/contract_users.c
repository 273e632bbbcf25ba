/* contract_users.c - user records: adding, finding, changing, deleting. */
#include "contract.h"

static void check_same_user(const struct store_user *actual, const struct store_user *expected)
{
    contract_check_uuid(actual->id, expected->id);
    CHECK(span_equal(actual->username, expected->username));
    CHECK(span_equal(actual->email, expected->email));
    CHECK((actual->username.data == NULL) == (expected->username.data == NULL));
    CHECK((actual->email.data == NULL) == (expected->email.data == NULL));
    CHECK(span_equal(actual->password_hash, expected->password_hash));
    CHECK(span_equal(actual->roles, expected->roles));
    CHECK(actual->disabled == expected->disabled);
    CHECK_INT(actual->session_epoch, expected->session_epoch);
    contract_check_uuid(actual->epoch_keep, expected->epoch_keep);
    CHECK_INT(actual->failures, expected->failures);
    CHECK_TIME(actual->not_before, expected->not_before);
    CHECK_TIME(actual->created_at, expected->created_at);
    CHECK_TIME(actual->updated_at, expected->updated_at);
}

static void check_stored(struct store *s, const struct store_user *expected)
{
    CONTRACT_ARENA(a);
    struct store_user found = { 0 };
    CHECK_ERR(store_user_by_id(s, expected->id, &a, &found), ERR_OK);
    check_same_user(&found, expected);
}

TEST(what_was_added_is_found_by_id_by_username_and_by_email)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(1);
    ann.failures = 2;
    ann.not_before = CONTRACT_START_MS + 5;
    ann.disabled = true;
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    check_stored(s, &ann);
    struct store_user found = { 0 };
    CHECK_ERR(store_user_by_username(s, ann.username, &a, &found), ERR_OK);
    check_same_user(&found, &ann);
    found = (struct store_user){ 0 };
    CHECK_ERR(store_user_by_email(s, ann.email, &a, &found), ERR_OK);
    check_same_user(&found, &ann);
}

TEST(a_username_is_found_in_any_case_and_shown_as_given)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(1);
    ann.username = SPAN("Ann.Smith_9");
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    struct store_user found = { 0 };
    CHECK_ERR(store_user_by_username(s, SPAN("aNN.sMITH_9"), &a, &found), ERR_OK);
    CHECK_SPAN(found.username, "Ann.Smith_9");
}

TEST(who_is_not_there_is_not_found_and_nothing_is_written)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user found = { .failures = 77 };
    CHECK_ERR(store_user_by_id(s, contract_id(1), &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_username(s, SPAN("nobody"), &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_username(s, SPAN(""), &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_email(s, SPAN("no@example.org"), &a, &found), ERR_NOT_FOUND);
    CHECK_INT(found.failures, 77);
}

TEST(absent_names_stay_absent_and_are_never_taken)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user users[4];
    for (uint64_t i = 0; i < 4; i++) {
        users[i] = contract_user(i + 1);
        if (i % 2 == 0) {
            users[i].email = SPAN_NONE;
        } else {
            users[i].username = SPAN_NONE;
        }
        CHECK_ERR(store_user_add(s, &users[i]), ERR_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        check_stored(s, &users[i]);
    }
    struct store_user found = { 0 };
    CHECK_ERR(store_user_by_email(s, SPAN_NONE, &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_username(s, SPAN_NONE, &a, &found), ERR_NOT_FOUND);
}

TEST(a_taken_name_is_a_conflict_that_tells_which_and_changes_nothing)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);

    struct store_user imp = contract_user(2);
    imp.username = SPAN("uSER-1");
    CHECK_ERR(store_user_add(s, &imp), ERR_CONFLICT_USERNAME);
    imp.email = ann.email;
    CHECK_ERR(store_user_add(s, &imp), ERR_CONFLICT_USERNAME);
    imp.username = SPAN("other");
    CHECK_ERR(store_user_add(s, &imp), ERR_CONFLICT_EMAIL);
    imp.username = SPAN_NONE;
    CHECK_ERR(store_user_add(s, &imp), ERR_CONFLICT_EMAIL);

    check_stored(s, &ann);
    CHECK_ERR(store_user_by_id(s, imp.id, &a, &imp), ERR_NOT_FOUND);
}

TEST(adding_the_same_id_twice_is_a_conflict)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    struct store_user again = contract_user(2);
    again.id = ann.id;
    CHECK_ERR(store_user_add(s, &again), ERR_CONFLICT);
    check_stored(s, &ann);
}

TEST(text_that_looks_like_a_query_is_only_text)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(1);
    ann.username = SPAN("x' OR 1=1; DROP TABLE users; --");
    ann.email = SPAN("{\"$gt\":\"\"}@%_*?");
    ann.password_hash = SPAN("\"; $where: '1'");
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    check_stored(s, &ann);
    struct store_user_change change = { .if_password_hash = ann.password_hash,
                                        .password_hash = SPAN("$username"),
                                        .roles = SPAN("$email $$NOW {$ne:1}") };
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_OK);
    ann.password_hash = change.password_hash;
    ann.roles = change.roles;
    ann.updated_at = CONTRACT_START_MS;
    check_stored(s, &ann);
    struct store_user found = { 0 };
    CHECK_ERR(store_user_by_username(s, SPAN("' OR ''='"), &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_email(s, SPAN("%"), &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_email(s, SPAN("{\"$gt\":\"\"}"), &a, &found), ERR_NOT_FOUND);
}

TEST(over_the_arenas_ceiling_a_read_gives_no_memory_and_writes_nothing)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    struct arena a;
    arena_init(&a, 16);
    struct store_user found = { .failures = 77 };
    struct store_user *list = NULL;
    size_t count = 77;
    CHECK_ERR(store_user_by_id(s, ann.id, &a, &found), ERR_NOMEM);
    CHECK_ERR(store_user_list(s, (struct uuid){ 0 }, 10, &a, &list, &count), ERR_NOMEM);
    CHECK_INT(found.failures, 77);
    CHECK_INT(count, 77);
    arena_done(&a);
    check_stored(s, &ann);
}

TEST(users_are_listed_page_by_page_in_the_order_of_ids)
{
    enum { USERS = 25 };
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    for (uint64_t i = USERS; i > 0; i--) {
        struct store_user user = contract_user(i);
        CHECK_ERR(store_user_add(s, &user), ERR_OK);
    }
    CHECK_ERR(store_user_delete(s, contract_id(7), SPAN_NONE, NULL), ERR_OK);
    struct uuid after = { 0 };
    size_t seen = 0;
    for (;;) {
        struct store_user *page = NULL;
        size_t count = 0;
        CHECK_ERR(store_user_list(s, after, 10, &a, &page, &count), ERR_OK);
        CHECK(count <= 10);
        if (count == 0) {
            break;
        }
        for (size_t i = 0; i < count; i++, seen++) {
            contract_check_uuid(page[i].id, contract_id(seen < 6 ? seen + 1 : seen + 2));
        }
        after = page[count - 1].id;
    }
    CHECK_INT(seen, USERS - 1);
}

TEST(a_change_changes_what_it_names_and_nothing_else)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    ann.failures = 4;
    ann.not_before = CONTRACT_START_MS + 9;
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    contract_pass_time(500);
    ann.updated_at = CONTRACT_START_MS + 500;

    struct store_user_change change = { .password_hash = SPAN("new") };
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_OK);
    ann.password_hash = change.password_hash;
    check_stored(s, &ann);

    change = (struct store_user_change){ .roles = SPAN("") };
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_OK);
    ann.roles = change.roles;
    check_stored(s, &ann);

    change = (struct store_user_change){ .state = STORE_DISABLE };
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_OK);
    ann.disabled = true;
    check_stored(s, &ann);

    change = (struct store_user_change){ .state = STORE_ENABLE };
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_OK);
    ann.disabled = false;
    check_stored(s, &ann);
}

TEST(what_the_user_cannot_see_does_not_move_updated_at)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    ann.failures = 4;
    ann.not_before = CONTRACT_START_MS + 9;
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    struct store_user_change change = { .reset_failures = true, .raise_epoch = 1 };
    change.keep = contract_id(8);
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_OK);
    ann.failures = 0;
    ann.not_before = 0;
    ann.session_epoch++;
    ann.epoch_keep = contract_id(8);
    check_stored(s, &ann);
}

TEST(raising_the_epoch_gives_the_new_one_and_sets_whom_it_keeps)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    int64_t epoch = 0;
    struct store_user_change change = { .keep = contract_id(8) };
    CHECK_ERR(store_user_change(s, ann.id, &change, &epoch), ERR_OK);
    CHECK_INT(epoch, 3);
    check_stored(s, &ann);
    change.raise_epoch = 1;
    CHECK_ERR(store_user_change(s, ann.id, &change, &epoch), ERR_OK);
    CHECK_INT(epoch, 4);
    change.keep = (struct uuid){ 0 };
    change.raise_epoch = 7;
    CHECK_ERR(store_user_change(s, ann.id, &change, &epoch), ERR_OK);
    CHECK_INT(epoch, 11);
    ann.session_epoch = 11;
    ann.epoch_keep = (struct uuid){ 0 };
    check_stored(s, &ann);
}

TEST(a_change_on_condition_of_another_hash_is_a_conflict_and_changes_nothing)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    int64_t epoch = 77;
    struct store_user_change change = { .if_password_hash = SPAN("old"),
                                        .password_hash = SPAN("new"),
                                        .raise_epoch = 1 };
    CHECK_ERR(store_user_change(s, ann.id, &change, &epoch), ERR_CONFLICT);
    change.if_password_hash = SPAN("");
    CHECK_ERR(store_user_change(s, ann.id, &change, &epoch), ERR_CONFLICT);
    CHECK_INT(epoch, 77);
    check_stored(s, &ann);
    change.if_password_hash = ann.password_hash;
    CHECK_ERR(store_user_change(s, ann.id, &change, &epoch), ERR_OK);
    CHECK_INT(epoch, 4);
}

TEST(a_change_on_condition_of_another_epoch_is_a_conflict_and_changes_nothing)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    int64_t epoch = ann.session_epoch - 1;
    struct store_user_change change = { .if_session_epoch = &epoch, .raise_epoch = 1 };
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_CONFLICT);
    check_stored(s, &ann);
    epoch = ann.session_epoch;
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_OK);
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_CONFLICT);
}

TEST(changing_or_deleting_who_is_not_there_is_not_found)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user_change change = { .if_password_hash = SPAN("x"), .raise_epoch = 1 };
    CHECK_ERR(store_user_change(s, contract_id(1), &change, NULL), ERR_NOT_FOUND);
    CHECK_ERR(store_user_delete(s, contract_id(1), SPAN_NONE, NULL), ERR_NOT_FOUND);
    CHECK_ERR(store_user_delete(s, contract_id(1), SPAN("x"), NULL), ERR_NOT_FOUND);
}

TEST(a_deleted_user_is_gone_for_every_call_and_its_names_are_free)
{
    AUTO(store) struct store *s = contract_open_empty();
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    int64_t epoch = 0;
    CHECK_ERR(store_user_delete(s, ann.id, ann.password_hash, &epoch), ERR_OK);
    CHECK_INT(epoch, 4);

    struct store_user found = { 0 };
    struct store_attempt attempt;
    struct store_user_change change = { .state = STORE_ENABLE };
    CHECK_ERR(store_user_by_id(s, ann.id, &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_username(s, ann.username, &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_by_email(s, ann.email, &a, &found), ERR_NOT_FOUND);
    CHECK_ERR(store_user_change(s, ann.id, &change, NULL), ERR_NOT_FOUND);
    CHECK_ERR(store_user_attempt(s, ann.id, 10, 1000, &attempt), ERR_NOT_FOUND);
    CHECK_ERR(store_user_delete(s, ann.id, SPAN_NONE, NULL), ERR_NOT_FOUND);
    CHECK_ERR(store_user_add(s, &ann), ERR_CONFLICT); /* the id is spent */

    if (contract_backend.frees_names != NULL && !contract_backend.frees_names()) {
        return;
    }
    struct store_user heir = contract_user(2);
    heir.username = ann.username;
    heir.email = ann.email;
    CHECK_ERR(store_user_add(s, &heir), ERR_OK);
    check_stored(s, &heir);
}

TEST(deleting_on_condition_of_another_hash_is_a_conflict_and_deletes_nothing)
{
    AUTO(store) struct store *s = contract_open_empty();
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    CHECK_ERR(store_user_delete(s, ann.id, SPAN("other"), NULL), ERR_CONFLICT);
    check_stored(s, &ann);
}

TEST(what_was_written_is_there_after_closing_and_for_others_at_once)
{
    struct store_user ann = contract_user(1);
    struct store_user bob = contract_user(2);
    struct store *s = contract_open_empty();
    AUTO(store) struct store *other = contract_open_again();
    CHECK_ERR(store_user_add(s, &ann), ERR_OK);
    check_stored(other, &ann);
    CHECK_ERR(store_user_add(other, &bob), ERR_OK);
    check_stored(s, &bob);
    store_close(s);
    AUTO(store) struct store *again = contract_open_again();
    check_stored(again, &ann);
    check_stored(again, &bob);
}

CONTRACT_GROUP(
    contract_users, cmocka_unit_test(what_was_added_is_found_by_id_by_username_and_by_email),
    cmocka_unit_test(a_username_is_found_in_any_case_and_shown_as_given),
    cmocka_unit_test(who_is_not_there_is_not_found_and_nothing_is_written),
    cmocka_unit_test(absent_names_stay_absent_and_are_never_taken),
    cmocka_unit_test(a_taken_name_is_a_conflict_that_tells_which_and_changes_nothing),
    cmocka_unit_test(adding_the_same_id_twice_is_a_conflict),
    cmocka_unit_test(text_that_looks_like_a_query_is_only_text),
    cmocka_unit_test(over_the_arenas_ceiling_a_read_gives_no_memory_and_writes_nothing),
    cmocka_unit_test(users_are_listed_page_by_page_in_the_order_of_ids),
    cmocka_unit_test(a_change_changes_what_it_names_and_nothing_else),
    cmocka_unit_test(what_the_user_cannot_see_does_not_move_updated_at),
    cmocka_unit_test(raising_the_epoch_gives_the_new_one_and_sets_whom_it_keeps),
    cmocka_unit_test(a_change_on_condition_of_another_hash_is_a_conflict_and_changes_nothing),
    cmocka_unit_test(a_change_on_condition_of_another_epoch_is_a_conflict_and_changes_nothing),
    cmocka_unit_test(changing_or_deleting_who_is_not_there_is_not_found),
    cmocka_unit_test(a_deleted_user_is_gone_for_every_call_and_its_names_are_free),
    cmocka_unit_test(deleting_on_condition_of_another_hash_is_a_conflict_and_deletes_nothing),
    cmocka_unit_test(what_was_written_is_there_after_closing_and_for_others_at_once));

#include "import.h"
#include "input.h"

static bool is_conflict(enum err e)
{
    return e == ERR_CONFLICT || e == ERR_CONFLICT_USERNAME || e == ERR_CONFLICT_EMAIL;
}

/* What the record must be, and what is missing in it, but for the times. */
static enum err complete_user(const struct import_run *run, struct store_user *u)
{
    if (u->email.data != NULL) {
        TRY(input_lower(run->arena, u->email, &u->email));
    }
    return uuid_is_nil(u->id) ? uuid_new(auth_now_ms(run->au), &u->id) : ERR_OK;
}

/* Only what is added gets them: a record that came without is still to be known when it comes
 * again. */
static struct store_user with_times(const struct store_user *u, int64_t now_ms)
{
    struct store_user dated = *u;
    dated.created_at = u->created_at != 0 ? u->created_at : now_ms;
    dated.updated_at = u->updated_at != 0 ? u->updated_at : dated.created_at;
    return dated;
}

static void check_user(const struct store_user *u, struct auth_import_result *result)
{
    struct auth_input_errors errors = { .count = 0 };
    if (u->username.data == NULL && u->email.data == NULL) {
        input_add(&errors, "username", "required", "a user name or an e-mail is required");
    }
    if (u->username.data != NULL) {
        input_check_imported_username(u->username, &errors);
    }
    if (u->email.data != NULL) {
        input_check_email(u->email, &errors);
    }
    input_check_roles(u->roles, &errors);
    if (!password_is_hash(u->password_hash)) {
        input_add(&errors, "password_hash", "invalid_format",
                  "is not a hash of a form, and within the bounds, that can be verified here");
    }
    if (errors.count > 0) {
        import_refuse(result, errors.list[0].field, errors.list[0].code, errors.list[0].detail);
    }
}

static bool is_same_text(struct span a, struct span b)
{
    return (a.data == NULL) == (b.data == NULL) && span_equal(a, b);
}

/* The part that a line without an id can say. */
static bool is_same_person(const struct store_user *a, const struct store_user *b)
{
    return is_same_text(a->username, b->username) && is_same_text(a->email, b->email) &&
           span_equal(a->password_hash, b->password_hash) && span_equal(a->roles, b->roles) &&
           a->disabled == b->disabled;
}

/* 0: the line does not say it. */
static bool is_time(int64_t said, int64_t stored)
{
    return said == 0 || said == stored;
}

/* But for the attempts, which go on while users are moved: every login is one. */
static bool is_same_user(const struct store_user *u, const struct store_user *stored)
{
    return is_same_person(u, stored) && u->session_epoch == stored->session_epoch &&
           uuid_equal(u->epoch_keep, stored->epoch_keep) &&
           is_time(u->created_at, stored->created_at) && is_time(u->updated_at, stored->updated_at);
}

/* Who has one of the names. ERR_NOT_FOUND: nobody. */
static enum err find_namesake(const struct import_run *run, const struct store_user *u,
                              struct store_user *ret_other, const char **ret_field)
{
    enum err e = ERR_NOT_FOUND;
    *ret_field = "username";
    if (u->username.data != NULL) {
        e = store_user_by_username(run->au->options.store, u->username, run->arena, ret_other);
    }
    if (e == ERR_NOT_FOUND && u->email.data != NULL) {
        *ret_field = "email";
        e = store_user_by_email(run->au->options.store, u->email, run->arena, ret_other);
    }
    return e;
}

static void compare_user(const struct store_user *u, const struct store_user *other,
                         struct auth_import_result *result)
{
    if (is_same_user(u, other)) {
        result->outcome = AUTH_IMPORT_THERE;
    } else {
        import_refuse(result, "id", "user_differs",
                      "a user with this id is there and differs; it was left as it is");
    }
}

/* For a user whose id is not there: who has its names. ERR_NOT_FOUND: nobody. */
static enum err compare_names(const struct import_run *run, const struct store_user *u, bool had_id,
                              struct auth_import_result *result)
{
    struct store_user other = { 0 };
    const char *field = NULL;
    TRY(find_namesake(run, u, &other, &field));
    if (!had_id && is_same_person(u, &other)) {
        result->outcome = AUTH_IMPORT_THERE;
        return ERR_OK;
    }
    import_refuse(result, field, "user_exists", "is taken by another user");
    result->other = other.id;
    return ERR_OK;
}

static enum err judge_user(const struct import_run *run, size_t i, bool had_id, enum err added)
{
    const struct store_user *u = run->records[i].user;
    struct auth_import_result *result = &run->results[i];
    struct store_user other = { 0 };
    if (added == ERR_OK) {
        return ERR_OK;
    }
    if (!is_conflict(added)) {
        return added;
    }
    enum err e = store_user_by_id(run->au->options.store, u->id, run->arena, &other);
    if (e == ERR_OK) { /* the same id twice, or added by somebody else just now */
        compare_user(u, &other, result);
        return ERR_OK;
    }
    e = e == ERR_NOT_FOUND ? compare_names(run, u, had_id, result) : e;
    if (e == ERR_NOT_FOUND) { /* a tombstone, or who was in the way is gone by now */
        import_refuse(result, "id", "user_deleted", "a user with this id was deleted here");
        return ERR_OK;
    }
    return e;
}

static enum err add_users(const struct import_run *run, const bool *had_id)
{
    struct store_user *users = ARENA_ARRAY(run->arena, struct store_user, run->count);
    enum err results[AUTH_MAX_IMPORT] = { ERR_OK };
    int64_t now_ms = auth_now_ms(run->au);
    size_t count = 0;
    if (users == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < run->count; i++) {
        if (import_is_open(&run->results[i])) {
            users[count++] = with_times(run->records[i].user, now_ms);
        }
    }
    TRY(store_users_add(run->au->options.store, users, count, results));
    for (size_t i = 0, next = 0; i < run->count; i++) {
        if (import_is_open(&run->results[i])) {
            TRY(judge_user(run, i, had_id[i], results[next++]));
        }
    }
    return ERR_OK;
}

static enum err judge_names(const struct import_run *run, const bool *had_id)
{
    for (size_t i = 0; i < run->count; i++) {
        if (import_is_open(&run->results[i])) {
            enum err e = compare_names(run, run->records[i].user, had_id[i], &run->results[i]);
            TRY(e == ERR_NOT_FOUND ? ERR_OK : e);
        }
    }
    return ERR_OK;
}

/* Those that are there are looked up before, all at once: of an import that is tried again they are
 * most. */
static enum err judge_ids(const struct import_run *run, const bool *had_id)
{
    struct import_people people = { .count = 0 };
    for (size_t i = 0; i < run->count; i++) {
        if (had_id[i] && import_is_open(&run->results[i])) {
            people.ids[people.id_count++] = run->records[i].user->id;
        }
    }
    TRY(import_look_up(run, &people));
    for (size_t i = 0; i < run->count; i++) {
        const struct store_user *u = run->records[i].user;
        const struct store_user *other = import_find_person(&people, u->id);
        if (other != NULL && import_is_open(&run->results[i])) {
            compare_user(u, other, &run->results[i]);
        }
    }
    return ERR_OK;
}

enum err import_users(const struct import_run *run)
{
    bool had_id[AUTH_MAX_IMPORT] = { false };
    for (size_t i = 0; i < run->count; i++) {
        struct store_user *u = run->records[i].user;
        had_id[i] = !uuid_is_nil(u->id);
        TRY(complete_user(run, u));
        check_user(u, &run->results[i]);
    }
    TRY(judge_ids(run, had_id));
    return run->dry_run ? judge_names(run, had_id) : add_users(run, had_id);
}

/* What the command line does to accounts: no password is asked for, who can write the store may. */
#include "audit.h"
#include "input.h"
#include "session.h"

static enum err find_record(struct auth *au, struct arena *a, struct span name,
                            struct store_user *user)
{
    struct uuid id = { 0 };
    struct span lower = SPAN_NONE;
    if (uuid_parse(name, &id)) {
        return store_user_by_id(au->options.store, id, a, user);
    }
    if (span_find(name, '@') == name.length) {
        return store_user_by_username(au->options.store, name, a, user);
    }
    TRY(input_lower(a, name, &lower));
    return store_user_by_email(au->options.store, lower, a, user);
}

enum err auth_user_find(struct auth *au, struct auth_call *call, struct span name,
                        struct auth_user *ret_user)
{
    struct store_user user = { 0 };
    TRY(find_record(au, call->arena, name, &user));
    call->user_id = user.id;
    *ret_user = session_user_view(&user);
    return ERR_OK;
}

enum err auth_user_list(struct auth *au, struct auth_call *call, struct uuid after, size_t max,
                        struct auth_user **ret_users, size_t *ret_count)
{
    struct store_user *stored = NULL;
    size_t count = 0;
    TRY(store_user_list(au->options.store, after, max, call->arena, &stored, &count));
    struct auth_user *views = ARENA_ARRAY(call->arena, struct auth_user, count + 1);
    if (views == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        views[i] = session_user_view(&stored[i]);
    }
    *ret_users = views;
    *ret_count = count;
    return ERR_OK;
}

/* A change that raises the epoch keeps no session: nobody's is the operator's. */
static enum err change_user(struct auth *au, struct auth_call *call, struct uuid user,
                            const struct store_user_change *change, const char *action)
{
    int64_t epoch = 0;
    call->user_id = user;
    TRY(store_user_change(au->options.store, user, change, &epoch));
    if (change->raise_epoch > 0) {
        TRY(session_publish_epoch(au, user, epoch, (struct uuid){ 0 }));
    }
    audit(call, LOG_INFO, action, NULL);
    return ERR_OK;
}

enum err auth_user_set_password(struct auth *au, struct auth_call *call, struct uuid user,
                                struct span password, struct auth_input_errors *errors)
{
    struct store_user_change change = { .raise_epoch = 1, .reset_failures = true };
    errors->count = 0;
    input_check_new_password(password, au->options.password_min_length, "password", errors);
    TRY(input_result(errors));
    TRY(password_hash(au->options.passwords, password, call->arena, &change.password_hash));
    return change_user(au, call, user, &change, "user_password");
}

enum err auth_user_set_roles(struct auth *au, struct auth_call *call, struct uuid user,
                             struct span roles, bool now, struct auth_input_errors *errors)
{
    /* Data NULL would leave the roles as they are. */
    struct store_user_change change = { .roles = roles.data != NULL ? roles : SPAN(""),
                                        .raise_epoch = now };
    errors->count = 0;
    input_check_roles(roles, errors);
    TRY(input_result(errors));
    return change_user(au, call, user, &change, "user_roles");
}

/* Disabling ends all sessions; they stay dead when the account is enabled again. */
enum err auth_user_set_disabled(struct auth *au, struct auth_call *call, struct uuid user,
                                bool disabled)
{
    struct store_user_change change = { .state = disabled ? STORE_DISABLE : STORE_ENABLE,
                                        .raise_epoch = disabled };
    return change_user(au, call, user, &change, disabled ? "user_disable" : "user_enable");
}

/* Published also where there is no such user any more: a repeat makes good what was cut short. */
enum err auth_user_delete(struct auth *au, struct auth_call *call, struct uuid user)
{
    int64_t epoch = 0;
    call->user_id = user;
    enum err deleted = store_user_delete(au->options.store, user, SPAN_NONE, &epoch);
    if (deleted != ERR_OK && deleted != ERR_NOT_FOUND) {
        return deleted;
    }
    TRY(session_publish_gone(au, user));
    if (deleted == ERR_OK) {
        audit(call, LOG_INFO, "user_delete", NULL);
    }
    return deleted;
}

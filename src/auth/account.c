#include "audit.h"
#include "input.h"
#include "session.h"

/* Repeats of a conditional write whose condition another write has spoilt. */
#define CHANGE_TRIES 4

/* ---- register ---- */

enum err auth_check_registration(const struct auth *au, const struct auth_registration *in,
                                 struct auth_input_errors *errors)
{
    errors->count = 0;
    if (in->username.data == NULL && in->email.data == NULL) {
        input_add(errors, "username", "required", "a username or an email is required");
    }
    if (in->username.data != NULL) {
        input_check_username(in->username, errors);
    }
    if (in->email.data != NULL) {
        input_check_email(in->email, errors);
    }
    if (in->password.data == NULL) {
        input_add(errors, "password", "required", "is required");
    } else {
        input_check_new_password(in->password, au->options.password_min_length, "password", errors);
    }
    input_check_roles(in->roles, errors);
    return input_result(errors);
}

/* The record in the call's arena. */
static enum err make_user(struct auth *au, struct arena *a, const struct auth_registration *in,
                          struct store_user *ret_user)
{
    int64_t now = auth_now_ms(au);
    struct store_user user = { .created_at = now, .updated_at = now };
    TRY(uuid_new(now, &user.id));
    if (in->username.data != NULL) {
        TRY(arena_copy(a, in->username, &user.username));
    }
    if (in->email.data != NULL) {
        TRY(input_lower(a, in->email, &user.email));
    }
    TRY(arena_copy(a, in->roles, &user.roles));
    TRY(password_hash(au->options.passwords, in->password, a, &user.password_hash));
    *ret_user = user;
    return ERR_OK;
}

/* The names are not looked up first: the unique index decides anyway, and whoever tries names pays
 * one hash for each answer. */
enum err auth_register(struct auth *au, struct auth_call *call, const struct auth_registration *in,
                       struct auth_input_errors *errors, struct auth_user *ret_user)
{
    struct store_user user = { 0 };
    TRY(auth_check_registration(au, in, errors));
    TRY(make_user(au, call->arena, in, &user));
    enum err e = store_user_add(au->options.store, &user);
    if (e == ERR_CONFLICT_USERNAME || e == ERR_CONFLICT_EMAIL) {
        audit(call, LOG_INFO, "register_refused", "taken");
    }
    TRY(e);
    call->user_id = user.id;
    audit(call, LOG_INFO, "register", NULL);
    *ret_user = session_user_view(&user);
    return ERR_OK;
}

/* ---- one's own account ---- */

enum err auth_profile(struct auth *au, struct auth_call *call, const struct auth_caller *caller,
                      struct auth_user *ret_user)
{
    struct store_user user = { 0 };
    struct store_session session = { 0 };
    TRY(session_of_caller(au, call, caller, &user, &session));
    *ret_user = session_user_view(&user);
    return ERR_OK;
}

/* Counted and throttled as a login, with the same counter: a stolen access token must not be a way
 * to guess on. */
static enum err verify_current(struct auth *au, struct auth_call *call,
                               const struct store_user *user, struct span password)
{
    struct store_attempt attempt = { 0 };
    bool match = false;
    bool rehash = false;
    enum err e = store_user_attempt(au->options.store, user->id, au->options.login_attempts,
                                    au->options.login_max_wait_s * SECOND_MS, &attempt);
    if (e == ERR_TOO_MANY_ATTEMPTS) {
        call->retry_after_s = (attempt.wait_ms + SECOND_MS - 1) / SECOND_MS;
        audit(call, LOG_WARN, "password_failed", "throttled");
    }
    if (e == ERR_NOT_FOUND) {
        return ERR_TOKEN_REVOKED; /* deleted since it was read */
    }
    TRY(e);
    e = password_verify(au->options.passwords, password, user->password_hash, &match, &rehash);
    if (e == ERR_INTERNAL) {
        audit(call, LOG_ERROR, "password_failed", "stored_hash");
    }
    TRY(e);
    if (!match) {
        audit(call, LOG_WARN, "password_failed", "credentials");
        return ERR_WRONG_PASSWORD;
    }
    return ERR_OK;
}

/* One write changes the hash and ends the other sessions. When the epoch has moved the caller may
 * have been ended, so it is looked at again. When the hash has moved, what was verified is no
 * longer the password, or only its form is new: which of them is not known, so the caller is asked
 * to come again (ERR_UNAVAILABLE) rather than told that a right password was wrong. */
static enum err store_new_hash(struct auth *au, struct auth_call *call,
                               const struct auth_caller *caller, struct store_user *user,
                               struct span new_hash)
{
    struct span verified = user->password_hash;
    for (int i = 0; i < CHANGE_TRIES && span_equal(verified, user->password_hash); i++) {
        struct store_session session = { 0 };
        int64_t epoch = 0;
        struct store_user_change change = { .if_password_hash = verified,
                                            .if_session_epoch = &user->session_epoch,
                                            .password_hash = new_hash,
                                            .raise_epoch = 1,
                                            .keep = caller->session_id,
                                            .reset_failures = true };
        enum err e = store_user_change(au->options.store, user->id, &change, &epoch);
        if (e == ERR_OK) {
            return session_publish_epoch(au, user->id, epoch, caller->session_id);
        }
        if (e != ERR_CONFLICT && e != ERR_NOT_FOUND) {
            return e;
        }
        TRY(session_of_caller(au, call, caller, user, &session));
    }
    return ERR_UNAVAILABLE;
}

static void check_new_password(const struct auth *au, struct span new_password,
                               struct auth_input_errors *errors)
{
    if (new_password.data == NULL) {
        input_add(errors, "new_password", "required", "is required");
    } else {
        input_check_new_password(new_password, au->options.password_min_length, "new_password",
                                 errors);
    }
}

enum err auth_check_new_password(const struct auth *au, struct span new_password,
                                 struct auth_input_errors *errors)
{
    errors->count = 0;
    check_new_password(au, new_password, errors);
    return input_result(errors);
}

enum err auth_password_change(struct auth *au, struct auth_call *call,
                              const struct auth_caller *caller, struct span current_password,
                              struct span new_password, struct auth_input_errors *errors)
{
    struct store_user user = { 0 };
    struct store_session session = { 0 };
    struct span new_hash = SPAN_NONE;
    errors->count = 0;
    input_check_old_password(current_password, "current_password", errors);
    check_new_password(au, new_password, errors);
    TRY(input_result(errors));
    TRY(session_of_caller(au, call, caller, &user, &session));
    TRY(verify_current(au, call, &user, current_password));
    TRY(password_hash(au->options.passwords, new_password, call->arena, &new_hash));
    TRY(store_new_hash(au, call, caller, &user, new_hash));
    audit(call, LOG_INFO, "password_change", NULL);
    return ERR_OK;
}

enum err auth_account_delete(struct auth *au, struct auth_call *call,
                             const struct auth_caller *caller, struct span password)
{
    struct store_user user = { 0 };
    struct store_session session = { 0 };
    struct auth_input_errors errors = { .count = 0 };
    int64_t epoch = 0;
    input_check_old_password(password, "password", &errors);
    TRY(input_result(&errors));
    TRY(session_of_caller(au, call, caller, &user, &session));
    TRY(verify_current(au, call, &user, password));
    enum err e = store_user_delete(au->options.store, user.id, user.password_hash, &epoch);
    if (e == ERR_CONFLICT) {
        return ERR_UNAVAILABLE; /* as in store_new_hash */
    }
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        return e;
    }
    TRY(session_publish_gone(au, user.id));
    audit(call, LOG_INFO, "account_delete", NULL);
    return ERR_OK;
}

/* ---- one's own sessions ---- */

static struct auth_session view_session(const struct store_session *s, struct uuid current)
{
    bool idle_first = s->idle_expires_at < s->expires_at;
    return (struct auth_session){ .id = s->id,
                                  .created_at = s->created_at,
                                  .last_used_at = s->last_used_at,
                                  .expires_at = idle_first ? s->idle_expires_at : s->expires_at,
                                  .ip = s->ip,
                                  .agent = s->agent,
                                  .current = uuid_equal(s->id, current) };
}

enum err auth_sessions(struct auth *au, struct auth_call *call, const struct auth_caller *caller,
                       struct auth_session **ret_sessions, size_t *ret_count)
{
    struct store_user user = { 0 };
    struct store_session own = { 0 };
    struct store_session *stored = NULL;
    size_t count = 0;
    size_t living = 0;
    TRY(session_of_caller(au, call, caller, &user, &own));
    TRY(store_session_list(au->options.store, user.id, au->options.max_sessions_per_user,
                           call->arena, &stored, &count));
    struct auth_session *views = ARENA_ARRAY(call->arena, struct auth_session, count + 1);
    if (views == NULL) {
        return ERR_NOMEM;
    }
    int64_t now = auth_now_ms(au);
    for (size_t i = 0; i < count; i++) {
        if (session_lives(&stored[i], &user, now)) {
            views[living++] = view_session(&stored[i], own.id);
        }
    }
    *ret_sessions = views;
    *ret_count = living;
    return ERR_OK;
}

enum err auth_session_end(struct auth *au, struct auth_call *call, const struct auth_caller *caller,
                          struct uuid session)
{
    struct store_user user = { 0 };
    struct store_session own = { 0 };
    struct store_session other = { 0 };
    TRY(session_of_caller(au, call, caller, &user, &own));
    TRY(store_session_get(au->options.store, session, call->arena, &other));
    if (!uuid_equal(other.user_id, user.id)) {
        return ERR_NOT_FOUND;
    }
    if (!session_lives(&other, &user, auth_now_ms(au))) {
        TRY(session_publish_death(au, &other, &user));
        return ERR_NOT_FOUND;
    }
    TRY(session_end(au, session));
    call->session_id = session;
    audit(call, LOG_INFO, "logout", "session");
    return ERR_OK;
}

#include "audit.h"
#include "session.h"

/* Two calls may raise one user's epoch at the same time; more are no accident. */
#define RAISE_TRIES 4

static const char *const scope_names[] = {
    [AUTH_THIS] = "this", [AUTH_OTHERS] = "others", [AUTH_ALL] = "all"
};

static enum err logout_this(struct auth *au, struct auth_call *call, struct uuid session)
{
    struct revocation done = { .id = session };
    if (revocations_has(au->revocations, &done)) {
        return ERR_OK; /* ended and published: no write for who asks again */
    }
    TRY(session_end(au, session));
    audit(call, LOG_INFO, "logout", scope_names[AUTH_THIS]);
    return ERR_OK;
}

/* Only where the epoch is still the one that the caller was found alive at: else a session that has
 * just been ended could keep itself. ERR_CONFLICT: look again. */
static enum err raise_epoch(struct auth *au, const struct store_user *user, struct uuid keep)
{
    int64_t epoch = 0;
    struct store_user_change change = { .if_session_epoch = &user->session_epoch,
                                        .raise_epoch = 1,
                                        .keep = keep };
    enum err e = store_user_change(au->options.store, user->id, &change, &epoch);
    if (e == ERR_NOT_FOUND) {
        return session_publish_gone(au, user->id);
    }
    TRY(e);
    return session_publish_epoch(au, user->id, epoch, keep);
}

static enum err logout_many(struct auth *au, struct auth_call *call,
                            const struct auth_caller *caller, enum auth_scope scope)
{
    struct uuid keep = scope == AUTH_OTHERS ? caller->session_id : (struct uuid){ 0 };
    enum err e = ERR_CONFLICT;
    for (int i = 0; i < RAISE_TRIES && e == ERR_CONFLICT; i++) {
        struct store_user user = { 0 };
        struct store_session session = { 0 };
        e = session_of_caller(au, call, caller, &user, &session);
        if (e == ERR_TOKEN_REVOKED) {
            return ERR_OK; /* lenient, and a dead session ends nobody else's */
        }
        TRY(e);
        e = raise_epoch(au, &user, keep);
    }
    if (e == ERR_OK) {
        audit(call, LOG_INFO, "logout", scope_names[scope]);
    }
    return e == ERR_CONFLICT ? ERR_UNAVAILABLE : e;
}

enum err auth_logout(struct auth *au, struct auth_call *call, const struct auth_caller *caller,
                     enum auth_scope scope)
{
    call->user_id = caller->user_id;
    call->session_id = caller->session_id;
    return scope == AUTH_THIS ? logout_this(au, call, caller->session_id)
                              : logout_many(au, call, caller, scope);
}

/* Is it the newest token, or its parent within the grace? */
static bool is_current(const struct auth *au, const struct token_refresh *presented,
                       const struct store_session *session)
{
    int64_t apart_ms = auth_now_ms(au) - session->rotated_at;
    apart_ms = apart_ms < 0 ? -apart_ms : apart_ms;
    return presented->counter == session->counter ||
           (presented->counter == session->counter - 1 &&
            apart_ms <= au->options.refresh_grace_s * SECOND_MS);
}

/* A spent token may be a stolen one. It ends its own session, as a refresh with it would, but has
 * no say over the user's others. */
static enum err logout_presented(struct auth *au, struct auth_call *call,
                                 const struct token_refresh *presented,
                                 const struct store_session *session, enum auth_scope scope)
{
    struct auth_caller caller = { .user_id = session->user_id, .session_id = session->id };
    struct audit_use last = { .ip = session->ip,
                              .agent = session->agent,
                              .used_at = session->last_used_at };
    call->user_id = session->user_id;
    if (presented->counter > session->counter) {
        audit_refresh(call, "refresh_ahead", &last);
        return ERR_OK;
    }
    if (is_current(au, presented, session) || scope == AUTH_THIS) {
        return auth_logout(au, call, &caller, scope);
    }
    audit_refresh(call, "refresh_reuse", &last);
    return logout_this(au, call, session->id);
}

enum err auth_logout_refresh(struct auth *au, struct auth_call *call, struct span refresh_token,
                             enum auth_scope scope)
{
    struct token_refresh presented = { 0 };
    struct store_session session = { 0 };
    enum err e = token_refresh_parse(au->options.tokens, refresh_token, call->arena, &presented);
    if (e == ERR_INVALID_REFRESH) {
        return ERR_OK;
    }
    TRY(e);
    call->session_id = presented.session_id;
    e = store_session_get(au->options.store, presented.session_id, call->arena, &session);
    if (e == ERR_NOT_FOUND ||
        (e == ERR_OK && !span_equal(presented.master_key, session.master_key))) {
        return ERR_OK;
    }
    TRY(e);
    return logout_presented(au, call, &presented, &session, scope);
}

#include "session.h"
#include "input.h"

struct auth_user session_user_view(const struct store_user *user)
{
    return (struct auth_user){ .id = user->id,
                               .username = user->username,
                               .email = user->email,
                               .roles = user->roles,
                               .disabled = user->disabled,
                               .created_at = user->created_at,
                               .updated_at = user->updated_at };
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whole seconds from now on, never negative. */
static int64_t seconds_until(int64_t end_ms, int64_t now_ms)
{
    return end_ms > now_ms ? (end_ms - now_ms) / SECOND_MS : 0;
}

enum err session_tokens(struct auth *au, struct auth_call *call, const struct store_user *user,
                        const struct store_session *session, struct session_moment moment,
                        struct auth_tokens *ret_tokens)
{
    /* Another replica's clock may be ahead of ours: nobody logs in after his token was issued. */
    struct token_claims claims = {
        .user_id = user->id,
        .session_id = session->id,
        .epoch = user->session_epoch,
        .auth_time_s = least(session->created_at, moment.issued_ms) / SECOND_MS,
        .username = user->username,
        .roles = user->roles,
    };
    struct token_refresh fields = { .session_id = session->id,
                                    .counter = session->counter,
                                    .master_key = session->master_key };
    struct auth_tokens tokens = { 0 };
    TRY(token_issue(au->options.tokens, &claims, moment.issued_ms, call->arena,
                    &tokens.access_token));
    TRY(token_refresh_make(au->options.tokens, &fields, call->arena, &tokens.refresh_token));

    int64_t spent_s = seconds_until(moment.now_ms, moment.issued_ms);
    tokens.expires_in_s = au->options.access_expiry_s - least(spent_s, au->options.access_expiry_s);
    /* Rounded up: the milliseconds since the record was written are no second of its life. */
    int64_t end_ms = least(session->idle_expires_at, session->expires_at);
    tokens.refresh_expires_in_s = seconds_until(end_ms + SECOND_MS - 1, moment.now_ms);
    *ret_tokens = tokens;
    return ERR_OK;
}

/* ---- liveness ---- */

bool session_is_expired(const struct store_session *session, int64_t now_ms)
{
    return now_ms >= session->expires_at || now_ms >= session->idle_expires_at;
}

bool session_lives(const struct store_session *session, const struct store_user *user,
                   int64_t now_ms)
{
    bool epoch_lives =
        session->epoch == user->session_epoch ||
        (!uuid_is_nil(user->epoch_keep) && uuid_equal(session->id, user->epoch_keep));
    return uuid_equal(session->user_id, user->id) && session->revoked_at == 0 &&
           !session_is_expired(session, now_ms) && !user->disabled && epoch_lives;
}

/* ---- endings ---- */

static enum err publish(struct auth *au, const struct revocation *v)
{
    if (revocations_has(au->revocations, v)) {
        return ERR_OK; /* what is in the table is in the store */
    }
    struct store_revocation record = { .id = v->id,
                                       .is_user = v->is_user,
                                       .epoch = v->epoch,
                                       .keep = v->keep,
                                       .expires_at = v->expires_at };
    TRY(store_revocation_put(au->options.store, &record));
    return revocations_add(au->revocations, v);
}

static enum err publish_session(struct auth *au, struct uuid session)
{
    struct revocation v = { .id = session, .expires_at = auth_revocation_end_ms(au) };
    return publish(au, &v);
}

enum err session_end(struct auth *au, struct uuid session)
{
    enum err revoked = store_session_revoke(au->options.store, session);
    if (revoked != ERR_OK && revoked != ERR_NOT_FOUND) {
        return revoked;
    }
    TRY(publish_session(au, session));
    if (revoked == ERR_NOT_FOUND) { /* an import may have brought it before it could see that */
        revoked = store_session_revoke(au->options.store, session);
    }
    return revoked == ERR_NOT_FOUND ? ERR_OK : revoked;
}

enum err session_publish_epoch(struct auth *au, struct uuid user, int64_t epoch, struct uuid keep)
{
    struct revocation v = { .id = user,
                            .is_user = true,
                            .epoch = epoch,
                            .keep = keep,
                            .expires_at = auth_revocation_end_ms(au) };
    return publish(au, &v);
}

enum err session_publish_gone(struct auth *au, struct uuid user)
{
    return session_publish_epoch(au, user, INT64_MAX, (struct uuid){ 0 });
}

/* Access tokens are given at a use, or within the grace after it. */
static bool may_have_tokens(struct auth *au, const struct store_session *session)
{
    int64_t now = auth_now_ms(au);
    int64_t lifetime_ms = auth_revocation_end_ms(au) - now;
    int64_t grace_ms = au->options.refresh_grace_s * SECOND_MS;
    return session->last_used_at + grace_ms + lifetime_ms >= now;
}

enum err session_publish_revoked(struct auth *au, const struct store_session *session)
{
    bool is_needed = session->revoked_at != 0 && may_have_tokens(au, session);
    return is_needed ? publish_session(au, session->id) : ERR_OK;
}

enum err session_publish_death(struct auth *au, const struct store_session *session,
                               const struct store_user *user)
{
    TRY(session_publish_revoked(au, session));
    if (!may_have_tokens(au, session)) {
        return ERR_OK;
    }
    if (user == NULL) {
        return session_publish_gone(au, session->user_id);
    }
    if (session->epoch != user->session_epoch) {
        return session_publish_epoch(au, user->id, user->session_epoch, user->epoch_keep);
    }
    return ERR_OK;
}

/* ---- opening ---- */

enum err session_open(struct auth *au, struct auth_call *call, const struct store_user *user,
                      struct store_session *session)
{
    int64_t now = auth_now_ms(au);
    int64_t end = now + au->options.session_max_age_s * SECOND_MS;
    struct store_session s = {
        .user_id = user->id,
        .epoch = user->session_epoch,
        .master_key = token_master_id(au->options.tokens),
        .created_at = session->created_at,
        .rotated_at = now,
        .last_used_at = now,
        .idle_expires_at = least(now + au->options.refresh_expiry_s * SECOND_MS, end),
        .expires_at = end,
        .attempt = session->attempt,
    };
    TRY(uuid_new(now, &s.id));
    TRY(input_printable(call->arena, call->ip, INPUT_MAX_IP_BYTES, &s.ip));
    TRY(input_printable(call->arena, call->agent, INPUT_MAX_AGENT_BYTES, &s.agent));
    struct store_evicted evicted;
    TRY(store_session_add(au->options.store, &s, au->options.max_sessions_per_user, &evicted));
    for (size_t i = 0; i < evicted.count; i++) {
        TRY(publish_session(au, evicted.ids[i]));
    }
    call->session_id = s.id;
    *session = s;
    return ERR_OK;
}

/* ---- callers ---- */

enum err session_of_caller(struct auth *au, struct auth_call *call,
                           const struct auth_caller *caller, struct store_user *ret_user,
                           struct store_session *ret_session)
{
    struct store_user user = { 0 };
    struct store_session session = { 0 };
    call->user_id = caller->user_id;
    call->session_id = caller->session_id;
    enum err found = store_session_get_with_user(au->options.store, caller->session_id, call->arena,
                                                 &session, &user);
    if (found == ERR_NOT_FOUND) {
        TRY(publish_session(au, caller->session_id));
        return ERR_TOKEN_REVOKED;
    }
    TRY(found);
    bool known = !uuid_is_nil(user.id);
    bool is_callers = uuid_equal(session.user_id, caller->user_id);
    if (!known || !is_callers || !session_lives(&session, &user, auth_now_ms(au))) {
        TRY(session_publish_death(au, &session, known ? &user : NULL));
        return ERR_TOKEN_REVOKED;
    }
    *ret_user = user;
    *ret_session = session;
    return ERR_OK;
}

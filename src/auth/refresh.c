#include "audit.h"
#include "input.h"
#include "session.h"

/* What a presented counter c meets in a session record with counter n (DESIGN 5):
 *
 *   c = n      the conditional write -> ROTATED, the child is n + 1
 *   c = n - 1  within the grace      -> REPEATED, the same child, nothing written
 *   c < n      else                  -> REUSED, the session ends
 *   c > n                            -> AHEAD, a restored backup: refused, nothing ends
 *   another master key of ours       -> AHEAD too: the record never gave out such a token
 *
 * before all that: JUNK never reaches the store; REVOKED and EXPIRED sessions only refuse. The
 * order is that of METRIC_REFRESH's labels. */
enum outcome { ROTATED, REPEATED, REUSED, EXPIRED, REVOKED, AHEAD, JUNK, UNAVAILABLE };

static const enum err answers[] = {
    [ROTATED] = ERR_OK,
    [REPEATED] = ERR_OK,
    [REUSED] = ERR_REFRESH_REUSED,
    [EXPIRED] = ERR_REFRESH_EXPIRED,
    [REVOKED] = ERR_INVALID_REFRESH,
    [AHEAD] = ERR_INVALID_REFRESH,
    [JUNK] = ERR_INVALID_REFRESH,
    [UNAVAILABLE] = ERR_UNAVAILABLE,
};

struct refresh {
    struct token_refresh presented;
    struct store_rotated found;
};

/* Clocks may go back: a rotation in the future is as near as one in the past. */
static bool is_within_grace(const struct auth *au, const struct store_session *session,
                            int64_t now_ms)
{
    int64_t apart_ms = now_ms - session->rotated_at;
    apart_ms = apart_ms < 0 ? -apart_ms : apart_ms;
    return apart_ms <= au->options.refresh_grace_s * SECOND_MS;
}

static enum outcome judge(const struct auth *au, const struct refresh *r)
{
    const struct store_session *s = &r->found.session;
    if (!span_equal(s->master_key, r->presented.master_key)) {
        return AHEAD;
    }
    if (r->found.rotated) {
        return ROTATED;
    }
    if (s->revoked_at != 0) {
        return REVOKED;
    }
    if (session_is_expired(s, r->found.now_ms)) {
        return EXPIRED;
    }
    if (r->presented.counter > s->counter) {
        return AHEAD;
    }
    if (r->presented.counter == s->counter) {
        return UNAVAILABLE; /* neither written nor refused: the store cannot decide now */
    }
    bool is_parent = r->presented.counter == s->counter - 1;
    return is_parent && is_within_grace(au, s, r->found.now_ms) ? REPEATED : REUSED;
}

static enum err rotate(struct auth *au, struct auth_call *call, struct refresh *r)
{
    struct store_rotation rotation = {
        .id = r->presented.session_id,
        .master_key = r->presented.master_key,
        .counter = r->presented.counter,
        .idle_ttl_ms = au->options.refresh_expiry_s * SECOND_MS,
    };
    TRY(input_printable(call->arena, call->ip, INPUT_MAX_IP_BYTES, &rotation.ip));
    TRY(input_printable(call->arena, call->agent, INPUT_MAX_AGENT_BYTES, &rotation.agent));
    return store_session_rotate(au->options.store, &rotation, call->arena, &r->found);
}

/* The store has looked at the user no earlier than at the session: whatever had ended it by then is
 * seen here, and whatever ends it later finds the tokens in its revocation. */
static enum err look_at_user(struct auth *au, const struct refresh *r, enum outcome *outcome)
{
    const struct store_session *session = &r->found.session;
    const struct store_user *user = uuid_is_nil(r->found.user.id) ? NULL : &r->found.user;
    if (user != NULL && session_lives(session, user, r->found.now_ms)) {
        return ERR_OK;
    }
    *outcome = REVOKED;
    return session_publish_death(au, session, user);
}

static void audit_use(const struct auth_call *call, const char *action, const struct refresh *r)
{
    struct audit_use last = { .ip = r->found.session.ip,
                              .agent = r->found.session.agent,
                              .used_at = r->found.session.last_used_at };
    audit_refresh(call, action, &last);
}

/* What the outcome asks for besides its answer. */
static enum err follow_outcome(struct auth *au, struct auth_call *call, struct refresh *r,
                               enum outcome *outcome)
{
    switch (*outcome) {
    case ROTATED:
    case REPEATED:
        return look_at_user(au, r, outcome);
    case REUSED:
        TRY(session_end(au, r->found.session.id));
        audit_use(call, "refresh_reuse", r);
        return ERR_OK;
    case REVOKED:
        /* Whoever ended it may have failed before publishing; this repeat makes it good. */
        return session_publish_revoked(au, &r->found.session);
    case AHEAD:
        audit_use(call, "refresh_ahead", r);
        return ERR_OK;
    case EXPIRED:
    case JUNK:
    case UNAVAILABLE:
        return ERR_OK;
    }
    return ERR_INTERNAL;
}

static enum err decide(struct auth *au, struct auth_call *call, struct span refresh_token,
                       struct refresh *r, enum outcome *outcome)
{
    enum err e = token_refresh_parse(au->options.tokens, refresh_token, call->arena, &r->presented);
    if (e == ERR_INVALID_REFRESH) {
        *outcome = JUNK;
        return ERR_OK;
    }
    TRY(e);
    call->session_id = r->presented.session_id;
    e = rotate(au, call, r);
    if (e == ERR_NOT_FOUND) {
        *outcome = REVOKED;
        return ERR_OK;
    }
    TRY(e);
    call->user_id = r->found.session.user_id;
    *outcome = judge(au, r);
    return follow_outcome(au, call, r, outcome);
}

enum err auth_refresh(struct auth *au, struct auth_call *call, struct span refresh_token,
                      struct auth_tokens *ret_tokens)
{
    struct refresh r = { 0 };
    struct session_moment moment = { .issued_ms = auth_now_ms(au) };
    enum outcome outcome = UNAVAILABLE;

    enum err e = decide(au, call, refresh_token, &r, &outcome);
    if (e == ERR_OK) {
        e = answers[outcome];
    } else {
        outcome = UNAVAILABLE;
    }
    if (e == ERR_OK) {
        moment.now_ms = r.found.now_ms;
        e = session_tokens(au, call, &r.found.user, &r.found.session, moment, ret_tokens);
    }
    metrics_add(METRIC_REFRESH, (unsigned)outcome, 1);
    return e;
}

/* verify.c - whom an access token speaks for: token judges the text, then the revocations are
 * asked, also for a token that was judged before. */
#include "context.h"

/* In the order of the label values of METRIC_TOKEN_CHECKS. */
enum outcome { GOOD, INVALID, EXPIRED, REVOKED, UNAVAILABLE };

static enum outcome outcome_of(enum err e)
{
    if (e == ERR_OK) {
        return GOOD;
    }
    if (e == ERR_TOKEN_EXPIRED) {
        return EXPIRED;
    }
    if (e == ERR_TOKEN_REVOKED) {
        return REVOKED;
    }
    return e == ERR_INVALID_TOKEN ? INVALID : UNAVAILABLE;
}

static enum err verify(struct auth *au, unsigned loop, struct span token, struct arena *a,
                       struct auth_caller *ret_caller)
{
    struct token_claims claims = { 0 };
    TRY(token_cache_verify(au->caches[loop], token, auth_now_ms(au), a, &claims));
    struct revocation_subject subject = { .session_id = claims.session_id,
                                          .user_id = claims.user_id,
                                          .epoch = claims.epoch };
    enum err refused = revocations_refuse(au->revocations, loop, &subject);
    if (refused != ERR_OK && refused != ERR_TOKEN_REVOKED) {
        return refused;
    }
    *ret_caller = (struct auth_caller){ .user_id = claims.user_id,
                                        .session_id = claims.session_id,
                                        .epoch = claims.epoch,
                                        .auth_time_s = claims.auth_time_s,
                                        .username = claims.username,
                                        .roles = claims.roles };
    return refused;
}

enum err auth_verify(struct auth *au, unsigned loop, struct span token, struct arena *a,
                     struct auth_caller *ret_caller)
{
    INVARIANT(loop < au->options.loops);
    enum err e = verify(au, loop, token, a, ret_caller);
    metrics_add(METRIC_TOKEN_CHECKS, outcome_of(e), 1);
    return e;
}

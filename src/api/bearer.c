#include "bearer.h"

enum err api_bearer_token(const struct http_request *request, struct span *ret_token)
{
    size_t count = 0;
    struct span value = http_header_get(request, "authorization", &count);
    if (count > 1) {
        return ERR_BAD_REQUEST;
    }
    size_t space = span_find(value, ' ');
    if (!span_equal_nocase(span_slice(value, 0, space), SPAN("Bearer"))) {
        return ERR_MISSING_TOKEN;
    }
    struct span token = span_from(value, space);
    while (token.length > 0 && token.data[0] == ' ') {
        token = span_from(token, 1);
    }
    /* Whether these are characters of a token is seen when it is verified: one that is in the cache
     * need not be looked at twice. */
    *ret_token = token;
    return token.length > 0 ? ERR_OK : ERR_INVALID_TOKEN;
}

enum err api_bearer_verify(struct api_request *r, struct span token)
{
    enum err why =
        auth_verify(r->api->options.auth, r->x->peer->loop, token, r->call.arena, &r->caller);
    if (why == ERR_OK || why == ERR_TOKEN_REVOKED) {
        r->call.user_id = r->caller.user_id;
        r->call.session_id = r->caller.session_id;
    }
    return why;
}

void api_bearer_challenge(struct api_request *r, enum err why)
{
    bool token_came =
        why == ERR_INVALID_TOKEN || why == ERR_TOKEN_EXPIRED || why == ERR_TOKEN_REVOKED;
    /* RFC 6750, 3.1: no error for a request without a token. A login's 401 needs a challenge as
     * well (RFC 9110, 11.6.1), and no browser asks its user because of this one. */
    http_response_header(&r->x->response, "WWW-Authenticate",
                         token_came ? SPAN("Bearer realm=\"doorward\", error=\"invalid_token\"")
                                    : SPAN("Bearer realm=\"doorward\""));
}

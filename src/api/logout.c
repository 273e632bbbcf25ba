/* POST /logout: the end of this session, of the others, or of all. Lenient, as RFC 7009, 2.2 wants:
 * whoever asks for the end of what has ended, or never was, hears that it is over. */
#include "bearer.h"
#include "cookies.h"
#include "handlers.h"
#include "json_in.h"

struct logout {
    bool by_bearer;
    struct span refresh_token;
    enum auth_scope scope;
};

static enum err parse_scope(struct api_request *r, enum auth_scope *ret_scope)
{
    static const struct {
        const char *name;
        enum auth_scope scope;
    } scopes[] = { { "this", AUTH_THIS }, { "others", AUTH_OTHERS }, { "all", AUTH_ALL } };
    struct span rest = r->x->request.query;
    struct span name, value;
    enum auth_scope scope = AUTH_THIS;
    size_t given = 0, known = 0;
    enum err e = ERR_OK;
    while ((e = http_query_next(&rest, r->call.arena, &name, &value)) == ERR_OK) {
        if (!span_equal(name, SPAN("scope"))) {
            continue;
        }
        given++;
        for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
            if (span_equal(value, span_of(scopes[i].name))) {
                scope = scopes[i].scope;
                known++;
            }
        }
    }
    if (e != ERR_NOT_FOUND) {
        return e; /* else "all" would be answered as done and be taken for "this" */
    }
    if (given != known || given > 1) {
        api_error_add(r, SPAN("scope"), "invalid_format", "must be this, others or all, and once");
        return ERR_INVALID_INPUT;
    }
    *ret_scope = scope;
    return ERR_OK;
}

/* A revoked bearer's session is ended once more, so that a repeated logout finishes what a broken
 * one began. One that cannot be read ends nothing, and its client has to know. */
static enum err take_bearer(struct api_request *r, struct logout *s, enum err found,
                            struct span token)
{
    enum err why = found == ERR_OK ? api_bearer_verify(r, token) : found;
    if (why == ERR_OK || why == ERR_TOKEN_REVOKED) {
        s->by_bearer = true;
        return ERR_OK;
    }
    return why;
}

static enum err logout_parse(struct api_request *r)
{
    struct logout *s = ARENA_NEW(r->call.arena, struct logout);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    r->input = s;
    struct span token = SPAN_NONE;
    enum err bearer = api_bearer_token(&r->x->request, &token);
    if (bearer != ERR_MISSING_TOKEN) {
        TRY(take_bearer(r, s, bearer, token));
    }
    const struct api_member members[] = { { .name = "refresh_token",
                                            .ret_text = &s->refresh_token } };
    TRY(api_json_parse(r, members, 1));
    if (bearer == ERR_MISSING_TOKEN && s->refresh_token.data == NULL) {
        TRY(api_cookie_get(r, &s->refresh_token));
        if (s->refresh_token.data == NULL) {
            return ERR_MISSING_TOKEN;
        }
    }
    return parse_scope(r, &s->scope);
}

static enum err logout_run(struct api_request *r)
{
    const struct logout *s = r->input;
    struct auth *auth = r->api->options.auth;
    return s->by_bearer ? auth_logout(auth, &r->call, &r->caller, s->scope)
                        : auth_logout_refresh(auth, &r->call, s->refresh_token, s->scope);
}

static enum err logout_reply(struct api_request *r)
{
    const struct logout *s = r->input;
    r->x->response.status = 204;
    if (s->scope != AUTH_OTHERS && api_cookie_came(r)) {
        api_cookie_clear(r);
    }
    return ERR_OK;
}

const struct api_handler api_logout = {
    .parse = logout_parse,
    .run = logout_run,
    .reply = logout_reply,
};

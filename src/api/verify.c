/* ANY /verify and /verify/...: whom does this token speak for? Asked by gateways for each of their
 * requests, so with the method, path and body of that request; OPTIONS included, because a 204 for
 * a stranger's preflight would open the gateway. Never blocks, takes no memory but the arena's. */
#include "bearer.h"
#include "handlers.h"

static enum err find_token(const struct api_request *r, struct span *ret_token)
{
    enum err why = api_bearer_token(&r->x->request, ret_token);
    struct span cookie_name = r->api->options.verify_cookie;
    if (why != ERR_MISSING_TOKEN || cookie_name.length == 0) {
        return why;
    }
    struct span name;
    TRY(arena_copy(r->call.arena, cookie_name, &name));
    struct span token = http_cookie_get(&r->x->request, name.data);
    if (token.length == 0) {
        return ERR_MISSING_TOKEN;
    }
    *ret_token = token;
    return ERR_OK;
}

static bool has_role(struct span roles, struct span wanted)
{
    struct span role;
    while (span_split(&roles, ' ', &role)) {
        if (role.length > 0 && span_equal(role, wanted)) {
            return true;
        }
    }
    return false;
}

/* ?role=NAME, repeated: any of them will do. */
static enum err check_roles(struct api_request *r)
{
    struct span rest = r->x->request.query;
    struct span name, value;
    bool asked = false;
    enum err e = ERR_OK;
    while ((e = http_query_next(&rest, r->call.arena, &name, &value)) == ERR_OK) {
        if (!span_equal(name, SPAN("role"))) {
            continue;
        }
        asked = true;
        if (has_role(r->caller.roles, value)) {
            return ERR_OK;
        }
    }
    if (e != ERR_NOT_FOUND) {
        return e; /* a role that was not read must not count as one that was not asked for */
    }
    return asked ? ERR_FORBIDDEN : ERR_OK;
}

/* Always there, empty for none: else a gateway that copies what is there would let the client's own
 * X-Auth-... pass. */
static enum err add_header(struct api_request *r, const char *name, struct span value,
                           char separator)
{
    struct span copy;
    TRY(arena_copy(r->call.arena, value, &copy));
    char *text = (char *)(uintptr_t)copy.data;
    for (size_t i = 0; i < copy.length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return ERR_INTERNAL; /* no name of ours has a control character */
        }
        text[i] = text[i] == ' ' ? separator : text[i];
    }
    http_response_header(&r->x->response, name, copy);
    return ERR_OK;
}

static enum err add_uuid(struct api_request *r, const char *name, struct uuid id)
{
    char *text = arena_get(r->call.arena, UUID_TEXT_LENGTH + 1);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    uuid_text(id, text);
    http_response_header(&r->x->response, name, (struct span){ text, UUID_TEXT_LENGTH });
    return ERR_OK;
}

static enum err verify_reply(struct api_request *r)
{
    struct span token;
    TRY(find_token(r, &token));
    TRY(api_bearer_verify(r, token));
    TRY(check_roles(r));
    TRY(add_uuid(r, "X-Auth-User", r->caller.user_id));
    TRY(add_header(r, "X-Auth-Username", r->caller.username, ' '));
    TRY(add_uuid(r, "X-Auth-Session", r->caller.session_id));
    TRY(add_header(r, "X-Auth-Roles", r->caller.roles, ','));
    r->x->response.status = 200;
    return ERR_OK;
}

const struct api_handler api_verify = { .reply = verify_reply };

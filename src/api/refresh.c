/* POST /refresh-token: the next tokens of a session. */
#include "cookies.h"
#include "documents.h"
#include "handlers.h"
#include "json_in.h"
#include "views.h"

struct refresh {
    struct span token;
    bool by_cookie;
    struct auth_tokens tokens;
};

static enum err refresh_parse(struct api_request *r)
{
    struct refresh *s = ARENA_NEW(r->call.arena, struct refresh);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    const struct api_member members[] = { { .name = "refresh_token", .ret_text = &s->token } };
    TRY(api_json_parse(r, members, 1));
    r->input = s;
    if (s->token.data != NULL) {
        return ERR_OK;
    }
    TRY(api_cookie_get(r, &s->token));
    s->by_cookie = s->token.data != NULL;
    if (!s->by_cookie) {
        api_error_add(r, SPAN("refresh_token"), "required", "is required");
        return ERR_INVALID_INPUT;
    }
    return ERR_OK;
}

static enum err refresh_run(struct api_request *r)
{
    struct refresh *s = r->input;
    return auth_refresh(r->api->options.auth, &r->call, s->token, &s->tokens);
}

static enum err refresh_reply(struct api_request *r)
{
    const struct refresh *s = r->input;
    struct json_out j;
    json_out_begin(&j, r->call.arena, 512 + s->tokens.access_token.length);
    json_out_object(&j, NULL);
    api_view_tokens(&j, &s->tokens, s->by_cookie);
    json_out_object_end(&j);
    if (s->by_cookie) {
        TRY(api_cookie_set(r, s->tokens.refresh_token, s->tokens.refresh_expires_in_s));
    }
    return api_json_answer(r, 200, &j);
}

const struct api_handler api_refresh = {
    .parse = refresh_parse,
    .run = refresh_run,
    .reply = refresh_reply,
};

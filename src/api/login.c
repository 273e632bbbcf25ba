/* POST /login: a password for a session's tokens. */
#include "cookies.h"
#include "documents.h"
#include "handlers.h"
#include "json_in.h"
#include "views.h"

/* The longest that registering allows; an imported name may break its other rules. */
#define USERNAME_MAX_BYTES 64
#define EMAIL_MAX_BYTES    254

struct login {
    struct auth_login_input in;
    bool by_cookie;
    bool known; /* for RESPONSES=classic alone */
    struct auth_user user;
    struct auth_tokens tokens;
};

static enum err check_one_name(struct api_request *r, const struct auth_login_input *in)
{
    int names =
        (in->username.data != NULL) + (in->email.data != NULL) + (in->identifier.data != NULL);
    if (names == 1) {
        return ERR_OK;
    }
    api_error_add(r, SPAN("identifier"), names == 0 ? "required" : "conflict",
                  "exactly one of username, email and identifier is required");
    return ERR_INVALID_INPUT;
}

static enum err login_parse(struct api_request *r)
{
    struct login *s = ARENA_NEW(r->call.arena, struct login);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    const struct api_member members[] = {
        { .name = "username", .ret_text = &s->in.username, .max_bytes = USERNAME_MAX_BYTES },
        { .name = "email", .ret_text = &s->in.email, .max_bytes = EMAIL_MAX_BYTES },
        { .name = "identifier", .ret_text = &s->in.identifier, .max_bytes = EMAIL_MAX_BYTES },
        { .name = "password",
          .ret_text = &s->in.password,
          .max_bytes = API_PASSWORD_MAX_BYTES,
          .required = true },
        { .name = "cookie", .ret_flag = &s->by_cookie },
    };
    /* With COOKIES=off there is no such member as the last one. */
    size_t count = sizeof members / sizeof members[0];
    TRY(api_json_parse(r, members, r->api->options.cookies == API_COOKIES_OFF ? count - 1 : count));
    s->by_cookie = s->by_cookie || r->api->options.cookies == API_COOKIES_ON;
    r->input = s;
    return check_one_name(r, &s->in);
}

static enum err login_run(struct api_request *r)
{
    struct login *s = r->input;
    return auth_login(r->api->options.auth, &r->call, &s->in, &s->user, &s->tokens, &s->known);
}

static enum err login_reply(struct api_request *r)
{
    const struct login *s = r->input;
    struct json_out j;
    json_out_begin(&j, r->call.arena, API_USER_ROOM + 512 + s->tokens.access_token.length);
    json_out_object(&j, NULL);
    json_out_text(&j, "message", SPAN("login successful"));
    api_view_tokens(&j, &s->tokens, s->by_cookie);
    if (r->api->options.responses == API_RESPONSES_STANDARD) {
        api_view_user(&j, "user", &s->user);
    }
    json_out_object_end(&j);
    if (s->by_cookie) {
        TRY(api_cookie_set(r, s->tokens.refresh_token, s->tokens.refresh_expires_in_s));
    }
    return api_json_answer(r, 200, &j);
}

static bool login_refuse(struct api_request *r, enum err why)
{
    if (r->api->options.responses != API_RESPONSES_CLASSIC || why != ERR_BAD_CREDENTIALS) {
        return false;
    }
    const struct login *s = r->input;
    r->x->response.status = s->known ? 400 : 404;
    r->x->response.content_type = SPAN("application/json");
    r->x->response.body = s->known ? SPAN("{\"message\":\"login unsuccessful\"}")
                                   : SPAN("{\"error\":\"user not registred\"}");
    return true;
}

const struct api_handler api_login = {
    .parse = login_parse,
    .run = login_run,
    .reply = login_reply,
    .refuse = login_refuse,
};

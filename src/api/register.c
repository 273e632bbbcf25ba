/* POST /register: a new account. */
#include "documents.h"
#include "handlers.h"
#include "json_in.h"
#include "views.h"

struct registration {
    struct auth_registration in;
    struct auth_user user;
};

static enum err register_parse(struct api_request *r)
{
    struct registration *s = ARENA_NEW(r->call.arena, struct registration);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    const struct api_member members[] = {
        { .name = "username", .ret_text = &s->in.username },
        { .name = "email", .ret_text = &s->in.email },
        { .name = "password", .ret_text = &s->in.password },
    };
    TRY(api_json_parse(r, members, sizeof members / sizeof members[0]));
    r->input = s;
    struct auth_input_errors errors = { 0 };
    enum err why = auth_check_registration(r->api->options.auth, &s->in, &errors);
    api_errors_take(r, &errors);
    return why;
}

static enum err register_run(struct api_request *r)
{
    struct registration *s = r->input;
    struct auth_input_errors errors = { 0 };
    enum err why = auth_register(r->api->options.auth, &r->call, &s->in, &errors, &s->user);
    api_errors_take(r, &errors);
    return why;
}

static bool is_classic(const struct api_request *r)
{
    return r->api->options.responses == API_RESPONSES_CLASSIC;
}

static enum err register_reply(struct api_request *r)
{
    const struct registration *s = r->input;
    struct json_out j;
    json_out_begin(&j, r->call.arena, API_USER_ROOM);
    json_out_object(&j, NULL);
    /* The older API's text ends in a space, and its clients compare it. */
    json_out_text(&j, "message",
                  is_classic(r) ? SPAN("user registered ") : SPAN("user registered"));
    if (!is_classic(r)) {
        api_view_user(&j, "user", &s->user);
        http_response_header(&r->x->response, "Location", SPAN("/profile"));
    }
    json_out_object_end(&j);
    return api_json_answer(r, is_classic(r) ? 200 : 201, &j);
}

static bool register_refuse(struct api_request *r, enum err why)
{
    if (!is_classic(r) || (why != ERR_CONFLICT_USERNAME && why != ERR_CONFLICT_EMAIL)) {
        return false;
    }
    r->x->response.status = 400;
    r->x->response.content_type = SPAN("application/json");
    r->x->response.body = SPAN("{\"message\":\"user Already Exists\"}");
    return true;
}

const struct api_handler api_register = {
    .parse = register_parse,
    .run = register_run,
    .reply = register_reply,
    .refuse = register_refuse,
};

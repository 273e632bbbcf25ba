/* POST /password: a new password; the other sessions end. */
#include "handlers.h"
#include "json_in.h"

struct change {
    struct span current_password, new_password;
};

static enum err password_parse(struct api_request *r)
{
    struct change *s = ARENA_NEW(r->call.arena, struct change);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    const struct api_member members[] = {
        { .name = "current_password",
          .ret_text = &s->current_password,
          .required = true,
          .max_bytes = API_PASSWORD_MAX_BYTES },
        { .name = "new_password", .ret_text = &s->new_password, .required = true },
    };
    TRY(api_json_parse(r, members, sizeof members / sizeof members[0]));
    r->input = s;
    struct auth_input_errors errors = { 0 };
    enum err why = auth_check_new_password(r->api->options.auth, s->new_password, &errors);
    api_errors_take(r, &errors);
    return why;
}

static enum err password_run(struct api_request *r)
{
    const struct change *s = r->input;
    struct auth_input_errors errors = { 0 };
    enum err why = auth_password_change(r->api->options.auth, &r->call, &r->caller,
                                        s->current_password, s->new_password, &errors);
    api_errors_take(r, &errors);
    return why;
}

static enum err password_reply(struct api_request *r)
{
    r->x->response.status = 204;
    return ERR_OK;
}

const struct api_handler api_password = {
    .parse = password_parse,
    .run = password_run,
    .reply = password_reply,
};

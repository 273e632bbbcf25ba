/* GET and DELETE /profile: one's own account. */
#include "documents.h"
#include "handlers.h"
#include "json_in.h"
#include "views.h"

static enum err profile_run(struct api_request *r)
{
    struct auth_user *user = ARENA_NEW(r->call.arena, struct auth_user);
    if (user == NULL) {
        return ERR_NOMEM;
    }
    r->input = user;
    return auth_profile(r->api->options.auth, &r->call, &r->caller, user);
}

static enum err profile_reply(struct api_request *r)
{
    struct json_out j;
    json_out_begin(&j, r->call.arena, API_USER_ROOM);
    json_out_object(&j, NULL);
    api_view_user(&j, "user", r->input);
    json_out_object_end(&j);
    return api_json_answer(r, 200, &j);
}

const struct api_handler api_profile = { .run = profile_run, .reply = profile_reply };

static enum err delete_parse(struct api_request *r)
{
    struct span *password = ARENA_NEW(r->call.arena, struct span);
    if (password == NULL) {
        return ERR_NOMEM;
    }
    const struct api_member members[] = {
        { .name = "password",
          .ret_text = password,
          .required = true,
          .max_bytes = API_PASSWORD_MAX_BYTES },
    };
    r->input = password;
    return api_json_parse(r, members, 1);
}

static enum err delete_run(struct api_request *r)
{
    const struct span *password = r->input;
    return auth_account_delete(r->api->options.auth, &r->call, &r->caller, *password);
}

static enum err delete_reply(struct api_request *r)
{
    r->x->response.status = 204;
    return ERR_OK;
}

const struct api_handler api_profile_delete = {
    .parse = delete_parse,
    .run = delete_run,
    .reply = delete_reply,
};

/* GET /sessions and DELETE /sessions/{id}: where one is logged in. */
#include "documents.h"
#include "handlers.h"
#include "views.h"

#define SESSION_ROOM 512 /* bytes that a usual one takes */

struct sessions {
    struct auth_session *list;
    size_t count;
};

static enum err sessions_run(struct api_request *r)
{
    struct sessions *s = ARENA_NEW(r->call.arena, struct sessions);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    r->input = s;
    return auth_sessions(r->api->options.auth, &r->call, &r->caller, &s->list, &s->count);
}

static enum err sessions_reply(struct api_request *r)
{
    const struct sessions *s = r->input;
    struct json_out j;
    json_out_begin(&j, r->call.arena, SESSION_ROOM * (s->count + 1));
    json_out_object(&j, NULL);
    json_out_list(&j, "sessions");
    for (size_t i = 0; i < s->count; i++) {
        api_view_session(&j, &s->list[i]);
    }
    json_out_list_end(&j);
    json_out_object_end(&j);
    return api_json_answer(r, 200, &j);
}

const struct api_handler api_sessions = { .run = sessions_run, .reply = sessions_reply };

static enum err end_run(struct api_request *r)
{
    struct uuid id;
    if (!uuid_parse(r->rest, &id)) {
        return ERR_NOT_FOUND;
    }
    return auth_session_end(r->api->options.auth, &r->call, &r->caller, id);
}

static enum err end_reply(struct api_request *r)
{
    r->x->response.status = 204;
    return ERR_OK;
}

const struct api_handler api_session_end = { .run = end_run, .reply = end_reply };

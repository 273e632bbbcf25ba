#include "views.h"

void api_view_user(struct json_out *j, const char *name, const struct auth_user *user)
{
    json_out_object(j, name);
    json_out_uuid(j, "id", user->id);
    json_out_text(j, "username", user->username);
    json_out_text(j, "email", user->email);
    json_out_list(j, "roles");
    struct span rest = user->roles;
    struct span role;
    while (span_split(&rest, ' ', &role)) {
        if (role.length > 0) {
            json_out_text(j, NULL, role);
        }
    }
    json_out_list_end(j);
    json_out_instant(j, "created_at", user->created_at);
    json_out_instant(j, "updated_at", user->updated_at);
    json_out_object_end(j);
}

void api_view_tokens(struct json_out *j, const struct auth_tokens *tokens, bool by_cookie)
{
    json_out_text(j, "access_token", tokens->access_token);
    json_out_text(j, "token_type", SPAN("Bearer"));
    json_out_number(j, "expires_in", tokens->expires_in_s);
    if (!by_cookie) {
        json_out_text(j, "refresh_token", tokens->refresh_token);
    }
    json_out_number(j, "refresh_expires_in", tokens->refresh_expires_in_s);
}

static struct span text_or_empty(struct span text)
{
    return text.data != NULL ? text : SPAN("");
}

void api_view_session(struct json_out *j, const struct auth_session *session)
{
    json_out_object(j, NULL);
    json_out_uuid(j, "id", session->id);
    json_out_instant(j, "created_at", session->created_at);
    json_out_instant(j, "last_used_at", session->last_used_at);
    json_out_instant(j, "expires_at", session->expires_at);
    json_out_text(j, "ip", text_or_empty(session->ip));
    json_out_text(j, "user_agent", text_or_empty(session->agent));
    json_out_flag(j, "current", session->current);
    json_out_object_end(j);
}

#include "views.h"

void api_view_user(struct api_json *j, const char *name, const struct auth_user *user)
{
    api_json_object(j, name);
    api_json_uuid(j, "id", user->id);
    api_json_text(j, "username", user->username);
    api_json_text(j, "email", user->email);
    api_json_list(j, "roles");
    struct span rest = user->roles;
    struct span role;
    while (span_split(&rest, ' ', &role)) {
        if (role.length > 0) {
            api_json_text(j, NULL, role);
        }
    }
    api_json_list_end(j);
    api_json_instant(j, "created_at", user->created_at);
    api_json_instant(j, "updated_at", user->updated_at);
    api_json_object_end(j);
}

void api_view_tokens(struct api_json *j, const struct auth_tokens *tokens, bool by_cookie)
{
    api_json_text(j, "access_token", tokens->access_token);
    api_json_text(j, "token_type", SPAN("Bearer"));
    api_json_number(j, "expires_in", tokens->expires_in_s);
    if (!by_cookie) {
        api_json_text(j, "refresh_token", tokens->refresh_token);
    }
    api_json_number(j, "refresh_expires_in", tokens->refresh_expires_in_s);
}

static struct span text_or_empty(struct span text)
{
    return text.data != NULL ? text : SPAN("");
}

void api_view_session(struct api_json *j, const struct auth_session *session)
{
    api_json_object(j, NULL);
    api_json_uuid(j, "id", session->id);
    api_json_instant(j, "created_at", session->created_at);
    api_json_instant(j, "last_used_at", session->last_used_at);
    api_json_instant(j, "expires_at", session->expires_at);
    api_json_text(j, "ip", text_or_empty(session->ip));
    api_json_text(j, "user_agent", text_or_empty(session->agent));
    api_json_flag(j, "current", session->current);
    api_json_object_end(j);
}

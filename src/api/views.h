/* views.h - the shapes of DESIGN 7 as JSON. Private to api.
 *
 * Threads:   pure functions over the caller's text. */
#ifndef DOORWARD_API_VIEWS_H
#define DOORWARD_API_VIEWS_H

#include "auth.h"

#define API_USER_ROOM 640 /* bytes that a usual one takes */

void api_view_user(struct json_out *j, const char *name, const struct auth_user *user);
/* As members of the present object. The refresh token is left out when it goes by cookie. */
void api_view_tokens(struct json_out *j, const struct auth_tokens *tokens, bool by_cookie);
void api_view_session(struct json_out *j, const struct auth_session *session);

#endif

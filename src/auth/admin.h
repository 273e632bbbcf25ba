/* admin.h - accounts for the command line; a part of auth.h, which others include.
 *
 * Threads, ownership, failure, units: as auth.h. A `name` is an id, a user name or an e-mail. */
#ifndef DOORWARD_AUTH_ADMIN_H
#define DOORWARD_AUTH_ADMIN_H

#include "auth.h"

MUST_CHECK enum err auth_user_find(struct auth *au, struct auth_call *call, struct span name,
                                   struct auth_user *ret_user);
MUST_CHECK enum err auth_user_list(struct auth *au, struct auth_call *call, struct uuid after,
                                   size_t max, struct auth_user **ret_users, size_t *ret_count);
/* Ends all sessions. */
MUST_CHECK enum err auth_user_set_password(struct auth *au, struct auth_call *call,
                                           struct uuid user, struct span password,
                                           struct auth_input_errors *errors);
/* `now`: ends all sessions, so that no token has the old ones. */
MUST_CHECK enum err auth_user_set_roles(struct auth *au, struct auth_call *call, struct uuid user,
                                        struct span roles, bool now,
                                        struct auth_input_errors *errors);
MUST_CHECK enum err auth_user_set_disabled(struct auth *au, struct auth_call *call,
                                           struct uuid user, bool disabled);
MUST_CHECK enum err auth_user_delete(struct auth *au, struct auth_call *call, struct uuid user);

#endif

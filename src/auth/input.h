/* input.h - what members of a request may hold, and the texts for what they may not. Private to
 * auth.
 *
 * Threads:   pure functions.
 * Failure:   errors are collected; past AUTH_MAX_INPUT_ERRORS they are left out. */
#ifndef DOORWARD_AUTH_INPUT_H
#define DOORWARD_AUTH_INPUT_H

#include "auth.h"

#define INPUT_MAX_NAME_BYTES     254 /* of an e-mail (RFC 5321, 4.5.3.1.3, less the brackets) */
#define INPUT_MAX_USERNAME_BYTES 64
#define INPUT_MAX_ROLE_BYTES     64
#define INPUT_MAX_IP_BYTES       64
#define INPUT_MAX_AGENT_BYTES    256

void input_add(struct auth_input_errors *errors, const char *field, const char *code,
               const char *detail);
void input_check_username(struct span username, struct auth_input_errors *errors);
/* Of an account from elsewhere: any that a login may give, and a list or a header may show. */
void input_check_imported_username(struct span username, struct auth_input_errors *errors);
void input_check_email(struct span email, struct auth_input_errors *errors);
void input_check_roles(struct span roles, struct auth_input_errors *errors);
/* A password that is to be set. */
void input_check_new_password(struct span password, size_t min_length, const char *field,
                              struct auth_input_errors *errors);
/* A password that is to be compared: it may be any that was ever accepted anywhere. */
void input_check_old_password(struct span password, const char *field,
                              struct auth_input_errors *errors);
/* ERR_INVALID_INPUT when something was collected. */
MUST_CHECK enum err input_result(const struct auth_input_errors *errors);

/* ASCII lower case; what decides whether two e-mails are one. */
MUST_CHECK enum err input_lower(struct arena *a, struct span text, struct span *ret_lower);
/* At most `max` bytes, with `?` for what is not printable ASCII: a header may hold any bytes, and
 * this one is shown again in JSON. */
MUST_CHECK enum err input_printable(struct arena *a, struct span text, size_t max,
                                    struct span *ret_text);

#endif

/* prompt.h - a password from a person or a pipe, never from the arguments.
 *
 * Threads:   the main thread.
 * Ownership: the password is in the caller's arena, which wipes it.
 * Failure:   ERR_IO, ERR_INVALID_INPUT with *ret_why, static, that says what is wrong. */
#ifndef DOORWARD_PROMPT_H
#define DOORWARD_PROMPT_H

#include "base.h"

/* From a terminal twice, without echo; otherwise one line of stdin. */
MUST_CHECK enum err prompt_password(struct arena *a, struct span *ret_password,
                                    const char **ret_why);

#endif

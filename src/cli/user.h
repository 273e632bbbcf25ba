/* user.h - one run of a `doorward user` command.
 *
 * Threads:   the main thread.
 * Ownership: everything lives until the run ends; what the verbs make is in `call.arena`. */
#ifndef DOORWARD_USER_H
#define DOORWARD_USER_H

#include "auth.h"
#include "command.h"

struct user_run {
    /* from the command line */
    const char *env_file, *username, *email;
    struct span roles; /* of --role and of arguments, by single spaces */
    bool now;
    const char *name; /* whom it is about; NULL where the command takes none */
    struct span password;
    /* while it runs */
    struct auth *auth;
    struct auth_call call;
    struct arena arena;
    struct auth_input_errors errors;
};

enum user_needs { USER_NEEDS_NONE = 0, USER_NEEDS_NAME = 1, USER_NEEDS_PASSWORD = 2 };
/* What a verb needs and does; in the order of user_commands. */
struct user_verb {
    const char *name;
    unsigned needs;      /* of enum user_needs */
    const char *options; /* the letters of those that it takes besides help and env-file */
    bool takes_roles;    /* as arguments behind the name */
    enum err (*run)(struct user_run *u);
};
extern const struct user_verb user_verbs[];

#endif

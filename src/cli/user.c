/* user.c - `doorward user ...`: from the arguments to a verb, and from its result to a line and an
 * exit code. */
#include "user.h"

#include "prompt.h"
#include <stdio.h>
#include <string.h>

#define RUN_BYTES ((size_t)4 * 1024 * 1024)

static int verb_main(const struct command *self, int argc, char **argv);

#define PASSWORD_NOTE                                                                              \
    "The password is asked for on a terminal, else read as one line from stdin.\n\n"

const struct command user_commands[] = {
    { "add", "[--username U] [--email E] [--role R]...", "make an account",
      PASSWORD_NOTE "  --username U      at least one of user name and e-mail\n"
                    "  --email E\n  --role R          may be repeated\n" HELP_ENV_FILE,
      verb_main },
    { "list", "", "id, user name, e-mail, state, roles; tabs between", HELP_ENV_FILE, verb_main },
    { "show", "NAME", "one account; NAME is a user name, an e-mail or an id", HELP_ENV_FILE,
      verb_main },
    { "passwd", "NAME", "set a password and end all sessions", PASSWORD_NOTE HELP_ENV_FILE,
      verb_main },
    { "role", "NAME [ROLE...] [--now]", "set the roles; none takes all away",
      "  --now             end all sessions, so that no token has the old roles\n" HELP_ENV_FILE,
      verb_main },
    { "disable", "NAME", "refuse logins and end all sessions", HELP_ENV_FILE, verb_main },
    { "enable", "NAME", "allow logins again", HELP_ENV_FILE, verb_main },
    { "delete", "NAME", "delete an account; its names are free again", HELP_ENV_FILE, verb_main },
    { 0 },
};

static const struct user_verb *verb_of(const struct command *self)
{
    return &user_verbs[self - user_commands];
}

/* ---- arguments ---- */

static enum err add_role(struct user_run *u, const char *role)
{
    if (u->roles.length == 0) {
        return arena_copy(&u->arena, span_of(role), &u->roles);
    }
    return arena_printf(&u->arena, &u->roles, "%.*s %s", SPAN_FMT(u->roles), role);
}

static bool take_option(struct user_run *u, const struct user_verb *verb, int option)
{
    if (option == 'e') {
        u->env_file = optarg;
        return true;
    }
    if (option == '?' || option == ':' || strchr(verb->options, option) == NULL) {
        return false;
    }
    switch (option) {
    case 'u':
        u->username = optarg;
        return true;
    case 'm':
        u->email = optarg;
        return true;
    case 'n':
        u->now = true;
        return true;
    default:
        return add_role(u, optarg) == ERR_OK;
    }
}

/* What is no option: a name, and roles where the verb takes them. */
static bool take_arguments(struct user_run *u, const struct user_verb *verb, int argc, char **argv)
{
    int next = optind;
    if ((verb->needs & USER_NEEDS_NAME) != 0) {
        if (next == argc) {
            complain("user %s: NAME is missing; see doorward user %s --help", verb->name,
                     verb->name);
            return false;
        }
        u->name = argv[next++];
    }
    for (; next < argc && verb->takes_roles; next++) {
        if (add_role(u, argv[next]) != ERR_OK) {
            return false;
        }
    }
    if (next < argc) {
        complain("user %s: takes no \"%s\"; see doorward user %s --help", verb->name, argv[next],
                 verb->name);
    }
    return next == argc;
}

/* ---- results ---- */

static int complain_about_input(const struct user_run *u)
{
    const struct auth_input_error *first = &u->errors.list[0];
    if (u->errors.count == 0) {
        complain("%s", err_text(ERR_INVALID_INPUT));
    } else {
        complain("%s: %s", first->field, first->detail);
    }
    return EXIT_USAGE;
}

static int report(const struct user_run *u, enum err e)
{
    if (e == ERR_OK) {
        return EXIT_DONE;
    }
    if (e == ERR_INVALID_INPUT) {
        return complain_about_input(u);
    }
    if (e == ERR_NOT_FOUND) {
        complain("%s: no such user", u->name);
    } else {
        complain("%s", err_text(e));
    }
    return EXIT_WORLD;
}

/* ---- a run ---- */

static int run_open(struct user_run *u, const struct user_verb *verb, struct config *config)
{
    struct span why = SPAN_NONE;
    AUTO(app) struct app *app = NULL;
    enum err e = app_open(config, &u->arena, &why, &app);
    if (e != ERR_OK) {
        complain("%.*s", SPAN_FMT(why));
        return e == ERR_CONFIG ? EXIT_USAGE : EXIT_WORLD;
    }
    u->auth = app_auth(app);
    u->call = (struct auth_call){ .arena = &u->arena, .agent = SPAN("doorward user") };
    return report(u, verb->run(u));
}

static int run_verb(struct user_run *u, const struct user_verb *verb)
{
    int code = EXIT_DONE;
    const char *problem = NULL;
    AUTO(config) struct config *config = load_settings(u->env_file, &code);
    if (config == NULL) {
        return code;
    }
    if ((verb->needs & USER_NEEDS_PASSWORD) != 0) {
        enum err e = prompt_password(&u->arena, &u->password, &problem);
        if (e != ERR_OK) {
            complain("user %s: %s", verb->name, problem);
            return e == ERR_INVALID_INPUT ? EXIT_USAGE : EXIT_WORLD;
        }
    }
    return run_open(u, verb, config);
}

static int parse_and_run(struct user_run *u, const struct command *self, int argc, char **argv)
{
    static const struct option known[] = {
        OPTION_HELP,
        OPTION_ENV_FILE,
        { "username", required_argument, NULL, 'u' },
        { "email", required_argument, NULL, 'm' },
        { "role", required_argument, NULL, 'r' },
        { "now", no_argument, NULL, 'n' },
        { 0 },
    };
    const struct user_verb *verb = verb_of(self);
    int option;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (option == 'h') {
            command_print_help(self, "user ");
            return EXIT_DONE;
        }
        if (!take_option(u, verb, option)) {
            char words[32];
            (void)snprintf(words, sizeof(words), "user %s", verb->name);
            return complain_about_option(words, argv);
        }
    }
    if (!take_arguments(u, verb, argc, argv)) {
        return EXIT_USAGE;
    }
    return run_verb(u, verb);
}

static int verb_main(const struct command *self, int argc, char **argv)
{
    struct user_run u = { 0 };
    arena_init(&u.arena, RUN_BYTES);
    int code = parse_and_run(&u, self, argc, argv);
    arena_done(&u.arena); /* wipes the password */
    return code;
}

int user_main(const struct command *self, int argc, char **argv)
{
    return command_run_verb(self, user_commands, argc, argv);
}

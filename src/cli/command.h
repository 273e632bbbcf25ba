/* command.h - what the commands share: options, settings, complaints.
 *
 * Threads: the main thread. */
#ifndef DOORWARD_COMMAND_H
#define DOORWARD_COMMAND_H

#include "app.h"
#include "base.h"
#include <getopt.h>

#define EXIT_DONE  0
#define EXIT_WORLD 1
#define EXIT_USAGE 2
/* Of export and import, as grep has them: 0, 1 when some lines were refused, 2 when it stopped. */
#define EXIT_SOME_REFUSED 1
#define EXIT_STOPPED      2

/* One word of the command line, with what may follow it. */
struct command {
    const char *name;
    const char *arguments; /* for the help: "NAME [ROLE...]" */
    const char *summary;
    const char *help; /* its options, a line each; may be NULL */
    int (*run)(const struct command *self, int argc, char **argv);
};
/* The commands; each ends with one whose name is NULL. */
extern const struct command commands[];
extern const struct command user_commands[];
extern const struct command key_commands[];

int serve_main(const struct command *self, int argc, char **argv);
int config_main(const struct command *self, int argc, char **argv);
int user_main(const struct command *self, int argc, char **argv);
int key_main(const struct command *self, int argc, char **argv);
int export_main(const struct command *self, int argc, char **argv);
int import_main(const struct command *self, int argc, char **argv);
int health_main(const struct command *self, int argc, char **argv);
int calibrate_main(const struct command *self, int argc, char **argv);
void version_print(void);

/* NULL: not there. */
const struct command *command_find(const struct command *list, const char *name);
/* "doorward PREFIX": its commands. */
void command_print_list(const struct command *list, const char *prefix);
void command_print_help(const struct command *self, const char *prefix);
/* The one of `list`, the verbs of `self`, that argv[1] names; the exit code. */
int command_run_verb(const struct command *self, const struct command *list, int argc, char **argv);
/* One line on stderr. */
PRINTF_LIKE(1, 2) void complain(const char *format, ...);
/* After getopt_long() gave '?' or ':'; the exit code. */
int complain_about_option(const char *words, char **argv);
/* Settings, or NULL with the complaint made and *ret_code set. */
struct config *load_settings(const char *env_file, int *ret_code);
/* run(argument, auth) on the store of these settings; its exit code, or EXIT_STOPPED with the
 * complaint made. */
typedef int auth_run_fn(void *argument, struct auth *auth);
int run_with_auth(const char *env_file, struct arena *a, auth_run_fn *run, void *argument);

#define OPTION_ENV_FILE                                                                            \
    {                                                                                              \
        "env-file", required_argument, NULL, 'e'                                                   \
    }
#define OPTION_HELP                                                                                \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }
#define HELP_ENV_FILE "  --env-file FILE   settings from FILE instead of ./.env\n"

#endif

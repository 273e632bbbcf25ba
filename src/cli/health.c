/* health.c - `doorward health`: for a container's health check, which has no other program to ask
 * with. */
#include "command.h"

#include <stdio.h>

#define WHY_BYTES 4096
#define TIMEOUT_S 3

static int report(const struct config *config, const char *path)
{
    struct span why = SPAN_NONE;
    struct arena a;
    arena_init(&a, WHY_BYTES);
    enum err e = app_health(config, path, TIMEOUT_S, &a, &why);
    if (e == ERR_OK) {
        (void)printf("%.*s\n", SPAN_FMT(why));
    } else {
        complain("health: %.*s", SPAN_FMT(why));
    }
    arena_done(&a);
    return e == ERR_OK ? EXIT_DONE : e == ERR_CONFIG ? EXIT_USAGE : EXIT_WORLD;
}

int health_main(const struct command *self, int argc, char **argv)
{
    static const struct option known[] = {
        OPTION_HELP, OPTION_ENV_FILE, { "ready", no_argument, NULL, 'r' }, { 0 }
    };
    const char *env_file = NULL;
    const char *path = "/healthz";
    int option;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        switch (option) {
        case 'e':
            env_file = optarg;
            break;
        case 'r':
            path = "/readyz";
            break;
        case 'h':
            command_print_help(self, "");
            return EXIT_DONE;
        default:
            return complain_about_option(self->name, argv);
        }
    }
    if (optind < argc) {
        complain("%s: takes no \"%s\"; see doorward %s --help", self->name, argv[optind],
                 self->name);
        return EXIT_USAGE;
    }
    int code = EXIT_DONE;
    AUTO(config) struct config *config = load_settings(env_file, &code);
    return config != NULL ? report(config, path) : code;
}

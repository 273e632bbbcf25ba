#include "cli.h"

#include "command.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WHY_BYTES ((size_t)512 * 1024)

const struct command commands[] = {
    { "serve", "", "run the service until a signal ends it", HELP_ENV_FILE, serve_main },
    { "user", "COMMAND", "add, list and change users; beside a running service as well", NULL,
      user_main },
    { "key", "COMMAND",
      "list, rotate and retire the signing keys; beside a running service as well", NULL,
      key_main },
    { "export", "[--output FILE]", "write the users, with their hashes, as lines of JSON",
      "  --output FILE     into a new file that only you can read, instead of stdout\n"
      "  --force           replace FILE\n"
      "  --sessions        living sessions and revocations as well\n"
      "  --keys            the signing keys as well, wrapped with MASTER_KEY as they are\n"
      "  --after ID        only users behind this id, to go on with\n" HELP_ENV_FILE
      "\n  It ends with 0 when all is written, else with 2.\n",
      export_main },
    { "import", "[--dry-run] [--rejects FILE]", "add what an export, or another system, wrote",
      "  Reads stdin. What is there already is left as it is, so the same input can be tried\n"
      "  again.\n\n"
      "  --dry-run         only judge the lines\n"
      "  --rejects FILE    a new file for the refused lines' numbers and reasons\n" HELP_ENV_FILE
      "\n  It ends with 0 when all is there, 1 when lines were refused, 2 when it stopped.\n",
      import_main },
    { "calibrate", "[--target-ms N]", "measure this machine, and recommend a BCRYPT_COST",
      "  --target-ms N     what a hash may take alone; 250\n"
      "  --json            for programs\n" HELP_ENV_FILE,
      calibrate_main },
    { "health", "", "ask the service that runs with these settings how it is",
      "  --ready           whether it is ready for requests (/readyz); else whether it "
      "lives\n" HELP_ENV_FILE,
      health_main },
    { "config", "", "print every setting and where it came from, secrets masked",
      "  --check           only judge the settings\n" HELP_ENV_FILE, config_main },
    { 0 },
};

const struct command *command_find(const struct command *list, const char *name)
{
    for (; list->name != NULL; list++) {
        if (strcmp(list->name, name) == 0) {
            return list;
        }
    }
    return NULL;
}

void command_print_list(const struct command *list, const char *prefix)
{
    for (; list->name != NULL; list++) {
        int width = printf("  doorward %s%s %s", prefix, list->name, list->arguments);
        (void)printf("%*s %s\n", width < 46 ? 46 - width : 0, "", list->summary);
    }
}

void command_print_help(const struct command *self, const char *prefix)
{
    (void)printf("doorward %s%s %s\n  %s\n\n%s  --help            this text\n", prefix, self->name,
                 self->arguments, self->summary, self->help != NULL ? self->help : "");
}

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("doorward: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

int complain_about_option(const char *words, char **argv)
{
    complain("%s: %s is not an option here, or lacks its value; see doorward %s --help", words,
             argv[optind - 1], words);
    return EXIT_USAGE;
}

struct config *load_settings(const char *env_file, int *ret_code)
{
    struct config *config = NULL;
    struct span why = SPAN_NONE;
    struct arena a;
    arena_init(&a, WHY_BYTES);
    enum err e = config_load(env_file, &a, &why, &config);
    if (e != ERR_OK) {
        complain("%.*s", SPAN_FMT(why));
        *ret_code = e == ERR_CONFIG ? EXIT_USAGE : EXIT_WORLD;
    }
    arena_done(&a);
    return config;
}

int run_with_auth(const char *env_file, struct arena *a, auth_run_fn *run, void *argument)
{
    struct span why = SPAN_NONE;
    int code = EXIT_DONE;
    AUTO(config) struct config *config = load_settings(env_file, &code);
    AUTO(app) struct app *app = NULL;
    if (config == NULL) {
        return EXIT_STOPPED;
    }
    if (app_open(config, a, &why, &app) != ERR_OK) {
        complain("%.*s", SPAN_FMT(why));
        return EXIT_STOPPED;
    }
    return run(argument, app_auth(app));
}

static void print_help(void)
{
    (void)printf("Doorward keeps the door of your services: it registers users, checks passwords,\n"
                 "issues and verifies tokens.\n\n");
    command_print_list(commands, "");
    (void)printf("  doorward --version\n  doorward COMMAND --help\n\n"
                 "Settings come from the environment, over ./.env, over the defaults.\n");
}

int command_run_verb(const struct command *self, const struct command *list, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    const struct command *found = command_find(list, word);
    if (found != NULL) {
        return found->run(found, argc - 1, argv + 1);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        char prefix[32];
        (void)snprintf(prefix, sizeof(prefix), "%s ", self->name);
        command_print_list(list, prefix);
        return EXIT_DONE;
    }
    if (argc < 2) {
        complain("%s: a command is missing; see doorward %s --help", self->name, self->name);
    } else {
        complain("%s: %s is no command; see doorward %s --help", self->name, word, self->name);
    }
    return EXIT_USAGE;
}

/* A list that did not fit on the disk is no list. `serve` says nothing there that it depends on. */
static int run_command(const struct command *found, int argc, char **argv)
{
    int code = found->run(found, argc, argv);
    if (code == EXIT_DONE && found->run != serve_main &&
        (fflush(stdout) != 0 || ferror(stdout) != 0)) {
        complain("%s: what it has to say cannot be written to stdout", found->name);
        return EXIT_WORLD;
    }
    return code;
}

int cli_main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    const struct command *found = command_find(commands, word);
    opterr = 0; /* we say it ourselves, in one line */
    if (found != NULL) {
        return run_command(found, argc - 1, argv + 1);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help();
        return EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0) {
        version_print();
        return EXIT_DONE;
    }
    if (argc < 2) {
        complain("a command is missing, serve for one; see doorward --help");
    } else {
        complain("%s is no command; see doorward --help", word);
    }
    return EXIT_USAGE;
}

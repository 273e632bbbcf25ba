/* serve.c - `doorward serve` and `doorward config`. */
#include "command.h"

#include <stdio.h>

#define CONFIG_TEXT_BYTES ((size_t)256 * 1024)

struct options {
    const char *env_file;
    bool check;
};

/* What both know; *ret_code is set when there is nothing more to do. */
static bool read_options(const struct command *self, int argc, char **argv, bool may_check,
                         struct options *options, int *ret_code)
{
    static const struct option known[] = {
        OPTION_HELP, OPTION_ENV_FILE, { "check", no_argument, NULL, 'c' }, { 0 }
    };
    int option;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (option == 'e') {
            options->env_file = optarg;
        } else if (option == 'c' && may_check) {
            options->check = true;
        } else if (option == 'h') {
            command_print_help(self, "");
            *ret_code = EXIT_DONE;
            return false;
        } else {
            *ret_code = complain_about_option(self->name, argv);
            return false;
        }
    }
    if (optind < argc) {
        complain("%s: takes no \"%s\"; see doorward %s --help", self->name, argv[optind],
                 self->name);
        *ret_code = EXIT_USAGE;
        return false;
    }
    return true;
}

int serve_main(const struct command *self, int argc, char **argv)
{
    struct options options = { 0 };
    int code = EXIT_DONE;
    if (!read_options(self, argc, argv, false, &options, &code)) {
        return code;
    }
    AUTO(config) struct config *config = load_settings(options.env_file, &code);
    return config != NULL ? app_serve(config) : code;
}

int config_main(const struct command *self, int argc, char **argv)
{
    struct options options = { 0 };
    int code = EXIT_DONE;
    if (!read_options(self, argc, argv, true, &options, &code)) {
        return code;
    }
    AUTO(config) struct config *config = load_settings(options.env_file, &code);
    if (config == NULL) {
        return code;
    }
    if (options.check) {
        (void)puts("ok");
        return EXIT_DONE;
    }
    struct buf text;
    buf_init(&text, CONFIG_TEXT_BYTES);
    config_print(config, &text);
    (void)fwrite(text.data, 1, text.length, stdout);
    buf_done(&text);
    return EXIT_DONE;
}

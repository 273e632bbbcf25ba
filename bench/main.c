/* main.c - doorward-bench: measures a running service from outside, and its hot paths in process.
 */
#include "bench.h"

#include "measure.h"
#include "version.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HASH_HELP                                                                                  \
    "  --cost N, --to N  the first and last cost\n"                                                \
    "  --threads N       at work together\n"                                                       \
    "  --kernels         each kernel with each number of lanes instead, at --cost\n"

#define TOKEN_HELP                                                                                 \
    "  --make N          write N tokens (HS256) instead, of a service with JWT_SECRET=TEXT:\n"     \
    "  --secret TEXT\n"                                                                            \
    "  --file PATH       where to\n"

#define STORE_HELP                                                                                 \
    "  --directory PATH  for files that go when it ends; /var/tmp\n"                               \
    "  --uri URI         another store instead, alone; users and sessions stay behind in it\n"

const struct command bench_commands[] = {
    { "load", "URL [OPTION...]", "ask a service at a given rate, and see how it answers", load_help,
      load_main },
    { "conns", "URL [OPTION...]", "what idle connections and handshakes cost a service", conns_help,
      conns_main },
    { "hash", "[OPTION...]", "bcrypt beside libxcrypt", HASH_HELP MEASURE_HELP, hash_main },
    { "token", "[OPTION...]", "tokens beside libjwt and OpenSSL alone", TOKEN_HELP MEASURE_HELP,
      token_main },
    { "http-parse", "[OPTION...]", "requests beside llhttp alone", MEASURE_HELP, http_parse_main },
    { "json", "[OPTION...]", "bodies beside jansson alone", MEASURE_HELP, json_main },
    { "store", "[OPTION...]", "the store beside raw SQLite", STORE_HELP MEASURE_HELP, store_main },
    { 0 },
};

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr);
    (void)fputs("doorward-bench: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    funlockfile(stderr);
    va_end(arguments);
}

int complain_about_option(char **argv)
{
    complain("%s: %s is not an option here, or lacks its value; see doorward-bench %s --help",
             argv[0], argv[optind - 1], argv[0]);
    return EXIT_REFUSED;
}

static void print_help(void)
{
    (void)printf(
        "doorward-bench measures a Doorward: as its clients see it, and layer by layer.\n\n");
    for (const struct command *c = bench_commands; c->name != NULL; c++) {
        int width = printf("  doorward-bench %s %s", c->name, c->arguments);
        (void)printf("%*s %s\n", width < 46 ? 46 - width : 0, "", c->summary);
    }
    (void)printf(
        "  doorward-bench --version\n  doorward-bench COMMAND --help\n\n"
        "Exit codes: 0 good; 1 a limit that was asked for (--slo) does not hold; 2 it cannot\n"
        "be measured, for the reason said; 130 interrupted, with the results so far.\n");
}

static void print_command_help(const struct command *c)
{
    (void)printf("doorward-bench %s %s\n  %s\n\n%s  --help            this text\n", c->name,
                 c->arguments, c->summary, c->help != NULL ? c->help : "");
}

static const struct command *find_command(const char *name)
{
    for (const struct command *c = bench_commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

/* A table that did not fit on the disk is no table. */
static int run_command(const struct command *c, int argc, char **argv)
{
    int code = EXIT_GOOD;
    if (asks_for_help(argc, argv)) {
        print_command_help(c);
    } else {
        code = c->run(argc, argv);
    }
    if (code != EXIT_REFUSED && (fflush(stdout) != 0 || ferror(stdout) != 0)) {
        complain("%s: what it has to say cannot be written to stdout", c->name);
        return EXIT_REFUSED;
    }
    return code;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    const struct command *found = find_command(word);
    opterr = 0; /* we say it ourselves, in one line */
    if (found != NULL) {
        return run_command(found, argc - 1, argv + 1);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help();
        return EXIT_GOOD;
    }
    if (strcmp(word, "--version") == 0) {
        (void)printf("doorward-bench %s\n", DOORWARD_VERSION);
        return EXIT_GOOD;
    }
    if (argc < 2) {
        complain("a command is missing; see doorward-bench --help");
    } else {
        complain("%s is no command; see doorward-bench --help", word);
    }
    return EXIT_REFUSED;
}

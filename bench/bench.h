/* bench.h - doorward-bench: its commands, and how they end and complain.
 *
 * Threads:   the main thread; complain() from any.
 * Failure:   a command gives the program's exit code: EXIT_GOOD; EXIT_MISSED when all was measured
 * and a limit that was asked for does not hold; EXIT_REFUSED when the command line, the target or
 * the machine does not allow it, with one line said. */
#ifndef DOORWARD_BENCH_H
#define DOORWARD_BENCH_H

#include "base.h"
#include <getopt.h>

#define EXIT_GOOD        0
#define EXIT_MISSED      1
#define EXIT_REFUSED     2
#define EXIT_INTERRUPTED 130

struct command {
    const char *name;
    const char *arguments; /* for the help: "URL [OPTION...]" */
    const char *summary;
    const char *help;                  /* its options, a line each; may be NULL */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};
/* Ends with one whose name is NULL. */
extern const struct command bench_commands[];

int load_main(int argc, char **argv);
int conns_main(int argc, char **argv);
extern const char load_help[];
extern const char conns_help[];
/* In process: our hot paths beside a reference (measure.h). */
int hash_main(int argc, char **argv);
int http_parse_main(int argc, char **argv);
int json_main(int argc, char **argv);
int token_main(int argc, char **argv);
int store_main(int argc, char **argv);

/* "doorward-bench: " and one line, on stderr. */
PRINTF_LIKE(1, 2) void complain(const char *format, ...);
/* After getopt_long() gave '?' or ':'; EXIT_REFUSED. */
int complain_about_option(char **argv);

#endif

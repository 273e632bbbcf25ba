/* cli.h - the command line: serve, user, key, calibrate, config, and their help.
 *
 * Threads: the main thread, once.
 * Failure: the exit code: 0, 1 for the world, 2 for usage and config; one line on stderr says what
 * to mend. */
#ifndef DOORWARD_CLI_H
#define DOORWARD_CLI_H

int cli_main(int argc, char **argv);

#endif

/* machine.h - what this machine allows, and what it tells of another process.
 *
 * Threads:   the main thread, but for what is marked.
 * Failure:   said in one line with complain(); ERR_CONFIG. */
#ifndef DOORWARD_BENCH_MACHINE_H
#define DOORWARD_BENCH_MACHINE_H

#include "base.h"
#include <jansson.h>
#include <stdio.h>

/* So many connections, and a few files. */
MUST_CHECK enum err machine_raise_descriptors(unsigned connections);

/* From now on SIGINT and SIGTERM wait to be asked for; SIGPIPE is ignored. */
void machine_hold_signals(void);
/* Waits a moment; true when a signal wants the end. */
bool machine_wait_for_signal(void);

/* The calling thread's so far; any thread may ask. */
struct machine_turns {
    int64_t ran_ns;
    int64_t starved_ns; /* it could have run, but its turn had not come */
};
struct machine_turns machine_own_turns(void);

struct machine_process {
    int64_t pss_bytes; /* its memory, shared pages in proportion */
    int64_t cpu_ns;    /* of all its threads that still run */
};
MUST_CHECK enum err machine_look_at(int pid, struct machine_process *ret_process);

/* Will it be possible to write it? Asked before a long run. NULL: nothing is to be written. */
MUST_CHECK enum err machine_check_file(const char *path);
/* For writing; "-" is stdout. */
MUST_CHECK enum err machine_open_file(const char *path, FILE **ret_file);
MUST_CHECK enum err machine_close_file(FILE *file, const char *path);
MUST_CHECK enum err machine_write_json(const char *path, const json_t *figures);

#endif

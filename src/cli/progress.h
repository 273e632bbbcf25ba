/* progress.h - how far a long command is, on stderr: one line that is written over on a terminal,
 * else a line every ten seconds.
 *
 * Threads: the main thread. */
#ifndef DOORWARD_CLI_PROGRESS_H
#define DOORWARD_CLI_PROGRESS_H

#include "base.h"

struct progress {
    bool is_terminal;
    bool is_shown; /* there is a line to write over */
    int64_t next_us;
};
void progress_begin(struct progress *p);
/* Shows the line, if it is time for one. */
PRINTF_LIKE(2, 3) void progress_show(struct progress *p, const char *format, ...);
/* Takes the line away: something else is to be said. */
void progress_clear(struct progress *p);

#endif

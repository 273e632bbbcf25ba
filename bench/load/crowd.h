/* crowd.h - many connections that do little: opened, used once, left idle, closed, all together.
 *
 * Threads:   called by the main thread; each call runs the loops on threads of their own and
 * returns when all of them are done, or a signal came.
 * Failure:   ERR_NOMEM; ERR_IO: a connection was refused or lost, crowd_why() says it; ERR_TIMEOUT:
 * some were not done in time; ERR_CANCELLED: SIGINT or SIGTERM.
 * Units:     nanoseconds. */
#ifndef DOORWARD_BENCH_CROWD_H
#define DOORWARD_BENCH_CROWD_H

#include "target.h"

struct crowd_options {
    const struct target *target;
    unsigned count;
    unsigned threads;
    const char *path; /* of the one request */
};
/* What one call did. */
struct crowd_step {
    size_t done;
    size_t resumed; /* of those that were opened */
    int64_t elapsed_ns;
};
struct crowd;
MUST_CHECK enum err crowd_new(const struct crowd_options *options, struct crowd **ret_crowd);
MUST_CHECK enum err crowd_open(struct crowd *c, bool resume, struct crowd_step *ret_step);
/* One request and its answer on each. */
MUST_CHECK enum err crowd_ask(struct crowd *c, struct crowd_step *ret_step);
MUST_CHECK enum err crowd_close(struct crowd *c, struct crowd_step *ret_step);
const char *crowd_why(const struct crowd *c);
void crowd_free(struct crowd *c); /* closes what is open */

#endif

/* measure.h - ways of doing the same thing, timed in alternating rounds.
 *
 * Each way has one warm-up; then every round times all of them, one after the other, in turning
 * order. What another program takes is not in processor time, and what makes the machine faster or
 * slower for a while meets all ways of a round alike: so ratios are made within a round, and told
 * as the median of the rounds with its 95 % interval.
 *
 * Threads:   one; what is measured may have threads of its own, whose time counts.
 * Ownership: sides are borrowed for the call.
 * Failure:   what cannot be measured ends the program with EXIT_REFUSED and one line.
 * Units:     nanoseconds of the process's processor time, for one operation. */
#ifndef DOORWARD_BENCH_MEASURE_H
#define DOORWARD_BENCH_MEASURE_H

#include "base.h"
#include <jansson.h>

struct measure_sample {
    uint64_t count; /* operations */
    int64_t cpu_ns, elapsed_ns;
    uint64_t allocations; /* of memory; 0 where they cannot be counted */
};

/* One way: either `step`, or `batch`, which counts and times by itself. */
struct measure_side {
    const char *name;
    void *context;
    void (*step)(void *context);
    void (*batch)(void *context, int64_t least_ns, struct measure_sample *ret_sample);
};

#define MEASURE_MAX_ROUNDS 1000
struct measure_plan {
    uint64_t rounds;  /* at least 1 */
    int64_t least_ns; /* of one side in one round */
    bool json;        /* one document at the end, else a table as it comes */
    const char *only; /* cases with this in their names; NULL: all */
};
/* An option of one command: a number within bounds, a flag, or a text. */
struct measure_option {
    const char *name;
    uint64_t *ret_number;
    uint64_t least, most;
    bool *ret_flag;
    const char **ret_text;
};
#define MEASURE_MAX_OPTIONS 8
/* --rounds, --ms, --case and --json into *plan, which holds what they are when not given; and those
 * of `own`, which ends with one without a name and may be NULL. EXIT_GOOD, or EXIT_REFUSED with
 * the reason said. */
MUST_CHECK int measure_options(int argc, char **argv, const struct measure_option *own,
                               struct measure_plan *plan);
#define MEASURE_HELP                                                                               \
    "  --rounds N        how many, in alternating order\n"                                         \
    "  --ms N            of each side in a round, at least\n"                                      \
    "  --case TEXT       only cases with that in their names\n"                                    \
    "  --json            one document, with every round\n"

struct measure {
    struct measure_plan plan;
    json_t *report;
};
void measure_begin(struct measure *m, const char *command, const struct measure_plan *plan);
/* Is this case to be measured? For what is dear to prepare; measure_case() asks by itself. */
bool measure_wants(const struct measure *m, const char *name);
/* The first side is ours; of every other it is told how many times as fast ours is. */
void measure_case(struct measure *m, const char *name, const struct measure_side *sides,
                  size_t count);
/* Prints what is left to print. EXIT_GOOD; EXIT_REFUSED when no case was wanted. */
MUST_CHECK int measure_end(struct measure *m);

struct measure_spread {
    double median, low, high; /* low to high holds the true median in 95 of 100 runs */
};
/* `values` are sorted. Of fewer than six, low and high are the least and the most. */
struct measure_spread measure_spread(double *values, size_t count);

int64_t measure_cpu_ns(void); /* of the whole process */
int64_t measure_elapsed_ns(void);
/* Calls of malloc() and its kin in this process so far, by every library. */
uint64_t measure_allocations(void);

/* End the program: `what` cannot be had. */
void measure_require(bool condition, const char *what);
void measure_check(enum err e, const char *what);

#endif

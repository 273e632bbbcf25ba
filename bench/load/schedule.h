/* schedule.h - when requests are due, known before the first is sent: an open loop. How fast the
 * target answers changes nothing of it.
 *
 * Threads:   read by all once it is made.
 * Failure:   ERR_CONFIG with the bad piece in *ret_bad.
 * Units:     nanoseconds since the start; requests a second, all threads together. */
#ifndef DOORWARD_BENCH_SCHEDULE_H
#define DOORWARD_BENCH_SCHEDULE_H

#include "base.h"

#define SCHEDULE_MAX_STEPS 64
#define SCHEDULE_MAX_RATE  1000000.0

/* A stretch over which the rate is constant, or rises evenly from 0 (--ramp). */
struct schedule_phase {
    double from_rate, to_rate;
    int64_t begin_ns, length_ns;
    double begin_index; /* requests due before it */
};
struct schedule {
    /* --rate max: as fast as the connections allow; a request is due when one is free. */
    bool is_closed;
    struct schedule_phase phases[SCHEDULE_MAX_STEPS + 2]; /* ramp, warm-up, steps */
    size_t phase_count;
    size_t first_step; /* the phases before it are not measured */
    int64_t end_ns;
};

struct schedule_lengths {
    int64_t ramp_ns, warmup_ns, step_ns;
};
/* `rates`: "500", "100,200,400", each for a step's length, which ":10s" behind them overrules, or
 * "max". */
MUST_CHECK enum err schedule_parse(struct span rates, struct schedule_lengths lengths,
                                   struct schedule *ret_schedule, struct span *ret_bad);
/* When the request of that index (from 0) is due; INT64_MAX: none is left. Not for a closed one. */
int64_t schedule_due(const struct schedule *s, uint64_t index);
/* How many are due by then. */
uint64_t schedule_count(const struct schedule *s, int64_t ns);
/* The step (from 0) of a request due then, or -1 before the first. */
int schedule_step(const struct schedule *s, int64_t ns);
int64_t schedule_measured_from(const struct schedule *s);

#endif

/* tally.h - what was measured: by route and outcome, by step, by second; what is late.
 *
 * Threads:   each thread counts in its own; they are merged when all have ended.
 * Ownership: tally_free() takes NULL.
 * Failure:   ERR_NOMEM.
 * Units:     nanoseconds since the start of the run. */
#ifndef DOORWARD_BENCH_TALLY_H
#define DOORWARD_BENCH_TALLY_H

#include "recorder.h"
#include "schedule.h"
#include "traffic.h"

#define TALLY_MAX_INTERVALS 600

/* Some requests, by how they ended. */
struct tally_group {
    uint64_t count[OUTCOME_COUNT];
    uint64_t errors;
    struct recorder *times; /* of the outcomes that are timed; NULL: none yet */
};
struct tally {
    const struct schedule *schedule;
    int64_t interval_ns;                                /* of intervals; at least a second */
    struct recorder *times[ROUTE_COUNT][OUTCOME_COUNT]; /* NULL: none yet */
    struct tally_group steps[SCHEDULE_MAX_STEPS];
    struct tally_group intervals[TALLY_MAX_INTERVALS];
    size_t interval_count;
    /* how late the generator itself noticed that a request was due while a connection was free */
    struct recorder *lag;
    struct recorder *handshakes[2]; /* from connect() to the handshake's end: full, resumed */
    uint64_t connect_failures;
    uint64_t waited; /* requests that were due while no connection was free */
    bool failed;     /* memory ran out: figures are missing */
};

MUST_CHECK enum err tally_new(const struct schedule *schedule, struct tally **ret_tally);
void tally_free(struct tally *t);
/* The end of one request. What was due before the measured time is dropped. */
void tally_add(struct tally *t, enum route route, enum outcome outcome, int64_t due_ns,
               int64_t end_ns);
MUST_CHECK enum err tally_merge(struct tally *t, const struct tally *from);

/* One route's, or with ROUTE_COUNT all routes' requests. The times are a new recorder. */
MUST_CHECK enum err tally_sum(const struct tally *t, enum route route, struct tally_group *ret_sum);
uint64_t tally_total(const struct tally_group *g);

#endif

/* worker.h - one thread of the load: its loop, its connections, its share of the schedule.
 *
 * Threads:   each worker is its own thread; worker_progress() may be asked from any.
 * Ownership: the run outlives its workers.
 * Failure:   ERR_NOMEM. A target that goes away is counted, and connected to again with growing
 * pauses.
 * Units:     nanoseconds; of uv_hrtime() where they end in _at_ns. */
#ifndef DOORWARD_BENCH_WORKER_H
#define DOORWARD_BENCH_WORKER_H

#include "client.h"
#include "population.h"
#include "tally.h"

#define RUN_NOTICE_NS ((int64_t)50 * 1000 * 1000)

/* What all workers of a run share. */
struct run {
    const struct plan *plan;
    const struct target *target;
    struct population *population;
    /* 0: not yet, workers connect and wait; then a time at least RUN_NOTICE_NS ahead */
    _Atomic int64_t begin_at_ns;
    _Atomic bool interrupted;
    _Atomic unsigned opened;     /* connections that were open at least once */
    _Atomic uint64_t registered; /* names given to ROUTE_REGISTER */
};

/* Counted since the start, warm-up included, for the line that is shown meanwhile. */
struct worker_progress {
    uint64_t sent, ok, shed, errors;
};
/* What the thread itself used while it ran. */
struct worker_use {
    int64_t elapsed_ns;
    int64_t cpu_ns;
    int64_t starved_ns; /* it could have run, but the machine was busy with others */
    int64_t end_ns;     /* of the schedule, or of the interruption */
};

struct worker;
/* Starts the thread: connections of number `index` modulo the plan's threads. */
MUST_CHECK enum err worker_start(struct run *run, unsigned index, struct worker **ret_worker);
bool worker_has_ended(const struct worker *w);
void worker_join(struct worker *w);
struct worker_progress worker_progress(const struct worker *w);
/* The last reason why a connection was lost; empty: none was. After worker_join(). */
const char *worker_trouble(const struct worker *w);
/* After worker_join(). */
const struct tally *worker_tally(const struct worker *w);
struct worker_use worker_use(const struct worker *w);
void worker_free(struct worker *w);

#endif

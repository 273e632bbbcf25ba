/* engine.h - threads that do nothing but hash, behind one bounded queue.
 *
 *   caller                         engine thread (nice +10, SCHED_BATCH)
 *   engine_run: queue the job ---> take the oldest, compute, compare, top up
 *   sleep on the job's cond   <--- signal it
 *
 * Threads:   engine_run from any number of worker threads; engine_expected_wait_us from anywhere,
 * never blocks.
 * Ownership: a job belongs to its caller, whose stack it lives on.
 * Failure:   ERR_BUSY when the queue is full or the engine stops; ERR_INTERNAL from the kernel.
 * Units:     a step is one round of bcrypt's cost loop. */
#ifndef DOORWARD_PASSWORD_ENGINE_H
#define DOORWARD_PASSWORD_ENGINE_H

#include "formats.h"

struct engine;

struct engine_job {
    char key[KERNEL_KEY_MAX + 1];
    char setting[KERNEL_SETTING_LENGTH + 1];
    unsigned cost; /* of the setting */

    /* A check: compare with `expected`, and when that fails do the work that is missing to
     * topup_cost. One job for both, since a second turn in the queue would tell under load. */
    bool check;
    bool hopeless; /* no digest may match */
    unsigned topup_cost;
    char expected[KERNEL_DIGEST_LENGTH];

    char digest[KERNEL_DIGEST_LENGTH]; /* result */
    bool match;                        /* result of a check */
};

MUST_CHECK enum err engine_new(unsigned threads, unsigned queue_max, struct engine **ret_engine);
/* Jobs under way are finished, waiting ones get ERR_BUSY. NULL is fine. */
void engine_free(struct engine *e);

/* Blocks until the job is done. */
MUST_CHECK enum err engine_run(struct engine *e, struct engine_job *job);

int64_t engine_expected_wait_us(const struct engine *e, uint64_t queued_steps);

#endif

/* engine.h - threads that do nothing but hash, behind one bounded queue.
 *
 *   caller                         engine thread (nice +10, SCHED_BATCH)
 *   engine_run: queue the job ---> at the next step boundary: into a free lane
 *   sleep on the job's cond   <--- last step: compare, top up, signal
 *
 * A job is a bcrypt, computed in a lane, or a call: one blocking function of a library.
 *
 * Threads:   engine_run from any number of worker threads; engine_tune from one at a time;
 * engine_expected_wait_us and engine_info from anywhere, never blocking.
 * Ownership: a job belongs to its caller, whose stack it lives on. What the engine learned of a
 * password is wiped.
 * Failure:   ERR_BUSY when the queue is full or the engine stops; ERR_INTERNAL for a call that
 * needs more memory than the whole budget; otherwise what the call says.
 * Units:     a step is one round of bcrypt's cost loop. The steps of a call say about how many a
 * core does in the same time. */
#ifndef DOORWARD_PASSWORD_ENGINE_H
#define DOORWARD_PASSWORD_ENGINE_H

#include "lanes.h"

struct engine;

struct engine_options {
    unsigned threads;
    unsigned queue_max;
    unsigned lanes; /* of each thread; at most what the kernel can */
    const struct lanes_kernel *kernel;
    uint64_t memory_budget; /* bytes that calls may use together */
    uint64_t live_steps;    /* of a check in the live form */
    bool live_is_call;
    uint64_t live_memory_bytes; /* of a call that is one */
};

struct engine_job {
    /* A bcrypt ... */
    enum lane_minor minor;
    uint8_t salt[LANE_SALT_BYTES];
    char key[LANE_KEY_MAX];
    size_t key_length;
    /* ... or a call. A check says in *ret_match how it went. */
    enum err (*call)(void *context, bool *ret_match);
    void *context;
    uint64_t memory_bytes;

    uint64_t steps;
    /* A check: compare with `expected`, and when that fails do the work that is missing to one in
     * the live form. One job for both, since a second turn in the queue would tell under load. */
    bool check;
    bool hopeless;  /* nothing may match */
    bool live_form; /* a call that is one; its time is what others are topped up to */
    uint8_t expected[LANE_DIGEST_BYTES];

    uint8_t digest[LANE_DIGEST_BYTES]; /* result of a bcrypt */
    bool match;                        /* result of a check */
};

MUST_CHECK enum err engine_new(const struct engine_options *options, struct engine **ret_engine);
/* Jobs under way are finished, unless they would take seconds; those, waiting ones and all that
 * come later get ERR_BUSY. Any thread, as often as it likes; waits for nothing. */
void engine_stop(struct engine *e);
/* engine_stop(), and wait. NULL is fine. */
void engine_free(struct engine *e);

/* Blocks until the job is done. */
MUST_CHECK enum err engine_run(struct engine *e, struct engine_job *job);

/* Microseconds until a job of the live form would begin that has what waits and `queued_steps` more
 * before it. 0 as long as a lane is free for it. */
int64_t engine_expected_wait_us(const struct engine *e, uint64_t queued_steps);

/* What a kernel does with 1 to LANES_MAX lanes on every thread at once, and the best of it. */
struct engine_tuning {
    const struct lanes_kernel *kernel;
    unsigned lanes;
    uint64_t steps_per_second[LANES_MAX + 1]; /* by lanes, all threads together; 0: not measured */
};
/* Tries every usable kernel, or `kernel` alone, with every number of lanes, or `lanes` alone. Less
 * than half a second; jobs that come meanwhile run between the trials. ERR_BUSY: the machine gave
 * no measurement worth the name, or the engine stops. Nothing is changed. */
MUST_CHECK enum err engine_tune(struct engine *e, const struct lanes_kernel *kernel, unsigned lanes,
                                struct engine_tuning *ret_tuning);
/* From the next step on. */
void engine_set(struct engine *e, const struct engine_tuning *tuning);

struct engine_info {
    const struct lanes_kernel *kernel;
    unsigned lanes, threads;
    uint64_t steps_per_second; /* of all threads with full lanes; an assumption until measured */
};
struct engine_info engine_info(const struct engine *e);

#endif

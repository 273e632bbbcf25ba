/* test_work_world.h - one loop, one mailbox and one bulkhead, held still by a gate in run().
 *
 * Threads: all but the run_ functions on the test's thread, which is the loop's. */
#ifndef DOORWARD_TEST_WORK_WORLD_H
#define DOORWARD_TEST_WORK_WORLD_H

#include "check.h"
#include "work.h"

#include <pthread.h>
#include <semaphore.h>

#define FAR_US  (INT64_C(3600) * 1000000)
#define MAX_LOG 4096

/* One loop with its mailbox, and one bulkhead. Jobs wait in run() until the gate lets them go. */
struct world {
    uv_loop_t loop;
    struct work_mailbox *mailbox;
    struct work_bulkhead *bulkhead;
    pthread_t loop_thread;
    sem_t started;
    sem_t gate;
    _Atomic int64_t estimate_us;
    _Atomic uint64_t asked_cost;
    unsigned done_count;
    struct job *done[MAX_LOG];
};

struct job {
    struct work_item item; /* first: the item is the job */
    struct world *world;
    bool ran;
    bool saw_abandoned;
    pthread_t ran_on;
};

static inline int64_t estimate(void *context, uint64_t queued_cost)
{
    struct world *w = context;
    atomic_store(&w->asked_cost, queued_cost);
    return atomic_load(&w->estimate_us);
}

/* A microsecond a step. */
static inline int64_t estimate_by_cost(void *context, uint64_t queued_cost)
{
    (void)context;
    return (int64_t)queued_cost;
}

static inline void world_open(struct world *w, struct work_options options)
{
    memset(w, 0, sizeof(*w));
    CHECK_INT(uv_loop_init(&w->loop), 0);
    CHECK_ERR(work_mailbox_new(&w->loop, &w->mailbox), ERR_OK);
    CHECK_INT(sem_init(&w->started, 0, 0), 0);
    CHECK_INT(sem_init(&w->gate, 0, 0), 0);
    w->loop_thread = pthread_self();
    options.name = "test";
    options.context = w;
    CHECK_ERR(work_bulkhead_new(&options, &w->bulkhead), ERR_OK);
}

/* Runs the loop until `count` items came back. */
static inline void world_await(struct world *w, unsigned count)
{
    while (w->done_count < count) {
        uv_run(&w->loop, UV_RUN_ONCE);
    }
    CHECK_INT(w->done_count, count);
}

static inline void world_close(struct world *w)
{
    work_bulkhead_free(w->bulkhead);
    work_mailbox_close(w->mailbox);
    CHECK_INT(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&w->loop), 0);
    sem_destroy(&w->started);
    sem_destroy(&w->gate);
}

static inline void run_at_once(struct work_item *item)
{
    struct job *j = (struct job *)item;
    j->ran = true;
    j->ran_on = pthread_self();
}

static inline void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static inline void pass_gate(struct world *w)
{
    sem_post(&w->started);
    wait_for(&w->gate);
}

static inline void run_through_gate(struct work_item *item)
{
    struct job *j = (struct job *)item;
    pass_gate(j->world);
    j->saw_abandoned = work_is_abandoned(item);
    run_at_once(item);
}

static inline void note_done(struct work_item *item)
{
    struct job *j = (struct job *)item;
    struct world *w = j->world;
    CHECK(pthread_equal(pthread_self(), w->loop_thread));
    CHECK(w->done_count < MAX_LOG);
    w->done[w->done_count++] = j;
}

static inline struct job job_for(struct world *w, void (*run)(struct work_item *))
{
    return (struct job){
        .item = { .run = run,
                  .done = note_done,
                  .mailbox = w->mailbox,
                  .class = WORK_LOGIN,
                  .cost = 1,
                  .deadline_us = clock_monotonic_us() + FAR_US },
        .world = w,
    };
}

static inline void submit(struct world *w, struct job *j)
{
    int64_t retry = -1;
    CHECK_ERR(work_submit(w->bulkhead, &j->item, &retry), ERR_OK);
    CHECK_INT(retry, -1);
}

static inline int64_t submit_refused(struct world *w, struct job *j)
{
    int64_t retry = -1;
    CHECK_ERR(work_submit(w->bulkhead, &j->item, &retry), ERR_BUSY);
    CHECK(retry >= 1 && retry <= 60);
    return retry;
}

/* Occupy one worker: afterwards it holds the job until the gate opens. `run` passes it. */
static inline void occupy_with(struct world *w, struct job *j, void (*run)(struct work_item *))
{
    *j = job_for(w, run);
    submit(w, j);
    wait_for(&w->started);
}

static inline void occupy(struct world *w, struct job *j)
{
    occupy_with(w, j, run_through_gate);
}

static inline void open_gate(struct world *w, int count)
{
    for (int i = 0; i < count; i++) {
        sem_post(&w->gate);
    }
}

static const struct work_options one_worker = { .threads = 1, .queue_max = 4 };

#endif

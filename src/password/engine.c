/* engine.c - the engine's life, its callers, and the queues between them and the threads. */
#include "engine_parts.h"

#include <stdlib.h>
#include <string.h>

/* A lane at full stretch does about this a second on a slow core; with it the first callers are
 * refused rather than kept waiting. */
#define ASSUMED_RATE 16000
/* Libraries' calls keep their tables on the heap; what is left is shallow. */
#define STACK_BYTES ((size_t)512 * 1024)

/* ---- queues ---- */

static uint64_t steps_left(const struct waiter *w)
{
    return w->most - w->taken;
}

void waiters_push(struct waiter_queue *q, struct waiter *w)
{
    w->next = NULL;
    *q->last = w;
    q->last = &w->next;
    atomic_fetch_add(&q->length, 1);
    atomic_fetch_add(&q->steps, steps_left(w));
}

struct waiter *waiters_pop(struct waiter_queue *q)
{
    struct waiter *w = q->first;
    if (w != NULL) {
        q->first = w->next;
        q->last = q->first == NULL ? &q->first : q->last;
        atomic_fetch_sub(&q->length, 1);
        atomic_fetch_sub(&q->steps, steps_left(w));
    }
    return w;
}

unsigned waiters_count(const struct engine *e)
{
    return atomic_load(&e->for_lanes.length) + atomic_load(&e->for_calls.length);
}

void waiter_finish(struct waiter *w, enum err result)
{
    w->result = result;
    w->done = true;
    pthread_cond_signal(&w->done_cond);
}

static void refuse_all(struct waiter_queue *q)
{
    struct waiter *w;
    while ((w = waiters_pop(q)) != NULL) {
        waiter_finish(w, ERR_BUSY);
    }
}

bool wake_one(struct engine *e)
{
    for (unsigned i = 0; i < e->thread_count; i++) {
        struct hasher *h = &e->hashers[i];
        if (h->asleep) {
            h->asleep = false;
            pthread_cond_signal(&h->wake_cond);
            return true;
        }
    }
    return false;
}

/* ---- life ---- */

static bool hasher_open(struct engine *e, unsigned index)
{
    struct hasher *h = &e->hashers[index];
    h->engine = e;
    h->index = index;
    h->kernel = e->options.kernel;
    h->lanes = aligned_alloc(LANES_ALIGNMENT, LANES_MAX * sizeof(struct lane));
    if (h->lanes == NULL) {
        return false;
    }
    pthread_cond_init(&h->wake_cond, NULL);
    if (thread_start(&h->thread, "hash", STACK_BYTES, hasher_main, h) != ERR_OK) {
        pthread_cond_destroy(&h->wake_cond);
        free(h->lanes);
        return false;
    }
    return true;
}

static void init_fields(struct engine *e, const struct engine_options *options)
{
    e->options = *options;
    e->memory_left = options->memory_budget;
    e->for_lanes.last = &e->for_lanes.first;
    e->for_calls.last = &e->for_calls.first;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->gone_cond, NULL);
    pthread_cond_init(&e->trial_cond, NULL);
    atomic_init(&e->kernel, options->kernel);
    atomic_init(&e->lanes, options->lanes);
    atomic_init(&e->assumed_rate, ASSUMED_RATE);
}

enum err engine_new(const struct engine_options *options, struct engine **ret_engine)
{
    INVARIANT(options->lanes > 0 && options->lanes <= options->kernel->lanes_max);
    struct engine *e = calloc(1, sizeof(*e) + options->threads * sizeof(e->hashers[0]));
    if (e == NULL) {
        return ERR_NOMEM;
    }
    init_fields(e, options);
    /* Under the lock, so that a thread sees how many there are. */
    bool opened = true;
    pthread_mutex_lock(&e->lock);
    while (opened && e->thread_count < options->threads) {
        opened = hasher_open(e, e->thread_count);
        e->thread_count += opened;
    }
    pthread_mutex_unlock(&e->lock);
    if (!opened) {
        engine_free(e);
        return ERR_NOMEM;
    }
    *ret_engine = e;
    return ERR_OK;
}

void engine_stop(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    atomic_store(&e->stopping, true);
    refuse_all(&e->for_lanes);
    refuse_all(&e->for_calls);
    while (wake_one(e)) {
    }
    pthread_mutex_unlock(&e->lock);
}

static void wait_for_callers(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    while (e->callers > 0) {
        pthread_cond_wait(&e->gone_cond, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
}

void engine_free(struct engine *e)
{
    if (e == NULL) {
        return;
    }
    engine_stop(e);
    wait_for_callers(e);
    for (unsigned i = 0; i < e->thread_count; i++) {
        struct hasher *h = &e->hashers[i];
        pthread_join(h->thread, NULL);
        pthread_cond_destroy(&h->wake_cond);
        secret_wipe(h->lanes, LANES_MAX * sizeof(struct lane));
        free(h->lanes);
    }
    pthread_cond_destroy(&e->trial_cond);
    pthread_cond_destroy(&e->gone_cond);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- a caller ---- */

/* Under the lock. */
static bool has_room(const struct engine *e)
{
    return !atomic_load(&e->stopping) && waiters_count(e) < e->options.queue_max;
}

/* What the job may come to: whether a check will match, and so need no topping up, is not known. */
static uint64_t reserve(const struct engine *e, const struct engine_job *job)
{
    uint64_t live = e->options.live_steps;
    uint64_t own = job->call != NULL ? pace_call_steps(e, job->steps) : job->steps;
    live = e->options.live_is_call ? pace_call_steps(e, live) : live;
    return job->check && live > own ? live : own;
}

/* Under the lock. */
static void wait_for(struct engine *e, struct waiter *w)
{
    waiters_push(w->job->call != NULL ? &e->for_calls : &e->for_lanes, w);
    (void)wake_one(e); /* where all are awake, each looks at its next step */
    while (!w->done) {
        pthread_cond_wait(&w->done_cond, &e->lock);
    }
}

static void init_waiter(struct waiter *w, const struct engine *e, struct engine_job *job)
{
    w->job = job;
    w->next = NULL;
    w->stage = STAGE_NEW;
    w->taken = 0;
    w->until = job->call != NULL ? 0 : job->steps;
    w->most = reserve(e, job);
    w->started_us = 0;
    w->gave_way = false;
    w->result = ERR_BUSY;
    w->done = false;
    pthread_cond_init(&w->done_cond, NULL);
}

enum err engine_run(struct engine *e, struct engine_job *job)
{
    struct waiter w; /* its lane is large, and written only when it gives way */
    if (job->call != NULL && job->memory_bytes > e->options.memory_budget) {
        return ERR_INTERNAL;
    }
    init_waiter(&w, e, job);
    pthread_mutex_lock(&e->lock);
    e->callers++;
    if (has_room(e)) {
        wait_for(e, &w);
    }
    e->callers--;
    if (atomic_load(&e->stopping) && e->callers == 0) {
        pthread_cond_signal(&e->gone_cond);
    }
    pthread_mutex_unlock(&e->lock);
    pthread_cond_destroy(&w.done_cond);
    if (w.gave_way) { /* and was given up: the engine stops */
        secret_wipe(&w.lane, sizeof(w.lane));
    }
    return w.result;
}

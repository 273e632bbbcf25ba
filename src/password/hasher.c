/* hasher.c - one engine thread: its lanes step by step, and between two steps whatever else.
 *
 *          .--> join a trial --> finish, give way, take or sleep --> a call --.
 *          |                                                    '-> a step ---|
 *          '------------------------------------------------------------------' */
#include "engine_parts.h"

#include <sched.h>
#include <unistd.h>

#define NICE 10
/* Steps in which a thread leaves waiting work to one with fewer lanes in use, before it takes the
 * work itself: the other may have no CPU. */
#define PATIENCE 4
/* What has more than this left when the engine stops is given up. */
#define STOP_PATIENCE_US (INT64_C(2) * 1000 * 1000)

/* Hashing takes what the loops and workers leave; where that may not be asked for, it competes. */
void hasher_lower_priority(void)
{
    const struct sched_param batch = { .sched_priority = 0 };
    /* By so much, as the process may be nice itself; on Linux of a thread. */
    int niceness = nice(NICE);
    (void)niceness;
    (void)sched_setscheduler(0, SCHED_BATCH, &batch);
}

/* ---- what is going on, for the other threads and the estimate ---- */

/* Steps until slot `i` is free for somebody who waits: its job is done or must give way. */
static uint64_t slot_left(const struct hasher *h, unsigned i)
{
    const struct slot *s = &h->slots[i];
    uint64_t live = h->engine->options.live_steps;
    uint64_t turn = s->turn < live ? live - s->turn : 0;
    uint64_t left = s->waiter->most - s->waiter->taken;
    return left < turn ? left : turn;
}

static void publish(struct hasher *h)
{
    uint64_t left = 0;
    for (unsigned i = 0; i < h->count; i++) {
        left += h->slots[i].waiter->most - h->slots[i].waiter->taken;
        atomic_store(&h->lane_left[i], slot_left(h, i));
    }
    for (unsigned i = h->count; i < h->shown; i++) {
        atomic_store(&h->lane_left[i], 0);
    }
    metrics_gauge_move(METRIC_PASSWORD_LANES, 0, (int64_t)h->count - h->shown);
    h->shown = h->count;
    atomic_store(&h->active, h->count);
    atomic_store(&h->steps_left, left);
}

static unsigned lanes_of(const struct hasher *h)
{
    unsigned lanes = atomic_load(&h->engine->lanes);
    return lanes < h->kernel->lanes_max ? lanes : h->kernel->lanes_max;
}

static bool has_room(const struct hasher *h)
{
    return h->count < lanes_of(h);
}

/* Work goes to where the fewest lanes are in use, so that two jobs run on two cores: does no other
 * thread use fewer than `count`? */
static bool is_least_busy(const struct hasher *h, unsigned count)
{
    const struct engine *e = h->engine;
    for (unsigned i = 0; i < e->thread_count; i++) {
        if (atomic_load(&e->hashers[i].active) < count) {
            return false;
        }
    }
    return true;
}

/* ---- lanes ---- */

/* Into the next free lane. */
static void place(struct hasher *h, struct waiter *w)
{
    struct lane *l = &h->lanes[h->count];
    const struct engine_job *job = w->job;
    if (w->gave_way) {
        *l = w->lane;
        secret_wipe(&w->lane, sizeof(w->lane));
        w->gave_way = false;
    } else {
        lane_start(l, job->minor, (struct span){ job->key, job->key_length }, job->salt);
    }
    if (w->stage == STAGE_NEW) {
        w->stage = STAGE_COMPUTING;
        w->started_us = clock_monotonic_us();
    }
    h->slots[h->count++] = (struct slot){ .waiter = w };
}

/* The last lane moves into the hole, since lanes in use must be neighbours. */
static void vacate(struct hasher *h, unsigned i)
{
    unsigned last = --h->count;
    if (i != last) {
        h->lanes[i] = h->lanes[last];
        h->slots[i] = h->slots[last];
    }
    secret_wipe(&h->lanes[last], sizeof(h->lanes[last]));
}

/* The digest is known: true when that was all. */
static bool judge(struct hasher *h, unsigned i)
{
    struct waiter *w = h->slots[i].waiter;
    struct engine_job *job = w->job;
    lane_finish(&h->lanes[i], job->digest);
    if (!job->check) {
        return true;
    }
    struct span digest = { (const char *)job->digest, sizeof(job->digest) };
    struct span expected = { (const char *)job->expected, sizeof(job->expected) };
    bool equal = secret_equal(digest, expected);
    job->match = equal && !job->hopeless;
    uint64_t missing = job->match ? 0 : pace_missing(h, job->steps);
    w->stage = STAGE_TOPPING_UP;
    w->until += missing;
    w->most = w->until;
    return missing == 0;
}

static void note_job(const struct waiter *w)
{
    metrics_add(METRIC_HASHES, 0, 1);
    metrics_observe_us(METRIC_HASH_SECONDS, 0, clock_monotonic_us() - w->started_us);
}

/* Chain those that have come to their end. */
static struct waiter *collect(struct hasher *h)
{
    struct waiter *finished = NULL;
    for (unsigned i = h->count; i-- > 0;) {
        struct waiter *w = h->slots[i].waiter;
        if (w->taken < w->until || (w->stage == STAGE_COMPUTING && !judge(h, i))) {
            continue;
        }
        vacate(h, i);
        note_job(w);
        w->next = finished;
        finished = w;
    }
    return finished;
}

static void answer(struct engine *e, struct waiter *finished)
{
    pthread_mutex_lock(&e->lock);
    while (finished != NULL) {
        struct waiter *w = finished;
        finished = w->next; /* read first: a caller that is told is gone */
        waiter_finish(w, ERR_OK);
    }
    pthread_mutex_unlock(&e->lock);
}

static void advance(struct hasher *h)
{
    int64_t before_us = h->stepped_us != 0 ? h->stepped_us : clock_monotonic_us();
    h->kernel->advance(h->lanes, h->count, 1);
    h->stepped_us = clock_monotonic_us();
    pace_note(h, h->count, h->stepped_us - before_us);
    metrics_add(METRIC_PASSWORD_STEPS, 0, h->count);
    h->owed_us -= h->stepped_us - before_us;
    for (unsigned i = 0; i < h->count; i++) {
        h->slots[i].waiter->taken++;
        h->slots[i].turn++;
    }
    struct waiter *finished = collect(h);
    publish(h);
    if (finished != NULL) {
        answer(h->engine, finished);
    }
}

/* ---- calls ---- */

/* Under the lock. */
static bool call_fits(const struct engine *e)
{
    const struct waiter *w = e->for_calls.first;
    return w != NULL && w->job->memory_bytes <= e->memory_left;
}

/* Under the lock. What this thread has left, somebody who sleeps may take. */
static void pass_on(struct engine *e)
{
    if (e->for_lanes.first != NULL || call_fits(e)) {
        (void)wake_one(e);
    }
}

/* Under the lock. May this thread make the call that is first in the queue? Its lanes stand still
 * meanwhile, so they are owed as much time before the next one. A lane must be free for what a
 * failed check lacks. */
static bool call_is_due(const struct hasher *h)
{
    const struct engine *e = h->engine;
    bool lanes_want = h->count > 0 || e->for_lanes.first != NULL;
    return call_fits(e) && has_room(h) && (h->owed_us <= 0 || !lanes_want);
}

/* Under the lock. */
static struct waiter *take_call(struct hasher *h)
{
    struct engine *e = h->engine;
    struct waiter *w = waiters_pop(&e->for_calls);
    e->memory_left -= w->job->memory_bytes;
    w->started_us = clock_monotonic_us();
    atomic_store(&h->call_steps, w->most);
    atomic_store(&h->call_started_us, w->started_us);
    atomic_store(&h->active, ENGINE_IN_CALL);
    return w;
}

static void end_call(struct hasher *h, struct waiter *w, enum err result, uint64_t missing)
{
    struct engine *e = h->engine;
    pthread_mutex_lock(&e->lock);
    e->memory_left += w->job->memory_bytes;
    if (missing == 0) {
        waiter_finish(w, result);
    }
    pass_on(e); /* the memory may have been all that the next one waited for */
    pthread_mutex_unlock(&e->lock);
}

static void make_call(struct hasher *h, struct waiter *w)
{
    struct engine_job *job = w->job;
    bool match = false;
    enum err result = job->call(job->context, &match);
    int64_t took_us = clock_monotonic_us() - w->started_us;
    job->match = match && !job->hopeless;
    uint64_t missing = 0;
    if (result == ERR_OK && job->check && !job->match && !job->live_form) {
        missing = pace_missing_after_call(h, took_us);
    }
    if (result == ERR_OK) { /* one that failed may have done nothing */
        pace_note_call(h, job, took_us);
    }
    h->owed_us = took_us;
    h->stepped_us = 0;
    if (missing > 0) {
        w->stage = STAGE_TOPPING_UP;
        w->taken = 0;
        w->until = missing;
        w->most = missing;
        place(h, w);
    } else {
        note_job(w);
    }
    atomic_store(&h->call_steps, 0);
    publish(h);
    end_call(h, w, result, missing);
}

/* ---- between two steps ---- */

/* Who has had a live form's worth of steps goes behind those who wait. */
static bool must_give_way(const struct hasher *h)
{
    for (unsigned i = 0; i < h->count; i++) {
        if (h->slots[i].turn >= h->engine->options.live_steps && !has_room(h)) {
            return true;
        }
    }
    return false;
}

/* Under the lock. */
static void give_way(struct hasher *h)
{
    struct engine *e = h->engine;
    unsigned wanted = waiters_count(e);
    if (has_room(h)) {
        return;
    }
    for (unsigned i = h->count; i-- > 0 && wanted > 0;) {
        if (h->slots[i].turn >= e->options.live_steps) {
            struct waiter *w = h->slots[i].waiter;
            w->lane = h->lanes[i];
            w->gave_way = true;
            vacate(h, i);
            waiters_push(&e->for_lanes, w);
            wanted--;
        }
    }
}

/* Under the lock, when the engine stops. */
static void give_up(struct hasher *h)
{
    double step_us = pace_step_us(h, h->count);
    for (unsigned i = h->count; i-- > 0;) {
        struct waiter *w = h->slots[i].waiter;
        if ((double)(w->most - w->taken) * step_us > (double)STOP_PATIENCE_US) {
            vacate(h, i);
            waiter_finish(w, ERR_BUSY);
        }
    }
}

/* Is there reason to take the lock? */
static bool must_look(struct hasher *h)
{
    if (h->count == 0 || atomic_load(&h->engine->stopping)) {
        return true;
    }
    if (waiters_count(h->engine) == 0) {
        h->passed_over = 0;
        return false;
    }
    if (!has_room(h)) {
        return must_give_way(h);
    }
    return is_least_busy(h, h->count) || ++h->passed_over > PATIENCE;
}

/* Under the lock: sleep until there is something to do. */
static void rest(struct hasher *h)
{
    struct engine *e = h->engine;
    while (h->count == 0 && e->for_lanes.first == NULL && !call_is_due(h) && !trial_waits(h) &&
           !atomic_load(&e->stopping)) {
        h->stepped_us = 0;
        h->asleep = true;
        pthread_cond_wait(&h->wake_cond, &e->lock);
        h->asleep = false;
    }
}

/* Under the lock: a call, or what fits into the lanes, chained. */
static struct waiter *take(struct hasher *h)
{
    struct engine *e = h->engine;
    if (call_is_due(h)) {
        return take_call(h);
    }
    struct waiter *taken = NULL;
    struct waiter **end = &taken;
    unsigned count = h->count;
    while (count < lanes_of(h) && e->for_lanes.first != NULL &&
           (count == 0 || h->passed_over > PATIENCE || is_least_busy(h, count))) {
        const struct waiter *w = e->for_lanes.first;
        atomic_fetch_add(&h->steps_left, w->most - w->taken);
        atomic_store(&h->lane_left[count], e->options.live_steps);
        *end = waiters_pop(&e->for_lanes);
        end = &(*end)->next;
        count++;
    }
    *end = NULL;
    atomic_store(&h->active, count); /* place() follows */
    return taken;
}

/* False: the engine stops and nothing is left to do. */
static bool look(struct hasher *h)
{
    struct engine *e = h->engine;
    pthread_mutex_lock(&e->lock);
    rest(h);
    if (atomic_load(&e->stopping)) {
        give_up(h);
    }
    give_way(h);
    struct waiter *taken = take(h);
    h->passed_over = 0;
    pass_on(e);
    bool go_on = h->count > 0 || taken != NULL || trial_waits(h) || !atomic_load(&e->stopping);
    pthread_mutex_unlock(&e->lock);

    if (taken != NULL && taken->job->call != NULL && taken->stage == STAGE_NEW) {
        make_call(h, taken);
        return go_on;
    }
    while (taken != NULL) {
        struct waiter *w = taken;
        taken = w->next;
        place(h, w);
    }
    publish(h);
    return go_on;
}

/* Another kernel may have been chosen meanwhile. */
static void follow_kernel(struct hasher *h)
{
    const struct lanes_kernel *kernel = atomic_load(&h->engine->kernel);
    if (kernel != h->kernel && h->count <= kernel->lanes_max) {
        h->kernel = kernel;
        pace_forget(h);
    }
}

void *hasher_main(void *hasher)
{
    struct hasher *h = hasher;
    hasher_lower_priority();
    bool go_on = true;
    while (go_on) {
        if (trial_waits(h)) {
            trial_join(h);
        }
        follow_kernel(h);
        go_on = !must_look(h) || look(h);
        if (h->count > 0) {
            advance(h);
        }
    }
    return NULL;
}

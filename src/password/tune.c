/* tune.c - which kernel, and how many lanes: tried out on all engine threads at once, because
 * neighbours on one core share its first-level cache.
 *
 *   engine_tune: announce a trial ...... sleep ...... add up ---> the next
 *   each thread: <its jobs> | warm up | count steps | <its jobs>
 *
 * A trial has a beginning and an end by the clock rather than a barrier, so that a thread which is
 * held up spoils one trial and stops nobody. */
#include "engine_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define BUDGET_US   INT64_C(420000) /* of all trials together */
#define TRIAL_US    INT64_C(12000)  /* of one, at most */
#define WARM_UP_US  1000
#define ROUNDS      2 /* the better of them counts: whatever disturbs, disturbs downwards */
#define NEAR        0.98
#define LEAST_STEPS 8 /* that a thread must have come to in a trial */
#define CANDIDATES  32

struct trial {
    /* fixed */
    const struct lanes_kernel *kernel;
    unsigned lanes;
    struct lane *scratch; /* LANES_MAX for each thread */
    int64_t start_us, end_us;
    /* under the engine's lock */
    unsigned pending; /* threads that have not reported */
    bool spoiled;
    double steps_per_us;
};

struct candidate {
    const struct lanes_kernel *kernel;
    unsigned lanes;
    double steps_per_us; /* 0: no good measurement */
};

/* ---- an engine thread ---- */

bool trial_waits(const struct hasher *h)
{
    return atomic_load(&h->engine->trials) != h->trials;
}

/* Steps in a microsecond of CPU over all lanes, so that a thread which has to share its CPU still
 * measures its kernel; 0 when it got too little of the time to run beside the others. */
static double measure(const struct trial *t, struct lane *lanes)
{
    do {
        t->kernel->advance(lanes, t->lanes, 1);
    } while (clock_monotonic_us() < t->start_us);
    int64_t began_us = clock_thread_cpu_us();
    unsigned steps = 0;
    while (clock_monotonic_us() < t->end_us) {
        t->kernel->advance(lanes, t->lanes, 1);
        steps++;
    }
    int64_t took_us = clock_thread_cpu_us() - began_us;
    return steps < LEAST_STEPS ? 0 : (double)steps * t->lanes / (double)took_us;
}

void trial_join(struct hasher *h)
{
    struct engine *e = h->engine;
    struct trial *t = atomic_load(&e->trial);
    struct lane *lanes = t->scratch + (size_t)h->index * LANES_MAX;
    uint8_t salt[LANE_SALT_BYTES] = { 0 };
    for (unsigned i = 0; i < t->lanes; i++) {
        salt[0] = (uint8_t)i;
        lane_start(&lanes[i], LANE_2B, SPAN("trial"), salt);
    }
    double rate = measure(t, lanes);
    h->trials++;
    h->stepped_us = 0;

    pthread_mutex_lock(&e->lock);
    t->steps_per_us += rate;
    t->spoiled = t->spoiled || rate <= 0;
    if (--t->pending == 0) {
        pthread_cond_signal(&e->trial_cond);
    }
    pthread_mutex_unlock(&e->lock);
}

/* ---- who tunes ---- */

static bool run_trial(struct engine *e, struct trial *t)
{
    pthread_mutex_lock(&e->lock);
    bool go_on = !atomic_load(&e->stopping);
    if (go_on) {
        t->pending = e->thread_count;
        atomic_store(&e->trial, t);
        atomic_fetch_add(&e->trials, 1);
        while (wake_one(e)) {
        }
        while (t->pending > 0) {
            pthread_cond_wait(&e->trial_cond, &e->lock);
        }
        atomic_store(&e->trial, NULL);
    }
    pthread_mutex_unlock(&e->lock);
    return go_on;
}

static bool try_one(struct engine *e, struct candidate *c, struct lane *scratch, int64_t length_us)
{
    int64_t start_us = clock_monotonic_us() + WARM_UP_US;
    struct trial t = { .kernel = c->kernel,
                       .lanes = c->lanes,
                       .scratch = scratch,
                       .start_us = start_us,
                       .end_us = start_us + length_us };
    if (!run_trial(e, &t)) {
        return false;
    }
    if (!t.spoiled && t.steps_per_us > c->steps_per_us) {
        c->steps_per_us = t.steps_per_us;
    }
    return true;
}

static bool has_work(const struct engine *e)
{
    bool has = waiters_count(e) > 0;
    for (unsigned i = 0; i < e->thread_count; i++) {
        has = has || atomic_load(&e->hashers[i].active) > 0;
    }
    return has;
}

/* As long again for the jobs that came meanwhile. */
static void let_work(const struct engine *e, int64_t length_us)
{
    struct timespec pause = { .tv_nsec = length_us * 1000 };
    if (has_work(e)) {
        while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
        }
    }
}

static size_t list_candidates(const struct lanes_kernel *only, unsigned lanes,
                              struct candidate list[static CANDIDATES])
{
    size_t count = 0;
    for (size_t i = 0; i < lanes_kernel_count; i++) {
        const struct lanes_kernel *k = &lanes_kernels[i];
        for (unsigned n = 1; n <= k->lanes_max && count < CANDIDATES; n++) {
            bool wanted = (only == NULL || only == k) && (lanes == 0 || lanes == n);
            if (wanted && k->is_usable()) {
                list[count++] = (struct candidate){ .kernel = k, .lanes = n };
            }
        }
    }
    return count;
}

/* The fewest lanes that are as good as the best: each job is done sooner. NULL when more than a
 * quarter could not be measured, since the best may be among those. */
static const struct candidate *choose(const struct candidate *list, size_t count)
{
    double best = 0;
    size_t measured = 0;
    const struct candidate *chosen = NULL;
    for (size_t i = 0; i < count; i++) {
        best = list[i].steps_per_us > best ? list[i].steps_per_us : best;
        measured += list[i].steps_per_us > 0;
    }
    if (measured * 4 < count * 3) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        bool good = list[i].steps_per_us > 0 && list[i].steps_per_us >= best * NEAR;
        if (good && (chosen == NULL || list[i].lanes < chosen->lanes)) {
            chosen = &list[i];
        }
    }
    return chosen;
}

static struct engine_tuning tuning_of(const struct candidate *chosen, const struct candidate *list,
                                      size_t count)
{
    struct engine_tuning t = { .kernel = chosen->kernel, .lanes = chosen->lanes };
    for (size_t i = 0; i < count; i++) {
        if (list[i].kernel == chosen->kernel) {
            t.steps_per_second[list[i].lanes] = (uint64_t)(list[i].steps_per_us * 1e6);
        }
    }
    return t;
}

enum err engine_tune(struct engine *e, const struct lanes_kernel *kernel, unsigned lanes,
                     struct engine_tuning *ret_tuning)
{
    struct candidate list[CANDIDATES];
    size_t count = list_candidates(kernel, lanes, list);
    size_t bytes = e->options.threads * LANES_MAX * sizeof(struct lane);
    struct lane *scratch = aligned_alloc(LANES_ALIGNMENT, bytes);
    if (scratch == NULL) {
        return ERR_NOMEM;
    }
    int64_t share_us = BUDGET_US / (int64_t)(ROUNDS * (count > 0 ? count : 1)) - WARM_UP_US;
    int64_t length_us = share_us < TRIAL_US ? share_us : TRIAL_US;
    bool go_on = true;
    for (size_t i = 0; i < ROUNDS * count && go_on; i++) {
        let_work(e, length_us);
        go_on = try_one(e, &list[i % count], scratch, length_us);
    }
    free(scratch);
    const struct candidate *chosen = go_on ? choose(list, count) : NULL;
    if (chosen == NULL) {
        return ERR_BUSY;
    }
    *ret_tuning = tuning_of(chosen, list, count);
    return ERR_OK;
}

/* ---- the result ---- */

void engine_set(struct engine *e, const struct engine_tuning *tuning)
{
    INVARIANT(tuning->lanes > 0 && tuning->lanes <= tuning->kernel->lanes_max);
    for (unsigned n = 1; n <= LANES_MAX; n++) {
        uint64_t rate = tuning->steps_per_second[n];
        uint64_t steps = (uint64_t)n * e->options.threads;
        atomic_store(&e->assumed_ns[n], rate > 0 ? steps * UINT64_C(1000000000) / rate + 1 : 0);
    }
    uint64_t rate = tuning->steps_per_second[tuning->lanes] / e->options.threads;
    if (rate > 0) {
        atomic_store(&e->assumed_rate, rate);
    }
    atomic_store(&e->lanes, tuning->lanes);
    atomic_store(&e->kernel, tuning->kernel);
}

struct engine_info engine_info(const struct engine *e)
{
    return (struct engine_info){ .kernel = atomic_load(&e->kernel),
                                 .lanes = atomic_load(&e->lanes),
                                 .threads = e->options.threads,
                                 .steps_per_second = pace_capacity(e) };
}

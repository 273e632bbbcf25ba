/* engine.c - the queue, the threads, and the measurement of what they get done. */
#include "engine.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Assumed until the first measurement; about half of what a slow core does, so that the first
 * callers are refused rather than kept waiting. */
#define DEFAULT_STEPS_PER_SECOND 8000
/* A new measurement counts for one part in this many. */
#define RATE_WEIGHT 8
/* The kernel's state is on the heap; what is left is shallow. */
#define STACK_BYTES ((size_t)256 * 1024)
#define NICE        10

struct waiting {
    struct engine_job *job;
    struct waiting *next;
    pthread_cond_t done_cond;
    uint64_t steps; /* reserved for it */
    enum err result;
    bool done;
};

struct hasher {
    struct engine *engine;
    struct kernel *kernel;
    pthread_t thread;
    _Atomic int64_t started_us; /* 0: idle */
    _Atomic uint64_t steps;     /* of the job under way */
};

struct engine {
    /* fixed */
    unsigned thread_count;
    unsigned queue_max;

    /* under `lock` */
    pthread_mutex_t lock;
    pthread_cond_t work_cond; /* there is a job, or the end */
    pthread_cond_t gone_cond; /* the last caller has left */
    struct waiting *first;
    struct waiting **last;
    unsigned queue_length;
    unsigned callers;
    bool stopping;
    bool measured;

    /* written under `lock`, read by anyone */
    _Atomic uint64_t waiting_steps;
    _Atomic uint64_t steps_per_second; /* of one thread */

    struct hasher hashers[];
};

static uint64_t steps_of(unsigned cost)
{
    return UINT64_C(1) << cost;
}

/* ---- an engine thread ---- */

/* Hashing takes what the loops and workers leave; where that may not be asked for, it competes. */
static void lower_priority(void)
{
    const struct sched_param batch = { .sched_priority = 0 };
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    (void)sched_setscheduler(0, SCHED_BATCH, &batch);
}

static struct waiting *take(struct engine *e, struct hasher *h)
{
    pthread_mutex_lock(&e->lock);
    while (e->first == NULL && !e->stopping) {
        pthread_cond_wait(&e->work_cond, &e->lock);
    }
    struct waiting *w = e->stopping ? NULL : e->first;
    if (w != NULL) {
        e->first = w->next;
        e->last = e->first == NULL ? &e->first : e->last;
        e->queue_length--;
        atomic_fetch_sub(&e->waiting_steps, w->steps);
        atomic_store(&h->steps, w->steps);
        atomic_store(&h->started_us, clock_monotonic_us());
    }
    pthread_mutex_unlock(&e->lock);
    return w;
}

/* Costs c, c+1 ... live-1 are 2^live - 2^c steps: exactly what the cheap hash lacks. */
static enum err top_up(struct kernel *k, const struct engine_job *job, uint64_t *steps)
{
    char setting[KERNEL_SETTING_LENGTH + 1];
    char digest[KERNEL_DIGEST_LENGTH];
    memcpy(setting, job->setting, sizeof(setting));
    for (unsigned cost = job->cost; cost < job->topup_cost; cost++) {
        setting[4] = (char)('0' + cost / 10);
        setting[5] = (char)('0' + cost % 10);
        TRY(kernel_bcrypt(k, job->key, setting, digest));
        *steps += steps_of(cost);
    }
    return ERR_OK;
}

static enum err compute(struct kernel *k, struct engine_job *job, uint64_t *steps)
{
    TRY(kernel_bcrypt(k, job->key, job->setting, job->digest));
    *steps += steps_of(job->cost);
    if (!job->check) {
        return ERR_OK;
    }
    struct span digest = { job->digest, sizeof(job->digest) };
    struct span expected = { job->expected, sizeof(job->expected) };
    bool equal = secret_equal(digest, expected);
    job->match = equal && !job->hopeless;
    return job->match ? ERR_OK : top_up(k, job, steps);
}

/* Under the lock. Wall time, because that is what callers wait for: a rate that falls while the
 * loops are busy is the truth. */
static void measure(struct engine *e, uint64_t steps, int64_t took_us)
{
    uint64_t sample = steps * 1000000 / (uint64_t)(took_us > 0 ? took_us : 1);
    uint64_t rate = atomic_load(&e->steps_per_second);
    rate = e->measured ? (rate * (RATE_WEIGHT - 1) + sample) / RATE_WEIGHT : sample;
    e->measured = true;
    atomic_store(&e->steps_per_second, rate > 0 ? rate : 1);
}

static void run_one(struct hasher *h, struct waiting *w)
{
    struct engine *e = h->engine;
    uint64_t steps = 0;
    enum err result = compute(h->kernel, w->job, &steps);
    int64_t took_us = clock_monotonic_us() - atomic_load(&h->started_us);
    metrics_add(METRIC_HASHES, 0, 1);
    metrics_observe_us(METRIC_HASH_SECONDS, 0, took_us);

    pthread_mutex_lock(&e->lock);
    if (result == ERR_OK) {
        measure(e, steps, took_us);
    }
    atomic_store(&h->started_us, 0);
    w->result = result;
    w->done = true;
    pthread_cond_signal(&w->done_cond);
    pthread_mutex_unlock(&e->lock);
}

static void *hasher_main(void *arg)
{
    struct hasher *h = arg;
    lower_priority();
    struct waiting *w = NULL;
    while ((w = take(h->engine, h)) != NULL) {
        run_one(h, w);
    }
    return NULL;
}

/* ---- life ---- */

static bool start_thread(struct hasher *h)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* Signals are for the threads that know what to do with them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&h->thread, &attributes, hasher_main, h) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (started) {
        (void)pthread_setname_np(h->thread, "hash");
    }
    return started;
}

enum err engine_new(unsigned threads, unsigned queue_max, struct engine **ret_engine)
{
    struct engine *e = calloc(1, sizeof(*e) + threads * sizeof(e->hashers[0]));
    if (e == NULL) {
        return ERR_NOMEM;
    }
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work_cond, NULL);
    pthread_cond_init(&e->gone_cond, NULL);
    e->queue_max = queue_max;
    e->last = &e->first;
    atomic_init(&e->steps_per_second, DEFAULT_STEPS_PER_SECOND);
    for (; e->thread_count < threads; e->thread_count++) {
        struct hasher *h = &e->hashers[e->thread_count];
        h->engine = e;
        h->kernel = kernel_new();
        if (h->kernel == NULL || !start_thread(h)) {
            kernel_free(h->kernel);
            engine_free(e);
            return ERR_NOMEM;
        }
    }
    *ret_engine = e;
    return ERR_OK;
}

/* Under the lock. */
static void refuse_waiting(struct engine *e)
{
    for (struct waiting *w = e->first; w != NULL; w = w->next) {
        w->result = ERR_BUSY;
        w->done = true;
        pthread_cond_signal(&w->done_cond);
    }
    e->first = NULL;
    e->last = &e->first;
}

void engine_free(struct engine *e)
{
    if (e == NULL) {
        return;
    }
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    refuse_waiting(e);
    pthread_cond_broadcast(&e->work_cond);
    while (e->callers > 0) {
        pthread_cond_wait(&e->gone_cond, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    for (unsigned i = 0; i < e->thread_count; i++) {
        pthread_join(e->hashers[i].thread, NULL);
        kernel_free(e->hashers[i].kernel);
    }
    pthread_cond_destroy(&e->gone_cond);
    pthread_cond_destroy(&e->work_cond);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- a caller ---- */

/* What the job may cost: whether a check will match, and so need no topping up, is not known. */
static uint64_t reserve(const struct engine_job *job)
{
    bool dearer = job->check && job->topup_cost > job->cost;
    return steps_of(dearer ? job->topup_cost : job->cost);
}

/* Under the lock. */
static void wait_for(struct engine *e, struct waiting *w)
{
    *e->last = w;
    e->last = &w->next;
    e->queue_length++;
    atomic_fetch_add(&e->waiting_steps, w->steps);
    pthread_cond_signal(&e->work_cond);
    while (!w->done) {
        pthread_cond_wait(&w->done_cond, &e->lock);
    }
}

enum err engine_run(struct engine *e, struct engine_job *job)
{
    struct waiting w = { .job = job, .steps = reserve(job), .result = ERR_BUSY };
    pthread_cond_init(&w.done_cond, NULL);
    pthread_mutex_lock(&e->lock);
    e->callers++;
    if (!e->stopping && e->queue_length < e->queue_max) {
        wait_for(e, &w);
    }
    e->callers--;
    if (e->stopping && e->callers == 0) {
        pthread_cond_signal(&e->gone_cond);
    }
    pthread_mutex_unlock(&e->lock);
    pthread_cond_destroy(&w.done_cond);
    return w.result;
}

/* ---- the estimate ---- */

static double steps_left(const struct hasher *h, int64_t now_us, double steps_per_us)
{
    int64_t started_us = atomic_load(&h->started_us);
    if (started_us == 0) {
        return 0;
    }
    double left = (double)atomic_load(&h->steps) - (double)(now_us - started_us) * steps_per_us;
    return left > 0 ? left : 0;
}

int64_t engine_expected_wait_us(const struct engine *e, uint64_t queued_steps)
{
    int64_t now_us = clock_monotonic_us();
    double steps_per_us = (double)atomic_load(&e->steps_per_second) / 1e6;
    double steps = (double)atomic_load(&e->waiting_steps) + (double)queued_steps;
    for (unsigned i = 0; i < e->thread_count; i++) {
        steps += steps_left(&e->hashers[i], now_us, steps_per_us);
    }
    double wait_us = steps / (steps_per_us * e->thread_count);
    /* Cost 31 on a slow core overflows nothing, but a caller adds this to other times. */
    return wait_us < 1e15 ? (int64_t)wait_us : INT64_C(1000000000000000);
}

#include "mailbox.h"
#include "queue.h"
#include "work.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_US     INT64_C(1000000)
#define MAX_RETRY_S   60
#define MAX_WAIT_US   (3600 * SECOND_US) /* longer ones are not told apart */
#define NEWEST_WEIGHT 0.125              /* of the latest item in the measured rate */
#define NAME_BYTES    16                 /* of a thread, NUL included; the kernel's limit */

struct work_bulkhead {
    /* Fixed. */
    struct work_options options;
    pthread_t *threads;
    unsigned started;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    /* Under the lock. */
    struct queue queue;
    unsigned busy; /* workers that hold an item */
    bool stopping;
    double us_per_cost; /* measured; 0: not yet */
};

/* Under the lock. */
static int64_t expected_wait_us(const struct work_bulkhead *b)
{
    const struct work_options *o = &b->options;
    if (o->estimate_us != NULL) {
        return o->estimate_us(o->context, b->queue.cost);
    }
    double wait = b->us_per_cost * (double)b->queue.cost / o->threads;
    return wait < (double)MAX_WAIT_US ? (int64_t)wait : MAX_WAIT_US;
}

static int64_t retry_after_s(int64_t wait_us)
{
    if (wait_us >= MAX_RETRY_S * SECOND_US) {
        return MAX_RETRY_S;
    }
    int64_t seconds = (wait_us + SECOND_US - 1) / SECOND_US;
    return seconds < 1 ? 1 : seconds;
}

/* Under the lock. Somebody is free to take the item at once. */
static bool has_idle_worker(const struct work_bulkhead *b)
{
    return b->busy + b->queue.count < b->options.threads;
}

/* Under the lock. May the item wait? If not, *ret_cause says why. */
static bool may_queue(const struct work_bulkhead *b, const struct work_item *item, int64_t left_us,
                      enum metrics_refused *ret_cause)
{
    unsigned share = b->options.class_max[item->class];
    if (b->queue.count >= b->options.queue_max) {
        *ret_cause = METRICS_REFUSED_QUEUE_FULL;
        return false;
    }
    if (share != 0 && b->queue.classes[item->class].count >= share) {
        *ret_cause = METRICS_REFUSED_SHARE;
        return false;
    }
    if (expected_wait_us(b) > left_us) {
        *ret_cause = METRICS_REFUSED_DEADLINE;
        return false;
    }
    return true;
}

static void lend(struct work_item *item)
{
    item->fate = WORK_RAN;
    item->waited_us = 0;
    item->retry_after_s = 0;
    atomic_store(&item->abandoned, false);
    mailbox_lend(item->mailbox, 1);
    metrics_gauge_move(METRIC_QUEUE_DEPTH, item->class, 1);
}

enum err work_submit(struct work_bulkhead *b, struct work_item *item, int64_t *ret_retry_after_s)
{
    INVARIANT((unsigned)item->class < WORK_CLASS_COUNT);
    enum metrics_refused cause = METRICS_REFUSED_QUEUE_FULL;
    int64_t wait_us = 0;
    pthread_mutex_lock(&b->lock);
    int64_t now = clock_monotonic_us();
    bool taken =
        !b->stopping && (has_idle_worker(b) || may_queue(b, item, item->deadline_us - now, &cause));
    if (taken) {
        lend(item);
        queue_push(&b->queue, item, now);
        pthread_cond_signal(&b->filled);
    } else {
        wait_us = expected_wait_us(b);
    }
    pthread_mutex_unlock(&b->lock);
    if (taken) {
        return ERR_OK;
    }
    metrics_add(METRIC_REFUSED, cause, 1);
    *ret_retry_after_s = retry_after_s(wait_us);
    return ERR_BUSY;
}

void work_abandon(struct work_item *item)
{
    atomic_store(&item->abandoned, true);
}

bool work_is_abandoned(const struct work_item *item)
{
    return atomic_load(&item->abandoned);
}

/* Under the lock: its turn has come; does anybody still want the answer? */
static void judge(const struct work_bulkhead *b, struct work_item *item)
{
    int64_t now = clock_monotonic_us();
    item->waited_us = now > item->submitted_us ? now - item->submitted_us : 0;
    if (work_is_abandoned(item)) {
        item->fate = WORK_ABANDONED;
    } else if (now > item->deadline_us) {
        item->fate = WORK_LATE;
        item->retry_after_s = retry_after_s(expected_wait_us(b));
    }
}

/* The next item with its fate, or NULL: the bulkhead is closing and nothing waits any more. */
static struct work_item *take(struct work_bulkhead *b)
{
    pthread_mutex_lock(&b->lock);
    while (b->queue.count == 0 && !b->stopping) {
        pthread_cond_wait(&b->filled, &b->lock);
    }
    struct work_item *item = queue_pop(&b->queue);
    if (item != NULL) {
        b->busy++;
        judge(b, item);
    }
    pthread_mutex_unlock(&b->lock);
    return item;
}

/* Returns the microseconds it took. */
static int64_t perform(struct work_item *item)
{
    int64_t start = clock_monotonic_us();
    metrics_observe_us(METRIC_QUEUE_WAIT, item->class, item->waited_us);
    item->run(item);
    return clock_monotonic_us() - start;
}

/* Under the lock. */
static void measure(struct work_bulkhead *b, uint64_t cost, int64_t took_us)
{
    double newest = (double)took_us / (double)(cost == 0 ? 1 : cost);
    double old = b->us_per_cost;
    b->us_per_cost = old == 0 ? newest : old + NEWEST_WEIGHT * (newest - old);
}

static void handle(struct work_bulkhead *b, struct work_item *item)
{
    bool runs = item->fate == WORK_RAN;
    uint64_t cost = item->cost;
    int64_t took_us = 0;
    metrics_gauge_move(METRIC_QUEUE_DEPTH, item->class, -1);
    if (runs) {
        took_us = perform(item);
    } else {
        bool late = item->fate == WORK_LATE;
        metrics_add(METRIC_REFUSED, late ? METRICS_REFUSED_LATE : METRICS_REFUSED_GONE, 1);
    }
    pthread_mutex_lock(&b->lock);
    b->busy--;
    if (runs) {
        measure(b, cost, took_us);
    }
    pthread_mutex_unlock(&b->lock);
    /* Last: the answer may bring the loop's next item, for which this worker is free. */
    mailbox_post(item->mailbox, item);
}

static void *worker_main(void *bulkhead)
{
    struct work_bulkhead *b = bulkhead;
    for (;;) {
        struct work_item *item = take(b);
        if (item == NULL) {
            return NULL;
        }
        handle(b, item);
    }
}

static enum err start_thread(struct work_bulkhead *b, const pthread_attr_t *attributes)
{
    pthread_t *thread = &b->threads[b->started];
    if (pthread_create(thread, attributes, worker_main, b) != 0) {
        return ERR_NOMEM;
    }
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof(name), "%.10s-%u", b->options.name, b->started % 1000);
    pthread_setname_np(*thread, name);
    b->started++;
    return ERR_OK;
}

/* With all signals blocked: they are for the loops. */
static enum err start_threads(struct work_bulkhead *b)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return ERR_NOMEM;
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum err e = ERR_OK;
    if (b->options.stack_bytes != 0 &&
        pthread_attr_setstacksize(&attributes, b->options.stack_bytes) != 0) {
        e = ERR_CONFIG;
    }
    while (e == ERR_OK && b->started < b->options.threads) {
        e = start_thread(b, &attributes);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return e;
}

enum err work_bulkhead_new(const struct work_options *options, struct work_bulkhead **ret_bulkhead)
{
    INVARIANT(options->threads > 0);
    struct work_bulkhead *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return ERR_NOMEM;
    }
    b->options = *options;
    /* Neither fails on Linux with default attributes. */
    INVARIANT(pthread_mutex_init(&b->lock, NULL) == 0);
    INVARIANT(pthread_cond_init(&b->filled, NULL) == 0);
    b->threads = calloc(options->threads, sizeof(*b->threads));
    enum err e = b->threads == NULL ? ERR_NOMEM : start_threads(b);
    if (e != ERR_OK) {
        work_bulkhead_free(b);
        return e;
    }
    *ret_bulkhead = b;
    return ERR_OK;
}

void work_bulkhead_free(struct work_bulkhead *b)
{
    if (b == NULL) {
        return;
    }
    pthread_mutex_lock(&b->lock);
    b->stopping = true;
    pthread_cond_broadcast(&b->filled);
    pthread_mutex_unlock(&b->lock);
    for (unsigned i = 0; i < b->started; i++) {
        pthread_join(b->threads[i], NULL);
    }
    pthread_cond_destroy(&b->filled);
    pthread_mutex_destroy(&b->lock);
    free(b->threads);
    free(b);
}

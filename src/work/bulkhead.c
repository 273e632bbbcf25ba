#include "mailbox.h"
#include "queue.h"
#include "work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_US     INT64_C(1000000)
#define MAX_RETRY_S   60
#define MAX_WAIT_US   (3600 * SECOND_US) /* longer ones are not told apart */
#define MARGIN        8                  /* a part of the time left in this many */
#define NEWEST_WEIGHT 0.125              /* of the latest item in the measured rate */
#define NAME_BYTES    16                 /* of a thread, NUL included; the kernel's limit */

struct worker {
    struct work_bulkhead *bulkhead;
    pthread_t thread;
    uv_sem_t called;
    struct worker *next; /* of those asleep */
};

struct work_bulkhead {
    /* Fixed. */
    struct work_options options;
    struct worker *workers;
    unsigned started;
    pthread_mutex_t lock;
    /* Under the lock. */
    struct queue queue;
    unsigned busy;         /* workers that hold an item */
    struct worker *asleep; /* until there is one; the latest first, whose memory is still near */
    unsigned waking;       /* workers that were called and are on their way */
    bool stopping;
    double us_per_cost; /* measured; 0: not yet */
};

/* The present thread, if it is a worker. */
static _Thread_local struct {
    struct work_bulkhead *bulkhead;
    unsigned nested;   /* items on its stack below the present one */
    int64_t nested_us; /* of the present one's time, what went to others that it let run */
} here;

/* Under the lock. Somebody is free to take the item at once. */
static bool has_idle_worker(const struct work_bulkhead *b)
{
    return b->busy + b->queue.count < b->options.threads;
}

/* Under the lock. Even for who finds an idle worker the estimate is asked: the workers may hold
 * more than the engine has hashed. */
static int64_t expected_wait_us(const struct work_bulkhead *b, const struct work_item *item)
{
    const struct work_options *o = &b->options;
    uint64_t ahead = has_idle_worker(b) ? b->queue.cost : queue_cost_ahead(&b->queue, item);
    if (o->estimate_us != NULL) {
        return o->estimate_us(o->context, ahead);
    }
    double wait = b->us_per_cost * (double)ahead / o->threads;
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

/* What becomes of an item that wants in. */
struct verdict {
    bool taken;
    enum metrics_refused cause;  /* if not */
    int64_t wait_us;             /* expected */
    struct work_item *displaced; /* if it came in for another, else NULL */
};

/* The longest wait that may be expected of who has so long: less than all of it, since in a flood
 * everybody who is taken comes close, and half of them would wait for a refusal. */
static int64_t patience_us(int64_t left_us)
{
    return left_us - left_us / MARGIN;
}

/* Under the lock. */
static struct verdict admit(struct work_bulkhead *b, const struct work_item *item, int64_t now)
{
    struct verdict v = { .cause = METRICS_REFUSED_QUEUE_FULL };
    if (b->stopping) {
        return v;
    }
    v.wait_us = expected_wait_us(b, item);
    if (v.wait_us > patience_us(item->deadline_us - now)) {
        v.cause = METRICS_REFUSED_DEADLINE;
        return v;
    }
    v.taken = has_idle_worker(b) || b->queue.count < b->options.queue_max;
    if (!v.taken) {
        v.displaced = queue_displace(&b->queue, item);
        v.taken = v.displaced != NULL;
    }
    return v;
}

static void lend(struct work_bulkhead *b, struct work_item *item, int64_t now)
{
    item->fate = WORK_RAN;
    item->waited_us = 0;
    item->retry_after_s = 0;
    item->submitted_us = now;
    item->bulkhead = b;
    atomic_store(&item->abandoned, false);
    mailbox_lend(item->mailbox, 1);
    metrics_gauge_move(METRIC_QUEUE_DEPTH, item->class, 1);
}

/* Under the lock: what is true of it now that it has left the queue. */
static void end_wait(struct work_item *item, enum work_fate fate, int64_t now)
{
    item->fate = fate;
    item->waited_us = now > item->submitted_us ? now - item->submitted_us : 0;
}

/* Not under the lock; its loop may free it any time after. */
static void give_back_unrun(struct work_item *item, enum metrics_refused cause)
{
    metrics_gauge_move(METRIC_QUEUE_DEPTH, item->class, -1);
    metrics_add(METRIC_REFUSED, cause, 1);
    mailbox_post(item->mailbox, item);
}

/* Under the lock: the next worker to call, or NULL. Where items let others run in their place, who
 * is called takes several: half of what is allowed, since some come in ones. Each that is called
 * asks again. A semaphore for each and no condition: the signals of glibc's before 2.41 may be
 * lost, and nobody calls again as long as one is on its way. */
static struct worker *next_worker(struct work_bulkhead *b)
{
    unsigned each = 1 + b->options.nested_max / 2;
    struct worker *next = b->asleep;
    if (next == NULL || b->queue.count <= b->waking * each) {
        return NULL;
    }
    b->asleep = next->next;
    b->waking++;
    return next;
}

/* Not under the lock: who is called would only wait for it. */
static void call_worker(struct worker *worker)
{
    if (worker != NULL) {
        uv_sem_post(&worker->called);
    }
}

/* Under the lock. */
static struct verdict enter(struct work_bulkhead *b, struct work_item *item)
{
    int64_t now = clock_monotonic_us();
    struct verdict v = admit(b, item, now);
    if (!v.taken) {
        return v;
    }
    lend(b, item, now);
    queue_push(&b->queue, item);
    if (v.displaced != NULL) {
        end_wait(v.displaced, WORK_LATE, now);
        v.displaced->retry_after_s = retry_after_s(expected_wait_us(b, v.displaced));
    }
    return v;
}

enum err work_submit(struct work_bulkhead *b, struct work_item *item, int64_t *ret_retry_after_s)
{
    INVARIANT((unsigned)item->class < WORK_CLASS_COUNT);
    pthread_mutex_lock(&b->lock);
    struct verdict v = enter(b, item);
    struct worker *next = next_worker(b);
    pthread_mutex_unlock(&b->lock);
    call_worker(next);
    if (v.displaced != NULL) {
        give_back_unrun(v.displaced, METRICS_REFUSED_SHARE);
    }
    if (v.taken) {
        return ERR_OK;
    }
    metrics_add(METRIC_REFUSED, v.cause, 1);
    *ret_retry_after_s = retry_after_s(v.wait_us);
    return ERR_BUSY;
}

void work_abandon(struct work_item *item)
{
    struct work_bulkhead *b = item->bulkhead;
    atomic_store(&item->abandoned, true);
    pthread_mutex_lock(&b->lock);
    bool waits = queue_holds(item);
    if (waits) {
        queue_remove(&b->queue, item);
        end_wait(item, WORK_ABANDONED, clock_monotonic_us());
    }
    pthread_mutex_unlock(&b->lock);
    if (waits) {
        give_back_unrun(item, METRICS_REFUSED_GONE);
    }
}

bool work_is_abandoned(const struct work_item *item)
{
    return atomic_load(&item->abandoned);
}

/* Under the lock: its turn has come; does anybody still want the answer? */
static void judge(const struct work_bulkhead *b, struct work_item *item)
{
    int64_t now = clock_monotonic_us();
    end_wait(item, WORK_RAN, now);
    if (work_is_abandoned(item)) {
        item->fate = WORK_ABANDONED;
    } else if (now > item->deadline_us) {
        item->fate = WORK_LATE;
        item->retry_after_s = retry_after_s(expected_wait_us(b, item));
    }
}

/* Under the lock: the next item with its fate, or NULL. */
static struct work_item *pop(struct work_bulkhead *b)
{
    struct work_item *item = queue_pop(&b->queue);
    if (item != NULL) {
        judge(b, item);
    }
    return item;
}

/* Under the lock, which it leaves while it sleeps. */
static void sleep_until_called(struct worker *self)
{
    struct work_bulkhead *b = self->bulkhead;
    self->next = b->asleep;
    b->asleep = self;
    pthread_mutex_unlock(&b->lock);
    uv_sem_wait(&self->called);
    pthread_mutex_lock(&b->lock);
    b->waking--;
}

/* NULL: the bulkhead is closing and nothing waits any more. */
static struct work_item *take(struct worker *self)
{
    struct work_bulkhead *b = self->bulkhead;
    pthread_mutex_lock(&b->lock);
    while (b->queue.count == 0 && !b->stopping) {
        sleep_until_called(self);
    }
    struct work_item *item = pop(b);
    b->busy += item != NULL;
    struct worker *next = next_worker(b);
    pthread_mutex_unlock(&b->lock);
    call_worker(next);
    return item;
}

/* Returns the microseconds it took, those of the items that it let run left out. */
static int64_t perform(struct work_item *item)
{
    int64_t start = clock_monotonic_us();
    int64_t outer_us = here.nested_us;
    here.nested_us = 0;
    metrics_gauge_move(METRIC_QUEUE_DEPTH, item->class, -1);
    metrics_observe_us(METRIC_QUEUE_WAIT, item->class, item->waited_us);
    item->run(item);
    int64_t all_us = clock_monotonic_us() - start;
    int64_t own_us = all_us - here.nested_us;
    here.nested_us = outer_us + all_us;
    return own_us;
}

/* Under the lock. */
static void measure(struct work_bulkhead *b, uint64_t cost, int64_t took_us)
{
    double newest = (double)took_us / (double)(cost == 0 ? 1 : cost);
    double old = b->us_per_cost;
    b->us_per_cost = old == 0 ? newest : old + NEWEST_WEIGHT * (newest - old);
}

/* The item is given back last: the answer may bring the loop's next one, for which this worker is
 * free. */
static void handle(struct work_bulkhead *b, struct work_item *item)
{
    bool runs = item->fate == WORK_RAN;
    int64_t took_us = runs ? perform(item) : 0;
    pthread_mutex_lock(&b->lock);
    b->busy -= here.nested == 0;
    if (runs) {
        measure(b, item->cost, took_us);
    }
    pthread_mutex_unlock(&b->lock);
    if (runs) {
        mailbox_post(item->mailbox, item);
    } else {
        bool late = item->fate == WORK_LATE;
        give_back_unrun(item, late ? METRICS_REFUSED_LATE : METRICS_REFUSED_GONE);
    }
}

void work_meanwhile(void)
{
    struct work_bulkhead *b = here.bulkhead;
    if (b == NULL || here.nested >= b->options.nested_max) {
        return;
    }
    pthread_mutex_lock(&b->lock);
    struct work_item *item = pop(b);
    pthread_mutex_unlock(&b->lock);
    if (item != NULL) {
        here.nested++;
        handle(b, item);
        here.nested--;
    }
}

static void *worker_main(void *worker)
{
    struct worker *self = worker;
    here.bulkhead = self->bulkhead;
    for (;;) {
        struct work_item *item = take(self);
        if (item == NULL) {
            return NULL;
        }
        handle(self->bulkhead, item);
    }
}

static enum err start_threads(struct work_bulkhead *b)
{
    const struct work_options *o = &b->options;
    while (b->started < o->threads) {
        char name[NAME_BYTES];
        (void)snprintf(name, sizeof(name), "%.10s-%u", o->name, b->started % 1000);
        struct worker *w = &b->workers[b->started];
        w->bulkhead = b;
        INVARIANT(uv_sem_init(&w->called, 0) == 0);
        enum err e = thread_start(&w->thread, name, o->stack_bytes, worker_main, w);
        if (e != ERR_OK) {
            uv_sem_destroy(&w->called);
            return e;
        }
        b->started++;
    }
    return ERR_OK;
}

enum err work_bulkhead_new(const struct work_options *options, struct work_bulkhead **ret_bulkhead)
{
    const struct work_options *o = options;
    INVARIANT(o->threads > 0);
    struct work_bulkhead *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return ERR_NOMEM;
    }
    b->options = *o;
    /* As many as find an idle worker may wait for it, whatever queue_max says. */
    unsigned capacity = o->queue_max > o->threads ? o->queue_max : o->threads;
    enum err e = queue_init(&b->queue, capacity, o->share);
    if (e != ERR_OK) {
        free(b);
        return e;
    }
    /* Does not fail on Linux with default attributes, and nor does a semaphore's. */
    INVARIANT(pthread_mutex_init(&b->lock, NULL) == 0);
    b->workers = calloc(o->threads, sizeof(*b->workers));
    e = b->workers == NULL ? ERR_NOMEM : start_threads(b);
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
    for (struct worker *w = b->asleep; w != NULL; w = w->next) {
        b->waking++;
        uv_sem_post(&w->called);
    }
    b->asleep = NULL;
    pthread_mutex_unlock(&b->lock);
    for (unsigned i = 0; i < b->started; i++) {
        pthread_join(b->workers[i].thread, NULL);
    }
    /* Not before all are gone: one may have been about to call another. */
    for (unsigned i = 0; i < b->started; i++) {
        uv_sem_destroy(&b->workers[i].called);
    }
    pthread_mutex_destroy(&b->lock);
    queue_done(&b->queue);
    free(b->workers);
    free(b);
}

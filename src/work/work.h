/* work.h - bulkheads: bounded queues before blocking threads, and the way back to a loop.
 *
 * A bulkhead is a queue with a ceiling, threads that run its items from start to end as plain
 * blocking code, and an admission rule: an expected wait over the item's deadline is ERR_BUSY at
 * once.
 *
 *   loop: work_submit(item) --> queue --> worker: item->run() --> mailbox --> loop: item->done()
 *
 * Who waits is served in turns, by cost: the classes by their shares, the clients of a class alike,
 * the items of a client in the order of their coming. The expected wait is that of this item: a
 * flood makes its own client wait, or its own class, and others hardly. In a full queue the client
 * with the most waiting gives way.
 *
 * Threads:   work_submit() and work_abandon() on the loop thread of the item's mailbox; run() on a
 * worker; done() on the item's own loop. Deliveries to a mailbox coalesce into one wake-up.
 * Ownership: the item is the caller's and is lent out from a successful submit until done() is
 * called. done() is called exactly once for every item that was taken, abandoned ones included.
 * Failure:   an error of work_submit means that neither run() nor done() will be called.
 * Units:     costs are steps of the password engine (1 for anything else); times as named. */
#ifndef DOORWARD_WORK_H
#define DOORWARD_WORK_H

#include "base.h"
#include <stdatomic.h>
#include <uv.h>

/* The way back: one for each loop. */
struct work_mailbox;
MUST_CHECK enum err work_mailbox_new(uv_loop_t *loop, struct work_mailbox **ret_mailbox);
/* Loop thread; after it, the memory is freed by the handle's close callback. No item may be out. */
void work_mailbox_close(struct work_mailbox *m);

/* In the order of the label values of METRIC_QUEUE_DEPTH. */
enum work_class { WORK_STORE, WORK_LOGIN, WORK_REGISTER, WORK_PASSWORD, WORK_CLASS_COUNT };

enum work_fate {
    WORK_RAN,       /* run() was called */
    WORK_LATE,      /* its deadline passed before its turn came, or it gave way: not run */
    WORK_ABANDONED, /* its client went before its turn came: not run */
};

struct work_bulkhead;
struct queue_flow;
struct work_item {
    /* Given by the caller, fixed while it is out. */
    void (*run)(struct work_item *item);  /* worker thread */
    void (*done)(struct work_item *item); /* loop thread */
    struct work_mailbox *mailbox;
    enum work_class class;
    struct span client; /* address key: IPv4, or IPv6 by /64 */
    uint64_t cost;
    int64_t deadline_us; /* clock_monotonic_us() after which nobody wants the answer */
    /* Set by work/. */
    enum work_fate fate;   /* valid in done() */
    int64_t waited_us;     /* between submit and start */
    int64_t retry_after_s; /* when fate is WORK_LATE: what to tell the client */
    _Atomic bool abandoned;
    int64_t submitted_us;
    struct work_bulkhead *bulkhead;
    struct queue_flow *flow; /* NULL: not waiting */
    struct work_item *next, *previous;
};

struct work_options {
    const char *name; /* of the threads */
    unsigned threads;
    unsigned queue_max; /* items waiting */
    size_t stack_bytes; /* of each thread */
    /* Items that a worker may begin inside others by work_meanwhile(); 0: none. */
    unsigned nested_max;
    /* Of the threads' time, in proportion to each other, at most 100, while several classes wait; 0
     * is 1. REGISTER_SHARE. */
    unsigned share[WORK_CLASS_COUNT];
    /* Microseconds until an item would begin that has `queued_cost` waiting steps before it, and
     * what the workers already hold; NULL: measured from the items' own times. Called with the
     * queue's lock held: it must not block. */
    int64_t (*estimate_us)(void *context, uint64_t queued_cost);
    void *context;
};
MUST_CHECK enum err work_bulkhead_new(const struct work_options *options,
                                      struct work_bulkhead **ret_bulkhead);
/* Stop taking items, let the workers finish what they hold and what waits, join them. The mailboxes
 * must still be open; their loops still have to run to receive what was finished. */
void work_bulkhead_free(struct work_bulkhead *b);

/* ERR_BUSY: the expected wait is over, or within an eighth of, what is left until the deadline, or
 * the queue is full and nobody has more in it than this client; then *ret_retry_after_s (1 to 60)
 * says when, from the measured rate, there will be room. */
MUST_CHECK enum err work_submit(struct work_bulkhead *b, struct work_item *item,
                                int64_t *ret_retry_after_s);
/* The client has gone: an item that waits is taken out at once and counts no more for anybody; one
 * that runs may ask. done() is still called, later. Between submit and done() only. */
void work_abandon(struct work_item *item);
/* In run(), by who is about to sleep and holds no lock: one item that waits, if there is any, runs
 * to its end first. What many wait for together is so waited for by few threads. Elsewhere:
 * nothing. */
void work_meanwhile(void);
/* In run(): has the client gone meanwhile? */
bool work_is_abandoned(const struct work_item *item);

#endif

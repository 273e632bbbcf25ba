/* queue.h - the items that wait at one bulkhead, and whose turn is next. Private to work.
 *
 * Threads:   none of its own; the bulkhead's lock is held around every call.
 * Ownership: items are borrowed while they wait. All memory is taken by queue_init(): a push
 * allocates nothing, since there are never more clients waiting than items.
 * Failure:   only of queue_init().
 * Units:     costs as in work.h; an item of cost 0 counts as 1.
 *
 *   queue -- class (by share) -- flow: one client's items (by turns) -- item (first come)
 *
 * Turns go by what was used, in cost, not in items. Between the classes (start-time fair queueing):
 * each class has a virtual time at which its next item begins; the earliest is next, and moves its
 * class on by cost / share. A class that comes back begins at the present: it has saved nothing up,
 * and when nobody waits all are quits. Among the clients of a class (self-clocked fair queueing):
 * the one whose first item would end the earliest, from where it began to wait. So a client that
 * comes and goes has one turn a round like one that stays, and nothing has to be remembered of
 * those with nothing waiting. Clients are known by a keyed hash, so that nobody can choose to
 * collide. */
#ifndef DOORWARD_WORK_QUEUE_H
#define DOORWARD_WORK_QUEUE_H

#include "heap.h"
#include "work.h"

/* What one client has waiting in one class. */
struct queue_flow {
    struct heap_node turn;    /* first, by the virtual time at which its first item would end */
    struct heap_node size;    /* by cost, the greatest first */
    struct queue_flow *chain; /* in its bucket, or among those that are free */
    struct work_item *first, *last;
    uint64_t client; /* hash */
    uint64_t start;  /* of its first item, in the class's virtual time */
    uint64_t cost;
    enum work_class class;
};

struct queue_class {
    struct heap turns, sizes; /* of its flows */
    uint64_t share;
    uint64_t start; /* of its next item, in the queue's virtual time */
    uint64_t now;   /* virtual time among its flows */
    uint64_t cost;
    unsigned count;
};

struct queue {
    struct queue_class classes[WORK_CLASS_COUNT];
    struct queue_flow *flows, *free;
    struct queue_flow **buckets;
    size_t bucket_count; /* a power of two */
    struct heap_node **nodes;
    uint8_t key[SIPHASH_KEY_BYTES];
    unsigned capacity;
    unsigned count;
    uint64_t cost;
    uint64_t now; /* virtual time among the classes */
};

/* Room for `capacity` items. ERR_NOMEM, ERR_INTERNAL; then there is nothing to be undone. */
MUST_CHECK enum err queue_init(struct queue *q, unsigned capacity,
                               const unsigned shares[static WORK_CLASS_COUNT]);
void queue_done(struct queue *q);
/* Needs room. */
void queue_push(struct queue *q, struct work_item *item);
/* NULL when nothing waits. */
struct work_item *queue_pop(struct queue *q);
/* Out of turn: `item` waits in `q`. */
void queue_remove(struct queue *q, struct work_item *item);
/* Of an item that has been pushed: does it still wait? */
bool queue_holds(const struct work_item *item);
/* The cost that will have its turn before `item` if it is pushed now and nothing else comes. */
uint64_t queue_cost_ahead(const struct queue *q, const struct work_item *item);
/* Make room for `item` at the expense of who has the most waiting: of the class that is the
 * farthest over its share, the heaviest client's newest item is removed and returned. NULL: nobody
 * has more than the item's own class and client would have. */
struct work_item *queue_displace(struct queue *q, const struct work_item *item);

#endif

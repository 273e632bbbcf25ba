/* queue.h - the items that wait at one bulkhead, and whose turn is next. Private to work.
 *
 * Threads:   none of its own; the bulkhead's lock is held around every call.
 * Ownership: items are linked through their own `next`; nothing is allocated.
 *
 * One list a class: within a class it is first come, first served; between classes queue_pop()
 * decides, and it is the only place that knows how. */
#ifndef DOORWARD_WORK_QUEUE_H
#define DOORWARD_WORK_QUEUE_H

#include "work.h"

struct queue_list {
    struct work_item *first;
    struct work_item *last;
    unsigned count;
};

struct queue {
    struct queue_list classes[WORK_CLASS_COUNT];
    unsigned count;
    uint64_t cost;
    int64_t last_us; /* of the youngest item, so that no two are equally old */
};

/* Sets submitted_us. */
void queue_push(struct queue *q, struct work_item *item, int64_t now_us);
/* NULL when nothing waits. */
struct work_item *queue_pop(struct queue *q);

#endif

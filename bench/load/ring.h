/* ring.h - numbers of slots or sessions that are free, first in first out.
 *
 * Threads:   one owner at a time.
 * Failure:   ERR_NOMEM; more than the capacity, or taking from an empty one, is our bug. */
#ifndef DOORWARD_BENCH_RING_H
#define DOORWARD_BENCH_RING_H

#include "base.h"

struct ring {
    size_t *items;
    size_t capacity, first, count;
};
MUST_CHECK enum err ring_init(struct ring *r, size_t capacity);
void ring_done(struct ring *r);
void ring_put(struct ring *r, size_t item);
size_t ring_take(struct ring *r);

#endif

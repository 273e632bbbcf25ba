/* heap.h - whose key is least, among records that know their place. Private to work.
 *
 * A binary heap of nodes that are embedded in other records; equal keys come in the order in which
 * they were added or settled. Finding the least is O(1), everything else O(log n).
 *
 * Threads:   none of its own.
 * Ownership: the array is the caller's, as long as there can ever be nodes; nodes are borrowed from
 * heap_add() to heap_remove().
 * Failure:   none. */
#ifndef DOORWARD_WORK_HEAP_H
#define DOORWARD_WORK_HEAP_H

#include <stdint.h>

struct heap_node {
    uint64_t key;   /* the owner's; after a change: heap_settle() */
    uint64_t order; /* among equal keys */
    unsigned at;
};

struct heap {
    struct heap_node **nodes; /* nodes[0] is the least, if count is not 0 */
    unsigned count;
    uint64_t orders; /* given so far */
};

void heap_add(struct heap *h, struct heap_node *node);
/* `node` is in `h`. */
void heap_remove(struct heap *h, struct heap_node *node);
/* Its key has changed: it finds its new place, behind those that are equal to it. */
void heap_settle(struct heap *h, struct heap_node *node);

#endif

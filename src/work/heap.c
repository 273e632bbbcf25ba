#include "heap.h"

#include <stdbool.h>

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void put(struct heap *h, struct heap_node *node, unsigned at)
{
    h->nodes[at] = node;
    node->at = at;
}

static unsigned rise(struct heap *h, const struct heap_node *node, unsigned at)
{
    while (at > 0 && is_before(node, h->nodes[(at - 1) / 2])) {
        put(h, h->nodes[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    return at;
}

static unsigned sink(struct heap *h, const struct heap_node *node, unsigned at)
{
    for (;;) {
        unsigned child = 2 * at + 1;
        if (child + 1 < h->count && is_before(h->nodes[child + 1], h->nodes[child])) {
            child++;
        }
        if (child >= h->count || !is_before(h->nodes[child], node)) {
            return at;
        }
        put(h, h->nodes[child], at);
        at = child;
    }
}

/* The place `at` is free, or held by `node` itself. */
static void place(struct heap *h, struct heap_node *node, unsigned at)
{
    put(h, node, sink(h, node, rise(h, node, at)));
}

void heap_add(struct heap *h, struct heap_node *node)
{
    node->order = h->orders++;
    place(h, node, h->count++);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    struct heap_node *last = h->nodes[--h->count];
    if (last != node) {
        place(h, last, node->at);
    }
}

void heap_settle(struct heap *h, struct heap_node *node)
{
    node->order = h->orders++;
    place(h, node, node->at);
}

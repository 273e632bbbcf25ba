/* test_work_queue_world.h - a queue, asked directly and without threads, and items for it.
 *
 * Threads: the test's own. */
#ifndef DOORWARD_TEST_WORK_QUEUE_WORLD_H
#define DOORWARD_TEST_WORK_QUEUE_WORLD_H

#include "check.h"
#include "queue.h"

#define MANY   4096
#define LIGHT  1 /* clients by number */
#define FLOOD  0
#define MARKED 77

struct line {
    struct queue q;
    struct work_item items[MANY];
    unsigned used;
    uint64_t served[WORK_CLASS_COUNT]; /* cost */
};
static inline struct line *open_line(unsigned capacity, const unsigned *shares)
{
    static struct line line; /* one at a time */
    line = (struct line){ 0 };
    CHECK_ERR(queue_init(&line.q, capacity, shares), ERR_OK);
    return &line;
}

static inline struct span client_named(unsigned number)
{
    static uint32_t names[MANY];
    names[number] = number;
    return (struct span){ (const char *)&names[number], sizeof(names[number]) };
}

static inline struct work_item item_of(enum work_class class, unsigned client, uint64_t cost)
{
    return (struct work_item){ .class = class, .client = client_named(client), .cost = cost };
}

/* One more item waits. */
static inline struct work_item *add(struct line *l, enum work_class class, unsigned client,
                                    uint64_t cost)
{
    struct work_item *item = &l->items[l->used++ % MANY];
    *item = item_of(class, client, cost);
    queue_push(&l->q, item);
    CHECK(queue_holds(item));
    return item;
}

static inline struct work_item *serve(struct line *l)
{
    struct work_item *item = queue_pop(&l->q);
    CHECK(item != NULL && !queue_holds(item));
    l->served[item->class] += item->cost;
    return item;
}

static inline unsigned client_of(const struct work_item *item)
{
    uint32_t number;
    memcpy(&number, item->client.data, sizeof(number));
    return number;
}

static inline void close_line(struct line *l)
{
    while (queue_pop(&l->q) != NULL) {
    }
    CHECK_INT(l->q.count, 0);
    CHECK_INT(l->q.cost, 0);
    for (int i = 0; i < WORK_CLASS_COUNT; i++) {
        CHECK_INT(l->q.classes[i].cost, 0);
        CHECK_INT(l->q.classes[i].turns.count, 0);
        CHECK_INT(l->q.classes[i].sizes.count, 0);
    }
    queue_done(&l->q);
}

#endif

#include "queue.h"

#include <stddef.h>
#include <stdlib.h>

/* Of virtual time to cost, at a share of 1; so large that the division by a share loses little. */
#define SCALE UINT64_C(4096)

#define FLOW_OF(node, member)                                                                      \
    ((struct queue_flow *)(void *)((char *)(node)-offsetof(struct queue_flow, member)))

static uint64_t cost_of(const struct work_item *item)
{
    return item->cost == 0 ? 1 : item->cost;
}

/* ---- life ---- */

static void free_memory(struct queue *q)
{
    free(q->flows);
    free(q->buckets);
    free(q->nodes);
}

/* Pages that nobody touches cost nothing: a ceiling is not what is used. */
static bool take_memory(struct queue *q)
{
    q->bucket_count = 1;
    while (q->bucket_count < q->capacity) {
        q->bucket_count *= 2;
    }
    size_t heaps = 2 * (size_t)WORK_CLASS_COUNT;
    q->flows = calloc(q->capacity, sizeof(*q->flows));
    q->buckets = calloc(q->bucket_count, sizeof(struct queue_flow *));
    q->nodes = calloc(heaps * q->capacity, sizeof(struct heap_node *));
    return q->flows != NULL && q->buckets != NULL && q->nodes != NULL;
}

enum err queue_init(struct queue *q, unsigned capacity,
                    const unsigned shares[static WORK_CLASS_COUNT])
{
    INVARIANT(capacity > 0);
    *q = (struct queue){ .capacity = capacity };
    enum err e = take_memory(q) ? secret_random(q->key, sizeof(q->key)) : ERR_NOMEM;
    if (e != ERR_OK) {
        free_memory(q);
        return e;
    }
    for (unsigned i = 0; i < WORK_CLASS_COUNT; i++) {
        struct queue_class *c = &q->classes[i];
        c->share = shares[i] > 0 ? shares[i] : 1;
        c->turns.nodes = q->nodes + 2 * (size_t)i * capacity;
        c->sizes.nodes = c->turns.nodes + capacity;
    }
    for (unsigned i = capacity; i > 0; i--) {
        q->flows[i - 1].chain = q->free;
        q->free = &q->flows[i - 1];
    }
    return ERR_OK;
}

void queue_done(struct queue *q)
{
    INVARIANT(q->count == 0);
    free_memory(q);
    secret_wipe(q->key, sizeof(q->key));
}

/* ---- flows: one for each client that has something waiting ---- */

static struct queue_flow **bucket_of(const struct queue *q, uint64_t client)
{
    return &q->buckets[client & (q->bucket_count - 1)];
}

static struct queue_flow *find_flow(const struct queue *q, uint64_t client, enum work_class class)
{
    struct queue_flow *f = *bucket_of(q, client);
    while (f != NULL && (f->client != client || f->class != class)) {
        f = f->chain;
    }
    return f;
}

static struct queue_flow *flow_for(const struct queue *q, const struct work_item *item)
{
    return find_flow(q, siphash(q->key, item->client), item->class);
}

static struct queue_flow *open_flow(struct queue *q, uint64_t client, enum work_class class)
{
    struct queue_flow *f = q->free;
    struct queue_flow **bucket = bucket_of(q, client);
    INVARIANT(f != NULL);
    q->free = f->chain;
    *f = (struct queue_flow){
        .client = client, .class = class, .start = q->classes[class].now, .chain = *bucket
    };
    *bucket = f;
    return f;
}

static void close_flow(struct queue *q, struct queue_flow *f)
{
    struct queue_flow **link = bucket_of(q, f->client);
    while (*link != f) {
        link = &(*link)->chain;
    }
    *link = f->chain;
    f->chain = q->free;
    q->free = f;
}

/* Its first item or its cost have changed. */
static void settle_flow(struct queue_class *c, struct queue_flow *f, bool has_new_first)
{
    f->size.key = UINT64_MAX - f->cost;
    heap_settle(&c->sizes, &f->size);
    if (has_new_first) {
        f->turn.key = f->start + cost_of(f->first);
        heap_settle(&c->turns, &f->turn);
    }
}

static void enter_turns(struct queue_class *c, struct queue_flow *f)
{
    f->size.key = UINT64_MAX - f->cost;
    f->turn.key = f->start + cost_of(f->first);
    heap_add(&c->sizes, &f->size);
    heap_add(&c->turns, &f->turn);
}

static void leave_turns(struct queue_class *c, struct queue_flow *f)
{
    heap_remove(&c->sizes, &f->size);
    heap_remove(&c->turns, &f->turn);
}

/* ---- in ---- */

static void append(struct queue_flow *f, struct work_item *item)
{
    item->flow = f;
    item->next = NULL;
    item->previous = f->last;
    if (f->last == NULL) {
        f->first = item;
    } else {
        f->last->next = item;
    }
    f->last = item;
}

static void count_in(struct queue *q, struct queue_class *c, uint64_t cost)
{
    if (c->count == 0 && c->start < q->now) {
        c->start = q->now;
    }
    c->count++;
    c->cost += cost;
    q->count++;
    q->cost += cost;
}

void queue_push(struct queue *q, struct work_item *item)
{
    INVARIANT(q->count < q->capacity);
    struct queue_class *c = &q->classes[item->class];
    uint64_t client = siphash(q->key, item->client);
    struct queue_flow *f = find_flow(q, client, item->class);
    bool is_new = f == NULL;
    if (is_new) {
        f = open_flow(q, client, item->class);
    }
    append(f, item);
    f->cost += cost_of(item);
    count_in(q, c, cost_of(item));
    if (is_new) {
        enter_turns(c, f);
    } else {
        settle_flow(c, f, false);
    }
}

/* ---- out ---- */

static void unlink_item(struct queue_flow *f, struct work_item *item)
{
    if (item->previous == NULL) {
        f->first = item->next;
    } else {
        item->previous->next = item->next;
    }
    if (item->next == NULL) {
        f->last = item->previous;
    } else {
        item->next->previous = item->previous;
    }
    item->next = NULL;
    item->previous = NULL;
    item->flow = NULL;
}

/* Virtual times begin anew when nobody waits: what was used in times of plenty is nobody's debt. */
static void count_out(struct queue *q, struct queue_class *c, uint64_t cost)
{
    c->count--;
    c->cost -= cost;
    q->count--;
    q->cost -= cost;
    if (c->count == 0) {
        c->now = 0;
    }
    if (q->count == 0) {
        q->now = 0;
        for (unsigned i = 0; i < WORK_CLASS_COUNT; i++) {
            q->classes[i].start = 0;
        }
    }
}

void queue_remove(struct queue *q, struct work_item *item)
{
    struct queue_flow *f = item->flow;
    struct queue_class *c = &q->classes[item->class];
    bool was_first = item == f->first;
    unlink_item(f, item);
    f->cost -= cost_of(item);
    if (f->first == NULL) {
        leave_turns(c, f);
        close_flow(q, f);
    } else {
        settle_flow(c, f, was_first);
    }
    count_out(q, c, cost_of(item));
}

bool queue_holds(const struct work_item *item)
{
    return item->flow != NULL;
}

static struct queue_class *next_class(struct queue *q)
{
    struct queue_class *next = NULL;
    for (unsigned i = 0; i < WORK_CLASS_COUNT; i++) {
        struct queue_class *c = &q->classes[i];
        if (c->count > 0 && (next == NULL || c->start < next->start)) {
            next = c;
        }
    }
    return next;
}

struct work_item *queue_pop(struct queue *q)
{
    struct queue_class *c = next_class(q);
    if (c == NULL) {
        return NULL;
    }
    struct queue_flow *f = FLOW_OF(c->turns.nodes[0], turn);
    struct work_item *item = f->first;
    q->now = c->start;
    c->start += cost_of(item) * SCALE / c->share;
    c->now = f->turn.key > c->now ? f->turn.key : c->now;
    f->start = c->now;
    queue_remove(q, item);
    return item;
}

/* ---- what is to be expected ---- */

/* By turns: of each other client at most as much as of its own, the item included. */
static uint64_t ahead_in_class(const struct queue_class *c, const struct queue_flow *f,
                               uint64_t cost)
{
    uint64_t mine = f == NULL ? 0 : f->cost;
    uint64_t others = c->turns.count - (f == NULL ? 0 : 1);
    if (others >= c->cost / (mine + cost) + 1) {
        return c->cost; /* and the product may be too large */
    }
    uint64_t turns = mine + others * (mine + cost);
    return turns < c->cost ? turns : c->cost;
}

/* Of what waits in `c`, the part that begins before `until`. */
static uint64_t cost_until(const struct queue_class *c, uint64_t until)
{
    if (c->count == 0 || until <= c->start) {
        return 0;
    }
    uint64_t cost = ((until - c->start) / SCALE + 1) * c->share;
    return cost < c->cost ? cost : c->cost;
}

uint64_t queue_cost_ahead(const struct queue *q, const struct work_item *item)
{
    const struct queue_class *own = &q->classes[item->class];
    uint64_t ahead = ahead_in_class(own, flow_for(q, item), cost_of(item));
    uint64_t begin = own->start > q->now ? own->start : q->now;
    begin += ahead * SCALE / own->share;
    for (unsigned i = 0; i < WORK_CLASS_COUNT; i++) {
        const struct queue_class *other = &q->classes[i];
        ahead += other == own ? 0 : cost_until(other, begin);
    }
    return ahead;
}

/* ---- giving way ---- */

/* The class with the most waiting for its share, with `item` counted as waiting. */
static struct queue_class *heaviest_class(struct queue *q, const struct work_item *item)
{
    struct queue_class *heaviest = &q->classes[item->class];
    uint64_t most = heaviest->cost + cost_of(item);
    for (unsigned i = 0; i < WORK_CLASS_COUNT; i++) {
        struct queue_class *c = &q->classes[i];
        if (i != item->class && c->cost * heaviest->share > most * c->share) {
            heaviest = c;
            most = c->cost;
        }
    }
    return heaviest;
}

struct work_item *queue_displace(struct queue *q, const struct work_item *item)
{
    const struct queue_class *c = heaviest_class(q, item);
    if (c->count == 0) {
        return NULL;
    }
    const struct queue_flow *heaviest = FLOW_OF(c->sizes.nodes[0], size);
    if (c == &q->classes[item->class]) {
        const struct queue_flow *own = flow_for(q, item);
        uint64_t mine = (own == NULL ? 0 : own->cost) + cost_of(item);
        if (heaviest->cost <= mine) {
            return NULL;
        }
    }
    struct work_item *newest = heaviest->last;
    queue_remove(q, newest);
    return newest;
}

/* Whose turn it is, against a model: the same rules, by looking at everything each time. */
#include "test_work_queue_world.h"

static const unsigned shares[WORK_CLASS_COUNT] = {
    [WORK_LOGIN] = 50, [WORK_REGISTER] = 25, [WORK_PASSWORD] = 25
};

#define MODEL_CLIENTS  12
#define MODEL_CAPACITY 64
#define MODEL_SCALE    4096

struct model_flow {
    uint64_t start, order;
    unsigned count;
};
struct model {
    struct work_item *waiting[MODEL_CAPACITY]; /* in the order of their coming */
    unsigned count;
    struct model_flow flows[WORK_CLASS_COUNT][MODEL_CLIENTS];
    uint64_t class_start[WORK_CLASS_COUNT], class_now[WORK_CLASS_COUNT];
    uint64_t now, orders;
};

static struct work_item *model_first(const struct model *m, unsigned class, unsigned client)
{
    for (unsigned i = 0; i < m->count; i++) {
        if (m->waiting[i]->class == class && client_of(m->waiting[i]) == client) {
            return m->waiting[i];
        }
    }
    return NULL;
}

static uint64_t model_cost(const struct model *m, int class, int client)
{
    uint64_t cost = 0;
    for (unsigned i = 0; i < m->count; i++) {
        const struct work_item *item = m->waiting[i];
        bool counts = (class < 0 || (int)item->class == class) &&
                      (client < 0 || (int)client_of(item) == client);
        cost += counts ? item->cost : 0;
    }
    return cost;
}

static void model_push(struct model *m, struct work_item *item)
{
    struct model_flow *f = &m->flows[item->class][client_of(item)];
    if (model_cost(m, (int)item->class, -1) == 0 && m->class_start[item->class] < m->now) {
        m->class_start[item->class] = m->now;
    }
    if (f->count++ == 0) {
        f->start = m->class_now[item->class];
        f->order = m->orders++;
    }
    m->waiting[m->count++] = item;
}

static void model_remove(struct model *m, struct work_item *item)
{
    unsigned at = 0;
    struct model_flow *f = &m->flows[item->class][client_of(item)];
    bool was_first = model_first(m, item->class, client_of(item)) == item;
    while (m->waiting[at] != item) {
        at++;
    }
    m->count--;
    memmove(&m->waiting[at], &m->waiting[at + 1], (m->count - at) * sizeof(m->waiting[0]));
    f->count--;
    f->order = was_first ? m->orders++ : f->order;
    if (model_cost(m, (int)item->class, -1) == 0) {
        m->class_now[item->class] = 0;
    }
    if (m->count == 0) {
        m->now = 0;
        memset(m->class_start, 0, sizeof(m->class_start));
    }
}

static struct work_item *model_next_of(const struct model *m, unsigned class, uint64_t *ret_end)
{
    struct work_item *next = NULL;
    uint64_t order = 0;
    for (unsigned client = 0; client < MODEL_CLIENTS; client++) {
        struct work_item *first = model_first(m, class, client);
        const struct model_flow *f = &m->flows[class][client];
        uint64_t end = first == NULL ? 0 : f->start + first->cost;
        if (first != NULL &&
            (next == NULL || end < *ret_end || (end == *ret_end && f->order < order))) {
            next = first;
            *ret_end = end;
            order = f->order;
        }
    }
    return next;
}

static struct work_item *model_pop(struct model *m)
{
    int class = -1;
    for (int i = 0; i < WORK_CLASS_COUNT; i++) {
        if (model_cost(m, i, -1) > 0 && (class < 0 || m->class_start[i] < m->class_start[class])) {
            class = i;
        }
    }
    if (class < 0) {
        return NULL;
    }
    uint64_t end = 0;
    struct work_item *item = model_next_of(m, (unsigned)class, &end);
    unsigned share = shares[class] > 0 ? shares[class] : 1;
    m->now = m->class_start[class];
    m->class_start[class] += item->cost * MODEL_SCALE / share;
    m->class_now[class] = end > m->class_now[class] ? end : m->class_now[class];
    m->flows[class][client_of(item)].start = m->class_now[class];
    model_remove(m, item);
    return item;
}

/* Is `gone` the newest item of a client that had the most, or rightly NULL? */
static void check_displaced(const struct model *m, const struct work_item *item,
                            const struct work_item *gone)
{
    unsigned class = gone != NULL ? gone->class : item->class;
    uint64_t most = 0;
    for (int client = 0; client < MODEL_CLIENTS; client++) {
        uint64_t cost = model_cost(m, (int)class, client);
        most = cost > most ? cost : most;
    }
    uint64_t mine = model_cost(m, (int)item->class, (int)client_of(item)) + item->cost;
    if (gone == NULL) {
        CHECK(most <= mine);
        return;
    }
    CHECK_INT(model_cost(m, (int)class, (int)client_of(gone)), most);
    CHECK(class != item->class || most > mine);
    const struct work_item *newest = NULL;
    for (unsigned i = 0; i < m->count; i++) {
        bool same = m->waiting[i]->class == class && client_of(m->waiting[i]) == client_of(gone);
        newest = same ? m->waiting[i] : newest;
    }
    CHECK(newest == gone);
}

static uint32_t next_random(void)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static void random_push(struct line *l, struct model *m)
{
    struct work_item *item = &l->items[l->used % MANY];
    *item = item_of(next_random() % WORK_CLASS_COUNT, next_random() % MODEL_CLIENTS,
                    UINT64_C(1) << (next_random() % 6));
    if (l->q.count == l->q.capacity) {
        struct work_item *gone = queue_displace(&l->q, item);
        check_displaced(m, item, gone);
        if (gone == NULL) {
            return;
        }
        model_remove(m, gone);
    }
    /* MANY is far more than can wait: the slot is not in use. */
    l->used++;
    CHECK(queue_cost_ahead(&l->q, item) <= l->q.cost);
    queue_push(&l->q, item);
    model_push(m, item);
}

TEST(sixty_four_thousand_random_operations_agree_with_a_simple_model)
{
    static struct model m;
    struct line *l = open_line(MODEL_CAPACITY, shares);
    m = (struct model){ 0 };
    for (unsigned i = 0; i < 65536; i++) {
        /* Waves: it runs full, and dry. */
        unsigned pushes = (i / 512) % 2 == 0 ? 6 : 2;
        unsigned what = next_random() % 10;
        if (what < pushes) {
            random_push(l, &m);
        } else if (what == 9 && m.count > 0) {
            struct work_item *gone = m.waiting[next_random() % m.count];
            queue_remove(&l->q, gone);
            model_remove(&m, gone);
        } else {
            CHECK(queue_pop(&l->q) == model_pop(&m));
        }
        CHECK_INT(l->q.count, m.count);
        CHECK_INT(l->q.cost, model_cost(&m, -1, -1));
    }
    close_line(l);
}

/* At most one item of each other client and class comes before that was not foretold. */
TEST(what_is_said_to_be_ahead_is_what_comes_before)
{
    for (unsigned round = 0; round < 300; round++) {
        struct line *l = open_line(MODEL_CAPACITY, shares);
        unsigned others = next_random() % (MODEL_CAPACITY - 8);
        for (unsigned i = 0; i < others + 7; i++) {
            add(l, WORK_LOGIN + next_random() % 3, next_random() % MODEL_CLIENTS, 16);
        }
        for (unsigned i = 0; i < 7; i++) {
            serve(l);
        }
        struct work_item *item = &l->items[MANY - 1];
        *item = item_of(WORK_LOGIN + next_random() % 3, next_random() % MODEL_CLIENTS, 16);
        uint64_t ahead = queue_cost_ahead(&l->q, item);
        uint64_t came = 0;
        queue_push(&l->q, item);
        for (const struct work_item *next; (next = serve(l)) != item;) {
            came += next->cost;
        }
        CHECK(came <= ahead + (uint64_t)16 * (MODEL_CLIENTS + 2));
        CHECK(ahead <= came + (uint64_t)16 * (MODEL_CLIENTS + 2 + 8));
        close_line(l);
    }
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(sixty_four_thousand_random_operations_agree_with_a_simple_model),
              cmocka_unit_test(what_is_said_to_be_ahead_is_what_comes_before));
}

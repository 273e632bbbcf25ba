/* Whose turn it is, without threads: the queue is asked directly. */
#include "check.h"
#include "queue.h"

#define MANY   4096
#define LIGHT  1 /* clients by number */
#define FLOOD  0
#define MARKED 77

static const unsigned alike[WORK_CLASS_COUNT];

struct line {
    struct queue q;
    struct work_item items[MANY];
    unsigned used;
    uint64_t served[WORK_CLASS_COUNT]; /* cost */
};
static struct line line;

static struct line *open_line(unsigned capacity, const unsigned *shares)
{
    line = (struct line){ 0 };
    CHECK_ERR(queue_init(&line.q, capacity, shares), ERR_OK);
    return &line;
}

static struct span client_named(unsigned number)
{
    static uint32_t names[MANY];
    names[number] = number;
    return (struct span){ (const char *)&names[number], sizeof(names[number]) };
}

static struct work_item item_of(enum work_class class, unsigned client, uint64_t cost)
{
    return (struct work_item){ .class = class, .client = client_named(client), .cost = cost };
}

/* One more item waits. */
static struct work_item *add(struct line *l, enum work_class class, unsigned client, uint64_t cost)
{
    struct work_item *item = &l->items[l->used++ % MANY];
    *item = item_of(class, client, cost);
    queue_push(&l->q, item);
    CHECK(queue_holds(item));
    return item;
}

static struct work_item *serve(struct line *l)
{
    struct work_item *item = queue_pop(&l->q);
    CHECK(item != NULL && !queue_holds(item));
    l->served[item->class] += item->cost;
    return item;
}

static unsigned client_of(const struct work_item *item)
{
    uint32_t number;
    memcpy(&number, item->client.data, sizeof(number));
    return number;
}

static void close_line(struct line *l)
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

TEST(the_items_of_one_client_come_in_the_order_of_their_coming)
{
    struct line *l = open_line(8, alike);
    for (unsigned i = 0; i < 8; i++) {
        add(l, WORK_STORE, FLOOD, 1 + i % 3);
    }
    for (unsigned i = 0; i < 8; i++) {
        CHECK(serve(l) == &l->items[i]);
    }
    CHECK(queue_pop(&l->q) == NULL);
    close_line(l);
}

/* ---- between classes ---- */

static const unsigned shares[WORK_CLASS_COUNT] = {
    [WORK_LOGIN] = 50, [WORK_REGISTER] = 25, [WORK_PASSWORD] = 25
};

TEST(classes_get_their_shares_of_cost_while_all_of_them_wait)
{
    struct line *l = open_line(64, shares);
    for (unsigned i = 0; i < 4; i++) {
        add(l, WORK_LOGIN, i, 16);
        add(l, WORK_PASSWORD, i, 32);
    }
    for (unsigned i = 0; i < 40; i++) {
        add(l, WORK_REGISTER, i, 16);
    }
    for (unsigned i = 0; i < 10000; i++) {
        const struct work_item *item = serve(l);
        add(l, item->class, client_of(item), item->cost);
    }
    uint64_t all = l->served[WORK_LOGIN] + l->served[WORK_REGISTER] + l->served[WORK_PASSWORD];
    CHECK_INT(l->served[WORK_LOGIN] * 100 / all, 50);
    CHECK(l->served[WORK_REGISTER] * 1000 / all >= 249);
    CHECK(l->served[WORK_REGISTER] * 1000 / all <= 251);
    close_line(l);
}

TEST(a_class_that_waits_alone_gets_everything)
{
    struct line *l = open_line(64, shares);
    for (unsigned i = 0; i < 64; i++) {
        add(l, WORK_REGISTER, i, 16);
    }
    struct work_item next = item_of(WORK_REGISTER, MARKED, 16);
    CHECK_INT(queue_cost_ahead(&l->q, &next), 64 * 16);
    for (unsigned i = 0; i < 64; i++) {
        CHECK_INT(serve(l)->class, WORK_REGISTER);
    }
    close_line(l);
}

TEST(a_class_that_comes_back_has_saved_nothing_up)
{
    struct line *l = open_line(64, alike);
    for (unsigned i = 0; i < 1000; i++) {
        add(l, WORK_LOGIN, FLOOD, 16);
        if (i >= 4) {
            serve(l);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        add(l, WORK_REGISTER, FLOOD, 16);
    }
    uint64_t logins = l->served[WORK_LOGIN];
    for (unsigned i = 0; i < 4; i++) {
        serve(l);
    }
    CHECK_INT(l->served[WORK_REGISTER], 2 * 16);
    CHECK_INT(l->served[WORK_LOGIN] - logins, 2 * 16);
    close_line(l);
}

TEST(what_a_class_used_while_nobody_waited_is_forgotten)
{
    struct line *l = open_line(64, alike);
    add(l, WORK_REGISTER, FLOOD, UINT64_C(1) << 31);
    serve(l);
    l->served[WORK_REGISTER] = 0;
    for (unsigned i = 0; i < 8; i++) {
        add(l, WORK_REGISTER, FLOOD, 16);
        add(l, WORK_LOGIN, FLOOD, 16);
    }
    for (unsigned i = 0; i < 8; i++) {
        serve(l);
    }
    CHECK_INT(l->served[WORK_REGISTER], l->served[WORK_LOGIN]);
    close_line(l);
}

/* ---- between clients ---- */

TEST(clients_take_turns_whatever_one_of_them_has_waiting)
{
    struct line *l = open_line(64, alike);
    for (unsigned i = 0; i < 32; i++) {
        add(l, WORK_LOGIN, FLOOD, 16);
    }
    for (unsigned i = 0; i < 4; i++) {
        add(l, WORK_LOGIN, LIGHT, 16);
        add(l, WORK_LOGIN, LIGHT + 1, 16);
    }
    unsigned turns[3] = { 0 };
    for (unsigned i = 0; i < 12; i++) {
        turns[client_of(serve(l))]++;
        if (i % 3 == 2) {
            CHECK_INT(turns[0], 1 + i / 3);
            CHECK_INT(turns[1], 1 + i / 3);
            CHECK_INT(turns[2], 1 + i / 3);
        }
    }
    close_line(l);
}

TEST(turns_of_clients_are_by_cost_and_not_by_items)
{
    struct line *l = open_line(64, alike);
    uint64_t used[2] = { 0 };
    for (unsigned i = 0; i < 20; i++) {
        add(l, WORK_PASSWORD, FLOOD, 64);
        add(l, WORK_PASSWORD, LIGHT, 16);
    }
    for (unsigned i = 0; i < 20; i++) {
        const struct work_item *item = serve(l);
        used[client_of(item)] += item->cost;
    }
    CHECK_INT(used[FLOOD], used[LIGHT]);
    close_line(l);
}

TEST(a_client_that_comes_back_at_once_has_one_turn_a_round)
{
    struct line *l = open_line(256, alike);
    unsigned turns[2] = { 0 };
    for (unsigned i = 0; i < 200; i++) {
        add(l, WORK_LOGIN, FLOOD, 16);
    }
    for (unsigned i = 0; i < 100; i++) {
        unsigned client = client_of(serve(l));
        turns[client]++;
        if (i == 0 || client == LIGHT) {
            add(l, WORK_LOGIN, LIGHT, 16);
        }
    }
    CHECK(turns[FLOOD] >= 49 && turns[LIGHT] >= 49);
    close_line(l);
}

TEST(one_client_in_two_classes_has_a_line_in_each)
{
    struct line *l = open_line(64, alike);
    for (unsigned i = 0; i < 4; i++) {
        add(l, WORK_LOGIN, FLOOD, 16);
        add(l, WORK_REGISTER, FLOOD, 16);
    }
    CHECK_INT(l->q.classes[WORK_LOGIN].turns.count, 1);
    CHECK_INT(l->q.classes[WORK_REGISTER].turns.count, 1);
    close_line(l);
}

TEST(as_many_clients_as_items_are_told_apart)
{
    static unsigned seen[MANY];
    struct line *l = open_line(MANY, alike);
    memset(seen, 0, sizeof(seen));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            add(l, WORK_LOGIN, i / 2, 16);
        }
        CHECK_INT(l->q.classes[WORK_LOGIN].turns.count, MANY / 2);
        for (unsigned i = 0; i < MANY; i++) {
            unsigned client = client_of(serve(l));
            CHECK_INT(seen[client], 2 * round + (i < MANY / 2 ? 0 : 1));
            seen[client]++;
        }
    }
    close_line(l);
}

/* ---- the expected wait ---- */

TEST(a_flood_raises_its_own_expected_wait_and_no_other_clients)
{
    struct line *l = open_line(1024, shares);
    struct work_item flood = item_of(WORK_LOGIN, FLOOD, 16);
    struct work_item light = item_of(WORK_LOGIN, LIGHT, 16);
    CHECK_INT(queue_cost_ahead(&l->q, &light), 0);
    for (unsigned i = 0; i < 1000; i++) {
        CHECK_INT(queue_cost_ahead(&l->q, &flood), 16 * i);
        add(l, WORK_LOGIN, FLOOD, 16);
        CHECK_INT(queue_cost_ahead(&l->q, &light), 16);
    }
    close_line(l);
}

TEST(a_flood_of_one_class_hardly_raises_the_expected_wait_of_another)
{
    struct line *l = open_line(1024, shares);
    for (unsigned i = 0; i < 1000; i++) {
        add(l, WORK_REGISTER, i, 16);
    }
    struct work_item login = item_of(WORK_LOGIN, LIGHT, 16);
    CHECK_INT(queue_cost_ahead(&l->q, &login), 0);
    for (unsigned i = 0; i < 10; i++) {
        add(l, WORK_LOGIN, i, 16);
    }
    /* Beside ten logins half as much of registrations. */
    login.client = client_named(MARKED);
    uint64_t ahead = queue_cost_ahead(&l->q, &login);
    CHECK(ahead >= 15 * 16 && ahead <= 18 * 16);
    struct work_item another = item_of(WORK_REGISTER, FLOOD, 16);
    CHECK_INT(queue_cost_ahead(&l->q, &another), 1010 * 16);
    close_line(l);
}

TEST(what_is_taken_out_counts_for_nobody)
{
    struct line *l = open_line(64, alike);
    struct work_item *items[8];
    struct work_item next = item_of(WORK_LOGIN, FLOOD, 16);
    for (unsigned i = 0; i < 8; i++) {
        items[i] = add(l, WORK_LOGIN, FLOOD, 16);
    }
    static const unsigned order[] = { 0, 7, 3, 4, 1, 6 };
    for (unsigned i = 0; i < 6; i++) {
        queue_remove(&l->q, items[order[i]]);
        CHECK(!queue_holds(items[order[i]]));
        CHECK_INT(queue_cost_ahead(&l->q, &next), 16 * (7 - i));
    }
    CHECK(serve(l) == items[2]);
    CHECK(serve(l) == items[5]);
    CHECK_INT(l->q.count, 0);
    close_line(l);
}

TEST(a_client_whose_dear_item_is_taken_out_goes_on_in_turn)
{
    struct line *l = open_line(64, alike);
    struct work_item *dear = add(l, WORK_LOGIN, FLOOD, 1000);
    for (unsigned i = 0; i < 10; i++) {
        add(l, WORK_LOGIN, FLOOD, 16);
        add(l, WORK_LOGIN, LIGHT, 16);
    }
    for (unsigned i = 0; i < 5; i++) {
        CHECK_INT(client_of(serve(l)), LIGHT);
    }
    queue_remove(&l->q, dear);
    /* Its turn is now, and from then on as everybody's: it has not saved the five up. */
    for (unsigned i = 0; i < 3; i++) {
        CHECK_INT(client_of(serve(l)), FLOOD);
        CHECK_INT(client_of(serve(l)), LIGHT);
    }
    close_line(l);
}

/* ---- a full queue ---- */

TEST(in_a_full_queue_the_heaviest_clients_newest_item_gives_way)
{
    struct line *l = open_line(8, alike);
    struct work_item *newest = NULL;
    add(l, WORK_LOGIN, 3, 16);
    add(l, WORK_LOGIN, 3, 16);
    for (unsigned i = 0; i < 5; i++) {
        newest = add(l, WORK_LOGIN, FLOOD, 16);
    }
    struct work_item light = item_of(WORK_LOGIN, LIGHT, 16);
    CHECK(queue_displace(&l->q, &light) == newest);
    CHECK_INT(l->q.count, 6);
    close_line(l);
}

TEST(the_heaviest_client_is_the_one_with_the_most_cost)
{
    struct line *l = open_line(8, alike);
    for (unsigned i = 0; i < 5; i++) {
        add(l, WORK_PASSWORD, LIGHT, 16);
    }
    struct work_item *dear = add(l, WORK_PASSWORD, FLOOD, 96);
    struct work_item other = item_of(WORK_PASSWORD, MARKED, 16);
    CHECK(queue_displace(&l->q, &other) == dear);
    close_line(l);
}

TEST(nobody_gives_way_to_who_would_then_have_as_much)
{
    struct line *l = open_line(8, alike);
    for (unsigned i = 0; i < 4; i++) {
        add(l, WORK_LOGIN, FLOOD, 16);
        add(l, WORK_LOGIN, LIGHT, 16);
    }
    struct work_item more = item_of(WORK_LOGIN, FLOOD, 16);
    CHECK(queue_displace(&l->q, &more) == NULL);
    more.client = client_named(LIGHT);
    CHECK(queue_displace(&l->q, &more) == NULL);
    more.client = client_named(MARKED);
    more.cost = 64;
    CHECK(queue_displace(&l->q, &more) == NULL);
    more.cost = 48;
    CHECK(queue_displace(&l->q, &more) != NULL);
    close_line(l);
}

TEST(a_class_over_its_share_gives_way_to_one_under_it)
{
    struct line *l = open_line(64, shares);
    for (unsigned i = 0; i < 60; i++) {
        add(l, WORK_REGISTER, i, 16);
    }
    for (unsigned i = 0; i < 4; i++) {
        add(l, WORK_LOGIN, i, 16);
    }
    struct work_item login = item_of(WORK_LOGIN, 0, 16);
    struct work_item *gone = queue_displace(&l->q, &login);
    CHECK(gone != NULL && gone->class == WORK_REGISTER);
    struct work_item registration = item_of(WORK_REGISTER, MARKED, 16);
    CHECK(queue_displace(&l->q, &registration) == NULL);
    close_line(l);
}

TEST(an_item_without_cost_counts_as_one)
{
    struct line *l = open_line(64, alike);
    struct work_item next = item_of(WORK_STORE, FLOOD, 0);
    for (unsigned i = 0; i < 3; i++) {
        add(l, WORK_STORE, FLOOD, 0);
    }
    CHECK_INT(queue_cost_ahead(&l->q, &next), 3);
    close_line(l);
}

/* ---- against a model: the same rules, by looking at everything each time ---- */

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
    RUN_TESTS(cmocka_unit_test(the_items_of_one_client_come_in_the_order_of_their_coming),
              cmocka_unit_test(classes_get_their_shares_of_cost_while_all_of_them_wait),
              cmocka_unit_test(a_class_that_waits_alone_gets_everything),
              cmocka_unit_test(a_class_that_comes_back_has_saved_nothing_up),
              cmocka_unit_test(what_a_class_used_while_nobody_waited_is_forgotten),
              cmocka_unit_test(clients_take_turns_whatever_one_of_them_has_waiting),
              cmocka_unit_test(turns_of_clients_are_by_cost_and_not_by_items),
              cmocka_unit_test(a_client_that_comes_back_at_once_has_one_turn_a_round),
              cmocka_unit_test(one_client_in_two_classes_has_a_line_in_each),
              cmocka_unit_test(as_many_clients_as_items_are_told_apart),
              cmocka_unit_test(a_flood_raises_its_own_expected_wait_and_no_other_clients),
              cmocka_unit_test(a_flood_of_one_class_hardly_raises_the_expected_wait_of_another),
              cmocka_unit_test(what_is_taken_out_counts_for_nobody),
              cmocka_unit_test(a_client_whose_dear_item_is_taken_out_goes_on_in_turn),
              cmocka_unit_test(in_a_full_queue_the_heaviest_clients_newest_item_gives_way),
              cmocka_unit_test(the_heaviest_client_is_the_one_with_the_most_cost),
              cmocka_unit_test(nobody_gives_way_to_who_would_then_have_as_much),
              cmocka_unit_test(a_class_over_its_share_gives_way_to_one_under_it),
              cmocka_unit_test(an_item_without_cost_counts_as_one),
              cmocka_unit_test(sixty_four_thousand_random_operations_agree_with_a_simple_model),
              cmocka_unit_test(what_is_said_to_be_ahead_is_what_comes_before));
}

/* Whose turn it is, by examples. */
#include "test_work_queue_world.h"

static const unsigned alike[WORK_CLASS_COUNT];

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
              cmocka_unit_test(an_item_without_cost_counts_as_one));
}

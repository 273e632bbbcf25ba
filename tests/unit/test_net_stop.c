/* Opening, draining and stopping. */
#include "test_net_world.h"

TEST(both_families_share_a_port_and_one_listener_may_be_on_one_loop_only)
{
    struct world w;
    struct net_listener listeners[2];
    world_init(&w, false);
    w.options.loops = 2;
    listeners[0] = w.listener;
    listeners[0].one_loop = true;
    listeners[1] = w.listener;
    listeners[1].address = "::1";
    w.options.listeners = listeners;
    w.options.listener_count = 2;
    if (net_open(&w.options, &w.arena, &w.why, &w.net) != ERR_OK) {
        CHECK_SPAN(w.why, "::1 is not an address of this host"); /* no IPv6 here */
        world_free(&w);
        return;
    }
    listeners[0].port = listeners[1].port = net_port(w.net, 0);
    net_close(w.net);
    world_start(&w);
    CHECK_INT(net_port(w.net, 0), net_port(w.net, 1));
    for (int i = 0; i < 8; i++) {
        struct client c;
        client_open(&c, &w);
        client_get(&c, "/1");
        check_answer(&c, "/1");
        client_close(&c);
    }
    world_close(&w);
}

TEST(a_port_in_use_is_told_in_one_line)
{
    struct world w;
    struct net *second = NULL;
    char expected[128];
    world_open(&w, false);
    struct net_listener taken = w.listener;
    struct net_options options = w.options;
    taken.port = net_port(w.net, 0);
    options.listeners = &taken;
    CHECK_ERR(net_open(&options, &w.arena, &w.why, &second), ERR_IO);
    (void)snprintf(expected, sizeof(expected),
                   "port %u on 127.0.0.1 is in use: set PORT, or stop who has it", taken.port);
    CHECK_SPAN(w.why, expected);
    taken.port_setting = "METRICS_PORT";
    CHECK_ERR(net_open(&options, &w.arena, &w.why, &second), ERR_IO);
    (void)snprintf(expected, sizeof(expected),
                   "port %u on 127.0.0.1 is in use: set METRICS_PORT, or stop who has it",
                   taken.port);
    CHECK_SPAN(w.why, expected);
    CHECK(second == NULL);
    world_close(&w);
}

TEST(an_address_that_cannot_be_used_is_told)
{
    struct world w;
    world_init(&w, false);
    w.listener.address = "localhost";
    CHECK_ERR(net_open(&w.options, &w.arena, &w.why, &w.net), ERR_CONFIG);
    CHECK_SPAN(w.why, "\"localhost\" is not a numeric IPv4 or IPv6 address");
    w.listener.address = "203.0.113.1";
    CHECK_ERR(net_open(&w.options, &w.arena, &w.why, &w.net), ERR_IO);
    CHECK_SPAN(w.why, "203.0.113.1 is not an address of this host");
    world_free(&w);
}

TEST(what_was_opened_and_not_started_can_be_closed)
{
    struct world w;
    world_init(&w, true);
    w.options.loops = 2;
    CHECK_ERR(net_open(&w.options, &w.arena, &w.why, &w.net), ERR_OK);
    CHECK(net_port(w.net, 0) != 0);
    world_free(&w);
}

TEST(what_was_added_to_loops_that_never_started_can_be_closed_too)
{
    struct world w;
    world_init(&w, false);
    w.options.loops = 2;
    CHECK_ERR(net_open(&w.options, &w.arena, &w.why, &w.net), ERR_OK);
    CHECK_INT(uv_async_init(net_loop(w.net, 0), &w.release, world_on_release), 0);
    w.release.data = &w;
    world_close(&w);
}

TEST(draining_closes_the_idle_and_tells_the_others)
{
    struct world w;
    struct client idle, busy, late;
    world_open(&w, true);
    client_open(&idle, &w);
    client_get(&idle, "/1");
    check_answer(&idle, "/1");
    client_open(&busy, &w);
    client_get(&busy, "/later");
    uv_sem_wait(&w.has_kept);
    net_drain(w.net);
    check_ended(&idle);
    world_release(&w);
    CHECK(client_answer(&busy).close);
    check_ended(&busy);
    client_open(&late, &w);
    client_get(&late, "/2");
    CHECK(client_answer(&late).close);
    check_ended(&late);
    client_close(&idle);
    client_close(&busy);
    client_close(&late);
    world_close(&w);
}

struct stopping {
    struct world *w;
    struct client *c;
};

/* While the main thread waits in net_stop(). */
static void finish_meanwhile(void *argument)
{
    struct stopping *s = argument;
    char byte = 0;
    /* The idle connection's end shows that the stop has begun. */
    INVARIANT(recv(s->c->fd, &byte, 1, 0) == 0);
    INVARIANT(uv_async_send(&s->w->release) == 0);
}

TEST(stopping_waits_for_what_is_under_way)
{
    struct world w;
    struct client idle, busy;
    uv_thread_t thread;
    world_open(&w, false);
    client_open(&idle, &w);
    client_get(&idle, "/1");
    check_answer(&idle, "/1");
    client_open(&busy, &w);
    client_get(&busy, "/later");
    uv_sem_wait(&w.has_kept);
    struct stopping s = { .w = &w, .c = &idle };
    CHECK_INT(uv_thread_create(&thread, finish_meanwhile, &s), 0);
    net_stop(w.net, WAIT_S * 1000, world_before_loops_end, &w);
    CHECK_INT(uv_thread_join(&thread), 0);
    check_answer(&busy, "/later");
    client_close(&idle);
    client_close(&busy);
    world_free(&w);
}

static void count_call(void *context)
{
    atomic_fetch_add((_Atomic unsigned *)context, 1);
}

TEST(stopping_cuts_what_is_not_over_in_time_and_says_so)
{
    struct world w;
    struct client busy, half;
    _Atomic unsigned times_up = 0;
    world_init(&w, true);
    w.finish_on_hangup = true;
    w.options.on_time_up = count_call;
    w.options.context = &times_up;
    world_start(&w);
    client_open(&busy, &w);
    client_get(&busy, "/later");
    client_open(&half, &w);
    client_send(&half, SPAN("GET /"));
    uv_sem_wait(&w.has_kept);
    world_stop(&w, 50);
    CHECK(times_up >= 1);
    uv_sem_wait(&w.has_hung_up);
    client_close(&busy);
    client_close(&half);
    world_free(&w);
}

TEST(stopping_serves_who_waits_in_the_backlog)
{
    struct world w;
    struct client clients[8];
    world_open(&w, false);
    for (size_t i = 0; i < 8; i++) {
        client_open(&clients[i], &w);
        client_get(&clients[i], "/1");
    }
    net_stop(w.net, WAIT_S * 1000, world_before_loops_end, &w);
    for (size_t i = 0; i < 8; i++) {
        check_answer(&clients[i], "/1");
        client_close(&clients[i]);
    }
    world_free(&w);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(both_families_share_a_port_and_one_listener_may_be_on_one_loop_only),
              cmocka_unit_test(a_port_in_use_is_told_in_one_line),
              cmocka_unit_test(an_address_that_cannot_be_used_is_told),
              cmocka_unit_test(what_was_opened_and_not_started_can_be_closed),
              cmocka_unit_test(what_was_added_to_loops_that_never_started_can_be_closed_too),
              cmocka_unit_test(draining_closes_the_idle_and_tells_the_others),
              cmocka_unit_test(stopping_waits_for_what_is_under_way),
              cmocka_unit_test(stopping_cuts_what_is_not_over_in_time_and_says_so),
              cmocka_unit_test(stopping_serves_who_waits_in_the_backlog));
}

/* Requests and answers on connections: order, pieces, ends, hang-ups. Limits: test_net_limits.c. */
#include "test_net_world.h"

static void keep_alive(bool tls)
{
    struct world w;
    struct client c;
    world_open(&w, tls);
    client_open(&c, &w);
    for (int i = 0; i < 5; i++) {
        client_get(&c, "/hello");
        struct answer a = client_answer(&c);
        CHECK_INT(a.status, 200);
        CHECK(!a.close);
        CHECK_SPAN(span_of(a.body), "/hello");
    }
    CHECK_INT(net_connections(w.net), 1);
    client_close(&c);
    world_close(&w);
}

TEST(a_connection_serves_one_request_after_another)
{
    keep_alive(false);
    keep_alive(true);
}

static void pipeline(bool tls)
{
    struct world w;
    struct client c;
    char path[32];
    world_open(&w, tls);
    client_open(&c, &w);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(path, sizeof(path), "/%d", i);
        client_get(&c, path);
    }
    for (int i = 0; i < 100; i++) {
        (void)snprintf(path, sizeof(path), "/%d", i);
        check_answer(&c, path);
    }
    client_close(&c);
    world_close(&w);
}

TEST(a_hundred_pipelined_requests_are_answered_in_order)
{
    pipeline(false);
    pipeline(true);
}

static const char batch_text[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
                                 "GET /delay HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n";

static void mixed_batch(bool tls, size_t piece)
{
    struct span batch = span_of(batch_text);
    struct world w;
    struct client c;
    world_open(&w, tls);
    client_open(&c, &w);
    for (size_t at = 0; at < batch.length; at += piece) {
        client_send(&c, span_slice(batch, at, piece));
    }
    check_answer(&c, "/1");
    uv_sem_wait(&w.has_kept);
    world_release(&w);
    check_answer(&c, "/later");
    check_answer(&c, "/2");
    check_answer(&c, "body");
    check_answer(&c, "/delay");
    check_answer(&c, "/3");
    client_close(&c);
    world_close(&w);
}

TEST(slow_and_quick_answers_keep_the_order_of_their_requests)
{
    mixed_batch(false, sizeof(batch_text));
    mixed_batch(true, sizeof(batch_text));
}

TEST(requests_may_come_one_byte_at_a_time)
{
    mixed_batch(false, 1);
    mixed_batch(true, 1);
}

static void hang_up(bool tls, bool reset)
{
    struct world w;
    struct client c;
    world_open(&w, tls);
    client_open(&c, &w);
    client_get(&c, "/later");
    uv_sem_wait(&w.has_kept);
    if (reset) {
        client_reset(&c);
    } else {
        client_close(&c);
    }
    uv_sem_wait(&w.has_hung_up);
    world_await_connections(&w, 0);
    world_release(&w);
    world_close(&w);
}

TEST(who_hangs_up_while_his_request_is_worked_on_is_noticed)
{
    hang_up(false, false);
    hang_up(false, true);
    hang_up(true, false);
    hang_up(true, true);
}

TEST(a_half_closed_connection_counts_as_hung_up)
{
    struct world w;
    struct client c;
    world_open(&w, false);
    client_open(&c, &w);
    client_get(&c, "/later");
    uv_sem_wait(&w.has_kept);
    CHECK_INT(shutdown(c.fd, SHUT_WR), 0);
    uv_sem_wait(&w.has_hung_up);
    world_release(&w);
    client_close(&c);
    world_close(&w);
}

TEST(quick_requests_before_a_fin_are_answered)
{
    struct world w;
    struct client c;
    world_open(&w, false);
    client_open(&c, &w);
    for (int i = 0; i < 50; i++) {
        client_get(&c, "/x");
    }
    CHECK_INT(shutdown(c.fd, SHUT_WR), 0);
    for (int i = 0; i < 50; i++) {
        check_answer(&c, "/x");
    }
    check_ended(&c);
    client_close(&c);
    world_close(&w);
}

TEST(a_hang_up_while_an_answer_is_held_drops_the_answer)
{
    struct world w;
    struct client c;
    world_open(&w, false);
    client_open(&c, &w);
    client_get(&c, "/1");
    client_get(&c, "/delay");
    check_answer(&c, "/1");
    client_close(&c);
    world_await_connections(&w, 0);
    world_close(&w);
}

static void asked_to_close(bool tls, const char *request, const char *body)
{
    struct world w;
    struct client c;
    world_open(&w, tls);
    client_open(&c, &w);
    client_send(&c, span_of(request));
    struct answer a = client_answer(&c);
    CHECK_INT(a.status, 200);
    CHECK(a.close);
    CHECK_SPAN(span_of(a.body), body);
    check_ended(&c);
    client_close(&c);
    world_await_connections(&w, 0);
    world_close(&w);
}

TEST(the_connection_ends_in_order_when_either_side_asks_for_it)
{
    for (int tls = 0; tls < 2; tls++) {
        asked_to_close(tls == 1, "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "/1");
        asked_to_close(tls == 1, "GET /close HTTP/1.1\r\nHost: a\r\n\r\nGET /never", "/close");
        asked_to_close(tls == 1, "GET /old HTTP/1.0\r\nHost: a\r\n\r\n", "/old");
    }
}

TEST(http_1_0_may_ask_to_be_kept_alive)
{
    struct world w;
    struct client c;
    world_open(&w, false);
    client_open(&c, &w);
    for (int i = 0; i < 2; i++) {
        client_send(&c, SPAN("GET /old HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"));
        check_answer(&c, "/old");
    }
    client_close(&c);
    world_close(&w);
}

static void refused(bool tls)
{
    struct world w;
    struct client c;
    char junk[100 * 1024];
    memset(junk, 'j', sizeof(junk));
    world_open(&w, tls);
    client_open(&c, &w);
    client_send(&c, SPAN("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/9.9\r\n\r\n"));
    client_send(&c, (struct span){ .data = junk, .length = sizeof(junk) });
    check_answer(&c, "/1");
    struct answer a = client_answer(&c);
    CHECK_INT(a.status, 400);
    CHECK(a.close);
    check_ended(&c);
    client_close(&c);
    world_await_connections(&w, 0);
    world_close(&w);
}

TEST(who_is_refused_gets_to_see_why_whatever_he_goes_on_sending)
{
    refused(false);
    refused(true);
}

static void expects_continue(bool tls)
{
    struct world w;
    struct client c;
    world_open(&w, tls);
    client_open(&c, &w);
    client_send(&c, SPAN("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                         "Expect: 100-continue\r\n\r\n"));
    CHECK_INT(client_head(&c).status, 100);
    client_send(&c, SPAN("hello"));
    check_answer(&c, "hello");
    client_close(&c);
    world_close(&w);
}

TEST(who_waits_for_100_continue_gets_it)
{
    expects_continue(false);
    expects_continue(true);
}

static void read_big(struct client *c)
{
    struct answer a = client_head(c);
    CHECK_INT(answer_length(&a), BIG_BYTES);
    char bytes[65536];
    size_t left = BIG_BYTES - c->length;
    c->length = 0;
    while (left > 0) {
        ssize_t got = client_receive(c, bytes, left < sizeof(bytes) ? left : sizeof(bytes));
        CHECK(got > 0 && bytes[0] == 'x' && bytes[got - 1] == 'x');
        left -= (size_t)got;
    }
}

static void big_answers(const char *path, bool tls)
{
    struct world w;
    struct client c;
    world_open(&w, tls);
    client_open(&c, &w);
    for (int i = 0; i < 2; i++) {
        client_get(&c, path);
        client_get(&c, "/small");
    }
    for (int i = 0; i < 2; i++) {
        read_big(&c);
        check_answer(&c, "/small");
    }
    client_close(&c);
    world_close(&w);
}

TEST(answers_larger_than_the_socket_takes_at_once_arrive_whole_and_in_order)
{
    big_answers("/big", false);
    big_answers("/big", true);
}

TEST(a_static_answer_goes_out_in_pieces_and_arrives_whole_and_in_order)
{
    big_answers("/static", false);
    big_answers("/static", true);
}

static void last_answer(bool tls)
{
    struct world w;
    struct client c;
    world_open(&w, tls);
    client_open(&c, &w);
    client_get(&c, "/static/close");
    client_get(&c, "/never");
    read_big(&c);
    check_ended(&c);
    client_close(&c);
    world_close(&w);
}

TEST(a_connection_that_ends_behind_a_static_answer_sends_all_of_it_first)
{
    last_answer(false);
    last_answer(true);
}

TEST(several_loops_serve_many_connections)
{
    struct world w;
    struct client clients[20];
    world_init(&w, true);
    w.options.loops = 3;
    world_start(&w);
    for (size_t i = 0; i < 20; i++) {
        client_open(&clients[i], &w);
        client_get(&clients[i], "/x");
    }
    for (size_t i = 0; i < 20; i++) {
        check_answer(&clients[i], "/x");
    }
    CHECK_INT(net_connections(w.net), 20);
    for (size_t i = 0; i < 20; i++) {
        client_close(&clients[i]);
    }
    world_await_connections(&w, 0);
    world_close(&w);
}

TEST(plain_text_on_a_tls_port_ends_that_connection_only)
{
    struct world w;
    struct client plain, good;
    world_open(&w, true);
    client_socket(&plain);
    client_connect(&plain, &w);
    client_get(&plain, "/");
    char bytes[64];
    ssize_t got = 0;
    do {
        got = recv(plain.fd, bytes, sizeof(bytes), 0); /* an alert, perhaps */
        CHECK(got <= 0 || bytes[0] == 21);
    } while (got > 0);
    world_await_connections(&w, 0);
    client_open(&good, &w);
    client_get(&good, "/1");
    check_answer(&good, "/1");
    client_close(&plain);
    client_close(&good);
    world_close(&w);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(a_connection_serves_one_request_after_another),
        cmocka_unit_test(a_hundred_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(slow_and_quick_answers_keep_the_order_of_their_requests),
        cmocka_unit_test(requests_may_come_one_byte_at_a_time),
        cmocka_unit_test(who_hangs_up_while_his_request_is_worked_on_is_noticed),
        cmocka_unit_test(a_half_closed_connection_counts_as_hung_up),
        cmocka_unit_test(quick_requests_before_a_fin_are_answered),
        cmocka_unit_test(a_hang_up_while_an_answer_is_held_drops_the_answer),
        cmocka_unit_test(the_connection_ends_in_order_when_either_side_asks_for_it),
        cmocka_unit_test(http_1_0_may_ask_to_be_kept_alive),
        cmocka_unit_test(who_is_refused_gets_to_see_why_whatever_he_goes_on_sending),
        cmocka_unit_test(who_waits_for_100_continue_gets_it),
        cmocka_unit_test(answers_larger_than_the_socket_takes_at_once_arrive_whole_and_in_order),
        cmocka_unit_test(a_static_answer_goes_out_in_pieces_and_arrives_whole_and_in_order),
        cmocka_unit_test(a_connection_that_ends_behind_a_static_answer_sends_all_of_it_first),
        cmocka_unit_test(several_loops_serve_many_connections),
        cmocka_unit_test(plain_text_on_a_tls_port_ends_that_connection_only));
}

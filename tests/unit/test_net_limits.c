/* Who may stay how long, how many, and what happens when there is no room. Start and end:
 * test_net_stop.c. */
#include "test_net_world.h"
#include <fcntl.h>

/* ---- time ---- */

static void check_408(struct client *c)
{
    struct answer a = client_answer(c);
    CHECK_INT(a.status, 408);
    CHECK(a.close);
    check_ended(c);
}

static void late_head(bool tls)
{
    struct world w;
    struct client c;
    world_init(&w, tls);
    w.options.header_timeout_ms = 150;
    world_start(&w);
    client_open(&c, &w);
    client_send(&c, SPAN("GET / HTTP/1.1\r\nHos"));
    check_408(&c);
    client_close(&c);
    world_await_connections(&w, 0);
    world_close(&w);
}

TEST(a_head_that_does_not_come_in_time_is_408)
{
    late_head(false);
    late_head(true);
}

TEST(a_body_that_does_not_come_in_time_is_408)
{
    struct world w;
    struct client c;
    world_init(&w, true);
    w.options.body_timeout_ms = 150;
    world_start(&w);
    client_open(&c, &w);
    client_send(&c, SPAN("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"));
    check_408(&c);
    client_close(&c);
    world_close(&w);
}

TEST(bytes_that_trickle_in_do_not_extend_the_limit)
{
    struct world w;
    struct client c;
    world_init(&w, false);
    w.options.header_timeout_ms = 200;
    world_start(&w);
    client_open(&c, &w);
    client_send(&c, SPAN("GET / HTTP/1.1\r\nX: "));
    struct pollfd readable = { .fd = c.fd, .events = POLLIN };
    int sent = 0;
    while (poll(&readable, 1, 20) == 0) {
        client_send(&c, SPAN("a"));
        sent++;
    }
    CHECK(sent < 1500); /* half a minute */
    check_408(&c);
    client_close(&c);
    world_close(&w);
}

static void idle_too_long(bool tls)
{
    struct world w;
    struct client c;
    world_init(&w, tls);
    w.options.idle_timeout_ms = 2000; /* a slow machine asks within it */
    world_start(&w);
    client_open(&c, &w);
    client_get(&c, "/1");
    check_answer(&c, "/1");
    check_ended(&c);
    client_close(&c);
    world_close(&w);
}

TEST(an_idle_connection_is_closed_without_a_word)
{
    idle_too_long(false);
    idle_too_long(true);
}

TEST(a_handshake_that_does_not_come_in_time_ends_the_connection)
{
    struct world w;
    struct client c;
    world_init(&w, true);
    w.options.handshake_timeout_ms = 150;
    world_start(&w);
    client_socket(&c);
    client_connect(&c, &w);
    check_ended(&c);
    client_close(&c);
    world_close(&w);
}

static void slow_reader(bool tls)
{
    struct world w;
    struct client c;
    world_init(&w, tls);
    w.options.write_timeout_ms = 2000; /* a slow machine reads the head within it */
    world_start(&w);
    client_open(&c, &w);
    client_get(&c, "/big");
    CHECK_INT(client_head(&c).status, 200);
    world_await_connections(&w, 0);
    client_close(&c);
    world_close(&w);
}

TEST(who_does_not_read_his_answer_is_cut)
{
    slow_reader(false);
    slow_reader(true);
}

TEST(who_reads_his_answer_in_sips_is_cut_too)
{
    struct world w;
    struct client c;
    char sip[16384];
    size_t total = 0;
    ssize_t got = 0;
    world_init(&w, false);
    w.options.write_timeout_ms = 50;
    world_start(&w);
    client_socket(&c);
    int small = 32768;
    CHECK_INT(setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    client_connect(&c, &w);
    client_get(&c, "/big");
    do {
        (void)poll(NULL, 0, 10);
        got = client_receive(&c, sip, sizeof(sip));
        total += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    CHECK_INT(got, -1);
    CHECK_INT(errno, ECONNRESET);
    CHECK(total > 65536 && total < BIG_BYTES);
    client_close(&c);
    world_close(&w);
}

/* ---- room ---- */

static size_t send_what_fits(struct client *c, struct span text)
{
    size_t sent = 0;
    struct pollfd writable = { .fd = c->fd, .events = POLLOUT };
    while (poll(&writable, 1, 300) == 1) {
        size_t at = sent % text.length;
        ssize_t now = send(c->fd, text.data + at, text.length - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += now > 0 ? (size_t)now : 0;
    }
    return sent;
}

TEST(who_pipelines_behind_a_slow_request_is_held_back_and_loses_nothing)
{
    struct world w;
    struct client c;
    const struct span text = SPAN("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    int small = 16384;
    world_open(&w, false);
    client_socket(&c);
    CHECK_INT(setsockopt(c.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    client_connect(&c, &w);
    client_get(&c, "/later");
    uv_sem_wait(&w.has_kept);
    size_t sent = send_what_fits(&c, text);
    CHECK(sent > 10000 && sent < 64 * 1024 * 1024);
    world_release(&w);
    check_answer(&c, "/later");
    for (size_t i = 0; i < sent / text.length; i++) {
        check_answer(&c, "/x");
    }
    client_close(&c);
    world_close(&w);
}

TEST(over_the_ceiling_the_longest_idle_connection_gives_way)
{
    struct world w;
    struct client first, second, third;
    world_init(&w, true);
    w.options.max_connections = 2;
    world_start(&w);
    client_open(&first, &w);
    client_get(&first, "/1");
    check_answer(&first, "/1");
    client_open(&second, &w);
    client_get(&second, "/2");
    check_answer(&second, "/2");
    client_open(&third, &w);
    client_get(&third, "/3");
    check_answer(&third, "/3");
    check_ended(&first);
    client_get(&second, "/2");
    check_answer(&second, "/2");
    CHECK_INT(net_connections(w.net), 2);
    client_close(&first);
    client_close(&second);
    client_close(&third);
    world_close(&w);
}

TEST(over_the_ceiling_a_new_connection_is_closed_when_nobody_is_idle)
{
    struct world w;
    struct client busy, late;
    world_init(&w, false);
    w.options.max_connections = 1;
    world_start(&w);
    client_open(&busy, &w);
    client_get(&busy, "/later");
    uv_sem_wait(&w.has_kept);
    client_open(&late, &w);
    check_ended(&late);
    world_release(&w);
    check_answer(&busy, "/later");
    client_close(&busy);
    client_close(&late);
    world_close(&w);
}

static uint64_t failed_accepts(void)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    metrics_render(&text);
    buf_add_char(&text, '\0');
    const char *line = strstr(text.data, "doorward_connections_total{outcome=\"failed\"}");
    uint64_t count = line == NULL ? 0 : strtoull(strchr(line, ' ') + 1, NULL, 10);
    buf_done(&text);
    return count;
}

/* Files that this process may still open, made 0; the limit before in *ret_before. */
static void forbid_new_files(struct rlimit *ret_before)
{
    int next = dup(0);
    CHECK(next > 0);
    close(next);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, ret_before), 0);
    struct rlimit now = { .rlim_cur = (rlim_t)next, .rlim_max = ret_before->rlim_max };
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &now), 0);
}

TEST(without_descriptors_it_neither_spins_nor_drops_and_goes_on_by_itself)
{
    struct world w;
    struct client busy, waiting;
    struct rlimit before;
    world_open(&w, false);
    client_open(&busy, &w);
    client_get(&busy, "/later");
    uv_sem_wait(&w.has_kept);
    client_socket(&waiting);
    uint64_t failed = failed_accepts();
    forbid_new_files(&before);
    client_connect(&waiting, &w);
    client_get(&waiting, "/1");
    for (int i = 0; i < WAIT_S * 1000 && failed_accepts() < failed + 3; i++) {
        (void)poll(NULL, 0, 1);
    }
    uint64_t tries = failed_accepts() - failed;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK(tries >= 3 && tries < 1000); /* a loop that spins tries as often in milliseconds */
    check_answer(&waiting, "/1");
    world_release(&w);
    check_answer(&busy, "/later");
    client_close(&busy);
    client_close(&waiting);
    world_close(&w);
}

TEST(without_descriptors_an_idle_connection_gives_way)
{
    struct world w;
    struct client idle, waiting;
    struct rlimit before;
    world_open(&w, false);
    client_open(&idle, &w);
    client_get(&idle, "/1");
    check_answer(&idle, "/1");
    client_socket(&waiting);
    forbid_new_files(&before);
    client_connect(&waiting, &w);
    client_get(&waiting, "/2");
    check_ended(&idle);
    check_answer(&waiting, "/2");
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    client_close(&idle);
    client_close(&waiting);
    world_close(&w);
}

/* ---- many handshakes at once ---- */

#define CROWD 32

/* /hold holds the loop up until `go`; /count counts who of the crowd has been answered so far. */
struct crowd {
    struct client clients[CROWD];
    uv_sem_t held, go;
    size_t answered;
};

static size_t count_answered(const struct crowd *crowd)
{
    size_t count = 0;
    for (size_t i = 0; i < CROWD; i++) {
        struct pollfd readable = { .fd = crowd->clients[i].fd, .events = POLLIN };
        count += poll(&readable, 1, 0) == 1 && (readable.revents & POLLIN) != 0;
    }
    return count;
}

static void crowd_on_request(void *context, struct http_exchange *x)
{
    struct crowd *crowd = context;
    if (span_equal(x->request.path, SPAN("/hold"))) {
        uv_sem_post(&crowd->held);
        uv_sem_wait(&crowd->go);
    } else if (span_equal(x->request.path, SPAN("/count"))) {
        crowd->answered = count_answered(crowd);
    }
    x->response.status = 200;
    x->finish(x);
}

static void say_hello(struct client *c)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->ssl = SSL_new(c->ctx);
    CHECK(c->ssl != NULL && SSL_set_fd(c->ssl, c->fd) == 1);
    CHECK_INT(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
    CHECK_INT(SSL_connect(c->ssl), -1);
    CHECK_INT(fcntl(c->fd, F_SETFL, 0), 0);
}

TEST(many_handshakes_at_once_do_not_hold_up_who_is_connected)
{
    struct world w;
    struct client holder, counter;
    static struct crowd crowd;
    world_init(&w, true);
    CHECK(uv_sem_init(&crowd.held, 0) == 0 && uv_sem_init(&crowd.go, 0) == 0);
    w.options.loops = 1;
    w.listener.handler.on_request = crowd_on_request;
    w.listener.handler.context = &crowd;
    world_start(&w);
    client_open(&holder, &w);
    client_open(&counter, &w);
    for (size_t i = 0; i < CROWD; i++) {
        client_socket(&crowd.clients[i]);
        client_connect(&crowd.clients[i], &w);
    }
    world_await_connections(&w, CROWD + 2);
    client_get(&holder, "/hold");
    uv_sem_wait(&crowd.held);
    for (size_t i = 0; i < CROWD; i++) {
        say_hello(&crowd.clients[i]);
    }
    client_get(&counter, "/count");
    client_reset(&crowd.clients[CROWD - 1]); /* while it waits */
    uv_sem_post(&crowd.go);
    CHECK_INT(client_answer(&holder).status, 200);
    CHECK_INT(client_answer(&counter).status, 200);
    CHECK(crowd.answered < CROWD / 2);
    for (size_t i = 0; i < CROWD - 1; i++) {
        CHECK_INT(SSL_connect(crowd.clients[i].ssl), 1);
        client_get(&crowd.clients[i], "/");
        CHECK_INT(client_answer(&crowd.clients[i]).status, 200);
        client_close(&crowd.clients[i]);
    }
    client_close(&holder);
    client_close(&counter);
    world_close(&w);
    uv_sem_destroy(&crowd.held);
    uv_sem_destroy(&crowd.go);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(a_head_that_does_not_come_in_time_is_408),
        cmocka_unit_test(a_body_that_does_not_come_in_time_is_408),
        cmocka_unit_test(bytes_that_trickle_in_do_not_extend_the_limit),
        cmocka_unit_test(an_idle_connection_is_closed_without_a_word),
        cmocka_unit_test(a_handshake_that_does_not_come_in_time_ends_the_connection),
        cmocka_unit_test(who_does_not_read_his_answer_is_cut),
        cmocka_unit_test(who_reads_his_answer_in_sips_is_cut_too),
        cmocka_unit_test(who_pipelines_behind_a_slow_request_is_held_back_and_loses_nothing),
        cmocka_unit_test(over_the_ceiling_the_longest_idle_connection_gives_way),
        cmocka_unit_test(over_the_ceiling_a_new_connection_is_closed_when_nobody_is_idle),
        cmocka_unit_test(without_descriptors_it_neither_spins_nor_drops_and_goes_on_by_itself),
        cmocka_unit_test(without_descriptors_an_idle_connection_gives_way),
        cmocka_unit_test(many_handshakes_at_once_do_not_hold_up_who_is_connected));
}

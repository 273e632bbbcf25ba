/* Memory that runs out anywhere between opening and answering: that connection may be lost, the
 * next one is served. */
#include "test_net_world.h"

#include "failing_malloc.h"

static const char conversation[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                                   "GET /delay HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/* Talk until the server ends the connection; it must not leave us waiting. */
static void talk(const struct world *w)
{
    struct client c;
    char bytes[65536];
    ssize_t got = 0;
    client_socket(&c);
    client_connect(&c, w);
    c.ctx = SSL_CTX_new(TLS_client_method());
    c.ssl = SSL_new(c.ctx);
    CHECK(c.ssl != NULL && SSL_set_fd(c.ssl, c.fd) == 1);
    errno = 0;
    if (SSL_connect(c.ssl) == 1 &&
        SSL_write(c.ssl, conversation, (int)sizeof(conversation) - 1) > 0) {
        do {
            got = client_receive(&c, bytes, sizeof(bytes));
        } while (got > 0);
    }
    CHECK(errno != EAGAIN);
    client_close(&c);
}

static void check_served(const struct world *w)
{
    struct client c;
    client_open(&c, w);
    client_get(&c, "/1");
    check_answer(&c, "/1");
    client_close(&c);
}

TEST(opening_without_memory_is_told)
{
    struct world w;
    world_init(&w, false);
    for (int n = 1; n <= 3; n++) { /* past them libuv asks, which aborts */
        fail_allocation(n);
        CHECK_ERR(net_open(&w.options, &w.arena, &w.why, &w.net), ERR_NOMEM);
        CHECK(allocation_failed());
        CHECK(w.why.length > 0);
    }
    fail_allocation(0);
    world_free(&w);
}

/* Libuv aborts when its table of descriptors cannot grow: grow it beforehand. */
static void serve_at_a_high_descriptor(const struct world *w)
{
    int low[64];
    for (size_t i = 0; i < 64; i++) {
        CHECK((low[i] = dup(0)) >= 0);
    }
    check_served(w);
    for (size_t i = 0; i < 64; i++) {
        close(low[i]);
    }
}

/* The busy client holds the one spare exchange. */
static bool serve_without_the_nth(int n)
{
    struct world w;
    struct client busy;
    world_open(&w, true);
    serve_at_a_high_descriptor(&w);
    client_open(&busy, &w);
    client_get(&busy, "/later");
    uv_sem_wait(&w.has_kept);
    fail_allocation(n);
    talk(&w);
    bool failed = allocation_failed();
    fail_allocation(0);
    check_served(&w);
    world_release(&w);
    check_answer(&busy, "/later");
    client_close(&busy);
    world_close(&w);
    return failed;
}

TEST(memory_that_runs_out_costs_at_most_the_connection)
{
    int n = 1;
    while (serve_without_the_nth(n)) {
        n++;
    }
    CHECK(n > 10);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(opening_without_memory_is_told),
              cmocka_unit_test(memory_that_runs_out_costs_at_most_the_connection));
}

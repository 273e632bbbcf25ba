/* test_net_world.h - a server within the test, and a blocking client beside it.
 *
 * The handler answers by the path: /later keeps the exchange until world_release(), /big sends
 * BIG_BYTES, /static the same from where it stays, /static/close asks for the end behind it, /delay
 * holds its answer, /close asks for the end; anything else is echoed: the body, or else the path.
 * Waits are for sockets, semaphores and counters; meson ends who waits in vain.
 */
#ifndef DOORWARD_TEST_NET_WORLD_H
#define DOORWARD_TEST_NET_WORLD_H

#include "check.h"
#include "test_net_options.h"
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S    20
#define BIG_BYTES (12 * 1024 * 1024)
#define MAX_KEPT  8

struct world {
    struct net *net;
    struct net_options options;
    struct net_listener listener;
    struct tls_context *tls;
    struct arena arena;
    struct span why;
    uv_async_t release; /* on the first loop */
    /* loop */
    struct http_exchange *kept[MAX_KEPT];
    size_t kept_count;
    bool finish_on_hangup;
    /* posted by the loop */
    uv_sem_t has_kept, has_hung_up, has_released;
    char *big;
};

/* ---- the handler, on the loop ---- */

static void world_on_hangup(struct http_exchange *x)
{
    struct world *w = x->api;
    uv_sem_post(&w->has_hung_up);
    if (w->finish_on_hangup) {
        w->kept_count = 0;
        x->finish(x);
    }
}

static void world_keep(struct world *w, struct http_exchange *x)
{
    INVARIANT(w->kept_count < MAX_KEPT);
    x->api = w;
    x->on_hangup = world_on_hangup;
    w->kept[w->kept_count++] = x;
    uv_sem_post(&w->has_kept);
}

static void world_on_request(void *context, struct http_exchange *x)
{
    struct world *w = context;
    struct span path = x->request.path;
    INVARIANT(x->started_us > 0 && x->peer != NULL && x->arena.max_bytes > 0);
    x->response.status = 200;
    x->response.body = x->request.body.length > 0 ? x->request.body : path;
    x->response.close = span_equal(path, SPAN("/close")) || span_equal(path, SPAN("/static/close"));
    x->response.delay_ms = span_equal(path, SPAN("/delay")) ? 200 : 0;
    x->response.is_static = span_starts(path, SPAN("/static"));
    if (span_equal(path, SPAN("/big")) || x->response.is_static) {
        x->response.body = (struct span){ .data = w->big, .length = BIG_BYTES };
    }
    if (span_starts(path, SPAN("/later"))) {
        world_keep(w, x);
    } else {
        x->finish(x);
    }
}

static void world_on_refused(void *context, struct http_exchange *x, enum err why)
{
    (void)context;
    x->response.status = why == ERR_TIMEOUT ? 408 : 400;
    x->response.body = span_of(err_name(why));
    x->finish(x);
}

static void world_on_release(uv_async_t *handle)
{
    struct world *w = handle->data;
    size_t count = w->kept_count;
    w->kept_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct http_exchange *x = w->kept[i];
        x->finish(x);
    }
    uv_sem_post(&w->has_released);
}

/* Finish what is kept. */
static inline void world_release(struct world *w)
{
    CHECK_INT(uv_async_send(&w->release), 0);
    uv_sem_wait(&w->has_released);
}

static void world_before_loops_end(void *context, unsigned loop)
{
    struct world *w = context;
    if (loop == 0) {
        uv_close((uv_handle_t *)&w->release, NULL);
    }
}

/* ---- life ---- */

/* Defaults, to be changed before world_start(). */
static inline void world_init(struct world *w, bool tls)
{
    *w = (struct world){ 0 };
    arena_init(&w->arena, 256 * 1024);
    if (tls) {
        w->tls = test_tls_context(&w->arena);
    }
    w->big = malloc(BIG_BYTES);
    CHECK(w->big != NULL);
    memset(w->big, 'x', BIG_BYTES);
    CHECK(uv_sem_init(&w->has_kept, 0) == 0 && uv_sem_init(&w->has_hung_up, 0) == 0 &&
          uv_sem_init(&w->has_released, 0) == 0);
    w->listener = (struct net_listener){
        .address = "127.0.0.1",
        .tls = w->tls,
        .handler = { .on_request = world_on_request, .on_refused = world_on_refused, .context = w },
    };
    w->options = test_net_options(&w->listener);
}

static inline void world_start(struct world *w)
{
    CHECK_ERR(net_open(&w->options, &w->arena, &w->why, &w->net), ERR_OK);
    CHECK_INT(uv_async_init(net_loop(w->net, 0), &w->release, world_on_release), 0);
    w->release.data = w;
    CHECK_ERR(net_start(w->net), ERR_OK);
}

static inline void world_open(struct world *w, bool tls)
{
    world_init(w, tls);
    world_start(w);
}

static inline void world_stop(struct world *w, int64_t timeout_ms)
{
    net_stop(w->net, timeout_ms, world_before_loops_end, w);
    CHECK_INT(net_connections(w->net), 0);
}

static inline void world_free(struct world *w)
{
    net_close(w->net);
    tls_context_free(w->tls);
    uv_sem_destroy(&w->has_kept);
    uv_sem_destroy(&w->has_hung_up);
    uv_sem_destroy(&w->has_released);
    free(w->big);
    arena_done(&w->arena);
}

static inline void world_close(struct world *w)
{
    world_stop(w, 0);
    world_free(w);
}

static inline void world_await_connections(const struct world *w, size_t count)
{
    for (int i = 0; i < WAIT_S * 1000 && net_connections(w->net) != count; i++) {
        (void)poll(NULL, 0, 1);
    }
    CHECK_INT(net_connections(w->net), count);
}

/* ---- the client ---- */

struct client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    char bytes[8192]; /* received, not yet consumed */
    size_t length;
};

/* Without SO_RCVTIMEO: with it whatever interrupts a call ends it (EINTR), and the kernel does so
 * on behalf of the io_uring of newer libuvs. */
static inline void client_socket(struct client *c)
{
    *c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    CHECK(c->fd >= 0);
}

static inline void client_connect(struct client *c, const struct world *w)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(net_port(w->net, 0)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    CHECK_INT(connect(c->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static inline void client_handshake(struct client *c)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->ssl = SSL_new(c->ctx);
    CHECK(c->ssl != NULL && SSL_set_fd(c->ssl, c->fd) == 1);
    CHECK_INT(SSL_connect(c->ssl), 1);
}

static inline void client_open(struct client *c, const struct world *w)
{
    client_socket(c);
    client_connect(c, w);
    if (w->tls != NULL) {
        client_handshake(c);
    }
}

static inline void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
}

static inline void client_reset(struct client *c)
{
    struct linger now = { .l_onoff = 1 };
    CHECK_INT(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    client_close(c);
}

static inline void client_send(struct client *c, struct span bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = c->ssl != NULL ? SSL_write(c->ssl, bytes.data, (int)bytes.length)
                                      : send(c->fd, bytes.data, bytes.length, MSG_NOSIGNAL);
        CHECK(sent > 0);
        bytes = span_from(bytes, (size_t)sent);
    }
}

static inline void client_get(struct client *c, const char *path)
{
    char text[256];
    int length = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    client_send(c, (struct span){ .data = text, .length = (size_t)length });
}

/* Bytes, 0 at the end, or -1. */
static inline ssize_t client_receive(struct client *c, char *out, size_t size)
{
    return c->ssl != NULL ? SSL_read(c->ssl, out, (int)size) : recv(c->fd, out, size, 0);
}

static inline bool client_more(struct client *c)
{
    ssize_t got = client_receive(c, c->bytes + c->length, sizeof(c->bytes) - c->length - 1);
    if (got <= 0) {
        return false;
    }
    c->length += (size_t)got;
    c->bytes[c->length] = '\0';
    return true;
}

struct answer {
    int status;
    bool close;
    char head[2048];
    char body[2048];
};

static inline void client_drop(struct client *c, size_t length)
{
    c->length -= length;
    memmove(c->bytes, c->bytes + length, c->length + 1);
}

/* The head alone; status 0 when the connection ended before it. */
static inline struct answer client_head(struct client *c)
{
    struct answer a = { 0 };
    char *end = NULL;
    c->bytes[c->length] = '\0';
    while ((end = strstr(c->bytes, "\r\n\r\n")) == NULL) {
        if (!client_more(c)) {
            return a;
        }
    }
    size_t length = (size_t)(end - c->bytes) + 4;
    CHECK(length < sizeof(a.head));
    memcpy(a.head, c->bytes, length);
    client_drop(c, length);
    CHECK_INT(sscanf(a.head, "HTTP/1.1 %d", &a.status), 1);
    a.close = strcasestr(a.head, "connection: close") != NULL;
    return a;
}

static inline size_t answer_length(const struct answer *a)
{
    const char *at = strcasestr(a->head, "content-length:");
    CHECK(at != NULL);
    return (size_t)strtoul(at + 15, NULL, 10);
}

static inline struct answer client_answer(struct client *c)
{
    struct answer a = client_head(c);
    size_t length = a.status == 0 ? 0 : answer_length(&a);
    CHECK(length < sizeof(a.body));
    while (c->length < length) {
        CHECK(client_more(c));
    }
    memcpy(a.body, c->bytes, length);
    client_drop(c, length);
    return a;
}

static inline void check_answer(struct client *c, const char *body)
{
    struct answer a = client_answer(c);
    CHECK_INT(a.status, 200);
    CHECK_SPAN(span_of(a.body), body);
}

/* The server has ended the connection, in order: FIN, and over TLS close_notify before it. */
static inline void check_ended(struct client *c)
{
    char byte = 0;
    CHECK_INT(c->length, 0);
    ssize_t got = client_receive(c, &byte, 1);
    if (c->ssl != NULL) {
        CHECK_INT(SSL_get_error(c->ssl, (int)got), SSL_ERROR_ZERO_RETURN);
    } else {
        CHECK_INT(got, 0);
    }
}

#endif

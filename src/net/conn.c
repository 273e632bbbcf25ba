#include "conn.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Unparsed bytes of one connection: one read, and what TLS may still hold of a record. */
#define PENDING_MAX_BYTES (READ_BYTES + READ_BYTES + 17408)

/* In the order of the label values of METRIC_CONNECTIONS_TOTAL and METRIC_HANDSHAKES. */
enum { ACCEPTED, FAILED = 3 };
enum { HANDSHAKE_FAILED = 2 };

static const bool may_follow[CONN_STATE_COUNT][CONN_STATE_COUNT] = {
    [CONN_HANDSHAKE] = { [CONN_IDLE] = true, [CONN_CLOSING] = true },
    [CONN_IDLE] = { [CONN_HEAD] = true,
                    [CONN_BODY] = true,
                    [CONN_WORKING] = true,
                    [CONN_TURN] = true,
                    [CONN_WRITING] = true,
                    [CONN_LINGER] = true,
                    [CONN_CLOSING] = true },
    [CONN_HEAD] = { [CONN_BODY] = true,
                    [CONN_WORKING] = true,
                    [CONN_TURN] = true,
                    [CONN_WRITING] = true,
                    [CONN_CLOSING] = true },
    [CONN_BODY] = { [CONN_WORKING] = true,
                    [CONN_TURN] = true,
                    [CONN_WRITING] = true,
                    [CONN_CLOSING] = true },
    [CONN_WORKING] = { [CONN_IDLE] = true,
                       [CONN_HELD] = true,
                       [CONN_TURN] = true,
                       [CONN_CLOSING] = true },
    [CONN_HELD] = { [CONN_IDLE] = true, [CONN_CLOSING] = true },
    [CONN_TURN] = { [CONN_IDLE] = true,
                    [CONN_HEAD] = true,
                    [CONN_BODY] = true,
                    [CONN_HELD] = true,
                    [CONN_CLOSING] = true },
    [CONN_WRITING] = { [CONN_IDLE] = true,
                       [CONN_HEAD] = true,
                       [CONN_BODY] = true,
                       [CONN_WRITING] = true,
                       [CONN_CLOSING] = true },
    [CONN_LINGER] = { [CONN_CLOSING] = true },
};

static void check(const struct conn *c)
{
    INVARIANT(!c->lent || c->state == CONN_WORKING || c->state == CONN_CLOSING);
    INVARIANT(c->state != CONN_IDLE || c->served == NULL);
    INVARIANT(c->state != CONN_WORKING || c->served != NULL);
    INVARIANT(c->hold == NULL || c->state == CONN_HELD);
    INVARIANT(!c->yields || c->state == CONN_HANDSHAKE);
}

void conn_enter(struct conn *c, enum conn_state next)
{
    struct loop *l = c->loop;
    INVARIANT(may_follow[c->state][next]);
    TAILQ_REMOVE(&l->lists[c->state], c, link);
    c->state = next;
    c->since_ms = uv_now(&l->uv);
    TAILQ_INSERT_TAIL(&l->lists[next], c, link);
    check(c);
}

bool conn_is_parsing(const struct conn *c)
{
    return c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_BODY;
}

static void name_peer(struct conn *c, const struct sockaddr *address)
{
    char *name = c->peer.address;
    int rc = address->sa_family == AF_INET6
                 ? uv_ip6_name((const struct sockaddr_in6 *)(const void *)address, name,
                               sizeof(c->peer.address))
                 : uv_ip4_name((const struct sockaddr_in *)(const void *)address, name,
                               sizeof(c->peer.address));
    INVARIANT(rc == 0);
}

static struct conn *conn_new(struct loop *l, const struct net_listener *listener,
                             const struct sockaddr *address)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    if (listener->tls != NULL && tls_stream_new(listener->tls, &c->tls) != ERR_OK) {
        free(c);
        return NULL;
    }
    c->loop = l;
    c->listener = listener;
    c->peer.loop = l->index;
    c->peer.tls = c->tls != NULL;
    name_peer(c, address);
    buf_init(&c->pending, PENDING_MAX_BYTES);
    c->state = c->tls != NULL ? CONN_HANDSHAKE : CONN_IDLE;
    c->since_ms = uv_now(&l->uv);
    return c;
}

struct conn *conn_open(struct loop *l, const struct net_listener *listener, int fd,
                       const struct sockaddr *address)
{
    struct conn *c = conn_new(l, listener, address);
    if (c == NULL) {
        metrics_add(METRIC_CONNECTIONS_TOTAL, FAILED, 1);
        close(fd);
        return NULL;
    }
    INVARIANT(uv_tcp_init(&l->uv, &c->tcp) == 0);
    c->tcp.data = c;
    TAILQ_INSERT_TAIL(&l->lists[c->state], c, link);
    l->conns++;
    atomic_fetch_add(&l->net->connections, 1);
    metrics_gauge_move(METRIC_CONNECTIONS, 0, 1);
    loop_tick_start(l);
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        metrics_add(METRIC_CONNECTIONS_TOTAL, FAILED, 1);
        close(fd);
        conn_close(c);
        return NULL;
    }
    metrics_add(METRIC_CONNECTIONS_TOTAL, ACCEPTED, 1);
    /* Answers are written whole; waiting for an ACK would only add 40 ms. */
    (void)uv_tcp_nodelay(&c->tcp, 1);
    return c;
}

static void conn_free(struct conn *c)
{
    struct loop *l = c->loop;
    TAILQ_REMOVE(&l->lists[CONN_CLOSING], c, link);
    tls_stream_free(c->tls);
    buf_done(&c->pending);
    free(c);
    loop_forget(l);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    c->closed = true;
    if (!c->lent) {
        conn_free(c);
    }
}

void conn_finished(struct conn *c)
{
    INVARIANT(c->state == CONN_CLOSING && !c->lent);
    loop_give_served(c->loop, c->served);
    c->served = NULL;
    if (c->closed) {
        conn_free(c);
    }
}

void conn_free_handle(uv_handle_t *handle)
{
    free(handle);
}

/* The handler may still hold the exchange: then it comes back through conn_finished(). */
static void let_go(struct conn *c)
{
    struct served *s = c->served;
    if (c->lent) {
        if (s->x.on_hangup != NULL) {
            s->x.on_hangup(&s->x);
        }
    } else if (s != NULL) {
        c->served = NULL;
        loop_give_served(c->loop, s);
    }
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSING) {
        return;
    }
    if (c->state == CONN_HANDSHAKE) {
        metrics_add(METRIC_HANDSHAKES, HANDSHAKE_FAILED, 1);
    }
    if (c->hold != NULL) {
        uv_close((uv_handle_t *)c->hold, conn_free_handle);
        c->hold = NULL;
    }
    if (c->yields) {
        TAILQ_REMOVE(&c->loop->yielding, c, yield_link);
        c->yields = false;
    }
    conn_enter(c, CONN_CLOSING);
    atomic_fetch_sub(&c->loop->net->connections, 1);
    metrics_gauge_move(METRIC_CONNECTIONS, 0, -1);
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
        uv_close((uv_handle_t *)&c->tcp, on_closed);
    }
    let_go(c);
}

void conn_reset(struct conn *c)
{
    if (c->state != CONN_CLOSING) {
        (void)uv_tcp_close_reset(&c->tcp, on_closed);
        conn_close(c);
    }
}

void conn_end(struct conn *c)
{
    struct loop *l = c->loop;
    if (c->tls != NULL && tls_stream_is_ready(c->tls) && c->writes == 0) {
        INVARIANT(l->serving == NULL);
        buf_reset(&l->cipher_out);
        tls_stream_end(c->tls, &l->cipher_out);
        uv_buf_t farewell = uv_buf_init(l->cipher_out.data, (unsigned)l->cipher_out.length);
        (void)uv_try_write((uv_stream_t *)&c->tcp, &farewell, 1);
        buf_reset(&l->cipher_out);
    }
    conn_close(c);
}

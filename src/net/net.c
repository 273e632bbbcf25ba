#include "net.h"

#include "listener.h"
#include "rounds.h"
#include <signal.h>
#include <stdlib.h>

#define LINGER_MS    2000
#define THREAD_BYTES 524288

static void set_timeouts(struct net *n)
{
    const struct net_options *o = &n->options;
    n->timeout_ms[CONN_HANDSHAKE] = (uint64_t)o->handshake_timeout_ms;
    n->timeout_ms[CONN_IDLE] = (uint64_t)o->idle_timeout_ms;
    n->timeout_ms[CONN_HEAD] = (uint64_t)o->header_timeout_ms;
    n->timeout_ms[CONN_BODY] = (uint64_t)o->body_timeout_ms;
    n->timeout_ms[CONN_WRITING] = (uint64_t)o->write_timeout_ms;
    n->timeout_ms[CONN_LINGER] = LINGER_MS;
}

static enum err net_new(const struct net_options *options, struct net **ret_net)
{
    struct net *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        return ERR_NOMEM;
    }
    n->options = *options;
    set_timeouts(n);
    n->ports = calloc(options->listener_count, sizeof(*n->ports));
    n->loops = calloc(options->loops, sizeof(*n->loops));
    if (n->ports == NULL || n->loops == NULL) {
        net_close(n);
        return ERR_NOMEM;
    }
    *ret_net = n;
    return ERR_OK;
}

static enum err init_loops(struct net *n)
{
    for (unsigned i = 0; i < n->options.loops; i++) {
        struct loop *l = &n->loops[i];
        loop_init(l, n, i);
        TRY(rounds_open(l));
        n->loop_count++;
        l->listeners = calloc(n->options.listener_count, sizeof(*l->listeners));
        if (l->listeners == NULL) {
            return ERR_NOMEM;
        }
    }
    return ERR_OK;
}

static enum err open_on_loop(struct net *n, size_t listener, struct loop *l, struct arena *a,
                             struct span *ret_why)
{
    INVARIANT(l->listeners != NULL && l->listener_count < n->options.listener_count);
    struct listener *ln = &l->listeners[l->listener_count++];
    ln->fd = -1;
    return listener_open(ln, l, &n->options.listeners[listener], &n->ports[listener], a, ret_why);
}

static enum err open_listeners(struct net *n, struct arena *a, struct span *ret_why)
{
    for (size_t i = 0; i < n->options.listener_count; i++) {
        const struct net_listener *o = &n->options.listeners[i];
        TRY(listener_probe(o, a, ret_why));
        n->ports[i] = o->port;
        unsigned loops = o->one_loop ? 1 : n->loop_count;
        for (unsigned loop = 0; loop < loops; loop++) {
            TRY(open_on_loop(n, i, &n->loops[loop], a, ret_why));
        }
    }
    return ERR_OK;
}

enum err net_open(const struct net_options *options, struct arena *a, struct span *ret_why,
                  struct net **ret_net)
{
    struct net *n = NULL;
    INVARIANT(options->loops > 0 && options->max_pipelined > 0 && options->listener_count > 0);
    *ret_why = SPAN("out of memory, or of file descriptors");
    TRY(net_new(options, &n));
    enum err e = init_loops(n);
    if (e == ERR_OK) {
        e = open_listeners(n, a, ret_why);
    }
    if (e != ERR_OK) {
        net_close(n);
        return e;
    }
    *ret_net = n;
    return ERR_OK;
}

uint16_t net_port(const struct net *n, size_t listener)
{
    INVARIANT(listener < n->options.listener_count);
    return n->ports[listener];
}

uv_loop_t *net_loop(struct net *n, unsigned loop)
{
    INVARIANT(loop < n->loop_count);
    return &n->loops[loop].uv;
}

size_t net_connections(const struct net *n)
{
    return atomic_load(&n->connections);
}

static enum err start_listeners(struct net *n)
{
    for (unsigned i = 0; i < n->loop_count; i++) {
        for (size_t j = 0; j < n->loops[i].listener_count; j++) {
            TRY(listener_start(&n->loops[i].listeners[j]));
        }
    }
    return ERR_OK;
}

enum err net_start(struct net *n)
{
    const uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE,
                                          .stack_size = THREAD_BYTES };
    /* uv_try_write() on a connection that was reset would end the process. */
    (void)signal(SIGPIPE, SIG_IGN);
    TRY(start_listeners(n));
    for (unsigned i = 0; i < n->loop_count; i++) {
        struct loop *l = &n->loops[i];
        if (uv_thread_create_ex(&l->thread, &options, rounds_main, l) != 0) {
            return ERR_NOMEM;
        }
        n->running++;
    }
    return ERR_OK;
}

static void wake_all(struct net *n)
{
    for (unsigned i = 0; i < n->loop_count; i++) {
        (void)uv_async_send(&n->loops[i].wake);
    }
}

void net_drain(struct net *n)
{
    atomic_store(&n->draining, true);
    wake_all(n);
}

void net_stop(struct net *n, int64_t timeout_ms,
              void (*before_loops_end)(void *context, unsigned loop), void *context)
{
    n->stop_timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
    n->before_loops_end = before_loops_end;
    n->context = context;
    atomic_store(&n->draining, true);
    atomic_store(&n->stopping, true);
    wake_all(n);
    for (unsigned i = n->running; i < n->loop_count; i++) {
        rounds_run(&n->loops[i]); /* it has no thread: its end comes on this one */
    }
    for (unsigned i = 0; i < n->running; i++) {
        INVARIANT(uv_thread_join(&n->loops[i].thread) == 0);
    }
    n->running = 0;
}

void net_close(struct net *n)
{
    if (n == NULL) {
        return;
    }
    INVARIANT(n->running == 0);
    for (unsigned i = 0; i < n->loop_count; i++) {
        rounds_close(&n->loops[i]);
        loop_done(&n->loops[i]);
    }
    free(n->loops);
    free(n->ports);
    free(n);
}

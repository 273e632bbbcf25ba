/* net.h - listeners, loop threads and connections: who may connect, how long, how much.
 *
 *   HANDSHAKE -> READING -> WORKING -> WRITING -> READING (keep-alive) ; all -> CLOSING
 *
 * Threads:   net_open to net_close on the main thread. Connections belong to their loop; a handler
 * is called on it.
 * Ownership: options, the TLS context and the handlers are borrowed until net_close().
 * Failure:   *ret_why (in `a`) is one line that says what to mend.
 * Units:     milliseconds and bytes. */
#ifndef DOORWARD_NET_H
#define DOORWARD_NET_H

#include "base.h"
#include "http.h"
#include "tls.h"
#include <uv.h>

struct net_listener {
    const char *address;     /* numeric */
    uint16_t port;           /* 0: any free one (tests); see net_port() */
    struct tls_context *tls; /* NULL: plain */
    bool one_loop;           /* on the first loop only (metrics) */
    /* What sets its port, for messages; NULL: PORT. */
    const char *port_setting;
    struct http_handler handler;
};
struct net_options {
    const struct net_listener *listeners;
    size_t listener_count;
    unsigned loops;
    struct http_limits limits;
    size_t max_connections; /* of the process; over it the longest idle one gives way, else the new
                               one is closed */
    size_t max_pipelined;   /* requests of one connection answered before their answers are written
                               out */
    size_t request_arena_bytes;
    int64_t handshake_timeout_ms, header_timeout_ms, body_timeout_ms, idle_timeout_ms,
        write_timeout_ms;
    /* net_stop()'s time is up and the rest is cut: end what holds exchanges up. On the loops'
     * threads, again and again until nothing does; NULL: nothing can be done. */
    void (*on_time_up)(void *context);
    void *context;
};

struct net;
/* Binds; accepts nothing yet. A probe without SO_REUSEPORT tells when a port is in use. */
MUST_CHECK enum err net_open(const struct net_options *options, struct arena *a,
                             struct span *ret_why, struct net **ret_net);
uint16_t net_port(const struct net *n, size_t listener); /* as bound */
uv_loop_t *net_loop(struct net *n, unsigned loop);       /* to add handles before net_start() */
/* Starts the loop threads; from here on connections are served. After a failure: net_stop(). */
MUST_CHECK enum err net_start(struct net *n);
/* Any thread. Every answer from now on says Connection: close, idle connections are closed, but
 * for those that have not asked for anything yet; listeners stay open. */
void net_drain(struct net *n);
/* Close the listeners, serve what is under way, return when all connections are gone or after
 * timeout_ms, when the rest is cut. `before_loops_end` (may be NULL) then runs on each loop, to
 * close what was added to it. Also without net_start(), for the sake of what was added. */
void net_stop(struct net *n, int64_t timeout_ms,
              void (*before_loops_end)(void *context, unsigned loop), void *context);
void net_close(struct net *n); /* after net_stop, or before net_start when no handle was
                                  added; NULL is fine */
size_t net_connections(const struct net *n);

#endif

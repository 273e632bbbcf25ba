/* conn.h - one client connection: its states, and its end.
 *
 *              +------------------------------------------------------------+
 *              v                                                            |
 *   HANDSHAKE -> IDLE -> HEAD -> BODY -> WORKING -> (HELD) -> IDLE -> TURN -+
 *                  \_______\_______\______________________/     \-> WRITING -> IDLE, HEAD, BODY
 *                     (as far as one read goes)                 \-> LINGER
 *   all -> CLOSING -> freed when the close callback and finish() have both come
 *
 *   HANDSHAKE  TLS is not ready                   limit: handshake_timeout, from accept
 *   IDLE       no request has begun                      idle_timeout
 *   HEAD       its first byte has come                   header_timeout, then 408
 *   BODY       its head is whole                         body_timeout, then 408
 *   WORKING    the exchange is lent to the handler       the handler's own deadline
 *   HELD       the answer waits for its delay            the delay
 *   TURN       more to do, but others come first         the next round of the loop
 *   WRITING    an answer is not yet written out          write_timeout without progress, or
 *                                                        WRITE_ROUNDS times that, then reset
 *   LINGER     all is said, our side is shut             LINGER_MS, or LINGER_BYTES discarded
 *
 * Every limit counts from entering the state, so bytes that trickle in extend none. In a state
 * other than IDLE, HEAD and BODY bytes that arrive are kept in `pending`, up to its ceiling.
 *
 * A step of a handshake is work of a hundred requests, so a loop makes few of them in a turn: who
 * comes late yields, reads nothing, and gets its step in a later turn, in the order of coming.
 *
 * Threads:   all on the connection's loop.
 * Ownership: a connection frees itself; conn_close(), its only way out, may be called twice. */
#ifndef DOORWARD_NET_CONN_H
#define DOORWARD_NET_CONN_H

#include "loop.h"

struct conn {
    uv_tcp_t tcp;
    TAILQ_ENTRY(conn) link;       /* in the loop's list of its state */
    TAILQ_ENTRY(conn) yield_link; /* while it yields */
    struct loop *loop;
    const struct net_listener *listener;
    struct tls_stream *tls; /* NULL: plain */
    struct served *served;  /* from the first byte of a request until its answer is serialised */
    struct span rest;   /* of a static body, not yet written; nothing is parsed before its end */
    struct buf pending; /* arrived, not parsed; empty in IDLE, HEAD and BODY between turns */
    uv_timer_t *hold;   /* in HELD */
    uint64_t since_ms;  /* when the state was entered */
    size_t write_left;  /* bytes that waited for the socket when progress was last seen */
    size_t discarded;   /* in LINGER */
    struct http_peer peer;
    enum conn_state state;
    unsigned write_rounds; /* write timeouts survived by progress */
    unsigned writes;       /* handed to libuv, not yet written out */
    bool reading;
    bool yields;     /* in HANDSHAKE: waits for a step */
    bool has_step;   /* has waited for it */
    bool lent;       /* the handler has the exchange */
    bool answered;   /* finish() has come, its answer is not yet taken */
    bool last;       /* this answer said Connection: close */
    bool notified;   /* close_notify has been added */
    bool has_served; /* at least one request */
    bool peer_done;  /* the client has ended its side */
    bool closed;     /* the close callback has come */
};

/* Takes `fd`, of a client at `address`; it does not read yet. NULL: it is closed. */
struct conn *conn_open(struct loop *l, const struct net_listener *listener, int fd,
                       const struct sockaddr *address);
void conn_enter(struct conn *c, enum conn_state next);
void conn_close(struct conn *c);
void conn_reset(struct conn *c);    /* close with RST */
void conn_end(struct conn *c);      /* close an idle one, with TLS's farewell */
void conn_finished(struct conn *c); /* the exchange of a closed connection has come back */
bool conn_is_parsing(const struct conn *c);
void conn_free_handle(uv_handle_t *handle); /* a close callback */

#endif

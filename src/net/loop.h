/* loop.h - one loop thread: its libuv loop, its connections by state, its shared buffers.
 *
 * Threads:   a loop's fields belong to its thread from net_start() until that thread has ended,
 * but for what struct net marks atomic.
 * Ownership: struct net owns its loops.
 * Units:     milliseconds of uv_now(). */
#ifndef DOORWARD_NET_LOOP_H
#define DOORWARD_NET_LOOP_H

#include "net.h"
#include <stdatomic.h>
#include <sys/queue.h>

/* A read never takes more: it is also the most that one connection can leave unparsed. */
#define READ_BYTES 16384

struct listener; /* listener.h */
struct conn;     /* conn.h */
TAILQ_HEAD(conn_list, conn);
/* What they mean, and what limits them: conn.h. */
enum conn_state {
    CONN_HANDSHAKE,
    CONN_IDLE,
    CONN_HEAD,
    CONN_BODY,
    CONN_WORKING,
    CONN_HELD,
    CONN_TURN,
    CONN_WRITING,
    CONN_LINGER,
    CONN_CLOSING,
    CONN_STATE_COUNT
};

/* A request on its way: a parser and an exchange, together because they come and go together. */
struct served {
    struct http_exchange x; /* first: finish() finds us by it */
    struct http_parser *parser;
    struct conn *conn;
    struct served *next_spare;
};

struct loop {
    /* fixed after rounds_open() */
    struct net *net;
    unsigned index;
    uv_timer_cb on_tick; /* of rounds.c, which lies above all who ask for them */
    uv_idle_cb on_turns;
    struct listener *listeners;
    size_t listener_count;
    uv_thread_t thread;
    /* loop */
    uv_thread_t self;
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t tick;
    uv_idle_t turns;                          /* active while somebody is in CONN_TURN or yields */
    struct conn_list lists[CONN_STATE_COUNT]; /* oldest first, so that heads expire first */
    struct conn_list yielding;                /* handshakes that wait for a step, oldest first */
    unsigned steps;                           /* of handshakes, made since steps_ms */
    uint64_t steps_ms;
    size_t conns;                               /* allocated: on a list, or closed and lent out */
    size_t most_conns;                          /* since their memory was last given back */
    struct conn *serving;                       /* whose bytes are in the buffers below */
    size_t answers;                             /* given in the present turn */
    struct buf plain_in, plain_out, cipher_out; /* empty between turns */
    struct served *spare;
    size_t spare_count;
    uint64_t stop_at_ms;
    uint64_t complained_ms; /* when a failed accept was last logged */
    bool drained, stopping, ended;
    char read_bytes[READ_BYTES];
};

struct net {
    struct net_options options; /* fixed after net_open() */
    uint16_t *ports;
    uint64_t timeout_ms[CONN_STATE_COUNT]; /* 0: none */
    struct loop *loops;
    unsigned loop_count; /* initialised ones */
    unsigned running;    /* threads to join */
    /* any thread */
    _Atomic size_t connections;
    _Atomic bool draining, stopping;
    /* written before `stopping` is set */
    int64_t stop_timeout_ms;
    void (*before_loops_end)(void *context, unsigned loop);
    void *context;
};

void loop_init(struct loop *l, struct net *n, unsigned index);
void loop_done(struct loop *l); /* after rounds_close() */
/* The clock of deadlines runs from now on; it stops by itself. */
void loop_tick_start(struct loop *l);
/* Those in CONN_TURN and those who yield are served, round after round. */
void loop_turns_start(struct loop *l);
/* May one more step of a handshake be made in this turn? It is counted. */
bool loop_take_step(struct loop *l);
/* A connection's memory has gone. */
void loop_forget(struct loop *l);

/* Its parser has begun; NULL without memory. */
struct served *loop_take_served(struct loop *l);
void loop_give_served(struct loop *l, struct served *s); /* wipes it */

#endif

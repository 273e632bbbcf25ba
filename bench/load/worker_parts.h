/* worker_parts.h - what the parts of a worker share. Private to worker*.c.
 *
 * Threads:   the worker's own, but for what is marked.
 * Units:     nanoseconds; of uv_hrtime() where they end in _at_ns. */
#ifndef DOORWARD_BENCH_WORKER_PARTS_H
#define DOORWARD_BENCH_WORKER_PARTS_H

#include "worker.h"

#include "ring.h"
#include "words.h"

struct slot {
    struct worker *worker;
    struct client *client;
    bool is_busy; /* with this: */
    enum route route;
    int64_t due_ns; /* since the run's begin */
    int64_t give_up_at_ns;
    size_t session; /* of ROUTE_REFRESH */
    /* of the connection */
    unsigned requests;
    bool is_opening, was_open;
    int64_t open_at_ns; /* closed: not before */
    int64_t pause_ns;
};

struct worker {
    /* fixed */
    struct run *run;
    unsigned index;
    pthread_t thread;
    struct slot *slots;
    size_t slot_count;
    struct session *sessions; /* ours among the population's */
    size_t session_count;
    /* of the thread */
    uv_loop_t uv;
    uv_timer_t sweep;
    uv_poll_t due;
    int due_fd; /* a timerfd: libuv's own timers know milliseconds only */
    struct client_loop shared;
    struct ring free_slots;
    struct ring free_sessions;
    size_t opening;
    size_t busy;
    uint64_t next; /* index in the schedule of all workers */
    int64_t next_due_ns;
    int64_t free_since_ns; /* a connection has been free since then */
    uint64_t random;
    struct tally *tally;
    struct buf request, body;
    int64_t end_ns; /* nothing is due after it; earlier when interrupted */
    bool is_running, is_ending;
    struct worker_use use;
    char trouble[CLIENT_WHY_BYTES];
    /* any thread */
    _Atomic bool has_ended;
    _Atomic uint64_t sent, ok, shed, errors;
};

/* ---- worker_count.c ---- */

/* Since the run's begin. */
int64_t worker_now_ns(const struct worker *w);
/* A request has ended. */
void worker_count(struct worker *w, enum route route, enum outcome outcome, int64_t due_ns);
/* What the thread used between these two is worker_use(). */
void worker_use_begin(struct worker *w);
void worker_use_end(struct worker *w);

/* ---- worker_send.c ---- */

/* The run's begin is known, and still to come. */
void worker_begin(struct worker *w);
/* Sends what is due while connections are free, and sets the timer for what follows. */
void worker_dispatch(struct worker *w);
/* A connection has become free; has gone. */
void worker_free_slot(struct worker *w, const struct slot *s);
void worker_forget_slot(struct worker *w, const struct slot *s);
/* At the end: what was due, but no connection was free for it. It must not look as if nobody had
 * asked. */
void worker_count_unsent(struct worker *w);

#endif

#include "rounds.h"

#include "listener.h"
#include "turn.h"
#include <pthread.h>
#include <stdio.h>

/* A connection that says nothing does not hold up the end for longer. */
#define STOP_IDLE_MS 1000
/* An answer is a few kilobytes, a page of the documentation a megabyte: who reads more slowly than
 * that in so many write timeouts only holds a place. */
#define WRITE_ROUNDS 15

/* ---- turns ---- */

/* Those that are there now; who comes back for more waits for the next round. */
static void resume_all(struct loop *l)
{
    struct conn *last = TAILQ_LAST(&l->lists[CONN_TURN], conn_list);
    struct conn *c = NULL;
    while (last != NULL && (c = TAILQ_FIRST(&l->lists[CONN_TURN])) != NULL) {
        conn_resume(c);
        last = c == last ? NULL : last;
    }
}

static void give_steps(struct loop *l)
{
    while (!TAILQ_EMPTY(&l->yielding) && loop_take_step(l)) {
        conn_give_step(TAILQ_FIRST(&l->yielding));
    }
}

static void on_turns(uv_idle_t *handle)
{
    struct loop *l = handle->data;
    resume_all(l);
    give_steps(l);
    if (TAILQ_EMPTY(&l->lists[CONN_TURN]) && TAILQ_EMPTY(&l->yielding)) {
        (void)uv_idle_stop(&l->turns);
    }
}

/* ---- deadlines ---- */

static void refuse_late(struct conn *c)
{
    conn_turn_begin(c);
    conn_refuse(c, ERR_TIMEOUT);
    conn_turn_end(c);
}

static void check_progress(struct conn *c)
{
    size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    if (left == c->write_left || c->write_rounds == WRITE_ROUNDS) {
        conn_reset(c);
        return;
    }
    c->write_left = left;
    c->write_rounds++;
    conn_enter(c, CONN_WRITING);
}

static void expire_one(struct conn *c)
{
    switch (c->state) {
    case CONN_HEAD:
    case CONN_BODY:
        refuse_late(c);
        break;
    case CONN_IDLE:
        conn_end(c);
        break;
    case CONN_WRITING:
        check_progress(c);
        break;
    case CONN_HANDSHAKE:
    case CONN_LINGER:
        conn_close(c);
        break;
    case CONN_WORKING:
    case CONN_HELD:
    case CONN_TURN:
    case CONN_CLOSING:
    case CONN_STATE_COUNT:
        INVARIANT(false); /* they have no limit here */
        break;
    }
}

static uint64_t timeout_of(const struct loop *l, size_t state)
{
    uint64_t ms = l->net->timeout_ms[state];
    return state == CONN_IDLE && l->stopping && ms > STOP_IDLE_MS ? STOP_IDLE_MS : ms;
}

/* Every member of a list has the same limit, so the head is the first to expire. */
static void expire(struct loop *l, size_t state)
{
    uint64_t limit_ms = timeout_of(l, state);
    uint64_t now_ms = uv_now(&l->uv);
    struct conn *c = NULL;
    while (limit_ms > 0 && (c = TAILQ_FIRST(&l->lists[state])) != NULL &&
           now_ms - c->since_ms >= limit_ms) {
        expire_one(c);
    }
}

static void cut_all(struct loop *l)
{
    for (size_t state = 0; state < CONN_CLOSING; state++) {
        struct conn *c = NULL;
        while ((c = TAILQ_FIRST(&l->lists[state])) != NULL) {
            conn_close(c);
        }
    }
}

static bool resume_accepting(struct loop *l)
{
    bool paused = false;
    for (size_t i = 0; i < l->listener_count; i++) {
        listener_resume(&l->listeners[i]);
        paused = paused || l->listeners[i].paused;
    }
    return paused;
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *l = timer->data;
    for (size_t state = 0; state < CONN_CLOSING; state++) {
        expire(l, state);
    }
    if (l->stopping && uv_now(&l->uv) >= l->stop_at_ms) {
        cut_all(l);
        if (l->net->options.on_time_up != NULL) {
            l->net->options.on_time_up(l->net->options.context);
        }
    }
    if (memory_has_gone(&l->most_conns, l->conns)) {
        memory_give_back();
    }
    bool paused = resume_accepting(l);
    if (l->conns == 0 && !paused) {
        (void)uv_timer_stop(&l->tick);
    }
}

/* ---- the end ---- */

/* Not who has yet to say what he came for, nor whose next request is already here. */
static void end_idle(struct loop *l)
{
    struct conn *next = NULL;
    for (struct conn *c = TAILQ_FIRST(&l->lists[CONN_IDLE]); c != NULL; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->has_served && !conn_has_unread(c)) {
            conn_end(c);
        }
    }
}

static void close_own(struct loop *l)
{
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->tick, NULL);
    uv_close((uv_handle_t *)&l->turns, NULL);
    l->ended = true;
}

static void stop(struct loop *l)
{
    for (size_t i = 0; i < l->listener_count; i++) {
        listener_finish(&l->listeners[i]);
    }
    l->stopping = true;
    uv_update_time(&l->uv);
    l->stop_at_ms = uv_now(&l->uv) + (uint64_t)l->net->stop_timeout_ms;
}

static void on_wake(uv_async_t *handle)
{
    struct loop *l = handle->data;
    struct net *n = l->net;
    if (l->ended) {
        return;
    }
    if (atomic_load(&n->draining) && !l->drained) {
        l->drained = true;
        end_idle(l);
    }
    if (atomic_load(&n->stopping) && !l->stopping) {
        stop(l);
    }
    if (l->stopping && l->conns == 0) {
        if (n->before_loops_end != NULL) {
            n->before_loops_end(n->context, l->index);
        }
        close_own(l);
    }
}

/* ---- life ---- */

enum err rounds_open(struct loop *l)
{
    l->on_tick = on_tick;
    l->on_turns = on_turns;
    if (uv_loop_init(&l->uv) != 0) {
        return ERR_NOMEM;
    }
    if (uv_async_init(&l->uv, &l->wake, on_wake) != 0) {
        INVARIANT(uv_loop_close(&l->uv) == 0);
        return ERR_IO;
    }
    (void)uv_timer_init(&l->uv, &l->tick);
    (void)uv_idle_init(&l->uv, &l->turns);
    l->wake.data = l->tick.data = l->turns.data = l;
    return ERR_OK;
}

void rounds_close(struct loop *l)
{
    if (!l->ended) { /* never ran */
        for (size_t i = 0; i < l->listener_count; i++) {
            listener_close(&l->listeners[i]);
        }
        close_own(l);
        (void)uv_run(&l->uv, UV_RUN_NOWAIT);
    }
    INVARIANT(uv_loop_close(&l->uv) == 0);
}

void rounds_run(struct loop *l)
{
    l->self = uv_thread_self();
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0) {
    }
}

void rounds_main(void *loop)
{
    struct loop *l = loop;
    char name[16];
    (void)snprintf(name, sizeof(name), "loop-%u", l->index);
    (void)pthread_setname_np(pthread_self(), name);
    rounds_run(l);
}

#include "loop.h"

#include "listener.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 100
/* Steps of handshakes in a turn: a millisecond or two that everybody else waits. */
#define HANDSHAKE_STEPS 4
/* A connection that says nothing does not hold up the end for longer. */
#define STOP_IDLE_MS 1000
/* Exchanges kept for reuse, with their first piece of arena. */
#define MAX_SPARE 64
/* A batch of answers: the last one may be large. */
#define OUT_MAX_BYTES 16777216
#define IN_MAX_BYTES  65536

/* In the order of the label values of METRIC_CONNECTIONS_TOTAL. */
enum { EVICTED = 2 };

/* ---- exchanges ---- */

static void free_served(struct served *s)
{
    http_parser_free(s->parser);
    arena_done(&s->x.arena);
    free(s);
}

static struct served *new_served(struct loop *l)
{
    struct served *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    arena_init(&s->x.arena, l->net->options.request_arena_bytes);
    if (http_parser_new(&l->net->options.limits, &s->parser) != ERR_OK) {
        free(s);
        return NULL;
    }
    http_parser_begin(s->parser, &s->x);
    return s;
}

struct served *loop_take_served(struct loop *l)
{
    struct served *s = l->spare;
    if (s == NULL) {
        return new_served(l);
    }
    l->spare = s->next_spare;
    l->spare_count--;
    s->next_spare = NULL;
    return s;
}

void loop_give_served(struct loop *l, struct served *s)
{
    if (l->spare_count == MAX_SPARE) {
        free_served(s);
        return;
    }
    arena_reset(&s->x.arena);
    s->x = (struct http_exchange){ .arena = s->x.arena };
    http_parser_begin(s->parser, &s->x); /* now, because it wipes the body */
    s->conn = NULL;
    s->next_spare = l->spare;
    l->spare = s;
    l->spare_count++;
}

/* ---- connections ---- */

void loop_forget(struct loop *l)
{
    l->conns--;
    /* Not here: we may be deep inside a callback of somebody whom the end closes. */
    if (l->conns == 0 && l->stopping && !l->ended) {
        (void)uv_async_send(&l->wake);
    }
}

bool loop_evict_idle(struct loop *l)
{
    struct conn *longest = TAILQ_FIRST(&l->lists[CONN_IDLE]);
    if (longest == NULL) {
        return false;
    }
    metrics_add(METRIC_CONNECTIONS_TOTAL, EVICTED, 1);
    conn_end(longest);
    return true;
}

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

static void cut_all(struct loop *l)
{
    for (size_t state = 0; state < CONN_CLOSING; state++) {
        struct conn *c = NULL;
        while ((c = TAILQ_FIRST(&l->lists[state])) != NULL) {
            conn_close(c);
        }
    }
}

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

/* The loop's clock stands still while it goes through what a poll has brought. */
bool loop_take_step(struct loop *l)
{
    uint64_t now_ms = uv_now(&l->uv);
    if (now_ms != l->steps_ms) {
        l->steps_ms = now_ms;
        l->steps = 0;
    }
    if (l->steps == HANDSHAKE_STEPS) {
        return false;
    }
    l->steps++;
    return true;
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

void loop_turns_start(struct loop *l)
{
    (void)uv_idle_start(&l->turns, on_turns);
}

/* ---- deadlines ---- */

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
        conn_expire(c);
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

void loop_tick_start(struct loop *l)
{
    if (!uv_is_active((uv_handle_t *)&l->tick)) {
        (void)uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS);
    }
}

/* ---- the end ---- */

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

enum err loop_init(struct loop *l, struct net *n, unsigned index)
{
    l->net = n;
    l->index = index;
    for (size_t state = 0; state < CONN_STATE_COUNT; state++) {
        TAILQ_INIT(&l->lists[state]);
    }
    TAILQ_INIT(&l->yielding);
    buf_init(&l->plain_in, IN_MAX_BYTES);
    buf_init(&l->plain_out, OUT_MAX_BYTES);
    buf_init(&l->cipher_out, OUT_MAX_BYTES + OUT_MAX_BYTES / 64);
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

void loop_done(struct loop *l)
{
    if (!l->ended) { /* never ran */
        for (size_t i = 0; i < l->listener_count; i++) {
            listener_close(&l->listeners[i]);
        }
        close_own(l);
        (void)uv_run(&l->uv, UV_RUN_NOWAIT);
    }
    INVARIANT(uv_loop_close(&l->uv) == 0);
    while (l->spare != NULL) {
        free_served(loop_take_served(l));
    }
    buf_done(&l->plain_in);
    buf_done(&l->plain_out);
    buf_done(&l->cipher_out);
    free(l->listeners);
}

void loop_run(struct loop *l)
{
    l->self = uv_thread_self();
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0) {
    }
}

void loop_main(void *loop)
{
    struct loop *l = loop;
    char name[16];
    (void)snprintf(name, sizeof(name), "loop-%u", l->index);
    (void)pthread_setname_np(pthread_self(), name);
    loop_run(l);
}

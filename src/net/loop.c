#include "loop.h"

#include <stdlib.h>

#define TICK_MS 100
/* Steps of handshakes in a turn: a millisecond or two that everybody else waits. */
#define HANDSHAKE_STEPS 4
/* Exchanges kept for reuse, with their first piece of arena. */
#define MAX_SPARE 64
/* A batch of answers: the last one may be large. */
#define OUT_MAX_BYTES 16777216
#define IN_MAX_BYTES  65536

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

/* ---- ticks, turns, steps ---- */

void loop_tick_start(struct loop *l)
{
    if (!uv_is_active((uv_handle_t *)&l->tick)) {
        (void)uv_timer_start(&l->tick, l->on_tick, TICK_MS, TICK_MS);
    }
}

void loop_turns_start(struct loop *l)
{
    (void)uv_idle_start(&l->turns, l->on_turns);
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

/* ---- connections ---- */

void loop_forget(struct loop *l)
{
    l->conns--;
    /* Not here: we may be deep inside a callback of somebody whom the end closes. */
    if (l->conns == 0 && l->stopping && !l->ended) {
        (void)uv_async_send(&l->wake);
    }
}

/* ---- life ---- */

void loop_init(struct loop *l, struct net *n, unsigned index)
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
}

void loop_done(struct loop *l)
{
    while (l->spare != NULL) {
        free_served(loop_take_served(l));
    }
    buf_done(&l->plain_in);
    buf_done(&l->plain_out);
    buf_done(&l->cipher_out);
    free(l->listeners);
}

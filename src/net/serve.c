#include "turn.h"

#include <stdlib.h>

/* Answers past this are written out before the next request is looked at. */
#define OUT_FLUSH_BYTES 65536
/* Memory that the loop's buffers keep between turns. */
#define OUT_KEEP_BYTES 131072

/* ---- answers ---- */

static bool is_draining(const struct conn *c)
{
    return atomic_load_explicit(&c->loop->net->draining, memory_order_relaxed);
}

static void write_answer(struct conn *c)
{
    struct loop *l = c->loop;
    struct served *s = c->served;
    struct http_exchange *x = &s->x;
    c->last = c->last || x->response.close || !x->request.keep_alive || is_draining(c);
    c->rest = http_response_write(&x->response, &x->request, c->last, &l->plain_out);
    l->answers++;
    c->served = NULL;
    c->has_served = true;
    loop_give_served(l, s);
    conn_enter(c, CONN_IDLE);
}

static void on_hold_over(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    uv_close((uv_handle_t *)timer, conn_free_handle);
    c->hold = NULL;
    conn_turn_begin(c);
    write_answer(c);
    conn_turn_end(c);
}

/* False without memory: then the answer is given at once. */
static bool hold_answer(struct conn *c, int64_t delay_ms)
{
    uv_timer_t *timer = malloc(sizeof(*timer));
    if (timer == NULL) {
        return false;
    }
    (void)uv_timer_init(&c->loop->uv, timer);
    timer->data = c;
    (void)uv_timer_start(timer, on_hold_over, (uint64_t)delay_ms, 0);
    conn_enter(c, CONN_HELD);
    c->hold = timer;
    return true;
}

static void take_answer(struct conn *c)
{
    int64_t delay_ms = c->served->x.response.delay_ms;
    c->answered = false;
    if (delay_ms <= 0 || !hold_answer(c, delay_ms)) {
        write_answer(c);
    }
}

/* Inside a turn the buffers are in use: the connection's own turn goes on with the answer, another
 * one gets a turn of its own. */
static void finish(struct http_exchange *x)
{
    struct conn *c = ((struct served *)x)->conn;
    struct loop *l = c->loop;
    uv_thread_t self = uv_thread_self();
    INVARIANT(uv_thread_equal(&l->self, &self));
    INVARIANT(c->lent && &c->served->x == x);
    c->lent = false;
    if (c->state == CONN_CLOSING) {
        conn_finished(c);
        return;
    }
    INVARIANT(x->response.status != 0);
    c->answered = true;
    if (l->serving == NULL) {
        conn_resume(c);
    } else if (l->serving != c) {
        conn_enter(c, CONN_TURN);
        loop_turns_start(l);
    }
}

/* ---- requests ---- */

static void lend(struct conn *c, enum err why)
{
    const struct http_handler *h = &c->listener->handler;
    struct http_exchange *x = &c->served->x;
    x->started_us = clock_monotonic_us();
    conn_enter(c, CONN_WORKING);
    c->lent = true;
    if (why == ERR_OK) {
        h->on_request(h->context, x);
    } else {
        c->last = true;
        h->on_refused(h->context, x, why);
    }
    if (c->answered) {
        take_answer(c);
    }
}

void conn_refuse(struct conn *c, enum err why)
{
    lend(c, why);
}

static bool begin_request(struct conn *c)
{
    struct served *s = loop_take_served(c->loop);
    if (s == NULL) {
        return false;
    }
    s->conn = c;
    s->x.peer = &c->peer;
    s->x.finish = finish;
    c->served = s;
    return true;
}

static void enter_if_new(struct conn *c, enum conn_state next)
{
    if (c->state != next) {
        conn_enter(c, next);
    }
}

/* Gives the bytes that were taken. */
static size_t parse(struct conn *c, struct span input)
{
    if (c->served == NULL && !begin_request(c)) {
        conn_close(c);
        return input.length;
    }
    struct http_parser *p = c->served->parser;
    enum http_progress progress = HTTP_MORE;
    size_t used = 0;
    enum err e = http_parser_feed(p, input, &used, &progress);
    if (e != ERR_OK) {
        conn_refuse(c, e);
        return input.length;
    }
    switch (progress) {
    case HTTP_MORE:
        enter_if_new(c, http_parser_has_head(p) ? CONN_BODY : CONN_HEAD);
        break;
    case HTTP_HEAD_DONE:
        buf_add(&c->loop->plain_out, http_continue);
        enter_if_new(c, CONN_BODY);
        break;
    case HTTP_REQUEST_DONE:
        lend(c, ERR_OK);
        break;
    }
    return used;
}

static bool may_parse(const struct conn *c)
{
    const struct loop *l = c->loop;
    return conn_is_parsing(c) && !c->last && c->writes == 0 && c->rest.length == 0 &&
           l->answers < l->net->options.max_pipelined && l->plain_out.length < OUT_FLUSH_BYTES;
}

static size_t consume(struct conn *c, struct span input)
{
    size_t used = 0;
    while (used < input.length && may_parse(c)) {
        used += parse(c, span_from(input, used));
    }
    return used;
}

static void consume_pending(struct conn *c)
{
    buf_drop(&c->pending, consume(c, buf_span(&c->pending)));
    if (c->pending.length == 0) {
        buf_done(&c->pending); /* an idle connection holds no buffer */
    }
}

void conn_serve(struct conn *c, struct span plain)
{
    struct span rest = span_from(plain, consume(c, plain));
    if (rest.length == 0 || c->last || c->state == CONN_CLOSING) {
        return;
    }
    buf_add(&c->pending, rest);
    if (c->pending.failed) {
        conn_close(c);
    }
}

/* ---- turns ---- */

void conn_turn_begin(struct conn *c)
{
    struct loop *l = c->loop;
    /* What is left of another's turn must never reach this client. */
    INVARIANT(l->serving == NULL && l->plain_out.length == 0 && l->cipher_out.length == 0);
    l->serving = c;
    l->answers = 0;
}

static void empty(struct buf *b)
{
    if (b->capacity > OUT_KEEP_BYTES) {
        buf_done(b);
    } else {
        buf_reset(b);
    }
}

void conn_turn_end(struct conn *c)
{
    struct loop *l = c->loop;
    conn_flush(c);
    empty(&l->plain_in);
    empty(&l->plain_out);
    empty(&l->cipher_out);
    l->serving = NULL;
    conn_settle(c);
}

static enum conn_state parsing_state(const struct conn *c)
{
    if (c->served == NULL) {
        return CONN_IDLE;
    }
    return http_parser_has_head(c->served->parser) ? CONN_BODY : CONN_HEAD;
}

/* A piece a turn, and only when the client has taken the one before: a body of a megabyte holds
 * neither the loop up nor memory for those who read slowly. */
static void continue_answer(struct conn *c)
{
    size_t length = c->rest.length < HTTP_PIECE_BYTES ? c->rest.length : HTTP_PIECE_BYTES;
    buf_add(&c->loop->plain_out, (struct span){ c->rest.data, length });
    c->rest = span_from(c->rest, length);
}

void conn_resume(struct conn *c)
{
    conn_turn_begin(c);
    if (c->answered) {
        take_answer(c);
    } else {
        conn_enter(c, parsing_state(c));
        continue_answer(c);
    }
    if (c->rest.length == 0) {
        c->write_rounds = 0;
    }
    consume_pending(c);
    conn_turn_end(c);
}

/* worker_send.c - which request goes out when, by which connection.
 *
 * Open loop: when it is due, whatever the answers do; if no connection is free then, as soon as one
 * is, and its time counts from when it was due (no coordinated omission). Closed loop (--rate max):
 * when a connection is free. */
#include "worker_parts.h"

#include "request.h"
#include <sys/timerfd.h>
#include <time.h>

/* ---- small things ---- */

/* splitmix64 (Steele, Lea, Flood): for choices, not for secrets. */
static uint64_t next_random(struct worker *w)
{
    uint64_t z = w->random += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static size_t random_below(struct worker *w, size_t count)
{
    return (size_t)(next_random(w) % count);
}

/* ---- what is sent ---- */

static struct span token_of(struct worker *w)
{
    if (w->session_count == 0) {
        return SPAN_NONE;
    }
    return buf_span(&w->sessions[random_below(w, w->session_count)].access);
}

static struct span body_of(struct worker *w, struct slot *s)
{
    struct population *p = w->run->population;
    if (s->route == ROUTE_REFRESH) {
        s->session = ring_take(&w->free_sessions);
        return buf_span(&w->sessions[s->session].refresh_body);
    }
    if (s->route == ROUTE_LOGIN) {
        return p->logins[p->holders + random_below(w, p->user_count - p->holders)];
    }
    uint64_t number = atomic_fetch_add(&w->run->registered, 1);
    buf_reset(&w->body);
    population_register_body(p, p->user_count + number, &w->body);
    return buf_span(&w->body);
}

static void write_request(struct worker *w, struct slot *s)
{
    const struct target *t = w->run->target;
    w->request.length = 0; /* wiped at the end */
    if (s->route == ROUTE_GET || s->route == ROUTE_VERIFY || s->route == ROUTE_PROFILE) {
        struct span token = s->route == ROUTE_GET ? SPAN_NONE : token_of(w);
        request_get(&w->request, t, s->route, w->run->plan->path, token);
    } else {
        request_post(&w->request, t, s->route, body_of(w, s));
    }
}

static enum route pick_route(struct worker *w)
{
    const struct mix *mix = &w->run->plan->mix;
    return mix_pick(mix, next_random(w) % mix->total);
}

static void send_request(struct worker *w, struct slot *s, int64_t due_ns)
{
    s->is_busy = true;
    s->route = pick_route(w);
    s->due_ns = due_ns;
    s->give_up_at_ns = (int64_t)uv_hrtime() + w->run->plan->timeout_ns;
    w->busy++;
    (void)atomic_fetch_add_explicit(&w->sent, 1, memory_order_relaxed);
    write_request(w, s);
    client_send(s->client, buf_span(&w->request));
}

/* ---- free connections ---- */

void worker_free_slot(struct worker *w, const struct slot *s)
{
    if (w->is_running && w->free_slots.count == 0) {
        w->free_since_ns = worker_now_ns(w);
    }
    ring_put(&w->free_slots, (size_t)(s - w->slots));
}

void worker_forget_slot(struct worker *w, const struct slot *s)
{
    for (size_t left = w->free_slots.count; left > 0; left--) {
        size_t number = ring_take(&w->free_slots);
        if (&w->slots[number] != s) {
            ring_put(&w->free_slots, number);
        }
    }
}

/* NULL: none. One that is closing, of which we shall hear, is none. */
static struct slot *take_slot(struct worker *w)
{
    while (w->free_slots.count > 0) {
        struct slot *s = &w->slots[ring_take(&w->free_slots)];
        if (client_is_idle(s->client)) {
            return s;
        }
    }
    return NULL;
}

/* ---- when ---- */

static void advance(struct worker *w)
{
    w->next += w->run->plan->threads;
    w->next_due_ns = schedule_due(&w->run->plan->schedule, w->next);
}

static void note_lateness(struct worker *w, int64_t due_ns, int64_t now_ns)
{
    if (due_ns < schedule_measured_from(&w->run->plan->schedule)) {
        return;
    }
    if (due_ns < w->free_since_ns) {
        w->tally->waited++;
    }
    recorder_add(w->tally->lag, now_ns - (due_ns > w->free_since_ns ? due_ns : w->free_since_ns));
}

/* Open loop. True while there may be more. */
static bool send_due(struct worker *w)
{
    int64_t now_ns = worker_now_ns(w);
    int64_t due_ns = w->next_due_ns;
    if (due_ns > now_ns || due_ns >= w->end_ns) {
        return false;
    }
    if (now_ns - due_ns > w->run->plan->timeout_ns) {
        advance(w);
        worker_count(w, pick_route(w), OUTCOME_TIMEOUT, due_ns);
        return true;
    }
    struct slot *s = take_slot(w);
    if (s != NULL) {
        advance(w);
        note_lateness(w, due_ns, now_ns);
        send_request(w, s, due_ns);
    }
    return s != NULL;
}

/* Closed loop. */
static bool send_now(struct worker *w)
{
    int64_t now_ns = worker_now_ns(w);
    struct slot *s = now_ns >= 0 && now_ns < w->end_ns ? take_slot(w) : NULL;
    if (s != NULL) {
        send_request(w, s, now_ns);
    }
    return s != NULL;
}

static void set_timer(struct worker *w)
{
    if (w->next_due_ns >= w->end_ns) {
        return;
    }
    int64_t at_ns = w->next_due_ns + atomic_load(&w->run->begin_at_ns);
    struct itimerspec when = { .it_value = { .tv_sec = (time_t)(at_ns / NS_PER_S),
                                             .tv_nsec = (long)(at_ns % NS_PER_S) } };
    (void)timerfd_settime(w->due_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void worker_dispatch(struct worker *w)
{
    if (!w->is_running || w->is_ending) {
        return;
    }
    if (w->run->plan->schedule.is_closed) {
        while (send_now(w)) {
        }
        return;
    }
    while (send_due(w)) {
    }
    if (w->free_slots.count > 0) {
        set_timer(w);
    }
}

void worker_begin(struct worker *w)
{
    bool is_closed = w->run->plan->schedule.is_closed;
    w->is_running = true;
    w->next = w->index;
    w->next_due_ns = is_closed ? 0 : schedule_due(&w->run->plan->schedule, w->next);
    set_timer(w);
}

void worker_count_unsent(struct worker *w)
{
    while (!w->run->plan->schedule.is_closed && w->next_due_ns < w->end_ns) {
        worker_count(w, pick_route(w), OUTCOME_UNSENT, w->next_due_ns);
        advance(w);
    }
}

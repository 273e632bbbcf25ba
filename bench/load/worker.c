/* worker.c - a thread's connections: opened, answered on, given up, opened again.
 *
 *   due -- a connection is free --> sent --> answered, broken or given up: counted
 *    '---- none is free, in time --------------------------------------> counted
 */
#include "worker_parts.h"

#include "request.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SWEEP_MS             20
#define MAX_OPENING          64 /* connections at a time: a start is no flood of handshakes */
#define FIRST_PAUSE_NS       (NS_PER_S / 100)
#define LONGEST_PAUSE_NS     NS_PER_S
#define INTERRUPTED_DRAIN_NS NS_PER_S /* what is still unanswered then is not counted */

/* ---- what comes back ---- */

static void say_trouble(struct worker *w, const char *why)
{
    (void)snprintf(w->trouble, sizeof(w->trouble), "%s", why);
}

/* The request has ended. A refresh that failed is safe to repeat: its session keeps its token. */
static void settle(struct slot *s, enum outcome outcome)
{
    struct worker *w = s->worker;
    s->is_busy = false;
    w->busy--;
    if (s->route == ROUTE_REFRESH) {
        ring_put(&w->free_sessions, s->session);
    }
    worker_count(w, s->route, outcome, s->due_ns);
}

static void on_ready(struct client *c, void *owner)
{
    struct slot *s = owner;
    struct worker *w = s->worker;
    w->opening--;
    s->is_opening = false;
    s->pause_ns = 0;
    s->requests = 0;
    if (!s->was_open) {
        s->was_open = true;
        (void)atomic_fetch_add(&w->run->opened, 1);
    }
    if (w->is_running && worker_now_ns(w) >= schedule_measured_from(&w->run->plan->schedule)) {
        recorder_add(w->tally->handshakes[client_is_resumed(c) ? 1 : 0], client_opening_ns(c));
    }
    if (w->is_ending) {
        client_close(c);
        return;
    }
    worker_free_slot(w, s);
    worker_dispatch(w);
}

static void on_answer(struct client *c, void *owner, const struct answer *answer)
{
    struct slot *s = owner;
    struct worker *w = s->worker;
    enum outcome outcome = outcome_of_status(answer->status, answer->has_retry_after);
    if (outcome == OUTCOME_OK && s->route == ROUTE_REFRESH &&
        session_take_tokens(&w->sessions[s->session], answer->body) != ERR_OK) {
        outcome = OUTCOME_BROKEN;
        say_trouble(w, "an answer to a refresh without tokens");
    }
    settle(s, outcome);
    s->requests++;
    unsigned most = w->run->plan->reconnect;
    if (w->is_ending || (most > 0 && s->requests >= most)) {
        client_close(c);
    } else if (client_is_idle(c)) {
        worker_free_slot(w, s);
    }
    worker_dispatch(w);
}

static void open_slot(struct slot *s)
{
    s->is_opening = true;
    s->worker->opening++;
    s->give_up_at_ns = (int64_t)uv_hrtime() + s->worker->run->plan->timeout_ns;
    client_open(s->client, NULL);
}

static void on_closed(struct client *c, void *owner, const char *why)
{
    struct slot *s = owner;
    struct worker *w = s->worker;
    (void)c;
    bool was_opening = s->is_opening;
    if (why != NULL) {
        say_trouble(w, why);
    }
    if (was_opening) {
        s->is_opening = false;
        w->opening--;
        w->tally->connect_failures++;
        int64_t longer_ns = s->pause_ns == 0 ? FIRST_PAUSE_NS : s->pause_ns * 2;
        s->pause_ns = longer_ns < LONGEST_PAUSE_NS ? longer_ns : LONGEST_PAUSE_NS;
    } else if (s->is_busy) {
        settle(s, OUTCOME_BROKEN);
    } else if (why != NULL) {
        worker_forget_slot(w, s);
    }
    s->open_at_ns = (int64_t)uv_hrtime() + s->pause_ns;
    if (!w->is_ending && s->pause_ns == 0 && w->opening < MAX_OPENING) {
        open_slot(s);
    }
}

static const struct client_events client_events = { on_ready, on_answer, on_closed };

/* ---- the sweep: what waits for no event ---- */

static void give_up(struct slot *s)
{
    if (s->is_busy) {
        settle(s, OUTCOME_TIMEOUT);
    }
    say_trouble(s->worker, "it gives no answer in time");
    client_close(s->client);
}

static void sweep_slot(struct worker *w, struct slot *s, int64_t now_at_ns)
{
    if ((s->is_busy || s->is_opening) && now_at_ns >= s->give_up_at_ns) {
        give_up(s);
    } else if (!w->is_ending && client_is_closed(s->client) && w->opening < MAX_OPENING &&
               now_at_ns >= s->open_at_ns) {
        open_slot(s);
    }
}

static void close_all(struct worker *w)
{
    for (size_t i = 0; i < w->slot_count; i++) {
        struct slot *s = &w->slots[i];
        s->is_busy = false; /* what was not answered by now is not counted */
        client_close(s->client);
    }
    uv_close((uv_handle_t *)&w->sweep, NULL);
    uv_close((uv_handle_t *)&w->due, NULL);
}

static void end_if_done(struct worker *w)
{
    bool interrupted = atomic_load(&w->run->interrupted);
    int64_t now_ns = w->is_running ? worker_now_ns(w) : 0;
    if (interrupted && now_ns < w->end_ns) {
        w->end_ns = now_ns;
    }
    if (!w->is_ending && (now_ns >= w->end_ns || (interrupted && !w->is_running))) {
        w->is_ending = true;
        if (w->is_running) {
            worker_count_unsent(w);
            worker_use_end(w);
        }
    }
    bool waits = w->busy > 0 && !(interrupted && now_ns - w->end_ns >= INTERRUPTED_DRAIN_NS);
    if (w->is_ending && !waits && !uv_is_closing((uv_handle_t *)&w->sweep)) {
        close_all(w);
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    int64_t now_at_ns = (int64_t)uv_hrtime();
    if (!w->is_running && atomic_load(&w->run->begin_at_ns) != 0) {
        worker_use_begin(w);
        worker_begin(w);
    }
    for (size_t i = 0; i < w->slot_count; i++) {
        sweep_slot(w, &w->slots[i], now_at_ns);
    }
    worker_dispatch(w);
    end_if_done(w);
}

static void on_due(uv_poll_t *poll, int status, int events)
{
    struct worker *w = poll->data;
    uint64_t times = 0;
    (void)status;
    (void)events;
    if (read(w->due_fd, &times, sizeof(times)) > 0) {
        worker_dispatch(w);
    }
}

/* ---- life ---- */

static void *run_thread(void *argument)
{
    struct worker *w = argument;
    (void)uv_run(&w->uv, UV_RUN_DEFAULT);
    INVARIANT(uv_loop_close(&w->uv) == 0);
    atomic_store(&w->has_ended, true);
    return NULL;
}

/* Of `total` things, this worker's: none gets fewer than another that comes after it. */
static size_t share(size_t total, unsigned threads, unsigned index, size_t *ret_first)
{
    size_t each = total / threads;
    size_t rest = total % threads;
    *ret_first = each * index + (index < rest ? index : rest);
    return each + (index < rest ? 1 : 0);
}

static enum err take_share(struct worker *w)
{
    const struct plan *plan = w->run->plan;
    struct population *p = w->run->population;
    size_t first = 0;
    w->slot_count = share(plan->connections, plan->threads, w->index, &first);
    w->slots = calloc(w->slot_count, sizeof(w->slots[0]));
    if (w->slots == NULL) {
        return ERR_NOMEM;
    }
    w->sessions = p->sessions;
    w->session_count = p->session_count;
    if (plan->tokens_file == NULL) { /* what is only read, all may use */
        w->session_count = share(p->session_count, plan->threads, w->index, &first);
        w->sessions = p->sessions + first;
    }
    TRY(ring_init(&w->free_slots, w->slot_count));
    TRY(ring_init(&w->free_sessions, w->session_count));
    for (size_t i = 0; i < w->session_count; i++) {
        ring_put(&w->free_sessions, i);
    }
    return ERR_OK;
}

static enum err new_clients(struct worker *w)
{
    for (size_t i = 0; i < w->slot_count; i++) {
        struct slot *s = &w->slots[i];
        s->worker = w;
        TRY(client_new(&w->shared, &client_events, s, &s->client));
    }
    return ERR_OK;
}

static enum err open_loop(struct worker *w)
{
    w->due_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (w->due_fd < 0 || uv_loop_init(&w->uv) != 0) {
        return ERR_NOMEM;
    }
    if (uv_poll_init(&w->uv, &w->due, w->due_fd) != 0 || uv_timer_init(&w->uv, &w->sweep) != 0 ||
        uv_poll_start(&w->due, UV_READABLE, on_due) != 0 ||
        uv_timer_start(&w->sweep, on_sweep, 0, SWEEP_MS) != 0) {
        return ERR_NOMEM;
    }
    w->due.data = w;
    w->sweep.data = w;
    return ERR_OK;
}

static enum err start(struct worker *w)
{
    char name[16];
    buf_init(&w->request, REQUEST_MAX_BYTES);
    buf_init(&w->body, REQUEST_MAX_BYTES);
    TRY(tally_new(&w->run->plan->schedule, &w->tally));
    TRY(take_share(w));
    TRY(new_clients(w));
    TRY(open_loop(w));
    (void)snprintf(name, sizeof(name), "load-%u", w->index);
    return thread_start(&w->thread, name, 0, run_thread, w);
}

enum err worker_start(struct run *run, unsigned index, struct worker **ret_worker)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return ERR_NOMEM;
    }
    w->run = run;
    w->index = index;
    w->due_fd = -1;
    w->random = (uint64_t)uv_hrtime() + index;
    w->end_ns = run->plan->schedule.end_ns;
    w->shared.uv = &w->uv;
    w->shared.target = run->target;
    w->shared.resume = run->plan->resume;
    enum err e = start(w);
    if (e != ERR_OK) {
        worker_free(w);
        return e;
    }
    *ret_worker = w;
    return ERR_OK;
}

bool worker_has_ended(const struct worker *w)
{
    return atomic_load(&w->has_ended);
}

void worker_join(struct worker *w)
{
    INVARIANT(pthread_join(w->thread, NULL) == 0);
}

struct worker_progress worker_progress(const struct worker *w)
{
    return (struct worker_progress){
        .sent = atomic_load_explicit(&w->sent, memory_order_relaxed),
        .ok = atomic_load_explicit(&w->ok, memory_order_relaxed),
        .shed = atomic_load_explicit(&w->shed, memory_order_relaxed),
        .errors = atomic_load_explicit(&w->errors, memory_order_relaxed),
    };
}

const char *worker_trouble(const struct worker *w)
{
    return w->trouble;
}

const struct tally *worker_tally(const struct worker *w)
{
    return w->tally;
}

struct worker_use worker_use(const struct worker *w)
{
    return w->use;
}

/* After a start that failed the loop is as it may be: the program ends. */
void worker_free(struct worker *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; w->slots != NULL && i < w->slot_count; i++) {
        client_free(w->slots[i].client);
    }
    if (w->due_fd >= 0) {
        (void)close(w->due_fd);
    }
    ring_done(&w->free_slots);
    ring_done(&w->free_sessions);
    buf_done(&w->request);
    buf_done(&w->body);
    tally_free(w->tally);
    free(w->slots);
    free(w);
}

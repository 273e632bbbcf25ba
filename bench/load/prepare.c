/* prepare.c - a list of jobs, worked through by a few connections.
 *
 *   registrations | logins, one a session | one check a route
 *
 * A part begins when all of the one before are done. */
#include "prepare.h"

#include "bench.h"
#include "client.h"
#include "request.h"
#include "words.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_SLOTS       16
#define MAX_TRIES       100 /* of one job, each after its Retry-After */
#define LONGEST_RETRY_S 60  /* a Retry-After beyond it is an error */
#define TICK_MS         200
#define BODY_SHOWN      160
#define SLOWEST_NS      (30 * NS_PER_S) /* for an answer, whatever --timeout says of measured ones */

enum slot_state { SLOT_FREE, SLOT_ASKING, SLOT_PAUSING };

struct preparation;
struct slot {
    struct preparation *of;
    struct client *client;
    bool is_open;
    enum slot_state state;
    size_t job;
    unsigned tries;
    int64_t deadline_ns; /* while opening or asking */
    int64_t retry_ns;    /* while pausing */
};
struct preparation {
    const struct plan *plan;
    const struct target *target;
    struct population *population;
    uv_loop_t uv;
    uv_timer_t tick;
    struct client_loop shared;
    struct slot slots[MAX_SLOTS];
    size_t slot_count;
    size_t registrations, logins, checks;
    enum route routes[ROUTE_COUNT]; /* of the checks */
    size_t next_job, done_jobs;
    struct buf request, body;
    bool failed, is_ending;
};

/* ---- the jobs ---- */

static size_t total(const struct preparation *p)
{
    return p->registrations + p->logins + p->checks;
}

/* The first job of the next part. */
static size_t barrier(const struct preparation *p)
{
    size_t end = p->registrations;
    if (p->done_jobs >= end) {
        end += p->logins;
    }
    return p->done_jobs >= end ? total(p) : end;
}

static enum route route_of(const struct preparation *p, size_t job)
{
    if (job < p->registrations) {
        return ROUTE_REGISTER;
    }
    return job < p->registrations + p->logins ? ROUTE_LOGIN
                                              : p->routes[job - p->registrations - p->logins];
}

static void write_request(struct preparation *p, size_t job)
{
    const struct population *of = p->population;
    enum route route = route_of(p, job);
    buf_reset(&p->request);
    buf_reset(&p->body);
    if (route == ROUTE_REGISTER) {
        population_register_body(of, job, &p->body);
        request_post(&p->request, p->target, route, buf_span(&p->body));
    } else if (route == ROUTE_LOGIN) {
        request_post(&p->request, p->target, route,
                     of->logins[(job - p->registrations) % of->holders]);
    } else {
        struct span token = of->session_count > 0 ? buf_span(&of->sessions[0].access) : SPAN_NONE;
        request_get(&p->request, p->target, route, p->plan->path, token);
    }
}

static void set_jobs(struct preparation *p)
{
    static const enum route checked[] = { ROUTE_GET, ROUTE_VERIFY, ROUTE_PROFILE };
    p->registrations = p->plan->users_file == NULL ? p->population->user_count : 0;
    p->logins = plan_opens_sessions(p->plan) ? p->population->session_count : 0;
    for (size_t i = 0; i < sizeof(checked) / sizeof(checked[0]); i++) {
        if (p->plan->mix.weight[checked[i]] > 0) {
            p->routes[p->checks++] = checked[i];
        }
    }
}

/* ---- the end ---- */

static void end(struct preparation *p)
{
    p->is_ending = true;
    for (size_t i = 0; i < p->slot_count; i++) {
        client_close(p->slots[i].client);
    }
    if (!uv_is_closing((uv_handle_t *)&p->tick)) {
        uv_close((uv_handle_t *)&p->tick, NULL);
    }
}

static void give_up(struct preparation *p)
{
    p->failed = true;
    end(p);
}

/* What a stranger's answer says must not move the cursor. */
static void complain_about_answer(const struct preparation *p, const struct slot *s,
                                  const struct answer *answer, const char *what)
{
    char shown[BODY_SHOWN + 1] = { 0 };
    for (size_t i = 0; i < answer->body.length && i < BODY_SHOWN; i++) {
        char c = answer->body.data[i];
        shown[i] = '?';
        if (c >= ' ' && c <= '~') {
            shown[i] = c;
        }
    }
    enum route route = route_of(p, s->job);
    complain("load: %s%s%s gives %d%s%s%s", request_line(route), route == ROUTE_GET ? " " : "",
             route == ROUTE_GET ? p->plan->path : "", answer->status, what,
             shown[0] != '\0' ? ": " : "", shown);
}

/* ---- slots ---- */

static void show_progress(const struct preparation *p)
{
    if (isatty(STDERR_FILENO) == 1) {
        (void)fprintf(
            stderr, "\rpreparing: %zu of %zu users, %zu of %zu sessions ",
            p->done_jobs < p->registrations ? p->done_jobs : p->registrations, p->registrations,
            p->done_jobs < p->registrations ? 0 : p->done_jobs - p->registrations, p->logins);
    }
}

static void ask(struct slot *s)
{
    struct preparation *p = s->of;
    write_request(p, s->job);
    s->state = SLOT_ASKING;
    s->deadline_ns = (int64_t)uv_hrtime() + SLOWEST_NS;
    client_send(s->client, buf_span(&p->request));
}

static void fill_slots(struct preparation *p)
{
    for (size_t i = 0; i < p->slot_count && !p->is_ending; i++) {
        struct slot *s = &p->slots[i];
        if (s->state == SLOT_FREE && client_is_idle(s->client) && p->next_job < barrier(p)) {
            s->job = p->next_job++;
            s->tries = 0;
            ask(s);
        }
    }
    if (p->done_jobs == total(p)) {
        end(p);
    }
}

static void on_ready(struct client *c, void *owner)
{
    struct slot *s = owner;
    (void)c;
    s->is_open = true;
    fill_slots(s->of);
}

static bool is_as_it_should_be(struct slot *s, const struct answer *answer)
{
    struct preparation *p = s->of;
    if (answer->status >= 400) {
        complain_about_answer(p, s, answer, "");
        return false;
    }
    if (route_of(p, s->job) != ROUTE_LOGIN) {
        return true;
    }
    struct session *session = &p->population->sessions[s->job - p->registrations];
    if (session_take_tokens(session, answer->body) != ERR_OK) {
        complain_about_answer(p, s, answer, " without tokens; is it a Doorward?");
        return false;
    }
    return true;
}

static void on_answer(struct client *c, void *owner, const struct answer *answer)
{
    struct slot *s = owner;
    struct preparation *p = s->of;
    (void)c;
    bool may_retry = (answer->status == 503 || answer->status == 429) && answer->has_retry_after &&
                     answer->retry_after_s <= LONGEST_RETRY_S && s->tries < MAX_TRIES;
    if (may_retry) {
        s->tries++;
        s->state = SLOT_PAUSING;
        s->retry_ns = (int64_t)uv_hrtime() + (int64_t)answer->retry_after_s * NS_PER_S;
        return;
    }
    if (!is_as_it_should_be(s, answer)) {
        give_up(p);
        return;
    }
    s->state = SLOT_FREE;
    p->done_jobs++;
    fill_slots(p);
}

static void open_slot(struct slot *s)
{
    s->is_open = false;
    s->deadline_ns = (int64_t)uv_hrtime() + s->of->plan->timeout_ns;
    client_open(s->client, NULL);
}

static void on_closed(struct client *c, void *owner, const char *why)
{
    struct slot *s = owner;
    struct preparation *p = s->of;
    (void)c;
    if (p->is_ending) {
        return;
    }
    /* One that waits for its next request may be closed at any time. */
    if (why != NULL && (!s->is_open || s->state == SLOT_ASKING)) {
        complain("load: %s: %s", p->plan->target.url, why);
        give_up(p);
        return;
    }
    open_slot(s);
}

static const struct client_events client_events = { on_ready, on_answer, on_closed };

static void on_tick(uv_timer_t *timer)
{
    struct preparation *p = timer->data;
    int64_t now = (int64_t)uv_hrtime();
    show_progress(p);
    for (size_t i = 0; i < p->slot_count && !p->is_ending; i++) {
        struct slot *s = &p->slots[i];
        bool is_waiting = !s->is_open || s->state == SLOT_ASKING;
        if (s->state == SLOT_PAUSING && now >= s->retry_ns && client_is_idle(s->client)) {
            ask(s);
        } else if (is_waiting && now >= s->deadline_ns) {
            complain("load: %s does not %s in time", p->plan->target.url,
                     s->is_open ? "answer" : "finish the handshake");
            give_up(p);
        }
    }
}

/* ---- all of it ---- */

static enum err open_slots(struct preparation *p)
{
    size_t most = total(p) < p->plan->connections ? total(p) : p->plan->connections;
    most = most < MAX_SLOTS ? most : MAX_SLOTS;
    for (size_t i = 0; i < most; i++) {
        struct slot *s = &p->slots[i];
        s->of = p;
        TRY(client_new(&p->shared, &client_events, s, &s->client));
        p->slot_count++;
    }
    for (size_t i = 0; i < most; i++) {
        open_slot(&p->slots[i]);
    }
    return ERR_OK;
}

static enum err run(struct preparation *p)
{
    if (uv_loop_init(&p->uv) != 0 || uv_timer_init(&p->uv, &p->tick) != 0) {
        return ERR_NOMEM;
    }
    p->tick.data = p;
    (void)uv_timer_start(&p->tick, on_tick, TICK_MS, TICK_MS);
    enum err e = open_slots(p);
    if (e != ERR_OK || p->slot_count == 0) {
        end(p);
    }
    (void)uv_run(&p->uv, UV_RUN_DEFAULT);
    for (size_t i = 0; i < p->slot_count; i++) {
        client_free(p->slots[i].client);
    }
    INVARIANT(uv_loop_close(&p->uv) == 0);
    return e == ERR_OK && p->failed ? ERR_CONFIG : e;
}

enum err prepare(const struct plan *plan, const struct target *target,
                 struct population *population)
{
    struct preparation *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return ERR_NOMEM;
    }
    p->plan = plan;
    p->target = target;
    p->population = population;
    p->shared.uv = &p->uv;
    p->shared.target = target;
    buf_init(&p->request, REQUEST_MAX_BYTES);
    buf_init(&p->body, REQUEST_MAX_BYTES);
    set_jobs(p);
    enum err e = run(p);
    if (isatty(STDERR_FILENO) == 1 && total(p) > p->checks) {
        (void)fputs("\r\033[K", stderr);
    }
    buf_done(&p->request);
    buf_done(&p->body);
    free(p);
    return e;
}

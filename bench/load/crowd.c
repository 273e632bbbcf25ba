/* crowd.c - each thread's loop has its share of the connections, and does one thing with all of
 * them at a time: a call gives the loops to threads, and takes them back when they have stopped.
 *
 *   opening | asking | closing: next member --> under way (at most MAX_UNDER_WAY) --> done */
#include "crowd.h"

#include "client.h"
#include "machine.h"
#include "request.h"
#include "words.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_UNDER_WAY    32
#define TICK_MS          20
#define PATIENCE_NS      (30 * NS_PER_S) /* without any progress */
#define PORTS_PER_SOURCE 20000           /* below what the system has for one address */

enum task { TASK_NONE, TASK_OPEN, TASK_ASK, TASK_CLOSE };

struct member {
    struct loop *loop;
    struct client *client;
    size_t number; /* in the crowd */
    bool is_under_way;
};
struct loop {
    struct crowd *crowd;
    pthread_t thread;
    uv_loop_t uv;
    uv_timer_t tick;
    struct client_loop shared;
    struct member *members;
    size_t count;
    enum task task;
    size_t next, under_way, done, resumed;
    int64_t progress_at_ns, stopped_at_ns;
    enum err result;
    char why[CLIENT_WHY_BYTES];
    _Atomic bool has_stopped;
};
struct crowd {
    struct crowd_options options;
    struct buf request;
    struct loop *loops;
    size_t loop_count;
    _Atomic bool interrupted;
    char why[CLIENT_WHY_BYTES];
};

/* ---- one loop's task ---- */

static void stop(struct loop *l, enum err result)
{
    if (l->task != TASK_NONE) {
        l->task = TASK_NONE;
        l->result = result;
        uv_stop(&l->uv);
    }
}

/* Different addresses of this machine have ports of their own. */
static const struct sockaddr *source_of(const struct member *m, struct sockaddr_in *room)
{
    const struct crowd_options *o = &m->loop->crowd->options;
    const struct sockaddr_in *to = (const struct sockaddr_in *)(const void *)&o->target->address;
    if (o->count <= PORTS_PER_SOURCE || to->sin_family != AF_INET ||
        ntohl(to->sin_addr.s_addr) >> 24 != 127) {
        return NULL;
    }
    *room = (struct sockaddr_in){ .sin_family = AF_INET };
    room->sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(m->number / PORTS_PER_SOURCE));
    return (const struct sockaddr *)room;
}

static void begin(struct member *m)
{
    struct sockaddr_in room;
    struct loop *l = m->loop;
    m->is_under_way = true;
    l->under_way++;
    if (l->task == TASK_OPEN) {
        client_open(m->client, source_of(m, &room));
    } else if (l->task == TASK_CLOSE) {
        client_close(m->client);
    } else if (client_is_idle(m->client)) {
        client_send(m->client, buf_span(&l->crowd->request));
    }
}

static void begin_more(struct loop *l)
{
    while (l->task != TASK_NONE && l->next < l->count && l->under_way < MAX_UNDER_WAY) {
        struct member *m = &l->members[l->next++];
        if (l->task == TASK_CLOSE && client_is_closed(m->client)) {
            l->done++;
        } else {
            begin(m);
        }
    }
    if (l->done == l->count) {
        stop(l, ERR_OK);
    }
}

static void finish(struct member *m)
{
    struct loop *l = m->loop;
    if (m->is_under_way) {
        m->is_under_way = false;
        l->under_way--;
        l->done++;
        l->progress_at_ns = (int64_t)uv_hrtime();
    }
    begin_more(l);
}

static void on_ready(struct client *c, void *owner)
{
    struct member *m = owner;
    m->loop->resumed += client_is_resumed(c) ? 1 : 0;
    finish(m);
}

static void on_answer(struct client *c, void *owner, const struct answer *answer)
{
    struct member *m = owner;
    (void)c;
    if (!answer->keep_alive) {
        (void)snprintf(m->loop->why, sizeof(m->loop->why), "it keeps no connection open");
        stop(m->loop, ERR_IO);
        return;
    }
    finish(m);
}

static void on_closed(struct client *c, void *owner, const char *why)
{
    struct member *m = owner;
    struct loop *l = m->loop;
    (void)c;
    if (l->task == TASK_CLOSE) {
        finish(m);
    } else if (why != NULL) {
        (void)snprintf(l->why, sizeof(l->why), "%s", why);
        stop(l, ERR_IO);
    }
}

static const struct client_events member_events = { on_ready, on_answer, on_closed };

static void on_tick(uv_timer_t *timer)
{
    struct loop *l = timer->data;
    if (atomic_load(&l->crowd->interrupted)) {
        stop(l, ERR_CANCELLED);
    } else if ((int64_t)uv_hrtime() - l->progress_at_ns > PATIENCE_NS) {
        (void)snprintf(l->why, sizeof(l->why), "nothing happens for %d s",
                       (int)(PATIENCE_NS / NS_PER_S));
        stop(l, ERR_TIMEOUT);
    }
}

/* ---- all loops ---- */

static void *run_loop(void *argument)
{
    struct loop *l = argument;
    begin_more(l);
    if (l->task != TASK_NONE) {
        (void)uv_run(&l->uv, UV_RUN_DEFAULT);
    }
    l->stopped_at_ns = (int64_t)uv_hrtime();
    atomic_store(&l->has_stopped, true);
    return NULL;
}

static enum err start_loop(struct loop *l, enum task task, bool resume)
{
    l->task = task;
    l->shared.resume = resume;
    l->next = 0;
    l->under_way = 0;
    l->done = 0;
    l->resumed = 0;
    l->result = ERR_OK;
    l->progress_at_ns = (int64_t)uv_hrtime();
    atomic_store(&l->has_stopped, false);
    for (size_t i = 0; i < l->count; i++) {
        l->members[i].is_under_way = false;
    }
    return thread_start(&l->thread, "crowd", 0, run_loop, l);
}

static bool all_have_stopped(const struct crowd *c, size_t started)
{
    for (size_t i = 0; i < started; i++) {
        if (!atomic_load(&c->loops[i].has_stopped)) {
            return false;
        }
    }
    return true;
}

static enum err gather(struct crowd *c, size_t started, int64_t began_ns, struct crowd_step *step)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < started; i++) {
        struct loop *l = &c->loops[i];
        INVARIANT(pthread_join(l->thread, NULL) == 0);
        step->done += l->done;
        step->resumed += l->resumed;
        if (l->stopped_at_ns - began_ns > step->elapsed_ns) {
            step->elapsed_ns = l->stopped_at_ns - began_ns;
        }
        if (l->result != ERR_OK) {
            e = l->result;
            (void)snprintf(c->why, sizeof(c->why), "%s", l->why);
        }
    }
    return e;
}

static enum err run(struct crowd *c, enum task task, bool resume, struct crowd_step *ret_step)
{
    struct crowd_step step = { 0 };
    int64_t began_ns = (int64_t)uv_hrtime();
    enum err started = ERR_OK;
    size_t count = 0;
    while (started == ERR_OK && count < c->loop_count) {
        started = start_loop(&c->loops[count], task, resume);
        count += started == ERR_OK ? 1 : 0;
    }
    while (!all_have_stopped(c, count)) {
        if (machine_wait_for_signal() || started != ERR_OK) {
            atomic_store(&c->interrupted, true);
        }
    }
    enum err e = gather(c, count, began_ns, &step);
    *ret_step = step;
    return started != ERR_OK ? started : e;
}

enum err crowd_open(struct crowd *c, bool resume, struct crowd_step *ret_step)
{
    return run(c, TASK_OPEN, resume, ret_step);
}

enum err crowd_ask(struct crowd *c, struct crowd_step *ret_step)
{
    return run(c, TASK_ASK, true, ret_step);
}

enum err crowd_close(struct crowd *c, struct crowd_step *ret_step)
{
    return run(c, TASK_CLOSE, true, ret_step);
}

const char *crowd_why(const struct crowd *c)
{
    return c->why;
}

/* ---- life ---- */

static enum err fill_loop(struct loop *l, struct crowd *c, size_t first, size_t count)
{
    l->crowd = c;
    l->shared.uv = &l->uv;
    l->shared.target = c->options.target;
    l->members = calloc(count, sizeof(l->members[0]));
    if (l->members == NULL || uv_loop_init(&l->uv) != 0) {
        return ERR_NOMEM;
    }
    l->tick.data = l;
    if (uv_timer_init(&l->uv, &l->tick) != 0 ||
        uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS) != 0) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct member *m = &l->members[i];
        m->loop = l;
        m->number = first + i;
        TRY(client_new(&l->shared, &member_events, m, &m->client));
        l->count++;
    }
    return ERR_OK;
}

static enum err fill(struct crowd *c)
{
    const struct crowd_options *o = &c->options;
    size_t threads = o->threads < o->count ? o->threads : o->count;
    c->loops = calloc(threads, sizeof(c->loops[0]));
    if (c->loops == NULL) {
        return ERR_NOMEM;
    }
    request_get(&c->request, o->target, ROUTE_GET, o->path, SPAN_NONE);
    for (size_t i = 0; i < threads; i++) {
        size_t first = o->count * i / threads;
        size_t next = o->count * (i + 1) / threads;
        c->loop_count++;
        TRY(fill_loop(&c->loops[i], c, first, next - first));
    }
    return buf_result(&c->request);
}

enum err crowd_new(const struct crowd_options *options, struct crowd **ret_crowd)
{
    struct crowd *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->options = *options;
    buf_init(&c->request, REQUEST_MAX_BYTES);
    enum err e = fill(c);
    if (e != ERR_OK) {
        crowd_free(c);
        return e;
    }
    *ret_crowd = c;
    return ERR_OK;
}

static void free_loop(struct loop *l)
{
    if (l->tick.data != NULL) { /* else nothing of it runs */
        for (size_t i = 0; i < l->count; i++) {
            client_close(l->members[i].client);
        }
        uv_close((uv_handle_t *)&l->tick, NULL);
        (void)uv_run(&l->uv, UV_RUN_DEFAULT);
        (void)uv_loop_close(&l->uv);
    }
    for (size_t i = 0; i < l->count; i++) {
        client_free(l->members[i].client);
    }
    free(l->members);
}

void crowd_free(struct crowd *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->loop_count; i++) {
        free_loop(&c->loops[i]);
    }
    free(c->loops);
    buf_done(&c->request);
    free(c);
}

#include "upkeep.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define FOLLOW_MS    500
#define TEND_MS      2000
#define CERT_MS      1000
#define STACK_BYTES  ((size_t)256 * 1024)
#define REASON_BYTES ((size_t)16 * 1024)

/* Something done again and again, and whether it worked last time. */
struct duty {
    const char *name;
    enum err (*run)(struct auth *auth);
    int64_t every_us, next_us;
    enum err last;
};

struct upkeep {
    /* fixed */
    struct auth *auth;
    struct tls_context *tls;
    pthread_t follower, tender;
    bool has_follower, has_tender;
    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, reload;
    bool put; /* somebody may have put a revocation */
};

/* Wait until `until_us` or until *wish, which may be NULL; false when it is time to end.
 * *ret_wished tells which it was. */
static bool wait_until(struct upkeep *u, int64_t until_us, bool *wish, bool *ret_wished)
{
    struct timespec until = { .tv_sec = until_us / 1000000,
                              .tv_nsec = (until_us % 1000000) * 1000 };
    (void)pthread_mutex_lock(&u->lock);
    int woken = 0;
    while (!u->stop && !(wish != NULL && *wish) && woken == 0) {
        woken = pthread_cond_timedwait(&u->wake, &u->lock, &until);
    }
    *ret_wished = wish != NULL && *wish;
    if (wish != NULL) {
        *wish = false;
    }
    bool go_on = !u->stop;
    (void)pthread_mutex_unlock(&u->lock);
    return go_on;
}

static void do_duty(struct duty *d, struct auth *auth)
{
    enum err now = d->run(auth);
    if (now != d->last && now != ERR_OK) {
        log_event(LOG_ERROR, "upkeep_failed", LOG_STR("duty", d->name),
                  LOG_STR("reason", err_text(now)));
    } else if (now != d->last) {
        log_event(LOG_INFO, "upkeep_recovered", LOG_STR("duty", d->name));
    }
    d->last = now;
    d->next_us = clock_monotonic_us() + d->every_us;
}

/* Every other round may come early, when the store tells of something: who waits for an ending is
 * served at once, and a storm of them is not followed one by one. */
static void *follow(void *argument)
{
    struct upkeep *u = argument;
    bool early = false;
    struct duty duty = { .name = "follow", .run = auth_follow, .every_us = FOLLOW_MS * 1000 };
    do {
        do_duty(&duty, u->auth);
    } while (wait_until(u, duty.next_us, early ? NULL : &u->put, &early));
    return NULL;
}

static void reload_certificate(struct upkeep *u)
{
    struct arena a;
    struct span why = SPAN_NONE;
    arena_init(&a, REASON_BYTES);
    if (tls_context_reload(u->tls, &a, &why) == ERR_OK) {
        char expires[CLOCK_RFC3339_LENGTH + 1];
        clock_rfc3339(tls_context_expires_at(u->tls), expires);
        log_event(LOG_INFO, "certificate_reloaded", LOG_STR("expires_at", expires));
    } else {
        log_event(LOG_ERROR, "certificate_kept", LOG_SPAN("reason", why));
    }
    arena_done(&a);
}

/* A broken file is read once, and again when it changes or when it is asked for. */
static void *tend(void *argument)
{
    struct upkeep *u = argument;
    struct duty duty = { .name = "tend", .run = auth_tend, .every_us = TEND_MS * 1000 };
    int64_t now_us = clock_monotonic_us();
    bool reload = false;
    do {
        if (u->tls != NULL && (reload || tls_context_is_stale(u->tls))) {
            reload_certificate(u);
        }
        if (now_us >= duty.next_us) {
            do_duty(&duty, u->auth);
        }
    } while (wait_until(u, now_us + CERT_MS * 1000, &u->reload, &reload) &&
             (now_us = clock_monotonic_us()) > 0);
    return NULL;
}

static void init_waiting(struct upkeep *u)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&u->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&u->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void wake_all(struct upkeep *u, bool *flag)
{
    (void)pthread_mutex_lock(&u->lock);
    *flag = true;
    (void)pthread_cond_broadcast(&u->wake);
    (void)pthread_mutex_unlock(&u->lock);
}

static void on_put(void *argument)
{
    struct upkeep *u = argument;
    wake_all(u, &u->put);
}

enum err upkeep_new(struct auth *auth, struct tls_context *tls, struct upkeep **ret_upkeep)
{
    struct upkeep *u = calloc(1, sizeof(*u));
    if (u == NULL) {
        return ERR_NOMEM;
    }
    u->auth = auth;
    u->tls = tls;
    init_waiting(u);
    u->has_follower = thread_start(&u->follower, "follow", STACK_BYTES, follow, u) == ERR_OK;
    u->has_tender =
        u->has_follower && thread_start(&u->tender, "tend", STACK_BYTES, tend, u) == ERR_OK;
    if (!u->has_tender) {
        upkeep_free(u);
        return ERR_NOMEM;
    }
    auth_watch(auth, on_put, u);
    *ret_upkeep = u;
    return ERR_OK;
}

void upkeep_reload(struct upkeep *u)
{
    wake_all(u, &u->reload);
}

void upkeep_free(struct upkeep *u)
{
    if (u == NULL) {
        return;
    }
    auth_watch(u->auth, NULL, NULL);
    wake_all(u, &u->stop);
    if (u->has_follower) {
        (void)pthread_join(u->follower, NULL);
    }
    if (u->has_tender) {
        (void)pthread_join(u->tender, NULL);
    }
    (void)pthread_cond_destroy(&u->wake);
    (void)pthread_mutex_destroy(&u->lock);
    free(u);
}

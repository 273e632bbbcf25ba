/* mongo_watch.c - a change stream of the revocations, where the server has such streams.
 *
 * It only makes who follows look earlier: what is followed is what he reads himself, twice a second
 * anyway. So a stream that breaks, lags or is not offered (a standalone server, a user who may not)
 * loses nothing, and is tried again ever more seldom. The thread has a connection of its own, so
 * that no place of the pool is spent on waiting. */
#include "mongo.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define AWAIT_MS       INT64_C(500) /* one round of waiting at the server; and for the thread's end */
#define FIRST_PAUSE_MS INT64_C(1000)
#define MAX_PAUSE_MS   INT64_C(60000)
#define STACK_BYTES    ((size_t)512 * 1024)

struct mongo_watch {
    const struct mongo_store *store; /* fixed */
    mongoc_client_t *client;         /* the thread's */
    pthread_t thread;                /* fixed */
    pthread_mutex_t lock;            /* for what follows */
    pthread_cond_t ending;
    bool stop;
    store_put_fn *on_put;
    void *argument;
};

static void tell(struct mongo_watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    if (w->on_put != NULL) {
        w->on_put(w->argument);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static bool is_stopped(struct mongo_watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool stop = w->stop;
    (void)pthread_mutex_unlock(&w->lock);
    return stop;
}

/* The server waits before it answers with nothing: well within the socket's patience. */
static mongoc_change_stream_t *open_stream(const struct mongo_watch *w, mongoc_collection_t *c)
{
    int64_t await_ms = w->store->socket_ms / 2 < AWAIT_MS ? w->store->socket_ms / 2 : AWAIT_MS;
    AUTO(mongo_bson)
    bson_t *pipeline = BCON_NEW("0", "{", "$project", "{", "_id", BCON_BOOL(true), "}",
                                "}"); /* it resumes by it */
    AUTO(mongo_bson) bson_t *options = BCON_NEW("maxAwaitTimeMS", BCON_INT64(await_ms));
    return mongoc_collection_watch(c, pipeline, options);
}

/* Whether it ever answered. Told at its opening as well: what came before is not in it. */
static bool follow_stream(struct mongo_watch *w)
{
    mongoc_collection_t *c =
        mongoc_client_get_collection(w->client, w->store->database, "revocations");
    mongoc_change_stream_t *stream = open_stream(w, c);
    const bson_t *doc = NULL;
    bool works = false;
    bool failed = false;
    while (!failed && !is_stopped(w)) {
        bool is_news = mongoc_change_stream_next(stream, &doc);
        failed = !is_news && mongoc_change_stream_error_document(stream, NULL, &doc);
        if (is_news || (!works && !failed)) {
            tell(w);
        }
        works = works || !failed;
    }
    mongoc_change_stream_destroy(stream);
    mongoc_collection_destroy(c);
    return works;
}

/* False: it is time to end. */
static bool pause_ms(struct mongo_watch *w, int64_t ms)
{
    int64_t until_us = clock_monotonic_us() + ms * 1000;
    struct timespec until = { .tv_sec = until_us / 1000000,
                              .tv_nsec = (until_us % 1000000) * 1000 };
    int woken = 0;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stop && woken == 0) {
        woken = pthread_cond_timedwait(&w->ending, &w->lock, &until);
    }
    bool go_on = !w->stop;
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *watch(void *argument)
{
    struct mongo_watch *w = argument;
    int64_t ms = FIRST_PAUSE_MS;
    do {
        ms = follow_stream(w) ? FIRST_PAUSE_MS : ms * 2 < MAX_PAUSE_MS ? ms * 2 : MAX_PAUSE_MS;
    } while (pause_ms(w, ms));
    return NULL;
}

static void free_watch(struct mongo_watch *w)
{
    if (w->client != NULL) {
        mongoc_client_destroy(w->client);
    }
    (void)pthread_cond_destroy(&w->ending);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

static struct mongo_watch *new_watch(const struct mongo_store *s, store_put_fn *on_put,
                                     void *argument)
{
    bson_error_t error;
    pthread_condattr_t attributes;
    struct mongo_watch *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return NULL;
    }
    *w = (struct mongo_watch){ .store = s, .on_put = on_put, .argument = argument };
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->ending, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    w->client = mongoc_client_new_from_uri_with_error(s->uri, &error);
    if (w->client == NULL || !mongoc_client_set_error_api(w->client, MONGOC_ERROR_API_VERSION_2) ||
        thread_start(&w->thread, "watch", STACK_BYTES, watch, w) != ERR_OK) {
        free_watch(w);
        return NULL;
    }
    return w;
}

void mongo_revocation_watch(struct store *base, store_put_fn *on_put, void *argument)
{
    struct mongo_store *s = mongo_of(base);
    if (s->watch == NULL && on_put != NULL) {
        s->watch = new_watch(s, on_put, argument); /* without one, who follows only polls */
    } else if (s->watch != NULL) {
        (void)pthread_mutex_lock(&s->watch->lock);
        s->watch->on_put = on_put;
        s->watch->argument = argument;
        (void)pthread_mutex_unlock(&s->watch->lock);
    }
}

void mongo_watch_end(struct mongo_store *s)
{
    struct mongo_watch *w = s->watch;
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_broadcast(&w->ending);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    free_watch(w);
    s->watch = NULL;
}

/* mongo.c - opens and closes the MongoDB backend, and is the way into its module. */
#include "mongo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t driver_once = PTHREAD_ONCE_INIT;
static const struct store_host *driver_host; /* fixed before the first store is opened */

/* libmongoc's own lines are not in our format and may quote what it was given; what matters of them
 * comes back as errors. */
static void drop_line(mongoc_log_level_t level, const char *domain, const char *message,
                      void *argument)
{
    (void)level;
    (void)domain;
    (void)message;
    (void)argument;
}

/* Never undone: another store may be opened later, and libmongoc starts only once. */
static void start_driver(void)
{
    mongoc_init();
    mongoc_log_set_handler(drop_line, NULL);
}

static enum err open_pool(struct mongo_store *s, struct arena *a, struct span *ret_why)
{
    struct mongo_call none = { .store = s };
    s->pool = mongoc_client_pool_new_with_error(s->uri, &none.error);
    if (s->pool == NULL) {
        return mongo_why(&none, "set up connections", a, ret_why);
    }
    return mongoc_client_pool_set_error_api(s->pool, MONGOC_ERROR_API_VERSION_2) ? ERR_OK
                                                                                 : ERR_INTERNAL;
}

static void close_store(struct store *base)
{
    struct mongo_store *s = mongo_of(base);
    mongo_watch_end(s);
    if (s->pool != NULL) {
        mongoc_client_pool_destroy(s->pool);
    }
    if (s->uri != NULL) {
        mongoc_uri_destroy(s->uri);
    }
    free(s);
}

static enum err open_parts(struct mongo_store *s, const struct store_options *options,
                           struct arena *a, struct span *ret_why)
{
    TRY(secret_random(s->id.bytes, sizeof(s->id.bytes)));
    TRY(mongo_uri_read(options, a, ret_why, &s->uri));
    s->database = mongoc_uri_get_database(s->uri);
    TRY(open_pool(s, a, ret_why));
    return mongo_schema_prepare(s, a, ret_why);
}

static const struct store_backend mongo_backend;

static enum err open_store(const struct store_options *options, struct span location,
                           struct arena *a, struct span *ret_why, struct store **ret_store)
{
    (void)location; /* libmongoc wants the whole URI */
    (void)pthread_once(&driver_once, start_driver);
    struct mongo_store *s = calloc(1, sizeof(*s));
    *ret_why = SPAN("not enough memory to open the database");
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->base.backend = &mongo_backend;
    s->host = driver_host;
    s->selection_ms = options->selection_timeout_ms;
    s->socket_ms = options->socket_timeout_ms;
    enum err e = open_parts(s, options, a, ret_why);
    if (e != ERR_OK) {
        close_store(&s->base);
        return e == ERR_CONFIG ? ERR_CONFIG : ERR_IO;
    }
    s->is_open = true;
    *ret_why = SPAN_NONE;
    *ret_store = &s->base;
    return ERR_OK;
}

static const struct store_backend mongo_backend = {
    .open = open_store,
    .close = close_store,
    .users = &mongo_user_ops,
    .sessions = &mongo_session_ops,
    .revocations = &mongo_revocation_ops,
    .keys = &mongo_key_ops,
    .upkeep = &mongo_upkeep_ops,
    .bulk = &mongo_bulk_ops,
};

const struct store_backend *store_mongo_entry(const struct store_host *host)
{
    driver_host = host;
    return &mongo_backend;
}

/* mongo.h - the MongoDB backend's inside: the store, how it is opened and watched, and its records.
 *
 * The whole backend is a shared module, loaded only for a MongoDB URI; nothing outside it sees a
 * header of libmongoc. Shapes of the collections: docs/mongodb.md. */
#ifndef DOORWARD_STORE_MONGO_H
#define DOORWARD_STORE_MONGO_H

#include "backend.h"
#include "mongo_bson.h"
#include "mongo_call.h"
#include <stdatomic.h>

#define MONGO_SCHEMA_VERSION 1
#define MONGO_DUPLICATE      11000

struct mongo_store {
    struct store base;
    const struct store_host *host; /* fixed */
    bool is_open;                  /* fixed after opening, which tells its failures itself */
    mongoc_uri_t *uri;             /* fixed */
    mongoc_client_pool_t *pool;    /* fixed; it has its own lock */
    const char *database;          /* fixed; in uri */
    int64_t selection_ms;          /* fixed */
    int64_t socket_ms;             /* fixed */
    struct uuid id;                /* fixed: of this process's heartbeat */
    _Atomic int64_t told_us;       /* when a failure was last logged; 0: never */
    _Atomic uint32_t puts;         /* revocations, to tell those of one millisecond apart */
    struct mongo_watch *watch;     /* NULL until somebody watches; his thread's */
};
static inline struct mongo_store *mongo_of(struct store *s)
{
    return (struct mongo_store *)s;
}

/* Every failure's line, at most one a second. */
void mongo_tell(struct mongo_store *s, const bson_error_t *error);

/* ---- watching (mongo_watch.c) ---- */
void mongo_revocation_watch(struct store *s, store_put_fn *on_put, void *argument);
void mongo_watch_end(struct mongo_store *s); /* waits for its thread, at most one round */

/* ---- opening (mongo_uri.c, mongo_schema.c) ---- */
/* The URI with our limits and guarantees put in; what it says against them is refused. */
MUST_CHECK enum err mongo_uri_read(const struct store_options *options, struct arena *a,
                                   struct span *ret_why, mongoc_uri_t **ret_uri);
/* The sentence for a failure at start; never with a part of the URI but hosts. */
MUST_CHECK enum err mongo_why(const struct mongo_call *c, const char *doing, struct arena *a,
                              struct span *ret_why);
MUST_CHECK enum err mongo_schema_prepare(struct mongo_store *s, struct arena *a,
                                         struct span *ret_why);

/* ---- the records ---- */
void mongo_put_living(bson_t *filter, struct uuid id); /* a user that is not deleted */
MUST_CHECK enum err mongo_user_read(const bson_t *doc, struct arena *a, void *ret_row);
/* Leaves *ret_user as it is where the document is a tombstone. */
MUST_CHECK enum err mongo_user_read_living(const bson_t *doc, struct arena *a,
                                           struct store_user *ret_user);
MUST_CHECK enum err mongo_user_attempt(struct store *s, struct uuid id, int64_t free_attempts,
                                       int64_t max_wait_ms, struct store_attempt *ret_attempt);
MUST_CHECK enum err mongo_stranger_attempt(struct store *s,
                                           const uint8_t name[static STORE_STRANGER_BYTES],
                                           int64_t free_attempts, int64_t max_wait_ms,
                                           struct store_attempt *ret_attempt);
/* The record as it is stored, with this call's id in it. */
void mongo_user_put(bson_t *doc, const struct store_user *user, struct uuid call);
void mongo_session_put(bson_t *doc, const struct store_session *session, struct uuid call);
/* Adds that document; the conflicts are those of store_user_add() and store_session_add(). */
MUST_CHECK enum err mongo_user_insert(struct mongo_call *c, const bson_t *doc,
                                      const struct store_user *user);
MUST_CHECK enum err mongo_session_insert(struct mongo_call *c, const bson_t *doc,
                                         const struct store_session *session);
MUST_CHECK enum err mongo_session_read(const bson_t *doc, struct arena *a, void *ret_row);
/* An expression: neither limit is passed. The caller owns it. */
bson_t *mongo_session_unexpired_new(void);

extern const struct store_user_ops mongo_user_ops;
extern const struct store_session_ops mongo_session_ops;
extern const struct store_revocation_ops mongo_revocation_ops;
extern const struct store_key_ops mongo_key_ops;
extern const struct store_upkeep_ops mongo_upkeep_ops;
extern const struct store_bulk_ops mongo_bulk_ops;

#endif

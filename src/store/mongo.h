/* mongo.h - the MongoDB backend's inside: a pool of clients, and calls that find out what became of
 * their writes.
 *
 * The whole backend is a shared module, loaded only for a MongoDB URI; nothing outside it sees a
 * header of libmongoc. Shapes of the collections: docs/mongodb.md.
 *
 * A write that fails may have been made: the reply may be lost, twice. So every write here can be
 * repeated: it is conditional on what it changes, or marks the record with the call's own id, by
 * which a later try or a majority read recognises it. The functions below repeat by themselves for
 * as long as MONGO_SELECTION_TIMEOUT_MS since the call began, and begin nothing any more when
 * STORE_MONGO_BEGIN_MS have passed; what is unsettled then is ERR_UNAVAILABLE. A write that was
 * made in an earlier try looks like one that met no record: callers then read, and look for their
 * id.
 *
 * All writes are w:majority and journaled, all reads are majority reads of the primary. A write
 * that met nothing waits for the majority as well, so that the read behind it sees what it met. */
#ifndef DOORWARD_STORE_MONGO_H
#define DOORWARD_STORE_MONGO_H

#include "backend.h"
#include "mongo_bson.h"
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

/* ---- one call (mongo_call.c) ---- */
/* A client from the pool for the time of one store call: AUTO(mongo_call) struct mongo_call c =
 * { 0 }; TRY(mongo_call_open(s, "users", &c)); */
struct mongo_call {
    struct mongo_store *store;
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    struct uuid id; /* random: marks what this call wrote */
    int64_t started_us;
    int64_t pause_ms;   /* before the next try */
    bool is_repeated;   /* an earlier try may have been made */
    bson_t reply;       /* of the last write or read */
    bson_error_t error; /* of the last failure */
};
MUST_CHECK enum err mongo_call_open(struct store *s, const char *collection,
                                    struct mongo_call *ret_call);
void mongo_call_auto(struct mongo_call *c);
/* The call goes on with another collection. */
void mongo_call_turn(struct mongo_call *c, const char *collection);
/* After a failure or an answer that may be overtaken: waits and gives true, or false when the time
 * for trying again is over. */
bool mongo_call_again(struct mongo_call *c);

/* ERR_CONFLICT: a unique field or the _id is taken; maybe by this call's own earlier try. */
MUST_CHECK enum err mongo_insert(struct mongo_call *c, const bson_t *doc);

enum mongo_mode {
    MONGO_ONE = 0,
    MONGO_UPSERT = 1, /* ERR_CONFLICT does not come out of it: it tries again */
    MONGO_MANY = 2,
};
/* `update` is a document of operators, or an array: a pipeline. ERR_NOT_FOUND: none matched. */
MUST_CHECK enum err mongo_update(struct mongo_call *c, const bson_t *filter, const bson_t *update,
                                 enum mongo_mode mode);
/* The same for one document, which as it then is goes to *ret_doc; it lives until the next
 * operation of the call. */
MUST_CHECK enum err mongo_modify(struct mongo_call *c, const bson_t *filter, const bson_t *update,
                                 enum mongo_mode mode, bson_t *ret_doc);
/* ERR_NOT_FOUND: there was none. */
MUST_CHECK enum err mongo_delete(struct mongo_call *c, const bson_t *filter);

/* Reads one document of a result into *ret_row. */
typedef enum err mongo_read_fn(const bson_t *doc, struct arena *a, void *ret_row);
struct mongo_rows {
    void *data;
    size_t count, capacity;
};
/* ERR_NOT_FOUND: none matched. `a` may be NULL where `read` needs none. */
MUST_CHECK enum err mongo_find_one(struct mongo_call *c, const bson_t *filter, mongo_read_fn *read,
                                   struct arena *a, void *ret_row);
struct mongo_query {
    const bson_t *filter;
    const bson_t *options;  /* of mongoc_collection_find_with_opts(): sort, projection */
    const bson_t *pipeline; /* instead of both; it ends at `max` by itself */
    size_t max;
    mongo_read_fn *read;
    size_t row_bytes;
};
/* *rows begins empty. */
MUST_CHECK enum err mongo_find(struct mongo_call *c, const struct mongo_query *query,
                               struct arena *a, struct mongo_rows *rows);
/* The one with the highest `field`. */
MUST_CHECK enum err mongo_find_last(struct mongo_call *c, const bson_t *filter, const char *field,
                                    mongo_read_fn *read, struct arena *a, void *ret_row);
/* The one that a pipeline gives. */
MUST_CHECK enum err mongo_aggregate_one(struct mongo_call *c, const bson_t *pipeline,
                                        mongo_read_fn *read, struct arena *a, void *ret_row);
/* mongo_find_one(), with the server's time beside it: the date "now". */
MUST_CHECK enum err mongo_look(struct mongo_call *c, const bson_t *filter, mongo_read_fn *read,
                               struct arena *a, void *ret_row);
/* For start: any command on the database, tried once. */
MUST_CHECK enum err mongo_command(struct mongo_call *c, const bson_t *command);
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

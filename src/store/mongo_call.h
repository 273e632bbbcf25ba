/* mongo_call.h - calls on MongoDB that find out what became of their writes.
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
#ifndef DOORWARD_STORE_MONGO_CALL_H
#define DOORWARD_STORE_MONGO_CALL_H

#include "mongo_bson.h"

struct mongo_store;

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

#endif

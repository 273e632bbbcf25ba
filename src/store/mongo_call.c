/* mongo_call.c - one call on a pooled client: operations that are repeated until their fate is
 * known, or the time for it is over. */
#include "mongo.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_PAUSE_MS 20
#define MAX_PAUSE_MS   320
#define TOLD_EVERY_US  INT64_C(1000000)

enum err mongo_call_open(struct store *s, const char *collection, struct mongo_call *ret_call)
{
    struct mongo_store *store = mongo_of(s);
    struct mongo_call c = { .store = store,
                            .started_us = clock_monotonic_us(),
                            .pause_ms = FIRST_PAUSE_MS };
    TRY(secret_random(c.id.bytes, sizeof(c.id.bytes)));
    c.client = mongoc_client_pool_pop(store->pool); /* waits for waitQueueTimeoutMS */
    if (c.client == NULL) {
        bson_set_error(&c.error, MONGOC_ERROR_POOL, 0, "no client of the pool is free");
        mongo_tell(store, &c.error);
        return ERR_UNAVAILABLE;
    }
    *ret_call = c;
    bson_init(&ret_call->reply); /* in place: a bson_t points into itself */
    mongo_call_turn(ret_call, collection);
    return ERR_OK;
}

void mongo_call_turn(struct mongo_call *c, const char *collection)
{
    if (c->collection != NULL) {
        mongoc_collection_destroy(c->collection);
    }
    c->collection = mongoc_client_get_collection(c->client, c->store->database, collection);
}

void mongo_call_auto(struct mongo_call *c)
{
    if (c->client != NULL) {
        mongoc_collection_destroy(c->collection);
        mongoc_client_pool_push(c->store->pool, c->client);
        bson_destroy(&c->reply);
    }
}

void mongo_tell(struct mongo_store *s, const bson_error_t *error)
{
    int64_t now_us = clock_monotonic_us();
    int64_t told_us = atomic_load(&s->told_us);
    if (!s->is_open || (told_us != 0 && now_us - told_us < TOLD_EVERY_US) ||
        !atomic_compare_exchange_strong(&s->told_us, &told_us, now_us)) {
        return;
    }
    const struct log_field fields[] = { LOG_STR("reason", error->message),
                                        LOG_NUMBER("code", error->code),
                                        LOG_NUMBER("domain", error->domain) };
    s->host->log(LOG_ERROR, "store_failed", fields, sizeof(fields) / sizeof(fields[0]));
}

/* ---- trying again ---- */
static int64_t waited_ms(const struct mongo_call *c)
{
    return (clock_monotonic_us() - c->started_us) / 1000;
}

bool mongo_call_again(struct mongo_call *c)
{
    if (waited_ms(c) + c->pause_ms >= c->store->selection_ms) {
        return false;
    }
    struct timespec pause = { .tv_nsec = c->pause_ms * 1000000 };
    (void)nanosleep(&pause, NULL);
    c->pause_ms = c->pause_ms * 2 < MAX_PAUSE_MS ? c->pause_ms * 2 : MAX_PAUSE_MS;
    return true;
}

/* What another try does not mend. Anything else may be over in a moment, or may even have been
 * made: an error never tells. */
static bool is_final(const bson_error_t *error)
{
    enum {
        UNAUTHORIZED = 13,
        AUTHENTICATION_FAILED = 18,
        COMMAND_NOT_FOUND = 59,
        DOCUMENT_VALIDATION = 121,
        OUT_OF_DISK_SPACE = 14031,
    };
    if (error->domain == MONGOC_ERROR_CLIENT) {
        return error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE;
    }
    if (error->domain != MONGOC_ERROR_SERVER) {
        return error->domain == MONGOC_ERROR_COMMAND || error->domain == MONGOC_ERROR_BSON;
    }
    switch (error->code) {
    case UNAUTHORIZED:
    case AUTHENTICATION_FAILED:
    case COMMAND_NOT_FOUND:
    case DOCUMENT_VALIDATION:
    case OUT_OF_DISK_SPACE:
        return true;
    default:
        return false;
    }
}

static bool is_duplicate(const bson_error_t *error)
{
    return error->domain == MONGOC_ERROR_SERVER && error->code == MONGO_DUPLICATE;
}

/* libmongoc gives such an error for most operations by itself. */
static void notice_concern_error(struct mongo_call *c, bool *is_done)
{
    static const char *const names[] = { "writeConcernError", "writeConcernErrors" };
    bson_iter_t field;
    for (size_t i = 0; *is_done && i < sizeof(names) / sizeof(names[0]); i++) {
        if (bson_iter_init_find(&field, &c->reply, names[i])) {
            bson_set_error(&c->error, MONGOC_ERROR_WRITE_CONCERN, 0,
                           "the write was not acknowledged by a majority");
            *is_done = false;
        }
    }
}

/* Of one try: ERR_OK, or ERR_CONFLICT for a duplicate; *ret_again: neither, and another try is
 * due. */
static enum err judge(struct mongo_call *c, bool is_done, bool *ret_again)
{
    *ret_again = false;
    notice_concern_error(c, &is_done);
    if (is_done) {
        return ERR_OK;
    }
    if (is_duplicate(&c->error)) {
        return ERR_CONFLICT;
    }
    mongo_tell(c->store, &c->error);
    c->is_repeated = true;
    *ret_again = !is_final(&c->error) && mongo_call_again(c);
    return ERR_UNAVAILABLE;
}

/* Before every operation. A call that was slow so far begins none. */
static enum err begin_try(struct mongo_call *c)
{
    bson_destroy(&c->reply);
    bson_init(&c->reply); /* every operation of libmongoc makes it anew */
    memset(&c->error, 0, sizeof(c->error));
    int64_t most_ms = STORE_MONGO_BEGIN_MS(c->store->selection_ms, c->store->socket_ms);
    if (!c->store->is_open || waited_ms(c) <= most_ms) {
        return ERR_OK;
    }
    bson_set_error(&c->error, MONGOC_ERROR_CLIENT, 0,
                   "no time is left: the database took %" PRId64 " ms to answer", waited_ms(c));
    mongo_tell(c->store, &c->error);
    return ERR_UNAVAILABLE;
}

/* ---- writing ---- */
enum err mongo_insert(struct mongo_call *c, const bson_t *doc)
{
    bool again = true;
    enum err e = ERR_UNAVAILABLE;
    while (again) {
        TRY(begin_try(c));
        bool done = mongoc_collection_insert_one(c->collection, doc, NULL, &c->reply, &c->error);
        e = judge(c, done, &again);
    }
    return e;
}

static int64_t reply_count(const struct mongo_call *c, const char *name)
{
    bson_iter_t field;
    return bson_iter_init_find(&field, &c->reply, name) ? bson_iter_as_int64(&field) : 0;
}

/* Two who upsert one record at a time: the loser finds it there when it tries again. */
static bool is_lost_upsert(struct mongo_call *c, enum err e, enum mongo_mode mode)
{
    return e == ERR_CONFLICT && mode == MONGO_UPSERT && mongo_call_again(c);
}

enum err mongo_update(struct mongo_call *c, const bson_t *filter, const bson_t *update,
                      enum mongo_mode mode)
{
    AUTO(mongo_doc) bson_t options = BSON_INITIALIZER;
    if (mode == MONGO_UPSERT) {
        mongo_put_bool(&options, "upsert", true);
    }
    bool again = true;
    enum err e = ERR_UNAVAILABLE;
    while (again) {
        TRY(begin_try(c));
        bool done = mode == MONGO_MANY
                        ? mongoc_collection_update_many(c->collection, filter, update, &options,
                                                        &c->reply, &c->error)
                        : mongoc_collection_update_one(c->collection, filter, update, &options,
                                                       &c->reply, &c->error);
        e = judge(c, done, &again);
        again = again || is_lost_upsert(c, e, mode);
    }
    TRY(e == ERR_CONFLICT ? ERR_UNAVAILABLE : e);
    bool met = mode == MONGO_UPSERT || reply_count(c, "matchedCount") > 0;
    return met ? ERR_OK : ERR_NOT_FOUND;
}

static bool modify_once(struct mongo_call *c, const bson_t *filter, const bson_t *update,
                        enum mongo_mode mode)
{
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    int flags = MONGOC_FIND_AND_MODIFY_RETURN_NEW |
                (mode == MONGO_UPSERT ? MONGOC_FIND_AND_MODIFY_UPSERT : 0);
    bool done =
        mongoc_find_and_modify_opts_set_update(options, update) &&
        mongoc_find_and_modify_opts_set_flags(options, (mongoc_find_and_modify_flags_t)flags);
    INVARIANT(done);
    done = mongoc_collection_find_and_modify_with_opts(c->collection, filter, options, &c->reply,
                                                       &c->error);
    mongoc_find_and_modify_opts_destroy(options);
    return done;
}

static bool reply_value(const struct mongo_call *c, bson_t *ret_doc)
{
    bson_iter_t field;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!bson_iter_init_find(&field, &c->reply, "value") || !BSON_ITER_HOLDS_DOCUMENT(&field)) {
        return false;
    }
    bson_iter_document(&field, &length, &bytes);
    return bson_init_static(ret_doc, bytes, length);
}

static enum err modify(struct mongo_call *c, const bson_t *filter, const bson_t *update,
                       enum mongo_mode mode, bson_t *ret_doc)
{
    bool again = true;
    enum err e = ERR_UNAVAILABLE;
    while (again) {
        TRY(begin_try(c));
        bool done = modify_once(c, filter, update, mode);
        e = judge(c, done, &again);
        again = again || is_lost_upsert(c, e, mode);
    }
    TRY(e == ERR_CONFLICT ? ERR_UNAVAILABLE : e);
    return reply_value(c, ret_doc) ? ERR_OK : ERR_NOT_FOUND;
}

enum err mongo_modify(struct mongo_call *c, const bson_t *filter, const bson_t *update,
                      enum mongo_mode mode, bson_t *ret_doc)
{
    enum err e = ERR_UNAVAILABLE;
    do {
        e = modify(c, filter, update, mode, ret_doc);
        /* An upsert that lost a race may be answered with nothing by some servers. */
    } while (e == ERR_NOT_FOUND && mode == MONGO_UPSERT && mongo_call_again(c));
    return e == ERR_NOT_FOUND && mode == MONGO_UPSERT ? ERR_UNAVAILABLE : e;
}

enum err mongo_delete(struct mongo_call *c, const bson_t *filter)
{
    bool again = true;
    enum err e = ERR_UNAVAILABLE;
    while (again) {
        TRY(begin_try(c));
        bool done = mongoc_collection_delete_one(c->collection, filter, NULL, &c->reply, &c->error);
        e = judge(c, done, &again);
    }
    TRY(e);
    /* An earlier try of this call may have been the one that met it. */
    return reply_count(c, "deletedCount") > 0 || c->is_repeated ? ERR_OK : ERR_NOT_FOUND;
}

enum err mongo_command(struct mongo_call *c, const bson_t *command)
{
    TRY(begin_try(c));
    bool done = mongoc_client_write_command_with_opts(c->client, c->store->database, command, NULL,
                                                      &c->reply, &c->error);
    notice_concern_error(c, &done);
    return done ? ERR_OK : ERR_UNAVAILABLE;
}

/* ---- reading ---- */
enum { ROWS_AT_FIRST = 16 };

static enum err grow(struct mongo_rows *rows, struct arena *a, size_t row_bytes)
{
    size_t capacity = rows->capacity == 0 ? ROWS_AT_FIRST : rows->capacity * 2;
    char *data = (char *)arena_get_array(a, capacity, row_bytes);
    if (data == NULL) {
        return ERR_NOMEM;
    }
    if (rows->count > 0) {
        memcpy(data, rows->data, rows->count * row_bytes);
    }
    rows->data = data;
    rows->capacity = capacity;
    return ERR_OK;
}

static enum err take_row(const struct mongo_query *query, const bson_t *doc, struct arena *a,
                         struct mongo_rows *rows)
{
    if (rows->count == rows->capacity) {
        TRY(grow(rows, a, query->row_bytes));
    }
    void *row = (char *)rows->data + rows->count * query->row_bytes;
    TRY(query->read(doc, a, row));
    rows->count++;
    return ERR_OK;
}

/* Not mongoc_collection_aggregate(): Debian 13's libmongoc (1.30.4-1+deb13u3) refuses all its calls
 * for the dot between the names of database and collection. One batch, since a second one would be
 * of another session. NULL: `c->error` says why. */
static mongoc_cursor_t *start_aggregate(struct mongo_call *c, const bson_t *pipeline, size_t max)
{
    AUTO(mongo_doc) bson_t command = BSON_INITIALIZER;
    bson_t reply;
    mongo_put_text(&command, "aggregate", span_of(mongoc_collection_get_name(c->collection)));
    INVARIANT(bson_concat(&command, pipeline));
    BCON_APPEND(&command, "cursor", "{", "batchSize", BCON_INT64((int64_t)max + 1), "}");
    if (!mongoc_collection_read_command_with_opts(c->collection, &command, NULL, NULL, &reply,
                                                  &c->error)) {
        bson_destroy(&reply);
        return NULL;
    }
    return mongoc_cursor_new_from_command_reply_with_opts(c->client, &reply, NULL);
}

/* A cursor that there is none of has failed already. */
static bool is_read(struct mongo_call *c, mongoc_cursor_t *cursor)
{
    return cursor != NULL && !mongoc_cursor_error(cursor, &c->error);
}

static enum err take_rows(struct mongo_call *c, mongoc_cursor_t *cursor,
                          const struct mongo_query *query, struct arena *a, struct mongo_rows *rows,
                          bool *ret_again)
{
    const bson_t *doc = NULL;
    *ret_again = false;
    rows->count = 0;
    while (cursor != NULL && mongoc_cursor_next(cursor, &doc)) {
        TRY(take_row(query, doc, a, rows));
    }
    return judge(c, is_read(c, cursor), ret_again);
}

static mongoc_cursor_t *start_find(struct mongo_call *c, const struct mongo_query *query)
{
    if (query->pipeline != NULL) {
        return start_aggregate(c, query->pipeline, query->max);
    }
    AUTO(mongo_doc) bson_t options = BSON_INITIALIZER;
    mongo_put_int(&options, "batchSize", (int64_t)query->max);
    if (query->options != NULL) {
        INVARIANT(bson_concat(&options, query->options));
    }
    mongo_put_int(&options, "limit", (int64_t)query->max);
    return mongoc_collection_find_with_opts(c->collection, query->filter, &options, NULL);
}

enum err mongo_find(struct mongo_call *c, const struct mongo_query *query, struct arena *a,
                    struct mongo_rows *rows)
{
    bool again = query->max > 0; /* a limit of 0 would be none */
    enum err e = ERR_OK;
    while (again) {
        TRY(begin_try(c));
        mongoc_cursor_t *cursor = start_find(c, query);
        e = take_rows(c, cursor, query, a, rows, &again);
        mongoc_cursor_destroy(cursor);
    }
    return e == ERR_CONFLICT ? ERR_UNAVAILABLE : e;
}

/* A row of its own place instead of one in the arena. */
static enum err take_one(struct mongo_call *c, mongoc_cursor_t *cursor, mongo_read_fn *read,
                         struct arena *a, void *ret_row, bool *ret_again)
{
    const bson_t *doc = NULL;
    *ret_again = false;
    if (cursor != NULL && mongoc_cursor_next(cursor, &doc)) {
        return read(doc, a, ret_row);
    }
    TRY(judge(c, is_read(c, cursor), ret_again));
    return ERR_NOT_FOUND;
}

/* One document: the first that matches, the one with the highest `last`, or what a pipeline gives.
 */
struct look {
    const bson_t *filter;
    const char *last;
    const bson_t *pipeline;
};

static mongoc_cursor_t *start_look(struct mongo_call *c, const struct look *look)
{
    if (look->pipeline != NULL) {
        return start_aggregate(c, look->pipeline, 1);
    }
    AUTO(mongo_doc) bson_t options = BSON_INITIALIZER;
    if (look->last != NULL) {
        BCON_APPEND(&options, "sort", "{", look->last, BCON_INT32(-1), "}");
    }
    mongo_put_int(&options, "limit", 1);
    mongo_put_bool(&options, "singleBatch", true);
    return mongoc_collection_find_with_opts(c->collection, look->filter, &options, NULL);
}

static enum err read_one(struct mongo_call *c, const struct look *look, mongo_read_fn *read,
                         struct arena *a, void *ret_row)
{
    bool again = true;
    enum err e = ERR_UNAVAILABLE;
    while (again) {
        TRY(begin_try(c));
        mongoc_cursor_t *cursor = start_look(c, look);
        e = take_one(c, cursor, read, a, ret_row, &again);
        mongoc_cursor_destroy(cursor);
    }
    return e == ERR_CONFLICT ? ERR_UNAVAILABLE : e;
}

enum err mongo_find_one(struct mongo_call *c, const bson_t *filter, mongo_read_fn *read,
                        struct arena *a, void *ret_row)
{
    return read_one(c, &(struct look){ .filter = filter }, read, a, ret_row);
}

enum err mongo_find_last(struct mongo_call *c, const bson_t *filter, const char *field,
                         mongo_read_fn *read, struct arena *a, void *ret_row)
{
    return read_one(c, &(struct look){ .filter = filter, .last = field }, read, a, ret_row);
}

enum err mongo_aggregate_one(struct mongo_call *c, const bson_t *pipeline, mongo_read_fn *read,
                             struct arena *a, void *ret_row)
{
    return read_one(c, &(struct look){ .pipeline = pipeline }, read, a, ret_row);
}

enum err mongo_look(struct mongo_call *c, const bson_t *filter, mongo_read_fn *read,
                    struct arena *a, void *ret_row)
{
    AUTO(mongo_bson)
    bson_t *pipeline = BCON_NEW("pipeline", "[", "{", "$match", BCON_DOCUMENT(filter), "}", "{",
                                "$addFields", "{", "now", "$$NOW", "}", "}", "]");
    return mongo_aggregate_one(c, pipeline, read, a, ret_row);
}

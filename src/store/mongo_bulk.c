/* mongo_bulk.c - many records in one insert of the driver.
 *
 * It is only a faster way: what it does not answer for, because a name is taken or an error has
 * left its fate open, is added again one by one. Each document carries an id of its own, by which
 * one that is there already is recognised as this call's; the same record twice in a call is not.
 */
#include "mongo.h"

struct bulk {
    struct mongo_call *call;
    const void *records;
    size_t count;
    struct uuid id;                            /* from which each document's is made */
    enum err (*add)(struct bulk *b, size_t i); /* one of them, as if it were the only one */
    bson_t *docs[STORE_MAX_BULK];
};

static void bulk_auto(struct bulk *b)
{
    for (size_t i = 0; i < b->count; i++) {
        bson_destroy(b->docs[i]);
    }
}

static struct uuid id_of(struct uuid id, size_t i)
{
    id.bytes[0] ^= (uint8_t)(i & 0xff);
    id.bytes[1] ^= (uint8_t)(i >> 8);
    return id;
}

static bool send_all(struct bulk *b)
{
    struct mongo_call *c = b->call;
    AUTO(mongo_doc) bson_t options = BSON_INITIALIZER;
    mongo_put_bool(&options, "ordered", false); /* one that is taken does not hold up the rest */
    bson_destroy(&c->reply);
    return mongoc_collection_insert_many(c->collection, (const bson_t **)b->docs, b->count,
                                         &options, &c->reply, &c->error);
}

/* Marks those that the reply names as refused. False when it does not answer for all the others. */
static bool read_refusals(const struct bulk *b, bool *refused)
{
    const bson_t *reply = &b->call->reply;
    bson_iter_t field, item, index;
    size_t count = 0;
    if (bson_has_field(reply, "writeConcernErrors") ||
        !bson_iter_init_find(&field, reply, "writeErrors") || !bson_iter_recurse(&field, &item)) {
        return false;
    }
    while (bson_iter_next(&item)) {
        if (!bson_iter_recurse(&item, &index) || !bson_iter_find(&index, "index")) {
            return false;
        }
        int64_t i = bson_iter_as_int64(&index);
        if (i < 0 || (size_t)i >= b->count || refused[i]) {
            return false;
        }
        refused[i] = true;
        count++;
    }
    return bson_iter_init_find(&field, reply, "insertedCount") &&
           bson_iter_as_int64(&field) == (int64_t)(b->count - count);
}

static enum err add_all(struct bulk *b, enum err *ret_results)
{
    bool refused[STORE_MAX_BULK] = { false };
    bool is_done = send_all(b) && !bson_has_field(&b->call->reply, "writeConcernErrors");
    bool is_known = is_done || read_refusals(b, refused);
    for (size_t i = 0; i < b->count; i++) {
        ret_results[i] = ERR_OK;
        if (!is_known || refused[i]) {
            b->call->started_us = clock_monotonic_us(); /* each has the time of one call */
            b->call->id = id_of(b->id, i);
            ret_results[i] = b->add(b, i);
        }
        if (ret_results[i] == ERR_UNAVAILABLE) {
            return ERR_UNAVAILABLE;
        }
    }
    return ERR_OK;
}

/* ---- users ---- */
static enum err add_user(struct bulk *b, size_t i)
{
    const struct store_user *users = b->records;
    return mongo_user_insert(b->call, b->docs[i], &users[i]);
}

static enum err users_add(struct store *s, const struct store_user *users, size_t count,
                          enum err *ret_results)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    TRY(mongo_call_open(s, "users", &c));
    __attribute__((cleanup(bulk_auto))) struct bulk b = {
        .call = &c, .records = users, .count = count, .id = c.id, .add = add_user
    };
    for (size_t i = 0; i < count; i++) {
        b.docs[i] = bson_new();
        mongo_user_put(b.docs[i], &users[i], id_of(c.id, i));
    }
    return add_all(&b, ret_results);
}

static enum err users_find(struct store *s, const struct uuid *ids, size_t count, struct arena *a,
                           struct store_user **ret_users, size_t *ret_count)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_one_of(&filter, "_id", ids, count);
    mongo_put_null(&filter, "deleted_at");
    TRY(mongo_call_open(s, "users", &c));
    struct mongo_query query = { .filter = &filter,
                                 .max = count,
                                 .read = mongo_user_read,
                                 .row_bytes = sizeof(struct store_user) };
    struct mongo_rows rows = { 0 };
    TRY(mongo_find(&c, &query, a, &rows));
    *ret_users = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

/* ---- sessions ---- */
static enum err add_session(struct bulk *b, size_t i)
{
    const struct store_session *sessions = b->records;
    return mongo_session_insert(b->call, b->docs[i], &sessions[i]);
}

static enum err sessions_add(struct store *s, const struct store_session *sessions, size_t count,
                             enum err *ret_results)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    TRY(mongo_call_open(s, "sessions", &c));
    __attribute__((cleanup(bulk_auto))) struct bulk b = {
        .call = &c, .records = sessions, .count = count, .id = c.id, .add = add_session
    };
    for (size_t i = 0; i < count; i++) {
        b.docs[i] = bson_new();
        mongo_session_put(b.docs[i], &sessions[i], id_of(c.id, i));
    }
    return add_all(&b, ret_results);
}

/* The range bounds the work for the index; what is behind `after` is then said exactly. */
static bson_t *new_scan(const struct store_session_place *after, struct uuid last_user, size_t max)
{
    bson_t *unexpired = mongo_session_unexpired_new();
    bson_t *pipeline =
        BCON_NEW("pipeline", "[", "{", "$match", "{", "user_id", "{", "$gte",
                 MONGO_UUID(after->user_id), "$lte", MONGO_UUID(last_user), "}", "revoked_at",
                 BCON_NULL, "$or", "[", "{", "user_id", "{", "$gt", MONGO_UUID(after->user_id), "}",
                 "}", "{", "_id", "{", "$gt", MONGO_UUID(after->id), "}", "}", "]", "}", "}", "{",
                 "$addFields", "{", "lives", BCON_DOCUMENT(unexpired), "}", "}", "{", "$match", "{",
                 "lives", BCON_BOOL(true), "}", "}", "{", "$sort", "{", "user_id", BCON_INT32(1),
                 "_id", BCON_INT32(1), "}", "}", "{", "$limit", BCON_INT64((int64_t)max), "}", "]");
    bson_destroy(unexpired);
    return pipeline;
}

static enum err session_scan(struct store *s, const struct store_session_place *after,
                             struct uuid last_user, size_t max, struct arena *a,
                             struct store_session **ret_sessions, size_t *ret_count)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_bson) bson_t *pipeline = new_scan(after, last_user, max);
    TRY(mongo_call_open(s, "sessions", &c));
    struct mongo_query query = { .pipeline = pipeline,
                                 .max = max,
                                 .read = mongo_session_read,
                                 .row_bytes = sizeof(struct store_session) };
    struct mongo_rows rows = { 0 };
    TRY(mongo_find(&c, &query, a, &rows));
    *ret_sessions = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

const struct store_bulk_ops mongo_bulk_ops = {
    .users_add = users_add,
    .users_find = users_find,
    .sessions_add = sessions_add,
    .session_scan = session_scan,
};

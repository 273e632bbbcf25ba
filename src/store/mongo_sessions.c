/* mongo_sessions.c - sessions, and the one conditional write of a refresh. Every write is by _id,
 * so that a cluster sharded on its hash sends it to one shard. */
#include "mongo.h"

#define MOST_TTL_MS (INT64_C(1000) * 366 * 24 * 3600 * 1000) /* nothing overflows when added */

/* A session, and the id of the call that opened it or rotated it last. */
struct record {
    struct store_session session;
    bool is_ours;
    int64_t now_ms; /* of a look */
    const struct mongo_call *call;
};

enum err mongo_session_read(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    struct store_session s = { 0 };
    s.id = mongo_read_uuid(&r, "_id");
    s.user_id = mongo_read_uuid(&r, "user_id");
    s.epoch = mongo_read_int(&r, "epoch");
    s.master_key = mongo_read_bytes(&r, "master_key");
    s.counter = mongo_read_int(&r, "counter");
    s.created_at = mongo_read_date(&r, "created_at");
    s.rotated_at = mongo_read_date(&r, "rotated_at");
    s.last_used_at = mongo_read_date(&r, "last_used_at");
    s.idle_expires_at = mongo_read_date(&r, "idle_expires_at");
    s.expires_at = mongo_read_date(&r, "expires_at");
    s.revoked_at = mongo_read_date(&r, "revoked_at");
    s.ip = mongo_read_text(&r, "ip");
    s.agent = mongo_read_text(&r, "agent");
    TRY(r.failure);
    *(struct store_session *)ret_row = s;
    return ERR_OK;
}

static enum err read_record(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct record *record = ret_row;
    struct mongo_reader r = { .doc = doc, .arena = a };
    TRY(mongo_session_read(doc, a, &record->session));
    record->is_ours = mongo_has_uuid(doc, "write", record->call->id);
    record->now_ms = mongo_read_date(&r, "now");
    return r.failure;
}

/* Neither limit is passed. In a stage of a pipeline: not every server takes its time in a filter.
 */
bson_t *mongo_session_unexpired_new(void)
{
    return BCON_NEW("$and", "[", "{", "$gt", "[", MONGO_MS("$idle_expires_at"), MONGO_NOW, "]", "}",
                    "{", "$gt", "[", MONGO_MS("$expires_at"), MONGO_NOW, "]", "}", "]");
}

/* The living sessions of a user, sorted by `sort`. */
static bson_t *new_living(struct uuid user_id, const bson_t *sort, size_t max)
{
    bson_t *unexpired = mongo_session_unexpired_new();
    bson_t *pipeline =
        BCON_NEW("pipeline", "[", "{", "$match", "{", "user_id", MONGO_UUID(user_id), "revoked_at",
                 BCON_NULL, "}", "}", "{", "$addFields", "{", "lives", BCON_DOCUMENT(unexpired),
                 "}", "}", "{", "$match", "{", "lives", BCON_BOOL(true), "}", "}", "{", "$sort",
                 BCON_DOCUMENT(sort), "}", "{", "$limit", BCON_INT64((int64_t)max), "}", "]");
    bson_destroy(unexpired);
    return pipeline;
}

/* ---- adding ---- */
void mongo_session_put(bson_t *doc, const struct store_session *s, struct uuid write)
{
    mongo_put_uuid(doc, "_id", s->id);
    mongo_put_uuid(doc, "user_id", s->user_id);
    mongo_put_int(doc, "epoch", s->epoch);
    mongo_put_bytes(doc, "master_key", s->master_key);
    mongo_put_int(doc, "counter", s->counter);
    mongo_put_date(doc, "created_at", s->created_at);
    mongo_put_date(doc, "rotated_at", s->rotated_at);
    mongo_put_date(doc, "last_used_at", s->last_used_at);
    mongo_put_date(doc, "idle_expires_at", s->idle_expires_at);
    mongo_put_date(doc, "expires_at", s->expires_at);
    mongo_put_date_or_none(doc, "revoked_at", s->revoked_at);
    mongo_put_text(doc, "ip", s->ip);
    mongo_put_text(doc, "agent", s->agent);
    if (s->attempt != 0) {
        mongo_put_int(doc, "try", s->attempt);
    }
    mongo_put_uuid(doc, "write", write);
}

static enum err read_is_ours(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct record *record = ret_row;
    (void)a;
    record->is_ours = mongo_has_uuid(doc, "write", record->call->id);
    return ERR_OK;
}

enum err mongo_session_insert(struct mongo_call *c, const bson_t *doc,
                              const struct store_session *session)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    enum err e = mongo_insert(c, doc);
    if (e != ERR_CONFLICT) {
        return e;
    }
    struct record record = { .call = c };
    mongo_put_uuid(&filter, "_id", session->id);
    TRY(mongo_find_one(c, &filter, read_is_ours, NULL, &record));
    return record.is_ours ? ERR_OK : ERR_CONFLICT;
}

/* ---- evicting ---- */
/* What of a session decides whether it is evicted. */
struct place {
    struct uuid id;
    int64_t epoch, last_used_at;
};
struct places {
    struct place *all;
    size_t count;
};

static enum err read_place(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    struct place p = { 0 };
    p.id = mongo_read_uuid(&r, "_id");
    p.epoch = mongo_read_int(&r, "epoch");
    p.last_used_at = mongo_read_date(&r, "last_used_at");
    TRY(r.failure);
    *(struct place *)ret_row = p;
    return ERR_OK;
}

/* The last used first, so that those come within `max` that stay. */
static enum err find_places(struct mongo_call *c, const struct store_session *session, size_t max,
                            struct arena *a, struct places *ret_places)
{
    AUTO(mongo_bson)
    bson_t *sort = BCON_NEW("last_used_at", BCON_INT32(-1), "_id", BCON_INT32(-1));
    AUTO(mongo_bson) bson_t *pipeline = new_living(session->user_id, sort, max);
    struct mongo_query query = {
        .pipeline = pipeline, .max = max, .read = read_place, .row_bytes = sizeof(struct place)
    };
    struct mongo_rows rows = { 0 };
    TRY(mongo_find(c, &query, a, &rows));
    *ret_places = (struct places){ .all = rows.data, .count = rows.count };
    return ERR_OK;
}

static enum err read_keep(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    *(struct uuid *)ret_row = mongo_read_uuid(&r, "epoch_keep");
    return r.failure;
}

static enum err find_keep(struct mongo_call *c, struct uuid user_id, struct uuid *ret_keep)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_uuid(&filter, "_id", user_id);
    mongo_call_turn(c, "users");
    enum err e = mongo_find_one(c, &filter, read_keep, NULL, ret_keep);
    mongo_call_turn(c, "sessions");
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Takes out the new session, which never goes, and those of an older epoch, which are dead already,
 * but the kept one. */
static void keep_countable(struct places *p, const struct store_session *session, struct uuid keep)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        bool counts = p->all[i].epoch >= session->epoch || uuid_equal(p->all[i].id, keep);
        if (counts && !uuid_equal(p->all[i].id, session->id)) {
            p->all[count++] = p->all[i];
        }
    }
    p->count = count;
}

static enum err revoke_all(struct mongo_call *c, const struct store_evicted *evicted)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_one_of(&filter, "_id", evicted->ids, evicted->count);
    mongo_put_null(&filter, "revoked_at");
    AUTO(mongo_bson)
    bson_t *update = BCON_NEW("$currentDate", "{", "revoked_at", BCON_BOOL(true), "}");
    enum err e = mongo_update(c, &filter, update, MONGO_MANY);
    return e == ERR_NOT_FOUND ? ERR_OK : e; /* another login was faster */
}

static enum err evict(struct mongo_call *c, const struct store_session *session,
                      size_t max_sessions, struct arena *a, struct store_evicted *ret_evicted)
{
    /* All that one call may take, and what a dead epoch may put before them. */
    size_t max = 2 * (max_sessions + STORE_MAX_EVICTED + 1);
    size_t others = max_sessions > 0 ? max_sessions - 1 : 0;
    struct places places = { 0 };
    struct uuid keep = { 0 };
    TRY(find_places(c, session, max, a, &places));
    if (places.count <= others + 1) {
        return ERR_OK; /* as nearly always */
    }
    TRY(find_keep(c, session->user_id, &keep));
    keep_countable(&places, session, keep);
    if (places.count <= others) {
        return ERR_OK;
    }
    for (size_t i = others; i < places.count && ret_evicted->count < STORE_MAX_EVICTED; i++) {
        ret_evicted->ids[ret_evicted->count++] = places.all[i].id;
    }
    /* Whether it was made or not, the caller publishes them: a token too many that dies is the
     * lesser harm, and the next login looks again. */
    (void)revoke_all(c, ret_evicted);
    return ERR_OK;
}

static enum err session_add(struct store *s, const struct store_session *session,
                            size_t max_sessions, struct store_evicted *ret_evicted)
{
    enum { EVICTION_BYTES = 512 * 1024 };
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t doc = BSON_INITIALIZER;
    struct store_evicted evicted = { .count = 0 };
    struct arena a;
    TRY(mongo_call_open(s, "sessions", &c));
    mongo_session_put(&doc, session, c.id);
    TRY(mongo_session_insert(&c, &doc, session));
    arena_init(&a, EVICTION_BYTES);
    enum err e = evict(&c, session, max_sessions, &a, &evicted);
    arena_done(&a);
    /* The session is there: a look that failed is made up for by the next login. */
    (void)e;
    if (ret_evicted != NULL) {
        *ret_evicted = evicted;
    }
    return ERR_OK;
}

/* ---- reading ---- */
static enum err session_get(struct store *s, struct uuid id, struct arena *a,
                            struct store_session *ret_session)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "sessions", &c));
    mongo_put_uuid(&filter, "_id", id);
    return mongo_find_one(&c, &filter, mongo_session_read, a, ret_session);
}

struct session_with_user {
    struct store_session session;
    struct store_user user;
};

/* The user, if there is one, is the only element of the array "user". */
static enum err read_session_with_user(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct session_with_user *both = ret_row;
    bson_iter_t field;
    bson_iter_t element;
    bson_t user;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    TRY(mongo_session_read(doc, a, &both->session));
    if (!bson_iter_init_find(&field, doc, "user") || !bson_iter_recurse(&field, &element)) {
        return ERR_INTERNAL;
    }
    if (!bson_iter_next(&element)) {
        return ERR_OK;
    }
    if (!BSON_ITER_HOLDS_DOCUMENT(&element)) {
        return ERR_INTERNAL;
    }
    bson_iter_document(&element, &length, &bytes);
    return bson_init_static(&user, bytes, length) ? mongo_user_read_living(&user, a, &both->user)
                                                  : ERR_INTERNAL;
}

static enum err session_get_with_user(struct store *s, struct uuid id, struct arena *a,
                                      struct store_session *ret_session,
                                      struct store_user *ret_user)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_bson)
    bson_t *pipeline = BCON_NEW("pipeline", "[", "{", "$match", "{", "_id", MONGO_UUID(id), "}",
                                "}", "{", "$lookup", "{", "from", "users", "localField", "user_id",
                                "foreignField", "_id", "as", "user", "}", "}", "]");
    struct session_with_user both = { 0 };
    TRY(mongo_call_open(s, "sessions", &c));
    TRY(mongo_aggregate_one(&c, pipeline, read_session_with_user, a, &both));
    *ret_session = both.session;
    *ret_user = both.user;
    return ERR_OK;
}

static enum err session_list(struct store *s, struct uuid user_id, size_t max, struct arena *a,
                             struct store_session **ret_sessions, size_t *ret_count)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_bson)
    bson_t *sort = BCON_NEW("created_at", BCON_INT32(-1), "_id", BCON_INT32(-1));
    AUTO(mongo_bson) bson_t *pipeline = new_living(user_id, sort, max);
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

/* ---- refreshing ---- */
static void put_rotation_filter(bson_t *filter, const struct store_rotation *what)
{
    mongo_put_uuid(filter, "_id", what->id);
    mongo_put_int(filter, "counter", what->counter);
    mongo_put_bytes(filter, "master_key", what->master_key);
    mongo_put_null(filter, "revoked_at");
}

/* An expired session stays as it is. */
static bson_t *new_rotation(const struct store_rotation *what, struct uuid write)
{
    int64_t ttl_ms = what->idle_ttl_ms < MOST_TTL_MS ? what->idle_ttl_ms : MOST_TTL_MS;
    bson_t set = BSON_INITIALIZER;
    BCON_APPEND(&set, "counter", "{", "$add", "[", "$counter", BCON_INT64(1), "]", "}",
                "rotated_at", "$$NOW", "last_used_at", "$$NOW", "idle_expires_at",
                MONGO_DATE("{", "$min", "[", MONGO_MS("$expires_at"), "{", "$add", "[", MONGO_NOW,
                           BCON_INT64(ttl_ms), "]", "}", "]", "}"),
                "write", MONGO_UUID(write));
    mongo_put_literal(&set, "ip", what->ip);
    mongo_put_literal(&set, "agent", what->agent);
    bson_t *unexpired = mongo_session_unexpired_new();
    bson_t *pipeline = BCON_NEW("0", "{", "$replaceWith", "{", "$cond", "[",
                                BCON_DOCUMENT(unexpired), "{", "$mergeObjects", "[", "$$ROOT",
                                BCON_DOCUMENT(&set), "]", "}", "$$ROOT", "]", "}", "}");
    bson_destroy(unexpired);
    bson_destroy(&set);
    return pipeline;
}

/* Would the write that met nothing have met this? Then the look was of an older state. */
static bool is_still_open(const struct record *record, const struct store_rotation *what)
{
    const struct store_session *s = &record->session;
    return s->counter == what->counter && span_equal(s->master_key, what->master_key) &&
           s->revoked_at == 0 && s->idle_expires_at > record->now_ms &&
           s->expires_at > record->now_ms;
}

/* The loser reads the winner's record. Its own earlier try may have been the winner, if the next
 * rotation has not come yet. ERR_BUSY: look again. */
static enum err look_at_winner(struct mongo_call *c, const struct store_rotation *what,
                               struct arena *a, struct record *record, bool *ret_rotated)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_uuid(&filter, "_id", what->id);
    TRY(mongo_look(c, &filter, read_record, a, record));
    if (is_still_open(record, what)) {
        return ERR_BUSY;
    }
    *ret_rotated = record->is_ours && record->session.counter - 1 == what->counter;
    return ERR_OK;
}

static enum err rotate_once(struct mongo_call *c, const struct store_rotation *what,
                            struct arena *a, struct record *record, bool *ret_rotated)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    bson_t doc;
    put_rotation_filter(&filter, what);
    AUTO(mongo_bson) bson_t *update = new_rotation(what, c->id);
    enum err e = mongo_modify(c, &filter, update, MONGO_ONE, &doc);
    if (e == ERR_NOT_FOUND) {
        return look_at_winner(c, what, a, record, ret_rotated);
    }
    TRY(e);
    TRY(read_record(&doc, a, record));
    if (!record->is_ours) { /* it has expired */
        return look_at_winner(c, what, a, record, ret_rotated);
    }
    record->now_ms = record->session.rotated_at;
    *ret_rotated = true;
    return ERR_OK;
}

static enum err rotate_session(struct store *s, const struct store_rotation *rotation,
                               struct arena *a, struct store_rotated *rotated)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    TRY(mongo_call_open(s, "sessions", &c));
    struct record record = { .call = &c };
    enum err e = ERR_BUSY;
    do {
        e = rotate_once(&c, rotation, a, &record, &rotated->rotated);
    } while (e == ERR_BUSY && mongo_call_again(&c));
    TRY(e == ERR_BUSY ? ERR_UNAVAILABLE : e);
    rotated->session = record.session;
    rotated->now_ms = record.now_ms;
    return ERR_OK;
}

/* The user in a call of its own, once the client of the first is back in the pool. */
static enum err session_rotate(struct store *s, const struct store_rotation *rotation,
                               struct arena *a, struct store_rotated *ret_rotated)
{
    struct store_rotated r = { 0 };
    TRY(rotate_session(s, rotation, a, &r));
    enum err found = mongo_user_ops.by_id(s, r.session.user_id, a, &r.user);
    TRY(found == ERR_NOT_FOUND ? ERR_OK : found);
    *ret_rotated = r;
    return ERR_OK;
}

static enum err session_revoke(struct store *s, struct uuid id)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    AUTO(mongo_doc) bson_t by_id = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "sessions", &c));
    mongo_put_uuid(&filter, "_id", id);
    mongo_put_uuid(&by_id, "_id", id);
    mongo_put_null(&filter, "revoked_at");
    AUTO(mongo_bson)
    bson_t *update = BCON_NEW("$currentDate", "{", "revoked_at", BCON_BOOL(true), "}");
    enum err e = mongo_update(&c, &filter, update, MONGO_ONE);
    if (e != ERR_NOT_FOUND) {
        return e;
    }
    struct record record = { .call = &c };
    return mongo_find_one(&c, &by_id, read_is_ours, NULL, &record); /* repeating it is fine */
}

const struct store_session_ops mongo_session_ops = {
    .add = session_add,
    .get = session_get,
    .get_with_user = session_get_with_user,
    .list = session_list,
    .rotate = session_rotate,
    .revoke = session_revoke,
};

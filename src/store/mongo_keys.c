/* mongo_keys.c - the key ring's records. */
#include "mongo.h"

static void put_key(bson_t *doc, const struct store_key *k, struct uuid write)
{
    mongo_put_text(doc, "_id", k->kid);
    mongo_put_text(doc, "algorithm", k->algorithm);
    mongo_put_int(doc, "generation", k->generation);
    mongo_put_date(doc, "created_at", k->created_at);
    mongo_put_date(doc, "active_at", k->active_at);
    mongo_put_date_or_none(doc, "retired_at", k->retired_at);
    mongo_put_text(doc, "public_jwk", k->public_jwk);
    mongo_put_bytes(doc, "wrapped_private", k->wrapped_private);
    mongo_put_uuid(doc, "write", write);
}

static enum err read_write(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    *(struct uuid *)ret_row = mongo_read_uuid(&r, "write");
    return r.failure;
}

static void put_kid(bson_t *filter, struct span kid)
{
    mongo_put_text(filter, "_id", kid);
}

/* (algorithm, generation) is unique: of several processes one adds the next key. */
static enum err key_add(struct store *s, const struct store_key *key)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t doc = BSON_INITIALIZER;
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    struct uuid write = { 0 };
    TRY(mongo_call_open(s, "keys", &c));
    put_key(&doc, key, c.id);
    enum err e = mongo_insert(&c, &doc);
    if (e != ERR_CONFLICT) {
        return e;
    }
    put_kid(&filter, key->kid);
    e = mongo_find_one(&c, &filter, read_write, NULL, &write);
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        return e;
    }
    return e == ERR_OK && uuid_equal(write, c.id) ? ERR_OK : ERR_CONFLICT;
}

static enum err key_retire(struct store *s, struct span kid)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    AUTO(mongo_doc) bson_t by_kid = BSON_INITIALIZER;
    struct uuid write = { 0 };
    TRY(mongo_call_open(s, "keys", &c));
    put_kid(&filter, kid);
    put_kid(&by_kid, kid);
    mongo_put_null(&filter, "retired_at");
    AUTO(mongo_bson)
    bson_t *update = BCON_NEW("$currentDate", "{", "retired_at", BCON_BOOL(true), "}");
    enum err e = mongo_update(&c, &filter, update, MONGO_ONE);
    if (e != ERR_NOT_FOUND) {
        return e;
    }
    return mongo_find_one(&c, &by_kid, read_write, NULL, &write); /* repeating it is fine */
}

static enum err key_delete(struct store *s, struct span kid)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "keys", &c));
    put_kid(&filter, kid);
    return mongo_delete(&c, &filter);
}

static enum err read_key(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    struct store_key k = { 0 };
    k.kid = mongo_read_text(&r, "_id");
    k.algorithm = mongo_read_text(&r, "algorithm");
    k.generation = mongo_read_int(&r, "generation");
    k.created_at = mongo_read_date(&r, "created_at");
    k.active_at = mongo_read_date(&r, "active_at");
    k.retired_at = mongo_read_date(&r, "retired_at");
    k.public_jwk = mongo_read_text(&r, "public_jwk");
    k.wrapped_private = mongo_read_bytes(&r, "wrapped_private");
    TRY(r.failure);
    if (k.generation < 1) {
        return ERR_INTERNAL;
    }
    *(struct store_key *)ret_row = k;
    return ERR_OK;
}

static void reverse(struct store_key *keys, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct store_key key = keys[i];
        keys[i] = keys[count - 1 - i];
        keys[count - 1 - i] = key;
    }
}

/* The newest first, so that the oldest are the ones to miss should there ever be too many. */
static enum err key_list(struct store *s, struct arena *a, struct store_key **ret_keys,
                         size_t *ret_count)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    AUTO(mongo_bson)
    bson_t *options =
        BCON_NEW("sort", "{", "generation", BCON_INT32(-1), "algorithm", BCON_INT32(-1), "}");
    TRY(mongo_call_open(s, "keys", &c));
    struct mongo_query query = { .filter = &filter,
                                 .options = options,
                                 .max = STORE_MAX_KEYS,
                                 .read = read_key,
                                 .row_bytes = sizeof(struct store_key) };
    struct mongo_rows rows = { 0 };
    TRY(mongo_find(&c, &query, a, &rows));
    reverse(rows.data, rows.count);
    *ret_keys = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

const struct store_key_ops mongo_key_ops = {
    .add = key_add,
    .retire = key_retire,
    .remove = key_delete,
    .list = key_list,
};

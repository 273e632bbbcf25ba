/* mongo_schema.c - collections, validators and indexes, made at start by whoever is first.
 *
 * Every step may be done by many at once and again: a collection that is there, or an index of the
 * same shape, is left as it is. The version is written last, and a newer one is refused before
 * anything is touched. Where it is there, a start only sees to the unique indexes, which names and
 * keys stand on, should somebody have dropped one. Shapes: docs/mongodb.md. */
#include "mongo.h"

#include <string.h>

#define DAY_S             (24 * 3600)
#define SWEEP_AFTER_S     (STORE_SWEEP_AFTER_MS / 1000)
#define TOMBSTONE_AFTER_S (STORE_TOMBSTONE_AFTER_MS / 1000)

struct field {
    const char *name;
    const char *type; /* of $jsonSchema, bsonType */
    bool is_required;
};
#define MAX_FIELDS 16
struct shape {
    const char *collection;
    struct field fields[MAX_FIELDS];
};

/* Integers are long; a double is what a shell leaves behind, and is told. */
static const struct shape shapes[] = {
    { "users",
      { { "username", "string", false },
        { "username_key", "string", false },
        { "email", "string", false },
        { "password_hash", "string", true },
        { "roles", "array", true },
        { "disabled", "bool", true },
        { "session_epoch", "long", true },
        { "epoch_keep", "binData", false },
        { "failures", "long", true },
        { "not_before", "date", false },
        { "tries", "long", false },
        { "proved", "long", false },
        { "created_at", "date", true },
        { "updated_at", "date", true },
        { "deleted_at", "date", false } } },
    { "sessions",
      { { "user_id", "binData", true },
        { "epoch", "long", true },
        { "master_key", "binData", true },
        { "counter", "long", true },
        { "created_at", "date", true },
        { "rotated_at", "date", true },
        { "last_used_at", "date", true },
        { "idle_expires_at", "date", true },
        { "expires_at", "date", true },
        { "revoked_at", "date", false },
        { "ip", "string", true },
        { "agent", "string", true },
        { "try", "long", false } } },
    { "revocations",
      { { "epoch", "long", true },
        { "keep", "binData", false },
        { "expires_at", "date", true },
        { "sequence", "long", true } } },
    { "keys",
      { { "algorithm", "string", true },
        { "generation", "long", true },
        { "created_at", "date", true },
        { "active_at", "date", true },
        { "retired_at", "date", false },
        { "public_jwk", "string", true },
        { "wrapped_private", "binData", true } } },
    { "strangers",
      { { "name", "binData", true },
        { "failures", "long", true },
        { "not_before", "date", false },
        { "tries", "long", true } } },
    { "heartbeats", { { "at", "date", true } } },
    { "meta", { { "version", "long", true } } },
};

struct index {
    const char *collection, *name;
    const char *keys[2];
    bool is_unique;
    const char *where_exists; /* partial: only records with this field */
    int64_t expire_after_s;   /* 0: none */
};
static const struct index indexes[] = {
    { "users", "username", { "username_key" }, true, "username_key", 0 },
    { "users", "email", { "email" }, true, "email", 0 },
    { "users", "deleted", { "deleted_at" }, false, NULL, TOMBSTONE_AFTER_S },
    { "sessions", "living_of_user", { "user_id", "revoked_at" }, false, NULL, 0 },
    { "sessions", "try_of_user", { "user_id", "try" }, false, NULL, 0 },
    { "sessions", "expired", { "idle_expires_at" }, false, NULL, SWEEP_AFTER_S },
    { "revocations", "sequence", { "sequence" }, false, NULL, 0 },
    { "revocations", "expired", { "expires_at" }, false, NULL, SWEEP_AFTER_S },
    { "keys", "generation", { "algorithm", "generation" }, true, NULL, 0 },
    { "heartbeats", "expired", { "at" }, false, NULL, DAY_S },
};

enum err mongo_why(const struct mongo_call *c, const char *doing, struct arena *a,
                   struct span *ret_why)
{
    enum { UNAUTHORIZED = 13, AUTHENTICATION_FAILED = 18 };
    const bson_error_t *e = &c->error;
    bool is_server = e->domain == MONGOC_ERROR_SERVER;
    if ((is_server && e->code == AUTHENTICATION_FAILED) ||
        (e->domain == MONGOC_ERROR_CLIENT && e->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)) {
        /* A connection that was lost just then has this code too: only the words tell. */
        TRY(arena_printf(
            a, ret_why,
            "could not authenticate (%s); if the connection was in order, check the credentials: "
            "user, password, authSource and authMechanism in the URI",
            e->message));
        return ERR_IO;
    }
    if (is_server && e->code == UNAUTHORIZED) {
        TRY(arena_printf(
            a, ret_why, "the user may not %s; give it the role that docs/mongodb.md shows", doing));
        return ERR_IO;
    }
    TRY(arena_printf(a, ret_why, "could not %s: %s", doing, e->message));
    return ERR_IO;
}

/* ---- the version ---- */
static enum err read_version(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    *(int64_t *)ret_row = mongo_read_int(&r, "version");
    return r.failure;
}

static enum err check_version(struct mongo_call *c, struct arena *a, struct span *ret_why,
                              int64_t *ret_version)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    int64_t version = 0;
    mongo_put_text(&filter, "_id", SPAN("schema"));
    enum err e = mongo_find_one(c, &filter, read_version, a, &version);
    if (e == ERR_INTERNAL) {
        *ret_why = SPAN("the record \"schema\" in the collection meta is damaged");
        return ERR_IO;
    }
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        return mongo_why(c, "read the database", a, ret_why);
    }
    if (version > MONGO_SCHEMA_VERSION) {
        TRY(arena_printf(a, ret_why,
                         "the database has schema %lld of a newer Doorward; this one knows up to "
                         "%d",
                         (long long)version, MONGO_SCHEMA_VERSION));
        return ERR_IO;
    }
    *ret_version = version;
    return ERR_OK;
}

static enum err write_version(struct mongo_call *c, struct arena *a, struct span *ret_why)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_text(&filter, "_id", SPAN("schema"));
    AUTO(mongo_bson)
    bson_t *update = BCON_NEW("$max", "{", "version", BCON_INT64(MONGO_SCHEMA_VERSION), "}");
    mongo_call_turn(c, "meta");
    return mongo_update(c, &filter, update, MONGO_UPSERT) == ERR_OK
               ? ERR_OK
               : mongo_why(c, "write to the database", a, ret_why);
}

/* ---- collections ---- */
static void put_fields(const struct shape *shape, bson_t *schema)
{
    bson_t required;
    bson_t properties;
    uint32_t count = 0;
    mongo_array_begin(schema, "required", &required);
    for (size_t i = 0; i < MAX_FIELDS && shape->fields[i].name != NULL; i++) {
        char room[16];
        const char *key = NULL;
        if (shape->fields[i].is_required) {
            (void)bson_uint32_to_string(count++, &key, room, sizeof(room));
            mongo_put_text(&required, key, span_of(shape->fields[i].name));
        }
    }
    INVARIANT(bson_append_array_end(schema, &required));
    INVARIANT(bson_append_document_begin(schema, "properties", -1, &properties));
    for (size_t i = 0; i < MAX_FIELDS && shape->fields[i].name != NULL; i++) {
        AUTO(mongo_bson) bson_t *type = BCON_NEW("bsonType", shape->fields[i].type);
        mongo_put_doc(&properties, shape->fields[i].name, type);
    }
    INVARIANT(bson_append_document_end(schema, &properties));
}

static bool create(struct mongo_call *c, const struct shape *shape, bool has_validator)
{
    enum { NAMESPACE_EXISTS = 48 };
    AUTO(mongo_doc) bson_t schema = BSON_INITIALIZER;
    mongo_put_text(&schema, "bsonType", SPAN("object"));
    put_fields(shape, &schema);
    AUTO(mongo_bson) bson_t *command = BCON_NEW("create", shape->collection);
    if (has_validator) {
        BCON_APPEND(command, "validator", "{", "$jsonSchema", BCON_DOCUMENT(&schema), "}",
                    "validationLevel", "moderate", "validationAction", "warn");
    }
    return mongo_command(c, command) == ERR_OK || c->error.code == NAMESPACE_EXISTS;
}

/* Validators only warn whoever edits records by hand: a server without them will do. */
static enum err make_collections(struct mongo_call *c, struct arena *a, struct span *ret_why)
{
    bool has_validator = true;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (has_validator && create(c, &shapes[i], true)) {
            continue;
        }
        bson_error_t error = c->error;
        if (!create(c, &shapes[i], false)) {
            return mongo_why(c, "create a collection", a, ret_why);
        }
        if (has_validator) {
            const struct log_field field = LOG_STR("reason", error.message);
            c->store->host->log(LOG_WARN, "store_without_validators", &field, 1);
        }
        has_validator = false;
    }
    return ERR_OK;
}

/* ---- indexes ---- */
static bson_t *new_index_command(const struct index *x)
{
    bson_t *command = BCON_NEW("createIndexes", x->collection);
    bson_t list;
    bson_t index;
    bson_t keys;
    mongo_array_begin(command, "indexes", &list);
    INVARIANT(bson_append_document_begin(&list, "0", -1, &index));
    INVARIANT(bson_append_document_begin(&index, "key", -1, &keys));
    for (size_t i = 0; i < 2 && x->keys[i] != NULL; i++) {
        INVARIANT(bson_append_int32(&keys, x->keys[i], -1, 1));
    }
    INVARIANT(bson_append_document_end(&index, &keys));
    mongo_put_text(&index, "name", span_of(x->name));
    if (x->is_unique) {
        mongo_put_bool(&index, "unique", true);
    }
    if (x->where_exists != NULL) {
        BCON_APPEND(&index, "partialFilterExpression", "{", x->where_exists, "{", "$exists",
                    BCON_BOOL(true), "}", "}");
    }
    if (x->expire_after_s != 0) {
        INVARIANT(bson_append_int32(&index, "expireAfterSeconds", -1, (int32_t)x->expire_after_s));
    }
    INVARIANT(bson_append_document_end(&list, &index));
    INVARIANT(bson_append_array_end(command, &list));
    return command;
}

static enum err read_example(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    *(struct uuid *)ret_row = mongo_read_uuid(&r, "example");
    return r.failure;
}

static bson_t *new_duplicates_pipeline(const struct index *x)
{
    bson_t fields = BSON_INITIALIZER;
    for (size_t i = 0; i < 2 && x->keys[i] != NULL; i++) {
        char path[64];
        int length = snprintf(path, sizeof(path), "$%s", x->keys[i]);
        mongo_put_text(&fields, x->keys[i], (struct span){ path, (size_t)length });
    }
    bson_t *pipeline = BCON_NEW(
        "pipeline", "[", "{", "$match", "{", x->keys[0], "{", "$exists", BCON_BOOL(true), "}", "}",
        "}", "{", "$group", "{", "_id", BCON_DOCUMENT(&fields), "count", "{", "$sum", BCON_INT32(1),
        "}", "example", "{", "$first", "$_id", "}", "}", "}", "{", "$match", "{", "count", "{",
        "$gt", BCON_INT32(1), "}", "}", "}", "{", "$limit", BCON_INT32(1), "}", "]");
    bson_destroy(&fields);
    return pipeline;
}

/* One of the records that share a value: its id, but not the value, which may be personal. */
static bool find_duplicate(struct mongo_call *c, const struct index *x, struct uuid *ret_example)
{
    AUTO(mongo_bson) bson_t *pipeline = new_duplicates_pipeline(x);
    mongo_call_turn(c, x->collection);
    return mongo_aggregate_one(c, pipeline, read_example, NULL, ret_example) == ERR_OK;
}

static enum err say_duplicate(const struct index *x, struct uuid example, struct arena *a,
                              struct span *ret_why)
{
    char text[UUID_TEXT_LENGTH + 1];
    uuid_text(example, text);
    TRY(arena_printf(a, ret_why,
                     "the index \"%s\" on %s cannot be made, because several records have the same "
                     "%s%s%s: the one with the _id UUID(\"%s\") is among them; make them differ",
                     x->name, x->collection, x->keys[0], x->keys[1] != NULL ? " and " : "",
                     x->keys[1] != NULL ? x->keys[1] : "", text));
    return ERR_IO;
}

/* Servers differ in how they tell that old duplicates are in the way. */
static enum err say_failure(struct mongo_call *c, const struct index *x, struct arena *a,
                            struct span *ret_why)
{
    struct uuid example = { 0 };
    bson_error_t error = c->error;
    if (x->is_unique && find_duplicate(c, x, &example)) {
        return say_duplicate(x, example, a, ret_why);
    }
    c->error = error;
    return mongo_why(c, "create an index", a, ret_why);
}

static enum err make_index(struct mongo_call *c, const struct index *x, struct arena *a,
                           struct span *ret_why)
{
    enum { OPTIONS_CONFLICT = 85, KEYS_CONFLICT = 86 };
    AUTO(mongo_bson) bson_t *command = new_index_command(x);
    /* Several processes that make one index at a time may get into each other's way. */
    do {
        if (mongo_command(c, command) == ERR_OK) {
            return ERR_OK;
        }
        if (c->error.code == MONGO_DUPLICATE) {
            break;
        }
        if (c->error.code == OPTIONS_CONFLICT || c->error.code == KEYS_CONFLICT) {
            TRY(arena_printf(a, ret_why,
                             "another index is in the way of \"%s\" on %s: drop that one (%s)",
                             x->name, x->collection, c->error.message));
            return ERR_IO;
        }
    } while (mongo_call_again(c));
    return say_failure(c, x, a, ret_why);
}

enum err mongo_schema_prepare(struct mongo_store *s, struct arena *a, struct span *ret_why)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    int64_t version = 0;
    TRY(mongo_call_open(&s->base, "meta", &c));
    TRY(check_version(&c, a, ret_why, &version));
    bool is_made = version == MONGO_SCHEMA_VERSION;
    if (!is_made) {
        TRY(make_collections(&c, a, ret_why));
    }
    for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
        if (!is_made || indexes[i].is_unique) {
            TRY(make_index(&c, &indexes[i], a, ret_why));
        }
    }
    return is_made ? ERR_OK : write_version(&c, a, ret_why);
}

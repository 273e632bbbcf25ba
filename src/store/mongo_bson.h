/* mongo_bson.h - typed writing and reading of BSON documents. Private to the MongoDB backend.
 *
 * Every value from outside is written by one of these, with its type and its length: no text ever
 * becomes an operator, a field path or a part of a query's shape. Inside an expression of a
 * pipeline, where "$2b$12$..." would be a path, text goes in through mongo_put_literal().
 * Shapes of our own making are written with libbson's BCON macros.
 *
 * Units:     times are BSON dates; 0, for never, is an absent field. Ids are UUIDs, subtype 4. */
#ifndef DOORWARD_STORE_MONGO_BSON_H
#define DOORWARD_STORE_MONGO_BSON_H

#include "store.h"
#include <mongoc/mongoc.h>

/* AUTO(mongo_doc) bson_t doc = BSON_INITIALIZER; */
static inline void mongo_doc_auto(bson_t *b)
{
    bson_destroy(b);
}
/* For BCON_NEW(). */
static inline void mongo_bson_auto(bson_t **b)
{
    bson_destroy(*b);
}

/* ---- writing ---- */
void mongo_put_uuid(bson_t *b, const char *name, struct uuid id);
void mongo_put_uuid_or_none(bson_t *b, const char *name, struct uuid id); /* nil: no field */
void mongo_put_int(bson_t *b, const char *name, int64_t value);
void mongo_put_bool(bson_t *b, const char *name, bool value);
void mongo_put_text(bson_t *b, const char *name, struct span text); /* data NULL: "" */
void mongo_put_bytes(bson_t *b, const char *name, struct span bytes);
void mongo_put_date(bson_t *b, const char *name, int64_t unix_ms);
void mongo_put_date_or_none(bson_t *b, const char *name, int64_t unix_ms); /* 0: no field */
void mongo_put_null(bson_t *b, const char *name); /* in a filter: absent as well */
void mongo_put_doc(bson_t *b, const char *name, const bson_t *doc);
/* {"$literal": text} */
void mongo_put_literal(bson_t *b, const char *name, struct span text);
/* An array whose items its writer names by their indices; bson_append_array_end() closes it. */
void mongo_array_begin(bson_t *b, const char *name, bson_t *ret_array);
/* Words by single spaces, as an array. */
void mongo_put_words(bson_t *b, const char *name, struct span words);
/* {"$in": [ids]} */
void mongo_put_one_of(bson_t *b, const char *name, const struct uuid *ids, size_t count);
/* For BCON: a UUID as a value. */
#define MONGO_UUID(id) BCON_BIN(BSON_SUBTYPE_UUID, (id).bytes, UUID_BYTES)
/* For BCON: the server's time and a date field, in milliseconds (the field's 0 when absent). */
#define MONGO_NOW       "{", "$toLong", "$$NOW", "}"
#define MONGO_MS(field) "{", "$ifNull", "[", "{", "$toLong", field, "}", BCON_INT64(0), "]", "}"
#define MONGO_DATE(...) "{", "$toDate", __VA_ARGS__, "}"

/* ---- reading ---- */
/* The first thing that is not as it must be makes `failure`, and what follows reads as nothing. */
struct mongo_reader {
    const bson_t *doc;
    struct arena *arena;
    enum err failure;
};
struct uuid mongo_read_uuid(struct mongo_reader *r, const char *name); /* absent: nil */
int64_t mongo_read_int(struct mongo_reader *r, const char *name);
bool mongo_read_bool(struct mongo_reader *r, const char *name);
int64_t mongo_read_date(struct mongo_reader *r, const char *name); /* absent or null: 0 */
struct span mongo_read_text(struct mongo_reader *r, const char *name);
struct span mongo_read_text_or_none(struct mongo_reader *r, const char *name);
struct span mongo_read_bytes(struct mongo_reader *r, const char *name);
struct span mongo_read_words(struct mongo_reader *r, const char *name);
/* Is this UUID the field, or among the field's array? */
bool mongo_has_uuid(const bson_t *doc, const char *name, struct uuid id);

#endif

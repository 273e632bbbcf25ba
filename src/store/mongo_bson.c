/* mongo_bson.c - typed writing and reading of BSON documents. */
#include "mongo_bson.h"

#include <string.h>

/* ---- writing ---- */
/* A document's limit is 2 GiB, which nothing of ours comes near. */
static void must(bool appended)
{
    INVARIANT(appended);
}

static int length_of(struct span text)
{
    INVARIANT(text.length <= INT32_MAX / 2);
    return (int)text.length;
}

void mongo_put_uuid(bson_t *b, const char *name, struct uuid id)
{
    must(bson_append_binary(b, name, -1, BSON_SUBTYPE_UUID, id.bytes, UUID_BYTES));
}

void mongo_put_uuid_or_none(bson_t *b, const char *name, struct uuid id)
{
    if (!uuid_is_nil(id)) {
        mongo_put_uuid(b, name, id);
    }
}

void mongo_put_int(bson_t *b, const char *name, int64_t value)
{
    must(bson_append_int64(b, name, -1, value));
}

void mongo_put_bool(bson_t *b, const char *name, bool value)
{
    must(bson_append_bool(b, name, -1, value));
}

void mongo_put_text(bson_t *b, const char *name, struct span text)
{
    must(bson_append_utf8(b, name, -1, text.data != NULL ? text.data : "", length_of(text)));
}

void mongo_put_bytes(bson_t *b, const char *name, struct span bytes)
{
    const char *data = bytes.data != NULL ? bytes.data : "";
    must(bson_append_binary(b, name, -1, BSON_SUBTYPE_BINARY, (const uint8_t *)data,
                            (uint32_t)length_of(bytes)));
}

void mongo_put_date(bson_t *b, const char *name, int64_t unix_ms)
{
    must(bson_append_date_time(b, name, -1, unix_ms));
}

void mongo_put_date_or_none(bson_t *b, const char *name, int64_t unix_ms)
{
    if (unix_ms != 0) {
        mongo_put_date(b, name, unix_ms);
    }
}

void mongo_put_null(bson_t *b, const char *name)
{
    must(bson_append_null(b, name, -1));
}

void mongo_put_doc(bson_t *b, const char *name, const bson_t *doc)
{
    must(bson_append_document(b, name, -1, doc));
}

void mongo_put_literal(bson_t *b, const char *name, struct span text)
{
    bson_t literal;
    must(bson_append_document_begin(b, name, -1, &literal));
    mongo_put_text(&literal, "$literal", text);
    must(bson_append_document_end(b, &literal));
}

void mongo_array_begin(bson_t *b, const char *name, bson_t *ret_array)
{
#ifdef BSON_APPEND_ARRAY_UNSAFE_BEGIN /* its name since libbson 2 */
    must(bson_append_array_unsafe_begin(b, name, -1, ret_array));
#else
    must(bson_append_array_begin(b, name, -1, ret_array));
#endif
}

void mongo_put_words(bson_t *b, const char *name, struct span words)
{
    bson_t array;
    struct span rest = words.length > 0 ? words : SPAN_NONE;
    struct span word;
    mongo_array_begin(b, name, &array);
    for (uint32_t i = 0; span_split(&rest, ' ', &word); i++) {
        char room[16];
        const char *key = NULL;
        (void)bson_uint32_to_string(i, &key, room, sizeof(room));
        mongo_put_text(&array, key, word);
    }
    must(bson_append_array_end(b, &array));
}

void mongo_put_one_of(bson_t *b, const char *name, const struct uuid *ids, size_t count)
{
    bson_t condition;
    bson_t list;
    must(bson_append_document_begin(b, name, -1, &condition));
    mongo_array_begin(&condition, "$in", &list);
    for (uint32_t i = 0; i < count; i++) {
        char room[16];
        const char *key = NULL;
        (void)bson_uint32_to_string(i, &key, room, sizeof(room));
        mongo_put_uuid(&list, key, ids[i]);
    }
    must(bson_append_array_end(&condition, &list));
    must(bson_append_document_end(b, &condition));
}

/* ---- reading ---- */
static bool find(struct mongo_reader *r, const char *name, bson_iter_t *ret_field)
{
    return r->failure == ERR_OK && bson_iter_init_find(ret_field, r->doc, name) &&
           !BSON_ITER_HOLDS_NULL(ret_field);
}

static void fail(struct mongo_reader *r, enum err e)
{
    if (r->failure == ERR_OK) {
        r->failure = e;
    }
}

static bool take_uuid(const bson_iter_t *field, struct uuid *ret_id)
{
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (BSON_ITER_HOLDS_BINARY(field)) {
        bson_iter_binary(field, &subtype, &length, &bytes);
    }
    if (subtype != BSON_SUBTYPE_UUID || length != UUID_BYTES) {
        return false;
    }
    memcpy(ret_id->bytes, bytes, UUID_BYTES);
    return true;
}

struct uuid mongo_read_uuid(struct mongo_reader *r, const char *name)
{
    struct uuid id = { 0 };
    bson_iter_t field;
    if (find(r, name, &field) && !take_uuid(&field, &id)) {
        fail(r, ERR_INTERNAL);
    }
    return id;
}

/* Whoever edits a record in a shell leaves doubles behind: a whole one is as good as a long. */
static bool take_int(const bson_iter_t *field, int64_t *ret_value)
{
    if (BSON_ITER_HOLDS_DOUBLE(field)) {
        double value = bson_iter_double(field);
        bool whole = value >= -9007199254740992.0 && value <= 9007199254740992.0 &&
                     value == (double)(int64_t)value;
        *ret_value = whole ? (int64_t)value : 0;
        return whole;
    }
    *ret_value = bson_iter_as_int64(field);
    return BSON_ITER_HOLDS_INT(field);
}

int64_t mongo_read_int(struct mongo_reader *r, const char *name)
{
    int64_t value = 0;
    bson_iter_t field;
    if (!find(r, name, &field) || !take_int(&field, &value)) {
        fail(r, ERR_INTERNAL);
    }
    return value;
}

bool mongo_read_bool(struct mongo_reader *r, const char *name)
{
    bson_iter_t field;
    if (!find(r, name, &field) || !BSON_ITER_HOLDS_BOOL(&field)) {
        fail(r, ERR_INTERNAL);
        return false;
    }
    return bson_iter_bool(&field);
}

int64_t mongo_read_date(struct mongo_reader *r, const char *name)
{
    bson_iter_t field;
    if (!find(r, name, &field)) {
        return 0;
    }
    if (!BSON_ITER_HOLDS_DATE_TIME(&field)) {
        fail(r, ERR_INTERNAL);
        return 0;
    }
    return bson_iter_date_time(&field);
}

static struct span copy(struct mongo_reader *r, const void *data, size_t length)
{
    struct span kept = SPAN_NONE;
    enum err e = arena_copy(r->arena, (struct span){ .data = data, .length = length }, &kept);
    if (e != ERR_OK) {
        fail(r, e);
    }
    return kept;
}

struct span mongo_read_text_or_none(struct mongo_reader *r, const char *name)
{
    bson_iter_t field;
    uint32_t length = 0;
    if (!find(r, name, &field)) {
        return SPAN_NONE;
    }
    if (!BSON_ITER_HOLDS_UTF8(&field)) {
        fail(r, ERR_INTERNAL);
        return SPAN_NONE;
    }
    const char *text = bson_iter_utf8(&field, &length);
    return copy(r, text, length);
}

struct span mongo_read_text(struct mongo_reader *r, const char *name)
{
    struct span text = mongo_read_text_or_none(r, name);
    if (text.data == NULL) {
        fail(r, ERR_INTERNAL);
    }
    return text;
}

struct span mongo_read_bytes(struct mongo_reader *r, const char *name)
{
    bson_iter_t field;
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!find(r, name, &field) || !BSON_ITER_HOLDS_BINARY(&field)) {
        fail(r, ERR_INTERNAL);
        return SPAN_NONE;
    }
    bson_iter_binary(&field, &subtype, &length, &bytes);
    return copy(r, bytes, length);
}

static void add_word(struct mongo_reader *r, const bson_iter_t *item, struct buf *words)
{
    uint32_t length = 0;
    const char *text = BSON_ITER_HOLDS_UTF8(item) ? bson_iter_utf8(item, &length) : NULL;
    if (text == NULL) {
        fail(r, ERR_INTERNAL);
        return;
    }
    if (words->length > 0) {
        buf_add_char(words, ' ');
    }
    buf_add(words, (struct span){ .data = text, .length = length });
}

struct span mongo_read_words(struct mongo_reader *r, const char *name)
{
    enum { MAX_WORDS_BYTES = 64 * 1024 };
    bson_iter_t field;
    bson_iter_t item;
    if (!find(r, name, &field) || !BSON_ITER_HOLDS_ARRAY(&field) ||
        !bson_iter_recurse(&field, &item)) {
        fail(r, ERR_INTERNAL);
        return SPAN_NONE;
    }
    struct buf words;
    buf_init(&words, MAX_WORDS_BYTES);
    while (bson_iter_next(&item)) {
        add_word(r, &item, &words);
    }
    struct span kept = copy(r, words.length > 0 ? words.data : "", words.length);
    if (words.failed) {
        fail(r, ERR_NOMEM);
    }
    buf_done(&words);
    return kept;
}

bool mongo_has_uuid(const bson_t *doc, const char *name, struct uuid id)
{
    bson_iter_t field;
    bson_iter_t item;
    struct uuid found = { 0 };
    if (!bson_iter_init_find(&field, doc, name)) {
        return false;
    }
    if (take_uuid(&field, &found)) {
        return uuid_equal(found, id);
    }
    bool is_there = false;
    if (BSON_ITER_HOLDS_ARRAY(&field) && bson_iter_recurse(&field, &item)) {
        while (!is_there && bson_iter_next(&item)) {
            is_there = take_uuid(&item, &found) && uuid_equal(found, id);
        }
    }
    return is_there;
}

/* mongo_revocations.c - what every process follows, in the order of the server's time.
 *
 * A sequence is the server's time of the write, in milliseconds, and a number that tells those of
 * one millisecond apart. A write becomes visible to majority reads a while after its time, so a
 * later one may be seen first: who follows goes back by the overlap each time (store.h). It is
 * wide enough, because an acknowledged put leaves a sequence that is younger than
 *
 *     FRESH = 2 x socket timeout + 6 s
 *
 * at the time of its last try, which was at most two socket timeouts before the acknowledgement;
 * older ones are renewed, also when they say nothing new. So the overlap of two FRESH leaves room
 * for that, for the pause of who follows, and for servers' clocks that a fail-over finds 5 s apart.
 */
#include "mongo.h"

#define CLOCK_ROOM_MS INT64_C(6000)
#define SEQUENCE_BITS 20
#define SEQUENCE_STEP (INT64_C(1) << SEQUENCE_BITS) /* of one millisecond */

static int64_t fresh_ms(const struct mongo_store *s)
{
    return 2 * s->socket_ms + CLOCK_ROOM_MS;
}

static int64_t revocation_overlap(const struct store *s)
{
    return 2 * fresh_ms((const struct mongo_store *)s) * SEQUENCE_STEP;
}

/* ---- putting ---- */
static void put_key(bson_t *filter, const struct store_revocation *r)
{
    BCON_APPEND(filter, "_id", "{", r->is_user ? "user" : "session", MONGO_UUID(r->id), "}");
}

/* Does the record say as much as the revocation, and recently? Of a record that is not there
 * nothing is greater than anything. */
static bson_t *new_is_said(const struct mongo_store *s, const struct store_revocation *r)
{
    return BCON_NEW("$and", "[", "{", "$gte", "[", "$epoch", BCON_INT64(r->epoch), "]", "}", "{",
                    "$gte", "[", MONGO_MS("$expires_at"), BCON_INT64(r->expires_at), "]", "}", "{",
                    "$gt", "[", "$sequence", "{", "$multiply", "[", "{", "$subtract", "[",
                    MONGO_NOW, BCON_INT64(fresh_ms(s)), "]", "}", BCON_INT64(SEQUENCE_STEP), "]",
                    "}", "]", "}", "]");
}

static void put_keep(bson_t *set, const struct store_revocation *r)
{
    bson_t branches;
    bson_t keep;
    INVARIANT(bson_append_document_begin(set, "keep", -1, &keep));
    mongo_array_begin(&keep, "$cond", &branches);
    BCON_APPEND(&branches, "0", "{", "$gte", "[", "$epoch", BCON_INT64(r->epoch), "]", "}", "1",
                "$keep");
    if (uuid_is_nil(r->keep)) {
        mongo_put_null(&branches, "2");
    } else {
        mongo_put_uuid(&branches, "2", r->keep);
    }
    INVARIANT(bson_append_array_end(&keep, &branches));
    INVARIANT(bson_append_document_end(set, &keep));
}

static bson_t *new_put(struct mongo_store *s, const struct store_revocation *r)
{
    int64_t number = atomic_fetch_add(&s->puts, 1) % SEQUENCE_STEP;
    bson_t *is_said = new_is_said(s, r);
    bson_t set = BSON_INITIALIZER;
    BCON_APPEND(&set, "sequence", "{", "$cond", "[", BCON_DOCUMENT(is_said), "$sequence", "{",
                "$add", "[", "{", "$multiply", "[", MONGO_NOW, BCON_INT64(SEQUENCE_STEP), "]", "}",
                BCON_INT64(number), "]", "}", "]", "}", "epoch", "{", "$max", "[", "$epoch",
                BCON_INT64(r->epoch), "]", "}", "expires_at", "{", "$max", "[", "$expires_at",
                BCON_DATE_TIME(r->expires_at), "]", "}");
    put_keep(&set, r);
    bson_t *pipeline = BCON_NEW("0", "{", "$set", BCON_DOCUMENT(&set), "}");
    bson_destroy(&set);
    bson_destroy(is_said);
    return pipeline;
}

static enum err revocation_put(struct store *s, const struct store_revocation *revocation)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "revocations", &c));
    put_key(&filter, revocation);
    AUTO(mongo_bson) bson_t *update = new_put(mongo_of(s), revocation);
    return mongo_update(&c, &filter, update, MONGO_UPSERT);
}

/* ---- following ---- */
static enum err read_id(const bson_t *doc, struct store_revocation *r)
{
    bson_iter_t field;
    bson_t id;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!bson_iter_init_find(&field, doc, "_id") || !BSON_ITER_HOLDS_DOCUMENT(&field)) {
        return ERR_INTERNAL;
    }
    bson_iter_document(&field, &length, &bytes);
    if (!bson_init_static(&id, bytes, length)) {
        return ERR_INTERNAL;
    }
    r->is_user = bson_has_field(&id, "user");
    struct mongo_reader reader = { .doc = &id };
    r->id = mongo_read_uuid(&reader, r->is_user ? "user" : "session");
    return uuid_is_nil(r->id) ? ERR_INTERNAL : reader.failure;
}

static enum err read_revocation(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader reader = { .doc = doc, .arena = a };
    struct store_revocation r = { 0 };
    TRY(read_id(doc, &r));
    r.epoch = mongo_read_int(&reader, "epoch");
    r.keep = mongo_read_uuid(&reader, "keep");
    r.expires_at = mongo_read_date(&reader, "expires_at");
    r.sequence = mongo_read_int(&reader, "sequence");
    TRY(reader.failure);
    *(struct store_revocation *)ret_row = r;
    return ERR_OK;
}

/* Two processes may have written the same sequence: it is not cut apart by the end of a page. */
static size_t whole_sequences(const struct store_revocation *list, size_t count, size_t max)
{
    if (count <= max) {
        return count;
    }
    size_t whole = max;
    while (whole > 0 && list[whole - 1].sequence == list[max].sequence) {
        whole--;
    }
    return whole > 0 ? whole : max;
}

static enum err revocation_since(struct store *s, int64_t after, size_t max, struct arena *a,
                                 struct store_revocation **ret_revocations, size_t *ret_count)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_bson)
    bson_t *filter = BCON_NEW("sequence", "{", "$gt", BCON_INT64(after), "}");
    AUTO(mongo_bson) bson_t *options = BCON_NEW("sort", "{", "sequence", BCON_INT32(1), "}");
    TRY(mongo_call_open(s, "revocations", &c));
    struct mongo_query query = { .filter = filter,
                                 .options = options,
                                 .max = max + 1,
                                 .read = read_revocation,
                                 .row_bytes = sizeof(struct store_revocation) };
    struct mongo_rows rows = { 0 };
    TRY(mongo_find(&c, &query, a, &rows));
    *ret_revocations = rows.data;
    *ret_count = whole_sequences(rows.data, rows.count, max);
    return ERR_OK;
}

const struct store_revocation_ops mongo_revocation_ops = {
    .put = revocation_put,
    .since = revocation_since,
    .overlap = revocation_overlap,
    .watch = mongo_revocation_watch,
};

/* mongo_attempts.c - what failed attempts cost, for users and for names that no user has: one rule
 * and one write for both, so that neither the answer nor its time tells them apart.
 *
 * The write meets the record whether it counts or refuses, and leaves a refused one as it is: whose
 * id is in `attempts` afterwards was counted, and only once however often it was tried. An $expr in
 * the filter would say the same, but an upsert takes none. */
#include "mongo.h"

#include <string.h>

#define MOST_FAILURES INT64_C(1000000000)
#define MOST_DOUBLED  40
#define ATTEMPTS_KEPT 8 /* ids of the last that were counted */
#define ATTEMPTS      "{", "$ifNull", "[", "$attempts", "[", "]", "]", "}"

struct attempt {
    int64_t free_attempts, max_wait_ms;
    int64_t wait_ms; /* the result of a refusal */
};

/* Is this call to be counted? A wait that lies further ahead than any that is given now comes from
 * another setting or from a clock that was wrong, and counts as over. */
static bson_t *new_allowed(const struct attempt *attempt, struct uuid id)
{
    return BCON_NEW("$and", "[", "{", "$not", "[", "{", "$in", "[", MONGO_UUID(id), ATTEMPTS, "]",
                    "}", "]", "}", "{", "$or", "[", "{", "$lte", "[", MONGO_MS("$not_before"),
                    MONGO_NOW, "]", "}", "{", "$gt", "[", MONGO_MS("$not_before"), "{", "$add", "[",
                    MONGO_NOW, BCON_INT64(attempt->max_wait_ms), "]", "}", "]", "}", "]", "}", "]");
}

/* now + min(max_wait, 1 s * 2^(failures - free)); the exponent is bounded, so that nothing
 * overflows. */
static bson_t *new_not_before(const struct attempt *attempt)
{
    return BCON_NEW(
        "$toDate", "{", "$add", "[", MONGO_NOW, "{", "$min", "[", BCON_INT64(attempt->max_wait_ms),
        "{", "$toLong", "{", "$multiply", "[", BCON_INT64(1000), "{", "$pow", "[", BCON_INT32(2),
        "{", "$min", "[", "{", "$subtract", "[", "$failures", BCON_INT64(attempt->free_attempts),
        "]", "}", BCON_INT32(MOST_DOUBLED), "]", "}", "]", "}", "]", "}", "}", "]", "}", "]", "}");
}

static bson_t *new_count(const struct attempt *attempt, struct uuid id)
{
    bson_t *allowed = new_allowed(attempt, id);
    bson_t *not_before = new_not_before(attempt);
    bson_t *count =
        BCON_NEW("$set", "{", "failures", "{", "$cond", "[", BCON_DOCUMENT(allowed), "{", "$add",
                 "[", "{", "$min", "[", "$failures", BCON_INT64(MOST_FAILURES), "]", "}",
                 BCON_INT64(1), "]", "}", "$failures", "]", "}", "not_before", "{", "$cond", "[",
                 "{", "$and", "[", BCON_DOCUMENT(allowed), "{", "$gte", "[", "$failures",
                 BCON_INT64(attempt->free_attempts), "]", "}", "]", "}", BCON_DOCUMENT(not_before),
                 "$not_before", "]", "}", "attempts", "{", "$cond", "[", BCON_DOCUMENT(allowed),
                 "{", "$slice", "[", "{", "$concatArrays", "[", "[", MONGO_UUID(id), "]", ATTEMPTS,
                 "]", "}", BCON_INT32(ATTEMPTS_KEPT), "]", "}", ATTEMPTS, "]", "}", "}");
    bson_destroy(allowed);
    bson_destroy(not_before);
    return count;
}

static enum err read_wait(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    *(int64_t *)ret_row = mongo_read_date(&r, "not_before") - mongo_read_date(&r, "now");
    return r.failure;
}

/* ERR_BUSY: the wait has just ended. */
static enum err read_refusal(struct mongo_call *c, const bson_t *filter, struct attempt *attempt)
{
    int64_t wait_ms = 0;
    TRY(mongo_look(c, filter, read_wait, NULL, &wait_ms));
    attempt->wait_ms = wait_ms;
    return wait_ms > 0 ? ERR_TOO_MANY_ATTEMPTS : ERR_BUSY;
}

static enum err count_once(struct mongo_call *c, const bson_t *filter, const bson_t *pipeline,
                           enum mongo_mode mode, struct attempt *attempt)
{
    bson_t doc;
    TRY(mongo_modify(c, filter, pipeline, mode, &doc));
    if (mongo_has_uuid(&doc, "attempts", c->id)) {
        return ERR_OK;
    }
    return read_refusal(c, filter, attempt);
}

static enum err run(struct mongo_call *c, const bson_t *filter, const bson_t *pipeline,
                    enum mongo_mode mode, struct attempt *attempt)
{
    enum err e = ERR_BUSY;
    do {
        e = count_once(c, filter, pipeline, mode, attempt);
    } while (e == ERR_BUSY && mongo_call_again(c));
    return e == ERR_BUSY ? ERR_UNAVAILABLE : e;
}

static int64_t clip(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static struct attempt attempt_of(int64_t free_attempts, int64_t max_wait_ms)
{
    static const int64_t one_year_ms = INT64_C(366) * 24 * 3600 * 1000;
    return (struct attempt){ .free_attempts = clip(free_attempts, 0, INT32_MAX),
                             .max_wait_ms = clip(max_wait_ms, 0, one_year_ms) };
}

enum err mongo_user_attempt(struct store *s, struct uuid id, int64_t free_attempts,
                            int64_t max_wait_ms, int64_t *ret_wait_ms)
{
    struct attempt attempt = attempt_of(free_attempts, max_wait_ms);
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "users", &c));
    mongo_put_uuid(&filter, "_id", id);
    mongo_put_null(&filter, "deleted_at");
    AUTO(mongo_bson) bson_t *count = new_count(&attempt, c.id);
    AUTO(mongo_bson) bson_t *pipeline = BCON_NEW("0", BCON_DOCUMENT(count));
    enum err e = run(&c, &filter, pipeline, MONGO_ONE, &attempt);
    if (e == ERR_TOO_MANY_ATTEMPTS) {
        *ret_wait_ms = attempt.wait_ms;
    }
    return e;
}

/* ---- strangers ---- */
/* A name that is not in its place begins without failures, whoever was there. */
static bson_t *new_moving_in(const uint8_t name[static STORE_STRANGER_BYTES])
{
    bson_t is_same = BSON_INITIALIZER;
    BCON_APPEND(&is_same, "$eq", "[", "$name",
                BCON_BIN(BSON_SUBTYPE_BINARY, name, STORE_STRANGER_BYTES), "]");
    bson_t *stage = BCON_NEW("$set", "{", "failures", "{", "$cond", "[", BCON_DOCUMENT(&is_same),
                             "$failures", BCON_INT64(0), "]", "}", "not_before", "{", "$cond", "[",
                             BCON_DOCUMENT(&is_same), "$not_before", BCON_NULL, "]", "}", "name",
                             BCON_BIN(BSON_SUBTYPE_BINARY, name, STORE_STRANGER_BYTES), "}");
    bson_destroy(&is_same);
    return stage;
}

enum err mongo_stranger_attempt(struct store *s, const uint8_t name[static STORE_STRANGER_BYTES],
                                int64_t free_attempts, int64_t max_wait_ms, int64_t *ret_wait_ms)
{
    struct attempt attempt = attempt_of(free_attempts, max_wait_ms);
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "strangers", &c));
    mongo_put_int(&filter, "_id", (name[0] << 8 | name[1]) % STORE_STRANGERS);
    AUTO(mongo_bson) bson_t *moving_in = new_moving_in(name);
    AUTO(mongo_bson) bson_t *count = new_count(&attempt, c.id);
    AUTO(mongo_bson)
    bson_t *pipeline = BCON_NEW("0", BCON_DOCUMENT(moving_in), "1", BCON_DOCUMENT(count));
    enum err e = run(&c, &filter, pipeline, MONGO_UPSERT, &attempt);
    if (e == ERR_TOO_MANY_ATTEMPTS) {
        *ret_wait_ms = attempt.wait_ms;
    }
    return e;
}

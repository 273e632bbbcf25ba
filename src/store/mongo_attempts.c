/* mongo_attempts.c - what failed attempts cost, for users and for names that no user has: one rule
 * and one write for both, so that neither the answer nor its time tells them apart.
 *
 * The write meets the record whether it counts or refuses, and leaves a refused one as it is: whose
 * id is in `attempts` afterwards was counted, and only once however often it was tried. An $expr in
 * the filter would say the same, but an upsert takes none.
 *
 * A success writes nothing here. Attempts are numbered (`tries` is the last one), and a session
 * says in `try` which of them opened it. So each attempt first reads the highest of the user's
 * sessions; where that is above `proved`, the last one known, its own write forgets what had been
 * counted. The next number is above both, since a backup may have sessions that are newer than its
 * users. Whoever is killed in between leaves a failure too many, never one too few. A session
 * stays for a day past its end, so a proof is gone only when the failures are nearly forgotten
 * anyway. */
#include "mongo.h"

#include <string.h>

#define MOST_FAILURES INT64_C(1000000000)
#define MOST_DOUBLED  40
#define ATTEMPTS_KEPT 8 /* ids of the last that were counted */
#define ATTEMPTS      "{", "$ifNull", "[", "$attempts", "[", "]", "]", "}"
#define NUMBER(field) "{", "$ifNull", "[", field, BCON_INT64(0), "]", "}"

struct attempt {
    int64_t free_attempts, max_wait_ms;
    struct uuid sessions_of; /* where a success is looked for; a stranger has none */
    struct store_attempt result;
};

/* Where it is counted. */
struct record {
    const char *collection;
    bson_t *filter;
    const bson_t *moving_in; /* a stage before the rule, or NULL */
    enum mongo_mode mode;
};

/* ---- the rule, in stages of a pipeline ---- */
/* A success was proved since, or nothing was added for long. */
static bson_t *new_is_forgotten(const struct attempt *attempt, int64_t proof)
{
    int64_t silence_ms = STORE_FORGET_WAITS(attempt->free_attempts) * attempt->max_wait_ms;
    return BCON_NEW("$or", "[", "{", "$lt", "[", NUMBER("$proved"), BCON_INT64(proof), "]", "}",
                    "{", "$and", "[", "{", "$gt", "[", MONGO_MS("$not_before"), BCON_INT64(0), "]",
                    "}", "{", "$lt", "[", MONGO_MS("$not_before"), "{", "$subtract", "[", MONGO_NOW,
                    BCON_INT64(silence_ms), "]", "}", "]", "}", "]", "}", "]");
}

static bson_t *new_forgetting(const struct attempt *attempt, int64_t proof)
{
    bson_t *is_forgotten = new_is_forgotten(attempt, proof);
    bson_t *stage =
        BCON_NEW("$set", "{", "failures", "{", "$cond", "[", BCON_DOCUMENT(is_forgotten),
                 BCON_INT64(0), "$failures", "]", "}", "not_before", "{", "$cond", "[",
                 BCON_DOCUMENT(is_forgotten), BCON_NULL, "$not_before", "]", "}", "proved", "{",
                 "$max", "[", NUMBER("$proved"), BCON_INT64(proof), "]", "}", "}");
    bson_destroy(is_forgotten);
    return stage;
}

/* Is this call to be counted? A wait that lies further ahead than any that is given now comes from
 * another setting or from a clock that was wrong, and counts as over. */
static bson_t *new_allowed(const struct attempt *attempt, struct uuid id)
{
    return BCON_NEW("$and", "[", "{", "$not", "[", "{", "$in", "[", MONGO_UUID(id), ATTEMPTS, "]",
                    "}", "]", "}", "{", "$or", "[", "{", "$lte", "[", MONGO_MS("$not_before"),
                    MONGO_NOW, "]", "}", "{", "$gt", "[", MONGO_MS("$not_before"), "{", "$add", "[",
                    MONGO_NOW, BCON_INT64(attempt->max_wait_ms), "]", "}", "]", "}", "]", "}", "]");
}

/* min(max_wait, 1 s * 2^(failures - free)); the exponent is bounded, so that nothing overflows. */
static bson_t *new_wait(const struct attempt *attempt)
{
    return BCON_NEW("$min", "[", BCON_INT64(attempt->max_wait_ms), "{", "$toLong", "{", "$multiply",
                    "[", BCON_INT64(1000), "{", "$pow", "[", BCON_INT32(2), "{", "$min", "[", "{",
                    "$subtract", "[", "$failures", BCON_INT64(attempt->free_attempts), "]", "}",
                    BCON_INT32(MOST_DOUBLED), "]", "}", "]", "}", "]", "}", "}", "]");
}

/* now, and the wait when no attempt is free any more. */
static bson_t *new_not_before(const struct attempt *attempt)
{
    bson_t *wait = new_wait(attempt);
    bson_t *not_before = BCON_NEW("$toDate", "{", "$add", "[", MONGO_NOW, "{", "$cond", "[", "{",
                                  "$lt", "[", "$failures", BCON_INT64(attempt->free_attempts), "]",
                                  "}", BCON_INT64(0), BCON_DOCUMENT(wait), "]", "}", "]", "}");
    bson_destroy(wait);
    return not_before;
}

static bson_t *new_count(const struct attempt *attempt, struct uuid id)
{
    bson_t *allowed = new_allowed(attempt, id);
    bson_t *not_before = new_not_before(attempt);
    bson_t *stage =
        BCON_NEW("$set", "{", "failures", "{", "$cond", "[", BCON_DOCUMENT(allowed), "{", "$add",
                 "[", "{", "$min", "[", "$failures", BCON_INT64(MOST_FAILURES), "]", "}",
                 BCON_INT64(1), "]", "}", "$failures", "]", "}", "not_before", "{", "$cond", "[",
                 BCON_DOCUMENT(allowed), BCON_DOCUMENT(not_before), "$not_before", "]", "}",
                 "tries", "{", "$cond", "[", BCON_DOCUMENT(allowed), "{", "$add", "[", "{", "$max",
                 "[", NUMBER("$tries"), NUMBER("$proved"), "]", "}", BCON_INT64(1), "]", "}",
                 NUMBER("$tries"), "]", "}", "attempts", "{", "$cond", "[", BCON_DOCUMENT(allowed),
                 "{", "$slice", "[", "{", "$concatArrays", "[", "[", MONGO_UUID(id), "]", ATTEMPTS,
                 "]", "}", BCON_INT32(ATTEMPTS_KEPT), "]", "}", ATTEMPTS, "]", "}", "}");
    bson_destroy(allowed);
    bson_destroy(not_before);
    return stage;
}

/* ---- counting ---- */
static enum err read_try(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    *(int64_t *)ret_row = mongo_read_int(&r, "try");
    return r.failure;
}

/* The last attempt that is known to have opened a session; 0: none. */
static enum err find_proof(struct mongo_call *c, const struct attempt *attempt, int64_t *ret_proof)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_uuid(&filter, "user_id", attempt->sessions_of);
    BCON_APPEND(&filter, "try", "{", "$gt", BCON_INT64(0), "}");
    *ret_proof = 0;
    mongo_call_turn(c, "sessions");
    enum err e = mongo_find_last(c, &filter, "try", read_try, NULL, ret_proof);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
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
    attempt->result = (struct store_attempt){ .wait_ms = wait_ms };
    return wait_ms > 0 ? ERR_TOO_MANY_ATTEMPTS : ERR_BUSY;
}

static enum err read_number(const bson_t *doc, struct attempt *attempt)
{
    struct mongo_reader r = { .doc = doc };
    attempt->result = (struct store_attempt){ .number = mongo_read_int(&r, "tries") };
    return r.failure;
}

static enum err count_once(struct mongo_call *c, const struct record *record,
                           struct attempt *attempt)
{
    int64_t proof = 0;
    bson_t doc;
    TRY(find_proof(c, attempt, &proof));
    AUTO(mongo_bson) bson_t *forgetting = new_forgetting(attempt, proof);
    AUTO(mongo_bson) bson_t *count = new_count(attempt, c->id);
    AUTO(mongo_bson)
    bson_t *pipeline = record->moving_in != NULL
                           ? BCON_NEW("0", BCON_DOCUMENT(record->moving_in), "1",
                                      BCON_DOCUMENT(forgetting), "2", BCON_DOCUMENT(count))
                           : BCON_NEW("0", BCON_DOCUMENT(forgetting), "1", BCON_DOCUMENT(count));
    mongo_call_turn(c, record->collection);
    TRY(mongo_modify(c, record->filter, pipeline, record->mode, &doc));
    return mongo_has_uuid(&doc, "attempts", c->id) ? read_number(&doc, attempt)
                                                   : read_refusal(c, record->filter, attempt);
}

static enum err run(struct mongo_call *c, const struct record *record, struct attempt *attempt,
                    struct store_attempt *ret_attempt)
{
    enum err e = ERR_BUSY;
    do {
        e = count_once(c, record, attempt);
    } while (e == ERR_BUSY && mongo_call_again(c));
    if (e == ERR_OK || e == ERR_TOO_MANY_ATTEMPTS) {
        *ret_attempt = attempt->result;
    }
    return e == ERR_BUSY ? ERR_UNAVAILABLE : e;
}

enum err mongo_user_attempt(struct store *s, struct uuid id, int64_t free_attempts,
                            int64_t max_wait_ms, struct store_attempt *ret_attempt)
{
    struct attempt attempt = { .free_attempts = free_attempts,
                               .max_wait_ms = max_wait_ms,
                               .sessions_of = id };
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "users", &c));
    mongo_put_living(&filter, id);
    struct record record = { .collection = "users", .filter = &filter };
    return run(&c, &record, &attempt, ret_attempt);
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
                                int64_t free_attempts, int64_t max_wait_ms,
                                struct store_attempt *ret_attempt)
{
    struct attempt attempt = { .free_attempts = free_attempts, .max_wait_ms = max_wait_ms };
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "strangers", &c));
    mongo_put_int(&filter, "_id", (name[0] << 8 | name[1]) % STORE_STRANGERS);
    AUTO(mongo_bson) bson_t *moving_in = new_moving_in(name);
    struct record record = { "strangers", &filter, moving_in, MONGO_UPSERT };
    _Static_assert(STORE_STRANGER_BYTES == UUID_BYTES, "a name is looked for as a user's id is");
    memcpy(attempt.sessions_of.bytes, name, UUID_BYTES);
    return run(&c, &record, &attempt, ret_attempt);
}

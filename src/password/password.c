/* password.c - policy, and the way from a password to the engine and back. */
#include "password.h"

#include "engine.h"
#include "formats.h"

#include <stdlib.h>
#include <string.h>

/* The dearest stored hash that is tried at all, unless the live cost itself is dearer: cost 20
 * takes about a minute of one core, and an imported row at cost 31 would take a day of it. */
#define STORED_COST_MAX 20

struct password_engine {
    struct engine *engine;
    unsigned cost;
    char decoy[FORMAT_TEXT_MAX];
    size_t decoy_length;
};

enum password_fit password_check(struct span password, size_t min_length)
{
    if (password.length > PASSWORD_MAX_BYTES) {
        return PASSWORD_TOO_LONG;
    }
    if (span_find(password, '\0') < password.length) {
        return PASSWORD_HAS_NUL;
    }
    if (!span_is_utf8(password)) {
        return PASSWORD_NOT_UTF8;
    }
    return span_utf8_length(password) < min_length ? PASSWORD_TOO_SHORT : PASSWORD_FITS;
}

/* What can be hashed at all. Not password_check(): what was accepted once must go on working when
 * the rules for new passwords change. */
static bool can_hash(struct span password)
{
    return password.length <= PASSWORD_MAX_BYTES && span_find(password, '\0') == password.length;
}

/* ---- life ---- */

/* A hash that nobody computed: random bytes in bcrypt's alphabet. That it never matches does not
 * rest on their luck: password_verify() knows it. */
static enum err make_decoy(struct password_engine *e)
{
    uint8_t random[FORMAT_SALT_BYTES + KERNEL_DIGEST_LENGTH];
    struct format_hash h = { 0 };
    TRY(secret_random(random, sizeof(random)));
    format_make(SPAN(""), e->cost, random, &h);
    for (size_t i = 0; i < sizeof(h.digest); i++) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345";
        h.digest[i] = letters[random[FORMAT_SALT_BYTES + i] % (sizeof(letters) - 1)];
    }
    e->decoy_length = format_text(&h, e->decoy);
    return ERR_OK;
}

static enum err engine_open(const struct password_options *options, struct password_engine *e)
{
    e->cost = options->cost;
    TRY(make_decoy(e));
    return engine_new(options->threads, options->queue_max, &e->engine);
}

enum err password_engine_new(const struct password_options *options,
                             struct password_engine **ret_engine)
{
    INVARIANT(options->threads > 0 && options->queue_max > 0);
    INVARIANT(options->cost >= FORMAT_COST_MIN && options->cost <= FORMAT_COST_MAX);
    struct password_engine *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return ERR_NOMEM;
    }
    enum err opened = engine_open(options, e);
    if (opened != ERR_OK) {
        free(e);
        return opened;
    }
    *ret_engine = e;
    return ERR_OK;
}

void password_engine_free(struct password_engine *e)
{
    if (e != NULL) {
        engine_free(e->engine);
        free(e);
    }
}

/* ---- hashing ---- */

static enum err run_hash(struct password_engine *e, struct span password, struct format_hash *h,
                         struct engine_job *job)
{
    TRY(format_key(h, password, job->key));
    memcpy(job->setting, h->setting, sizeof(job->setting));
    job->cost = h->cost;
    return engine_run(e->engine, job);
}

enum err password_hash(struct password_engine *e, struct span password, struct arena *a,
                       struct span *ret_hash)
{
    uint8_t salt[FORMAT_SALT_BYTES];
    char text[FORMAT_TEXT_MAX];
    struct format_hash h = { 0 };
    struct engine_job job = { 0 };
    if (!can_hash(password)) {
        return ERR_INVALID_INPUT;
    }
    TRY(secret_random(salt, sizeof(salt)));
    format_make(password, e->cost, salt, &h);
    enum err hashed = run_hash(e, password, &h, &job);
    memcpy(h.digest, job.digest, sizeof(h.digest));
    secret_wipe(&job, sizeof(job));
    TRY(hashed);
    size_t length = format_text(&h, text);
    return arena_copy(a, (struct span){ text, length }, ret_hash);
}

static unsigned dearest(const struct password_engine *e)
{
    return e->cost > STORED_COST_MAX ? e->cost : STORED_COST_MAX;
}

enum err password_verify(struct password_engine *e, struct span password, struct span hash,
                         bool *ret_match, bool *ret_rehash)
{
    struct format_hash h = { 0 };
    if (!can_hash(password)) {
        return ERR_INVALID_INPUT;
    }
    if (!format_parse(hash, &h) || h.cost > dearest(e)) {
        return ERR_INTERNAL;
    }
    struct engine_job job = {
        .check = true,
        .hopeless = !format_covers(&h, password) || span_equal(hash, password_decoy(e)),
        .topup_cost = e->cost,
    };
    memcpy(job.expected, h.digest, sizeof(job.expected));
    enum err hashed = run_hash(e, password, &h, &job);
    bool match = job.match;
    secret_wipe(&job, sizeof(job));
    TRY(hashed);
    *ret_match = match;
    *ret_rehash = match && !format_is_current(&h, password, e->cost);
    return ERR_OK;
}

struct span password_decoy(const struct password_engine *e)
{
    return (struct span){ e->decoy, e->decoy_length };
}

bool password_is_hash(struct span hash)
{
    struct format_hash h = { 0 };
    return format_parse(hash, &h) && h.cost <= STORED_COST_MAX;
}

/* ---- load ---- */

uint64_t password_live_steps(const struct password_engine *e)
{
    return UINT64_C(1) << e->cost;
}

int64_t password_expected_wait_us(const struct password_engine *e, uint64_t queued_steps)
{
    return engine_expected_wait_us(e->engine, queued_steps);
}

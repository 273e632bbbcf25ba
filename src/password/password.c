/* password.c - policy, and the way from a password to the engine and back. */
#include "password.h"

#include "engine.h"
#include "foreign.h"

#include <stdlib.h>
#include <string.h>

/* The dearest stored hash that is tried at all, unless the live cost itself is dearer: cost 20
 * takes about a minute of one core, and an imported row at cost 31 would take a day of it. */
#define STORED_COST_MAX 20

struct password_engine {
    struct engine *engine;
    struct format_policy policy;
    struct format_limits limits;
    const struct lanes_kernel *kernel; /* NULL: any */
    unsigned lanes;                    /* 0: any */
    uint64_t live_steps;
    uint64_t live_memory_bytes;
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

static struct format_policy policy_of(const struct password_options *o)
{
    return (struct format_policy){
        .scheme = o->form == PASSWORD_ARGON2ID ? FORMAT_ARGON2ID : FORMAT_BCRYPT,
        .cost = o->cost,
        .memory_kib = o->argon2_memory_kib,
        .passes = o->argon2_passes,
    };
}

static uint64_t steps_of_cost(unsigned cost)
{
    return UINT64_C(1) << cost;
}

static struct format_limits limits_of(const struct password_options *o)
{
    bool dearer = o->form == PASSWORD_BCRYPT && o->cost > STORED_COST_MAX;
    return (struct format_limits){
        .bcrypt_steps = steps_of_cost(dearer ? o->cost : STORED_COST_MAX),
        .memory_bytes = o->memory_budget,
    };
}

static bool is_auto(struct span kernel)
{
    return kernel.length == 0 || span_equal(kernel, SPAN("auto"));
}

/* NULL when this build has none of that name, or this CPU does not run it. */
static const struct lanes_kernel *find_kernel(struct span name)
{
    for (size_t i = 0; i < lanes_kernel_count; i++) {
        if (span_equal(name, span_of(lanes_kernels[i].name)) && lanes_kernels[i].is_usable()) {
            return &lanes_kernels[i];
        }
    }
    return NULL;
}

bool password_kernel_fits(struct span name, unsigned lanes)
{
    const struct lanes_kernel *kernel = is_auto(name) ? &lanes_kernels[0] : find_kernel(name);
    return kernel != NULL && lanes <= kernel->lanes_max;
}

/* A hash that nobody computed: random bytes for salt and digest. That it never matches does not
 * rest on their luck: password_verify() knows it. */
static enum err make_decoy(struct password_engine *e)
{
    uint8_t salt[FORMAT_SALT_BYTES];
    struct format_hash h = { 0 };
    TRY(secret_random(salt, sizeof(salt)));
    format_make(SPAN(""), &e->policy, salt, &h);
    TRY(secret_random(h.digest, h.digest_length));
    e->live_steps = format_steps(&h);
    e->live_memory_bytes = format_memory_bytes(&h);
    e->decoy_length = format_text(&h, e->decoy);
    /* No hash is to be written that would be over the bounds when it is checked. */
    return format_parse(password_decoy(e), &e->limits, &h) ? ERR_OK : ERR_CONFIG;
}

/* What is not pinned is as in most places until it has been measured in this one. */
static enum err open_engine(const struct password_options *options, struct password_engine *e)
{
    unsigned lanes = 0;
    const struct lanes_kernel *standard = lanes_kernel_default(&lanes);
    bool is_open = e->kernel == NULL && e->lanes <= standard->lanes_max;
    const struct lanes_kernel *kernel = e->kernel != NULL ? e->kernel
                                        : is_open         ? standard
                                                          : &lanes_kernels[0];
    lanes = e->lanes > 0 ? e->lanes : lanes < kernel->lanes_max ? lanes : kernel->lanes_max;
    TRY(make_decoy(e));
    struct engine_options engine = {
        .threads = options->threads,
        .queue_max = options->queue_max,
        .lanes = lanes,
        .kernel = kernel,
        .memory_budget = options->memory_budget,
        .live_steps = e->live_steps,
        .live_is_call = options->form == PASSWORD_ARGON2ID,
        .live_memory_bytes = e->live_memory_bytes,
    };
    return engine_new(&engine, &e->engine);
}

static enum err open_password(const struct password_options *options, struct password_engine *e)
{
    if (!password_kernel_fits(options->kernel, options->lanes)) {
        return ERR_CONFIG;
    }
    e->policy = policy_of(options);
    e->limits = limits_of(options);
    e->kernel = is_auto(options->kernel) ? NULL : find_kernel(options->kernel);
    e->lanes = options->lanes;
    return open_engine(options, e);
}

enum err password_engine_new(const struct password_options *options,
                             struct password_engine **ret_engine)
{
    INVARIANT(options->threads > 0 && options->queue_max > 0);
    INVARIANT(options->form != PASSWORD_BCRYPT ||
              (options->cost >= FORMAT_COST_MIN && options->cost <= FORMAT_COST_MAX));
    struct password_engine *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return ERR_NOMEM;
    }
    enum err opened = open_password(options, e);
    if (opened != ERR_OK) {
        free(e);
        return opened;
    }
    *ret_engine = e;
    return ERR_OK;
}

void password_engine_stop(struct password_engine *e)
{
    engine_stop(e->engine);
}

void password_engine_free(struct password_engine *e)
{
    if (e != NULL) {
        engine_free(e->engine);
        free(e);
    }
}

/* ---- hashing ---- */

/* What a call works on; on the stack of the caller, who sleeps meanwhile. */
struct foreign {
    struct format_hash *hash;
    struct span text, password;
};

static enum err call_make(void *context, bool *ret_match)
{
    const struct foreign *f = context;
    (void)ret_match;
    return foreign_make(f->hash, f->password);
}

static enum err call_verify(void *context, bool *ret_match)
{
    const struct foreign *f = context;
    return foreign_verify(f->hash, f->text, f->password, ret_match);
}

static enum err bcrypt_job(const struct format_hash *h, struct span password,
                           struct engine_job *job)
{
    char key[LANE_KEY_MAX + 1];
    TRY(format_key(h, password, key));
    job->minor = format_minor(h);
    job->key_length = strnlen(key, LANE_KEY_MAX);
    memcpy(job->key, key, job->key_length);
    memcpy(job->salt, h->salt, sizeof(job->salt));
    memcpy(job->expected, h->digest, sizeof(job->expected));
    secret_wipe(key, sizeof(key));
    return ERR_OK;
}

/* Give `h` its digest. */
static enum err compute(struct password_engine *e, struct span password, struct format_hash *h)
{
    struct foreign f = { .hash = h, .password = password };
    struct engine_job job = { .steps = format_steps(h) };
    if (!format_is_lanes(h)) {
        job.call = call_make;
        job.context = &f;
        job.memory_bytes = format_memory_bytes(h);
        job.live_form = true;
        return engine_run(e->engine, &job);
    }
    TRY(bcrypt_job(h, password, &job));
    enum err hashed = engine_run(e->engine, &job);
    memcpy(h->digest, job.digest, sizeof(job.digest));
    secret_wipe(&job, sizeof(job));
    return hashed;
}

enum err password_hash(struct password_engine *e, struct span password, struct arena *a,
                       struct span *ret_hash)
{
    uint8_t salt[FORMAT_SALT_BYTES];
    char text[FORMAT_TEXT_MAX];
    struct format_hash h = { 0 };
    if (!can_hash(password)) {
        return ERR_INVALID_INPUT;
    }
    TRY(secret_random(salt, sizeof(salt)));
    format_make(password, &e->policy, salt, &h);
    TRY(compute(e, password, &h));
    size_t length = format_text(&h, text);
    return arena_copy(a, (struct span){ text, length }, ret_hash);
}

static enum err check(struct password_engine *e, struct span password, struct span text,
                      struct format_hash *h, bool *ret_match)
{
    struct foreign f = { .hash = h, .text = text, .password = password };
    struct engine_job job = {
        .steps = format_steps(h),
        .check = true,
        .hopeless = !format_covers(h, password) || span_equal(text, password_decoy(e)),
    };
    if (format_is_lanes(h)) {
        TRY(bcrypt_job(h, password, &job));
    } else {
        job.call = call_verify;
        job.context = &f;
        job.memory_bytes = format_memory_bytes(h);
        job.live_form = format_is_current(h, password, &e->policy);
    }
    enum err hashed = engine_run(e->engine, &job);
    bool match = job.match;
    secret_wipe(&job, sizeof(job));
    TRY(hashed);
    *ret_match = match;
    return ERR_OK;
}

enum err password_verify(struct password_engine *e, struct span password, struct span hash,
                         bool *ret_match, bool *ret_rehash)
{
    struct format_hash h = { 0 };
    bool match = false;
    if (!can_hash(password)) {
        return ERR_INVALID_INPUT;
    }
    if (!format_parse(hash, &e->limits, &h)) {
        return ERR_INTERNAL;
    }
    TRY(check(e, password, hash, &h, &match));
    *ret_match = match;
    *ret_rehash = match && !format_is_current(&h, password, &e->policy);
    return ERR_OK;
}

struct span password_decoy(const struct password_engine *e)
{
    return (struct span){ e->decoy, e->decoy_length };
}

bool password_is_hash(struct span hash)
{
    const struct format_limits limits = { .bcrypt_steps = steps_of_cost(STORED_COST_MAX),
                                          .memory_bytes = FORMAT_MEMORY_MAX };
    struct format_hash h = { 0 };
    return format_parse(hash, &limits, &h);
}

/* ---- load ---- */

uint64_t password_live_steps(const struct password_engine *e)
{
    return e->live_steps;
}

int64_t password_expected_wait_us(const struct password_engine *e, uint64_t queued_steps)
{
    return engine_expected_wait_us(e->engine, queued_steps);
}

/* ---- tuning ---- */

_Static_assert(PASSWORD_LANES_MAX == LANES_MAX, "the same number for those outside");

enum err password_tune(struct password_engine *e, struct password_tuning *ret_tuning)
{
    struct engine_tuning t;
    TRY(engine_tune(e->engine, e->kernel, e->lanes, &t));
    struct password_tuning result = { .lanes = t.lanes };
    INVARIANT(strlen(t.kernel->name) < sizeof(result.kernel));
    memcpy(result.kernel, t.kernel->name, strlen(t.kernel->name));
    memcpy(result.steps_per_second, t.steps_per_second, sizeof(result.steps_per_second));
    *ret_tuning = result;
    return ERR_OK;
}

enum err password_use(struct password_engine *e, const struct password_tuning *tuning)
{
    const struct lanes_kernel *kernel = find_kernel(span_of(tuning->kernel));
    if (kernel == NULL || (e->kernel != NULL && e->kernel != kernel) || tuning->lanes == 0 ||
        tuning->lanes > kernel->lanes_max || (e->lanes != 0 && e->lanes != tuning->lanes)) {
        return ERR_INVALID_INPUT;
    }
    struct engine_tuning t = { .kernel = kernel, .lanes = tuning->lanes };
    memcpy(t.steps_per_second, tuning->steps_per_second, sizeof(t.steps_per_second));
    engine_set(e->engine, &t);
    return ERR_OK;
}

const char *password_kernel_name(size_t i)
{
    return i < lanes_kernel_count ? lanes_kernels[i].name : NULL;
}

struct password_info password_engine_info(const struct password_engine *e)
{
    struct engine_info info = engine_info(e->engine);
    return (struct password_info){ .kernel = info.kernel->name,
                                   .lanes = info.lanes,
                                   .threads = info.threads,
                                   .steps_per_second = info.steps_per_second };
}

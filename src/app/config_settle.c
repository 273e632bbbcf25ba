/* config_settle.c - what depends on several settings: computed defaults, and what does not go
 * together. */
#include "settings.h"

#include "password.h"
#include "store.h"

#define MIN_LIVE_COST 10
/* Each change of keys keeps some memory for as long as the process lives: token/ring.h. */
#define MIN_ROTATION_S 3600
/* Password workers a CPU: as many as it has lanes, and these, which are at the store or on their
 * way back. More would only wait behind the lanes, where it is first come, first served; the queue
 * before the workers is the one that is fair to clients. */
#define BESIDE_LANES 2
/* What the measurement, which is still to come, finds best or as good on every CPU that was tried.
 */
#define LIKELY_LANES 5

static bool is_given(struct config *c, const void *field)
{
    return config_value(c, field)->source != SOURCE_DEFAULT;
}

static enum err choose_number(struct config *c, int64_t *field, int64_t computed)
{
    if (is_given(c, field)) {
        return ERR_OK;
    }
    *field = computed;
    return arena_printf(&c->texts, &config_value(c, field)->text, "%lld", (long long)computed);
}

static void choose_text(struct config *c, struct span *field, struct span computed)
{
    if (!is_given(c, field)) {
        *field = computed;
        config_value(c, field)->text = computed;
    }
}

static enum err settle_tokens(struct config *c, struct arena *a, struct span *ret_why)
{
    bool hs256 = span_equal(c->jwt_alg, SPAN("HS256"));
    if (c->jwt_secret.length == 0 && hs256) {
        return config_refuse(a, ret_why, "JWT_ALG: HS256 needs a JWT_SECRET of at least 32 bytes");
    }
    if (c->jwt_secret.length == 0 && c->jwt_secret_previous.length > 0) {
        return config_refuse(a, ret_why, "JWT_SECRET_PREVIOUS: is given without a JWT_SECRET");
    }
    if (c->jwt_secret.length > 0 && is_given(c, &c->jwt_alg) && !hs256) {
        return config_refuse(a, ret_why,
                             "JWT_ALG: \"%.*s\" does not go with a JWT_SECRET, which means HS256; "
                             "leave one of them out",
                             SPAN_FMT(c->jwt_alg));
    }
    if (c->jwt_secret.length > 0) {
        choose_text(c, &c->jwt_alg, SPAN("HS256"));
    }
    bool has_url = c->public_url.length > 0;
    choose_text(c, &c->jwt_issuer, has_url ? c->public_url : SPAN("doorward"));
    return ERR_OK;
}

static enum err settle_tls(struct config *c, struct arena *a, struct span *ret_why)
{
    if ((c->tls_cert.length > 0) != (c->tls_key.length > 0)) {
        const char *given = c->tls_cert.length > 0 ? "TLS_CERT" : "TLS_KEY";
        const char *missing = c->tls_cert.length > 0 ? "TLS_KEY" : "TLS_CERT";
        return config_refuse(a, ret_why,
                             "%s: is given without %s; give both, or none for a "
                             "self-signed certificate",
                             given, missing);
    }
    /* So that URLs can be made by appending a path. */
    while (c->public_url.length > 0 && c->public_url.data[c->public_url.length - 1] == '/') {
        c->public_url.length--;
    }
    return ERR_OK;
}

static enum err settle_limits(struct config *c, struct arena *a, struct span *ret_why)
{
    if (c->max_uri_bytes >= c->max_header_bytes) {
        return config_refuse(a, ret_why,
                             "MAX_URI_BYTES: must be less than MAX_HEADER_BYTES, which is %lld and "
                             "holds the request line as well",
                             (long long)c->max_header_bytes);
    }
    int64_t shares = c->register_share + c->change_share;
    if (shares > 99) {
        return config_refuse(a, ret_why,
                             "REGISTER_SHARE: and PASSWORD_CHANGE_SHARE are %lld percent together, "
                             "which leaves logins nothing; give at most 99",
                             (long long)shares);
    }
    if (c->metrics_port != 0 && c->metrics_port == c->port) {
        return config_refuse(a, ret_why, "METRICS_PORT: is the same as PORT; give another");
    }
    TRY(choose_number(c, &c->loops, c->machine.cpus));
    int64_t lanes = c->password_lanes > 0 ? c->password_lanes : LIKELY_LANES;
    return choose_number(c, &c->password_workers, c->machine.cpus * (lanes + BESIDE_LANES));
}

static enum err settle_hashing(struct config *c, struct arena *a, struct span *ret_why)
{
    if (c->bcrypt_cost < MIN_LIVE_COST && c->development == 0) {
        return config_refuse(a, ret_why,
                             "BCRYPT_COST: %lld is too weak; give 10 to 31, or set DEVELOPMENT=1 "
                             "on a machine without real users",
                             (long long)c->bcrypt_cost);
    }
    if (c->argon2_memory * 1024 > c->argon2_memory_budget) {
        return config_refuse(a, ret_why,
                             "ARGON2_MEMORY: %lld KiB is more than ARGON2_MEMORY_BUDGET, which is "
                             "%lld bytes; raise that, or lower this",
                             (long long)c->argon2_memory, (long long)c->argon2_memory_budget);
    }
    return ERR_OK;
}

static enum err settle_rotation(struct config *c, struct arena *a, struct span *ret_why)
{
    if (c->key_rotation != 0 && c->key_rotation <= c->jwks_max_age) {
        return config_refuse(a, ret_why,
                             "KEY_ROTATION: must be more than JWKS_MAX_AGE, which is %lld: a new "
                             "key is published that long before it signs",
                             (long long)c->jwks_max_age);
    }
    if (c->key_rotation != 0 && c->key_rotation < MIN_ROTATION_S && c->development == 0) {
        return config_refuse(a, ret_why,
                             "KEY_ROTATION: %lld is too often; give 3600 or more, 0 for none, or "
                             "set DEVELOPMENT=1",
                             (long long)c->key_rotation);
    }
    return ERR_OK;
}

/* A login that went well is known there by its session alone: attempts.h. */
static enum err settle_mongo_waits(struct config *c, struct arena *a, struct span *ret_why)
{
    int64_t unused_s =
        c->refresh_expiry < c->session_max_age ? c->refresh_expiry : c->session_max_age;
    int64_t kept_s = unused_s + STORE_SWEEP_AFTER_MS / 1000;
    int64_t waits = STORE_FORGET_WAITS(c->login_attempts);
    if (waits * c->login_max_wait <= kept_s) {
        return ERR_OK;
    }
    return config_refuse(
        a, ret_why,
        "LOGIN_MAX_WAIT: is too long for MongoDB, where failures of an account are "
        "forgotten after (LOGIN_ATTEMPTS + 41) x LOGIN_MAX_WAIT, which must be at "
        "most a session's life unused and a day, %lld seconds; give at most %lld, "
        "or a longer REFRESH_TOKEN_EXPIRY and SESSION_MAX_AGE",
        (long long)kept_s, (long long)(kept_s / waits));
}

static enum err settle_store(struct config *c, struct arena *a, struct span *ret_why)
{
    if (!config_uses_mongo(c)) {
        return ERR_OK;
    }
    if (c->master_count == 0) {
        return config_refuse(a, ret_why,
                             "MASTER_KEY: must be given with MongoDB, because all processes on one "
                             "database share it; make one with: openssl rand -base64 32");
    }
    return settle_mongo_waits(c, a, ret_why);
}

enum err config_settle(struct config *c, bool terminal, struct arena *a, struct span *ret_why)
{
    if (!is_given(c, &c->log_format)) {
        c->log_format = terminal ? LOG_TEXT : LOG_JSON;
        config_value(c, &c->log_format)->text = terminal ? SPAN("text") : SPAN("json");
    }
    TRY(settle_store(c, a, ret_why));
    TRY(settle_tls(c, a, ret_why));
    TRY(settle_tokens(c, a, ret_why));
    TRY(settle_rotation(c, a, ret_why));
    TRY(settle_hashing(c, a, ret_why));
    return settle_limits(c, a, ret_why);
}

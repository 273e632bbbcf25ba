/* verify.c - access tokens are judged here.
 *
 *   length, three segments -> header -> key by kid -> signature (libjwt) -> claims -> times ->
 * cache found in the cache ------------------> key still there? -------------------> times
 *
 * libjwt judges the signature and nothing else. What it would let pass (doubled members, stray
 * base64 bits, unknown header members, claims that are not there) is refused by our own parsing. */
#include "cache.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 512, PAYLOAD_MAX = TOKEN_MAX_BYTES };
#define SECONDS_MAX INT64_C(253402300799) /* the end of year 9999 */

struct parts {
    struct span header, payload, signature; /* base64url */
};

static bool split(struct span token, struct parts *p)
{
    struct span rest = token;
    return token.length <= TOKEN_MAX_BYTES && span_split(&rest, '.', &p->header) &&
           span_split(&rest, '.', &p->payload) && span_split(&rest, '.', &p->signature) &&
           rest.data == NULL && p->header.length > 0 && p->payload.length > 0 &&
           p->signature.length > 0;
}

/* A JSON object out of one segment; doubled members, NUL and trailing bytes are refused. */
static enum err load_object(struct span segment, size_t max_bytes, json_t **ret_object)
{
    uint8_t bytes[PAYLOAD_MAX];
    size_t length = 0;
    json_error_t error;
    INVARIANT(max_bytes <= sizeof(bytes));
    if (!span_from_base64url(segment, bytes, max_bytes, &length)) {
        return ERR_INVALID_TOKEN;
    }
    json_t *json = json_loadb((const char *)bytes, length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        return json_error_code(&error) == json_error_out_of_memory ? ERR_NOMEM : ERR_INVALID_TOKEN;
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return ERR_INVALID_TOKEN;
    }
    *ret_object = json;
    return ERR_OK;
}

static struct span text_member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value)
               ? (struct span){ json_string_value(value), json_string_length(value) }
               : SPAN_NONE;
}

static bool is_text(const json_t *object, const char *name, const char *expected)
{
    struct span text = text_member(object, name);
    return text.data != NULL && span_equal(text, span_of(expected));
}

/* ---- header ---- */

/* alg, typ and kid, and nothing else: no jwk, jku, x5c, crit, b64 or zip is even looked at. */
static const struct ring_key *key_for(const struct tokens *t, const struct ring *r,
                                      const json_t *header, int64_t now_ms)
{
    if (json_object_size(header) != 3 || !is_text(header, "typ", t->type)) {
        return NULL;
    }
    const struct ring_key *k = ring_find(r, text_member(header, "kid"), now_ms);
    return k != NULL && is_text(header, "alg", k->kind->algorithm) ? k : NULL;
}

static enum err choose_key(const struct tokens *t, const struct ring *r, struct span segment,
                           int64_t now_ms, const struct ring_key **ret_key)
{
    json_t *header = NULL;
    TRY(load_object(segment, HEADER_MAX, &header));
    *ret_key = key_for(t, r, header, now_ms);
    json_decref(header);
    return *ret_key != NULL ? ERR_OK : ERR_INVALID_TOKEN;
}

/* ---- signature ---- */

static bool has_signature_form(struct span segment, const struct ring_key *k)
{
    uint8_t bytes[JWK_SIGNATURE_MAX];
    size_t length = 0;
    return span_from_base64url(segment, bytes, sizeof(bytes), &length) &&
           length == k->kind->signature_bytes;
}

/* Once more what libjwt itself understood: with both a key's and a checker's algorithm set, 3.3
 * compares them with each other and not with the token's. */
static int is_other_algorithm(jwt_t *jwt, jwt_config_t *config)
{
    const struct ring_key *k = config->ctx;
    return jwt_get_alg(jwt) == k->kind->alg ? 0 : 1;
}

/* A checker a call: they are not for several threads. Its clock is not ours, so it checks no times.
 */
static bool has_good_signature(jwt_checker_t *checker, const struct ring_key *k, const char *token)
{
    union {
        const struct ring_key *in;
        void *out;
    } context = { .in = k };
    return jwt_checker_time_leeway(checker, JWT_CLAIM_EXP, -1) == 0 &&
           jwt_checker_time_leeway(checker, JWT_CLAIM_NBF, -1) == 0 &&
           jwt_checker_setkey(checker, JWT_ALG_NONE, k->verify.item) == 0 &&
           jwt_checker_setcb(checker, is_other_algorithm, context.out) == 0 &&
           jwt_checker_verify(checker, token) == 0;
}

static enum err check_signature(struct span token, struct span signature, const struct ring_key *k)
{
    char text[TOKEN_MAX_BYTES + 1];
    if (!has_signature_form(signature, k)) {
        return ERR_INVALID_TOKEN;
    }
    jwt_checker_t *checker = jwt_checker_new();
    if (checker == NULL) {
        return ERR_NOMEM;
    }
    memcpy(text, token.data, token.length);
    text[token.length] = '\0';
    bool good = has_good_signature(checker, k, text);
    jwt_checker_free(checker);
    /* What OpenSSL noted would be read as the fate of this thread's next TLS call. */
    ERR_clear_error();
    return good ? ERR_OK : ERR_INVALID_TOKEN;
}

/* ---- claims ---- */

static bool seconds_member(const json_t *payload, const char *name, int64_t *ret_seconds)
{
    const json_t *value = json_object_get(payload, name);
    *ret_seconds = json_integer_value(value);
    return json_is_integer(value) && *ret_seconds >= 0 && *ret_seconds <= SECONDS_MAX;
}

/* Everything of a token of ours that has one right value or form. nbf is not written by us. */
static bool has_our_form(const struct tokens *t, const json_t *payload)
{
    return is_text(payload, "iss", t->issuer) && is_text(payload, "aud", t->audience) &&
           is_text(payload, "client_id", t->audience) && text_member(payload, "jti").length > 0 &&
           json_is_array(json_object_get(payload, "amr")) &&
           json_object_get(payload, "nbf") == NULL;
}

/* A token lives no longer than the present JWT_EXPIRY, which is how long revocations are kept: one
 * that was made under a longer one ends earlier than it says, so that its client refreshes. */
static bool read_times(const struct tokens *t, const json_t *payload, struct token_claims *c)
{
    bool good = seconds_member(payload, "iat", &c->issued_at_s) &&
                seconds_member(payload, "exp", &c->expires_at_s) &&
                seconds_member(payload, "auth_time", &c->auth_time_s) &&
                c->expires_at_s > c->issued_at_s &&
                c->expires_at_s - c->issued_at_s <= TOKEN_MAX_EXPIRY_S;
    if (good && c->expires_at_s - c->issued_at_s > t->expiry_s) {
        c->expires_at_s = c->issued_at_s + t->expiry_s;
    }
    return good;
}

static bool read_ids(const json_t *payload, struct token_claims *c)
{
    const json_t *epoch = json_object_get(payload, "epoch");
    c->epoch = json_integer_value(epoch);
    return json_is_integer(epoch) && c->epoch >= 0 &&
           uuid_parse(text_member(payload, "sub"), &c->user_id) &&
           uuid_parse(text_member(payload, "sid"), &c->session_id);
}

static enum err read_username(const json_t *payload, struct arena *a, struct token_claims *c)
{
    if (json_object_get(payload, "username") == NULL) {
        return ERR_OK;
    }
    struct span name = text_member(payload, "username");
    return name.length == 0 ? ERR_INVALID_TOKEN : arena_copy(a, name, &c->username);
}

/* The length of the roles joined by single spaces; false when one is no role: a space in it would
 * make two of it. */
static bool measure_roles(const json_t *list, size_t *ret_length)
{
    size_t length = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        struct span role = { json_string_value(item), json_string_length(item) };
        if (role.length == 0 || span_find(role, ' ') < role.length) {
            return false;
        }
        length += role.length + (i > 0);
    }
    *ret_length = length;
    return json_is_array(list);
}

static enum err read_roles(const json_t *payload, struct arena *a, struct token_claims *c)
{
    const json_t *list = json_object_get(payload, "roles");
    size_t length = 0;
    if (!measure_roles(list, &length)) {
        return ERR_INVALID_TOKEN;
    }
    char *text = arena_get(a, length + 1);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    char *end = text;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (i > 0) {
            *end++ = ' ';
        }
        memcpy(end, json_string_value(item), json_string_length(item));
        end += json_string_length(item);
    }
    c->roles = (struct span){ text, length };
    return ERR_OK;
}

static enum err read_claims(const struct tokens *t, const json_t *payload, struct arena *a,
                            struct token_claims *c)
{
    if (!has_our_form(t, payload) || !read_times(t, payload, c) || !read_ids(payload, c)) {
        return ERR_INVALID_TOKEN;
    }
    TRY(read_username(payload, a, c));
    return read_roles(payload, a, c);
}

/* Last: only a token that is right in every other way is told that its time is over. */
static enum err judge_times(const struct tokens *t, const struct token_claims *c, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    if (c->issued_at_s > now_s + t->leeway_s) {
        return ERR_INVALID_TOKEN;
    }
    return now_s >= c->expires_at_s + t->leeway_s ? ERR_TOKEN_EXPIRED : ERR_OK;
}

/* ---- the whole ---- */

static enum err verify(const struct tokens *t, const struct ring *r, struct span token,
                       int64_t now_ms, struct arena *a, const struct ring_key **ret_key,
                       struct token_claims *ret_claims)
{
    struct parts parts;
    json_t *payload = NULL;
    if (!split(token, &parts)) {
        return ERR_INVALID_TOKEN;
    }
    TRY(choose_key(t, r, parts.header, now_ms, ret_key));
    TRY(check_signature(token, parts.signature, *ret_key));
    TRY(load_object(parts.payload, PAYLOAD_MAX, &payload));
    enum err read = read_claims(t, payload, a, ret_claims);
    json_decref(payload);
    TRY(read);
    return judge_times(t, ret_claims, now_ms);
}

enum err token_verify(struct tokens *t, struct span token, int64_t now_ms, struct arena *a,
                      struct token_claims *ret_claims)
{
    const struct ring *r = ring_current(t);
    const struct ring_key *key = NULL;
    struct token_claims claims = { 0 };
    if (!r->ready) {
        return ERR_UNAVAILABLE;
    }
    TRY(verify(t, r, token, now_ms, a, &key, &claims));
    *ret_claims = claims;
    return ERR_OK;
}

/* ---- with a cache ---- */

/* A retired key is gone from the ring; one that is there under the same kid is the same key, since
 * the kid is its thumbprint, but it may have become another algorithm's. */
static bool has_key(const struct ring *r, struct cached *e, int64_t now_ms)
{
    bool expired = e->key->expires_at != 0 && now_ms >= e->key->expires_at;
    if (e->ring == r) {
        return !expired;
    }
    const struct ring_key *key = ring_find(r, span_of(e->key->kid), now_ms);
    if (key == NULL || key->kind != e->key->kind) {
        return false;
    }
    e->ring = r;
    e->key = key;
    return true;
}

static enum err copy_texts(struct arena *a, struct token_claims *c)
{
    if (c->username.data != NULL) {
        TRY(arena_copy(a, c->username, &c->username));
    }
    return arena_copy(a, c->roles, &c->roles);
}

/* What token_verify() would say. Nothing is parsed. */
static enum err judge_cached(const struct tokens *t, const struct ring *r, struct cached *e,
                             int64_t now_ms, struct token_claims *ret_claims)
{
    if (!has_key(r, e, now_ms)) {
        return ERR_INVALID_TOKEN;
    }
    *ret_claims = cached_claims(e);
    TRY(judge_times(t, ret_claims, now_ms));
    e->used = true;
    return ERR_OK;
}

/* The snapshot that judged is the one that is noted: a key that is retired meanwhile is missing
 * from the next one. */
static enum err verify_and_keep(struct token_cache *c, const struct ring *r, struct span token,
                                int64_t now_ms, struct arena *a, struct token_claims *ret_claims)
{
    const struct ring_key *key = NULL;
    TRY(verify(cache_tokens(c), r, token, now_ms, a, &key, ret_claims));
    cache_add(c, token, r, key, ret_claims);
    return ERR_OK;
}

enum err token_cache_verify(struct token_cache *c, struct span token, int64_t now_ms,
                            struct arena *a, struct token_claims *ret_claims)
{
    enum { HIT, MISS }; /* the label values of METRIC_TOKEN_CACHE */
    const struct ring *r = ring_current(cache_tokens(c));
    struct token_claims claims = { 0 };
    if (!r->ready) {
        return ERR_UNAVAILABLE;
    }
    struct cached *e = cache_find(c, token);
    metrics_add(METRIC_TOKEN_CACHE, e != NULL ? HIT : MISS, 1);
    if (e == NULL) {
        TRY(verify_and_keep(c, r, token, now_ms, a, &claims));
    } else {
        TRY(judge_cached(cache_tokens(c), r, e, now_ms, &claims));
        TRY(copy_texts(a, &claims));
    }
    *ret_claims = claims;
    return ERR_OK;
}

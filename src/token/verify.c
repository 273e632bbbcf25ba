/* verify.c - access tokens are judged here.
 *
 *   length, three segments -> header -> key by kid -> signature (libjwt) -> claims -> expiry
 *
 * libjwt judges the signature and nothing else. What it would let pass (doubled members, stray
 * base64 bits, unknown header members, claims that are not there) is refused by our own parsing. */
#include "ring.h"

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
static const struct ring_key *key_for(const struct tokens *t, const json_t *header, int64_t now_ms)
{
    if (json_object_size(header) != 3 || !is_text(header, "typ", t->type)) {
        return NULL;
    }
    const struct ring_key *k = ring_find(ring_current(t), text_member(header, "kid"), now_ms);
    return k != NULL && is_text(header, "alg", k->kind->algorithm) ? k : NULL;
}

static enum err choose_key(const struct tokens *t, struct span segment, int64_t now_ms,
                           const struct ring_key **ret_key)
{
    json_t *header = NULL;
    TRY(load_object(segment, HEADER_MAX, &header));
    *ret_key = key_for(t, header, now_ms);
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

/* A token lives no longer than the configured expiry: that is how long revocations are kept, so one
 * that outlived them would come back to life. */
static bool read_times(const struct tokens *t, const json_t *payload, int64_t now_s,
                       struct token_claims *c)
{
    return seconds_member(payload, "iat", &c->issued_at_s) &&
           seconds_member(payload, "exp", &c->expires_at_s) &&
           seconds_member(payload, "auth_time", &c->auth_time_s) &&
           c->expires_at_s > c->issued_at_s && c->expires_at_s - c->issued_at_s <= t->expiry_s &&
           c->issued_at_s <= now_s + t->leeway_s;
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

static enum err read_claims(const struct tokens *t, const json_t *payload, int64_t now_ms,
                            struct arena *a, struct token_claims *c)
{
    int64_t now_s = now_ms / 1000;
    if (!has_our_form(t, payload) || !read_times(t, payload, now_s, c) || !read_ids(payload, c)) {
        return ERR_INVALID_TOKEN;
    }
    TRY(read_username(payload, a, c));
    TRY(read_roles(payload, a, c));
    /* Last: only a token that is right in every other way is told that its time is over. */
    return now_s >= c->expires_at_s + t->leeway_s ? ERR_TOKEN_EXPIRED : ERR_OK;
}

enum err token_verify(struct tokens *t, struct span token, int64_t now_ms, struct arena *a,
                      struct token_claims *ret_claims)
{
    struct parts parts;
    const struct ring_key *k = NULL;
    json_t *payload = NULL;
    struct token_claims claims = { 0 };
    if (!token_ring_ready(t)) {
        return ERR_UNAVAILABLE;
    }
    if (!split(token, &parts)) {
        return ERR_INVALID_TOKEN;
    }
    TRY(choose_key(t, parts.header, now_ms, &k));
    TRY(check_signature(token, parts.signature, k));
    TRY(load_object(parts.payload, PAYLOAD_MAX, &payload));
    enum err read = read_claims(t, payload, now_ms, a, &claims);
    json_decref(payload);
    TRY(read);
    *ret_claims = claims;
    return ERR_OK;
}

/* fuzz_token.c - access tokens, refresh tokens and wrapped keys out of anything.
 *
 * The first byte says what the rest is:
 *   t  an access token as it came           h  a header, signed with the real secret
 *   r  a refresh token as it came           p  a payload, signed with the real secret
 *   w  a wrapped private key                k  a private key as JSON
 *   o  a JSON object, beside jansson */
#include "../token_object_model.h"
#include "ring.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (64 * 1024)
#define NOW_MS      INT64_C(1800000000000)
#define EXPIRY_S    3600
#define TEXT_MAX    8192
#define SECRET      "a secret of 32 bytes or some more"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tokens *open_for(const char *algorithm, struct span secret)
{
    const struct token_options o = { .issuer = SPAN("https://door.example"),
                                     .audience = SPAN("doorward"),
                                     .algorithm = span_of(algorithm),
                                     .type = SPAN("at+jwt"),
                                     .secret = secret,
                                     .expiry_s = EXPIRY_S,
                                     .leeway_s = 30,
                                     .master = { SPAN("0123456789abcdef0123456789abcdef") },
                                     .master_count = 1 };
    struct tokens *t = NULL;
    INVARIANT(token_open(&o, &t) == ERR_OK);
    return t;
}

/* What the cache says, whether or not it has the token already, is what the judge says. */
static void verify_cached(struct tokens *t, struct span token, struct arena *a, enum err expected)
{
    static struct token_cache *cache;
    struct token_claims c = { 0 };
    if (cache == NULL) {
        INVARIANT(token_cache_new(t, TOKEN_CACHE_MIN_BYTES, &cache) == ERR_OK);
    }
    INVARIANT(token_cache_verify(cache, token, NOW_MS, a, &c) == expected);
    INVARIANT(token_cache_verify(cache, token, NOW_MS, a, &c) == expected);
}

static void verify_any(struct tokens *t, struct span token, struct arena *a)
{
    struct token_claims c = { 0 };
    enum err e = token_verify(t, token, NOW_MS, a, &c);
    INVARIANT(e == ERR_OK || e == ERR_INVALID_TOKEN || e == ERR_TOKEN_EXPIRED);
    verify_cached(t, token, a, e);
    if (e == ERR_OK) {
        INVARIANT(c.expires_at_s > c.issued_at_s && c.expires_at_s <= c.issued_at_s + EXPIRY_S);
        INVARIANT(c.epoch >= 0 && span_is_utf8(c.username) && span_is_utf8(c.roles));
    }
}

static void verify_forged(struct tokens *t, struct span header, struct span payload,
                          struct arena *a)
{
    char token[TEXT_MAX];
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_length = 0;
    if (header.length > TEXT_MAX / 4 || payload.length > TEXT_MAX / 2) {
        return;
    }
    size_t length = span_base64url(header, token);
    token[length++] = '.';
    length += span_base64url(payload, token + length);
    INVARIANT(HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, (const uint8_t *)token, length, mac,
                   &mac_length) != NULL);
    token[length++] = '.';
    length += span_base64url((struct span){ (const char *)mac, mac_length }, token + length);
    verify_any(t, (struct span){ token, length }, a);
}

static void verify_payload(struct tokens *t, struct span payload, struct arena *a)
{
    char header[256];
    int length =
        snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}",
                 ring_signer(ring_current(t), NOW_MS)->kid);
    verify_forged(t, (struct span){ header, (size_t)length }, payload, a);
}

/* What parses is what would be made of its fields: there is one text for one token. */
static void parse_refresh(struct tokens *t, struct span token, struct arena *a)
{
    struct token_refresh fields;
    struct span again;
    if (token_refresh_parse(t, token, a, &fields) == ERR_OK) {
        INVARIANT(token_refresh_make(t, &fields, a, &again) == ERR_OK);
        INVARIANT(span_equal(token, again));
    }
}

static void open_wrapped(struct tokens *t, struct span wrapped)
{
    const struct token_key key = { .kid = SPAN("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
                                   .algorithm = SPAN("ES256"),
                                   .wrapped = wrapped,
                                   .signs = true };
    INVARIANT(token_ring_set(t, &key, 1) == ERR_CONFIG);
}

static void open_json(struct span text)
{
    static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256" };
    json_t *jwk = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; jwk != NULL && i < 4; i++) {
        const struct jwk_kind *kind = jwk_kind_of(span_of(algorithms[i]));
        json_t *published = NULL;
        struct verifier verifies = { 0 };
        struct signer signs = { 0 };
        if (jwk_public(kind, jwk, &published) == ERR_OK &&
            verifier_open(kind, published, &verifies) == ERR_OK &&
            signer_open(kind, jwk, &signs) == ERR_OK) {
            signer_close(&signs);
        }
        verifier_close(&verifies);
        json_decref(published);
    }
    json_decref(jwk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokens *hs, *es;
    struct arena a;
    if (hs == NULL) {
        hs = open_for("HS256", SPAN(SECRET));
        es = open_for("ES256", SPAN_NONE);
    }
    if (size == 0) {
        return 0;
    }
    struct span rest = { (const char *)data + 1, size - 1 };
    arena_init(&a, ARENA_BYTES);
    switch (data[0]) {
    case 't':
        verify_any(hs, rest, &a);
        break;
    case 'h':
        verify_forged(hs, rest, SPAN("{}"), &a);
        break;
    case 'p':
        verify_payload(hs, rest, &a);
        break;
    case 'r':
        parse_refresh(hs, rest, &a);
        break;
    case 'w':
        open_wrapped(es, rest);
        break;
    case 'k':
        open_json(rest);
        break;
    case 'o':
        INVARIANT(rest.length > TEXT_MAX / 2 || model_agrees(rest));
        break;
    default:
        break;
    }
    arena_done(&a);
    return 0;
}

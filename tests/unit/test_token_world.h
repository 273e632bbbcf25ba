/* test_token_world.h - what every token test stands on: an open struct tokens, a time, and a forger
 * who holds the HS256 secret and so can sign any header and any payload. */
#ifndef DOORWARD_TEST_TOKEN_WORLD_H
#define DOORWARD_TEST_TOKEN_WORLD_H

#include "check.h"
#include "ring.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_S    INT64_C(1800000000)
#define NOW_MS   (NOW_S * 1000)
#define EXPIRY_S 3600
#define LEEWAY_S 30
#define SECRET   "a secret of 32 bytes or some more"
#define MASTER_1 "0123456789abcdef0123456789abcdef"
#define MASTER_2 "fedcba9876543210fedcba9876543210"

static inline struct token_options options_for(const char *algorithm)
{
    struct token_options o = { .issuer = SPAN("https://door.example"),
                               .audience = SPAN("doorward"),
                               .algorithm = span_of(algorithm),
                               .type = SPAN("at+jwt"),
                               .expiry_s = EXPIRY_S,
                               .leeway_s = LEEWAY_S,
                               .master = { SPAN(MASTER_1) },
                               .master_count = 1 };
    if (strcmp(algorithm, "HS256") == 0) {
        o.secret = SPAN(SECRET);
    }
    return o;
}

static inline struct tokens *open_tokens(const char *algorithm)
{
    const struct token_options o = options_for(algorithm);
    struct tokens *t = NULL;
    CHECK_ERR(token_open(&o, &t), ERR_OK);
    return t;
}

/* Open, with one fresh key that signs. */
static inline struct tokens *open_with_key(const char *algorithm)
{
    struct tokens *t = open_tokens(algorithm);
    struct arena a;
    struct token_key key;
    if (strcmp(algorithm, "HS256") == 0) {
        return t;
    }
    arena_init(&a, 64 * 1024);
    CHECK_ERR(token_key_make(t, &a, &key), ERR_OK);
    key.signs = true;
    key.active_at = 1;
    CHECK_ERR(token_ring_set(t, &key, 1), ERR_OK);
    arena_done(&a);
    return t;
}

static inline struct token_claims some_claims(void)
{
    struct token_claims c = { .epoch = 3,
                              .auth_time_s = NOW_S - 100,
                              .username = SPAN("Ann"),
                              .roles = SPAN("admin reader") };
    memset(c.user_id.bytes, 0x11, UUID_BYTES);
    memset(c.session_id.bytes, 0x22, UUID_BYTES);
    return c;
}

struct text {
    char data[16 * 1024];
    size_t length;
};
static inline struct span text_span(const struct text *t)
{
    return (struct span){ t->data, t->length };
}
static inline void text_add(struct text *t, struct span s)
{
    CHECK(t->length + s.length < sizeof(t->data));
    memcpy(t->data + t->length, s.data, s.length);
    t->length += s.length;
    t->data[t->length] = '\0';
}
static inline void text_add_base64url(struct text *t, struct span s)
{
    CHECK(t->length + s.length * 2 + 4 < sizeof(t->data));
    t->length += span_base64url(s, t->data + t->length);
    t->data[t->length] = '\0';
}

static inline void issue(struct tokens *t, struct text *token)
{
    const struct token_claims c = some_claims();
    struct arena a;
    struct span made;
    arena_init(&a, 16 * 1024);
    CHECK_ERR(token_issue(t, &c, NOW_MS, &a, &made), ERR_OK);
    token->length = 0;
    text_add(token, made);
    arena_done(&a);
}

static inline enum err verify_at(struct tokens *t, struct span token, int64_t now_ms)
{
    struct arena a;
    struct token_claims c;
    arena_init(&a, 16 * 1024);
    enum err e = token_verify(t, token, now_ms, &a, &c);
    arena_done(&a);
    return e;
}
static inline enum err verify(struct tokens *t, struct span token)
{
    return verify_at(t, token, NOW_MS);
}

static inline const char *kid_of(const struct tokens *t)
{
    return ring_signer(ring_current(t), NOW_MS)->kid;
}

/* header.payload, each as base64url of what is given, without the second dot. */
static inline void begin_token(struct text *token, struct span header, struct span payload)
{
    token->length = 0;
    text_add_base64url(token, header);
    text_add(token, SPAN("."));
    text_add_base64url(token, payload);
}
static inline void sign_hmac(struct text *token, const EVP_MD *md, struct span key)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    CHECK(HMAC(md, key.data, (int)key.length, (const uint8_t *)token->data, token->length, mac,
               &length) != NULL);
    text_add(token, SPAN("."));
    text_add_base64url(token, (struct span){ (const char *)mac, length });
}

/* The header that HS256 tokens of `t` have. */
static inline void good_header(const struct tokens *t, struct text *header)
{
    header->length =
        (size_t)snprintf(header->data, sizeof(header->data),
                         "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", kid_of(t));
}

struct claim {
    const char *name, *json; /* json NULL: left out */
};
static const struct claim good_claims[] = {
    { "iss", "\"https://door.example\"" },
    { "aud", "\"doorward\"" },
    { "client_id", "\"doorward\"" },
    { "sub", "\"11111111-1111-1111-1111-111111111111\"" },
    { "sid", "\"22222222-2222-2222-2222-222222222222\"" },
    { "jti", "\"AAAAAAAAAAAAAAAAAAAAAA\"" },
    { "iat", "1800000000" },
    { "exp", "1800003600" },
    { "auth_time", "1799999900" },
    { "amr", "[\"pwd\"]" },
    { "epoch", "3" },
    { "username", "\"Ann\"" },
    { "roles", "[\"admin\",\"reader\"]" },
};
#define GOOD_CLAIM_COUNT (sizeof(good_claims) / sizeof(good_claims[0]))

/* The good payload but for one claim, which is replaced or, when it is unknown, added. */
static inline void payload_with(struct text *payload, struct claim change)
{
    bool known = false;
    payload->length = 0;
    text_add(payload, SPAN("{"));
    for (size_t i = 0; i <= GOOD_CLAIM_COUNT; i++) {
        struct claim c = i < GOOD_CLAIM_COUNT ? good_claims[i] : change;
        if (i < GOOD_CLAIM_COUNT && strcmp(c.name, change.name) == 0) {
            c = change;
            known = true;
        }
        if (c.json == NULL || (i == GOOD_CLAIM_COUNT && known)) {
            continue;
        }
        text_add(payload, payload->length > 1 ? SPAN(",\"") : SPAN("\""));
        text_add(payload, span_of(c.name));
        text_add(payload, SPAN("\":"));
        text_add(payload, span_of(c.json));
    }
    text_add(payload, SPAN("}"));
}

/* A token that only the holder of the secret can make, with whatever it says. */
static inline void forge(const struct tokens *t, struct span header, struct span payload,
                         struct text *token)
{
    struct text good;
    if (header.data == NULL) {
        good_header(t, &good);
        header = text_span(&good);
    }
    begin_token(token, header, payload);
    sign_hmac(token, EVP_sha256(), SPAN(SECRET));
}

#endif

/* token.c - issuing and verifying tokens beside libjwt and OpenSSL alone, and tokens that are in
 * the cache. `--make` writes tokens of a running service instead (HS256, by its JWT_SECRET). */
#include "token.h"
#include "bench.h"
#include "measure.h"

#include <jwt.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET        "a secret of the bench, 32 bytes or more"
#define ARENA_BYTES   65536
#define SAMPLES       64
#define MAX_TOKENS    1000000
#define REFRESH_BYTES 28 /* what a refresh token's MAC is of */
/* For each token: what the log of the cache needs for one, and its bucket. */
#define CACHE_BYTES 1024

static const struct algorithm {
    const char *name;
    jwt_alg_t alg;
} algorithms[] = {
    { "ES256", JWT_ALG_ES256 }, { "EdDSA", JWT_ALG_EDDSA }, { "RS256", JWT_ALG_RS256 },
    { "PS256", JWT_ALG_PS256 }, { "HS256", JWT_ALG_HS256 },
};

struct world {
    const struct algorithm *algorithm;
    struct tokens *tokens;
    struct token_cache *cache;
    struct span *texts;
    size_t count;
    size_t next;
    struct span refresh;
    int64_t now_ms;
    struct arena arena; /* of one operation */
    struct arena kept;
    /* the same signature without us */
    EVP_PKEY *key; /* NULL: HS256 */
    EVP_MD_CTX *ready_sign, *ready_verify;
    uint8_t signature[512];
    size_t signature_length;
    struct span signed_bytes;
    jwt_checker_t *checker;
    jwk_set_t *checker_keys;
};

/* ---- the world ---- */

static struct span issue(struct world *w)
{
    struct token_claims claims = { .auth_time_s = w->now_ms / 1000,
                                   .username = SPAN("somebody"),
                                   .roles = SPAN("reader") };
    struct span token;
    measure_check(uuid_new(w->now_ms, &claims.user_id), "no id");
    measure_check(uuid_new(w->now_ms, &claims.session_id), "no id");
    measure_check(token_issue(w->tokens, &claims, w->now_ms, &w->arena, &token), "no token");
    return token;
}

static void issue_many(struct world *w, size_t count)
{
    w->texts = calloc(count, sizeof(*w->texts));
    measure_require(w->texts != NULL, "out of memory");
    w->count = count;
    for (size_t i = 0; i < count; i++) {
        struct span token = issue(w);
        char *copy = strndup(token.data, token.length);
        measure_require(copy != NULL, "out of memory");
        w->texts[i] = (struct span){ copy, token.length };
        arena_reset(&w->arena);
    }
}

static void open_world(struct world *w, const struct algorithm *algorithm, struct span secret)
{
    static const struct clock real = { 0 };
    bool symmetric = algorithm->alg == JWT_ALG_HS256;
    const struct token_options options = {
        .issuer = SPAN("doorward"),
        .audience = SPAN("doorward"),
        .algorithm = span_of(algorithm->name),
        .type = SPAN("at+jwt"),
        .secret = symmetric ? secret : SPAN_NONE,
        .expiry_s = 3600,
        .leeway_s = 30,
        .master = { { "a master key of 32 bytes, no less", TOKEN_MASTER_BYTES } },
        .master_count = 1,
    };
    *w = (struct world){ .algorithm = algorithm, .now_ms = clock_now_ms(&real) };
    measure_check(token_open(&options, &w->tokens), "no tokens");
    arena_init(&w->arena, ARENA_BYTES);
    arena_init(&w->kept, ARENA_BYTES);
}

static void close_world(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free((void *)(uintptr_t)w->texts[i].data);
    }
    free(w->texts);
    jwt_checker_free(w->checker);
    jwks_free(w->checker_keys);
    EVP_MD_CTX_free(w->ready_sign);
    EVP_MD_CTX_free(w->ready_verify);
    EVP_PKEY_free(w->key);
    token_cache_free(w->cache);
    arena_done(&w->arena);
    arena_done(&w->kept);
    token_close(w->tokens);
}

/* ---- the same without us ---- */

static const EVP_MD *digest_of(const struct world *w)
{
    return w->algorithm->alg == JWT_ALG_EDDSA ? NULL : EVP_sha256();
}

static void set_padding(const struct world *w, EVP_PKEY_CTX *context)
{
    if (w->algorithm->alg == JWT_ALG_PS256) {
        measure_require(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                            EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1,
                        "no padding");
    }
}

static void mac_alone(const void *bytes, size_t length)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    measure_require(
        HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, bytes, length, mac, NULL) != NULL, "no MAC");
}

/* What of the key costs time is prepared, as ours is: a copy of it serves one signature. */
static EVP_MD_CTX *copy_of(const EVP_MD_CTX *ready)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    measure_require(md != NULL && EVP_MD_CTX_copy_ex(md, ready) == 1, "no context");
    EVP_MD_CTX_set_flags(md, EVP_MD_CTX_FLAG_FINALISE);
    return md;
}

static void sign_alone(void *context)
{
    struct world *w = context;
    if (w->key == NULL) {
        mac_alone(w->signed_bytes.data, w->signed_bytes.length);
        return;
    }
    EVP_MD_CTX *md = copy_of(w->ready_sign);
    w->signature_length = sizeof(w->signature);
    measure_require(EVP_DigestSign(md, w->signature, &w->signature_length,
                                   (const uint8_t *)w->signed_bytes.data,
                                   w->signed_bytes.length) == 1,
                    "no signature");
    EVP_MD_CTX_free(md);
}

static void verify_alone(void *context)
{
    struct world *w = context;
    if (w->key == NULL) {
        mac_alone(w->signed_bytes.data, w->signed_bytes.length);
        return;
    }
    EVP_MD_CTX *md = copy_of(w->ready_verify);
    measure_require(EVP_DigestVerify(md, w->signature, w->signature_length,
                                     (const uint8_t *)w->signed_bytes.data,
                                     w->signed_bytes.length) == 1,
                    "a bad signature");
    EVP_MD_CTX_free(md);
}

static void verify_by_libjwt(void *context)
{
    struct world *w = context;
    measure_require(jwt_checker_verify(w->checker, w->texts[w->next++ % w->count].data) == 0,
                    "libjwt refuses");
}

static void refresh_alone(void *context)
{
    static const uint8_t bytes[REFRESH_BYTES] = { 1 };
    (void)context;
    mac_alone(bytes, sizeof(bytes));
}

static void prepare_contexts(struct world *w)
{
    EVP_PKEY_CTX *signs = NULL;
    EVP_PKEY_CTX *verifies = NULL;
    w->ready_sign = EVP_MD_CTX_new();
    w->ready_verify = EVP_MD_CTX_new();
    measure_require(
        w->ready_sign != NULL && w->ready_verify != NULL &&
            EVP_DigestSignInit(w->ready_sign, &signs, digest_of(w), NULL, w->key) == 1 &&
            EVP_DigestVerifyInit(w->ready_verify, &verifies, digest_of(w), NULL, w->key) == 1,
        "no contexts");
    set_padding(w, signs);
    set_padding(w, verifies);
}

/* A key of the same kind, and its signature of the same bytes. */
static void prepare_openssl(struct world *w)
{
    struct span token = w->texts[0];
    const char *last = memrchr(token.data, '.', token.length);
    w->signed_bytes = span_slice(token, 0, (size_t)(last - token.data));
    switch (w->algorithm->name[0]) {
    case 'H':
        return;
    case 'E':
        w->key = w->algorithm->alg == JWT_ALG_ES256 ? EVP_EC_gen("P-256")
                                                    : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    default:
        w->key = EVP_RSA_gen(3072);
        break;
    }
    measure_require(w->key != NULL, "no key");
    prepare_contexts(w);
    sign_alone(w);
}

static void prepare_libjwt(struct world *w, struct span jwk)
{
    char text[4096];
    size_t length = (size_t)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(jwk));
    measure_require(length < sizeof(text), "a long key");
    w->checker_keys = jwks_create(text);
    w->checker = jwt_checker_new();
    measure_require(w->checker_keys != NULL && w->checker != NULL &&
                        jwt_checker_setkey(w->checker, w->algorithm->alg,
                                           jwks_item_get(w->checker_keys, 0)) == 0,
                    "libjwt takes no key");
}

/* Of ours, for both. */
static void give_key(struct world *w)
{
    struct token_key key;
    if (w->algorithm->alg == JWT_ALG_HS256) {
        char k[128] = "";
        char jwk[192];
        (void)span_base64url(SPAN(SECRET), k);
        (void)snprintf(jwk, sizeof(jwk), "{\"kty\":\"oct\",\"k\":\"%s\"}", k);
        prepare_libjwt(w, span_of(jwk));
        return;
    }
    measure_check(token_key_make(w->tokens, &w->arena, &key), "no key");
    key.signs = true;
    key.active_at = 1;
    measure_check(token_ring_set(w->tokens, &key, 1), "no ring");
    prepare_libjwt(w, key.public_jwk);
}

/* ---- ours ---- */

static void issue_ours(void *context)
{
    struct world *w = context;
    (void)issue(w);
    arena_reset(&w->arena);
}

static void verify_ours(void *context)
{
    struct world *w = context;
    struct token_claims claims;
    measure_check(
        token_verify(w->tokens, w->texts[w->next++ % w->count], w->now_ms, &w->arena, &claims),
        "refused");
    arena_reset(&w->arena);
}

static void verify_cached(void *context)
{
    struct world *w = context;
    struct token_claims claims;
    measure_check(
        token_cache_verify(w->cache, w->texts[w->next++ % w->count], w->now_ms, &w->arena, &claims),
        "refused");
    arena_reset(&w->arena);
}

static void refresh_ours(void *context)
{
    struct world *w = context;
    struct token_refresh fields;
    measure_check(token_refresh_parse(w->tokens, w->refresh, &w->arena, &fields), "refused");
    arena_reset(&w->arena);
}

/* ---- the cases ---- */

static void measure_algorithm(struct measure *m, const struct algorithm *algorithm)
{
    struct world w;
    char issuing[32];
    char verifying[32];
    (void)snprintf(issuing, sizeof(issuing), "issue %s", algorithm->name);
    (void)snprintf(verifying, sizeof(verifying), "verify %s", algorithm->name);
    if (!measure_wants(m, issuing) && !measure_wants(m, verifying)) {
        return;
    }
    const struct measure_side issues[] = {
        { .name = "Doorward", .context = &w, .step = issue_ours },
        { .name = "OpenSSL alone", .context = &w, .step = sign_alone },
    };
    const struct measure_side verifies[] = {
        { .name = "Doorward", .context = &w, .step = verify_ours },
        { .name = "libjwt alone", .context = &w, .step = verify_by_libjwt },
        { .name = "OpenSSL alone", .context = &w, .step = verify_alone },
    };
    open_world(&w, algorithm, SPAN(SECRET));
    give_key(&w);
    issue_many(&w, SAMPLES);
    prepare_openssl(&w);
    measure_case(m, issuing, issues, 2);
    measure_case(m, verifying, verifies, 3);
    close_world(&w);
}

static void measure_cached(struct measure *m, size_t count)
{
    struct world w;
    char name[64];
    (void)snprintf(name, sizeof(name), "cached, of %zu", count);
    if (!measure_wants(m, name)) {
        return;
    }
    const struct measure_side sides[] = {
        { .name = "Doorward", .context = &w, .step = verify_cached },
        { .name = "HS256 without the cache", .context = &w, .step = verify_ours },
    };
    open_world(&w, &algorithms[4], SPAN(SECRET));
    issue_many(&w, count);
    measure_check(token_cache_new(w.tokens, TOKEN_CACHE_MIN_BYTES + count * CACHE_BYTES, &w.cache),
                  "no cache");
    for (size_t i = 0; i < count; i++) { /* all are in it now */
        verify_cached(&w);
    }
    measure_case(m, name, sides, 2);
    close_world(&w);
}

static void measure_refresh(struct measure *m)
{
    struct world w;
    const struct measure_side sides[] = {
        { .name = "Doorward", .context = &w, .step = refresh_ours },
        { .name = "OpenSSL's HMAC alone", .context = &w, .step = refresh_alone },
    };
    open_world(&w, &algorithms[4], SPAN(SECRET));
    const struct token_refresh fields = { .counter = 1, .master_key = token_master_id(w.tokens) };
    measure_check(token_refresh_make(w.tokens, &fields, &w.kept, &w.refresh), "no refresh token");
    measure_case(m, "read a refresh token", sides, 2);
    close_world(&w);
}

/* ---- the command ---- */

static int make_tokens(size_t count, const char *secret, const char *path)
{
    struct world w;
    FILE *file = path != NULL && secret != NULL ? fopen(path, "we") : NULL;
    if (file == NULL) {
        complain("token: --make wants a --secret, and a --file that can be written");
        return EXIT_REFUSED;
    }
    open_world(&w, &algorithms[4], span_of(secret));
    issue_many(&w, count);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(file, "%.*s\n", SPAN_FMT(w.texts[i]));
    }
    close_world(&w);
    measure_require(fclose(file) == 0, "token: --file was not written");
    return EXIT_GOOD;
}

int token_main(int argc, char **argv)
{
    uint64_t make = 0;
    const char *secret = NULL;
    const char *path = NULL;
    const struct measure_option own[] = {
        { .name = "make", .ret_number = &make, .least = 1, .most = MAX_TOKENS },
        { .name = "secret", .ret_text = &secret },
        { .name = "file", .ret_text = &path },
        { 0 },
    };
    struct measure_plan plan = { .rounds = 9, .least_ns = 60000000 };
    struct measure m;
    int code = measure_options(argc, argv, own, &plan);
    if (code != EXIT_GOOD || make > 0) {
        return code != EXIT_GOOD ? code : make_tokens(make, secret, path);
    }
    measure_begin(&m, argv[0], &plan);
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        measure_algorithm(&m, &algorithms[i]);
    }
    measure_cached(&m, 1);
    measure_cached(&m, 1000);
    measure_cached(&m, 100000);
    if (measure_wants(&m, "read a refresh token")) {
        measure_refresh(&m);
    }
    return measure_end(&m);
}

/* token.c - what ./dev bench token runs: issuing and verifying access tokens in process, beside
 * OpenSSL's own check of one signature and libjwt alone, in alternating rounds, a JSON object a
 * line. The judging is in bench/suites/token.py.
 *
 * Usage: bench-token signatures ALGORITHM ROUNDS MS       issue, cold, and what they stand on
 *        bench-token cached COUNT ROUNDS MS               tokens that are in the cache
 *        bench-token make SECRET COUNT FILE               HS256 tokens of a running service
 *
 * MS is the least processor time of one figure. Not installed. */
#include "token.h"

#include <jwt.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECRET      "a secret of the bench, 32 bytes or more"
#define ARENA_BYTES 65536
#define SAMPLES     64
#define MAX_TOKENS  1000000
#define STEPS       16 /* between two looks at the clock */
/* For each token: what the log of the cache needs for one, and its bucket. */
#define CACHE_BYTES 1024

struct world {
    struct tokens *tokens;
    struct token_cache *cache;
    struct span *texts;
    size_t count;
    size_t next;
    int64_t now_ms;
    struct arena arena;
    /* the same signature without us */
    EVP_PKEY *key; /* NULL: HS256 */
    bool pss;
    const EVP_MD *digest; /* NULL: EdDSA */
    uint8_t signature[512];
    size_t signature_length;
    struct span signed_bytes;
    jwt_checker_t *checker;
};

static void require(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "bench-token: %s\n", what);
        exit(1);
    }
}

static void check(enum err e, const char *what)
{
    if (e != ERR_OK) {
        (void)fprintf(stderr, "bench-token: %s: %s\n", what, err_text(e));
        exit(1);
    }
}

/* ---- the world ---- */

static struct tokens *open_tokens(const char *algorithm, struct span secret)
{
    bool symmetric = strcmp(algorithm, "HS256") == 0;
    const struct token_options options = {
        .issuer = SPAN("doorward"),
        .audience = SPAN("doorward"),
        .algorithm = span_of(algorithm),
        .type = SPAN("at+jwt"),
        .secret = symmetric ? secret : SPAN_NONE,
        .expiry_s = 3600,
        .leeway_s = 30,
        .master = { SPAN("a master key of 32 bytes, no less") },
        .master_count = 1,
    };
    struct token_options exact = options;
    struct tokens *t = NULL;
    exact.master[0].length = TOKEN_MASTER_BYTES;
    check(token_open(&exact, &t), "no tokens");
    return t;
}

static struct span issue(struct world *w)
{
    struct token_claims claims = { .auth_time_s = w->now_ms / 1000,
                                   .username = SPAN("somebody"),
                                   .roles = SPAN("reader") };
    struct span token;
    check(uuid_new(w->now_ms, &claims.user_id), "no id");
    check(uuid_new(w->now_ms, &claims.session_id), "no id");
    check(token_issue(w->tokens, &claims, w->now_ms, &w->arena, &token), "no token");
    return token;
}

static void issue_many(struct world *w, size_t count)
{
    w->texts = calloc(count, sizeof(*w->texts));
    require(w->texts != NULL, "out of memory");
    w->count = count;
    for (size_t i = 0; i < count; i++) {
        struct span token = issue(w);
        char *copy = strndup(token.data, token.length);
        require(copy != NULL, "out of memory");
        w->texts[i] = (struct span){ copy, token.length };
        arena_reset(&w->arena);
    }
}

static void open_world(struct world *w, const char *algorithm, struct span secret)
{
    static const struct clock real = { 0 };
    *w = (struct world){ .tokens = open_tokens(algorithm, secret), .now_ms = clock_now_ms(&real) };
    arena_init(&w->arena, ARENA_BYTES);
}

static void close_world(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free((void *)(uintptr_t)w->texts[i].data);
    }
    free(w->texts);
    jwt_checker_free(w->checker);
    EVP_PKEY_free(w->key);
    token_cache_free(w->cache);
    arena_done(&w->arena);
    token_close(w->tokens);
}

/* ---- the same without us ---- */

static const struct foreign {
    const char *algorithm;
    jwt_alg_t alg;
    bool pss;
} foreigns[] = {
    { "ES256", JWT_ALG_ES256, false }, { "EdDSA", JWT_ALG_EDDSA, false },
    { "RS256", JWT_ALG_RS256, false }, { "PS256", JWT_ALG_PS256, true },
    { "HS256", JWT_ALG_HS256, false },
};

static const struct foreign *foreign_of(const char *algorithm)
{
    for (size_t i = 0; i < sizeof(foreigns) / sizeof(foreigns[0]); i++) {
        if (strcmp(foreigns[i].algorithm, algorithm) == 0) {
            return &foreigns[i];
        }
    }
    require(false, "ALGORITHM is ES256, EdDSA, RS256, PS256 or HS256");
    return NULL;
}

static void set_padding(const struct world *w, EVP_PKEY_CTX *context)
{
    if (w->pss) {
        require(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1,
                "no padding");
    }
}

/* A key of the same kind, and its signature of the same bytes. */
static void prepare_bare(struct world *w, const struct foreign *f, struct span token)
{
    const char *last = memrchr(token.data, '.', token.length);
    w->signed_bytes = span_slice(token, 0, (size_t)(last - token.data));
    w->digest = f->alg == JWT_ALG_EDDSA ? NULL : EVP_sha256();
    w->pss = f->pss;
    switch (f->algorithm[0]) {
    case 'H':
        return;
    case 'E':
        w->key = f->alg == JWT_ALG_ES256 ? EVP_EC_gen("P-256")
                                         : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    default:
        w->key = EVP_RSA_gen(3072);
        break;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key = NULL;
    w->signature_length = sizeof(w->signature);
    require(w->key != NULL && context != NULL &&
                EVP_DigestSignInit(context, &of_key, w->digest, NULL, w->key) == 1,
            "no key");
    set_padding(w, of_key);
    require(EVP_DigestSign(context, w->signature, &w->signature_length,
                           (const uint8_t *)w->signed_bytes.data, w->signed_bytes.length) == 1,
            "no signature");
    EVP_MD_CTX_free(context);
}

static void prepare_libjwt(struct world *w, const struct foreign *f, struct span jwk)
{
    char text[4096];
    size_t length = (size_t)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(jwk));
    require(length < sizeof(text), "a long key");
    jwk_set_t *set = jwks_create(text);
    w->checker = jwt_checker_new();
    require(set != NULL && w->checker != NULL &&
                jwt_checker_setkey(w->checker, f->alg, jwks_item_get(set, 0)) == 0,
            "libjwt takes no key");
}

static void give_key(struct world *w, const struct foreign *f)
{
    struct token_key key;
    if (f->alg == JWT_ALG_HS256) {
        char k[128] = "";
        char jwk[192];
        (void)span_base64url(SPAN(SECRET), k);
        (void)snprintf(jwk, sizeof(jwk), "{\"kty\":\"oct\",\"k\":\"%s\"}", k);
        prepare_libjwt(w, f, span_of(jwk));
        return;
    }
    check(token_key_make(w->tokens, &w->arena, &key), "no key");
    key.signs = true;
    key.active_at = 1;
    check(token_ring_set(w->tokens, &key, 1), "no ring");
    prepare_libjwt(w, f, key.public_jwk);
}

/* ---- what is measured ---- */

static void run_issue(struct world *w)
{
    (void)issue(w);
}

static void run_cold(struct world *w)
{
    struct token_claims claims;
    struct span token = w->texts[w->next++ % w->count];
    check(token_verify(w->tokens, token, w->now_ms, &w->arena, &claims), "refused");
}

static void run_cached(struct world *w)
{
    struct token_claims claims;
    struct span token = w->texts[w->next++ % w->count];
    check(token_cache_verify(w->cache, token, w->now_ms, &w->arena, &claims), "refused");
}

static void run_libjwt(struct world *w)
{
    require(jwt_checker_verify(w->checker, w->texts[w->next++ % w->count].data) == 0, "refused");
}

static void run_bare(struct world *w)
{
    const uint8_t *bytes = (const uint8_t *)w->signed_bytes.data;
    if (w->key == NULL) {
        uint8_t mac[EVP_MAX_MD_SIZE];
        require(HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, bytes, w->signed_bytes.length, mac,
                     NULL) != NULL,
                "no MAC");
        return;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key = NULL;
    require(context != NULL && EVP_DigestVerifyInit(context, &of_key, w->digest, NULL, w->key) == 1,
            "no check");
    set_padding(w, of_key);
    require(EVP_DigestVerify(context, w->signature, w->signature_length, bytes,
                             w->signed_bytes.length) == 1,
            "a bad signature");
    EVP_MD_CTX_free(context);
}

struct measured {
    const char *name;
    void (*run)(struct world *w);
};

static int64_t cpu_ns(void)
{
    struct timespec t;
    require(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0, "no clock");
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void measure(struct world *w, const struct measured *m, int64_t least_ns)
{
    uint64_t count = 0;
    int64_t start = cpu_ns();
    int64_t elapsed = 0;
    while (elapsed < least_ns) {
        for (int i = 0; i < STEPS; i++) {
            m->run(w);
            arena_reset(&w->arena);
        }
        count += STEPS;
        elapsed = cpu_ns() - start;
    }
    (void)printf("{\"case\":\"%s\",\"tokens\":%zu,\"count\":%llu,\"cpu_ns\":%lld}\n", m->name,
                 w->count, (unsigned long long)count, (long long)elapsed);
}

static void measure_rounds(struct world *w, const struct measured *list, size_t count,
                           unsigned long rounds, unsigned long ms)
{
    for (unsigned long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            measure(w, &list[i], (int64_t)ms * 1000000);
        }
    }
}

/* ---- the verbs ---- */

static int signatures(const char *algorithm, unsigned long rounds, unsigned long ms)
{
    static const struct measured list[] = {
        { "issue", run_issue }, { "cold", run_cold }, { "libjwt", run_libjwt }, { "bare", run_bare }
    };
    const struct foreign *f = foreign_of(algorithm);
    struct world w;
    open_world(&w, algorithm, SPAN(SECRET));
    give_key(&w, f);
    issue_many(&w, SAMPLES);
    prepare_bare(&w, f, w.texts[0]);
    measure_rounds(&w, list, sizeof(list) / sizeof(list[0]), rounds, ms);
    close_world(&w);
    return 0;
}

static int cached(unsigned long count, unsigned long rounds, unsigned long ms)
{
    static const struct measured list[] = { { "cached", run_cached } };
    struct world w;
    require(count > 0 && count <= MAX_TOKENS, "a bad COUNT");
    open_world(&w, "HS256", SPAN(SECRET));
    issue_many(&w, count);
    check(token_cache_new(w.tokens, TOKEN_CACHE_MIN_BYTES + count * CACHE_BYTES, &w.cache),
          "no cache");
    for (size_t i = 0; i < count; i++) { /* all are in it now */
        run_cached(&w);
        arena_reset(&w.arena);
    }
    measure_rounds(&w, list, 1, rounds, ms);
    close_world(&w);
    return 0;
}

static int make(const char *secret, unsigned long count, const char *path)
{
    struct world w;
    FILE *file = fopen(path, "w");
    require(file != NULL && count > 0 && count <= MAX_TOKENS, "a bad COUNT or FILE");
    open_world(&w, "HS256", span_of(secret));
    issue_many(&w, count);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(file, "%.*s\n", SPAN_FMT(w.texts[i]));
    }
    require(fclose(file) == 0, "FILE was not written");
    close_world(&w);
    return 0;
}

int main(int argc, char **argv)
{
    require(argc == 5, "see the head of bench/token.c for the arguments");
    if (strcmp(argv[1], "make") == 0) {
        return make(argv[2], strtoul(argv[3], NULL, 10), argv[4]);
    }
    unsigned long rounds = strtoul(argv[3], NULL, 10);
    unsigned long ms = strtoul(argv[4], NULL, 10);
    require(rounds > 0 && ms > 0, "bad ROUNDS or MS");
    if (strcmp(argv[1], "cached") == 0) {
        return cached(strtoul(argv[2], NULL, 10), rounds, ms);
    }
    require(strcmp(argv[1], "signatures") == 0, "signatures, cached or make");
    return signatures(argv[2], rounds, ms);
}

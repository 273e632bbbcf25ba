/* Vectors in the manner of Wycheproof, made with real keys of every algorithm.
 *
 * The story: the attacker knows where other verifiers were lenient, and tries each of those places.
 * Every table has its control, a row that is accepted, so that a verifier which refuses everything
 * fails as well. */
#include "test_token_forger.h"

#include <openssl/bn.h>

static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256", "HS256" };
#define ALGORITHM_COUNT (sizeof(algorithms) / sizeof(algorithms[0]))

/* An RSA key takes its time, so all tests share one ring of each algorithm. */
static struct tokens *shared[ALGORITHM_COUNT];

static int open_shared(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        shared[i] = open_with_key(algorithms[i]);
    }
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        token_close(shared[i]);
    }
    return 0;
}

static struct tokens *ring_of(const char *algorithm)
{
    size_t i = 0;
    while (strcmp(algorithms[i], algorithm) != 0) {
        i++;
    }
    return shared[i];
}

static void check_verdict(struct tokens *t, const struct text *token, bool good, const char *what)
{
    enum err e = verify(t, text_span(token));
    if (e != (good ? ERR_OK : ERR_INVALID_TOKEN)) {
        fail_msg("%s gave ERR_%s: %.*s", what, err_name(e), SPAN_FMT(text_span(token)));
    }
}

/* ---- headers ---- */

/* @A is the key's algorithm, @K its kid. */
static void expand(const char *format, const struct tokens *t, struct text *out)
{
    const struct ring_key *k = ring_signer(ring_current(t), NOW_MS);
    out->length = 0;
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == '@') {
            at++;
            text_add(out, span_of(*at == 'A' ? k->kind->algorithm : k->kid));
        } else {
            text_add(out, (struct span){ at, 1 });
        }
    }
}

static const struct {
    const char *header;
    bool good;
} headers[] = {
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", true },
    { "{\"typ\":\"at+jwt\",\"alg\":\"@A\",\"kid\":\"@K\"}", true },
    { "\t{ \"typ\" : \"at\\u002bjwt\",\r\n\"\\u0061lg\":\"@A\" , \"kid\":\"@K\" }\n", true },
    /* alg */
    { "{\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":null,\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":[\"@A\"],\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":{\"@A\":1},\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":true,\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":256,\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A \",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\" @A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\\u0000\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A,none\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"Alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"none\",\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"\\u0061lg\":\"none\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    /* typ: the configured one to the letter, although RFC 9068 would let both of these pass */
    { "{\"alg\":\"@A\",\"kid\":\"@K\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"AT+JWT\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"application/at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"JWT\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":null}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":[\"at+jwt\"]}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"typ\":\"at+jwt\"}", false },
    /* kid */
    { "{\"alg\":\"@A\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":null,\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":0,\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":18446744073709551616,\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":[\"@K\"],\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@Kx\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"x@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K \",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\\u0000\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\\u0000x\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"\\u0000@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"../../../../dev/null\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"x' UNION SELECT 'key\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"x\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    /* members that would bring a key, or change what is signed */
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}",
      false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"jwk\":null}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"jku\":\"https://door.example/\"}",
      false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"x5u\":\"file:///etc/passwd\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"x5c\":[\"MIIB\"]}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"x5t#S256\":\"AA\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"crit\":[]}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"crit\":[\"alg\"]}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"crit\":[\"b64\"],\"b64\":true}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"b64\":true}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"zip\":\"DEF\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"cty\":\"JWT\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"enc\":\"A256GCM\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"iss\":\"https://door.example\"}",
      false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",\"\":1}", false },
    /* what is no one object */
    { "", false },
    { "null", false },
    { "\"alg\"", false },
    { "[{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}]", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}{}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\",}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"", false },
    { "{'alg':'@A','kid':'@K','typ':'at+jwt'}", false },
    { "{alg:\"@A\",kid:\"@K\",typ:\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}//", false },
    { "\xef\xbb\xbf{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}", false },
    { "{\"alg\":\"@A\",\"kid\":\"@K\",\"typ\":\"at+jwt\"}\xff", false },
};

TEST(a_header_says_alg_kid_and_typ_and_nothing_else_with_every_algorithm)
{
    struct text payload;
    payload_with(&payload, (struct claim){ "later", NULL });
    for (size_t a = 0; a < ALGORITHM_COUNT; a++) {
        for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
            struct text header, token;
            expand(headers[i].header, shared[a], &header);
            begin_token(&token, text_span(&header), text_span(&payload));
            sign_honestly(&token, shared[a]);
            check_verdict(shared[a], &token, headers[i].good, headers[i].header);
        }
    }
}

/* ---- algorithms ---- */

static const char *const alg_names[] = {
    "none",  "None",   "NONE",   "nOnE",       "",      "HS256", "HS384", "HS512",
    "RS256", "RS384",  "RS512",  "PS256",      "PS384", "PS512", "ES256", "ES384",
    "ES512", "ES256K", "EdDSA",  "Ed25519",    "es256", "hs256", "eddsa", "rs256",
    "ps256", "EDDSA",  "RSA256", "HMACSHA256", "dir",
};

TEST(an_algorithm_is_the_one_of_the_key_or_none_at_all)
{
    for (size_t a = 0; a < ALGORITHM_COUNT; a++) {
        for (size_t i = 0; i < sizeof(alg_names) / sizeof(alg_names[0]); i++) {
            struct text token;
            bool same = strcmp(alg_names[i], algorithms[a]) == 0;
            begin_with_alg(shared[a], alg_names[i], &token);
            struct text unsigned_token = token;
            sign_honestly(&token, shared[a]);
            check_verdict(shared[a], &token, same, alg_names[i]);
            check_verdict(shared[a], &unsigned_token, false, alg_names[i]);
            text_add(&unsigned_token, SPAN("."));
            check_verdict(shared[a], &unsigned_token, false, alg_names[i]);
        }
    }
}

/* One ring with a key of each algorithm, as after JWT_ALG has changed. */
static void open_mixed(struct tokens *ret_one[4], struct tokens **ret_mixed)
{
    static const char *const kinds[] = { "ES256", "EdDSA", "RS256", "PS256" };
    struct token_key keys[4];
    struct arena a;
    arena_init(&a, 256 * 1024);
    for (size_t i = 0; i < 4; i++) {
        ret_one[i] = open_tokens(kinds[i]);
        CHECK_ERR(token_key_make(ret_one[i], &a, &keys[i]), ERR_OK);
        keys[i].signs = true;
        keys[i].active_at = 1;
        CHECK_ERR(token_ring_set(ret_one[i], &keys[i], 1), ERR_OK);
    }
    *ret_mixed = open_tokens("ES256");
    CHECK_ERR(token_ring_set(*ret_mixed, keys, 4), ERR_OK);
    arena_done(&a);
}

TEST(a_key_of_the_ring_does_not_sign_for_another_one)
{
    struct tokens *one[4];
    AUTO(token) struct tokens *mixed = NULL;
    open_mixed(one, &mixed);
    for (size_t alg = 0; alg < 4; alg++) {
        for (size_t kid = 0; kid < 4; kid++) {
            for (size_t signer = 0; signer < 4; signer++) {
                struct text token;
                begin_with_alg(one[kid], algorithms[alg], &token);
                sign_honestly(&token, one[signer]);
                check_verdict(mixed, &token, alg == kid && kid == signer, algorithms[alg]);
            }
        }
    }
    for (size_t i = 0; i < 4; i++) {
        token_close(one[i]);
    }
}

/* ---- signatures ---- */

/* The good one of `t` for the good token, decoded. */
static size_t signature_of(const struct tokens *t, const char *alg, struct text *ret_unsigned,
                           uint8_t signature[512])
{
    struct text token;
    size_t length = 0;
    begin_with_alg(t, alg, &token);
    *ret_unsigned = token;
    sign_honestly(&token, t);
    struct span text = span_from(text_span(&token), ret_unsigned->length + 1);
    CHECK(span_from_base64url(text, signature, 512, &length));
    return length;
}

static void check_signature(struct tokens *t, const struct text *unsigned_token,
                            const uint8_t *signature, size_t length, bool good, const char *what)
{
    struct text token = *unsigned_token;
    text_add(&token, SPAN("."));
    text_add_base64url(&token, (struct span){ (const char *)signature, length });
    check_verdict(t, &token, good, what);
}

TEST(a_signature_of_any_other_length_is_refused_with_every_algorithm)
{
    for (size_t a = 0; a < ALGORITHM_COUNT; a++) {
        struct text base;
        uint8_t good[513] = { 0 };
        uint8_t changed[1024] = { 0 };
        size_t length = signature_of(shared[a], algorithms[a], &base, good);
        check_signature(shared[a], &base, good, length, true, "as it is");
        for (size_t cut = 1; cut <= length; cut = cut * 2 + 1) {
            check_signature(shared[a], &base, good, length - cut, false, "cut at its end");
            check_signature(shared[a], &base, good + cut, length - cut, false, "cut at its front");
        }
        memcpy(changed + 1, good, length);
        check_signature(shared[a], &base, changed, length + 1, false, "a zero before it");
        check_signature(shared[a], &base, good, length + 1, false, "a zero behind it");
        memcpy(changed, good, length);
        memcpy(changed + length, good, length);
        check_signature(shared[a], &base, changed, length * 2, false, "twice");
        memset(changed, 0, sizeof(changed));
        check_signature(shared[a], &base, changed, length, false, "zeros");
        memset(changed, 0xff, sizeof(changed));
        check_signature(shared[a], &base, changed, length, false, "ones");
    }
}

TEST(a_signature_has_one_spelling_with_every_algorithm)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n~";
    static const char *const tails[] = { "=", "==", "A", "AA", ".", " ", "\n" };
    for (size_t a = 0; a < ALGORITHM_COUNT; a++) {
        struct text token;
        begin_with_alg(shared[a], algorithms[a], &token);
        sign_honestly(&token, shared[a]);
        char last = token.data[token.length - 1];
        for (size_t i = 0; i < sizeof(alphabet); i++) {
            token.data[token.length - 1] = alphabet[i];
            check_verdict(shared[a], &token, alphabet[i] == last, "another last character");
        }
        token.data[token.length - 1] = last;
        for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
            struct text longer = token;
            text_add(&longer, span_of(tails[i]));
            check_verdict(shared[a], &longer, false, "a tail");
        }
    }
}

/* The order of P-256, and that of Ed25519's group. */
#define ORDER_P256    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ORDER_ED25519 "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed"

struct ecdsa_case {
    const char *what, *r, *s; /* hexadecimal; r, s: the good one's; n-s: its mirror */
    bool good;
};

static void put_number(const char *what, const uint8_t *good, uint8_t *out)
{
    BIGNUM *n = NULL;
    BIGNUM *order = NULL;
    CHECK(BN_hex2bn(&order, ORDER_P256) > 0);
    if (strcmp(what, "r") == 0 || strcmp(what, "s") == 0) {
        n = BN_bin2bn(good + (*what == 's' ? 32 : 0), 32, NULL);
    } else if (strcmp(what, "n-s") == 0 || strcmp(what, "n-r") == 0) {
        n = BN_bin2bn(good + (what[2] == 's' ? 32 : 0), 32, NULL);
        CHECK_INT(BN_sub(n, order, n), 1);
    } else {
        CHECK(BN_hex2bn(&n, what) > 0);
    }
    CHECK_INT(BN_bn2binpad(n, out, 32), 32);
    BN_free(n);
    BN_free(order);
}

/* (r, n - s) is a signature by the standard, and RFC 7518 asks for no lower half; our own signer
 * gives either. So it is accepted: it says nothing that the token did not say, it is checked and
 * revoked as the token is, and it is the only other spelling that a stranger can make. */
TEST(ecdsa_numbers_out_of_range_and_in_the_wrong_place_are_refused_and_the_mirror_is_accepted)
{
    static const struct ecdsa_case cases[] = {
        { "as it is", "r", "s", true },
        { "mirrored", "r", "n-s", true },
        { "r mirrored", "n-r", "s", false },
        { "swapped", "s", "r", false },
        { "0, 0", "0", "0", false },
        { "0, s", "0", "s", false },
        { "r, 0", "r", "0", false },
        { "1, 1", "1", "1", false },
        { "n, n", ORDER_P256, ORDER_P256, false },
        { "n, s", ORDER_P256, "s", false },
        { "r, n", "r", ORDER_P256, false },
        { "r, r", "r", "r", false },
        { "n-1, n-1", "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550",
          "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550", false },
        { "n+1, 1", "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552", "1",
          false },
        { "p, 1", "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", "1", false },
        { "r, all ones", "r", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
          false },
    };
    struct tokens *t = ring_of("ES256");
    struct text base;
    uint8_t good[512];
    uint8_t changed[64];
    CHECK_INT(signature_of(t, "ES256", &base, good), 64);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put_number(cases[i].r, good, changed);
        put_number(cases[i].s, good, changed + 32);
        check_signature(t, &base, changed, sizeof(changed), cases[i].good, cases[i].what);
    }
}

/* One in 256 has a zero byte in front, which DER leaves out and JWS does not. */
TEST(ecdsa_numbers_of_every_length_are_accepted)
{
    struct tokens *t = ring_of("ES256");
    bool seen[2][3] = { { false } }; /* of r, of s: a zero in front, a high bit, neither */
    size_t missing = 6;
    for (int round = 0; missing > 0; round++) {
        struct text base;
        uint8_t signature[512];
        CHECK(round < 20000);
        CHECK_INT(signature_of(t, "ES256", &base, signature), 64);
        for (size_t i = 0; i < 2; i++) {
            uint8_t first = signature[32 * i];
            bool *kind = &seen[i][first == 0 ? 0 : first >= 0x80 ? 1 : 2];
            if (!*kind) {
                *kind = true;
                missing--;
                check_signature(t, &base, signature, 64, true, "as it is");
            }
        }
    }
}

/* RFC 8032, 5.1.7: S + L would verify if S were not compared with L. */
TEST(the_mirror_of_an_eddsa_signature_is_refused)
{
    struct tokens *t = ring_of("EdDSA");
    struct text base;
    uint8_t good[512];
    uint8_t changed[64];
    BIGNUM *order = NULL;
    CHECK_INT(signature_of(t, "EdDSA", &base, good), 64);
    check_signature(t, &base, good, 64, true, "as it is");
    BIGNUM *s = BN_lebin2bn(good + 32, 32, NULL);
    CHECK(BN_hex2bn(&order, ORDER_ED25519) > 0);
    for (int multiple = 1; multiple < 15; multiple++) {
        CHECK_INT(BN_add(s, s, order), 1);
        memcpy(changed, good, 32);
        CHECK_INT(BN_bn2lebinpad(s, changed + 32, 32), 32);
        check_signature(t, &base, changed, 64, false, "S + L");
    }
    memcpy(changed, good, 64);
    changed[31] ^= 0x80;
    check_signature(t, &base, changed, 64, false, "R with its other sign");
    memset(changed, 0, 32);
    check_signature(t, &base, changed, 64, false, "R of small order");
    BN_free(s);
    BN_free(order);
}

/* m to the d, without anybody's padding. */
static void sign_raw(const struct tokens *t, const uint8_t *message, size_t length, uint8_t *out)
{
    EVP_PKEY *key = private_key_of(t);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    size_t out_length = length;
    CHECK(EVP_PKEY_sign_init(c) > 0 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING) > 0);
    CHECK(EVP_PKEY_sign(c, out, &out_length, message, length) > 0 && out_length == length);
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(key);
}

/* 00 01 ff..ff 00, the digest's name, the digest, and `tail` bytes of anything. */
static void check_pkcs1(struct tokens *t, const struct text *base, size_t length, struct span name,
                        size_t tail, bool good, const char *what)
{
    uint8_t message[512];
    uint8_t signature[512];
    size_t end = length - tail;
    memset(message, 0xff, sizeof(message));
    message[0] = 0;
    message[1] = 1;
    CHECK(EVP_Digest(base->data, base->length, message + end - 32, NULL, EVP_sha256(), NULL) == 1);
    memcpy(message + end - 32 - name.length, name.data, name.length);
    message[end - 32 - name.length - 1] = 0;
    sign_raw(t, message, length, signature);
    check_signature(t, base, signature, length, good, what);
}

/* Bleichenbacher's forgery of 2006 and its kin live from parsers that skip what they do not expect:
 * even signed with the real key, only the one encoding passes. */
TEST(only_the_one_pkcs1_encoding_of_the_one_digest_is_accepted)
{
#define HEAD "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02"
    const struct {
        const char *what;
        struct span name;
        size_t tail;
        bool good;
    } cases[] = {
        { "as it is", SPAN(HEAD "\x01\x05\x00\x04\x20"), 0, true },
        { "a byte behind", SPAN(HEAD "\x01\x05\x00\x04\x20"), 1, false },
        { "bytes behind", SPAN(HEAD "\x01\x05\x00\x04\x20"), 100, false },
        { "no parameters",
          SPAN("\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20"), 0, false },
        { "another name", SPAN(HEAD "\x02\x05\x00\x04\x20"), 0, false },
        { "a long length",
          SPAN("\x30\x81\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"),
          0, false },
        { "no name", SPAN(""), 0, false },
    };
#undef HEAD
    struct tokens *t = ring_of("RS256");
    struct text base;
    uint8_t good[512];
    size_t length = signature_of(t, "RS256", &base, good);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_pkcs1(t, &base, length, cases[i].name, cases[i].tail, cases[i].good, cases[i].what);
    }
}

/* RFC 7518, 3.5: as long as the digest. libjwt takes any. */
TEST(a_pss_salt_of_any_other_length_is_refused_even_from_the_real_key)
{
    struct tokens *t = ring_of("PS256");
    EVP_PKEY *key = private_key_of(t);
    static const int salts[] = { 32, 0, 1, 20, 31, 33, 64, 300 };
    for (size_t i = 0; i < sizeof(salts) / sizeof(salts[0]); i++) {
        struct text token;
        begin_with_alg(t, "PS256", &token);
        sign_salted(&token, key, EVP_sha256(), RSA_PKCS1_PSS_PADDING, salts[i]);
        check_verdict(t, &token, salts[i] == 32, "a salt");
    }
    EVP_PKEY_free(key);
}

TEST(a_pss_mask_of_another_digest_is_refused)
{
    struct tokens *t = ring_of("PS256");
    EVP_PKEY *key = private_key_of(t);
    const EVP_MD *const masks[] = { EVP_sha256(), EVP_sha1(), EVP_sha512() };
    for (size_t i = 0; i < 3; i++) {
        struct text base;
        uint8_t signature[512];
        size_t length = sizeof(signature);
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        EVP_PKEY_CTX *options = NULL;
        begin_with_alg(t, "PS256", &base);
        CHECK_INT(EVP_DigestSignInit(c, &options, EVP_sha256(), NULL, key), 1);
        CHECK(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) > 0 &&
              EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) > 0 &&
              EVP_PKEY_CTX_set_rsa_mgf1_md(options, masks[i]) > 0);
        CHECK_INT(EVP_DigestSign(c, signature, &length, (const uint8_t *)base.data, base.length),
                  1);
        EVP_MD_CTX_free(c);
        check_signature(t, &base, signature, length, i == 0, "a mask");
    }
    EVP_PKEY_free(key);
}

TEST(an_rsa_signature_that_is_not_below_the_modulus_is_refused)
{
    static const char *const kinds[] = { "RS256", "PS256" };
    for (size_t i = 0; i < 2; i++) {
        struct tokens *t = ring_of(kinds[i]);
        struct text base;
        uint8_t good[512];
        uint8_t changed[512];
        EVP_PKEY *key = private_key_of(t);
        BIGNUM *n = NULL;
        size_t length = signature_of(t, kinds[i], &base, good);
        CHECK_INT(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
        CHECK((size_t)BN_bn2binpad(n, changed, (int)length) == length);
        check_signature(t, &base, changed, length, false, "n");
        BIGNUM *s = BN_bin2bn(good, (int)length, NULL);
        CHECK_INT(BN_sub(s, n, s), 1);
        CHECK((size_t)BN_bn2binpad(s, changed, (int)length) == length);
        check_signature(t, &base, changed, length, false, "n - s");
        CHECK_INT(BN_sub(s, n, s), 1);
        CHECK_INT(BN_add(s, s, n), 1);
        if (BN_num_bytes(s) <= (int)length) {
            CHECK((size_t)BN_bn2binpad(s, changed, (int)length) == length);
            check_signature(t, &base, changed, length, false, "s + n");
        }
        BN_free(s);
        BN_free(n);
        EVP_PKEY_free(key);
    }
}

/* ---- spellings, signed as they are ---- */

/* The good token's two segments, changed by `change` in one of them, then signed. */
static bool check_spelling(size_t segment, enum err (*change)(struct text *), bool good,
                           const char *what)
{
    struct tokens *t = ring_of("HS256");
    struct text payload, header, token, part;
    good_header(t, &header);
    payload_with(&payload, (struct claim){ "filler", "\"~~~~>>>>?~?>~?\"" });
    token.length = 0;
    for (size_t i = 0; i < 2; i++) {
        part.length = 0;
        text_add_base64url(&part, text_span(i == 0 ? &header : &payload));
        if (i == segment && change(&part) != ERR_OK) {
            return false; /* this text has no such other spelling */
        }
        text_add(&token, i == 0 ? SPAN("") : SPAN("."));
        text_add(&token, text_span(&part));
    }
    sign_hmac(&token, EVP_sha256(), SPAN(SECRET));
    check_verdict(t, &token, good, what);
    return true;
}

static enum err leave(struct text *part)
{
    (void)part;
    return ERR_OK;
}

static enum err pad(struct text *part)
{
    text_add(part, SPAN("="));
    return ERR_OK;
}

static enum err pad_right(struct text *part)
{
    while (part->length % 4 != 0) {
        text_add(part, SPAN("="));
    }
    return part->data[part->length - 1] == '=' ? ERR_OK : ERR_NOT_FOUND;
}

static enum err stray_bits(struct text *part)
{
    /* The unused bits of the last character are zero: the next character has one set. */
    part->data[part->length - 1]++;
    return part->length % 4 != 0 ? ERR_OK : ERR_NOT_FOUND;
}

static enum err standard_alphabet(struct text *part)
{
    bool changed = false;
    for (size_t i = 0; i < part->length; i++) {
        char c = part->data[i];
        part->data[i] = c == '-' ? '+' : c == '_' ? '/' : c;
        changed = changed || part->data[i] != c;
    }
    return changed ? ERR_OK : ERR_NOT_FOUND;
}

static enum err newline_behind(struct text *part)
{
    text_add(part, SPAN("\n"));
    return ERR_OK;
}

static enum err space_within(struct text *part)
{
    memmove(part->data + 5, part->data + 4, part->length - 4);
    part->data[4] = ' ';
    part->length++;
    return ERR_OK;
}

static enum err empty(struct text *part)
{
    part->length = 0;
    return ERR_OK;
}

static enum err a_letter_more(struct text *part)
{
    text_add(part, SPAN("A"));
    return part->length % 4 == 1 ? ERR_OK : ERR_NOT_FOUND;
}

TEST(base64url_has_one_spelling_even_when_another_one_is_signed)
{
    static const struct {
        const char *what;
        enum err (*change)(struct text *);
        bool good;
    } cases[] = {
        { "as it is", leave, true },
        { "=", pad, false },
        { "padding", pad_right, false },
        { "stray bits", stray_bits, false },
        { "standard alphabet", standard_alphabet, false },
        { "a new line", newline_behind, false },
        { "a space", space_within, false },
        { "nothing", empty, false },
        { "a letter", a_letter_more, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool in_header = check_spelling(0, cases[i].change, cases[i].good, cases[i].what);
        bool in_payload = check_spelling(1, cases[i].change, cases[i].good, cases[i].what);
        CHECK(in_header || in_payload);
    }
}

TEST(nothing_may_be_put_between_two_characters)
{
    static const char more[] = " \t\r\n\v\f.=-_+/%~\\\"A\x00\x7f\x80\xff";
    struct tokens *t = ring_of("HS256");
    struct text token;
    issue(t, &token);
    check_verdict(t, &token, true, "as it is");
    for (size_t at = 0; at <= token.length; at++) {
        for (size_t i = 0; i < sizeof(more) - 1; i++) {
            struct text changed;
            changed.length = 0;
            text_add(&changed, span_slice(text_span(&token), 0, at));
            text_add(&changed, (struct span){ &more[i], 1 });
            text_add(&changed, span_from(text_span(&token), at));
            check_refused(t, text_span(&changed));
        }
    }
}

/* ---- claims ---- */

TEST(a_claim_that_comes_twice_is_refused_even_when_both_say_the_same)
{
    struct tokens *t = ring_of("HS256");
    for (size_t i = 0; i < GOOD_CLAIM_COUNT; i++) {
        struct text payload, token;
        char twice[256];
        /* The second one under another name, spelt with an escape in the third round. */
        for (int round = 0; round < 3; round++) {
            static const char *const formats[] = { "%s,\"x%s\":%s", "%s,\"%s\":%s",
                                                   "%s,\"\\u%04x%s\":%s" };
            const struct claim *c = &good_claims[i];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            if (round < 2) {
                (void)snprintf(twice, sizeof(twice), formats[round], c->json, c->name, c->json);
            } else {
                (void)snprintf(twice, sizeof(twice), formats[round], c->json, (unsigned)c->name[0],
                               c->name + 1, c->json);
            }
#pragma GCC diagnostic pop
            payload_with(&payload, (struct claim){ c->name, twice });
            forge(t, SPAN_NONE, text_span(&payload), &token);
            check_verdict(t, &token, round == 0, twice);
        }
    }
}

TEST(times_are_plain_whole_numbers)
{
    static const struct {
        const char *json;
        bool good;
    } cases[] = {
        { "1800000000", true },
        { " 1800000000 ", true },
        { "1800000000.0", false },
        { "1.8e9", false },
        { "18e8", false },
        { "1e3", false },
        { "-1800000000", false },
        { "+1800000000", false },
        { "01800000000", false },
        { "0x6b49d200", false },
        { "\"1800000000\"", false },
        { "true", false },
        { "null", false },
        { "[]", false },
        { "{}", false },
        { "1800000000000", false }, /* milliseconds */
        { "NaN", false },
        { "Infinity", false },
        { "18446744075509551616", false }, /* 2^64 + 1800000000 */
        { "6094967296", false },           /* 2^32 + 1800000000 */
        { "1800000000,", false },
    };
    static const char *const names[] = { "iat", "auth_time" };
    struct tokens *t = ring_of("HS256");
    for (size_t n = 0; n < 2; n++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct text payload, token;
            /* auth_time is only a time: those two are far, but whole numbers. */
            bool far = n == 1 && (strcmp(cases[i].json, "1800000000000") == 0 ||
                                  strcmp(cases[i].json, "6094967296") == 0);
            payload_with(&payload, (struct claim){ names[n], cases[i].json });
            forge(t, SPAN_NONE, text_span(&payload), &token);
            if (!far) {
                check_verdict(t, &token, cases[i].good, cases[i].json);
            }
        }
    }
}

/* What an unknown claim holds is none of our business, up to a depth. */
TEST(nesting_is_judged_up_to_a_depth_and_refused_below_it)
{
    struct tokens *t = ring_of("HS256");
    static char deep[2300];
    for (size_t depth = 1; depth < sizeof(deep) / 2; depth = depth < 9 ? depth + 1 : depth + 97) {
        struct text payload, token;
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        deep[2 * depth] = '\0';
        payload_with(&payload, (struct claim){ "deep", deep });
        forge(t, SPAN_NONE, text_span(&payload), &token);
        check_verdict(t, &token, depth < 8, "balanced");
        deep[2 * depth - 1] = '\0';
        payload_with(&payload, (struct claim){ "deep", deep });
        forge(t, SPAN_NONE, text_span(&payload), &token);
        check_verdict(t, &token, false, "one bracket short");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_says_alg_kid_and_typ_and_nothing_else_with_every_algorithm),
        cmocka_unit_test(an_algorithm_is_the_one_of_the_key_or_none_at_all),
        cmocka_unit_test(a_key_of_the_ring_does_not_sign_for_another_one),
        cmocka_unit_test(a_signature_of_any_other_length_is_refused_with_every_algorithm),
        cmocka_unit_test(a_signature_has_one_spelling_with_every_algorithm),
        cmocka_unit_test(ecdsa_numbers_of_every_length_are_accepted),
        cmocka_unit_test(
            ecdsa_numbers_out_of_range_and_in_the_wrong_place_are_refused_and_the_mirror_is_accepted),
        cmocka_unit_test(the_mirror_of_an_eddsa_signature_is_refused),
        cmocka_unit_test(only_the_one_pkcs1_encoding_of_the_one_digest_is_accepted),
        cmocka_unit_test(a_pss_salt_of_any_other_length_is_refused_even_from_the_real_key),
        cmocka_unit_test(a_pss_mask_of_another_digest_is_refused),
        cmocka_unit_test(an_rsa_signature_that_is_not_below_the_modulus_is_refused),
        cmocka_unit_test(base64url_has_one_spelling_even_when_another_one_is_signed),
        cmocka_unit_test(nothing_may_be_put_between_two_characters),
        cmocka_unit_test(a_claim_that_comes_twice_is_refused_even_when_both_say_the_same),
        cmocka_unit_test(times_are_plain_whole_numbers),
        cmocka_unit_test(nesting_is_judged_up_to_a_depth_and_refused_below_it),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}

/* Forged access tokens.
 *
 * The story: an attacker has the public keys, his own keys, and tokens that were issued to him. He
 * changes bits, algorithms, headers and spellings until something lets him in. Each attack stands
 * beside a control: the unchanged token, which is accepted. Where the forger signs with the real
 * private key, the point is that even then only the one algorithm and the one spelling pass. */
#include "test_token_forger.h"

#include <openssl/pem.h>

/* ---- bytes ---- */

TEST(every_single_bit_flip_of_a_token_is_refused)
{
    static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256", "HS256" };
    for (size_t i = 0; i < 5; i++) {
        AUTO(token) struct tokens *t = open_with_key(algorithms[i]);
        struct text token;
        issue(t, &token);
        CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
        for (size_t bit = 0; bit < 8 * token.length; bit++) {
            token.data[bit / 8] = (char)(token.data[bit / 8] ^ (1 << bit % 8));
            check_refused(t, text_span(&token));
            token.data[bit / 8] = (char)(token.data[bit / 8] ^ (1 << bit % 8));
        }
        CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
    }
}

TEST(every_prefix_and_every_suffix_of_a_token_is_refused)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    issue(t, &token);
    for (size_t length = 0; length < token.length; length++) {
        check_refused(t, span_slice(text_span(&token), 0, length));
        check_refused(t, span_from(text_span(&token), token.length - length));
    }
}

TEST(another_spelling_of_the_same_bytes_is_refused)
{
    static const char *const tails[] = { "=", "==", " ", "\n", ".", ".x", "A", "\t", "~" };
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    issue(t, &token);
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        struct text changed = token;
        text_add(&changed, span_of(tails[i]));
        check_refused(t, text_span(&changed));
        changed.length = 0;
        text_add(&changed, span_of(tails[i]));
        text_add(&changed, text_span(&token));
        check_refused(t, text_span(&changed));
    }
    struct text with_nul = token;
    with_nul.length++;
    check_refused(t, text_span(&with_nul));
    /* 32 bytes end in a character with two unused bits: the three others decode to the same. */
    char last = token.data[token.length - 1];
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < 64; i++) {
        token.data[token.length - 1] = alphabet[i];
        CHECK_ERR(verify(t, text_span(&token)), alphabet[i] == last ? ERR_OK : ERR_INVALID_TOKEN);
    }
}

TEST(the_standard_alphabet_of_base64_is_refused)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    size_t tried = 0;
    for (int round = 0; round < 200 && tried < 5; round++) {
        struct text token;
        issue(t, &token);
        bool changed = false;
        for (size_t i = 0; i < token.length; i++) {
            changed = changed || token.data[i] == '-' || token.data[i] == '_';
            token.data[i] = token.data[i] == '-' ? '+' : token.data[i] == '_' ? '/' : token.data[i];
        }
        if (changed) {
            check_refused(t, text_span(&token));
            tried++;
        }
    }
    CHECK(tried > 0);
}

TEST(a_giant_token_is_refused)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    size_t length = 1024 * 1024;
    char *giant = malloc(length);
    CHECK(giant != NULL);
    memset(giant, 'A', length);
    const size_t lengths[] = { length, TOKEN_MAX_BYTES + 1, TOKEN_MAX_BYTES };
    for (size_t i = 0; i < 3; i++) {
        check_refused(t, (struct span){ giant, lengths[i] });
        memset(giant, '.', 2);
        check_refused(t, (struct span){ giant, lengths[i] });
        giant[0] = 'A';
        giant[1] = '.';
        giant[2] = 'A';
        giant[3] = '.';
        check_refused(t, (struct span){ giant, lengths[i] });
        memset(giant, 'A', 4);
    }
    free(giant);
}

/* Right in everything but the length: only the ceiling can refuse it. */
TEST(a_good_token_of_exactly_the_maximum_passes_and_one_over_it_does_not)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    static char filler[3000];
    size_t longest = 0;
    for (size_t length = 2400; length < 2700; length++) {
        struct text token;
        struct text payload;
        memset(filler, 'f', sizeof(filler));
        filler[0] = '"';
        filler[length - 1] = '"';
        filler[length] = '\0';
        payload_with(&payload, (struct claim){ "filler", filler });
        forge(t, SPAN_NONE, text_span(&payload), &token);
        CHECK_ERR(verify(t, text_span(&token)),
                  token.length <= TOKEN_MAX_BYTES ? ERR_OK : ERR_INVALID_TOKEN);
        longest = token.length;
    }
    CHECK(longest > TOKEN_MAX_BYTES);
}

TEST(json_serialisations_and_other_shapes_are_refused)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    issue(t, &token);
    struct span rest = text_span(&token);
    struct span header, payload, signature;
    CHECK(span_split(&rest, '.', &header) && span_split(&rest, '.', &payload) &&
          span_split(&rest, '.', &signature));
    char json[8192];
    snprintf(json, sizeof(json),
             "{\"payload\":\"%.*s\",\"protected\":\"%.*s\",\"signature\":\"%.*s\"}",
             SPAN_FMT(payload), SPAN_FMT(header), SPAN_FMT(signature));
    check_refused(t, span_of(json));
    snprintf(json, sizeof(json),
             "{\"payload\":\"%.*s\",\"signatures\":[{\"protected\":\"%.*s\",\"signature\":"
             "\"%.*s\"}]}",
             SPAN_FMT(payload), SPAN_FMT(header), SPAN_FMT(signature));
    check_refused(t, span_of(json));
    snprintf(json, sizeof(json), "%.*s..%.*s", SPAN_FMT(header), SPAN_FMT(signature));
    check_refused(t, span_of(json));
    snprintf(json, sizeof(json), "%.*s.%.*s.%.*s.a.b", SPAN_FMT(header), SPAN_FMT(payload),
             SPAN_FMT(signature));
    check_refused(t, span_of(json));
    check_refused(t, SPAN(""));
    check_refused(t, SPAN(".."));
    check_refused(t, SPAN("..."));
    check_refused(t, SPAN_NONE);
}

/* ---- headers ---- */

TEST(a_header_of_many_kilobytes_is_refused)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text payload;
    struct text header;
    struct text token;
    static char kid[2000];
    memset(kid, 'k', sizeof(kid));
    header.length = (size_t)snprintf(header.data, sizeof(header.data),
                                     "{\"alg\":\"HS256\",\"kid\":\"%.*s\",\"typ\":\"at+jwt\"}",
                                     (int)sizeof(kid), kid);
    payload_with(&payload, (struct claim){ "later", NULL });
    forge(t, text_span(&header), text_span(&payload), &token);
    check_refused(t, text_span(&token));
}

TEST(a_token_without_a_signature_is_refused_in_every_spelling_of_none)
{
    static const char *const names[] = { "none", "None", "NONE", "nOnE", "", "null", "HS256" };
    AUTO(token) struct tokens *t = open_with_key("HS256");
    AUTO(token) struct tokens *es = open_with_key("ES256");
    struct tokens *both[] = { t, es };
    for (size_t i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
        struct text payload;
        struct text token;
        char header[256];
        struct tokens *target = both[i % 2];
        payload_with(&payload, (struct claim){ "later", NULL });
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}",
                 names[i / 2], kid_of(target));
        begin_token(&token, span_of(header), text_span(&payload));
        check_refused(target, text_span(&token));
        text_add(&token, SPAN("."));
        check_refused(target, text_span(&token));
        text_add(&token, SPAN("AAAA"));
        check_refused(target, text_span(&token));
    }
}

/* ---- algorithms and keys ---- */

/* Even the real private key signs with its one algorithm only. */
TEST(another_algorithm_of_the_same_key_is_refused)
{
    const struct {
        const char *ring, *alg;
        const EVP_MD *md;
        int padding;
        enum err expected;
    } table[] = {
        { "RS256", "RS256", EVP_sha256(), RSA_PKCS1_PADDING, ERR_OK },
        { "RS256", "RS384", EVP_sha384(), RSA_PKCS1_PADDING, ERR_INVALID_TOKEN },
        { "RS256", "RS512", EVP_sha512(), RSA_PKCS1_PADDING, ERR_INVALID_TOKEN },
        { "RS256", "RS256", EVP_sha512(), RSA_PKCS1_PADDING, ERR_INVALID_TOKEN },
        { "RS256", "PS256", EVP_sha256(), RSA_PKCS1_PSS_PADDING, ERR_INVALID_TOKEN },
        { "RS256", "RS256", EVP_sha256(), RSA_PKCS1_PSS_PADDING, ERR_INVALID_TOKEN },
        { "ES256", "ES256", EVP_sha256(), 0, ERR_OK },
        { "ES256", "ES384", EVP_sha384(), 0, ERR_INVALID_TOKEN },
        { "ES256", "ES256K", EVP_sha256(), 0, ERR_INVALID_TOKEN },
        { "ES256", "ES512", EVP_sha512(), 0, ERR_INVALID_TOKEN },
        { "ES256", "EdDSA", EVP_sha256(), 0, ERR_INVALID_TOKEN },
        { "EdDSA", "EdDSA", NULL, 0, ERR_OK },
        { "EdDSA", "ES256", NULL, 0, ERR_INVALID_TOKEN },
        { "PS256", "PS256", EVP_sha256(), RSA_PKCS1_PSS_PADDING, ERR_OK },
        { "PS256", "PS512", EVP_sha512(), RSA_PKCS1_PSS_PADDING, ERR_INVALID_TOKEN },
    };
    struct tokens *t = NULL;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct text token;
        /* An RSA key takes its time, so rows of one ring share it. */
        if (t == NULL || strcmp(table[i].ring, table[i - 1].ring) != 0) {
            token_close(t);
            t = open_with_key(table[i].ring);
        }
        EVP_PKEY *key = private_key_of(t);
        begin_with_alg(t, table[i].alg, &token);
        sign_pkey(&token, key, table[i].md, table[i].padding);
        EVP_PKEY_free(key);
        CHECK_ERR(verify(t, text_span(&token)), table[i].expected);
    }
    token_close(t);
}

TEST(a_larger_hash_under_the_same_secret_is_refused)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    begin_with_alg(t, "HS256", &token);
    sign_hmac(&token, EVP_sha256(), SPAN(SECRET));
    CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
    begin_with_alg(t, "HS512", &token);
    sign_hmac(&token, EVP_sha512(), SPAN(SECRET));
    check_refused(t, text_span(&token));
    begin_with_alg(t, "HS384", &token);
    sign_hmac(&token, EVP_sha384(), SPAN(SECRET));
    check_refused(t, text_span(&token));
    begin_with_alg(t, "HS256", &token);
    sign_hmac(&token, EVP_sha512(), SPAN(SECRET));
    check_refused(t, text_span(&token));
    begin_with_alg(t, "HS256", &token);
    sign_hmac(&token, EVP_sha256(), SPAN(""));
    check_refused(t, text_span(&token));
}

/* CVE-2015-9235 and its kin: what is public becomes an HMAC secret. */
TEST(an_hmac_with_the_public_key_as_secret_is_refused)
{
    static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256" };
    for (size_t i = 0; i < 4; i++) {
        AUTO(token) struct tokens *t = open_with_key(algorithms[i]);
        const struct ring_key *k = ring_signer(ring_current(t), NOW_MS);
        char *jwk = jwk_text(k->public_jwk);
        uint8_t *der = NULL;
        EVP_PKEY *key = private_key_of(t);
        int der_length = i2d_PUBKEY(key, &der);
        BIO *pem = BIO_new(BIO_s_mem());
        char *pem_text = NULL;
        CHECK(PEM_write_bio_PUBKEY(pem, key) == 1);
        long pem_length = BIO_get_mem_data(pem, &pem_text);
        const struct span secrets[] = {
            SPAN(""),
            { pem_text, (size_t)pem_length },
            span_of(jwk),
            span_of(ring_current(t)->jwks),
            span_of(json_string_value(
                json_object_get(k->public_jwk, k->kind->crv != NULL ? "x" : "n"))),
            { (const char *)der, (size_t)der_length },
        };
        for (size_t s = 0; s < sizeof(secrets) / sizeof(secrets[0]); s++) {
            struct text token;
            begin_with_alg(t, "HS256", &token);
            sign_hmac(&token, EVP_sha256(), secrets[s]);
            check_refused(t, text_span(&token));
            begin_with_alg(t, algorithms[i], &token);
            sign_hmac(&token, EVP_sha256(), secrets[s]);
            check_refused(t, text_span(&token));
        }
        OPENSSL_free(der);
        BIO_free(pem);
        EVP_PKEY_free(key);
        free(jwk);
    }
}

TEST(a_token_signed_with_another_key_under_our_kid_is_refused)
{
    static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256" };
    for (size_t i = 0; i < 4; i++) {
        AUTO(token) struct tokens *t = open_with_key(algorithms[i]);
        AUTO(token) struct tokens *attacker = open_with_key(algorithms[i]);
        struct text token;
        EVP_PKEY *key = private_key_of(attacker);
        begin_with_alg(t, algorithms[i], &token);
        sign_pkey(&token, key, strcmp(algorithms[i], "EdDSA") == 0 ? NULL : EVP_sha256(),
                  strcmp(algorithms[i], "PS256") == 0 ? RSA_PKCS1_PSS_PADDING : 0);
        EVP_PKEY_free(key);
        check_refused(t, text_span(&token));
        issue(attacker, &token);
        check_refused(t, text_span(&token));
        CHECK_ERR(verify(attacker, text_span(&token)), ERR_OK);
    }
}

/* r and s out of range, and the all-zero signature of CVE-2022-21449. */
TEST(signatures_of_special_numbers_and_other_lengths_are_refused)
{
    /* The order of P-256. */
    static const uint8_t order[] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                     0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
    uint8_t bytes[512] = { 0 };
    AUTO(token) struct tokens *t = open_with_key("ES256");
    struct text token;
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        begin_with_alg(t, "ES256", &token);
        text_add(&token, SPAN("."));
        text_add_base64url(&token, (struct span){ (const char *)bytes, length });
        check_refused(t, text_span(&token));
    }
    for (int special = 0; special < 5; special++) {
        memset(bytes, special == 0 ? 0xff : 0, 64);
        bytes[31] = special == 1 || special == 2;
        bytes[63] = special == 1 || special == 3;
        if (special >= 2) {
            memcpy(bytes + (special == 3 ? 0 : 32), order, 32);
        }
        if (special == 4) {
            memcpy(bytes, order, 32);
        }
        begin_with_alg(t, "ES256", &token);
        text_add(&token, SPAN("."));
        text_add_base64url(&token, (struct span){ (const char *)bytes, 64 });
        check_refused(t, text_span(&token));
    }
}

TEST(a_signature_in_der_is_refused)
{
    AUTO(token) struct tokens *t = open_with_key("ES256");
    EVP_PKEY *key = private_key_of(t);
    struct text token;
    uint8_t der[128];
    size_t length = sizeof(der);
    begin_with_alg(t, "ES256", &token);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    CHECK_INT(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key), 1);
    CHECK_INT(EVP_DigestSign(c, der, &length, (const uint8_t *)token.data, token.length), 1);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    text_add(&token, SPAN("."));
    text_add_base64url(&token, (struct span){ (const char *)der, length });
    check_refused(t, text_span(&token));
}

TEST(a_refresh_token_is_no_access_token_and_the_reverse)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct token_refresh fields = { .counter = 1, .master_key = token_master_id(t) };
    struct token_refresh parsed;
    struct text access;
    struct arena a;
    struct span refresh;
    arena_init(&a, 4096);
    CHECK_ERR(token_refresh_make(t, &fields, &a, &refresh), ERR_OK);
    check_refused(t, refresh);
    issue(t, &access);
    CHECK_ERR(token_refresh_parse(t, text_span(&access), &a, &parsed), ERR_INVALID_REFRESH);
    arena_done(&a);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(every_single_bit_flip_of_a_token_is_refused),
              cmocka_unit_test(every_prefix_and_every_suffix_of_a_token_is_refused),
              cmocka_unit_test(another_spelling_of_the_same_bytes_is_refused),
              cmocka_unit_test(the_standard_alphabet_of_base64_is_refused),
              cmocka_unit_test(a_giant_token_is_refused),
              cmocka_unit_test(a_good_token_of_exactly_the_maximum_passes_and_one_over_it_does_not),
              cmocka_unit_test(json_serialisations_and_other_shapes_are_refused),
              cmocka_unit_test(a_header_of_many_kilobytes_is_refused),
              cmocka_unit_test(a_token_without_a_signature_is_refused_in_every_spelling_of_none),
              cmocka_unit_test(another_algorithm_of_the_same_key_is_refused),
              cmocka_unit_test(a_larger_hash_under_the_same_secret_is_refused),
              cmocka_unit_test(an_hmac_with_the_public_key_as_secret_is_refused),
              cmocka_unit_test(a_token_signed_with_another_key_under_our_kid_is_refused),
              cmocka_unit_test(signatures_of_special_numbers_and_other_lengths_are_refused),
              cmocka_unit_test(a_signature_in_der_is_refused),
              cmocka_unit_test(a_refresh_token_is_no_access_token_and_the_reverse));
}

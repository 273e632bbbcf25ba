/* test_token_forger.h - signs what no honest issuer would: any header, any payload, any encoding,
 * with the real keys. */
#ifndef DOORWARD_TEST_TOKEN_FORGER_H
#define DOORWARD_TEST_TOKEN_FORGER_H

#include "test_token_world.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

static inline void check_refused(struct tokens *t, struct span token)
{
    if (verify(t, token) != ERR_INVALID_TOKEN) {
        /* NULL is a span as well, but not for printf(). */
        fail_msg("not refused: %.*s", (int)token.length, token.length > 0 ? token.data : "");
    }
}

static inline void begin_with_alg(const struct tokens *t, const char *alg, struct text *token)
{
    struct text payload;
    char header[256];
    payload_with(&payload, (struct claim){ "later", NULL });
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", alg,
             kid_of(t));
    begin_token(token, span_of(header), text_span(&payload));
}

static inline EVP_PKEY *private_key_of(const struct tokens *t)
{
    const struct signer *s = &ring_signer(ring_current(t), NOW_MS)->sign;
    EVP_PKEY *key = EVP_PKEY_CTX_get0_pkey(EVP_MD_CTX_get_pkey_ctx(s->ready));
    CHECK(key != NULL && EVP_PKEY_up_ref(key) == 1);
    return key;
}

/* Raw r and s for ECDSA, as JWS has them; PSS with a salt of that length. */
static inline void sign_salted(struct text *token, EVP_PKEY *key, const EVP_MD *md, int padding,
                               int salt)
{
    uint8_t signature[1024];
    size_t length = sizeof(signature);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    CHECK_INT(EVP_DigestSignInit(c, &options, md, NULL, key), 1);
    if (padding != 0) {
        CHECK(EVP_PKEY_CTX_set_rsa_padding(options, padding) > 0);
    }
    if (padding == RSA_PKCS1_PSS_PADDING) {
        CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt) > 0);
    }
    CHECK_INT(EVP_DigestSign(c, signature, &length, (const uint8_t *)token->data, token->length),
              1);
    EVP_MD_CTX_free(c);
    if (EVP_PKEY_is_a(key, "EC")) {
        const uint8_t *der = signature;
        ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &der, (long)length);
        uint8_t raw[64];
        CHECK_INT(BN_bn2binpad(ECDSA_SIG_get0_r(parts), raw, 32), 32);
        CHECK_INT(BN_bn2binpad(ECDSA_SIG_get0_s(parts), raw + 32, 32), 32);
        ECDSA_SIG_free(parts);
        memcpy(signature, raw, sizeof(raw));
        length = sizeof(raw);
    }
    text_add(token, SPAN("."));
    text_add_base64url(token, (struct span){ (const char *)signature, length });
}

/* As JWS does: PSS with a salt as long as the digest. */
static inline void sign_pkey(struct text *token, EVP_PKEY *key, const EVP_MD *md, int padding)
{
    sign_salted(token, key, md, padding, RSA_PSS_SALTLEN_DIGEST);
}

/* As the ring's key signs, whatever the header says. */
static inline void sign_honestly(struct text *token, const struct tokens *t)
{
    const struct jwk_kind *kind = ring_signer(ring_current(t), NOW_MS)->kind;
    if (kind->alg == JWT_ALG_HS256) {
        sign_hmac(token, EVP_sha256(), SPAN(SECRET));
        return;
    }
    int padding = kind->alg == JWT_ALG_PS256 ? RSA_PKCS1_PSS_PADDING : 0;
    EVP_PKEY *key = private_key_of(t);
    sign_pkey(token, key, kind->alg == JWT_ALG_EDDSA ? NULL : EVP_sha256(), padding);
    EVP_PKEY_free(key);
}

#endif

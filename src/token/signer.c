#include "signer.h"

#include "ready.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* ---- life ---- */

static enum err open_pair(const struct jwk_kind *kind, const struct jwk_open *open,
                          struct signer *s)
{
    s->ready = ready_to_sign(kind, open);
    return s->ready != NULL ? ERR_OK : ERR_CONFIG;
}

static enum err open_secret(const struct jwk_open *open, struct signer *s)
{
    const unsigned char *bytes = NULL;
    size_t length = 0;
    if (jwks_item_key_oct(open->item, &bytes, &length) != 0) {
        return ERR_CONFIG;
    }
    s->secret = secret_copy((struct span){ (const char *)bytes, length });
    return s->secret != NULL ? ERR_OK : ERR_NOMEM;
}

enum err signer_open(const struct jwk_kind *kind, const json_t *private_jwk,
                     struct signer *ret_signer)
{
    struct signer s = { 0 };
    struct jwk_open open = { 0 };
    TRY(jwk_open(private_jwk, &open));
    enum err opened =
        kind->alg == JWT_ALG_HS256 ? open_secret(&open, &s) : open_pair(kind, &open, &s);
    jwk_close(&open);
    ERR_clear_error();
    if (opened != ERR_OK) {
        signer_close(&s);
        return opened;
    }
    *ret_signer = s;
    return ERR_OK;
}

void signer_close(struct signer *s)
{
    EVP_MD_CTX_free(s->ready);
    secret_free(s->secret);
    *s = (struct signer){ 0 };
}

bool signer_is_open(const struct signer *s)
{
    return s->ready != NULL || s->secret != NULL;
}

/* ---- signing ---- */

static bool make_mac(const struct secret *key, struct span bytes, uint8_t *mac)
{
    unsigned length = 0;
    return HMAC(EVP_sha256(), key->bytes, (int)key->length, (const unsigned char *)bytes.data,
                bytes.length, mac, &length) != NULL;
}

static bool sign_copy(const EVP_MD_CTX *ready, struct span bytes, uint8_t *signature,
                      size_t *length)
{
    EVP_MD_CTX *copy = ready_copy(ready);
    bool done =
        copy != NULL && EVP_DigestSign(copy, signature, length, (const unsigned char *)bytes.data,
                                       bytes.length) == 1;
    EVP_MD_CTX_free(copy);
    return done;
}

/* RFC 7518, 3.4: both numbers in full width, one after the other, where OpenSSL has DER. */
static bool flatten_ecdsa(uint8_t *signature, size_t length, size_t width)
{
    const unsigned char *der = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)length);
    bool flat = pair != NULL &&
                BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, (int)width) == (int)width &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + width, (int)width) == (int)width;
    ECDSA_SIG_free(pair);
    return flat;
}

static bool sign(const struct signer *s, const struct jwk_kind *kind, struct span bytes,
                 uint8_t *signature)
{
    size_t length = JWK_SIGNATURE_MAX;
    if (s->secret != NULL) {
        return make_mac(s->secret, bytes, signature);
    }
    if (!sign_copy(s->ready, bytes, signature, &length)) {
        return false;
    }
    if (kind->alg == JWT_ALG_ES256) {
        return flatten_ecdsa(signature, length, kind->signature_bytes / 2);
    }
    return length == kind->signature_bytes;
}

enum err signer_sign(const struct signer *s, const struct jwk_kind *kind, struct span bytes,
                     uint8_t ret_signature[static JWK_SIGNATURE_MAX])
{
    crypto_begin();
    return crypto_result(sign(s, kind, bytes, ret_signature));
}

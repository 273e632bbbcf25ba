#include "verifier.h"

#include "ready.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

enum {
    MAC_BYTES = 32,
    NUMBER_BYTES = 32,                    /* of ES256's two */
    DER_MAX = 2 + 2 * (3 + NUMBER_BYTES), /* of both */
};

/* ---- life ---- */

static enum err open_pair(const struct jwk_kind *kind, const struct jwk_open *open,
                          struct verifier *v)
{
    v->ready = ready_to_verify(kind, open);
    return v->ready != NULL ? ERR_OK : ERR_CONFIG;
}

static enum err open_secret(const struct jwk_open *open, struct verifier *v)
{
    const unsigned char *secret = NULL;
    size_t length = 0;
    char digest[] = "SHA256";
    const OSSL_PARAM options[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (jwks_item_key_oct(open->item, &secret, &length) != 0) {
        return ERR_CONFIG;
    }
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    v->ready_mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac); /* the context has its own reference */
    bool begun = v->ready_mac != NULL && EVP_MAC_init(v->ready_mac, secret, length, options) == 1;
    return begun ? ERR_OK : ERR_INTERNAL;
}

enum err verifier_open(const struct jwk_kind *kind, const json_t *jwk,
                       struct verifier *ret_verifier)
{
    struct verifier v = { 0 };
    struct jwk_open open = { 0 };
    TRY(jwk_open(jwk, &open));
    enum err opened =
        kind->alg == JWT_ALG_HS256 ? open_secret(&open, &v) : open_pair(kind, &open, &v);
    jwk_close(&open);
    ERR_clear_error();
    if (opened != ERR_OK) {
        verifier_close(&v);
        return opened;
    }
    *ret_verifier = v;
    return ERR_OK;
}

void verifier_close(struct verifier *v)
{
    EVP_MD_CTX_free(v->ready);
    EVP_MAC_CTX_free(v->ready_mac);
    *v = (struct verifier){ 0 };
}

/* ---- judging ---- */

/* DER's INTEGER: as short as it is, and never negative. */
static uint8_t *put_integer(const uint8_t number[static NUMBER_BYTES], uint8_t *out)
{
    size_t zeros = 0;
    while (zeros < NUMBER_BYTES - 1 && number[zeros] == 0) {
        zeros++;
    }
    size_t length = NUMBER_BYTES - zeros;
    size_t sign = number[zeros] >> 7;
    *out++ = 0x02;
    *out++ = (uint8_t)(sign + length);
    *out = 0;
    memcpy(out + sign, number + zeros, length);
    return out + sign + length;
}

/* From JWS's r | s (RFC 7518, 3.4) to what OpenSSL reads. Their range is its to judge. */
static size_t numbers_to_der(const uint8_t numbers[static 2 * NUMBER_BYTES],
                             uint8_t out[static DER_MAX])
{
    uint8_t *end = put_integer(numbers, out + 2);
    end = put_integer(numbers + NUMBER_BYTES, end);
    out[0] = 0x30;
    out[1] = (uint8_t)(end - out - 2);
    return (size_t)(end - out);
}

static enum err check_pair(const struct verifier *v, const struct jwk_kind *kind, struct span bytes,
                           const uint8_t *signature)
{
    uint8_t der[DER_MAX];
    size_t length = kind->signature_bytes;
    crypto_begin();
    EVP_MD_CTX *context = ready_copy(v->ready);
    if (context == NULL) {
        return crypto_result(false);
    }
    if (kind->alg == JWT_ALG_ES256) {
        length = numbers_to_der(signature, der);
        signature = der;
    }
    int good =
        EVP_DigestVerify(context, signature, length, (const uint8_t *)bytes.data, bytes.length);
    EVP_MD_CTX_free(context);
    /* A signature that could not be judged is not a bad one. */
    enum err judged = crypto_result(good == 1);
    return judged == ERR_INTERNAL ? ERR_INVALID_TOKEN : judged;
}

static enum err check_mac(const struct verifier *v, struct span bytes,
                          const uint8_t signature[static MAC_BYTES])
{
    uint8_t mac[MAC_BYTES];
    size_t length = 0;
    crypto_begin();
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(v->ready_mac);
    bool made = context != NULL &&
                EVP_MAC_update(context, (const uint8_t *)bytes.data, bytes.length) == 1 &&
                EVP_MAC_final(context, mac, &length, sizeof(mac)) == 1 && length == sizeof(mac);
    EVP_MAC_CTX_free(context);
    TRY(crypto_result(made));
    bool good = secret_equal((struct span){ (const char *)mac, sizeof(mac) },
                             (struct span){ (const char *)signature, sizeof(mac) });
    return good ? ERR_OK : ERR_INVALID_TOKEN;
}

enum err verifier_check(const struct verifier *v, const struct jwk_kind *kind, struct span bytes,
                        struct span signature)
{
    uint8_t raw[JWK_SIGNATURE_MAX];
    size_t length = 0;
    if (!span_from_base64url(signature, raw, kind->signature_bytes, &length) ||
        length != kind->signature_bytes) {
        return ERR_INVALID_TOKEN;
    }
    return v->ready_mac != NULL ? check_mac(v, bytes, raw) : check_pair(v, kind, bytes, raw);
}

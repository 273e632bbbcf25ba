/* jwk.c - keys between OpenSSL, JSON and libjwt. */
#include "jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum { P256_BYTES = 32, ED25519_BYTES = 32, RSA_BITS = 3072, SHA256_BYTES = 32 };

static const struct jwk_kind kinds[] = {
    { "ES256", JWT_ALG_ES256, "EC", "P-256", 2 * (size_t)P256_BYTES },
    { "EdDSA", JWT_ALG_EDDSA, "OKP", "Ed25519", 2 * (size_t)ED25519_BYTES },
    { "RS256", JWT_ALG_RS256, "RSA", NULL, RSA_BITS / 8 },
    { "PS256", JWT_ALG_PS256, "RSA", NULL, RSA_BITS / 8 },
    { "HS256", JWT_ALG_HS256, "oct", NULL, SHA256_BYTES },
};

const struct jwk_kind *jwk_kind_of(struct span algorithm)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (span_equal(algorithm, span_of(kinds[i].algorithm))) {
            return &kinds[i];
        }
    }
    return NULL;
}

enum err jwk_digest(struct span bytes, char out[static JWK_THUMBPRINT_LENGTH + 1])
{
    uint8_t digest[SHA256_BYTES];
    if (EVP_Digest(bytes.data, bytes.length, digest, NULL, EVP_sha256(), NULL) != 1) {
        return ERR_INTERNAL;
    }
    size_t length = span_base64url((struct span){ (const char *)digest, sizeof(digest) }, out);
    INVARIANT(length == JWK_THUMBPRINT_LENGTH);
    out[length] = '\0';
    return ERR_OK;
}

/* ---- JSON ---- */

static bool set_bytes(json_t *jwk, const char *name, const uint8_t *bytes, size_t length)
{
    char text[(JWK_SIGNATURE_MAX * 4 + 2) / 3 + 1];
    INVARIANT(length <= JWK_SIGNATURE_MAX);
    size_t text_length = span_base64url((struct span){ (const char *)bytes, length }, text);
    bool set = json_object_set_new(jwk, name, json_stringn(text, text_length)) == 0;
    secret_wipe(text, sizeof(text));
    return set;
}

char *jwk_text(const json_t *jwk)
{
    return json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS);
}

enum err jwk_secret(const json_t *jwk, struct secret **ret_text)
{
    char *text = jwk_text(jwk);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    struct secret *copy = secret_copy(span_of(text));
    secret_wipe(text, strlen(text));
    free(text);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    *ret_text = copy;
    return ERR_OK;
}

/* RFC 7638: SHA-256 of the required members, sorted, without white space. Its text is a subset of
 * `jwk`'s members, which are plain ASCII, so that jansson's compact form is the canonical one. */
static enum err thumbprint(const json_t *required, char out[static JWK_THUMBPRINT_LENGTH + 1])
{
    char *text = jwk_text(required);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    enum err done = jwk_digest(span_of(text), out);
    free(text);
    return done;
}

/* The members that make up a public key, and nothing else, are what the thumbprint covers. */
static const char *const *required_members(const struct jwk_kind *kind)
{
    static const char *const ec[] = { "crv", "kty", "x", "y", NULL };
    static const char *const okp[] = { "crv", "kty", "x", NULL };
    static const char *const rsa[] = { "e", "kty", "n", NULL };
    if (kind->crv == NULL) {
        return rsa;
    }
    return strcmp(kind->kty, "EC") == 0 ? ec : okp;
}

static enum err copy_required(const struct jwk_kind *kind, const json_t *from, json_t *to)
{
    for (const char *const *name = required_members(kind); *name != NULL; name++) {
        json_t *value = json_object_get(from, *name);
        if (!json_is_string(value)) {
            return ERR_CONFIG;
        }
        if (json_object_set(to, *name, value) != 0) {
            return ERR_NOMEM;
        }
    }
    return ERR_OK;
}

/* use, alg and kid, for a key of nothing but required members. */
static enum err label(const struct jwk_kind *kind, json_t *jwk)
{
    char kid[JWK_THUMBPRINT_LENGTH + 1];
    TRY(thumbprint(jwk, kid));
    bool set = json_object_set_new(jwk, "use", json_string("sig")) == 0 &&
               json_object_set_new(jwk, "alg", json_string(kind->algorithm)) == 0 &&
               json_object_set_new(jwk, "kid", json_string(kid)) == 0;
    return set ? ERR_OK : ERR_NOMEM;
}

static bool same_text(const json_t *a, const json_t *b, const char *name)
{
    const char *x = json_string_value(json_object_get(a, name));
    const char *y = json_string_value(json_object_get(b, name));
    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

static enum err build_public(const struct jwk_kind *kind, const json_t *private_jwk, json_t *jwk)
{
    TRY(copy_required(kind, private_jwk, jwk));
    TRY(label(kind, jwk));
    bool ours = same_text(jwk, private_jwk, "kid") && same_text(jwk, private_jwk, "alg") &&
                strcmp(json_string_value(json_object_get(jwk, "kty")), kind->kty) == 0;
    return ours ? ERR_OK : ERR_CONFIG;
}

enum err jwk_public(const struct jwk_kind *kind, const json_t *private_jwk, json_t **ret_public)
{
    json_t *jwk = json_object();
    if (jwk == NULL) {
        return ERR_NOMEM;
    }
    enum err built = build_public(kind, private_jwk, jwk);
    if (built != ERR_OK) {
        json_decref(jwk);
        return built;
    }
    *ret_public = jwk;
    return ERR_OK;
}

/* ---- making ---- */

struct number {
    const char *member, *parameter;
    int length; /* 0: as short as it is (RFC 7518, 6.3) */
};
static const struct number ec_public[] = { { "x", OSSL_PKEY_PARAM_EC_PUB_X, P256_BYTES },
                                           { "y", OSSL_PKEY_PARAM_EC_PUB_Y, P256_BYTES },
                                           { NULL, NULL, 0 } };
static const struct number ec_private[] = { { "d", OSSL_PKEY_PARAM_PRIV_KEY, P256_BYTES },
                                            { NULL, NULL, 0 } };
static const struct number rsa_public[] = { { "n", OSSL_PKEY_PARAM_RSA_N, 0 },
                                            { "e", OSSL_PKEY_PARAM_RSA_E, 0 },
                                            { NULL, NULL, 0 } };
static const struct number rsa_private[] = { { "d", OSSL_PKEY_PARAM_RSA_D, 0 },
                                             { "p", OSSL_PKEY_PARAM_RSA_FACTOR1, 0 },
                                             { "q", OSSL_PKEY_PARAM_RSA_FACTOR2, 0 },
                                             { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, 0 },
                                             { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, 0 },
                                             { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, 0 },
                                             { NULL, NULL, 0 } };

static bool set_number(json_t *jwk, const EVP_PKEY *key, const struct number *n)
{
    uint8_t bytes[JWK_SIGNATURE_MAX];
    BIGNUM *value = NULL;
    bool set = false;
    if (EVP_PKEY_get_bn_param(key, n->parameter, &value) == 1) {
        int length = n->length > 0 ? n->length : BN_num_bytes(value);
        set = length <= (int)sizeof(bytes) && BN_bn2binpad(value, bytes, length) == length &&
              set_bytes(jwk, n->member, bytes, (size_t)length);
    }
    BN_clear_free(value);
    secret_wipe(bytes, sizeof(bytes));
    return set;
}

static bool set_numbers(json_t *jwk, const EVP_PKEY *key, const struct number *n)
{
    for (; n->member != NULL; n++) {
        if (!set_number(jwk, key, n)) {
            return false;
        }
    }
    return true;
}

static bool set_ed25519(json_t *jwk, const EVP_PKEY *key, bool is_private)
{
    uint8_t bytes[ED25519_BYTES];
    size_t length = sizeof(bytes);
    int got = is_private ? EVP_PKEY_get_raw_private_key(key, bytes, &length)
                         : EVP_PKEY_get_raw_public_key(key, bytes, &length);
    bool set = got == 1 && set_bytes(jwk, is_private ? "d" : "x", bytes, length);
    secret_wipe(bytes, sizeof(bytes));
    return set;
}

static bool set_members(const struct jwk_kind *kind, json_t *jwk, const EVP_PKEY *key,
                        bool is_private)
{
    if (kind->crv == NULL) {
        return set_numbers(jwk, key, is_private ? rsa_private : rsa_public);
    }
    return kind->alg == JWT_ALG_EDDSA ? set_ed25519(jwk, key, is_private)
                                      : set_numbers(jwk, key, is_private ? ec_private : ec_public);
}

static EVP_PKEY *generate(const struct jwk_kind *kind)
{
    if (kind->crv == NULL) {
        return EVP_RSA_gen(RSA_BITS);
    }
    return kind->alg == JWT_ALG_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                      : EVP_EC_gen("P-256");
}

static enum err fill(const struct jwk_kind *kind, json_t *jwk, const EVP_PKEY *key)
{
    bool set =
        json_object_set_new(jwk, "kty", json_string(kind->kty)) == 0 &&
        (kind->crv == NULL || json_object_set_new(jwk, "crv", json_string(kind->crv)) == 0) &&
        set_members(kind, jwk, key, false);
    if (!set) {
        return ERR_INTERNAL;
    }
    TRY(label(kind, jwk));
    return set_members(kind, jwk, key, true) ? ERR_OK : ERR_INTERNAL;
}

enum err jwk_make(const struct jwk_kind *kind, json_t **ret_private)
{
    INVARIANT(kind->alg != JWT_ALG_HS256);
    EVP_PKEY *key = generate(kind);
    json_t *jwk = json_object();
    enum err filled = key == NULL || jwk == NULL ? ERR_INTERNAL : fill(kind, jwk, key);
    EVP_PKEY_free(key);
    if (filled != ERR_OK) {
        json_decref(jwk);
        return filled;
    }
    *ret_private = jwk;
    return ERR_OK;
}

enum err jwk_from_secret(struct span secret, json_t **ret_jwk)
{
    size_t length = (secret.length * 4 + 2) / 3;
    struct secret *text = secret_new(length);
    json_t *jwk = json_object();
    if (text == NULL || jwk == NULL) {
        secret_free(text);
        json_decref(jwk);
        return ERR_NOMEM;
    }
    length = span_base64url(secret, (char *)text->bytes);
    bool set = json_object_set_new(jwk, "kty", json_string("oct")) == 0 &&
               json_object_set_new(jwk, "alg", json_string("HS256")) == 0 &&
               json_object_set_new(jwk, "k", json_stringn((const char *)text->bytes, length)) == 0;
    secret_free(text);
    if (!set) {
        json_decref(jwk);
        return ERR_NOMEM;
    }
    *ret_jwk = jwk;
    return ERR_OK;
}

/* ---- libjwt ---- */

enum err jwk_open(const json_t *jwk, struct jwk_open *ret_open)
{
    AUTO(secret) struct secret *text = NULL;
    TRY(jwk_secret(jwk, &text));
    struct jwk_open o = { 0 };
    o.set = jwks_create_strn((const char *)text->bytes, text->length);
    o.item = jwks_item_get(o.set, 0);
    if (o.item == NULL || jwks_error_any(o.set) != 0 || jwks_item_count(o.set) != 1) {
        jwk_close(&o);
        return ERR_CONFIG;
    }
    *ret_open = o;
    return ERR_OK;
}

void jwk_close(struct jwk_open *o)
{
    if (o->set != NULL) {
        jwks_free(o->set);
    }
    *o = (struct jwk_open){ 0 };
}

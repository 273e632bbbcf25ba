#include "ready.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

/* What signing and judging do not share. */
struct use {
    EVP_PKEY *(*read)(BIO *text, EVP_PKEY **key, pem_password_cb *ask, void *argument);
    int (*begin)(EVP_MD_CTX *context, EVP_PKEY_CTX **ret_parameters, const EVP_MD *digest,
                 ENGINE *engine, EVP_PKEY *key);
};
static const struct use signing = { PEM_read_bio_PrivateKey, EVP_DigestSignInit };
static const struct use verifying = { PEM_read_bio_PUBKEY, EVP_DigestVerifyInit };

/* libjwt makes a key of a JWK, and says it in PEM. */
static EVP_PKEY *read_key(const struct use *use, const struct jwk_open *open)
{
    const char *pem = jwks_item_pem(open->item);
    BIO *text = pem == NULL ? NULL : BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = text == NULL ? NULL : use->read(text, NULL, NULL, NULL);
    BIO_free(text);
    return key;
}

/* PS256's salt is as long as the digest (RFC 7518, 3.5), and no other length is taken. */
static bool begin(const struct use *use, EVP_MD_CTX *context, const struct jwk_kind *kind,
                  EVP_PKEY *key)
{
    EVP_PKEY_CTX *parameters = NULL;
    /* Ed25519 has its digest in it. */
    const EVP_MD *digest = kind->alg == JWT_ALG_EDDSA ? NULL : EVP_sha256();
    if (use->begin(context, &parameters, digest, NULL, key) != 1) {
        return false;
    }
    return kind->alg != JWT_ALG_PS256 ||
           (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static EVP_MD_CTX *open_context(const struct use *use, const struct jwk_kind *kind,
                                const struct jwk_open *open)
{
    EVP_PKEY *key = read_key(use, open);
    EVP_MD_CTX *context = key == NULL ? NULL : EVP_MD_CTX_new();
    if (context != NULL && !begin(use, context, kind, key)) {
        EVP_MD_CTX_free(context);
        context = NULL;
    }
    EVP_PKEY_free(key); /* the context has its own reference */
    return context;
}

EVP_MD_CTX *ready_to_sign(const struct jwk_kind *kind, const struct jwk_open *private_key)
{
    return open_context(&signing, kind, private_key);
}

EVP_MD_CTX *ready_to_verify(const struct jwk_kind *kind, const struct jwk_open *public_key)
{
    return open_context(&verifying, kind, public_key);
}

EVP_MD_CTX *ready_copy(const EVP_MD_CTX *ready)
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    if (copy == NULL || EVP_MD_CTX_copy_ex(copy, ready) != 1) {
        EVP_MD_CTX_free(copy);
        return NULL;
    }
    /* It is used once: spares OpenSSL another copy of its own. */
    EVP_MD_CTX_set_flags(copy, EVP_MD_CTX_FLAG_FINALISE);
    return copy;
}

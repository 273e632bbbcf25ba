/* signer.h - a private key that is ready to sign. Private to token.
 *
 * Threads:   signer_sign from any, also of one signer at once: it only reads it.
 * Ownership: the key is the signer's own copy, wiped by signer_close().
 * Failure:   ERR_CONFIG for a key that is not of that kind; ERR_NOMEM; ERR_INTERNAL when OpenSSL
 * fails. Nothing stays in OpenSSL's queue of errors. */
#ifndef DOORWARD_TOKEN_SIGNER_H
#define DOORWARD_TOKEN_SIGNER_H

#include "jwk.h"

#include <openssl/types.h>

struct signer {
    EVP_MD_CTX *ready;     /* copied for each signature; NULL: HS256, or not open */
    struct secret *secret; /* HS256 */
};
MUST_CHECK enum err signer_open(const struct jwk_kind *kind, const json_t *private_jwk,
                                struct signer *ret_signer);
void signer_close(struct signer *s); /* fine for one that is not open */
bool signer_is_open(const struct signer *s);
/* The signature as JWS has it (RFC 7518): kind->signature_bytes of them. */
MUST_CHECK enum err signer_sign(const struct signer *s, const struct jwk_kind *kind,
                                struct span bytes, uint8_t ret_signature[static JWK_SIGNATURE_MAX]);

#endif

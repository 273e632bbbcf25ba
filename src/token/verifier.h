/* verifier.h - a key that is ready to judge signatures. Private to token.
 *
 * OpenSSL judges.
 *
 * Threads:   verifier_check from any, also of one verifier at once: it only reads it.
 * Ownership: the key is the verifier's own, wiped by verifier_close().
 * Failure:   ERR_CONFIG for a key that is not of that kind; ERR_NOMEM; ERR_INTERNAL when OpenSSL
 * fails. Nothing stays in OpenSSL's queue of errors. */
#ifndef DOORWARD_TOKEN_VERIFIER_H
#define DOORWARD_TOKEN_VERIFIER_H

#include "jwk.h"

#include <openssl/types.h>

struct verifier {
    EVP_MD_CTX *ready;      /* copied for each signature; NULL: HS256, or not open */
    EVP_MAC_CTX *ready_mac; /* the same of HS256 */
};
/* The public JWK; for HS256 the secret one. */
MUST_CHECK enum err verifier_open(const struct jwk_kind *kind, const json_t *jwk,
                                  struct verifier *ret_verifier);
void verifier_close(struct verifier *v); /* fine for one that is not open */

/* `signature` is the token's last segment, base64url of what RFC 7518 says. ERR_INVALID_TOKEN when
 * it is not, or not of these bytes. */
MUST_CHECK enum err verifier_check(const struct verifier *v, const struct jwk_kind *kind,
                                   struct span bytes, struct span signature);

#endif

/* ready.h - a key pair's context of OpenSSL, which signs or judges. Private to token.
 *
 * OpenSSL looks its algorithms up and checks the key when a context is made, which takes longer
 * than some signatures: it is made once, and each signature works on a copy of it.
 *
 * Threads:   ready_copy() from any, also of one context at once: it only reads it.
 * Ownership: the caller's, EVP_MD_CTX_free(); the key is the context's own.
 * Failure:   NULL. */
#ifndef DOORWARD_TOKEN_READY_H
#define DOORWARD_TOKEN_READY_H

#include "jwk.h"

#include <openssl/types.h>

/* Not for HS256. */
EVP_MD_CTX *ready_to_sign(const struct jwk_kind *kind, const struct jwk_open *private_key);
EVP_MD_CTX *ready_to_verify(const struct jwk_kind *kind, const struct jwk_open *public_key);
/* Good for one signature. */
EVP_MD_CTX *ready_copy(const EVP_MD_CTX *ready);

#endif

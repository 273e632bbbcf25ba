/* jwk.h - signing keys as JSON Web Keys (RFC 7517, 7518, 8037): made, read, published, given to
 * libjwt.
 *
 * Threads:   any.
 * Ownership: json_t by reference count; an opened key is closed by jwk_close(). jansson's memory is
 * wiped when it is freed (token.c).
 * Failure:   ERR_CONFIG for a key that is not one of ours; ERR_INTERNAL when OpenSSL fails. */
#ifndef DOORWARD_TOKEN_JWK_H
#define DOORWARD_TOKEN_JWK_H

#include "token.h"

#include <jansson.h>
#include <jwt.h>

#define JWK_THUMBPRINT_LENGTH 43 /* base64url of SHA-256 */
#define JWK_SIGNATURE_MAX     384

/* An algorithm that we sign with, and how its keys look. */
struct jwk_kind {
    const char *algorithm; /* JWS name */
    jwt_alg_t alg;
    const char *kty, *crv;  /* crv: NULL for RSA */
    size_t signature_bytes; /* exactly */
};
/* NULL: not one of ours. */
const struct jwk_kind *jwk_kind_of(struct span algorithm);

/* A fresh private key, with alg, use and kid. Caller owns *ret_private. Not for HS256. */
MUST_CHECK enum err jwk_make(const struct jwk_kind *kind, json_t **ret_private);
/* Its public members, built anew; ERR_CONFIG unless kid is the thumbprint of what is published. */
MUST_CHECK enum err jwk_public(const struct jwk_kind *kind, const json_t *private_jwk,
                               json_t **ret_public);
/* Compact, members sorted: one key, one text. Freed with free(), which does not wipe: private keys
 * go to jwk_secret(). NULL without memory. */
char *jwk_text(const json_t *jwk);
MUST_CHECK enum err jwk_secret(const json_t *jwk, struct secret **ret_text);

/* A key that libjwt has taken apart, ready for use by many threads. */
struct jwk_open {
    jwk_set_t *set;
    const jwk_item_t *item;
};
MUST_CHECK enum err jwk_open(const json_t *jwk, struct jwk_open *ret_open);
void jwk_close(struct jwk_open *o); /* fine for one that is not open */

/* HS256: the secret as a key of type oct. */
MUST_CHECK enum err jwk_from_secret(struct span secret, json_t **ret_jwk);

/* base64url(SHA-256(bytes)), JWK_THUMBPRINT_LENGTH characters and a NUL. */
MUST_CHECK enum err jwk_digest(struct span bytes, char out[static JWK_THUMBPRINT_LENGTH + 1]);

#endif

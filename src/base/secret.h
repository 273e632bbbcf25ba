/* secret.h - bytes that must not outlive their use, and the source of randomness.
 *
 * Threads:   any.
 * Ownership: a struct secret owns its bytes and wipes them on free. There is no function that
 * prints one.
 * Failure:   ERR_INTERNAL when the system's random source fails, ERR_NOMEM: callers refuse, they
 * never go on. */
#ifndef DOORWARD_SECRET_H
#define DOORWARD_SECRET_H

#include "errors.h"
#include "span.h"

struct secret {
    size_t length;
    uint8_t bytes[];
};

/* NULL without memory. */
struct secret *secret_new(size_t length);
struct secret *secret_copy(struct span bytes);
void secret_free(struct secret *s); /* NULL is fine */
AUTO_DEFINE(secret, struct secret, secret_free);
struct span secret_span(const struct secret *s);

/* Fill with bytes from OpenSSL's CSPRNG. */
MUST_CHECK enum err secret_random(void *out, size_t length);
/* The same for ids: what nobody can guess, and is no secret, may be drawn for many calls at once.
 * At most SECRET_AHEAD_BYTES. */
#define SECRET_AHEAD_BYTES 640
MUST_CHECK enum err secret_random_ahead(void *out, size_t length);
/* In constant time for equal lengths; the length is not secret. */
bool secret_equal(struct span a, struct span b);
/* Is a secret in this file our own? It is when only we, or root, may read and change it. Kubernetes
 * gives a secret to a process that is not root as root's file, readable by the pod's group: that is
 * the one group-readable case. */
struct stat;
bool secret_file_is_private(const struct stat *st);
/* Overwrite; the compiler may not leave it out. */
void secret_wipe(void *bytes, size_t length);

#endif

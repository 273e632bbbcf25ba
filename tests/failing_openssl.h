/* failing_openssl.h - OpenSSL's memory runs out as failing_malloc.h's does.
 *
 * Threads: openssl_may_fail() before OpenSSL has asked for anything, so first in main(). */
#ifndef DOORWARD_FAILING_OPENSSL_H
#define DOORWARD_FAILING_OPENSSL_H

#include "failing_malloc.h"

#include <openssl/crypto.h>

static void *openssl_malloc_(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *openssl_realloc_(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(old, size);
}

static void openssl_free_(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static inline bool openssl_may_fail(void)
{
    return CRYPTO_set_mem_functions(openssl_malloc_, openssl_realloc_, openssl_free_) == 1;
}

#endif

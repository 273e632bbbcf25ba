#include "secret.h"

#include "crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct secret *secret_new(size_t length)
{
    if (length > SIZE_MAX - sizeof(struct secret)) {
        return NULL;
    }
    struct secret *s = calloc(1, sizeof(*s) + length);
    if (s != NULL) {
        s->length = length;
    }
    return s;
}

struct secret *secret_copy(struct span bytes)
{
    struct secret *s = secret_new(bytes.length);
    if (s != NULL && bytes.length > 0) {
        memcpy(s->bytes, bytes.data, bytes.length);
    }
    return s;
}

void secret_free(struct secret *s)
{
    if (s != NULL) {
        secret_wipe(s->bytes, s->length);
        free(s);
    }
}

struct span secret_span(const struct secret *s)
{
    return (struct span){ .data = (const char *)s->bytes, .length = s->length };
}

enum err secret_random(void *out, size_t length)
{
    if (length > INT_MAX) {
        return ERR_INTERNAL;
    }
    crypto_begin();
    return crypto_result(RAND_bytes(out, (int)length) == 1);
}

/* A call of OpenSSL's generator costs a quarter of what a whole request does, and a system call. */
static _Thread_local struct {
    uint8_t bytes[SECRET_AHEAD_BYTES];
    size_t left;
} ahead;

enum err secret_random_ahead(void *out, size_t length)
{
    INVARIANT(length <= sizeof(ahead.bytes));
    if (ahead.left < length) {
        ahead.left = 0;
        TRY(secret_random(ahead.bytes, sizeof(ahead.bytes)));
        ahead.left = sizeof(ahead.bytes);
    }
    ahead.left -= length;
    memcpy(out, ahead.bytes + ahead.left, length);
    secret_wipe(ahead.bytes + ahead.left, length); /* each is used once */
    return ERR_OK;
}

bool secret_equal(struct span a, struct span b)
{
    if (a.length != b.length) {
        return false;
    }
    return a.length == 0 || CRYPTO_memcmp(a.data, b.data, a.length) == 0;
}

/* Out of line: where gcc 14 inlines it while linking, it warns of lengths that cannot be. */
__attribute__((noinline)) void secret_wipe(void *bytes, size_t length)
{
    if (length > 0) {
        explicit_bzero(bytes, length); /* not OPENSSL_cleanse(): eight bytes a step */
    }
}

bool secret_file_is_private(const struct stat *st)
{
    mode_t forbidden = S_IRWXO | S_IWGRP | S_IXGRP;
    if (st->st_uid != 0 || geteuid() == 0) {
        forbidden |= S_IRGRP;
    }
    return (st->st_mode & forbidden) == 0 && (st->st_uid == geteuid() || st->st_uid == 0);
}

/* foreign.c - one library call for each hash that is not computed in lanes. */
#include "foreign.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* What scrypt takes beside its large array: 128 r p and some more. */
#define SCRYPT_SLACK_BYTES ((uint64_t)1024 * 1024)

/* Bytes as OpenSSL and libargon2 want them: never NULL, which an empty span may hold. */
static struct span present(struct span s)
{
    return s.length > 0 ? s : SPAN("");
}

/* ---- argon2 ---- */

/* Not from the heap, which keeps what it had and grows holes, so that the budget would be a part of
 * what argon2 takes; in large pages, since there is one fault for each. Ours as well so that
 * running out of memory can be tried. */
static int argon2_take(uint8_t **memory, size_t size)
{
    void *taken = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (taken == MAP_FAILED) {
        return 1;
    }
    (void)madvise(taken, size, MADV_HUGEPAGE); /* small ones where the system has none */
    *memory = taken;
    return 0;
}

static void argon2_give(uint8_t *memory, size_t size)
{
    (void)munmap(memory, size); /* the library has wiped it */
}

static enum err argon2_digest(const struct format_hash *h, struct span password,
                              uint8_t ret_digest[static FORMAT_DIGEST_MAX])
{
    struct span secret = present(password);
    /* The library reads password and salt only, whatever its types say: no flag to clear them. */
    argon2_context context = { .out = ret_digest,
                               .outlen = (uint32_t)h->digest_length,
                               .pwd = (uint8_t *)secret.data,
                               .pwdlen = (uint32_t)secret.length,
                               .salt = (uint8_t *)h->salt,
                               .saltlen = (uint32_t)h->salt_length,
                               .t_cost = h->rounds,
                               .m_cost = h->memory_kib,
                               .lanes = h->lanes,
                               .threads = 1, /* one after the other: threads are the engine's */
                               .version = ARGON2_VERSION_13,
                               .allocate_cbk = argon2_take,
                               .free_cbk = argon2_give,
                               .flags = ARGON2_DEFAULT_FLAGS };
    int done = argon2_ctx(&context, h->scheme == FORMAT_ARGON2ID ? Argon2_id : Argon2_i);
    if (done == ARGON2_MEMORY_ALLOCATION_ERROR) {
        return ERR_NOMEM;
    }
    return done == ARGON2_OK ? ERR_OK : ERR_INTERNAL;
}

/* ---- OpenSSL ---- */

static enum err scrypt_digest(const struct format_hash *h, struct span password,
                              uint8_t ret_digest[static FORMAT_DIGEST_MAX])
{
    struct span secret = present(password);
    crypto_begin();
    return crypto_result(EVP_PBE_scrypt(secret.data, secret.length, h->salt, h->salt_length,
                                        UINT64_C(1) << h->cost, h->block, h->lanes,
                                        format_memory_bytes(h) + SCRYPT_SLACK_BYTES, ret_digest,
                                        h->digest_length) == 1);
}

static enum err pbkdf2_digest(const struct format_hash *h, struct span password,
                              uint8_t ret_digest[static FORMAT_DIGEST_MAX])
{
    struct span secret = present(password);
    const EVP_MD *md = h->scheme == FORMAT_PBKDF2_SHA512 ? EVP_sha512() : EVP_sha256();
    crypto_begin();
    return crypto_result(PKCS5_PBKDF2_HMAC(secret.data, (int)secret.length, h->salt,
                                           (int)h->salt_length, (int)h->rounds, md,
                                           (int)h->digest_length, ret_digest) == 1);
}

static enum err compute_digest(const struct format_hash *h, struct span password,
                               uint8_t ret_digest[static FORMAT_DIGEST_MAX])
{
    switch (h->scheme) {
    case FORMAT_ARGON2ID:
    case FORMAT_ARGON2I:
        return argon2_digest(h, password, ret_digest);
    case FORMAT_SCRYPT:
        return scrypt_digest(h, password, ret_digest);
    case FORMAT_PBKDF2_SHA256:
    case FORMAT_PBKDF2_SHA512:
    case FORMAT_DJANGO_PBKDF2_SHA256:
        return pbkdf2_digest(h, password, ret_digest);
    case FORMAT_BCRYPT:
    case FORMAT_BCRYPT_SHA256:
    case FORMAT_SCRYPT_CRYPT:
    case FORMAT_YESCRYPT:
    case FORMAT_SHA512_CRYPT:
        break;
    }
    return ERR_INTERNAL;
}

static enum err check_digest(const struct format_hash *h, struct span password, bool *ret_equal)
{
    uint8_t digest[FORMAT_DIGEST_MAX];
    enum err computed = compute_digest(h, password, digest);
    if (computed == ERR_OK) {
        struct span expected = { (const char *)h->digest, h->digest_length };
        *ret_equal =
            secret_equal((struct span){ (const char *)digest, h->digest_length }, expected);
    }
    secret_wipe(digest, sizeof(digest));
    return computed;
}

/* ---- crypt ---- */

static bool is_crypt(const struct format_hash *h)
{
    return h->scheme == FORMAT_SCRYPT_CRYPT || h->scheme == FORMAT_YESCRYPT ||
           h->scheme == FORMAT_SHA512_CRYPT;
}

/* libxcrypt wants C strings, and 32 kB that are too much for a small stack. */
struct crypt_call {
    char key[FORMAT_CRYPT_PASSWORD_MAX + 1];
    char text[FORMAT_TEXT_MAX];
    struct crypt_data data;
};

static enum err run_crypt(struct crypt_call *c, struct span text, struct span password,
                          bool *ret_equal)
{
    struct span key = span_slice(present(password), 0, FORMAT_CRYPT_PASSWORD_MAX);
    memcpy(c->key, key.data, key.length);
    memcpy(c->text, text.data, text.length);
    const char *computed = crypt_rn(c->key, c->text, &c->data, (int)sizeof(c->data));
    if (computed == NULL) {
        /* For yescrypt and scrypt it says EINVAL whatever went wrong, and with a text that parsed
         * that can only have been the memory; unless the method was left out of its build. */
        bool known = crypt_checksalt(c->text) != CRYPT_SALT_INVALID;
        return known ? ERR_NOMEM : ERR_INTERNAL;
    }
    *ret_equal = secret_equal(span_of(computed), text);
    return ERR_OK;
}

static enum err check_crypt(struct span text, struct span password, bool *ret_equal)
{
    INVARIANT(text.length < FORMAT_TEXT_MAX);
    struct crypt_call *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    enum err run = run_crypt(c, text, password, ret_equal);
    secret_wipe(c, sizeof(*c));
    free(c);
    return run;
}

/* ---- what callers call ---- */

enum err foreign_verify(const struct format_hash *h, struct span text, struct span password,
                        bool *ret_match)
{
    bool equal = false;
    INVARIANT(!format_is_lanes(h));
    if (span_find(password, '\0') < password.length) {
        return ERR_INVALID_INPUT;
    }
    TRY(is_crypt(h) ? check_crypt(text, password, &equal) : check_digest(h, password, &equal));
    *ret_match = equal && format_covers(h, password);
    return ERR_OK;
}

enum err foreign_make(struct format_hash *h, struct span password)
{
    INVARIANT(h->scheme == FORMAT_ARGON2ID);
    if (span_find(password, '\0') < password.length) {
        return ERR_INVALID_INPUT;
    }
    return argon2_digest(h, password, h->digest);
}

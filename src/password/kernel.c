/* kernel.c - bcrypt by libxcrypt. */
#include "kernel.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

struct kernel {
    struct crypt_data data; /* 32 kB: too large for a small stack */
};

struct kernel *kernel_new(void)
{
    return calloc(1, sizeof(struct kernel));
}

void kernel_free(struct kernel *k)
{
    free(k);
}

enum err kernel_bcrypt(struct kernel *k, const char *key,
                       const char setting[static KERNEL_SETTING_LENGTH + 1],
                       char ret_digest[static KERNEL_DIGEST_LENGTH])
{
    const size_t whole = KERNEL_SETTING_LENGTH + KERNEL_DIGEST_LENGTH;
    const char *text = crypt_rn(key, setting, &k->data, (int)sizeof(k->data));
    bool done = text != NULL && strlen(text) == whole;
    if (done) {
        memcpy(ret_digest, text + KERNEL_SETTING_LENGTH, KERNEL_DIGEST_LENGTH);
    }
    /* libxcrypt wipes its own scratch space; the digest and what else is left go here. */
    secret_wipe(&k->data, sizeof(k->data));
    return done ? ERR_OK : ERR_INTERNAL;
}

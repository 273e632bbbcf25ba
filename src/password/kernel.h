/* kernel.h - one bcrypt, computed on the calling thread.
 *
 * Everything that knows how bcrypt is computed is behind this header, so that libxcrypt can give
 * way to interleaved lanes without a change to the engine.
 *
 * Threads:   one kernel a thread.
 * Ownership: arguments are borrowed; what the kernel learned of the key is wiped before it returns.
 * Failure:   ERR_INTERNAL when the setting is not one that it computes. */
#ifndef DOORWARD_PASSWORD_KERNEL_H
#define DOORWARD_PASSWORD_KERNEL_H

#include "base.h"

#define KERNEL_KEY_MAX        72 /* bcrypt reads no more */
#define KERNEL_SETTING_LENGTH 29 /* $2b$12$ and 22 characters of salt */
#define KERNEL_DIGEST_LENGTH  31 /* bcrypt's own base64, without padding */

struct kernel;
/* NULL without memory. */
struct kernel *kernel_new(void);
void kernel_free(struct kernel *k); /* NULL is fine */
AUTO_DEFINE(kernel, struct kernel, kernel_free);

/* `key` ends with a NUL, which is part of what bcrypt reads when the key is shorter than
 * KERNEL_KEY_MAX. */
MUST_CHECK enum err kernel_bcrypt(struct kernel *k, const char *key,
                                  const char setting[static KERNEL_SETTING_LENGTH + 1],
                                  char ret_digest[static KERNEL_DIGEST_LENGTH]);

#endif

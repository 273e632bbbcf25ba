/* formats.h - the texts that stored hashes have, and the bcrypt key that each makes of a password.
 *
 *   $2b$12$<22 salt><31 digest>                              also $2a$, $2y$; $2x$ is refused
 *   $bcrypt-sha256$v=2,t=2b,r=12$<22 salt>$<31 digest>       passlib's; for passwords over 72 bytes
 *
 * Threads:   pure functions.
 * Ownership: no pointers are kept. A format_key is the password in another form: wipe it. */
#ifndef DOORWARD_PASSWORD_FORMATS_H
#define DOORWARD_PASSWORD_FORMATS_H

#include "kernel.h"

#define FORMAT_COST_MIN   4
#define FORMAT_COST_MAX   31
#define FORMAT_SALT_BYTES 16
#define FORMAT_TEXT_MAX   96 /* longer than any of the forms */

enum format_scheme { FORMAT_BCRYPT, FORMAT_BCRYPT_SHA256 };

struct format_hash {
    enum format_scheme scheme;
    unsigned cost;
    char setting[KERNEL_SETTING_LENGTH + 1]; /* what the kernel computes with */
    char digest[KERNEL_DIGEST_LENGTH];
};

/* Strict: the whole text, nothing before or behind it. The digest is not computed. */
bool format_parse(struct span text, struct format_hash *ret_hash);
/* The scheme for this password, `cost` and `salt`; the digest is left for the engine. */
void format_make(struct span password, unsigned cost, const uint8_t salt[static FORMAT_SALT_BYTES],
                 struct format_hash *ret_hash);
/* The text of a finished hash, with a NUL behind; gives its length. */
size_t format_text(const struct format_hash *h, char out[static FORMAT_TEXT_MAX]);
/* Is it of the form that format_make() would choose for this password and cost? */
bool format_is_current(const struct format_hash *h, struct span password, unsigned cost);

/* Can this scheme tell this password from every other? Plain bcrypt cannot past 72 bytes, and
 * nothing that was cut off may ever match. */
bool format_covers(const struct format_hash *h, struct span password);
/* The bcrypt key of a password without NUL. What the scheme does not cover is cut to 72 bytes, so
 * that a check which cannot match takes as long as one that can. */
MUST_CHECK enum err format_key(const struct format_hash *h, struct span password,
                               char ret_key[static KERNEL_KEY_MAX + 1]);

#endif

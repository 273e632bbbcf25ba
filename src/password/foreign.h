/* foreign.h - hashes that a library computes in one call: argon2, scrypt, PBKDF2, crypt's forms.
 *
 * Threads:   may be called from many threads at once; starts none. A call blocks for
 * format_steps() and takes format_memory_bytes() for its time: admission is the caller's.
 * Ownership: arguments are borrowed; what was learned of the password is wiped.
 * Failure:   ERR_NOMEM when the library finds no memory, which is neither a match nor none;
 * ERR_INVALID_INPUT for a password with NUL; ERR_INTERNAL when a library fails otherwise. */
#ifndef DOORWARD_PASSWORD_FOREIGN_H
#define DOORWARD_PASSWORD_FOREIGN_H

#include "formats.h"

/* format_parse() for these forms. Every single parameter is in its bounds then; what they cost
 * together is not judged. *h is zeroed by the caller, and undefined after false. */
bool foreign_parse(struct span text, struct format_hash *h);

/* `h` is what format_parse() made of `text`; not one that is computed in lanes. A password that the
 * scheme does not cover is computed with its front and never matches. */
MUST_CHECK enum err foreign_verify(const struct format_hash *h, struct span text,
                                   struct span password, bool *ret_match);
/* Compute the digest of an argon2id hash from format_make(). */
MUST_CHECK enum err foreign_make(struct format_hash *h, struct span password);

#endif

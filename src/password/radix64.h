/* radix64.h - the base64s of stored hashes: one code without padding, several alphabets.
 *
 * Threads:   pure functions.
 * Ownership: the caller's buffers.
 * Failure:   false for a text that is not exactly what encoding its bytes gives. */
#ifndef DOORWARD_PASSWORD_RADIX64_H
#define DOORWARD_PASSWORD_RADIX64_H

#include "base.h"

extern const char radix64_bcrypt[];  /* ./A-Za-z0-9 */
extern const char radix64_crypt[];   /* ./0-9A-Za-z */
extern const char radix64_passlib[]; /* A-Za-z0-9./ */
extern const char radix64_plain[];   /* A-Za-z0-9+/ */

#define RADIX64_LENGTH(bytes) (((bytes)*8 + 5) / 6)

/* 0 to 63, or -1. */
int radix64_value(const char *alphabet, char c);
/* False also when the result would not fit into `capacity`. */
bool radix64_decode(const char *alphabet, struct span text, uint8_t *out, size_t capacity,
                    size_t *ret_length);
/* Writes RADIX64_LENGTH(length) characters and a NUL; gives their count. */
size_t radix64_encode(const char *alphabet, const uint8_t *bytes, size_t length, char *out);

#endif

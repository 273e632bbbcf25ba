/* span.h - text and bytes that somebody else owns: a pointer and a length, never NUL-terminated.
 *
 * Threads:   pure functions.
 * Ownership: a span borrows; who keeps one past the call copies it (arena_copy, buf_add).
 * Failure:   parsing functions return false and write nothing. */
#ifndef DOORWARD_SPAN_H
#define DOORWARD_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *data; /* may be NULL when length is 0 */
    size_t length;
};

#define SPAN(literal)                                                                              \
    (struct span)                                                                                  \
    {                                                                                              \
        .data = (literal), .length = sizeof(literal) - 1                                           \
    }
#define SPAN_NONE ((struct span){ 0 })
/* For printf's "%.*s". */
#define SPAN_FMT(s) (int)(s).length, (s).data

struct span span_of(const char *text); /* a C string; NULL gives the empty span */
bool span_equal(struct span a, struct span b);
bool span_equal_nocase(struct span a, struct span b); /* ASCII case only */
bool span_starts(struct span s, struct span prefix);
/* Position of `c`, or s.length when it is not there. */
size_t span_find(struct span s, char c);
struct span span_from(struct span s, size_t start); /* s[start..]; empty past the end */
struct span span_slice(struct span s, size_t start, size_t length); /* clipped to s */
struct span span_trim(struct span s); /* spaces and tabs at both ends */
/* Cut the next piece before `separator` off the front of *rest; false when *rest was empty (data
 * NULL). */
bool span_split(struct span *rest, char separator, struct span *ret_piece);

/* Whole decimal number without sign, at most `max`. */
bool span_to_u64(struct span s, uint64_t max, uint64_t *ret_value);
/* The way back: the number's digits, which lie in `room`. */
#define SPAN_U64_DIGITS 20
struct span span_of_u64(uint64_t value, char room[static SPAN_U64_DIGITS]);
int span_hex_value(char c);       /* 0 to 15, or -1 */
bool span_is_utf8(struct span s); /* RFC 3629: no surrogates, no overlong forms, at most U+10FFFF */
/* Bytes of the first code point, 1 to 4; 0 when s is empty or does not start with a valid one. */
size_t span_utf8_next(struct span s, uint32_t *ret_code);
size_t span_utf8_length(struct span s); /* code points; s must be valid UTF-8 */

/* base64url without padding (RFC 4648, 5). `out` holds (length * 4 + 2) / 3 characters; gives the
 * count. */
size_t span_base64url(struct span bytes, char *out);
/* Strict: no padding, no white space, unused bits zero, so that one value has one text. False also
 * when the result would not fit into `capacity`. */
bool span_from_base64url(struct span text, uint8_t *out, size_t capacity, size_t *ret_length);
/* Standard alphabet with padding, as `openssl rand -base64 32` prints it. Strict likewise. */
bool span_from_base64(struct span text, uint8_t *out, size_t capacity, size_t *ret_length);

#endif

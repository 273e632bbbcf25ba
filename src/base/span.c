#include "span.h"

#include <string.h>

struct span span_of(const char *text)
{
    if (text == NULL) {
        return SPAN_NONE;
    }
    return (struct span){ .data = text, .length = strlen(text) };
}

bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.length != b.length) {
        return false;
    }
    for (size_t i = 0; i < a.length; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool span_starts(struct span s, struct span prefix)
{
    return span_equal(span_slice(s, 0, prefix.length), prefix);
}

size_t span_find(struct span s, char c)
{
    const char *at = s.length == 0 ? NULL : memchr(s.data, c, s.length);
    return at == NULL ? s.length : (size_t)(at - s.data);
}

struct span span_from(struct span s, size_t start)
{
    return span_slice(s, start, SIZE_MAX);
}

struct span span_slice(struct span s, size_t start, size_t length)
{
    if (s.data == NULL) {
        return SPAN_NONE;
    }
    size_t first = start < s.length ? start : s.length;
    size_t left = s.length - first;
    return (struct span){ .data = s.data + first, .length = length < left ? length : left };
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
    while (s.length > 0 && is_blank(s.data[0])) {
        s = span_from(s, 1);
    }
    while (s.length > 0 && is_blank(s.data[s.length - 1])) {
        s.length--;
    }
    return s;
}

bool span_split(struct span *rest, char separator, struct span *ret_piece)
{
    if (rest->data == NULL) {
        return false;
    }
    size_t end = span_find(*rest, separator);
    *ret_piece = span_slice(*rest, 0, end);
    *rest = end == rest->length ? SPAN_NONE : span_from(*rest, end + 1);
    return true;
}

bool span_to_u64(struct span s, uint64_t max, uint64_t *ret_value)
{
    if (s.length == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < s.length; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(s.data[i] - '0');
        if (digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

/* The length that a first byte promises, and the bits of the code point in it; 0 for none. */
static size_t utf8_head(uint8_t first, uint32_t *ret_bits)
{
    if (first < 0x80) {
        *ret_bits = first;
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        *ret_bits = first & 0x1f;
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        *ret_bits = first & 0x0f;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        *ret_bits = first & 0x07;
        return 4;
    }
    return 0;
}

size_t span_utf8_next(struct span s, uint32_t *ret_code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t code = 0;
    size_t length = s.length == 0 ? 0 : utf8_head((uint8_t)s.data[0], &code);
    if (length == 0 || length > s.length) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        uint8_t byte = (uint8_t)s.data[i];
        if ((byte & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (byte & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < least[length] || surrogate || code > 0x10ffff) {
        return 0;
    }
    *ret_code = code;
    return length;
}

bool span_is_utf8(struct span s)
{
    size_t at = 0;
    while (at < s.length) {
        uint32_t code = 0;
        size_t length = (uint8_t)s.data[at] < 0x80 ? 1 : span_utf8_next(span_from(s, at), &code);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t span_utf8_length(struct span s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.length; i++) {
        count += ((uint8_t)s.data[i] & 0xc0) != 0x80;
    }
    return count;
}

struct span span_of_u64(uint64_t value, char room[static SPAN_U64_DIGITS])
{
    size_t start = SPAN_U64_DIGITS;
    do {
        room[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return (struct span){ .data = room + start, .length = SPAN_U64_DIGITS - start };
}

int span_hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* The base64 half of span.h. A text has one decoding and a value one text: nothing that differs
 * from what the encoder would print is taken, because tokens are compared and cached as text. */
#include "span.h"

size_t span_base64url(struct span bytes, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *in = (const uint8_t *)bytes.data;
    size_t left = bytes.length;
    char *at = out;
    for (; left >= 3; in += 3, left -= 3) {
        *at++ = digits[in[0] >> 2];
        *at++ = digits[(in[0] << 4 | in[1] >> 4) & 0x3f];
        *at++ = digits[(in[1] << 2 | in[2] >> 6) & 0x3f];
        *at++ = digits[in[2] & 0x3f];
    }
    if (left > 0) {
        int second = left == 2 ? in[1] : 0;
        *at++ = digits[in[0] >> 2];
        *at++ = digits[(in[0] << 4 | second >> 4) & 0x3f];
        if (left == 2) {
            *at++ = digits[second << 2 & 0x3f];
        }
    }
    return (size_t)(at - out);
}

/* Of each character its value as a digit, and one; 0 for a stranger. Tables, because comparisons
 * are jumps that no processor can predict for a token's characters. */
#define LETTERS_AND_DIGITS                                                                         \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,        \
    ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, \
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23,            \
    ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,            \
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,            \
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,            \
    ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51,            \
    ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58,            \
    ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62
static const uint8_t url_digits[256] = { LETTERS_AND_DIGITS, ['-'] = 63, ['_'] = 64 };
static const uint8_t standard_digits[256] = { LETTERS_AND_DIGITS, ['+'] = 63, ['/'] = 64 };

/* Digits only, a possible count of them, and zero in the bits that no byte uses. */
static bool is_canonical(struct span text, const uint8_t digits[static 256])
{
    static const uint8_t unused_bits[] = { 0, 0x3f, 0x0f, 0x03 };
    if (text.length % 4 == 1) {
        return false;
    }
    bool strange = false;
    for (size_t i = 0; i < text.length; i++) {
        strange |= digits[(uint8_t)text.data[i]] == 0;
    }
    if (strange || text.length == 0) {
        return !strange;
    }
    uint8_t last = digits[(uint8_t)text.data[text.length - 1]];
    return ((last - 1) & unused_bits[text.length % 4]) == 0;
}

/* Checks all before it writes the first byte. */
static bool decode(struct span text, const uint8_t digits[static 256], uint8_t *out,
                   size_t capacity, size_t *ret_length)
{
    size_t length = text.length / 4 * 3 + text.length % 4 * 3 / 4;
    if (length > capacity || !is_canonical(text, digits)) {
        return false;
    }
    size_t count = 0;
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.length; i++) {
        held = held << 6 | (uint32_t)(digits[(uint8_t)text.data[i]] - 1);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[count++] = (uint8_t)(held >> bits);
        }
    }
    *ret_length = length;
    return true;
}

bool span_from_base64url(struct span text, uint8_t *out, size_t capacity, size_t *ret_length)
{
    return decode(text, url_digits, out, capacity, ret_length);
}

bool span_from_base64(struct span text, uint8_t *out, size_t capacity, size_t *ret_length)
{
    if (text.length % 4 != 0) {
        return false;
    }
    for (int i = 0; i < 2 && text.length > 0 && text.data[text.length - 1] == '='; i++) {
        text.length--;
    }
    return decode(text, standard_digits, out, capacity, ret_length);
}

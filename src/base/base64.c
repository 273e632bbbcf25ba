/* The base64 half of span.h. A text has one decoding and a value one text: nothing that differs
 * from what the encoder would print is taken, because tokens are compared and cached as text. */
#include "span.h"

size_t span_base64url(struct span bytes, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t count = 0;
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        held = held << 8 | (uint8_t)bytes.data[i];
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            out[count++] = digits[held >> bits & 0x3f];
        }
    }
    if (bits > 0) {
        out[count++] = digits[held << (6 - bits) & 0x3f];
    }
    return count;
}

/* The digit's value; 64 for a stranger. `last` are the digits 62 and 63, which the alphabets differ
 * in. */
static uint32_t digit_value(char c, const char last[static 2])
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0') + 52;
    }
    return c == last[0] ? 62 : c == last[1] ? 63 : 64;
}

/* Digits only, a possible count of them, and zero in the bits that no byte uses. */
static bool is_canonical(struct span text, const char last[static 2])
{
    static const uint32_t unused_bits[] = { 0, 0x3f, 0x0f, 0x03 };
    if (text.length % 4 == 1) {
        return false;
    }
    uint32_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        value = digit_value(text.data[i], last);
        if (value == 64) {
            return false;
        }
    }
    return (value & unused_bits[text.length % 4]) == 0;
}

/* Checks all before it writes the first byte. */
static bool decode(struct span text, const char last[static 2], uint8_t *out, size_t capacity,
                   size_t *ret_length)
{
    size_t length = text.length / 4 * 3 + text.length % 4 * 3 / 4;
    if (length > capacity || !is_canonical(text, last)) {
        return false;
    }
    size_t count = 0;
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.length; i++) {
        held = held << 6 | digit_value(text.data[i], last);
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
    return decode(text, "-_", out, capacity, ret_length);
}

bool span_from_base64(struct span text, uint8_t *out, size_t capacity, size_t *ret_length)
{
    if (text.length % 4 != 0) {
        return false;
    }
    for (int i = 0; i < 2 && text.length > 0 && text.data[text.length - 1] == '='; i++) {
        text.length--;
    }
    return decode(text, "+/", out, capacity, ret_length);
}

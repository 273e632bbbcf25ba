/* radix64.c - bits, the most significant first, in characters of six. */
#include "radix64.h"

#include <string.h>

const char radix64_bcrypt[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const char radix64_crypt[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const char radix64_passlib[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./";
const char radix64_plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int radix64_value(const char *alphabet, char c)
{
    const char *found = c == '\0' ? NULL : strchr(alphabet, c);
    return found == NULL ? -1 : (int)(found - alphabet);
}

bool radix64_decode(const char *alphabet, struct span text, uint8_t *out, size_t capacity,
                    size_t *ret_length)
{
    unsigned held = 0;
    unsigned held_bits = 0;
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int value = radix64_value(alphabet, text.data[i]);
        if (value < 0) {
            return false;
        }
        held = (held << 6) | (unsigned)value;
        held_bits += 6;
        if (held_bits >= 8) {
            if (length == capacity) {
                return false;
            }
            held_bits -= 8;
            out[length++] = (uint8_t)(held >> held_bits);
            held &= (1U << held_bits) - 1;
        }
    }
    /* A whole character left over, or bits in it that stand for nothing. */
    if (held_bits >= 6 || held != 0) {
        return false;
    }
    *ret_length = length;
    return true;
}

size_t radix64_encode(const char *alphabet, const uint8_t *bytes, size_t length, char *out)
{
    unsigned held = 0;
    unsigned held_bits = 0;
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        held = ((held << 8) | bytes[i]) & 0xffff;
        held_bits += 8;
        while (held_bits >= 6) {
            held_bits -= 6;
            out[count++] = alphabet[(held >> held_bits) & 63];
        }
    }
    if (held_bits > 0) {
        out[count++] = alphabet[(held << (6 - held_bits)) & 63];
    }
    out[count] = '\0';
    return count;
}

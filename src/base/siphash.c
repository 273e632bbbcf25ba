#include "siphash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

/* Little endian whatever the machine; at most 8 bytes. */
static uint64_t read_word(const char *data, size_t length)
{
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++) {
        word |= (uint64_t)(uint8_t)data[i] << (8 * i);
    }
    return word;
}

static void mix(struct sip *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate_left(s->v1, 13) ^ s->v0;
        s->v3 = rotate_left(s->v3, 16) ^ s->v2;
        s->v0 = rotate_left(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate_left(s->v1, 17) ^ s->v2;
        s->v3 = rotate_left(s->v3, 21) ^ s->v0;
        s->v2 = rotate_left(s->v2, 32);
    }
}

static void absorb(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s, 2);
    s->v0 ^= word;
}

uint64_t siphash(const uint8_t key[static SIPHASH_KEY_BYTES], struct span data)
{
    uint64_t k0 = read_word((const char *)key, 8);
    uint64_t k1 = read_word((const char *)key + 8, 8);
    struct sip s = { .v0 = k0 ^ UINT64_C(0x736f6d6570736575),
                     .v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
                     .v2 = k0 ^ UINT64_C(0x6c7967656e657261),
                     .v3 = k1 ^ UINT64_C(0x7465646279746573) };
    size_t whole = data.length / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        absorb(&s, read_word(data.data + i, 8));
    }
    uint64_t rest = whole < data.length ? read_word(data.data + whole, data.length - whole) : 0;
    absorb(&s, rest | (uint64_t)data.length << 56);
    s.v2 ^= 0xff;
    mix(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* lanes.c - a bcrypt's beginning and end, and its steps, with a kernel's schedule. */
#include "lanes_encrypt.h"
#include "lanes_pi.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(pi_p) == sizeof(((struct lane *)0)->p), "P is as large as its beginning");
static_assert(sizeof(pi_s) == sizeof(((struct lane *)0)->s), "S is as large as its beginning");
static_assert(sizeof(struct lane) % 64 == 0, "every lane of an array begins a cache line");

enum { SALT_WORDS = LANE_SALT_BYTES / 4, BLOCKS = 3, REPEATS = 64 };

static uint32_t word_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The key, again and again with its NUL between, until it fills P. */
static void key_words(struct span key, uint32_t ret_words[static LANES_P_COUNT])
{
    uint8_t bytes[LANE_KEY_MAX];
    size_t length = key.length < LANE_KEY_MAX ? key.length : LANE_KEY_MAX;
    size_t at = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = at < length ? (uint8_t)key.data[at] : 0;
        at = at < length ? at + 1 : 0;
    }
    for (size_t i = 0; i < LANES_P_COUNT; i++) {
        ret_words[i] = word_at(bytes + 4 * i);
    }
    secret_wipe(bytes, sizeof(bytes));
}

/* What crypt_blowfish before 1.1 made of a word of the key: it took bytes for signed chars, and the
 * sign of each wiped out the bytes before it. */
static uint32_t sign_extended(uint32_t word)
{
    uint32_t wrong = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        uint32_t byte = word >> shift & 0xff;
        wrong = wrong << 8 | ((byte ^ 0x80) - 0x80);
    }
    return wrong;
}

/* $2a$ hashes made with that bug are still about, and many keys with the bytes lost to it share one
 * hash. So $2a$ spoils the few keys that the bug would have read as they are although a sign in
 * them could have wiped something: such a key does not match the old hash of its many siblings.
 * Gives what P's first word is to be changed by. */
static uint32_t sign_countermeasure(const uint32_t words[static LANES_P_COUNT])
{
    uint32_t differs = 0;
    uint32_t signs = 0;
    for (size_t i = 0; i < LANES_P_COUNT; i++) {
        differs |= words[i] ^ sign_extended(words[i]);
        signs |= words[i] & 0x00808080; /* the first byte of a word has none before it */
    }
    return differs == 0 && signs != 0 ? 0x10000 : 0;
}

/* The first key schedule, the only one into which the salt is mixed block by block. */
static void salted_schedule(struct lane *l)
{
    uint32_t *const out[] = { l->p, (uint32_t *)l->s };
    const unsigned counts[] = { LANES_P_COUNT, LANES_S_COUNT };
    uint32_t left = 0;
    uint32_t right = 0;
    unsigned at = 0;
    for (size_t part = 0; part < 2; part++) {
        for (unsigned i = 0; i < counts[part]; i += 2) {
            left ^= l->salt[at];
            right ^= l->salt[at + 1];
            at = (at + 2) % SALT_WORDS;
            lanes_encrypt(l, 1, &left, &right);
            out[part][i] = left;
            out[part][i + 1] = right;
        }
    }
}

void lane_start(struct lane *l, enum lane_minor minor, struct span key,
                const uint8_t salt[static LANE_SALT_BYTES])
{
    memset(l, 0, sizeof(*l));
    memcpy(l->s, pi_s, sizeof(l->s));
    key_words(key, l->key);
    for (size_t i = 0; i < LANES_P_COUNT; i++) {
        l->p[i] = pi_p[i] ^ l->key[i];
    }
    if (minor == LANE_2A) {
        l->p[0] ^= sign_countermeasure(l->key);
    }
    for (size_t i = 0; i < SALT_WORDS; i++) {
        l->salt[i] = word_at(salt + 4 * i);
    }
    salted_schedule(l);
}

void lanes_advance(struct lane *lanes, unsigned count, unsigned steps, lanes_schedule *schedule)
{
    for (unsigned step = 0; step < steps; step++) {
        for (unsigned k = 0; k < count; k++) {
            for (size_t i = 0; i < LANES_P_COUNT; i++) {
                lanes[k].p[i] ^= lanes[k].key[i];
            }
        }
        schedule(lanes);
        for (unsigned k = 0; k < count; k++) {
            for (size_t i = 0; i < LANES_P_COUNT; i++) {
                lanes[k].p[i] ^= lanes[k].salt[i % SALT_WORDS];
            }
        }
        schedule(lanes);
    }
}

void lane_finish(const struct lane *l, uint8_t ret_digest[static LANE_DIGEST_BYTES])
{
    static const uint8_t text[8 * BLOCKS + 1] = "OrpheanBeholderScryDoubt";
    uint32_t left[BLOCKS];
    uint32_t right[BLOCKS];
    for (size_t b = 0; b < BLOCKS; b++) {
        left[b] = word_at(text + 8 * b);
        right[b] = word_at(text + 8 * b + 4);
        for (unsigned i = 0; i < REPEATS; i++) {
            lanes_encrypt(l, 1, &left[b], &right[b]);
        }
    }
    for (size_t i = 0; i < LANE_DIGEST_BYTES; i++) {
        uint32_t word = i % 8 < 4 ? left[i / 8] : right[i / 8];
        ret_digest[i] = (uint8_t)(word >> (24 - 8 * (i % 4)));
    }
}

/* lanes_encrypt.h - Blowfish in C, for several lanes at once; private to lanes*.c.
 *
 * `count` is a constant wherever this is called, so the loops over the lanes vanish and each half
 * of each lane may have a register. While one lane waits for its loads, the others work.
 *
 * B. Schneier, "Description of a New Variable-Length Key, 64-Bit Block Cipher", FSE 1993. */
#ifndef DOORWARD_PASSWORD_LANES_ENCRYPT_H
#define DOORWARD_PASSWORD_LANES_ENCRYPT_H

#include "lanes_kernel.h"

#define LANES_INLINE static inline __attribute__((always_inline))
#ifdef __has_feature
#define LANES_HAS_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define LANES_HAS_ASAN 1
#else
#define LANES_HAS_ASAN 0
#endif
#if LANES_HAS_ASAN
#define LANES_UNROLL /* a check at each access in code this long: compilers take minutes */
#elif defined(__clang__)
#define LANES_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LANES_UNROLL _Pragma("GCC unroll 8")
#endif
#define LANES_EACH(n) LANES_UNROLL for (unsigned k = 0; k < (n); k++)

LANES_INLINE void lanes_round(const struct lane *lanes, unsigned count, unsigned i,
                              const uint32_t *from, uint32_t *to)
{
    LANES_EACH(count)
    {
        const struct lane *l = &lanes[k];
        uint32_t x = from[k];
        uint32_t f = l->s[0][x >> 24] + l->s[1][x >> 16 & 0xff];
        f ^= l->s[2][x >> 8 & 0xff];
        f += l->s[3][x & 0xff];
        to[k] ^= l->p[i];
        to[k] ^= f;
    }
}

/* One block of each lane: its left half is left[k], its right half right[k]. */
LANES_INLINE void lanes_encrypt(const struct lane *lanes, unsigned count, uint32_t *left,
                                uint32_t *right)
{
    LANES_EACH(count)
    {
        left[k] ^= lanes[k].p[0];
    }
    LANES_UNROLL for (unsigned i = 1; i + 1 < LANES_P_COUNT; i += 2)
    {
        lanes_round(lanes, count, i, left, right);
        lanes_round(lanes, count, i + 1, right, left);
    }
    LANES_EACH(count)
    {
        uint32_t last = right[k] ^ lanes[k].p[LANES_P_COUNT - 1];
        right[k] = left[k];
        left[k] = last;
    }
}

#endif

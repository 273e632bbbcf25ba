/* formats_cost.c - what computing a hash costs, told from its parameters.
 *
 * Measured on a core of 2.5 GHz with SHA extensions where a step of bcrypt, alone, took 57 us; so
 * many of these units took as long. They are for admission and the bound, so that 30 % more or less
 * on another machine is no harm:
 *
 *   argon2           100 KiB, once a pass and once more for taking and wiping the memory
 *   scrypt           180 of N r p          yescrypt  360 of N r
 *   PBKDF2-SHA-256   200 rounds            PBKDF2-SHA-512  85 rounds
 *   SHA-512 crypt    100 rounds, of a password of 72 bytes; a fifth of that for 511 bytes */
#include "formats.h"

enum {
    ARGON2_UNITS = 100,
    SCRYPT_UNITS = 180,
    YESCRYPT_UNITS = 360,
    PBKDF2_SHA256_UNITS = 200,
    PBKDF2_SHA512_UNITS = 85,
    SHA512_CRYPT_UNITS = 100
};

static uint64_t blocks_of(const struct format_hash *h)
{
    return (uint64_t)h->block << h->cost;
}

static uint64_t steps_of(const struct format_hash *h)
{
    switch (h->scheme) {
    case FORMAT_ARGON2ID:
    case FORMAT_ARGON2I:
        return (uint64_t)h->memory_kib * (h->rounds + 1) / ARGON2_UNITS;
    case FORMAT_SCRYPT:
    case FORMAT_SCRYPT_CRYPT:
        return blocks_of(h) * h->lanes / SCRYPT_UNITS;
    case FORMAT_YESCRYPT:
        return blocks_of(h) / YESCRYPT_UNITS;
    case FORMAT_PBKDF2_SHA256:
    case FORMAT_DJANGO_PBKDF2_SHA256:
        return h->rounds / PBKDF2_SHA256_UNITS;
    case FORMAT_PBKDF2_SHA512:
        return h->rounds / PBKDF2_SHA512_UNITS;
    case FORMAT_SHA512_CRYPT:
        return h->rounds / SHA512_CRYPT_UNITS;
    case FORMAT_BCRYPT:
    case FORMAT_BCRYPT_SHA256:
        break;
    }
    return UINT64_C(1) << h->cost;
}

uint64_t format_steps(const struct format_hash *h)
{
    uint64_t steps = steps_of(h);
    return steps > 0 ? steps : 1;
}

uint64_t format_memory_bytes(const struct format_hash *h)
{
    switch (h->scheme) {
    case FORMAT_ARGON2ID:
    case FORMAT_ARGON2I:
        return (uint64_t)h->memory_kib * 1024;
    case FORMAT_SCRYPT:
    case FORMAT_SCRYPT_CRYPT:
    case FORMAT_YESCRYPT:
        return 128 * blocks_of(h);
    case FORMAT_BCRYPT:
    case FORMAT_BCRYPT_SHA256:
    case FORMAT_PBKDF2_SHA256:
    case FORMAT_PBKDF2_SHA512:
    case FORMAT_DJANGO_PBKDF2_SHA256:
    case FORMAT_SHA512_CRYPT:
        return 0;
    }
    return 0;
}

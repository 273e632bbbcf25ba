/* formats.h - the texts that stored hashes have: what each says, what it costs, what new ones are.
 *
 *   computed in lanes by the engine
 *   $2b$12$<22 salt><31 digest>                               also $2a$, $2y$; $2x$ is refused
 *   $bcrypt-sha256$v=2,t=2b,r=12$<22 salt>$<31 digest>        passlib's; for over 72 bytes
 *
 *   computed by one library call (foreign.h)
 *   $argon2id$v=19$m=19456,t=2,p=1$<salt>$<digest>            also $argon2i$; v=16 or none: refused
 *   $scrypt$ln=16,r=8,p=1$<salt>$<digest>                     passlib's
 *   $7$CU..../....<salt>$<43 digest>                          scrypt in crypt's form
 *   $pbkdf2-sha256$29000$<salt>$<digest>, $pbkdf2-sha512$...  passlib's
 *   pbkdf2_sha256$600000$<salt>$<digest>                      Django's
 *   $y$j9T$<salt>$<43 digest>                                 yescrypt, flavour j only
 *   $6$rounds=5000$<salt>$<86 digest>                         SHA-512 crypt; rounds= may be absent
 *
 * Threads:   pure functions.
 * Ownership: no pointers are kept. A format_key is the password in another form: wipe it.
 * Failure:   a text that is malformed or over a bound does not parse, so nothing computes it.
 * Units:     a step is one round of bcrypt's cost loop. */
#ifndef DOORWARD_PASSWORD_FORMATS_H
#define DOORWARD_PASSWORD_FORMATS_H

#include "lanes.h"

#define FORMAT_COST_MIN   4
#define FORMAT_COST_MAX   31
#define FORMAT_SALT_BYTES 16  /* of new hashes, and of every bcrypt one */
#define FORMAT_TEXT_MAX   256 /* with a NUL; longer texts are no hashes */
#define FORMAT_SALT_MAX   64  /* bytes, decoded */
#define FORMAT_DIGEST_MAX 64  /* bytes, decoded */

/* What a foreign hash may ask for. A single call cannot be interrupted, so that whatever the single
 * parameters allow, the whole is bounded as well: by steps (about 8 s of a core), and by memory. */
#define FORMAT_FOREIGN_STEPS_MAX  (UINT64_C(1) << 17)
#define FORMAT_MEMORY_MAX         (UINT64_C(1) << 30) /* bytes, whatever the budget is */
#define FORMAT_ARGON2_PASSES_MAX  100                 /* t, from 1; m is from 8 KiB a lane */
#define FORMAT_ARGON2_LANES_MAX   16                  /* p, from 1 */
#define FORMAT_ARGON2_SALT_MIN    8
#define FORMAT_SCRYPT_LOG_N_MAX   20       /* from 1; yescrypt's from 10 */
#define FORMAT_SCRYPT_BLOCK_MAX   32       /* r, from 1 */
#define FORMAT_SCRYPT_LANES_MAX   16       /* p, from 1 */
#define FORMAT_PBKDF2_ROUNDS_MAX  10000000 /* from 1 */
#define FORMAT_SHA512_ROUNDS_MIN  1000
#define FORMAT_SHA512_ROUNDS_MAX  2000000
#define FORMAT_CRYPT_PASSWORD_MAX 511 /* bytes that libxcrypt takes */

enum format_scheme {
    FORMAT_BCRYPT,
    FORMAT_BCRYPT_SHA256,
    FORMAT_ARGON2ID,
    FORMAT_ARGON2I,
    FORMAT_SCRYPT,
    FORMAT_SCRYPT_CRYPT,
    FORMAT_PBKDF2_SHA256,
    FORMAT_PBKDF2_SHA512,
    FORMAT_DJANGO_PBKDF2_SHA256,
    FORMAT_YESCRYPT,
    FORMAT_SHA512_CRYPT
};

struct format_hash {
    enum format_scheme scheme;
    char letter;         /* bcrypt: a, b or y of $2b$ */
    unsigned cost;       /* bcrypt; scrypt and yescrypt: log2 of N */
    uint32_t rounds;     /* PBKDF2, SHA-512 crypt; argon2: t */
    uint32_t memory_kib; /* argon2: m */
    uint32_t block;      /* scrypt and yescrypt: r */
    uint32_t lanes;      /* argon2, scrypt: p */
    /* Of the forms that go to crypt ($7$ $y$ $6$) these stay empty: the text says it all. */
    uint8_t salt[FORMAT_SALT_MAX];
    size_t salt_length;
    uint8_t digest[FORMAT_DIGEST_MAX];
    size_t digest_length;
};

/* What one hash may cost here and now. */
struct format_limits {
    uint64_t bcrypt_steps; /* the dearest bcrypt that is tried; foreign ones have their own bound */
    uint64_t memory_bytes; /* the budget that the foreign ones share */
};
/* Strict: the whole text, one text for one value, every parameter in its bounds. Nothing is
 * computed. */
bool format_parse(struct span text, const struct format_limits *limits,
                  struct format_hash *ret_hash);
/* Is it computed in lanes? The others go to foreign_verify(). */
bool format_is_lanes(const struct format_hash *h);
enum lane_minor format_minor(const struct format_hash *h);
/* About what computing it costs; exact for bcrypt, never 0. */
uint64_t format_steps(const struct format_hash *h);
uint64_t format_memory_bytes(const struct format_hash *h); /* 0: none to speak of */

/* The form that new hashes have. */
struct format_policy {
    enum format_scheme scheme; /* FORMAT_BCRYPT or FORMAT_ARGON2ID */
    unsigned cost;             /* bcrypt */
    uint32_t memory_kib;       /* argon2id; so many passes over so much, in one lane */
    uint32_t passes;
};
/* A hash of that form (for bcrypt and more than 72 bytes of password: bcrypt-sha256), whose digest
 * is left to the engine or to foreign_make(). */
void format_make(struct span password, const struct format_policy *policy,
                 const uint8_t salt[static FORMAT_SALT_BYTES], struct format_hash *ret_hash);
/* The text of a finished hash of a form that format_make() chooses, with a NUL behind; gives its
 * length. */
size_t format_text(const struct format_hash *h, char out[static FORMAT_TEXT_MAX]);
/* Is it what format_make() would choose for this password? */
bool format_is_current(const struct format_hash *h, struct span password,
                       const struct format_policy *policy);

/* Can this scheme tell this password from every other? Plain bcrypt cannot past 72 bytes, and
 * crypt's forms take no more than FORMAT_CRYPT_PASSWORD_MAX; nothing that was cut off may ever
 * match. */
bool format_covers(const struct format_hash *h, struct span password);
/* The bcrypt key, NUL behind it, of a password without NUL; for what is computed in lanes. What the
 * scheme does not cover is cut to 72 bytes, so that a check which cannot match takes as long as one
 * that can. */
MUST_CHECK enum err format_key(const struct format_hash *h, struct span password,
                               char ret_key[static LANE_KEY_MAX + 1]);

#endif

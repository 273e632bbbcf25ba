/* foreign_parse.c - strict parsing of the hashes that others wrote.
 *
 * Nothing here computes: a parameter that is over its bound is found before any library sees it. */
#include "foreign.h"

#include "radix64.h"

#include <string.h>

enum {
    ARGON2_SHORT_BYTES = 16,
    SHA256_BYTES = 32,
    SHA512_BYTES = 64,
    CRYPT_SALT_MAX = RADIX64_LENGTH(FORMAT_SALT_MAX),
    CRYPT_SHA256_LENGTH = RADIX64_LENGTH(SHA256_BYTES),
    CRYPT_SHA512_LENGTH = RADIX64_LENGTH(SHA512_BYTES),
    SHA512_SALT_MAX = 16,
    SHA512_ROUNDS_DEFAULT = 5000,
    YESCRYPT_LOG_N_MIN = 10, /* a megabyte; libxcrypt writes no less */
    CRYPT_NUMBER_LENGTH = 5, /* of r and p in $7$: 30 bits */
    CRYPT_DIGIT_WHOLE = 47,  /* yescrypt: above, a number goes on in the next character */
};

/* ---- pieces ---- */

struct range {
    uint32_t min, max;
};

/* `name`, a number in its range and `end`, off the front of *rest. One number, one text: no signs,
 * no leading zeros. */
static bool take_number(struct span *rest, struct span name, char end, struct range range,
                        uint32_t *ret_number)
{
    struct span digits;
    uint64_t number = 0;
    if (!span_starts(*rest, name)) {
        return false;
    }
    struct span after = span_from(*rest, name.length);
    if (!span_split(&after, end, &digits) || after.data == NULL || digits.length == 0 ||
        digits.data[0] == '0' || !span_to_u64(digits, range.max, &number) || number < range.min) {
        return false;
    }
    *ret_number = (uint32_t)number;
    *rest = after;
    return true;
}

/* Salt, '$' and digest, to the end. */
static bool take_salt_and_digest(struct span rest, const char *alphabet, struct range salt,
                                 struct format_hash *h)
{
    struct span text;
    return span_split(&rest, '$', &text) && rest.data != NULL &&
           radix64_decode(alphabet, text, h->salt, salt.max, &h->salt_length) &&
           h->salt_length >= salt.min &&
           radix64_decode(alphabet, rest, h->digest, FORMAT_DIGEST_MAX, &h->digest_length);
}

static bool is_all_of(const char *alphabet, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (radix64_value(alphabet, text.data[i]) < 0) {
            return false;
        }
    }
    return true;
}

/* Is it what crypt makes of some whole bytes? It puts the least significant bits first: the bits
 * that stand for nothing are the high ones of the last character. */
static bool is_crypt_text(struct span text)
{
    size_t over = text.length % 4;
    if (!is_all_of(radix64_crypt, text) || over == 1) {
        return false;
    }
    return over == 0 ||
           radix64_value(radix64_crypt, text.data[text.length - 1]) < (over == 2 ? 1 << 2 : 1 << 4);
}

/* Salt, '$' and a digest of `length` characters, to the end. */
static bool check_crypt_end(struct span rest, size_t salt_max, size_t length)
{
    struct span salt;
    return span_split(&rest, '$', &salt) && salt.length > 0 && salt.length <= salt_max &&
           is_all_of(radix64_crypt, salt) && rest.length == length && is_crypt_text(rest);
}

/* ---- forms ---- */

/* The lengths in use. Any would do for argon2, but then most hashes that were cut off would too. */
static bool is_argon2_digest(const struct format_hash *h)
{
    return h->digest_length == ARGON2_SHORT_BYTES || h->digest_length == SHA256_BYTES ||
           h->digest_length == SHA512_BYTES;
}

/* $argon2id$v=19$ | m=19456,t=2,p=1$<salt>$<digest> */
static bool parse_argon2(struct span rest, struct format_hash *h)
{
    const struct range memory = { 8, (uint32_t)(FORMAT_MEMORY_MAX / 1024) };
    const struct range passes = { 1, FORMAT_ARGON2_PASSES_MAX };
    const struct range lanes = { 1, FORMAT_ARGON2_LANES_MAX };
    const struct range salt = { FORMAT_ARGON2_SALT_MIN, FORMAT_SALT_MAX };
    return take_number(&rest, SPAN("m="), ',', memory, &h->memory_kib) &&
           take_number(&rest, SPAN("t="), ',', passes, &h->rounds) &&
           take_number(&rest, SPAN("p="), '$', lanes, &h->lanes) && h->memory_kib >= 8 * h->lanes &&
           take_salt_and_digest(rest, radix64_plain, salt, h) && is_argon2_digest(h);
}

/* RFC 7914, 2: N is less than 2^(128 r / 8). */
static bool is_scrypt(const struct format_hash *h)
{
    return h->cost >= 1 && h->cost <= FORMAT_SCRYPT_LOG_N_MAX && h->block >= 1 &&
           h->block <= FORMAT_SCRYPT_BLOCK_MAX && h->cost < 16 * h->block && h->lanes >= 1 &&
           h->lanes <= FORMAT_SCRYPT_LANES_MAX;
}

/* $scrypt$ | ln=16,r=8,p=1$<salt>$<digest> */
static bool parse_scrypt(struct span rest, struct format_hash *h)
{
    const struct range any = { 1, FORMAT_PBKDF2_ROUNDS_MAX };
    const struct range salt = { 1, FORMAT_SALT_MAX };
    uint32_t cost = 0;
    if (!take_number(&rest, SPAN("ln="), ',', any, &cost) ||
        !take_number(&rest, SPAN("r="), ',', any, &h->block) ||
        !take_number(&rest, SPAN("p="), '$', any, &h->lanes)) {
        return false;
    }
    h->cost = cost;
    return is_scrypt(h) && take_salt_and_digest(rest, radix64_plain, salt, h) &&
           h->digest_length == SHA256_BYTES;
}

/* 30 bits, the least significant characters first. */
static bool take_crypt_number(struct span *rest, uint32_t *ret_number)
{
    uint32_t number = 0;
    if (rest->length < CRYPT_NUMBER_LENGTH) {
        return false;
    }
    for (unsigned i = 0; i < CRYPT_NUMBER_LENGTH; i++) {
        int value = radix64_value(radix64_crypt, rest->data[i]);
        if (value < 0) {
            return false;
        }
        number |= (uint32_t)value << (6 * i);
    }
    *rest = span_from(*rest, CRYPT_NUMBER_LENGTH);
    *ret_number = number;
    return true;
}

/* $7$ | N r.... p.... <salt>$<digest>, without the spaces */
static bool parse_crypt_scrypt(struct span rest, struct format_hash *h)
{
    int cost = rest.length > 0 ? radix64_value(radix64_crypt, rest.data[0]) : -1;
    struct span after = span_from(rest, 1);
    if (cost < 0 || !take_crypt_number(&after, &h->block) ||
        !take_crypt_number(&after, &h->lanes)) {
        return false;
    }
    h->cost = (unsigned)cost;
    return is_scrypt(h) && check_crypt_end(after, CRYPT_SALT_MAX, CRYPT_SHA256_LENGTH);
}

/* $y$j | N r $<salt>$<digest>, without the spaces. N and r of one character each, counted from 1,
 * hold all that is within the bounds; what would follow them (p, t, g, a ROM) nobody writes. */
static bool parse_yescrypt(struct span rest, struct format_hash *h)
{
    if (rest.length < 3 || rest.data[2] != '$') {
        return false;
    }
    int cost = radix64_value(radix64_crypt, rest.data[0]);
    int block = radix64_value(radix64_crypt, rest.data[1]);
    if (cost < 0 || cost > CRYPT_DIGIT_WHOLE || block < 0 || block > CRYPT_DIGIT_WHOLE) {
        return false;
    }
    h->cost = (unsigned)cost + 1;
    h->block = (uint32_t)block + 1;
    h->lanes = 1;
    struct span end = span_from(rest, 3);
    return h->cost >= YESCRYPT_LOG_N_MIN && is_scrypt(h) &&
           is_crypt_text(span_slice(end, 0, span_find(end, '$'))) &&
           check_crypt_end(end, CRYPT_SALT_MAX, CRYPT_SHA256_LENGTH);
}

/* $6$ | [rounds=5000$]<salt>$<digest> */
static bool parse_sha512_crypt(struct span rest, struct format_hash *h)
{
    const struct range rounds = { FORMAT_SHA512_ROUNDS_MIN, FORMAT_SHA512_ROUNDS_MAX };
    h->rounds = SHA512_ROUNDS_DEFAULT;
    if (span_starts(rest, SPAN("rounds=")) &&
        !take_number(&rest, SPAN("rounds="), '$', rounds, &h->rounds)) {
        return false;
    }
    return check_crypt_end(rest, SHA512_SALT_MAX, CRYPT_SHA512_LENGTH);
}

static const struct range pbkdf2_rounds = { 1, FORMAT_PBKDF2_ROUNDS_MAX };

/* $pbkdf2-sha256$ | 29000$<salt>$<digest> */
static bool parse_pbkdf2(struct span rest, struct format_hash *h)
{
    const struct range salt = { 1, FORMAT_SALT_MAX };
    size_t length = h->scheme == FORMAT_PBKDF2_SHA512 ? SHA512_BYTES : SHA256_BYTES;
    return take_number(&rest, SPAN(""), '$', pbkdf2_rounds, &h->rounds) &&
           take_salt_and_digest(rest, radix64_passlib, salt, h) && h->digest_length == length;
}

/* pbkdf2_sha256$ | 600000$<salt, as it is>$<digest> */
static bool parse_django(struct span rest, struct format_hash *h)
{
    struct span salt;
    if (!take_number(&rest, SPAN(""), '$', pbkdf2_rounds, &h->rounds) ||
        !span_split(&rest, '$', &salt) || salt.length == 0 || salt.length > FORMAT_SALT_MAX) {
        return false;
    }
    for (size_t i = 0; i < salt.length; i++) {
        if (salt.data[i] <= ' ' || salt.data[i] > '~') {
            return false;
        }
    }
    memcpy(h->salt, salt.data, salt.length);
    h->salt_length = salt.length;
    return span_from_base64(rest, h->digest, SHA256_BYTES, &h->digest_length) &&
           h->digest_length == SHA256_BYTES;
}

static const struct {
    const char *prefix;
    enum format_scheme scheme;
    bool (*parse)(struct span rest, struct format_hash *h);
} forms[] = {
    { "$argon2id$v=19$", FORMAT_ARGON2ID, parse_argon2 },
    { "$argon2i$v=19$", FORMAT_ARGON2I, parse_argon2 },
    { "$scrypt$", FORMAT_SCRYPT, parse_scrypt },
    { "$7$", FORMAT_SCRYPT_CRYPT, parse_crypt_scrypt },
    { "$pbkdf2-sha256$", FORMAT_PBKDF2_SHA256, parse_pbkdf2 },
    { "$pbkdf2-sha512$", FORMAT_PBKDF2_SHA512, parse_pbkdf2 },
    { "pbkdf2_sha256$", FORMAT_DJANGO_PBKDF2_SHA256, parse_django },
    { "$y$j", FORMAT_YESCRYPT, parse_yescrypt },
    { "$6$", FORMAT_SHA512_CRYPT, parse_sha512_crypt },
};

bool foreign_parse(struct span text, struct format_hash *h)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct span prefix = span_of(forms[i].prefix);
        if (span_starts(text, prefix)) {
            h->scheme = forms[i].scheme;
            return forms[i].parse(span_from(text, prefix.length), h);
        }
    }
    return false;
}

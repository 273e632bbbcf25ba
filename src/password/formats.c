/* formats.c - bcrypt's texts, what new hashes are, and what any may cost. */
#include "formats.h"

#include "foreign.h"
#include "radix64.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum {
    SALT_LENGTH = RADIX64_LENGTH(LANE_SALT_BYTES),
    DIGEST_LENGTH = RADIX64_LENGTH(LANE_DIGEST_BYTES),
    PREFIX_LENGTH = 7, /* $2b$12$ */
    SHA256_BYTES = 32,
    ARGON2_DIGEST_BYTES = 32, /* of new ones */
};

/* ---- parsing ---- */

static bool take_digest(struct span text, struct format_hash *h)
{
    return text.length == DIGEST_LENGTH &&
           radix64_decode(radix64_bcrypt, text, h->digest, LANE_DIGEST_BYTES, &h->digest_length) &&
           h->digest_length == LANE_DIGEST_BYTES;
}

static bool take_salt(struct span text, struct format_hash *h)
{
    return text.length == SALT_LENGTH &&
           radix64_decode(radix64_bcrypt, text, h->salt, LANE_SALT_BYTES, &h->salt_length) &&
           h->salt_length == LANE_SALT_BYTES;
}

/* 22 characters hold four bits more than the salt has. bcrypt itself ignores them, and some
 * libraries of old left them as they came. */
static bool take_loose_salt(struct span text, struct format_hash *h)
{
    char clean[SALT_LENGTH];
    if (text.length != SALT_LENGTH) {
        return false;
    }
    memcpy(clean, text.data, SALT_LENGTH);
    int last = radix64_value(radix64_bcrypt, clean[SALT_LENGTH - 1]);
    if (last < 0) {
        return false;
    }
    clean[SALT_LENGTH - 1] = radix64_bcrypt[(unsigned)last & 0x30];
    return take_salt((struct span){ clean, SALT_LENGTH }, h);
}

static bool take_cost(struct span text, struct format_hash *h)
{
    uint64_t cost = 0;
    if (!span_to_u64(text, FORMAT_COST_MAX, &cost) || cost < FORMAT_COST_MIN) {
        return false;
    }
    h->cost = (unsigned)cost;
    return true;
}

/* `text` begins with $2a$, $2b$ or $2y$. */
static bool parse_bcrypt(struct span text, struct format_hash *h)
{
    const size_t whole = PREFIX_LENGTH + SALT_LENGTH + DIGEST_LENGTH;
    h->scheme = FORMAT_BCRYPT;
    h->letter = text.data[2];
    return text.length == whole && text.data[PREFIX_LENGTH - 1] == '$' &&
           take_cost(span_slice(text, 4, 2), h) &&
           take_loose_salt(span_slice(text, PREFIX_LENGTH, SALT_LENGTH), h) &&
           take_digest(span_from(text, PREFIX_LENGTH + SALT_LENGTH), h);
}

static bool parse_bcrypt_sha256(struct span rest, struct format_hash *h)
{
    struct span rounds, salt;
    h->scheme = FORMAT_BCRYPT_SHA256;
    h->letter = 'b';
    if (!span_split(&rest, '$', &rounds) || !span_split(&rest, '$', &salt) || rest.data == NULL) {
        return false;
    }
    /* One cost, one text: no leading zeros. And the salt's text is the key of the HMAC, so that a
     * spelling with stray bits would be another salt. */
    return rounds.length > 0 && rounds.length <= 2 && rounds.data[0] != '0' &&
           take_cost(rounds, h) && take_salt(salt, h) && take_digest(rest, h);
}

static bool parse_any(struct span text, struct format_hash *h)
{
    const struct span sha256 = SPAN("$bcrypt-sha256$v=2,t=2b,r=");
    if (span_starts(text, SPAN("$2b$")) || span_starts(text, SPAN("$2a$")) ||
        span_starts(text, SPAN("$2y$"))) {
        return parse_bcrypt(text, h);
    }
    if (span_starts(text, sha256)) {
        return parse_bcrypt_sha256(span_from(text, sha256.length), h);
    }
    return foreign_parse(text, h);
}

static bool is_affordable(const struct format_hash *h, const struct format_limits *limits)
{
    uint64_t memory = format_memory_bytes(h);
    uint64_t steps = format_is_lanes(h) ? limits->bcrypt_steps : FORMAT_FOREIGN_STEPS_MAX;
    return format_steps(h) <= steps && memory <= limits->memory_bytes &&
           memory <= FORMAT_MEMORY_MAX;
}

bool format_parse(struct span text, const struct format_limits *limits,
                  struct format_hash *ret_hash)
{
    struct format_hash h = { 0 };
    if (text.length >= FORMAT_TEXT_MAX || !parse_any(text, &h) || !is_affordable(&h, limits)) {
        return false;
    }
    *ret_hash = h;
    return true;
}

bool format_is_lanes(const struct format_hash *h)
{
    return h->scheme == FORMAT_BCRYPT || h->scheme == FORMAT_BCRYPT_SHA256;
}

enum lane_minor format_minor(const struct format_hash *h)
{
    return h->letter == 'a' ? LANE_2A : LANE_2B;
}

/* ---- making ---- */

/* What a new hash of this password is, but for salt and digest. */
static struct format_hash form_for(struct span password, const struct format_policy *policy)
{
    if (policy->scheme == FORMAT_ARGON2ID) {
        return (struct format_hash){ .scheme = FORMAT_ARGON2ID,
                                     .rounds = policy->passes,
                                     .memory_kib = policy->memory_kib,
                                     .lanes = 1,
                                     .digest_length = ARGON2_DIGEST_BYTES };
    }
    INVARIANT(policy->scheme == FORMAT_BCRYPT);
    INVARIANT(policy->cost >= FORMAT_COST_MIN && policy->cost <= FORMAT_COST_MAX);
    return (struct format_hash){ .scheme = password.length <= LANE_KEY_MAX ? FORMAT_BCRYPT
                                                                           : FORMAT_BCRYPT_SHA256,
                                 .letter = 'b',
                                 .cost = policy->cost,
                                 .digest_length = LANE_DIGEST_BYTES };
}

void format_make(struct span password, const struct format_policy *policy,
                 const uint8_t salt[static FORMAT_SALT_BYTES], struct format_hash *ret_hash)
{
    struct format_hash h = form_for(password, policy);
    memcpy(h.salt, salt, FORMAT_SALT_BYTES);
    h.salt_length = FORMAT_SALT_BYTES;
    *ret_hash = h;
}

static int print_argon2id(const struct format_hash *h, char out[static FORMAT_TEXT_MAX])
{
    char salt[RADIX64_LENGTH(FORMAT_SALT_MAX) + 1];
    char digest[RADIX64_LENGTH(FORMAT_DIGEST_MAX) + 1];
    radix64_encode(radix64_plain, h->salt, h->salt_length, salt);
    radix64_encode(radix64_plain, h->digest, h->digest_length, digest);
    return snprintf(out, FORMAT_TEXT_MAX, "$argon2id$v=19$m=%u,t=%u,p=%u$%s$%s",
                    (unsigned)h->memory_kib, (unsigned)h->rounds, (unsigned)h->lanes, salt, digest);
}

static int print_bcrypt(const struct format_hash *h, char out[static FORMAT_TEXT_MAX])
{
    char salt[SALT_LENGTH + 1];
    char digest[DIGEST_LENGTH + 1];
    radix64_encode(radix64_bcrypt, h->salt, LANE_SALT_BYTES, salt);
    radix64_encode(radix64_bcrypt, h->digest, LANE_DIGEST_BYTES, digest);
    if (h->scheme == FORMAT_BCRYPT) {
        return snprintf(out, FORMAT_TEXT_MAX, "$2%c$%02u$%s%s", h->letter, h->cost, salt, digest);
    }
    return snprintf(out, FORMAT_TEXT_MAX, "$bcrypt-sha256$v=2,t=2b,r=%u$%s$%s", h->cost, salt,
                    digest);
}

size_t format_text(const struct format_hash *h, char out[static FORMAT_TEXT_MAX])
{
    INVARIANT(format_is_lanes(h) || h->scheme == FORMAT_ARGON2ID);
    int length = format_is_lanes(h) ? print_bcrypt(h, out) : print_argon2id(h, out);
    INVARIANT(length > 0 && length < FORMAT_TEXT_MAX);
    return (size_t)length;
}

bool format_is_current(const struct format_hash *h, struct span password,
                       const struct format_policy *policy)
{
    const struct format_hash now = form_for(password, policy);
    return h->scheme == now.scheme && h->letter == now.letter && h->cost == now.cost &&
           h->rounds == now.rounds && h->memory_kib == now.memory_kib && h->lanes == now.lanes &&
           h->salt_length == FORMAT_SALT_BYTES && h->digest_length == now.digest_length;
}

/* ---- keys ---- */

bool format_covers(const struct format_hash *h, struct span password)
{
    switch (h->scheme) {
    case FORMAT_BCRYPT:
        return password.length <= LANE_KEY_MAX;
    case FORMAT_SCRYPT_CRYPT:
    case FORMAT_YESCRYPT:
    case FORMAT_SHA512_CRYPT:
        return password.length <= FORMAT_CRYPT_PASSWORD_MAX;
    case FORMAT_BCRYPT_SHA256:
    case FORMAT_ARGON2ID:
    case FORMAT_ARGON2I:
    case FORMAT_SCRYPT:
    case FORMAT_PBKDF2_SHA256:
    case FORMAT_PBKDF2_SHA512:
    case FORMAT_DJANGO_PBKDF2_SHA256:
        return true;
    }
    return false;
}

/* base64(HMAC-SHA-256(salt text, password)): 44 characters without NUL, so that bcrypt reads all of
 * it; the salt in it keeps a leaked plain SHA-256 of the password from being tried as a password.
 */
static enum err prehash(const struct format_hash *h, struct span password,
                        char ret_key[static LANE_KEY_MAX + 1])
{
    char salt[SALT_LENGTH + 1];
    uint8_t mac[SHA256_BYTES];
    size_t length = 0;
    radix64_encode(radix64_bcrypt, h->salt, LANE_SALT_BYTES, salt);
    crypto_begin();
    bool done = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, salt, SALT_LENGTH,
                          (const uint8_t *)password.data, password.length, mac, sizeof(mac),
                          &length) != NULL &&
                length == sizeof(mac);
    if (done) {
        EVP_EncodeBlock((unsigned char *)ret_key, mac, (int)sizeof(mac));
    }
    secret_wipe(mac, sizeof(mac));
    return crypto_result(done);
}

enum err format_key(const struct format_hash *h, struct span password,
                    char ret_key[static LANE_KEY_MAX + 1])
{
    INVARIANT(format_is_lanes(h));
    if (h->scheme == FORMAT_BCRYPT_SHA256) {
        /* OpenSSL takes no NULL, which an empty span may hold. */
        return prehash(h, password.length > 0 ? password : SPAN(""), ret_key);
    }
    size_t length = password.length <= LANE_KEY_MAX ? password.length : LANE_KEY_MAX;
    if (length > 0) {
        memcpy(ret_key, password.data, length);
    }
    ret_key[length] = '\0';
    return ERR_OK;
}

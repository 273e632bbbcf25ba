/* formats.c - strict parsing and writing of stored hashes. */
#include "formats.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { SALT_LENGTH = 22, PREFIX_LENGTH = 7, SHA256_BYTES = 32 };

static const char bcrypt_alphabet[] =
    "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/* 22 characters hold 132 bits, a salt 128: with the last four clear only these end one. */
static const char salt_ends[] = ".Oeu";

static bool is_bcrypt_base64(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\0' || strchr(bcrypt_alphabet, text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Salt and digest, into the setting and the digest of `h`, whose scheme and cost are known. */
static bool take_salt_and_digest(struct span salt, struct span digest, const char *version,
                                 struct format_hash *h)
{
    if (salt.length != SALT_LENGTH || digest.length != KERNEL_DIGEST_LENGTH ||
        !is_bcrypt_base64(salt) || !is_bcrypt_base64(digest) || h->cost < FORMAT_COST_MIN ||
        h->cost > FORMAT_COST_MAX) {
        return false;
    }
    snprintf(h->setting, sizeof(h->setting), "$%.2s$%02u$%.*s", version, h->cost % 100,
             SPAN_FMT(salt));
    memcpy(h->digest, digest.data, KERNEL_DIGEST_LENGTH);
    return true;
}

static bool parse_bcrypt(struct span text, struct format_hash *h)
{
    uint64_t cost = 0;
    if (text.length != KERNEL_SETTING_LENGTH + KERNEL_DIGEST_LENGTH || text.data[6] != '$' ||
        !span_to_u64(span_slice(text, 4, 2), FORMAT_COST_MAX, &cost)) {
        return false;
    }
    h->scheme = FORMAT_BCRYPT;
    h->cost = (unsigned)cost;
    return take_salt_and_digest(span_slice(text, PREFIX_LENGTH, SALT_LENGTH),
                                span_from(text, KERNEL_SETTING_LENGTH), text.data + 1, h);
}

static bool parse_bcrypt_sha256(struct span text, struct span prefix, struct format_hash *h)
{
    struct span rest = span_from(text, prefix.length);
    struct span rounds, salt;
    uint64_t cost = 0;
    if (!span_split(&rest, '$', &rounds) || !span_split(&rest, '$', &salt) || rest.data == NULL) {
        return false;
    }
    /* One cost, one text: no leading zeros. */
    if (rounds.length > 2 || !span_to_u64(rounds, FORMAT_COST_MAX, &cost) ||
        rounds.data[0] == '0') {
        return false;
    }
    /* The salt's text is the key of the HMAC, so a spelling with stray bits is another salt. */
    if (salt.length != SALT_LENGTH || strchr(salt_ends, salt.data[SALT_LENGTH - 1]) == NULL) {
        return false;
    }
    h->scheme = FORMAT_BCRYPT_SHA256;
    h->cost = (unsigned)cost;
    return take_salt_and_digest(salt, rest, "2b", h);
}

bool format_parse(struct span text, struct format_hash *ret_hash)
{
    const struct span sha256 = SPAN("$bcrypt-sha256$v=2,t=2b,r=");
    struct format_hash h = { 0 };
    bool good = false;
    if (span_starts(text, SPAN("$2b$")) || span_starts(text, SPAN("$2a$")) ||
        span_starts(text, SPAN("$2y$"))) {
        good = parse_bcrypt(text, &h);
    } else if (span_starts(text, sha256)) {
        good = parse_bcrypt_sha256(text, sha256, &h);
    }
    if (good) {
        *ret_hash = h;
    }
    return good;
}

static void encode_salt(const uint8_t salt[static FORMAT_SALT_BYTES],
                        char out[static SALT_LENGTH + 1])
{
    unsigned held = 0;
    unsigned held_bits = 0;
    size_t length = 0;
    for (size_t i = 0; i < FORMAT_SALT_BYTES; i++) {
        held = (held << 8) | salt[i];
        held_bits += 8;
        while (held_bits >= 6) {
            held_bits -= 6;
            out[length++] = bcrypt_alphabet[(held >> held_bits) & 63];
        }
    }
    out[length++] = bcrypt_alphabet[(held << (6 - held_bits)) & 63];
    INVARIANT(length == SALT_LENGTH);
    out[length] = '\0';
}

static enum format_scheme scheme_for(struct span password)
{
    return password.length <= KERNEL_KEY_MAX ? FORMAT_BCRYPT : FORMAT_BCRYPT_SHA256;
}

void format_make(struct span password, unsigned cost, const uint8_t salt[static FORMAT_SALT_BYTES],
                 struct format_hash *ret_hash)
{
    char salt_text[SALT_LENGTH + 1];
    encode_salt(salt, salt_text);
    *ret_hash = (struct format_hash){ .scheme = scheme_for(password), .cost = cost };
    snprintf(ret_hash->setting, sizeof(ret_hash->setting), "$2b$%02u$%s", cost % 100, salt_text);
}

size_t format_text(const struct format_hash *h, char out[static FORMAT_TEXT_MAX])
{
    const char *salt = h->setting + PREFIX_LENGTH;
    int length = 0;
    switch (h->scheme) {
    case FORMAT_BCRYPT:
        length =
            snprintf(out, FORMAT_TEXT_MAX, "%s%.*s", h->setting, KERNEL_DIGEST_LENGTH, h->digest);
        break;
    case FORMAT_BCRYPT_SHA256:
        length = snprintf(out, FORMAT_TEXT_MAX, "$bcrypt-sha256$v=2,t=2b,r=%u$%s$%.*s", h->cost,
                          salt, KERNEL_DIGEST_LENGTH, h->digest);
        break;
    }
    INVARIANT(length > 0 && length < FORMAT_TEXT_MAX);
    return (size_t)length;
}

bool format_is_current(const struct format_hash *h, struct span password, unsigned cost)
{
    return h->scheme == scheme_for(password) && h->cost == cost && h->setting[2] == 'b';
}

bool format_covers(const struct format_hash *h, struct span password)
{
    return h->scheme == FORMAT_BCRYPT_SHA256 || password.length <= KERNEL_KEY_MAX;
}

/* base64(HMAC-SHA-256(salt text, password)): 44 characters without NUL, so that bcrypt reads all of
 * it; the salt in it keeps a leaked plain SHA-256 of the password from being tried as a password.
 */
static enum err prehash(const struct format_hash *h, struct span password,
                        char ret_key[static KERNEL_KEY_MAX + 1])
{
    uint8_t mac[SHA256_BYTES];
    size_t length = 0;
    bool done = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, h->setting + PREFIX_LENGTH,
                          SALT_LENGTH, (const uint8_t *)password.data, password.length, mac,
                          sizeof(mac), &length) != NULL &&
                length == sizeof(mac);
    if (done) {
        EVP_EncodeBlock((unsigned char *)ret_key, mac, (int)sizeof(mac));
    }
    secret_wipe(mac, sizeof(mac));
    return done ? ERR_OK : ERR_INTERNAL;
}

enum err format_key(const struct format_hash *h, struct span password,
                    char ret_key[static KERNEL_KEY_MAX + 1])
{
    if (h->scheme == FORMAT_BCRYPT_SHA256) {
        /* OpenSSL takes no NULL, which an empty span may hold. */
        return prehash(h, password.length > 0 ? password : SPAN(""), ret_key);
    }
    size_t length = password.length <= KERNEL_KEY_MAX ? password.length : KERNEL_KEY_MAX;
    if (length > 0) {
        memcpy(ret_key, password.data, length);
    }
    ret_key[length] = '\0';
    return ERR_OK;
}

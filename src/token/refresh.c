/* refresh.c - refresh tokens: fields and a MAC, so that one can be recomputed but not guessed.
 *
 *   base64url(version 1 | master-key id 4 | session id 16 | counter 8, big-endian | HMAC-SHA-256
 * 32)
 *
 * The MAC covers all before it. The version byte is 1 here and in no other text that is made with
 * the same key. */
#include "ring.h"

#include <openssl/evp.h>
#include <string.h>

enum {
    VERSION = 1,
    ID_AT = 1,
    SESSION_AT = ID_AT + MASTER_ID_BYTES,
    COUNTER_AT = SESSION_AT + UUID_BYTES,
    MAC_AT = COUNTER_AT + 8,
    MAC_BYTES = 32,
    BYTES = MAC_AT + MAC_BYTES,
    LENGTH = (BYTES * 4 + 2) / 3
};

struct span token_master_id(const struct tokens *t)
{
    return span_of(t->masters.list[0].id_text);
}

static enum err make_mac(const struct master *m, const uint8_t bytes[static MAC_AT],
                         uint8_t mac[static MAC_BYTES])
{
    size_t length = 0;
    crypto_begin();
    EVP_MAC_CTX *copy = EVP_MAC_CTX_dup(m->refresh_mac);
    bool done = copy != NULL && EVP_MAC_update(copy, bytes, MAC_AT) == 1 &&
                EVP_MAC_final(copy, mac, &length, MAC_BYTES) == 1 && length == MAC_BYTES;
    EVP_MAC_CTX_free(copy);
    return crypto_result(done);
}

enum err token_refresh_make(const struct tokens *t, const struct token_refresh *fields,
                            struct arena *a, struct span *ret_token)
{
    uint8_t bytes[BYTES] = { VERSION };
    char text[LENGTH + 1];
    const struct master *m = masters_find_text(&t->masters, fields->master_key);
    if (m == NULL) {
        return ERR_INVALID_REFRESH;
    }
    INVARIANT(fields->counter >= 0);
    memcpy(bytes + ID_AT, m->id, MASTER_ID_BYTES);
    memcpy(bytes + SESSION_AT, fields->session_id.bytes, UUID_BYTES);
    for (int i = 0; i < 8; i++) {
        bytes[COUNTER_AT + i] = (uint8_t)((uint64_t)fields->counter >> (56 - 8 * i));
    }
    TRY(make_mac(m, bytes, bytes + MAC_AT));
    size_t length = span_base64url((struct span){ (const char *)bytes, BYTES }, text);
    INVARIANT(length == LENGTH);
    return arena_copy(a, (struct span){ text, length }, ret_token);
}

static enum err check_mac(const struct master *m, const uint8_t bytes[static BYTES])
{
    uint8_t mac[MAC_BYTES];
    TRY(make_mac(m, bytes, mac));
    bool equal = secret_equal((struct span){ (const char *)mac, MAC_BYTES },
                              (struct span){ (const char *)bytes + MAC_AT, MAC_BYTES });
    secret_wipe(mac, sizeof(mac));
    return equal ? ERR_OK : ERR_INVALID_REFRESH;
}

enum err token_refresh_parse(const struct tokens *t, struct span token, struct arena *a,
                             struct token_refresh *ret_fields)
{
    uint8_t bytes[BYTES];
    size_t length = 0;
    if (token.length != LENGTH || !span_from_base64url(token, bytes, sizeof(bytes), &length) ||
        length != BYTES || bytes[0] != VERSION) {
        return ERR_INVALID_REFRESH;
    }
    const struct master *m = masters_find(&t->masters, bytes + ID_AT);
    if (m == NULL) {
        return ERR_INVALID_REFRESH;
    }
    TRY(check_mac(m, bytes));
    struct token_refresh fields = { 0 };
    uint64_t counter = 0;
    for (int i = 0; i < 8; i++) {
        counter = counter << 8 | bytes[COUNTER_AT + i];
    }
    fields.counter = (int64_t)counter;
    memcpy(fields.session_id.bytes, bytes + SESSION_AT, UUID_BYTES);
    TRY(arena_copy(a, span_of(m->id_text), &fields.master_key));
    *ret_fields = fields;
    return ERR_OK;
}

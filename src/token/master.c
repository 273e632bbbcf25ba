/* master.c - HKDF and AES-256-GCM around the master keys. */
#include "master.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>

enum {
    VERSION = 1,
    HEAD_BYTES = 1 + MASTER_ID_BYTES,
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    OVERHEAD = HEAD_BYTES + NONCE_BYTES + TAG_BYTES
};
_Static_assert(MASTER_ID_LENGTH == 2 * MASTER_ID_BYTES, "two digits a byte");

/* HKDF-SHA-256 without salt: the master keys are uniformly random already. */
static enum err derive(struct span raw, const char *info, uint8_t *out, size_t length)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)raw.data, raw.length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, strlen(info)),
        OSSL_PARAM_construct_end(),
    };
    bool done = context != NULL && EVP_KDF_derive(context, out, length, parameters) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done ? ERR_OK : ERR_INTERNAL;
}

static void write_id(const uint8_t id[MASTER_ID_BYTES], char text[static MASTER_ID_LENGTH + 1])
{
    for (size_t i = 0; i < MASTER_ID_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    }
}

/* HMAC() would look its methods up by name, under locks, at each call. */
static enum err open_mac(const uint8_t key[static MASTER_KEY_BYTES], EVP_MAC_CTX **ret_mac)
{
    EVP_MAC *method = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = method == NULL ? NULL : EVP_MAC_CTX_new(method);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool done = mac != NULL && EVP_MAC_init(mac, key, MASTER_KEY_BYTES, parameters) == 1;
    EVP_MAC_free(method); /* the context has its own reference */
    if (!done) {
        EVP_MAC_CTX_free(mac);
        return ERR_INTERNAL;
    }
    *ret_mac = mac;
    return ERR_OK;
}

static enum err derive_mac(struct master *m, struct span raw)
{
    uint8_t key[MASTER_KEY_BYTES];
    TRY(derive(raw, "refresh", key, sizeof(key)));
    enum err e = open_mac(key, &m->refresh_mac);
    secret_wipe(key, sizeof(key));
    return e;
}

static enum err derive_all(struct master *m, struct span raw)
{
    TRY(derive(raw, "id", m->id, sizeof(m->id)));
    TRY(derive(raw, "wrap", m->wrap_key, sizeof(m->wrap_key)));
    write_id(m->id, m->id_text);
    return derive_mac(m, raw);
}

enum err masters_init(struct masters *m, const struct span *raw, size_t count)
{
    *m = (struct masters){ 0 };
    if (count == 0 || count > TOKEN_MASTER_MAX) {
        return ERR_CONFIG;
    }
    for (size_t i = 0; i < count; i++) {
        struct master *next = &m->list[i];
        if (raw[i].length != TOKEN_MASTER_BYTES) {
            return ERR_CONFIG;
        }
        TRY(derive_all(next, raw[i]));
        bool is_known = masters_find(m, next->id) != NULL;
        m->count++;
        if (is_known) {
            return ERR_CONFIG;
        }
    }
    return derive(raw[0], "names", m->names_key, sizeof(m->names_key));
}

void masters_done(struct masters *m)
{
    for (size_t i = 0; i < m->count; i++) {
        EVP_MAC_CTX_free(m->list[i].refresh_mac);
    }
    secret_wipe(m, sizeof(*m));
}

const struct master *masters_find(const struct masters *m, const uint8_t id[MASTER_ID_BYTES])
{
    for (size_t i = 0; i < m->count; i++) {
        if (memcmp(m->list[i].id, id, MASTER_ID_BYTES) == 0) {
            return &m->list[i];
        }
    }
    return NULL;
}

const struct master *masters_find_text(const struct masters *m, struct span id_text)
{
    for (size_t i = 0; i < m->count; i++) {
        if (span_equal(span_of(m->list[i].id_text), id_text)) {
            return &m->list[i];
        }
    }
    return NULL;
}

/* ---- wrapping ---- */

/* One box: where its parts lie, in the order of the bytes. */
struct box {
    uint8_t *head, *nonce, *cipher, *tag;
    size_t length; /* of the cipher text, and of the plain text */
};

static struct box box_in(uint8_t *bytes, size_t plain_length)
{
    return (struct box){ .head = bytes,
                         .nonce = bytes + HEAD_BYTES,
                         .cipher = bytes + HEAD_BYTES + NONCE_BYTES,
                         .tag = bytes + HEAD_BYTES + NONCE_BYTES + plain_length,
                         .length = plain_length };
}

static bool authenticate(EVP_CIPHER_CTX *c, const struct box *b, struct span kid)
{
    int used = 0;
    return EVP_CipherUpdate(c, NULL, &used, b->head, HEAD_BYTES) == 1 &&
           EVP_CipherUpdate(c, NULL, &used, (const uint8_t *)kid.data, (int)kid.length) == 1;
}

static bool seal(EVP_CIPHER_CTX *c, const struct master *m, const struct box *b, struct span kid,
                 const uint8_t *plain)
{
    int used = 0;
    return EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, m->wrap_key, b->nonce) == 1 &&
           authenticate(c, b, kid) &&
           EVP_EncryptUpdate(c, b->cipher, &used, plain, (int)b->length) == 1 &&
           EVP_EncryptFinal_ex(c, b->tag, &used) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, b->tag) == 1;
}

static bool unseal(EVP_CIPHER_CTX *c, const struct master *m, const struct box *b, struct span kid,
                   uint8_t *plain)
{
    int used = 0;
    return EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, m->wrap_key, b->nonce) == 1 &&
           authenticate(c, b, kid) &&
           EVP_DecryptUpdate(c, plain, &used, b->cipher, (int)b->length) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, b->tag) == 1 &&
           EVP_DecryptFinal_ex(c, plain + used, &used) == 1;
}

enum err masters_wrap(const struct masters *m, struct span kid, struct span plain, struct arena *a,
                      struct span *ret_wrapped)
{
    INVARIANT(plain.length > 0 && plain.length <= MASTER_WRAP_MAX);
    size_t length = plain.length + OVERHEAD;
    uint8_t *bytes = arena_get(a, length);
    char *text = arena_get(a, (length * 4 + 2) / 3 + 1);
    if (bytes == NULL || text == NULL) {
        return ERR_NOMEM;
    }
    const struct master *writer = &m->list[0];
    struct box b = box_in(bytes, plain.length);
    b.head[0] = VERSION;
    memcpy(b.head + 1, writer->id, MASTER_ID_BYTES);
    TRY(secret_random(b.nonce, NONCE_BYTES));
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool done = c != NULL && seal(c, writer, &b, kid, (const uint8_t *)plain.data);
    EVP_CIPHER_CTX_free(c);
    if (!done) {
        return ERR_INTERNAL;
    }
    size_t text_length = span_base64url((struct span){ (const char *)bytes, length }, text);
    *ret_wrapped = (struct span){ text, text_length };
    return ERR_OK;
}

static enum err unwrap_bytes(const struct masters *m, struct span kid, uint8_t *bytes,
                             size_t length, struct secret **ret_plain)
{
    if (length <= OVERHEAD || bytes[0] != VERSION) {
        return ERR_CONFIG;
    }
    const struct master *writer = masters_find(m, bytes + 1);
    if (writer == NULL) {
        return ERR_CONFIG;
    }
    struct box b = box_in(bytes, length - OVERHEAD);
    struct secret *plain = secret_new(b.length);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (plain == NULL || c == NULL) {
        secret_free(plain);
        EVP_CIPHER_CTX_free(c);
        return ERR_NOMEM;
    }
    bool done = unseal(c, writer, &b, kid, plain->bytes);
    EVP_CIPHER_CTX_free(c);
    if (!done) {
        secret_free(plain);
        return ERR_CONFIG;
    }
    *ret_plain = plain;
    return ERR_OK;
}

enum err masters_unwrap(const struct masters *m, struct span kid, struct span wrapped,
                        struct secret **ret_plain)
{
    uint8_t bytes[MASTER_WRAP_MAX + OVERHEAD];
    size_t length = 0;
    if (!span_from_base64url(wrapped, bytes, sizeof(bytes), &length)) {
        return ERR_CONFIG;
    }
    return unwrap_bytes(m, kid, bytes, length, ret_plain);
}

bool masters_wrote(const struct masters *m, struct span wrapped,
                   char ret_id[static MASTER_ID_LENGTH + 1])
{
    uint8_t bytes[MASTER_WRAP_MAX + OVERHEAD];
    size_t length = 0;
    ret_id[0] = '\0';
    if (!span_from_base64url(wrapped, bytes, sizeof(bytes), &length) || length <= OVERHEAD ||
        bytes[0] != VERSION) {
        return false;
    }
    write_id(bytes + 1, ret_id);
    return masters_find(m, bytes + 1) != NULL;
}

/* names.c - keyed hashes of names that strangers typed. */
#include "ring.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum err token_name_hash(const struct tokens *t, struct span name,
                         uint8_t ret_hash[static TOKEN_NAME_HASH_BYTES])
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    crypto_begin();
    const uint8_t *done = HMAC(EVP_sha256(), t->masters.names_key, sizeof(t->masters.names_key),
                               (const uint8_t *)name.data, name.length, mac, &length);
    TRY(crypto_result(done != NULL && length >= TOKEN_NAME_HASH_BYTES));
    memcpy(ret_hash, mac, TOKEN_NAME_HASH_BYTES);
    return ERR_OK;
}

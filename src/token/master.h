/* master.h - the master keys: what is derived from them, and wrapping private keys with them.
 *
 *   wrapped = base64url(version 1 | master-key id 4 | nonce 12 | ciphertext | tag 16)
 *   AES-256-GCM under HKDF(master key, "wrap"); version, id and kid are authenticated with it
 *
 * Threads:   any; the masters do not change after birth.
 * Ownership: results as said; plain texts are struct secret.
 * Failure:   ERR_CONFIG when nothing opens it; ERR_INTERNAL when OpenSSL fails. */
#ifndef DOORWARD_TOKEN_MASTER_H
#define DOORWARD_TOKEN_MASTER_H

#include "token.h"

#include <openssl/types.h>

#define MASTER_ID_BYTES  4
#define MASTER_ID_LENGTH TOKEN_MASTER_ID_LENGTH /* as hexadecimal text */
#define MASTER_KEY_BYTES 32
#define MASTER_WRAP_MAX  4096 /* plain text; a 3072-bit RSA key takes about 2500 */

struct master {
    uint8_t id[MASTER_ID_BYTES];
    char id_text[MASTER_ID_LENGTH + 1];
    uint8_t wrap_key[MASTER_KEY_BYTES];
    EVP_MAC_CTX *refresh_mac; /* has its key; copied for each use */
};
struct masters {
    struct master list[TOKEN_MASTER_MAX]; /* the first writes */
    size_t count;
    uint8_t names_key[MASTER_KEY_BYTES]; /* of the first */
};

/* ERR_CONFIG: none, too many, another length, or two with one id. */
MUST_CHECK enum err masters_init(struct masters *m, const struct span *raw, size_t count);
void masters_done(struct masters *m); /* wipes; also after a failed masters_init() */
/* NULL: not there. */
const struct master *masters_find(const struct masters *m, const uint8_t id[MASTER_ID_BYTES]);
const struct master *masters_find_text(const struct masters *m, struct span id_text);

MUST_CHECK enum err masters_wrap(const struct masters *m, struct span kid, struct span plain,
                                 struct arena *a, struct span *ret_wrapped);
/* The caller owns *ret_plain: secret_free(). */
MUST_CHECK enum err masters_unwrap(const struct masters *m, struct span kid, struct span wrapped,
                                   struct secret **ret_plain);
/* The id of who wrapped it, as text, "" for what is no wrapped key; whether it is one of these. */
bool masters_wrote(const struct masters *m, struct span wrapped,
                   char ret_id[static MASTER_ID_LENGTH + 1]);

#endif

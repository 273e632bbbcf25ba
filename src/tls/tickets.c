/* tickets.c - the keys that seal session tickets (RFC 5077, 4; RFC 8446, 4.6.1).
 *
 *   random -> newest: seals and opens -> before: opens -> wiped     each step after TICKET_KEY_S
 *
 * Who learns a key can read the sessions of TLS 1.2 whose tickets it sealed, so none lives long,
 * and none leaves the process. The keys are ours and not the SSL_CTX's own: those can be changed
 * only while no handshake reads them, and OpenSSL 3.0 looks their ciphers up by name for every
 * ticket.
 */
#include "tls_internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TICKET_KEY_MS (TLS_TICKET_KEY_S * INT64_C(1000))

#define NAME_BYTES 16 /* OpenSSL's */
#define KEY_BYTES  32

struct ticket_key {
    uint8_t name[NAME_BYTES];
    uint8_t cipher[KEY_BYTES];
    uint8_t mac[KEY_BYTES];
};

struct tls_tickets {
    /* fixed */
    const struct clock *clock;
    EVP_CIPHER *cipher;
    pthread_mutex_t lock; /* held to copy or exchange keys: 80 bytes a handshake */
    /* under the lock */
    struct ticket_key newest;
    struct ticket_key before;
    int64_t since_ms;
};

/* What OpenSSL wants to hear of a ticket. */
enum { FAILED = -1, UNKNOWN = 0, GOOD = 1, RENEW = 2 };

/* No ticket has the name of a key that has sealed none. */
static enum err renew(struct tls_tickets *t, int64_t now_ms)
{
    struct ticket_key keys[2];
    TRY(secret_random(keys, sizeof(keys)));
    t->before = now_ms - t->since_ms < 2 * TICKET_KEY_MS ? t->newest : keys[1];
    t->newest = keys[0];
    t->since_ms = now_ms;
    secret_wipe(keys, sizeof(keys));
    return ERR_OK;
}

/* A clock that went back does not tell how long the key has been there: long enough. */
static enum err renew_if_due(struct tls_tickets *t)
{
    int64_t now_ms = clock_now_ms(t->clock);
    int64_t age_ms = now_ms - t->since_ms;
    return age_ms >= 0 && age_ms < TICKET_KEY_MS ? ERR_OK : renew(t, now_ms);
}

/* The newest key to seal with, or the one that is named, to open with. */
static int choose(struct tls_tickets *t, bool sealing, const unsigned char *name,
                  struct ticket_key *ret_key)
{
    if (renew_if_due(t) != ERR_OK) {
        return FAILED;
    }
    if (sealing || memcmp(name, t->newest.name, NAME_BYTES) == 0) {
        *ret_key = t->newest;
        return GOOD;
    }
    if (memcmp(name, t->before.name, NAME_BYTES) == 0) {
        *ret_key = t->before;
        return RENEW;
    }
    return UNKNOWN;
}

static int take_key(struct tls_tickets *t, bool sealing, const unsigned char *name,
                    struct ticket_key *ret_key)
{
    INVARIANT(pthread_mutex_lock(&t->lock) == 0);
    int verdict = choose(t, sealing, name, ret_key);
    INVARIANT(pthread_mutex_unlock(&t->lock) == 0);
    return verdict;
}

static bool set_up(const struct tls_tickets *t, struct ticket_key *key, unsigned char *iv,
                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool sealing)
{
    static char digest[] = "SHA256";
    OSSL_PARAM of_mac[] = { OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac,
                                                              sizeof(key->mac)),
                            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                            OSSL_PARAM_construct_end() };
    return EVP_CipherInit_ex(cipher, t->cipher, NULL, key->cipher, iv, sealing) == 1 &&
           EVP_MAC_CTX_set_params(mac, of_mac) == 1;
}

static bool name_ticket(const struct tls_tickets *t, const struct ticket_key *key,
                        unsigned char *name, unsigned char *iv)
{
    memcpy(name, key->name, NAME_BYTES);
    return secret_random(iv, (size_t)EVP_CIPHER_get_iv_length(t->cipher)) == ERR_OK;
}

/* A ticket of TLS 1.3 is for one use, or who listens can tell that the same client comes back (RFC
 * 8446, C.4). Without another a client that keeps to that resumes only every second time. */
static int judge_ticket(const SSL *ssl, int verdict)
{
    return verdict == GOOD && SSL_version(ssl) >= TLS1_3_VERSION ? RENEW : verdict;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    int verdict = take_key(t, sealing == 1, name, &key);
    if (verdict <= UNKNOWN) {
        return verdict;
    }
    bool ready = (sealing == 0 || name_ticket(t, &key, name, iv)) &&
                 set_up(t, &key, iv, cipher, mac, sealing == 1);
    secret_wipe(&key, sizeof(key));
    if (!ready) {
        return FAILED;
    }
    return sealing == 1 ? GOOD : judge_ticket(ssl, verdict);
}

bool tls_tickets_serve(struct tls_tickets *t, SSL_CTX *ctx)
{
    (void)SSL_CTX_set_timeout(ctx, TLS_TICKET_KEY_S);
    return SSL_CTX_set_app_data(ctx, t) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}

enum err tls_tickets_new(const struct clock *clock, struct tls_tickets **ret_tickets)
{
    struct tls_tickets *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    INVARIANT(pthread_mutex_init(&t->lock, NULL) == 0);
    t->clock = clock;
    t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    t->since_ms = clock_now_ms(clock) - 2 * TICKET_KEY_MS;
    enum err e = t->cipher == NULL ? ERR_NOMEM : renew_if_due(t);
    if (e != ERR_OK) {
        tls_tickets_free(t);
        return e;
    }
    *ret_tickets = t;
    return ERR_OK;
}

void tls_tickets_free(struct tls_tickets *t)
{
    if (t == NULL) {
        return;
    }
    EVP_CIPHER_free(t->cipher);
    secret_wipe(&t->newest, sizeof(t->newest));
    secret_wipe(&t->before, sizeof(t->before));
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

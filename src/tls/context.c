/* context.c - the settings of TLS and the present certificate, exchanged whole on reload. */
#include "tls_internal.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct tls_context {
    /* fixed */
    char *cert_path;
    char *key_path;
    size_t session_cache;
    struct tls_tickets *tickets; /* the same for every certificate: resumption outlives a reload */
    /* of the thread that reloads */
    struct tls_file_mark cert_mark;
    struct tls_file_mark key_mark;
    /* any thread */
    pthread_mutex_t lock; /* held only to read or exchange the pointer */
    SSL_CTX *current;
    _Atomic int64_t expires_at_ms;
};

/* Forward secrecy and AEAD only (RFC 9325, 4.2); TLS 1.3's own list has nothing else. AES-128 comes
 * first for the hash of its suite: processors have instructions for SHA-256, not for SHA-384, and a
 * handshake hashes some two hundred blocks. */
static const char tls12_ciphers[] = "ECDHE+AES128+AESGCM:ECDHE+CHACHA20:ECDHE+AESGCM";
static const char tls13_ciphers[] =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
static const char groups[] = "X25519:P-256:P-384";
static const unsigned char alpn_protocols[] = "\x08http/1.1\x08http/1.0";
static const unsigned char session_context[] = "doorward";

/* RFC 7301, 3.2: a client that only speaks what we do not is told so. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *offered, unsigned offered_length, void *context)
{
    (void)ssl;
    (void)context;
    unsigned char *selected = NULL;
    int result = SSL_select_next_proto(&selected, out_length, alpn_protocols,
                                       sizeof(alpn_protocols) - 1, offered, offered_length);
    *out = selected;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void set_session_cache(SSL_CTX *ctx, size_t sessions)
{
    if (sessions == 0) {
        (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        return;
    }
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
    (void)SSL_CTX_sess_set_cache_size(ctx, (long)sessions);
}

static bool set_rules(SSL_CTX *ctx)
{
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* The file holds the chain; OpenSSL would else look for one at every handshake. */
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(ctx, 0);
    SSL_CTX_set_security_level(ctx, 2);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
           SSL_CTX_set_cipher_list(ctx, tls12_ciphers) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, tls13_ciphers) == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1) == 1;
}

static enum err fill_context(struct tls_context *c, SSL_CTX *ctx, struct arena *a,
                             struct span *ret_why)
{
    if (!set_rules(ctx) || !tls_tickets_serve(c->tickets, ctx)) {
        return tls_refuse(a, ret_why, ERR_INTERNAL, "OpenSSL refuses our TLS settings: %s",
                          tls_openssl_why());
    }
    set_session_cache(ctx, c->session_cache);
    return tls_files_load(ctx, c->cert_path, c->key_path, a, ret_why);
}

static void publish(struct tls_context *c, SSL_CTX *ctx)
{
    atomic_store(&c->expires_at_ms, tls_certificate_end(ctx));
    INVARIANT(pthread_mutex_lock(&c->lock) == 0);
    SSL_CTX *old = c->current;
    c->current = ctx;
    INVARIANT(pthread_mutex_unlock(&c->lock) == 0);
    /* Streams that began with it hold references of their own. */
    SSL_CTX_free(old);
}

enum err tls_context_reload(struct tls_context *c, struct arena *a, struct span *ret_why)
{
    *ret_why = SPAN_NONE;
    /* Taken before the reading: what changes meanwhile is read again later. Kept on failure too,
     * so that broken files are complained about once, not at every look. */
    c->cert_mark = tls_file_mark(c->cert_path);
    c->key_mark = tls_file_mark(c->key_path);
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL) {
        return tls_refuse(a, ret_why, ERR_NOMEM, "OpenSSL does not start: %s", tls_openssl_why());
    }
    enum err e = fill_context(c, ctx, a, ret_why);
    if (e != ERR_OK) {
        SSL_CTX_free(ctx);
        return e;
    }
    publish(c, ctx);
    return ERR_OK;
}

static enum err fill(struct tls_context *c, const struct tls_options *options, struct arena *a,
                     struct span *ret_why)
{
    static const struct clock real = { 0 };
    c->session_cache = options->session_cache;
    c->cert_path = strdup(options->cert_path);
    c->key_path = strdup(options->key_path);
    if (c->cert_path == NULL || c->key_path == NULL) {
        return ERR_NOMEM;
    }
    TRY(tls_tickets_new(options->clock != NULL ? options->clock : &real, &c->tickets));
    return tls_context_reload(c, a, ret_why);
}

enum err tls_context_new(const struct tls_options *options, struct arena *a, struct span *ret_why,
                         struct tls_context **ret_context)
{
    *ret_why = SPAN_NONE;
    struct tls_context *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    INVARIANT(pthread_mutex_init(&c->lock, NULL) == 0);
    enum err e = fill(c, options, a, ret_why);
    if (e != ERR_OK) {
        tls_context_free(c);
        return e;
    }
    *ret_context = c;
    return ERR_OK;
}

void tls_context_free(struct tls_context *c)
{
    if (c == NULL) {
        return;
    }
    SSL_CTX_free(c->current);
    tls_tickets_free(c->tickets);
    free(c->cert_path);
    free(c->key_path);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

bool tls_context_is_stale(const struct tls_context *c)
{
    return !tls_file_mark_equal(c->cert_mark, tls_file_mark(c->cert_path)) ||
           !tls_file_mark_equal(c->key_mark, tls_file_mark(c->key_path));
}

int64_t tls_context_expires_at(const struct tls_context *c)
{
    return atomic_load(&c->expires_at_ms);
}

SSL_CTX *tls_context_take_current(struct tls_context *c)
{
    INVARIANT(pthread_mutex_lock(&c->lock) == 0);
    SSL_CTX *ctx = c->current;
    bool taken = SSL_CTX_up_ref(ctx) == 1;
    INVARIANT(pthread_mutex_unlock(&c->lock) == 0);
    return taken ? ctx : NULL;
}

#include "secure.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct secure {
    SSL *ssl;
    BIO *in, *out; /* the SSL's */
};

static bool set_name(SSL *ssl, const struct target *t)
{
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    if (t->is_address) {
        return X509_VERIFY_PARAM_set1_ip_asc(rules, t->host) == 1;
    }
    return SSL_set_tlsext_host_name(ssl, t->host) == 1 && SSL_set1_host(ssl, t->host) == 1;
}

static bool fill(struct secure *s, const struct target *t, SSL_SESSION *session)
{
    s->ssl = SSL_new(t->tls);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    if (s->ssl == NULL || s->in == NULL || s->out == NULL) {
        BIO_free(s->in);
        BIO_free(s->out);
        return false;
    }
    SSL_set_bio(s->ssl, s->in, s->out);
    SSL_set_connect_state(s->ssl);
    return set_name(s->ssl, t) && (session == NULL || SSL_set_session(s->ssl, session) == 1);
}

enum err secure_new(const struct target *t, SSL_SESSION *session, struct secure **ret_secure)
{
    struct secure *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    if (!fill(s, t, session)) {
        ERR_clear_error();
        secure_free(s);
        return ERR_NOMEM;
    }
    *ret_secure = s;
    return ERR_OK;
}

void secure_free(struct secure *s)
{
    if (s == NULL) {
        return;
    }
    if (s->ssl != NULL) {
        /* Else OpenSSL holds that the session must not be resumed. */
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(s->ssl);
    }
    free(s);
}

enum err secure_feed(struct secure *s, struct span cipher)
{
    size_t taken = 0;
    return BIO_write_ex(s->in, cipher.data, cipher.length, &taken) == 1 ? ERR_OK : ERR_NOMEM;
}

static void say_why(const struct secure *s, char *ret_why, size_t why_bytes)
{
    long verdict = SSL_get_verify_result(s->ssl);
    if (verdict != X509_V_OK && SSL_get_verify_mode(s->ssl) != SSL_VERIFY_NONE) {
        (void)snprintf(ret_why, why_bytes,
                       "its certificate does not verify: %s; --cacert FILE trusts the one in FILE, "
                       "--insecure any",
                       X509_verify_cert_error_string(verdict));
        return;
    }
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    (void)snprintf(ret_why, why_bytes, "the TLS handshake fails: %s",
                   reason != NULL ? reason : "no reason given");
}

enum err secure_handshake(struct secure *s, bool *ret_done, char *ret_why, size_t why_bytes)
{
    ERR_clear_error();
    int result = SSL_do_handshake(s->ssl);
    *ret_done = result == 1;
    if (result == 1 || SSL_get_error(s->ssl, result) == SSL_ERROR_WANT_READ) {
        return ERR_OK;
    }
    say_why(s, ret_why, why_bytes);
    ERR_clear_error();
    return ERR_IO;
}

enum err secure_read(struct secure *s, char *plain, size_t capacity, size_t *ret_length)
{
    *ret_length = 0;
    if (SSL_read_ex(s->ssl, plain, capacity, ret_length) == 1) {
        return ERR_OK;
    }
    int why = SSL_get_error(s->ssl, 0);
    if (why == SSL_ERROR_WANT_READ) {
        return ERR_OK;
    }
    ERR_clear_error();
    return why == SSL_ERROR_ZERO_RETURN ? ERR_CANCELLED : ERR_IO;
}

bool secure_has_more(const struct secure *s)
{
    return SSL_has_pending(s->ssl) == 1 || BIO_ctrl_pending(s->in) > 0;
}

enum err secure_write(struct secure *s, struct span plain)
{
    size_t written = 0;
    if (SSL_write_ex(s->ssl, plain.data, plain.length, &written) != 1) {
        ERR_clear_error();
        return ERR_IO;
    }
    return ERR_OK;
}

void secure_end(struct secure *s)
{
    if (SSL_is_init_finished(s->ssl) == 1) {
        (void)SSL_shutdown(s->ssl);
    }
    ERR_clear_error();
}

struct span secure_output(struct secure *s)
{
    char *bytes = NULL;
    long length = BIO_get_mem_data(s->out, &bytes);
    return (struct span){ .data = bytes, .length = length > 0 ? (size_t)length : 0 };
}

void secure_sent(struct secure *s)
{
    (void)BIO_reset(s->out);
}

bool secure_is_resumed(const struct secure *s)
{
    return SSL_session_reused(s->ssl) == 1;
}

SSL_SESSION *secure_take_session(const struct secure *s)
{
    SSL_SESSION *session = SSL_get1_session(s->ssl);
    if (session != NULL && SSL_SESSION_is_resumable(session) != 1) {
        SSL_SESSION_free(session);
        return NULL;
    }
    return session;
}

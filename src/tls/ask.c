#include "tls_internal.h"

#include <openssl/bio.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAP_MS      10
#define STATUS_LINE "HTTP/1.1 " /* and three digits */

AUTO_DEFINE(bio, BIO, BIO_free_all);
AUTO_DEFINE(ssl_ctx, SSL_CTX, SSL_CTX_free);

static BIO *client_new(const char *address, SSL_CTX *ctx)
{
    BIO *bio = ctx != NULL ? BIO_new_ssl_connect(ctx) : BIO_new(BIO_s_connect());
    if (bio != NULL && BIO_set_conn_hostname(bio, address) <= 0) {
        BIO_free_all(bio);
        return NULL;
    }
    return bio;
}

/* Asking again is over at `until`. */
static bool may_retry(BIO *bio, time_t until)
{
    return BIO_should_retry(bio) && BIO_wait(bio, until, NAP_MS) > 0;
}

static bool send_all(BIO *bio, const char *bytes, size_t length, time_t until)
{
    size_t sent = 0;
    while (sent < length) {
        size_t count = 0;
        if (BIO_write_ex(bio, bytes + sent, length - sent, &count) == 1) {
            sent += count;
        } else if (!may_retry(bio, until)) {
            return false;
        }
    }
    return true;
}

static bool receive_all(BIO *bio, char *bytes, size_t length, time_t until)
{
    size_t got = 0;
    while (got < length) {
        size_t count = 0;
        if (BIO_read_ex(bio, bytes + got, length - got, &count) == 1) {
            got += count;
        } else if (!may_retry(bio, until)) {
            return false;
        }
    }
    return true;
}

static enum err exchange(BIO *bio, const char *path, time_t until, int *ret_status)
{
    char request[256];
    char line[sizeof(STATUS_LINE "200") - 1];
    uint64_t status = 0;
    int length = snprintf(request, sizeof(request),
                          "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    if (length < 0 || (size_t)length >= sizeof(request)) {
        return ERR_CONFIG;
    }
    if (!send_all(bio, request, (size_t)length, until) ||
        !receive_all(bio, line, sizeof(line), until)) {
        return ERR_IO;
    }
    struct span answer = { line, sizeof(line) };
    if (!span_starts(answer, SPAN(STATUS_LINE)) ||
        !span_to_u64(span_from(answer, sizeof(STATUS_LINE) - 1), 999, &status)) {
        return ERR_IO;
    }
    *ret_status = (int)status;
    return ERR_OK;
}

enum err tls_ask(const char *address, bool plain, const char *path, unsigned timeout_s,
                 int *ret_status)
{
    time_t until = time(NULL) + (time_t)timeout_s;
    AUTO(ssl_ctx) SSL_CTX *ctx = plain ? NULL : SSL_CTX_new(TLS_client_method());
    if (!plain && ctx == NULL) {
        return ERR_NOMEM;
    }
    AUTO(bio) BIO *bio = client_new(address, ctx);
    if (bio == NULL) {
        return ERR_NOMEM;
    }
    if (BIO_do_connect_retry(bio, (int)timeout_s, NAP_MS) != 1) {
        return ERR_IO;
    }
    return exchange(bio, path, until, ret_status);
}

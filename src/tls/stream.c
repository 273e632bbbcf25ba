/* stream.c - one TLS connection. OpenSSL reads from the span and writes to the buffer of the
 * present call, through a BIO of our own, so that no byte is copied on the way and none is kept.
 *
 *   handshake -> ready -> ended (the client's close_notify)
 *        \---------\----> failed: every later call gives ERR_IO
 */
#include "tls_internal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define READ_CHUNK (16 * 1024) /* the plain bytes of the largest record (RFC 8446, 5.1) */
/* Records in a row that carry no data for us (key updates, alerts, empty ones, refused
 * renegotiations) before the client is cut: each costs us work and brings it nothing. */
#define MAX_QUIET_RECORDS 128

struct tls_stream {
    SSL *ssl;
    unsigned quiet_records;
    bool failed;
    bool ended;
    /* the present call's; empty between calls */
    struct span in;
    struct buf *out;
    /* cipher bytes left over when the caller's `plain` was full; usually none */
    char *rest;
    size_t rest_length;
};

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *data, size_t length, size_t *ret_read)
{
    struct tls_stream *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (s->in.length == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    size_t take = length < s->in.length ? length : s->in.length;
    memcpy(data, s->in.data, take);
    s->in = span_from(s->in, take);
    *ret_read = take;
    return 1;
}

static int bio_write(BIO *bio, const char *data, size_t length, size_t *ret_written)
{
    struct tls_stream *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (s->out == NULL) {
        return 0;
    }
    buf_add(s->out, (struct span){ .data = data, .length = length });
    if (buf_result(s->out) != ERR_OK) {
        return 0;
    }
    *ret_written = length;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void make_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "span and buf");
    bool made = m != NULL && BIO_meth_set_read_ex(m, bio_read) == 1 &&
                BIO_meth_set_write_ex(m, bio_write) == 1 && BIO_meth_set_ctrl(m, bio_ctrl) == 1;
    if (made) {
        bio_method = m;
    } else {
        BIO_meth_free(m);
    }
}

static BIO *new_bio(struct tls_stream *s)
{
    INVARIANT(pthread_once(&bio_once, make_bio_method) == 0);
    BIO *bio = bio_method == NULL ? NULL : BIO_new(bio_method);
    if (bio != NULL) {
        BIO_set_data(bio, s);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- life ---- */

static void count_record(int writing, int version, int type, const void *bytes, size_t length,
                         SSL *ssl, void *context)
{
    (void)version;
    (void)bytes;
    (void)length;
    struct tls_stream *s = context;
    if (writing == 0 && type == SSL3_RT_HEADER && SSL_is_init_finished(ssl) == 1) {
        s->quiet_records++;
    }
}

static SSL *new_ssl(struct tls_context *c)
{
    SSL_CTX *ctx = tls_context_take_current(c);
    SSL *ssl = ctx == NULL ? NULL : SSL_new(ctx);
    SSL_CTX_free(ctx);
    return ssl;
}

enum err tls_stream_new(struct tls_context *c, struct tls_stream **ret_stream)
{
    ERR_clear_error();
    struct tls_stream *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->ssl = new_ssl(c);
    BIO *bio = s->ssl == NULL ? NULL : new_bio(s);
    if (bio == NULL) {
        ERR_clear_error();
        tls_stream_free(s);
        return ERR_NOMEM;
    }
    SSL_set_bio(s->ssl, bio, bio); /* takes the one reference */
    SSL_set_accept_state(s->ssl);
    SSL_set_msg_callback(s->ssl, count_record);
    SSL_set_msg_callback_arg(s->ssl, s);
    *ret_stream = s;
    return ERR_OK;
}

static void drop_rest(struct tls_stream *s)
{
    free(s->rest);
    s->rest = NULL;
    s->rest_length = 0;
}

void tls_stream_free(struct tls_stream *s)
{
    if (s == NULL) {
        return;
    }
    SSL_free(s->ssl);
    drop_rest(s);
    free(s);
}

/* ---- bytes ---- */

/* What somebody else's call has left behind would be taken for the fate of ours. Clearing costs as
 * much as parsing a small request, so it is asked first. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}

/* OpenSSL's verdict on a call that did not succeed. */
static enum err judge(struct tls_stream *s, int result)
{
    int why = SSL_get_error(s->ssl, result);
    if (why == SSL_ERROR_WANT_READ) {
        return ERR_OK; /* said only when no error is noted */
    }
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN) {
        s->ended = true;
        return ERR_OK;
    }
    s->failed = true;
    return ERR_IO;
}

/* Read into `plain` until the input is used up, or `plain` is full (*ret_full). */
static enum err read_plain(struct tls_stream *s, struct buf *plain, bool *ret_full)
{
    for (;;) {
        size_t left = plain->max_bytes - plain->length;
        size_t want = left < READ_CHUNK ? left : READ_CHUNK;
        if (want == 0) {
            *ret_full = true;
            return ERR_OK;
        }
        char *room = buf_room(plain, want);
        if (room == NULL) {
            return ERR_NOMEM;
        }
        size_t got = 0;
        int result = SSL_read_ex(s->ssl, room, want, &got);
        if (s->quiet_records > MAX_QUIET_RECORDS) {
            s->failed = true;
            return ERR_IO;
        }
        if (result != 1) {
            return judge(s, result);
        }
        buf_used(plain, got);
        s->quiet_records = 0;
        /* One record came, as usual: asking again would only hear that there is no more. */
        if (s->in.length == 0 && SSL_has_pending(s->ssl) == 0) {
            return ERR_OK;
        }
    }
}

/* What `plain` had no room for waits here, at most one call's input. */
static enum err keep_rest(struct tls_stream *s)
{
    char *rest = NULL;
    if (s->in.length > 0) {
        rest = malloc(s->in.length);
        if (rest == NULL) {
            return ERR_NOMEM;
        }
        memcpy(rest, s->in.data, s->in.length);
    }
    size_t length = s->in.length;
    drop_rest(s);
    s->rest = rest;
    s->rest_length = length;
    return ERR_OK;
}

enum err tls_stream_feed(struct tls_stream *s, struct span cipher, struct buf *plain,
                         struct buf *out, bool *ret_more)
{
    *ret_more = false;
    if (s->failed) {
        return ERR_IO;
    }
    if (s->ended) {
        return ERR_OK;
    }
    INVARIANT(s->rest_length == 0 || cipher.length == 0);
    forget_errors();
    s->in =
        s->rest_length > 0 ? (struct span){ .data = s->rest, .length = s->rest_length } : cipher;
    s->out = out;
    bool full = false;
    enum err e = read_plain(s, plain, &full);
    if (e == ERR_OK) {
        *ret_more = full && (s->in.length > 0 || SSL_has_pending(s->ssl) == 1);
        e = keep_rest(s);
    }
    s->in = SPAN_NONE;
    s->out = NULL;
    s->failed = s->failed || e != ERR_OK;
    return e;
}

enum err tls_stream_write(struct tls_stream *s, struct span plain, struct buf *out)
{
    if (s->failed || !tls_stream_is_ready(s)) {
        return ERR_IO;
    }
    if (plain.length == 0) {
        return ERR_OK;
    }
    forget_errors();
    s->out = out;
    size_t written = 0;
    int result = SSL_write_ex(s->ssl, plain.data, plain.length, &written);
    s->out = NULL;
    if (result != 1) {
        /* The BIO never asks to try again: half a record is out, the stream is lost. */
        ERR_clear_error();
        s->failed = true;
        return ERR_IO;
    }
    return ERR_OK;
}

void tls_stream_end(struct tls_stream *s, struct buf *out)
{
    if (s->failed || !tls_stream_is_ready(s)) {
        return;
    }
    ERR_clear_error();
    s->out = out;
    (void)SSL_shutdown(s->ssl);
    s->out = NULL;
    ERR_clear_error();
}

bool tls_stream_is_ready(const struct tls_stream *s)
{
    return SSL_is_init_finished(s->ssl) == 1;
}

bool tls_stream_is_resumed(const struct tls_stream *s)
{
    return SSL_session_reused(s->ssl) == 1;
}

bool tls_stream_is_ended(const struct tls_stream *s)
{
    return s->ended;
}

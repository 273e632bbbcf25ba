/* tls.h - TLS 1.2 and 1.3 by OpenSSL: cipher bytes to plain bytes and back. No sockets.
 *
 * Threads:   a stream belongs to one loop. The context is shared; tls_context_reload() and
 * tls_context_is_stale() may run beside handshakes from one other thread: streams keep the
 * certificate that they began with.
 * Ownership: buffers are the caller's, shared by all streams of a loop: a stream holds no bytes
 * between calls beyond what OpenSSL needs of an incomplete record, or what a full `plain` left
 * over. Failure:   any error ends the stream: ERR_IO (its fault, or `out` is full), ERR_NOMEM. Send
 * what is in `out` (an alert), then close. An expired certificate is no error:
 * tls_context_expires_at(). Units:     bytes. */
#ifndef DOORWARD_TLS_H
#define DOORWARD_TLS_H

#include "base.h"

/* A session can be resumed for so long; a key seals new tickets for so long and opens them for as
 * long again. */
#define TLS_TICKET_KEY_S 7200

struct tls_context;
struct tls_options {
    const char *cert_path; /* PEM, the chain */
    const char *key_path;  /* PEM; refused when others can read it */
    size_t session_cache;  /* TLS 1.2 sessions kept, 0: tickets only */
    /* NULL: the real one. Borrowed: for as long as the context and its streams. */
    const struct clock *clock;
};
/* On failure *ret_why (in `a`) is one line that says what to mend. */
MUST_CHECK enum err tls_context_new(const struct tls_options *options, struct arena *a,
                                    struct span *ret_why, struct tls_context **ret_context);
/* Read the files again; on failure the present certificate stays in use. */
MUST_CHECK enum err tls_context_reload(struct tls_context *c, struct arena *a,
                                       struct span *ret_why);
void tls_context_free(struct tls_context *c);
/* Have the certificate's files changed since they were read (mtime, size, inode)? */
bool tls_context_is_stale(const struct tls_context *c);
/* The present certificate's end, Unix milliseconds. */
int64_t tls_context_expires_at(const struct tls_context *c);

/* Make a key (P-256) and a certificate signed with it for localhost, 127.0.0.1, ::1 and `host` (may
 * be empty), in files of mode 0600 written whole or not at all. On failure *ret_why as above. */
MUST_CHECK enum err tls_self_signed(const char *cert_path, const char *key_path, struct span host,
                                    struct arena *a, struct span *ret_why);

struct tls_stream;
MUST_CHECK enum err tls_stream_new(struct tls_context *c, struct tls_stream **ret_stream);
void tls_stream_free(struct tls_stream *s);
/* Cipher bytes in; plain bytes are added to `plain`, what must be sent (handshake, alerts) to
 * `out`. All input is taken. Should `plain` reach its ceiling it stops early and *ret_more is true:
 * empty it, call again with no input. */
MUST_CHECK enum err tls_stream_feed(struct tls_stream *s, struct span cipher, struct buf *plain,
                                    struct buf *out, bool *ret_more);
/* Plain bytes in, cipher bytes added to `out`. */
MUST_CHECK enum err tls_stream_write(struct tls_stream *s, struct span plain, struct buf *out);
/* Adds the close_notify alert. */
void tls_stream_end(struct tls_stream *s, struct buf *out);
bool tls_stream_is_ready(const struct tls_stream *s); /* handshake done */
bool tls_stream_is_resumed(const struct tls_stream *s);
bool tls_stream_is_ended(const struct tls_stream *s); /* the other side sent close_notify */

/* For the command line: GET `path` from "HOST:PORT" over a socket of OpenSSL's own. Blocks; a
 * connection and an answer each have `timeout_s`. Nothing secret is sent and only the status is
 * read, so the certificate is not checked: a health check must not fail over its name. ERR_IO:
 * nobody answers in HTTP. */
MUST_CHECK enum err tls_ask(const char *address, bool plain, const char *path, unsigned timeout_s,
                            int *ret_status);

#endif

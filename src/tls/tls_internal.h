/* tls_internal.h - what the parts of tls share. Private to the folder.
 *
 * Threads:   as in tls.h.
 * Failure:   *ret_why (in the caller's arena) is one line that says what to mend. */
#ifndef DOORWARD_TLS_INTERNAL_H
#define DOORWARD_TLS_INTERNAL_H

#include "tls.h"
#include <openssl/ssl.h>
#include <sys/stat.h>

/* The present certificate's context with a reference of the caller's: SSL_CTX_free(). */
SSL_CTX *tls_context_take_current(struct tls_context *c);

/* ---- tickets.c: the keys that seal session tickets, renewed as time passes ---- */
struct tls_tickets;
/* `clock` is borrowed. */
MUST_CHECK enum err tls_tickets_new(const struct clock *clock, struct tls_tickets **ret_tickets);
void tls_tickets_free(struct tls_tickets *t); /* after the last stream; NULL is fine */
/* Have `ctx` seal and open its tickets with them. */
bool tls_tickets_serve(struct tls_tickets *t, SSL_CTX *ctx);

/* What tells one version of a file from another. */
struct tls_file_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};
/* All zero when the file cannot be looked at. */
struct tls_file_mark tls_file_mark(const char *path);
bool tls_file_mark_equal(struct tls_file_mark a, struct tls_file_mark b);

/* The leaf's last moment in Unix milliseconds. */
int64_t tls_certificate_end(const SSL_CTX *ctx);
/* Put the chain and the key of the files into `ctx`. ERR_CONFIG: not readable or not acceptable. */
MUST_CHECK enum err tls_files_load(SSL_CTX *ctx, const char *cert_path, const char *key_path,
                                   struct arena *a, struct span *ret_why);
/* Gives `e` back, with the sentence in *ret_why; without memory the sentence is left out. */
PRINTF_LIKE(4, 5)
MUST_CHECK enum err tls_refuse(struct arena *a, struct span *ret_why, enum err e,
                               const char *format, ...);
/* The first entry of OpenSSL's error queue in words, which is the cause of the others, and the
 * queue emptied. */
const char *tls_openssl_why(void);

#endif

/* files.c - the certificate's files: are they private, what is in them, have they changed? */
#include "tls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_KEY_FILE_BYTES (64 * 1024)
#define MAX_WHY_BYTES      1024

const char *tls_openssl_why(void)
{
    unsigned long code = ERR_peek_error();
    const char *reason =
        ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == NULL ? "OpenSSL gives no reason" : reason;
}

enum err tls_refuse(struct arena *a, struct span *ret_why, enum err e, const char *format, ...)
{
    char text[MAX_WHY_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* The code tells enough when there is no memory for words. */
    return arena_copy(a, span_of(text), ret_why) == ERR_OK ? e : ERR_NOMEM;
}

struct tls_file_mark tls_file_mark(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return (struct tls_file_mark){ 0 };
    }
    return (struct tls_file_mark){
        .device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .changed = st.st_mtim
    };
}

bool tls_file_mark_equal(struct tls_file_mark a, struct tls_file_mark b)
{
    return a.device == b.device && a.inode == b.inode && a.size == b.size &&
           a.changed.tv_sec == b.changed.tv_sec && a.changed.tv_nsec == b.changed.tv_nsec;
}

int64_t tls_certificate_end(const SSL_CTX *ctx)
{
    struct tm end;
    const X509 *leaf = SSL_CTX_get0_certificate(ctx);
    if (leaf == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) != 1) {
        return 0;
    }
    return (int64_t)timegm(&end) * 1000;
}

/* Why the open key file must not be used, or NULL. Asked of the descriptor, so that it cannot
 * be exchanged between the question and the reading. */
static const char *unfit_key_file(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return strerror(errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return "not a regular file";
    }
    if (st.st_size > MAX_KEY_FILE_BYTES) {
        return "too large for a key";
    }
    return NULL;
}

static bool is_private(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && secret_file_is_private(&st);
}

/* An encrypted key is refused instead of asking a terminal that nobody watches. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static EVP_PKEY *read_key(int fd)
{
    BIO *bio = BIO_new_fd(fd, BIO_NOCLOSE);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return key;
}

static enum err load_key(SSL_CTX *ctx, int fd, const char *path, struct arena *a,
                         struct span *ret_why)
{
    const char *unfit = unfit_key_file(fd);
    if (unfit != NULL) {
        return tls_refuse(a, ret_why, ERR_CONFIG, "the key file %s cannot be used: %s", path,
                          unfit);
    }
    if (!is_private(fd)) {
        return tls_refuse(a, ret_why, ERR_CONFIG,
                          "the key file %s can be read or changed by others; run: chmod 600 %s",
                          path, path);
    }
    EVP_PKEY *key = read_key(fd);
    if (key == NULL) {
        return tls_refuse(a, ret_why, ERR_CONFIG,
                          "the key file %s holds no private key in PEM without passphrase: %s",
                          path, tls_openssl_why());
    }
    /* The certificate is there already: this compares the two. */
    bool fits = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    if (!fits) {
        return tls_refuse(a, ret_why, ERR_CONFIG,
                          "the key file %s does not fit the certificate: %s", path,
                          tls_openssl_why());
    }
    return ERR_OK;
}

enum err tls_files_load(SSL_CTX *ctx, const char *cert_path, const char *key_path, struct arena *a,
                        struct span *ret_why)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1) {
        return tls_refuse(a, ret_why, ERR_CONFIG, "the certificate file %s cannot be used: %s",
                          cert_path, tls_openssl_why());
    }
    /* Non-blocking: a pipe put there must not hang the start. */
    int fd = open(key_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return tls_refuse(a, ret_why, ERR_CONFIG, "the key file %s cannot be read: %s", key_path,
                          strerror(errno));
    }
    enum err e = load_key(ctx, fd, key_path, a, ret_why);
    (void)close(fd);
    return e;
}

/* self_signed.c - a certificate for the first day, made by ourselves for ourselves. */
#include "tls_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Clients refuse more than 825 days between the two ends (Apple's rule since 2019). */
#define VALID_DAYS         824
#define BACKDATED_SECONDS  3600 /* for clients whose clock is a little behind */
#define SECONDS_A_DAY      86400L
#define SERIAL_BITS        159 /* positive, and at most 20 bytes (RFC 5280, 4.1.2.2) */
#define MAX_HOST_BYTES     253
#define MAX_TEMP_PATH      4096
#define TEMP_SUFFIX_RANDOM 8

/* ---- the certificate ---- */

static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool done = number != NULL && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, 0) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return done;
}

static bool set_subject(X509 *cert)
{
    X509_NAME *name = X509_get_subject_name(cert);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"Doorward self-signed", -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(cert, name) == 1;
}

static bool set_times(X509 *cert)
{
    return X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATED_SECONDS) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), VALID_DAYS * SECONDS_A_DAY) != NULL;
}

static GENERAL_NAME *new_name(const char *text)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (name != NULL && address != NULL) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, address);
        return name;
    }
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error(); /* not an address: that is no fault */
    ASN1_IA5STRING *dns = ASN1_IA5STRING_new();
    if (name == NULL || dns == NULL || ASN1_STRING_set(dns, text, -1) != 1) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(dns);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_DNS, dns);
    return name;
}

static bool push_name(GENERAL_NAMES *names, const char *text)
{
    GENERAL_NAME *name = new_name(text);
    if (name == NULL || sk_GENERAL_NAME_push(names, name) == 0) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

static bool add_names(X509 *cert, const char *host)
{
    static const char *const usual[] = { "localhost", "127.0.0.1", "::1" };
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool done = names != NULL;
    bool is_usual = host[0] == '\0';
    for (size_t i = 0; done && i < sizeof(usual) / sizeof(usual[0]); i++) {
        done = push_name(names, usual[i]);
        is_usual = is_usual || strcmp(host, usual[i]) == 0;
    }
    done = done && (is_usual || push_name(names, host)) &&
           X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return done;
}

static bool add_extension(X509 *cert, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool done = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static bool add_extensions(X509 *cert, const char *host)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    return add_extension(cert, &context, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, &context, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, &context, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, &context, NID_subject_key_identifier, "hash") &&
           add_extension(cert, &context, NID_authority_key_identifier, "keyid:always") &&
           add_names(cert, host);
}

static X509 *make_certificate(EVP_PKEY *key, const char *host)
{
    X509 *cert = X509_new();
    bool done = cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
                set_times(cert) && set_subject(cert) && X509_set_pubkey(cert, key) == 1 &&
                add_extensions(cert, host) && X509_sign(cert, key, EVP_sha256()) > 0;
    if (!done) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

/* ---- the files ---- */

struct new_file {
    const char *path;
    char temp[MAX_TEMP_PATH];
    bool written;
};

static bool write_all(int fd, struct span bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(fd, bytes.data, bytes.length);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes = span_from(bytes, written < 0 ? 0 : (size_t)written);
    }
    return true;
}

static bool name_temp(struct new_file *file)
{
    uint8_t noise[TEMP_SUFFIX_RANDOM];
    char text[(sizeof(noise) * 4 + 2) / 3];
    if (secret_random(noise, sizeof(noise)) != ERR_OK) {
        errno = EIO;
        return false;
    }
    size_t length =
        span_base64url((struct span){ .data = (char *)noise, .length = sizeof(noise) }, text);
    int used = snprintf(file->temp, sizeof(file->temp), "%s.%.*s", file->path, (int)length, text);
    if (used < 0 || (size_t)used >= sizeof(file->temp)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

/* Beside its final place, on disk, private from the first moment. */
static bool write_temp(struct new_file *file, struct span bytes)
{
    if (!name_temp(file)) {
        return false;
    }
    int fd = open(file->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    file->written = true;
    bool done = write_all(fd, bytes) && fsync(fd) == 0;
    int why = errno;
    done = close(fd) == 0 && done;
    errno = done ? 0 : why;
    return done;
}

/* The names must survive a crash as well. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char directory[MAX_TEMP_PATH];
    (void)snprintf(directory, sizeof(directory), "%.*s",
                   slash == NULL ? 1 : (int)(slash - path) + 1, slash == NULL ? "." : path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static bool put_in_place(struct new_file *file)
{
    if (rename(file->temp, file->path) != 0) {
        return false;
    }
    file->written = false;
    sync_directory(file->path);
    return true;
}

static void forget(const struct new_file *file)
{
    if (file->written) {
        (void)unlink(file->temp);
    }
}

/* Both are written out before either takes its place. */
static enum err write_pair(struct new_file *cert, struct new_file *key, struct arena *a,
                           struct span *ret_why)
{
    const struct new_file *bad = NULL;
    if (!put_in_place(key)) {
        bad = key;
    } else if (!put_in_place(cert)) {
        bad = cert;
        int why = errno;
        (void)unlink(key->path); /* alone it fits nothing */
        errno = why;
    }
    if (bad != NULL) {
        return tls_refuse(a, ret_why, ERR_IO, "%s cannot be written: %s", bad->path,
                          strerror(errno));
    }
    return ERR_OK;
}

static enum err write_files(const char *cert_path, struct span cert, const char *key_path,
                            struct span key, struct arena *a, struct span *ret_why)
{
    struct new_file files[2] = { { .path = cert_path }, { .path = key_path } };
    struct span texts[2] = { cert, key };
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < 2; i++) {
        if (!write_temp(&files[i], texts[i])) {
            e = tls_refuse(a, ret_why, ERR_IO, "%s cannot be written: %s", files[i].path,
                           strerror(errno));
        }
    }
    if (e == ERR_OK) {
        e = write_pair(&files[0], &files[1], a, ret_why);
    }
    forget(&files[0]);
    forget(&files[1]);
    return e;
}

/* ---- both ---- */

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '_';
}

static bool is_host(struct span host)
{
    for (size_t i = 0; i < host.length; i++) {
        if (!is_host_byte(host.data[i])) {
            return false;
        }
    }
    return host.length <= MAX_HOST_BYTES;
}

static struct span bio_span(BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    return (struct span){ .data = data, .length = length < 0 ? 0 : (size_t)length };
}

struct pem_pair {
    EVP_PKEY *key;
    X509 *cert;
    BIO *key_pem;
    BIO *cert_pem;
};

static bool make_pair(struct pem_pair *p, const char *host)
{
    p->key = EVP_EC_gen("P-256");
    p->cert = p->key == NULL ? NULL : make_certificate(p->key, host);
    p->key_pem = BIO_new(BIO_s_secmem());
    p->cert_pem = BIO_new(BIO_s_mem());
    return p->cert != NULL && p->key_pem != NULL && p->cert_pem != NULL &&
           PEM_write_bio_PrivateKey(p->key_pem, p->key, NULL, NULL, 0, NULL, NULL) == 1 &&
           PEM_write_bio_X509(p->cert_pem, p->cert) == 1;
}

static void free_pair(struct pem_pair *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->cert);
    BIO_free(p->key_pem);
    BIO_free(p->cert_pem);
}

enum err tls_self_signed(const char *cert_path, const char *key_path, struct span host,
                         struct arena *a, struct span *ret_why)
{
    *ret_why = SPAN_NONE;
    if (!is_host(host)) {
        return tls_refuse(a, ret_why, ERR_CONFIG,
                          "\"%.*s\" is not a host name or address for a certificate",
                          SPAN_FMT(host));
    }
    struct span name = SPAN_NONE;
    TRY(arena_copy(a, host, &name));
    ERR_clear_error();
    struct pem_pair pair = { 0 };
    enum err e = ERR_INTERNAL;
    if (make_pair(&pair, name.data)) {
        e = write_files(cert_path, bio_span(pair.cert_pem), key_path, bio_span(pair.key_pem), a,
                        ret_why);
    } else {
        e = tls_refuse(a, ret_why, ERR_INTERNAL, "no certificate could be made: %s",
                       tls_openssl_why());
    }
    free_pair(&pair);
    return e;
}

/* target.h - the service that is measured: found, allowed, reachable, before anything is sent.
 *
 * Threads:   read by all once it is open.
 * Ownership: target_close() takes NULL.
 * Failure:   said in one line with complain(); ERR_CONFIG. */
#ifndef DOORWARD_BENCH_TARGET_H
#define DOORWARD_BENCH_TARGET_H

#include "base.h"
#include <openssl/ssl.h>
#include <sys/socket.h>

#define TARGET_HOST_BYTES 256

struct target_options {
    const char *url;    /* http[s]://HOST[:PORT] */
    const char *cacert; /* PEM to trust instead of the system's; NULL: the system's */
    bool insecure;      /* trust any certificate */
    bool is_owned;      /* may be another machine */
};
struct target {
    char host[TARGET_HOST_BYTES];           /* without brackets */
    char authority[TARGET_HOST_BYTES + 10]; /* as in the URL: for the Host header */
    bool is_address;                        /* the host is one, and no name */
    struct sockaddr_storage address;        /* the first that took a connection */
    socklen_t address_length;
    SSL_CTX *tls; /* NULL: http */
};
MUST_CHECK enum err target_open(const struct target_options *options, struct target **ret_target);
void target_close(struct target *t);
AUTO_DEFINE(target, struct target, target_close);

#endif

#include "target.h"

#include "bench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_PATIENCE_MS 5000

static const unsigned char alpn_protocols[] = "\x08http/1.1";

/* ---- the URL ---- */

struct url {
    bool is_tls;
    struct span host, authority;
    char port[6];
};

static bool parse_port(struct span text, char port[static 6])
{
    uint64_t number = 0;
    if (text.length > 5 || !span_to_u64(text, 65535, &number) || number == 0) {
        return false;
    }
    (void)snprintf(port, 6, "%u", (unsigned)number);
    return true;
}

static bool parse_authority(struct span text, struct url *u)
{
    size_t end = 0;
    if (span_starts(text, SPAN("["))) {
        end = span_find(text, ']');
        u->host = span_slice(text, 1, end - 1);
        end = end < text.length ? end + 1 : end;
    } else {
        end = span_find(text, ':');
        u->host = span_slice(text, 0, end);
    }
    struct span rest = span_from(text, end);
    (void)snprintf(u->port, sizeof(u->port), "%s", u->is_tls ? "443" : "80");
    return u->host.length > 0 && u->host.length < TARGET_HOST_BYTES &&
           (rest.length == 0 || (rest.data[0] == ':' && parse_port(span_from(rest, 1), u->port)));
}

/* A user, a path or a query would be dropped in silence: they are refused. */
static bool parse_url(struct span text, struct url *u)
{
    *u = (struct url){ .is_tls = span_starts(text, SPAN("https://")) };
    if (!u->is_tls && !span_starts(text, SPAN("http://"))) {
        return false;
    }
    struct span rest = span_from(text, u->is_tls ? 8 : 7);
    size_t slash = span_find(rest, '/');
    u->authority = span_slice(rest, 0, slash);
    for (size_t i = 0; i < rest.length; i++) {
        if (strchr("@?#\\ \t\r\n", rest.data[i]) != NULL) {
            return false;
        }
    }
    return span_from(rest, slash + 1).length == 0 && parse_authority(u->authority, u);
}

/* ---- its addresses ---- */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
    const struct in6_addr *ip = &in6->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(ip) || (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127);
}

static bool all_are_loopback(const struct addrinfo *list)
{
    for (; list != NULL; list = list->ai_next) {
        if (!is_loopback(list->ai_addr)) {
            return false;
        }
    }
    return true;
}

/* 0, or the errno that says why not. */
static int try_connect(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    int why = connect(fd, to->ai_addr, to->ai_addrlen) == 0 ? 0 : errno;
    if (why == EINPROGRESS) {
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        socklen_t length = sizeof(why);
        if (poll(&p, 1, CONNECT_PATIENCE_MS) != 1) {
            why = ETIMEDOUT;
        } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &length) != 0) {
            why = errno;
        }
    }
    (void)close(fd);
    return why;
}

static enum err choose_address(struct target *t, const struct addrinfo *list, const char *port)
{
    int why = 0;
    for (; list != NULL; list = list->ai_next) {
        why = try_connect(list);
        if (why == 0) {
            memcpy(&t->address, list->ai_addr, list->ai_addrlen);
            t->address_length = list->ai_addrlen;
            return ERR_OK;
        }
    }
    complain("%s port %s cannot be reached: %s", t->host, port, strerror(why));
    return ERR_CONFIG;
}

static enum err find_address(struct target *t, const struct url *u, bool is_owned)
{
    struct addrinfo wanted = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    unsigned char ignored[sizeof(struct in6_addr)];
    t->is_address =
        inet_pton(AF_INET, t->host, ignored) == 1 || inet_pton(AF_INET6, t->host, ignored) == 1;
    int why = getaddrinfo(t->host, u->port, &wanted, &list);
    if (why != 0) {
        complain("%s has no address: %s", t->host, gai_strerror(why));
        return ERR_CONFIG;
    }
    enum err e = ERR_CONFIG;
    if (!is_owned && !all_are_loopback(list)) {
        complain("%s is not this machine; a load test of what is not yours is an attack: "
                 "--yes-i-own-it",
                 t->host);
    } else {
        e = choose_address(t, list, u->port);
    }
    freeaddrinfo(list);
    return e;
}

/* ---- TLS ---- */

static enum err trust(SSL_CTX *ctx, const struct target_options *options)
{
    if (options->insecure) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return ERR_OK;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (options->cacert == NULL) {
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ? ERR_OK : ERR_INTERNAL;
    }
    if (SSL_CTX_load_verify_file(ctx, options->cacert) != 1) {
        complain("--cacert: no certificate can be read from %s", options->cacert);
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static enum err new_tls(struct target *t, const struct target_options *options)
{
    t->tls = SSL_CTX_new(TLS_client_method());
    if (t->tls == NULL || SSL_CTX_set_min_proto_version(t->tls, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(t->tls, alpn_protocols, sizeof(alpn_protocols) - 1) != 0) {
        complain("OpenSSL does not start");
        return ERR_INTERNAL;
    }
    /* Sessions are kept by the connections that they came on. */
    (void)SSL_CTX_set_session_cache_mode(t->tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(t->tls, 1);
    (void)SSL_CTX_set_mode(t->tls, SSL_MODE_RELEASE_BUFFERS);
    return trust(t->tls, options);
}

/* ---- life ---- */

static enum err fill(struct target *t, const struct url *u, const struct target_options *options)
{
    memcpy(t->host, u->host.data, u->host.length);
    memcpy(t->authority, u->authority.data, u->authority.length);
    if (u->is_tls) {
        TRY(new_tls(t, options));
    }
    return find_address(t, u, options->is_owned);
}

enum err target_open(const struct target_options *options, struct target **ret_target)
{
    struct url url;
    if (!parse_url(span_of(options->url), &url)) {
        complain("%s is not a target; it has the form https://HOST[:PORT]", options->url);
        return ERR_CONFIG;
    }
    struct target *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    enum err e = fill(t, &url, options);
    if (e != ERR_OK) {
        target_close(t);
        return e;
    }
    *ret_target = t;
    return ERR_OK;
}

void target_close(struct target *t)
{
    if (t != NULL) {
        SSL_CTX_free(t->tls);
        free(t);
    }
}

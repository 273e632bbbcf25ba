#include "listener.h"

#include "turn.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
/* Between two looks at the connections that are there. */
#define ACCEPT_BATCH      64
#define COMPLAIN_AFTER_MS 60000

/* In the order of the label values of METRIC_CONNECTIONS_TOTAL. */
enum { REFUSED = 1, EVICTED, FAILED };

/* ---- binding ---- */

static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_storage address = { 0 };
    if (uv_ip4_addr(text, port, (struct sockaddr_in *)(void *)&address) != 0 &&
        uv_ip6_addr(text, port, (struct sockaddr_in6 *)(void *)&address) != 0) {
        return false;
    }
    *ret_address = address;
    return true;
}

static socklen_t length_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

static enum err explain(const struct net_listener *o, uint16_t port, int error, struct arena *a,
                        struct span *ret_why)
{
    const char *setting = o->port_setting != NULL ? o->port_setting : "PORT";
    switch (error) {
    case EADDRINUSE:
        TRY(arena_printf(a, ret_why, "port %u on %s is in use: set %s, or stop who has it", port,
                         o->address, setting));
        break;
    case EACCES:
        TRY(arena_printf(a, ret_why, "port %u on %s needs privileges: set %s to 1024 or more", port,
                         o->address, setting));
        break;
    case EADDRNOTAVAIL:
        TRY(arena_printf(a, ret_why, "%s is not an address of this host", o->address));
        break;
    default:
        TRY(arena_printf(a, ret_why, "cannot listen on port %u of %s: %s", port, o->address,
                         uv_strerror(-error)));
        break;
    }
    return ERR_IO;
}

static bool set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

/* A bound socket, or -1 with errno. */
static int bind_socket(const struct sockaddr_storage *address, bool shared)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    bool v6 = address->ss_family == AF_INET6;
    if (!set_on(fd, SOL_SOCKET, SO_REUSEADDR) ||
        (shared && !set_on(fd, SOL_SOCKET, SO_REUSEPORT)) ||
        (v6 && !set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
        bind(fd, (const struct sockaddr *)address, length_of(address)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static enum err bind_listener(const struct net_listener *o, uint16_t port, bool shared,
                              struct arena *a, struct span *ret_why, int *ret_fd)
{
    struct sockaddr_storage address;
    if (!parse_address(o->address, port, &address)) {
        TRY(arena_printf(a, ret_why, "\"%s\" is not a numeric IPv4 or IPv6 address", o->address));
        return ERR_CONFIG;
    }
    int fd = bind_socket(&address, shared);
    if (fd < 0) {
        return explain(o, port, errno, a, ret_why);
    }
    *ret_fd = fd;
    return ERR_OK;
}

enum err listener_probe(const struct net_listener *options, struct arena *a, struct span *ret_why)
{
    int fd = -1;
    TRY(bind_listener(options, options->port, false, a, ret_why, &fd));
    close(fd);
    return ERR_OK;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = { .v6 = { 0 } };
    socklen_t length = sizeof(address);
    INVARIANT(getsockname(fd, &address.any, &length) == 0);
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

enum err listener_open(struct listener *ln, struct loop *l, const struct net_listener *options,
                       uint16_t *port, struct arena *a, struct span *ret_why)
{
    TRY(bind_listener(options, *port, true, a, ret_why, &ln->fd));
    ln->loop = l;
    ln->options = options;
    *port = port_of(ln->fd);
    if (uv_poll_init(&l->uv, &ln->poll, ln->fd) != 0) {
        TRY(arena_printf(a, ret_why, "cannot watch port %u of %s", *port, options->address));
        return ERR_IO;
    }
    ln->poll.data = ln;
    ln->inited = true;
    return ERR_OK;
}

/* ---- accepting ---- */

/* The longest idle connection gives way, if there is one. */
static bool evict_idle(struct loop *l)
{
    struct conn *longest = TAILQ_FIRST(&l->lists[CONN_IDLE]);
    if (longest == NULL) {
        return false;
    }
    metrics_add(METRIC_CONNECTIONS_TOTAL, EVICTED, 1);
    conn_end(longest);
    return true;
}

/* Without descriptors: libuv's own listener (1.44) would drop who waits, or spin. */
static void pause_accepting(struct listener *ln, int error)
{
    struct loop *l = ln->loop;
    metrics_add(METRIC_CONNECTIONS_TOTAL, FAILED, 1);
    if (l->complained_ms == 0 || uv_now(&l->uv) - l->complained_ms > COMPLAIN_AFTER_MS) {
        l->complained_ms = uv_now(&l->uv);
        log_event(LOG_WARN, "accept_failed", LOG_STR("why", uv_strerror(-error)));
    }
    (void)evict_idle(l);
    (void)uv_poll_stop(&ln->poll);
    ln->paused = true;
    loop_tick_start(l);
}

static void admit(struct listener *ln, int fd, const struct sockaddr *address)
{
    struct loop *l = ln->loop;
    struct net *n = l->net;
    if (atomic_load(&n->connections) >= n->options.max_connections && !evict_idle(l)) {
        metrics_add(METRIC_CONNECTIONS_TOTAL, REFUSED, 1);
        close(fd);
        return;
    }
    struct conn *c = conn_open(l, ln->options, fd, address);
    if (c != NULL) {
        conn_read_update(c);
    }
}

/* accept4() looks for a descriptor before it looks for a client. */
static bool somebody_waits(const struct listener *ln)
{
    struct pollfd readable = { .fd = ln->fd, .events = POLLIN };
    return poll(&readable, 1, 0) == 1;
}

/* False when nobody waits, or nobody can be taken. */
static bool accept_one(struct listener *ln)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    int fd = accept4(ln->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        admit(ln, fd, (const struct sockaddr *)&address);
        return true;
    }
    int error = errno;
    switch (error) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        if (somebody_waits(ln)) {
            pause_accepting(ln, error);
        }
        return false;
    default: /* EINTR, or an error of that one client (accept(2)) */
        return true;
    }
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *ln = poll->data;
    (void)events;
    if (status < 0) {
        pause_accepting(ln, -status);
        return;
    }
    for (int i = 0; i < ACCEPT_BATCH && accept_one(ln); i++) {
    }
}

enum err listener_start(struct listener *ln)
{
    if (listen(ln->fd, BACKLOG) != 0) {
        return ERR_IO;
    }
    return uv_poll_start(&ln->poll, UV_READABLE, on_acceptable) == 0 ? ERR_OK : ERR_IO;
}

void listener_resume(struct listener *ln)
{
    if (ln->paused && uv_poll_start(&ln->poll, UV_READABLE, on_acceptable) == 0) {
        ln->paused = false;
    }
}

void listener_finish(struct listener *ln)
{
    for (int i = 0; i < BACKLOG && ln->inited && accept_one(ln); i++) {
    }
    listener_close(ln);
}

void listener_close(struct listener *ln)
{
    if (ln->inited) {
        uv_close((uv_handle_t *)&ln->poll, NULL);
        ln->inited = false;
    }
    if (ln->fd >= 0) {
        close(ln->fd);
        ln->fd = -1;
    }
    ln->paused = false;
}

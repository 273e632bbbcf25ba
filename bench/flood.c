/* flood.c - many TLS clients in one thread, who ask as fast as they may or at a fixed rate.
 *
 *   bench-flood port=N connections=N seconds=N path=/P [rate=N] [bodies=FILE] [bearer=TOKEN]
 *               [forwarded=1] [warm=SECONDS]
 *
 * Without a rate each connection asks again as soon as it has its answer, whatever that was; with
 * one, requests are due at even intervals, wait for a free connection, and their time counts from
 * when they were due. Bodies are lines, taken in turn, and sent by POST. With forwarded each
 * request says that it comes from another address, as behind a gateway. All connections stand
 * before the time begins; what is answered in its first `warm` seconds is not counted.
 *
 * Prints one line of JSON. Not installed; it trusts whoever answers on 127.0.0.1. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES  32768
#define REQUEST_BYTES 8192
#define MAX_BODIES    4096
#define MAX_EVENTS    256
#define MAX_SAMPLES   (1 << 22)
#define STATUSES      600

struct client {
    int fd;
    SSL *ssl;
    bool handshaken, busy;
    uint32_t events;
    double due; /* of the request under way */
    size_t sent, length, received;
    char request[REQUEST_BYTES], answer[ANSWER_BYTES];
};

enum kind { GOOD, REFUSED, OTHER, KINDS };
static const char *const kind_name[KINDS] = { "good", "refused", "other" };

struct samples {
    uint32_t *us;
    size_t count;
};

static struct {
    const char *path, *bodies, *bearer;
    int port, connections, forwarded;
    double seconds, rate, warm;
} option = { .path = "/", .connections = 64, .seconds = 5 };

static struct {
    SSL_CTX *ctx;
    int epoll;
    struct client *clients;
    struct client **idle; /* a stack */
    size_t idle_count;
    char *body[MAX_BODIES];
    size_t body_count, asked;
    bool running;
    double began, next_due;
    size_t statuses[STATUSES], errors, bare_refusals;
    struct samples samples[KINDS];
} flood;

static void require(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "bench-flood: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
    }
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- connections ---- */

static void watch(struct client *c, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = c };
    if (c->events != events) {
        c->events = events;
        require(epoll_ctl(flood.epoll, EPOLL_CTL_MOD, c->fd, &event) == 0, "epoll_ctl");
    }
}

static void open_client(struct client *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)option.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require(c->fd >= 0, "socket");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int connected = connect(c->fd, (struct sockaddr *)&to, sizeof(to));
    require(connected == 0 || errno == EINPROGRESS, "connect");
    c->ssl = SSL_new(flood.ctx);
    require(c->ssl != NULL && SSL_set_fd(c->ssl, c->fd) == 1, "TLS");
    SSL_set_connect_state(c->ssl);
    c->handshaken = false;
    c->busy = false;
    c->events = EPOLLIN | EPOLLOUT;
    struct epoll_event event = { .events = c->events, .data.ptr = c };
    require(epoll_ctl(flood.epoll, EPOLL_CTL_ADD, c->fd, &event) == 0, "epoll_ctl");
}

static void reopen(struct client *c)
{
    for (size_t i = 0; i < flood.idle_count; i++) {
        if (flood.idle[i] == c) {
            flood.idle[i] = flood.idle[--flood.idle_count];
        }
    }
    SSL_free(c->ssl);
    close(c->fd);
    flood.errors += flood.running;
    open_client(c);
}

/* The SSL call gave `result`: true when it is only to be repeated later. */
static bool is_later(struct client *c, int result)
{
    int error = SSL_get_error(c->ssl, result);
    watch(c, error == SSL_ERROR_WANT_WRITE ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* ---- requests ---- */

static void write_request(struct client *c)
{
    const char *body = flood.body_count > 0 ? flood.body[flood.asked % flood.body_count] : "";
    char more[2048] = "";
    int length = 0;
    if (option.bearer != NULL) {
        length = snprintf(more, sizeof(more), "Authorization: Bearer %s\r\n", option.bearer);
    }
    if (option.forwarded) {
        size_t n = flood.asked;
        length +=
            snprintf(more + length, sizeof(more) - (size_t)length,
                     "X-Forwarded-For: 10.%zu.%zu.%zu\r\n", n >> 16 & 255, n >> 8 & 255, n & 255);
    }
    if (*body != '\0') {
        (void)snprintf(more + length, sizeof(more) - (size_t)length,
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    }
    length = snprintf(c->request, sizeof(c->request), "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n%s",
                      *body != '\0' ? "POST" : "GET", option.path, more, body);
    require(length > 0 && (size_t)length < sizeof(c->request), "the request is too long");
    c->length = (size_t)length;
    flood.asked++;
}

static void send_rest(struct client *c)
{
    while (c->sent < c->length) {
        int done = SSL_write(c->ssl, c->request + c->sent, (int)(c->length - c->sent));
        if (done <= 0) {
            if (!is_later(c, done)) {
                reopen(c);
            }
            return;
        }
        c->sent += (size_t)done;
    }
    watch(c, EPOLLIN);
}

static void ask(struct client *c, double due)
{
    require(c != NULL, "no client is idle");
    c->busy = true;
    c->due = due;
    c->sent = 0;
    c->received = 0;
    write_request(c);
    send_rest(c);
}

/* Who has nothing under way asks at once, or waits for a request that is due. */
static void rest(struct client *c)
{
    if (flood.running && option.rate <= 0) {
        ask(c, now_s());
    } else {
        flood.idle[flood.idle_count++] = c;
    }
}

static void ask_what_is_due(double now)
{
    while (option.rate > 0 && flood.next_due <= now && flood.idle_count > 0) {
        double due = flood.next_due;
        flood.next_due += 1 / option.rate;
        ask(flood.idle[--flood.idle_count], due);
    }
}

/* ---- answers ---- */

static void count_answer(const struct client *c, int status, bool retry_after)
{
    enum kind kind = status < 300 ? GOOD : status == 503 || status == 429 ? REFUSED : OTHER;
    struct samples *s = &flood.samples[kind];
    flood.statuses[status]++;
    flood.bare_refusals += kind == REFUSED && !retry_after;
    if (s->count < MAX_SAMPLES) {
        s->us[s->count++] = (uint32_t)((now_s() - c->due) * 1e6);
    }
}

/* True when the answer is whole. */
static bool has_answer(struct client *c)
{
    c->answer[c->received] = '\0';
    char *end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    char *length = strcasestr(c->answer, "\r\nContent-Length:");
    char *retry = strcasestr(c->answer, "\r\nRetry-After:");
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (c->received < (size_t)(end - c->answer) + 4 + body) {
        return false;
    }
    int status = (int)strtol(c->answer + sizeof("HTTP/1.1"), NULL, 10);
    require(status >= 100 && status < STATUSES, "no HTTP");
    if (flood.running && now_s() >= flood.began + option.warm) {
        count_answer(c, status, retry != NULL && retry < end);
    }
    return true;
}

static void receive(struct client *c)
{
    for (;;) {
        int got = SSL_read(c->ssl, c->answer + c->received, (int)(ANSWER_BYTES - 1 - c->received));
        if (got <= 0) {
            if (!is_later(c, got)) {
                reopen(c);
            }
            return;
        }
        c->received += (size_t)got;
        require(c->received < ANSWER_BYTES - 1, "the answer is too long");
        if (c->busy && has_answer(c)) {
            c->busy = false;
            rest(c);
            return;
        }
    }
}

static void on_event(struct client *c)
{
    if (!c->handshaken) {
        int done = SSL_do_handshake(c->ssl);
        if (done != 1) {
            if (!is_later(c, done)) {
                reopen(c);
            }
            return;
        }
        c->handshaken = true;
        c->received = 0;
        watch(c, EPOLLIN);
        rest(c);
    } else if (c->busy && c->sent < c->length) {
        send_rest(c);
    } else {
        receive(c);
    }
}

static void turn(double until)
{
    struct epoll_event events[MAX_EVENTS];
    double now = now_s();
    if (flood.running) {
        ask_what_is_due(now);
        if (option.rate > 0 && flood.idle_count > 0 && flood.next_due < until) {
            until = flood.next_due;
        }
    }
    double left = until > now ? until - now : 0;
    struct timespec wait = { .tv_sec = (time_t)left,
                             .tv_nsec = (long)((left - (double)(time_t)left) * 1e9) };
    int count = epoll_pwait2(flood.epoll, events, MAX_EVENTS, &wait, NULL);
    require(count >= 0 || errno == EINTR, "epoll_pwait2");
    for (int i = 0; i < count; i++) {
        on_event(events[i].data.ptr);
    }
}

/* ---- the run ---- */

static void connect_all(void)
{
    flood.clients = calloc((size_t)option.connections, sizeof(*flood.clients));
    flood.idle = calloc((size_t)option.connections, sizeof(struct client *));
    require(flood.clients != NULL && flood.idle != NULL, "memory");
    for (int i = 0; i < option.connections; i++) {
        open_client(&flood.clients[i]);
        while (flood.idle_count + 100 < (size_t)i) { /* within the listener's backlog */
            turn(now_s() + 1);
        }
    }
    double end = now_s() + 60;
    while (flood.idle_count < (size_t)option.connections) {
        require(now_s() < end, "the connections do not come about");
        turn(end);
    }
}

static void run(void)
{
    flood.running = true;
    flood.began = now_s();
    flood.next_due = flood.began;
    double end = flood.began + option.seconds;
    if (option.rate <= 0) {
        while (flood.idle_count > 0) {
            ask(flood.idle[--flood.idle_count], now_s());
        }
    }
    while (now_s() < end) {
        turn(end);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_kind(enum kind kind)
{
    struct samples *s = &flood.samples[kind];
    qsort(s->us, s->count, sizeof(*s->us), compare);
    (void)printf(", \"%s\": {\"count\": %zu", kind_name[kind], s->count);
    if (s->count > 0) {
        size_t middle = s->count / 2;
        size_t slow = (s->count - 1) * 99 / 100;
        (void)printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f", s->us[middle] / 1e3,
                     s->us[slow] / 1e3, s->us[s->count - 1] / 1e3);
    }
    (void)printf("}");
}

static void print_result(void)
{
    double seconds = now_s() - flood.began - option.warm;
    double late = option.rate > 0 && now_s() > flood.next_due ? now_s() - flood.next_due : 0;
    (void)printf("{\"seconds\": %.3f, \"errors\": %zu, \"refused_bare\": %zu, \"unsent\": %.0f",
                 seconds, flood.errors, flood.bare_refusals, late * option.rate);
    for (enum kind kind = 0; kind < KINDS; kind++) {
        print_kind(kind);
    }
    (void)printf(", \"statuses\": {");
    const char *comma = "";
    for (int i = 0; i < STATUSES; i++) {
        if (flood.statuses[i] > 0) {
            (void)printf("%s\"%d\": %zu", comma, i, flood.statuses[i]);
            comma = ", ";
        }
    }
    (void)printf("}}\n");
}

/* ---- the command line ---- */

static void read_bodies(void)
{
    FILE *f = option.bodies != NULL ? fopen(option.bodies, "re") : NULL;
    require(option.bodies == NULL || f != NULL, "bodies");
    char line[4096];
    while (f != NULL && flood.body_count < MAX_BODIES && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        flood.body[flood.body_count] = strdup(line);
        require(flood.body[flood.body_count++] != NULL, "memory");
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

static void read_option(const char *text)
{
    const char *value = strchr(text, '=');
    require(value != NULL, text);
    size_t length = (size_t)(value++ - text);
#define IS(name) (length == sizeof(name) - 1 && strncmp(text, name, length) == 0)
    if (IS("port")) {
        option.port = (int)strtol(value, NULL, 10);
    } else if (IS("connections")) {
        option.connections = (int)strtol(value, NULL, 10);
    } else if (IS("seconds")) {
        option.seconds = strtod(value, NULL);
    } else if (IS("rate")) {
        option.rate = strtod(value, NULL);
    } else if (IS("warm")) {
        option.warm = strtod(value, NULL);
    } else if (IS("path")) {
        option.path = value;
    } else if (IS("bodies")) {
        option.bodies = value;
    } else if (IS("bearer")) {
        option.bearer = value;
    } else if (IS("forwarded")) {
        option.forwarded = (int)strtol(value, NULL, 10);
    } else {
        errno = EINVAL;
        require(false, text);
    }
#undef IS
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        read_option(argv[i]);
    }
    read_bodies();
    for (enum kind kind = 0; kind < KINDS; kind++) {
        flood.samples[kind].us = malloc(MAX_SAMPLES * sizeof(uint32_t));
        require(flood.samples[kind].us != NULL, "memory");
    }
    flood.ctx = SSL_CTX_new(TLS_client_method());
    require(flood.ctx != NULL, "TLS");
    flood.epoll = epoll_create1(EPOLL_CLOEXEC);
    require(flood.epoll >= 0, "epoll_create1");
    connect_all();
    run();
    print_result();
    return EXIT_SUCCESS;
}

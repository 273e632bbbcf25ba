#include "client.h"

#include "secure.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum client_state {
    CLIENT_CLOSED,
    CLIENT_CONNECTING,
    CLIENT_HANDSHAKING,
    CLIENT_IDLE,
    CLIENT_BUSY,
    CLIENT_CLOSING,
};

struct client {
    /* fixed */
    struct client_loop *loop;
    const struct client_events *events;
    void *owner;
    /* of the present connection */
    enum client_state state;
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct secure *secure; /* NULL: http */
    struct answer_parser *parser;
    int64_t opened_ns;
    int64_t opening_ns;
    bool is_resumed;
    char why[CLIENT_WHY_BYTES]; /* empty: closed as it should be */
    /* of the one before */
    SSL_SESSION *session;
};

/* What could not be written at once. */
struct unsent {
    uv_write_t request;
    char bytes[];
};

/* ---- the end of a connection ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    secure_free(c->secure);
    c->secure = NULL;
    c->state = CLIENT_CLOSED;
    c->events->on_closed(c, c->owner, c->why[0] != '\0' ? c->why : NULL);
}

static void keep_session(struct client *c)
{
    SSL_SESSION *session =
        c->secure != NULL && c->loop->resume ? secure_take_session(c->secure) : NULL;
    if (session != NULL) {
        SSL_SESSION_free(c->session);
        c->session = session;
    }
}

static void flush(struct client *c);

static void leave(struct client *c)
{
    if (c->state == CLIENT_CLOSED || c->state == CLIENT_CLOSING) {
        return;
    }
    bool is_open = c->state == CLIENT_IDLE || c->state == CLIENT_BUSY;
    c->state = CLIENT_CLOSING;
    if (is_open && c->secure != NULL) {
        keep_session(c);
        secure_end(c->secure);
        flush(c);
    }
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

PRINTF_LIKE(2, 3) static void fail(struct client *c, const char *format, ...)
{
    if (c->state == CLIENT_CLOSED || c->state == CLIENT_CLOSING) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(c->why, sizeof(c->why), format, arguments);
    va_end(arguments);
    leave(c);
}

void client_close(struct client *c)
{
    leave(c);
}

/* ---- writing ---- */

static void on_written(uv_write_t *request, int status)
{
    struct client *c = request->handle->data;
    free((struct unsent *)(void *)request);
    if (status < 0) {
        fail(c, "writing fails: %s", uv_strerror(status));
    }
}

static void queue(struct client *c, struct span bytes)
{
    struct unsent *u = malloc(sizeof(*u) + bytes.length);
    if (u == NULL) {
        fail(c, "out of memory");
        return;
    }
    memcpy(u->bytes, bytes.data, bytes.length);
    uv_buf_t b = uv_buf_init(u->bytes, (unsigned)bytes.length);
    int result = uv_write(&u->request, (uv_stream_t *)&c->tcp, &b, 1, on_written);
    if (result != 0) {
        free(u);
        fail(c, "writing fails: %s", uv_strerror(result));
    }
}

static void write_out(struct client *c, struct span bytes)
{
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.length);
    int written = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    if (written < 0 && written != UV_EAGAIN) {
        fail(c, "writing fails: %s", uv_strerror(written));
        return;
    }
    struct span rest = span_from(bytes, written > 0 ? (size_t)written : 0);
    if (rest.length > 0) {
        queue(c, rest);
    }
}

static void flush(struct client *c)
{
    struct span out = secure_output(c->secure);
    if (out.length > 0) {
        write_out(c, out);
        secure_sent(c->secure);
    }
}

/* ---- reading ---- */

static void become_ready(struct client *c)
{
    c->state = CLIENT_IDLE;
    c->opening_ns = (int64_t)uv_hrtime() - c->opened_ns;
    c->is_resumed = c->secure != NULL && secure_is_resumed(c->secure);
    c->events->on_ready(c, c->owner);
}

static void shake_hands(struct client *c)
{
    bool done = false;
    enum err e = secure_handshake(c->secure, &done, c->why, sizeof(c->why));
    flush(c);
    if (e != ERR_OK) {
        leave(c);
    } else if (done && c->state == CLIENT_HANDSHAKING) {
        become_ready(c);
    }
}

static void take_answer(struct client *c, enum answer_progress progress)
{
    if (progress == ANSWER_BAD) {
        fail(c, "what it answers is not HTTP: %s", answer_why(c->parser));
        return;
    }
    if (progress == ANSWER_MORE) {
        return;
    }
    struct answer answer = answer_get(c->parser);
    c->state = CLIENT_IDLE;
    if (!answer.keep_alive) {
        leave(c);
    }
    c->events->on_answer(c, c->owner, &answer);
}

static void read_plain(struct client *c)
{
    size_t length = 0;
    do {
        enum err e = secure_read(c->secure, c->loop->plain, CLIENT_BUFFER_BYTES, &length);
        if (e != ERR_OK) {
            fail(c, e == ERR_CANCELLED ? "it closed the connection" : "TLS: a bad record came");
            return;
        }
        if (length > 0) {
            take_answer(c, answer_feed(c->parser,
                                       (struct span){ .data = c->loop->plain, .length = length }));
        }
    } while (length > 0 && secure_has_more(c->secure) &&
             (c->state == CLIENT_IDLE || c->state == CLIENT_BUSY));
}

static void take_bytes(struct client *c, struct span bytes)
{
    if (c->secure == NULL) {
        take_answer(c, answer_feed(c->parser, bytes));
        return;
    }
    if (secure_feed(c->secure, bytes) != ERR_OK) {
        fail(c, "out of memory");
        return;
    }
    if (c->state == CLIENT_HANDSHAKING) {
        shake_hands(c);
    }
    if (c->state == CLIENT_IDLE || c->state == CLIENT_BUSY) {
        read_plain(c);
    }
}

static void on_end(struct client *c, int why)
{
    if (why == UV_EOF && c->state == CLIENT_BUSY && answer_finish(c->parser) == ANSWER_DONE) {
        take_answer(c, ANSWER_DONE);
    }
    if (why == UV_EOF) {
        fail(c, c->state == CLIENT_HANDSHAKING ? "it closed the connection in the TLS handshake"
                                               : "it closed the connection");
    } else {
        fail(c, "reading fails: %s", uv_strerror(why));
    }
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *b)
{
    struct client *c = stream->data;
    if (c->state == CLIENT_CLOSING) {
        return;
    }
    if (length < 0) {
        on_end(c, (int)length);
    } else if (length > 0) {
        take_bytes(c, (struct span){ .data = b->base, .length = (size_t)length });
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct client *c = handle->data;
    (void)suggested;
    *ret_buf = uv_buf_init(c->loop->cipher, CLIENT_BUFFER_BYTES);
}

/* ---- opening ---- */

static void on_connected(uv_connect_t *request, int status)
{
    struct client *c = request->handle->data;
    if (c->state == CLIENT_CLOSING) {
        return;
    }
    if (status < 0) {
        fail(c, "it takes no connection: %s", uv_strerror(status));
        return;
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    (void)uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (c->loop->target->tls == NULL) {
        become_ready(c);
        return;
    }
    c->state = CLIENT_HANDSHAKING;
    if (secure_new(c->loop->target, c->loop->resume ? c->session : NULL, &c->secure) != ERR_OK) {
        fail(c, "out of memory");
        return;
    }
    shake_hands(c);
}

/* Ports are chosen when connecting: bound ahead, they would run out sooner. */
static int bind_source(struct client *c, const struct sockaddr *source)
{
    int on = 1;
    uv_os_fd_t fd = -1;
    int result = uv_fileno((uv_handle_t *)&c->tcp, &fd);
    if (result == 0) {
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        result = uv_tcp_bind(&c->tcp, source, 0);
    }
    return result;
}

void client_open(struct client *c, const struct sockaddr *source)
{
    INVARIANT(c->state == CLIENT_CLOSED);
    const struct target *t = c->loop->target;
    c->why[0] = '\0';
    c->state = CLIENT_CONNECTING;
    c->opened_ns = (int64_t)uv_hrtime();
    int result = uv_tcp_init_ex(c->loop->uv, &c->tcp, t->address.ss_family);
    if (result != 0) { /* no descriptor is left; without one the handle is still one */
        (void)uv_tcp_init(c->loop->uv, &c->tcp);
    }
    c->tcp.data = c;
    if (result == 0 && source != NULL) {
        result = bind_source(c, source);
    }
    if (result == 0) {
        result = uv_tcp_connect(&c->connect, &c->tcp, (const struct sockaddr *)&t->address,
                                on_connected);
    }
    if (result != 0) {
        fail(c, "no connection can be made: %s", uv_strerror(result));
    }
}

void client_send(struct client *c, struct span request)
{
    INVARIANT(c->state == CLIENT_IDLE);
    c->state = CLIENT_BUSY;
    answer_begin(c->parser);
    if (c->secure == NULL) {
        write_out(c, request);
    } else if (secure_write(c->secure, request) != ERR_OK) {
        fail(c, "TLS: writing fails");
    } else {
        flush(c);
    }
}

/* ---- life ---- */

enum err client_new(struct client_loop *l, const struct client_events *events, void *owner,
                    struct client **ret_client)
{
    struct client *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->loop = l;
    c->events = events;
    c->owner = owner;
    enum err e = answer_parser_new(&c->parser);
    if (e != ERR_OK) {
        client_free(c);
        return e;
    }
    *ret_client = c;
    return ERR_OK;
}

void client_free(struct client *c)
{
    if (c != NULL) {
        INVARIANT(c->state == CLIENT_CLOSED);
        answer_parser_free(c->parser);
        SSL_SESSION_free(c->session);
        free(c);
    }
}

bool client_is_idle(const struct client *c)
{
    return c->state == CLIENT_IDLE;
}

bool client_is_closed(const struct client *c)
{
    return c->state == CLIENT_CLOSED;
}

bool client_is_resumed(const struct client *c)
{
    return c->is_resumed;
}

int64_t client_opening_ns(const struct client *c)
{
    return c->opening_ns;
}

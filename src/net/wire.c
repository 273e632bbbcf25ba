#include "turn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LINGER_BYTES 262144

/* In the order of the label values of METRIC_HANDSHAKES. */
enum { HANDSHAKE_FULL, HANDSHAKE_RESUMED };

/* ---- out ---- */

/* What the socket did not take at once. */
struct chunk {
    uv_write_t request;
    size_t length;
    char bytes[];
};

static void on_written(uv_write_t *request, int status)
{
    struct chunk *chunk = (struct chunk *)request;
    struct conn *c = request->handle->data;
    secret_wipe(chunk->bytes, chunk->length);
    free(chunk);
    c->writes--;
    if (c->state == CONN_CLOSING) {
        return;
    }
    if (status < 0) {
        conn_close(c);
    } else if (c->writes == 0 && c->state == CONN_WRITING) {
        conn_resume(c);
    } else {
        conn_read_update(c);
    }
}

static void queue_write(struct conn *c, struct span bytes)
{
    struct chunk *chunk = malloc(sizeof(*chunk) + bytes.length);
    if (chunk == NULL) {
        conn_close(c);
        return;
    }
    chunk->length = bytes.length;
    memcpy(chunk->bytes, bytes.data, bytes.length);
    uv_buf_t b = uv_buf_init(chunk->bytes, (unsigned)bytes.length);
    if (uv_write(&chunk->request, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0) {
        secret_wipe(chunk->bytes, chunk->length);
        free(chunk);
        conn_close(c);
        return;
    }
    c->writes++;
    c->write_left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
}

static void send_out(struct conn *c, const struct buf *out)
{
    if (buf_result(out) != ERR_OK) {
        log_event(LOG_WARN, "answer_lost", LOG_STR("why", err_text(ERR_NOMEM)),
                  LOG_NUMBER("bytes", out->length));
        conn_close(c);
        return;
    }
    struct span bytes = buf_span(out);
    if (bytes.length > 0 && c->writes == 0) {
        uv_buf_t b = uv_buf_init(out->data, (unsigned)bytes.length);
        int written = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
        if (written < 0 && written != UV_EAGAIN) {
            conn_close(c);
            return;
        }
        bytes = span_from(bytes, written > 0 ? (size_t)written : 0);
    }
    if (bytes.length > 0) {
        queue_write(c, bytes);
    }
}

/* True when the last answer has been serialised, so that nothing follows it. */
static bool is_over(const struct conn *c)
{
    return c->last && c->served == NULL && c->rest.length == 0;
}

void conn_flush(struct conn *c)
{
    struct loop *l = c->loop;
    if (c->state == CONN_CLOSING) {
        return;
    }
    if (c->tls == NULL) {
        send_out(c, &l->plain_out);
        return;
    }
    if (buf_result(&l->plain_out) != ERR_OK) {
        send_out(c, &l->plain_out);
        return;
    }
    if (l->plain_out.length > 0 &&
        tls_stream_write(c->tls, buf_span(&l->plain_out), &l->cipher_out) != ERR_OK) {
        conn_close(c);
        return;
    }
    if (is_over(c) && !c->notified) {
        tls_stream_end(c->tls, &l->cipher_out);
        c->notified = true;
    }
    send_out(c, &l->cipher_out);
}

/* ---- after a turn ---- */

/* Closing at once would answer bytes on their way with RST, which can take our last answer from the
 * client before it has read it (RFC 9112, 9.6). */
static void linger(struct conn *c)
{
    uv_os_fd_t fd = -1;
    buf_done(&c->pending);
    conn_enter(c, CONN_LINGER);
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        conn_close(c);
    }
}

void conn_settle(struct conn *c)
{
    if (conn_is_parsing(c)) {
        if (c->writes > 0) {
            conn_enter(c, CONN_WRITING);
        } else if (is_over(c)) {
            linger(c);
        } else if (c->pending.length > 0 || c->rest.length > 0) {
            conn_enter(c, CONN_TURN);
            loop_turns_start(c->loop);
        }
    }
    /* What came before its FIN is answered, as far as nobody has to wait for it. */
    if (c->peer_done && c->state != CONN_TURN && c->state != CONN_WRITING) {
        conn_close(c);
    }
    conn_read_update(c);
}

/* ---- in ---- */

static void note_handshake(struct conn *c)
{
    metrics_add(METRIC_HANDSHAKES,
                tls_stream_is_resumed(c->tls) ? HANDSHAKE_RESUMED : HANDSHAKE_FULL, 1);
    conn_enter(c, CONN_IDLE);
}

static void receive_plain(struct conn *c, struct span plain)
{
    if (c->state == CONN_LINGER) {
        c->discarded += plain.length;
        if (c->discarded > LINGER_BYTES) {
            conn_close(c);
        }
    } else {
        conn_serve(c, plain);
    }
}

static void receive_cipher(struct conn *c, struct span cipher)
{
    struct loop *l = c->loop;
    bool more = true;
    while (more && c->state != CONN_CLOSING) {
        more = false;
        enum err e = tls_stream_feed(c->tls, cipher, &l->plain_in, &l->cipher_out, &more);
        cipher = SPAN_NONE;
        if (e != ERR_OK) {
            send_out(c, &l->cipher_out); /* the alert */
            conn_close(c);
            return;
        }
        if (c->state == CONN_HANDSHAKE && tls_stream_is_ready(c->tls)) {
            note_handshake(c);
        }
        receive_plain(c, buf_span(&l->plain_in));
        buf_reset(&l->plain_in);
    }
    c->peer_done = c->peer_done || tls_stream_is_ended(c->tls);
}

static void on_bytes(struct conn *c, struct span bytes)
{
    conn_turn_begin(c);
    if (c->state == CONN_LINGER) {
        receive_plain(c, bytes); /* whatever it is */
    } else if (c->tls != NULL) {
        receive_cipher(c, bytes);
    } else {
        receive_plain(c, bytes);
        secret_wipe(c->loop->read_bytes, bytes.length);
    }
    conn_turn_end(c);
}

static void yield(struct conn *c)
{
    struct loop *l = c->loop;
    c->yields = true;
    TAILQ_INSERT_TAIL(&l->yielding, c, yield_link);
    conn_read_update(c);
    loop_turns_start(l);
}

void conn_give_step(struct conn *c)
{
    TAILQ_REMOVE(&c->loop->yielding, c, yield_link);
    c->yields = false;
    c->has_step = true;
    conn_read_update(c);
}

static bool take_step(struct conn *c)
{
    bool has_step = c->has_step;
    c->has_step = false;
    return has_step || loop_take_step(c->loop);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *b)
{
    struct conn *c = stream->data;
    if (length == UV_ENOBUFS) {
        yield(c); /* on_alloc gave it no room */
    } else if (length > 0) {
        on_bytes(c, (struct span){ .data = b->base, .length = (size_t)length });
    } else if (length == UV_EOF) {
        c->peer_done = true;
        conn_settle(c);
    } else if (length < 0) {
        conn_close(c);
    }
}

static size_t read_room(const struct conn *c)
{
    if (conn_is_parsing(c) || c->state == CONN_HANDSHAKE || c->state == CONN_LINGER) {
        return READ_BYTES;
    }
    return c->pending.length < READ_BYTES ? READ_BYTES - c->pending.length : 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct conn *c = handle->data;
    bool waits = c->state == CONN_HANDSHAKE && !take_step(c);
    (void)suggested;
    *ret_buf = uv_buf_init(c->loop->read_bytes, waits ? 0 : (unsigned)read_room(c));
}

bool conn_has_unread(const struct conn *c)
{
    char byte = 0;
    uv_os_fd_t fd = -1;
    return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 &&
           recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* While a request is worked on reading goes on, or its client's FIN would not be noticed. */
static bool wants_to_read(const struct conn *c)
{
    return !c->peer_done && !c->yields && c->writes == 0 && c->state != CONN_CLOSING &&
           read_room(c) > 0;
}

void conn_read_update(struct conn *c)
{
    bool wanted = wants_to_read(c);
    if (wanted == c->reading) {
        return;
    }
    c->reading = wanted;
    if (!wanted) {
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
    } else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0) {
        conn_close(c);
    }
}

/* ceiling.c - the bare server that our /verify is measured against: libuv and OpenSSL, no more.
 *
 * It answers whatever ends in an empty line with one fixed 200, keeps connections alive, and has as
 * many loops with SO_REUSEPORT as it is told. No parser, no limits, no timeouts: what it reaches is
 * what these libraries allow on this machine. Not installed, not to be exposed.
 *
 * Usage: bench-ceiling PORT CERT KEY LOOPS */
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define BUFFER_BYTES 65536
#define MAX_LOOPS    256
#define MAX_BATCH    64

static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                             "Content-Length: 0\r\n"
                             "Connection: keep-alive\r\n\r\n";

struct loop {
    uv_loop_t uv;
    uv_tcp_t listener;
    uv_thread_t thread;
    SSL_CTX *ctx;
    char cipher[BUFFER_BYTES];
    char plain[BUFFER_BYTES];
};

struct client {
    uv_tcp_t tcp;
    struct loop *loop;
    SSL *ssl;
    BIO *in, *out;
    unsigned matched; /* characters of the empty line */
};

struct chunk {
    uv_write_t request;
    char bytes[];
};

static void require(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "bench-ceiling: %s\n", what);
        ERR_print_errors_fp(stderr);
        _exit(EXIT_FAILURE);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    SSL_free(c->ssl);
    free(c);
}

static void give_up(struct client *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
        uv_close((uv_handle_t *)&c->tcp, on_closed);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct client *c = request->handle->data;
    free(request);
    if (status < 0) {
        give_up(c);
    }
}

static void queue(struct client *c, const char *bytes, size_t length)
{
    struct chunk *chunk = malloc(sizeof(*chunk) + length);
    require(chunk != NULL, "out of memory");
    memcpy(chunk->bytes, bytes, length);
    uv_buf_t b = uv_buf_init(chunk->bytes, (unsigned)length);
    if (uv_write(&chunk->request, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0) {
        free(chunk);
        give_up(c);
    }
}

static void flush(struct client *c)
{
    char *bytes = NULL;
    long length = BIO_get_mem_data(c->out, &bytes);
    if (length <= 0) {
        return;
    }
    uv_buf_t b = uv_buf_init(bytes, (unsigned)length);
    int written = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    if (written < 0 && written != UV_EAGAIN) {
        give_up(c);
    } else {
        int done = written > 0 ? written : 0;
        if (done < length) {
            queue(c, bytes + done, (size_t)(length - done));
        }
    }
    (void)BIO_reset(c->out);
}

/* Ends of requests in these bytes. */
static unsigned count_requests(struct client *c, const char *bytes, int length)
{
    static const char end[] = "\r\n\r\n";
    unsigned count = 0;
    for (int i = 0; i < length; i++) {
        c->matched = bytes[i] == end[c->matched] ? c->matched + 1 : bytes[i] == '\r';
        if (c->matched == 4) {
            c->matched = 0;
            count++;
        }
    }
    return count;
}

/* Pipelined requests share a record, as they do in ours. */
static void reply(struct client *c, unsigned count)
{
    char batch[MAX_BATCH * (sizeof(answer) - 1)];
    while (count > 0) {
        unsigned now = count < MAX_BATCH ? count : MAX_BATCH;
        for (size_t i = 0; i < now; i++) {
            memcpy(batch + i * (sizeof(answer) - 1), answer, sizeof(answer) - 1);
        }
        (void)SSL_write(c->ssl, batch, (int)(now * (sizeof(answer) - 1)));
        count -= now;
    }
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *b)
{
    struct client *c = stream->data;
    if (length <= 0) {
        if (length < 0) {
            give_up(c);
        }
        return;
    }
    (void)BIO_write(c->in, b->base, (int)length);
    int got = 0;
    while ((got = SSL_read(c->ssl, c->loop->plain, BUFFER_BYTES)) > 0) {
        reply(c, count_requests(c, c->loop->plain, got));
    }
    flush(c);
    if (SSL_get_error(c->ssl, got) != SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        give_up(c);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct client *c = handle->data;
    (void)suggested;
    *ret_buf = uv_buf_init(c->loop->cipher, BUFFER_BYTES);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct loop *l = listener->data;
    if (status < 0) {
        return;
    }
    struct client *c = calloc(1, sizeof(*c));
    require(c != NULL, "out of memory");
    c->loop = l;
    c->ssl = SSL_new(l->ctx);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    require(c->ssl != NULL && c->in != NULL && c->out != NULL, "out of memory");
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_accept_state(c->ssl);
    (void)uv_tcp_init(&l->uv, &c->tcp);
    c->tcp.data = c;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
        give_up(c);
        return;
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    (void)uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static int listening_socket(uint16_t port)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    require(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
                bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0,
            "cannot bind");
    return fd;
}

static SSL_CTX *new_context(const char *cert, const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    require(ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
                SSL_CTX_use_certificate_chain_file(ctx, cert) == 1 &&
                SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1,
            "cannot use the certificate");
    /* What makes ours fast and is a line in any server: the suite with the cheaper hash first, one
     * ticket, no search for a chain. */
    require(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                          "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
                SSL_CTX_set_num_tickets(ctx, 1) == 1,
            "cannot set the rules");
    (void)SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    return ctx;
}

static void run(void *loop)
{
    struct loop *l = loop;
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

static void start(struct loop *l, SSL_CTX *ctx, uint16_t port)
{
    l->ctx = ctx;
    require(uv_loop_init(&l->uv) == 0 && uv_tcp_init(&l->uv, &l->listener) == 0, "no loop");
    l->listener.data = l;
    require(uv_tcp_open(&l->listener, listening_socket(port)) == 0 &&
                uv_listen((uv_stream_t *)&l->listener, 4096, on_connection) == 0,
            "cannot listen");
}

int main(int argc, char **argv)
{
    require(argc == 5, "usage: bench-ceiling PORT CERT KEY LOOPS");
    unsigned long port = strtoul(argv[1], NULL, 10);
    unsigned long count = strtoul(argv[4], NULL, 10);
    require(port > 0 && port <= UINT16_MAX && count > 0 && count <= MAX_LOOPS, "a bad number");
    (void)signal(SIGPIPE, SIG_IGN);
    SSL_CTX *ctx = new_context(argv[2], argv[3]);
    struct loop *loops = calloc(count, sizeof(*loops));
    require(loops != NULL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        start(&loops[i], ctx, (uint16_t)port);
    }
    for (size_t i = 0; i < count; i++) {
        require(uv_thread_create(&loops[i].thread, run, &loops[i]) == 0, "no thread");
    }
    for (size_t i = 0; i < count; i++) {
        (void)uv_thread_join(&loops[i].thread);
    }
    return EXIT_SUCCESS;
}

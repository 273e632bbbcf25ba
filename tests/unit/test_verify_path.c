/* GET /verify from socket to socket: a gateway asks for each of its requests, so for a token that
 * is in the cache nobody may ask for memory. Counted is every request that the server's threads
 * make meanwhile: our own, libuv's, and apart from them OpenSSL's, whose record layer cannot do
 * without (a packet's description each way; its buffers, because idle connections give theirs
 * back). */
#include "net.h"
#include "test_api_world.h"
#include "test_net_options.h"
#include "tls.h"
#include "wrapped_malloc.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

/* ---- counting ---- */

static _Thread_local bool is_client;
static _Thread_local bool is_openssl;
static atomic_bool counting;
static atomic_int requests, openssl_requests;

static void count(void)
{
    if (!is_client && atomic_load(&counting)) {
        atomic_fetch_add(is_openssl ? &openssl_requests : &requests, 1);
    }
}

void *__wrap_malloc(size_t size)
{
    count();
    return __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
    count();
    return __real_calloc(number, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    count();
    return __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    count();
    return __real_mmap64(at, size, protection, flags, file, offset);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    return __real_pthread_create(thread, attributes, start, argument);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    is_openssl = true;
    void *memory = __wrap_malloc(size); /* of malloc() itself gcc knows that it reads no flag */
    is_openssl = false;
    return memory;
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    is_openssl = true;
    void *memory = __wrap_realloc(old, size);
    is_openssl = false;
    return memory;
}

static void openssl_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* ---- a server and its client ---- */

struct gateway {
    struct service service;
    struct arena arena;
    struct tls_context *tls;
    struct net_listener listener;
    struct net *net;
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

static void serve(struct gateway *g)
{
    struct span why;
    g->listener = (struct net_listener){ .address = "127.0.0.1",
                                         .tls = g->tls,
                                         .handler = g->service.handler };
    struct net_options options = test_net_options(&g->listener);
    CHECK_ERR(net_open(&options, &g->arena, &why, &g->net), ERR_OK);
    CHECK_ERR(net_start(g->net), ERR_OK);
}

static void dial(struct gateway *g)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(net_port(g->net, 0)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(g->fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    if (g->tls != NULL) {
        g->ctx = SSL_CTX_new(TLS_client_method());
        g->ssl = SSL_new(g->ctx);
        CHECK(g->ssl != NULL && SSL_set_fd(g->ssl, g->fd) == 1);
        CHECK_INT(SSL_connect(g->ssl), 1);
    }
}

static void gateway_open(struct gateway *g, bool tls)
{
    *g = (struct gateway){ 0 };
    arena_init(&g->arena, 256 * 1024);
    service_open(&g->service, standard_options());
    if (tls) {
        g->tls = test_tls_context(&g->arena);
    }
    serve(g);
    dial(g);
}

static void gateway_close(struct gateway *g)
{
    SSL_free(g->ssl);
    SSL_CTX_free(g->ctx);
    CHECK_INT(close(g->fd), 0);
    net_stop(g->net, 0, NULL, NULL);
    net_close(g->net);
    tls_context_free(g->tls);
    service_auto(&g->service);
    arena_done(&g->arena);
}

/* Sends `text` and reads the one answer, which has no body. */
static int exchange(struct gateway *g, struct span text)
{
    char answer[4096];
    size_t length = 0;
    ssize_t got = 0;
    ssize_t sent = g->ssl != NULL ? SSL_write(g->ssl, text.data, (int)text.length)
                                  : write(g->fd, text.data, text.length);
    CHECK_INT(sent, text.length);
    do {
        size_t room = sizeof(answer) - 1 - length;
        got = g->ssl != NULL ? SSL_read(g->ssl, answer + length, (int)room)
                             : read(g->fd, answer + length, room);
        CHECK(got > 0);
        length += (size_t)got;
        answer[length] = '\0';
    } while (strstr(answer, "\r\n\r\n") == NULL);
    CHECK(strncmp(answer, "HTTP/1.1 ", 9) == 0);
    return atoi(answer + 9);
}

static void check_takes_no_memory(bool tls, const char *target, const char *more_headers)
{
    struct gateway g;
    struct login l;
    char text[8192];
    is_client = true;
    gateway_open(&g, tls);
    make_account(&g.service);
    log_in_as_ann(&g.service, &l);
    int length =
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: auth.example.org\r\n%s%s\r\n",
                 target, l.bearer, more_headers);
    struct span request = { text, (size_t)length };
    for (int i = 0; i < 10; i++) {
        CHECK_INT(exchange(&g, request), 200);
    }
    atomic_store(&requests, 0);
    atomic_store(&openssl_requests, 0);
    atomic_store(&counting, true);
    for (int i = 0; i < 300; i++) {
        CHECK_INT(exchange(&g, request), 200);
    }
    atomic_store(&counting, false);
    CHECK_INT(atomic_load(&requests), 0);
    CHECK(tls || atomic_load(&openssl_requests) == 0);
    /* The control: a token that is not in the cache asks for plenty. */
    *strstr(text, "Bearer eyJ") = 'b';
    strstr(text, "earer eyJ")[20] ^= 1;
    atomic_store(&counting, true);
    CHECK_INT(exchange(&g, request), 401);
    atomic_store(&counting, false);
    CHECK(atomic_load(&requests) > 0);
    gateway_close(&g);
}

#define GATEWAY_HEADERS                                                                            \
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"       \
    "Accept: application/json, text/plain, */*\r\nAccept-Language: en-US,en;q=0.5\r\n"             \
    "Accept-Encoding: gzip, deflate, br, zstd\r\nOrigin: https://app.example.org\r\n"              \
    "X-Forwarded-For: 203.0.113.9, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"                       \
    "X-Forwarded-Host: app.example.org\r\nX-Forwarded-Uri: /some/where?with=query\r\n"             \
    "X-Request-Id: 0b7cb4fe-9e1d-4a59-b2ce-0e6f0f9a9d11\r\n"

TEST(a_remembered_token_is_verified_over_tls_without_asking_for_memory)
{
    check_takes_no_memory(true, "/verify", "");
}

TEST(without_tls_openssl_does_not_ask_either)
{
    check_takes_no_memory(false, "/verify", "");
}

TEST(so_it_is_with_what_gateways_and_browsers_send_along)
{
    check_takes_no_memory(true, "/verify/some/where?of=nobody&x=%20+y", GATEWAY_HEADERS);
}

int main(void)
{
    /* Before any of them has asked for anything. */
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1 ||
        uv_replace_allocator(malloc, realloc, calloc, free) != 0) {
        return 1;
    }
    RUN_TESTS(cmocka_unit_test(a_remembered_token_is_verified_over_tls_without_asking_for_memory),
              cmocka_unit_test(without_tls_openssl_does_not_ask_either),
              cmocka_unit_test(so_it_is_with_what_gateways_and_browsers_send_along));
}

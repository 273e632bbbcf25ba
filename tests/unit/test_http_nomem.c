/* Every allocation of http and tls fails once: the caller hears of it, and nothing leaks. */
#include "check.h"
#include "failing_malloc.h"
#include "http.h"
#include "tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum err parse_a_request(void)
{
    static const struct http_limits limits = {
        .max_header_bytes = 8192, .max_headers = 8, .max_body_bytes = 8192, .max_uri_bytes = 4096
    };
    static char request[6000];
    int length =
        snprintf(request, sizeof(request),
                 "POST /%02000d HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n%03000d", 0, 0);
    struct http_exchange x = { 0 };
    AUTO(http_parser) struct http_parser *p = NULL;
    TRY(http_parser_new(&limits, &p));
    arena_init(&x.arena, 64 * 1024);
    http_parser_begin(p, &x);
    struct span rest = { .data = request, .length = (size_t)length };
    enum http_progress progress = HTTP_MORE;
    enum err e = ERR_OK;
    while (e == ERR_OK && progress != HTTP_REQUEST_DONE) {
        size_t used = 0;
        e = http_parser_feed(p, span_slice(rest, 0, 100), &used, &progress);
        rest = span_from(rest, used);
    }
    arena_done(&x.arena);
    return e;
}

TEST(the_parser_says_when_there_is_no_memory)
{
    enum err e = ERR_NOMEM;
    int n = 1;
    for (; fail_allocation(n), e = parse_a_request(), allocation_failed(); n++) {
        CHECK_ERR(e, ERR_NOMEM);
    }
    fail_allocation(0);
    CHECK_ERR(e, ERR_OK);
    CHECK(n > 5);
}

TEST(networks_say_when_there_is_no_memory)
{
    struct http_networks *n = NULL;
    struct span bad = SPAN_NONE;
    fail_allocation(1);
    enum err e = http_networks_parse(SPAN("10.0.0.0/8"), &n, &bad);
    fail_allocation(0);
    CHECK_ERR(e, ERR_NOMEM);
    CHECK(n == NULL);
}

/* Without memory for its text an address is told as the peer's. */
TEST(an_address_without_memory_is_the_peers)
{
    struct http_request r = { 0 };
    struct http_peer peer = { .address = "10.0.0.1" };
    struct arena a;
    arena_init(&a, 0);
    CHECK_SPAN(http_client_address(&r, &peer, NULL, &a), "10.0.0.1");
    CHECK_INT(http_address_key(SPAN("10.0.0.1"), &a).length, 0);
    arena_done(&a);
}

static enum err open_and_accept(const struct tls_options *options)
{
    struct arena a;
    struct span why = SPAN_NONE;
    struct tls_context *c = NULL;
    struct tls_stream *s = NULL;
    arena_init(&a, 4096);
    enum err e = tls_context_new(options, &a, &why, &c);
    if (e == ERR_OK) {
        e = tls_stream_new(c, &s);
        tls_stream_free(s);
    }
    tls_context_free(c);
    arena_done(&a);
    return e;
}

TEST(contexts_and_streams_say_when_there_is_no_memory)
{
    char directory[] = "/tmp/doorward-nomem-XXXXXX";
    char cert[64];
    char key[64];
    struct arena a;
    struct span why = SPAN_NONE;
    arena_init(&a, 4096);
    CHECK(mkdtemp(directory) != NULL);
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", directory);
    (void)snprintf(key, sizeof(key), "%s/key.pem", directory);
    CHECK_ERR(tls_self_signed(cert, key, SPAN_NONE, &a, &why), ERR_OK);
    arena_done(&a);

    struct tls_options options = { .cert_path = cert, .key_path = key };
    enum err e = ERR_NOMEM;
    int n = 1;
    for (; fail_allocation(n), e = open_and_accept(&options), allocation_failed(); n++) {
        CHECK_ERR(e, ERR_NOMEM);
    }
    fail_allocation(0);
    CHECK_ERR(e, ERR_OK);
    CHECK(n > 2);
    CHECK_INT(unlink(cert), 0);
    CHECK_INT(unlink(key), 0);
    CHECK_INT(rmdir(directory), 0);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(the_parser_says_when_there_is_no_memory),
              cmocka_unit_test(networks_say_when_there_is_no_memory),
              cmocka_unit_test(an_address_without_memory_is_the_peers),
              cmocka_unit_test(contexts_and_streams_say_when_there_is_no_memory));
}

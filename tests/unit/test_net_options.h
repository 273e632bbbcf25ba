/* test_net_options.h - a server's limits and certificate, for tests that start one. */
#ifndef DOORWARD_TEST_NET_OPTIONS_H
#define DOORWARD_TEST_NET_OPTIONS_H

#include "check.h"
#include "net.h"
#include "tls.h"

#include <stdlib.h>
#include <unistd.h>

static inline struct net_options test_net_options(struct net_listener *listener)
{
    return (struct net_options){
        .listeners = listener,
        .listener_count = 1,
        .loops = 1,
        .limits = { .max_header_bytes = 4096,
                    .max_headers = 16,
                    .max_body_bytes = 4096,
                    .max_uri_bytes = 512 },
        .max_connections = 100,
        .max_pipelined = 4,
        .request_arena_bytes = 65536,
        .handshake_timeout_ms = 60000,
        .header_timeout_ms = 60000,
        .body_timeout_ms = 60000,
        .idle_timeout_ms = 60000,
        .write_timeout_ms = 60000,
    };
}

/* Self-signed; no file of it stays. tls_context_free(). */
static inline struct tls_context *test_tls_context(struct arena *a)
{
    char directory[] = "/tmp/doorward-test-XXXXXX";
    struct span cert, key, why;
    struct tls_context *context = NULL;
    CHECK(mkdtemp(directory) != NULL);
    CHECK_ERR(arena_printf(a, &cert, "%s/cert.pem", directory), ERR_OK);
    CHECK_ERR(arena_printf(a, &key, "%s/key.pem", directory), ERR_OK);
    CHECK_ERR(tls_self_signed(cert.data, key.data, SPAN_NONE, a, &why), ERR_OK);
    struct tls_options options = { .cert_path = cert.data, .key_path = key.data };
    CHECK_ERR(tls_context_new(&options, a, &why, &context), ERR_OK);
    CHECK_INT(unlink(cert.data), 0);
    CHECK_INT(unlink(key.data), 0);
    CHECK_INT(rmdir(directory), 0);
    return context;
}

#endif

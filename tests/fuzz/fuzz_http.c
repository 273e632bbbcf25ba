/* fuzz_http.c - request bytes. The first byte of the input says how the rest is cut; the same bytes
 * fed whole must have the same outcome. What was taken also goes through the look-ups. */
#include "http.h"

#define MAX_REQUESTS 4 /* of one connection */
#define ARENA_BYTES  (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What became of the bytes, folded into one number, and how it ended. */
struct outcome {
    enum err result;
    size_t requests;
    size_t heads; /* that wait for 100 Continue */
    uint64_t digest;
};

static void mix(struct outcome *o, struct span bytes)
{
    o->digest = (o->digest ^ bytes.length) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < bytes.length; i++) {
        o->digest = (o->digest ^ (uint8_t)bytes.data[i]) * UINT64_C(0x100000001b3);
    }
}

static void mix_flag(struct outcome *o, bool flag)
{
    mix(o, flag ? SPAN("1") : SPAN("0"));
}

static void mix_head(struct outcome *o, const struct http_request *r)
{
    mix(o, r->method_name);
    mix(o, r->path);
    mix(o, r->query);
    for (size_t i = 0; i < r->header_count; i++) {
        mix(o, r->headers[i].name);
        mix(o, r->headers[i].value);
    }
}

static void look_around(struct outcome *o, struct http_exchange *x)
{
    struct http_request *r = &x->request;
    struct span rest = r->query;
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    while (http_query_next(&rest, &x->arena, &name, &value) == ERR_OK) {
        mix(o, name);
        mix(o, value);
    }
    mix(o, http_cookie_get(r, "__Host-refresh"));
    struct http_peer peer = { .address = "10.0.0.1" };
    struct http_networks *trusted = NULL;
    struct span bad = SPAN_NONE;
    if (http_networks_parse(SPAN("10.0.0.0/8, fd00::/8"), &trusted, &bad) == ERR_OK) {
        mix(o, http_client_address(r, &peer, trusted, &x->arena));
        http_networks_free(trusted);
    }
}

static void take_request(struct outcome *o, struct http_exchange *x)
{
    mix_head(o, &x->request);
    mix(o, x->request.body);
    mix_flag(o, x->request.keep_alive);
    mix_flag(o, x->request.has_body);
    mix_flag(o, x->request.expects_continue);
    mix_flag(o, x->request.version_minor == 1);
    look_around(o, x);
    o->requests++;
}

static void parse(struct http_parser *p, struct http_exchange *x, struct span bytes, size_t step,
                  struct outcome *o)
{
    while (bytes.length > 0 && o->requests < MAX_REQUESTS) {
        size_t used = 0;
        enum http_progress progress = HTTP_MORE;
        o->result = http_parser_feed(p, span_slice(bytes, 0, step), &used, &progress);
        bytes = span_from(bytes, used);
        if (o->result != ERR_OK) {
            mix_head(o, &x->request);
            return;
        }
        o->heads += progress == HTTP_HEAD_DONE;
        if (progress == HTTP_REQUEST_DONE) {
            take_request(o, x);
            arena_reset(&x->arena);
            http_parser_begin(p, x);
        }
    }
    mix_flag(o, http_parser_has_begun(p));
    mix_flag(o, http_parser_has_head(p));
}

static struct outcome outcome_of(struct span bytes, size_t step)
{
    static const struct http_limits limits = {
        .max_header_bytes = 1024, .max_headers = 8, .max_body_bytes = 256, .max_uri_bytes = 128
    };
    struct outcome o = { 0 };
    struct http_exchange x = { 0 };
    AUTO(http_parser) struct http_parser *p = NULL;
    arena_init(&x.arena, ARENA_BYTES);
    if (http_parser_new(&limits, &p) == ERR_OK) {
        http_parser_begin(p, &x);
        parse(p, &x, bytes, step, &o);
    }
    arena_done(&x.arena);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct span bytes = { .data = (const char *)data + 1, .length = size - 1 };
    size_t step = (size_t)(data[0] % 32) + 1;
    struct outcome whole = outcome_of(bytes, SIZE_MAX);
    struct outcome cut = outcome_of(bytes, step);
    INVARIANT(whole.result == cut.result);
    INVARIANT(whole.requests == cut.requests && whole.heads == cut.heads);
    INVARIANT(whole.digest == cut.digest);
    return 0;
}

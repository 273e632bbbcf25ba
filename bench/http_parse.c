/* http_parse.c - requests as they come over the wire, through our parser and through llhttp alone,
 * which keeps nothing, limits nothing and checks less. */
#include "bench.h"
#include "http.h"
#include "measure.h"

#include <llhttp.h>

#define ARENA_BYTES 65536
#define TOKEN       "eyJhbGciOiJFUzI1NiIsImtpZCI6IjAxOTNhIiwidHlwIjoiYXQrand0In0" /* shape only */
#define TOKEN_TEN   TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN

static const struct {
    const char *name, *text;
} requests[] = {
    { "verify", "GET /verify HTTP/1.1\r\nHost: auth.example.org:8443\r\n"
                "Authorization: Bearer " TOKEN_TEN "\r\n\r\n" },
    { "login", "POST /login HTTP/1.1\r\nHost: auth.example.org:8443\r\n"
               "User-Agent: python-httpx/0.27\r\nAccept: */*\r\n"
               "Content-Type: application/json\r\nContent-Length: 59\r\n\r\n"
               "{\"username\":\"somebody.else\",\"password\":\"correct horse 123\"}" },
    { "browser", "GET /profile HTTP/1.1\r\nHost: auth.example.org:8443\r\n"
                 "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
                 "Firefox/128.0\r\nAccept: application/json, text/plain, */*\r\n"
                 "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
                 "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                 "Authorization: Bearer " TOKEN_TEN "\r\n"
                 "Referer: https://app.example.org/\r\nOrigin: https://app.example.org\r\n"
                 "Connection: keep-alive\r\nCookie: theme=dark; locale=en_GB\r\n"
                 "Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\n"
                 "Sec-Fetch-Site: same-site\r\nDNT: 1\r\nSec-GPC: 1\r\n"
                 "Priority: u=0\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\r\n" },
};

struct world {
    struct span bytes;
    struct http_parser *parser;
    struct http_exchange exchange;
    llhttp_settings_t settings;
};

static void parse_ours(void *context)
{
    struct world *w = context;
    enum http_progress progress = HTTP_MORE;
    size_t used = 0;
    http_parser_begin(w->parser, &w->exchange);
    measure_check(http_parser_feed(w->parser, w->bytes, &used, &progress), "our parser");
    measure_require(progress == HTTP_REQUEST_DONE && used == w->bytes.length, "half a request");
    arena_reset(&w->exchange.arena);
}

static void parse_bare(void *context)
{
    struct world *w = context;
    llhttp_t bare;
    llhttp_init(&bare, HTTP_REQUEST, &w->settings);
    measure_require(llhttp_execute(&bare, w->bytes.data, w->bytes.length) == HPE_OK, "llhttp");
}

int http_parse_main(int argc, char **argv)
{
    static const struct http_limits limits = {
        .max_header_bytes = 16384, .max_headers = 64, .max_body_bytes = 16384, .max_uri_bytes = 2048
    };
    struct measure_plan plan = { .rounds = 11, .least_ns = 50000000 };
    struct measure m;
    struct world w = { 0 };
    int code = measure_options(argc, argv, NULL, &plan);
    if (code != EXIT_GOOD) {
        return code;
    }
    measure_check(http_parser_new(&limits, &w.parser), "no parser");
    arena_init(&w.exchange.arena, ARENA_BYTES);
    llhttp_settings_init(&w.settings);
    measure_begin(&m, argv[0], &plan);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const struct measure_side sides[] = {
            { .name = "Doorward", .context = &w, .step = parse_ours },
            { .name = "llhttp alone", .context = &w, .step = parse_bare },
        };
        w.bytes = span_of(requests[i].text);
        measure_case(&m, requests[i].name, sides, 2);
    }
    arena_done(&w.exchange.arena);
    http_parser_free(w.parser);
    return measure_end(&m);
}

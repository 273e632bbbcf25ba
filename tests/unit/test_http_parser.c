/* What the parser takes and refuses. Every case is fed whole, byte by byte and in threes, alone
 * and as the second request of a connection; all must end alike. */
#include "check.h"
#include "http.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES (256 * 1024)

static const struct http_limits usual = {
    .max_header_bytes = 4096, .max_headers = 8, .max_body_bytes = 64, .max_uri_bytes = 128
};

/* A parser, an exchange and what became of the bytes. */
struct world {
    struct http_parser *parser;
    struct http_exchange x;
    enum err result;
    size_t used;
    bool done;
    bool saw_head_done;
};

static void open_world(struct world *w, const struct http_limits *limits)
{
    *w = (struct world){ 0 };
    arena_init(&w->x.arena, ARENA_BYTES);
    CHECK_ERR(http_parser_new(limits, &w->parser), ERR_OK);
    http_parser_begin(w->parser, &w->x);
}

static void close_world(struct world *w)
{
    http_parser_free(w->parser);
    arena_done(&w->x.arena);
}

/* An own copy of exactly the length: reading past the end must not go unnoticed. */
static enum err feed_piece(struct world *w, struct span piece, size_t *ret_used,
                           enum http_progress *ret_progress)
{
    char *copy = malloc(piece.length == 0 ? 1 : piece.length);
    CHECK(copy != NULL);
    memcpy(copy, piece.data, piece.length);
    enum err e = http_parser_feed(w->parser, (struct span){ .data = copy, .length = piece.length },
                                  ret_used, ret_progress);
    free(copy);
    return e;
}

/* Feed in pieces of `step` bytes until a request is whole, something is wrong, or all is used. */
static void feed(struct world *w, struct span bytes, size_t step)
{
    while (w->result == ERR_OK && !w->done && bytes.length > 0) {
        size_t used = 0;
        enum http_progress progress = HTTP_MORE;
        w->result = feed_piece(w, span_slice(bytes, 0, step), &used, &progress);
        w->done = progress == HTTP_REQUEST_DONE;
        w->saw_head_done = w->saw_head_done || progress == HTTP_HEAD_DONE;
        bytes = span_from(bytes, used);
        w->used += used;
    }
}

static const size_t steps[] = { SIZE_MAX, 1, 3 };
#define STEP_COUNT (sizeof(steps) / sizeof(steps[0]))

static void check_outcome(const struct world *w, struct span bytes, enum err expected)
{
    bool whole = expected != ERR_OK || (w->done && w->used == bytes.length);
    if (w->result != expected || !whole) {
        print_error("for \"%.*s\":\n", SPAN_FMT(bytes));
        CHECK_ERR(w->result, expected);
        CHECK(whole);
    }
}

static void expect_within(const struct http_limits *limits, struct span bytes, enum err expected)
{
    for (size_t i = 0; i < STEP_COUNT; i++) {
        struct world w;
        open_world(&w, limits);
        feed(&w, bytes, steps[i]);
        check_outcome(&w, bytes, expected);
        close_world(&w);

        open_world(&w, limits);
        feed(&w, SPAN("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
             steps[i]);
        CHECK(w.done);
        w.done = false;
        w.used = 0;
        arena_reset(&w.x.arena);
        http_parser_begin(w.parser, &w.x);
        feed(&w, bytes, steps[i]);
        check_outcome(&w, bytes, expected);
        close_world(&w);
    }
}

static void expect(const char *text, enum err expected)
{
    expect_within(&usual, span_of(text), expected);
}

static void accepts(const char *text)
{
    expect(text, ERR_OK);
}

static void refuses(const char *text)
{
    expect(text, ERR_BAD_REQUEST);
}

#define GET     "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST    "POST /p HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

/* ---- what a request becomes ---- */

TEST(a_request_is_taken_apart)
{
    for (size_t i = 0; i < STEP_COUNT; i++) {
        struct world w;
        open_world(&w, &usual);
        feed(&w,
             SPAN("POST /login?a=b&c HTTP/1.1\r\nHost: example.org:8443\r\nX-Empty:\r\n"
                  "X-Blank: \t v w \t\r\nContent-Length: 5\r\n\r\nhello"),
             steps[i]);
        CHECK_ERR(w.result, ERR_OK);
        CHECK(w.done && !w.saw_head_done);
        const struct http_request *r = &w.x.request;
        CHECK_INT(r->method, HTTP_METHOD_POST);
        CHECK_SPAN(r->method_name, "POST");
        CHECK_SPAN(r->path, "/login");
        CHECK_SPAN(r->query, "a=b&c");
        CHECK_INT(r->version_minor, 1);
        CHECK(r->keep_alive && r->has_body && !r->expects_continue);
        CHECK_INT(r->header_count, 4);
        CHECK_SPAN(http_header_get(r, "host", NULL), "example.org:8443");
        CHECK_SPAN(http_header_get(r, "x-blank", NULL), "v w");
        CHECK(http_header_get(r, "x-empty", NULL).data != NULL);
        CHECK_SPAN(http_header_get(r, "x-empty", NULL), "");
        CHECK(http_header_get(r, "x-none", NULL).data == NULL);
        CHECK_SPAN(r->body, "hello");
        close_world(&w);
    }
}

static void check_target(const char *request, const char *path, const char *query)
{
    struct world w;
    open_world(&w, &usual);
    feed(&w, span_of(request), SIZE_MAX);
    CHECK_ERR(w.result, ERR_OK);
    CHECK_SPAN(w.x.request.path, path);
    CHECK_SPAN(w.x.request.query, query);
    close_world(&w);
}

TEST(the_path_is_found_in_every_form_of_target)
{
    check_target(GET "\r\n", "/", "");
    check_target("GET /a%2fb?x?y HTTP/1.1\r\nHost: a\r\n\r\n", "/a%2fb", "x?y");
    check_target("GET http://h:80/p?q HTTP/1.1\r\nHost: a\r\n\r\n", "/p", "q");
    check_target("GET HTTPS://h HTTP/1.1\r\nHost: a\r\n\r\n", "/", "");
    check_target("GET https://[::1]:8?q HTTP/1.1\r\nHost: a\r\n\r\n", "/", "q");
    check_target("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", "");
}

TEST(other_targets_are_refused)
{
    refuses("GET * HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET ftp://h/ HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET http:///p HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET http://u@h/ HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET  / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET /  HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GET / HTTP/1.1 \r\nHost: a\r\n\r\n");
}

TEST(methods_that_http_knows_pass_and_others_do_not)
{
    accepts("PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
    accepts("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("get / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses("GETX / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuses(" GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(versions_other_than_1_0_and_1_1_are_refused)
{
    accepts("GET / HTTP/1.0\r\n\r\n");
    refuses("GET / HTTP/0.9\r\nHost: a\r\n\r\n");
    refuses("GET / HTTP/1.2\r\nHost: a\r\n\r\n");
    refuses("GET / HTTP/2.0\r\nHost: a\r\n\r\n");
    refuses("GET / HTTP/11\r\nHost: a\r\n\r\n");
    refuses("GET / http/1.1\r\nHost: a\r\n\r\n");
    refuses("GET / RTSP/1.0\r\nHost: a\r\n\r\n");
    refuses("SOURCE / ICE/1.0\r\nHost: a\r\n\r\n");
    refuses("DESCRIBE / RTSP/1.0\r\n\r\n");
    refuses("GET /\r\n\r\n");
    refuses("GET /\n\n");
    refuses("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    refuses("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST(upgrades_are_never_made)
{
    struct world w;
    open_world(&w, &usual);
    feed(&w, SPAN(GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /second"), SIZE_MAX);
    CHECK_ERR(w.result, ERR_OK);
    CHECK(w.done && w.used == sizeof(GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n") - 1);
    close_world(&w);
    accepts(POST "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab");
    refuses("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    accepts("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n");
    accepts("CONNECT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
}

/* ---- lines and headers ---- */

TEST(only_crlf_ends_a_line)
{
    refuses("GET / HTTP/1.1\nHost: a\r\n\r\n");
    refuses("GET / HTTP/1.1\rHost: a\r\n\r\n");
    refuses("GET / HTTP/1.1\r\nHost: a\n\r\n");
    refuses("GET / HTTP/1.1\r\nHost: a\r\n\n");
    refuses("GET / HTTP/1.1\r\nHost: a\r\n\rX");
    refuses(GET "X: a\rb\r\n\r\n");
    refuses(GET "X: a\nb\r\n\r\n");
    refuses("\r\n" GET "\r\n");
    refuses("\n" GET "\r\n");
    refuses("\r\r\n" GET "\r\n");
}

TEST(odd_header_lines_are_refused)
{
    refuses("GET / HTTP/1.1\r\n Host: a\r\n\r\n");
    refuses(GET "X : a\r\n\r\n");
    refuses(GET "X\t: a\r\n\r\n");
    refuses(GET "X Y: a\r\n\r\n");
    refuses(GET "X: a\r\n folded\r\n\r\n");
    refuses(GET "X:\r\n folded\r\n\r\n");
    refuses(GET "X: a\r\n\tfolded\r\n\r\n");
    refuses(GET ": a\r\n\r\n");
    refuses(GET "X\r\n\r\n");
    refuses(GET "X\x01: a\r\n\r\n");
    refuses(GET "X(: a\r\n\r\n");
    refuses(GET "\xc3\xa4: a\r\n\r\n");
    accepts(GET "!#$%&'*+-.^_`|~9aZ: a\r\n\r\n");
}

TEST(control_bytes_in_values_are_refused)
{
    for (int c = 0; c < 256; c++) {
        char text[] = GET "X: a?b\r\n\r\n";
        struct span bytes = { .data = text, .length = sizeof(text) - 1 };
        text[sizeof(GET "X: a") - 1] = (char)c;
        bool fine = c == '\t' || (c >= ' ' && c != 0x7f);
        expect_within(&usual, bytes, fine ? ERR_OK : ERR_BAD_REQUEST);
    }
}

TEST(one_sane_host_is_needed)
{
    refuses("GET / HTTP/1.1\r\n\r\n");
    refuses("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    refuses("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n");
    accepts("GET / HTTP/1.0\r\n\r\n");
    static const char *const bad[] = { "",       "a b",     "a,b",     "a/b",   "u@a",
                                       "a:x",    "a:65536", "[::1",    "::1",   "[]",
                                       "[::1]x", ":80",     "a:80:80", "a\xff", "[a-z]" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", bad[i]);
        refuses(text);
    }
    static const char *const good[] = { "a",     "a.example:8443",  "10.0.0.1",
                                        "[::1]", "[2001:db8::1]:8", "a:" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", good[i]);
        accepts(text);
    }
}

TEST(two_authorization_headers_are_refused)
{
    accepts(GET "Authorization: Bearer a\r\n\r\n");
    refuses(GET "Authorization: Bearer a\r\nauthorization: Bearer a\r\n\r\n");
}

static bool keeps_alive(const char *request)
{
    struct world w;
    open_world(&w, &usual);
    feed(&w, span_of(request), SIZE_MAX);
    CHECK_ERR(w.result, ERR_OK);
    bool keep = w.x.request.keep_alive;
    close_world(&w);
    return keep;
}

TEST(keep_alive_follows_version_and_connection_header)
{
    CHECK(keeps_alive(GET "\r\n"));
    CHECK(!keeps_alive(GET "Connection: close\r\n\r\n"));
    CHECK(!keeps_alive(GET "Connection: x, CLOSE ,y\r\n\r\n"));
    CHECK(!keeps_alive(GET "Connection: keep-alive\r\nConnection: close\r\n\r\n"));
    CHECK(keeps_alive(GET "Connection: closed\r\n\r\n"));
    CHECK(!keeps_alive("GET / HTTP/1.0\r\n\r\n"));
    CHECK(keeps_alive("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    CHECK(!keeps_alive("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
}

/* ---- framing ---- */

TEST(content_length_is_one_plain_number)
{
    accepts(POST "Content-Length: 0\r\n\r\n");
    accepts(POST "Content-Length: 005\r\n\r\nhello");
    static const char *const bad[] = { "+5",
                                       "-1",
                                       "0x5",
                                       "5,6",
                                       "5, 5",
                                       "5 5",
                                       "",
                                       "5.0",
                                       "a",
                                       "18446744073709551616",
                                       "99999999999999999999999" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), POST "Content-Length: %s\r\n\r\nhello", bad[i]);
        refuses(text);
    }
    refuses(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
    refuses(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello");
    refuses(POST "Content-Length : 5\r\n\r\nhello");
}

TEST(transfer_encoding_is_exactly_chunked_and_alone)
{
    accepts(CHUNKED "0\r\n\r\n");
    accepts(POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n");
    static const char *const bad[] = {
        "chunked, x",    "x, chunked",       "x",        "xchunked", "chunkedx",
        "gzip, chunked", "chunked, chunked", "chunked,", "identity", "",
        "\"chunked\"",   "chunked;q=1",      "ch\tunked"
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), POST "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n", bad[i]);
        refuses(text);
    }
    refuses(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    refuses(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n");
    refuses(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    refuses(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n");
    refuses("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST(chunks_are_joined_and_trailers_are_no_headers)
{
    for (size_t i = 0; i < STEP_COUNT; i++) {
        struct world w;
        open_world(&w, &usual);
        feed(&w,
             SPAN(CHUNKED "5\r\nhello\r\n1;name=value;q=\"x\"\r\n \r\n05\r\nworld\r\n0\r\n"
                          "Authorization: Bearer forged\r\nHost: b\r\n\r\n"),
             steps[i]);
        CHECK_ERR(w.result, ERR_OK);
        CHECK(w.done);
        CHECK_SPAN(w.x.request.body, "hello world");
        CHECK_INT(w.x.request.header_count, 2);
        CHECK(http_header_get(&w.x.request, "authorization", NULL).data == NULL);
        CHECK_SPAN(http_header_get(&w.x.request, "host", NULL), "a");
        close_world(&w);
    }
}

TEST(bad_chunks_are_refused)
{
    refuses(CHUNKED "x\r\n");
    refuses(CHUNKED " 1\r\na\r\n0\r\n\r\n");
    refuses(CHUNKED "1 \r\na\r\n0\r\n\r\n");
    refuses(CHUNKED "1\na\r\n0\r\n\r\n");
    refuses(CHUNKED "1\r\nab\r\n0\r\n\r\n");
    refuses(CHUNKED "1\r\na\n0\r\n\r\n");
    refuses(CHUNKED "-1\r\na\r\n0\r\n\r\n");
    refuses(CHUNKED "0x1\r\na\r\n0\r\n\r\n");
    refuses(CHUNKED "\r\na\r\n0\r\n\r\n");
    refuses(CHUNKED "ffffffffffffffff1\r\n");
    refuses(CHUNKED "10000000000000000\r\n");
    refuses(CHUNKED "1;a\nb\r\na\r\n0\r\n\r\n");
    refuses(CHUNKED "1;a=\"\x01\"\r\na\r\n0\r\n\r\n");
    refuses(CHUNKED "0\r\nX : y\r\n\r\n");
    refuses(CHUNKED "0\r\nX: y\n\r\n");
    refuses(CHUNKED "0\r\n X: y\r\n\r\n");
    expect(CHUNKED "ffffffffffffffff\r\n", ERR_BODY_TOO_LARGE);
}

/* ---- Expect ---- */

TEST(the_parser_stops_for_100_continue_before_a_body_only)
{
    struct world w;
    open_world(&w, &usual);
    struct span head = SPAN(POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    size_t used = 0;
    enum http_progress progress = HTTP_MORE;
    CHECK_ERR(http_parser_feed(w.parser, head, &used, &progress), ERR_OK);
    CHECK_INT(progress, HTTP_HEAD_DONE);
    CHECK_INT(used, head.length);
    CHECK(w.x.request.expects_continue && http_parser_has_head(w.parser));
    CHECK_ERR(http_parser_feed(w.parser, SPAN_NONE, &used, &progress), ERR_OK);
    CHECK_INT(progress, HTTP_MORE);
    CHECK_ERR(http_parser_feed(w.parser, SPAN("ab"), &used, &progress), ERR_OK);
    CHECK_INT(progress, HTTP_REQUEST_DONE);
    CHECK_SPAN(w.x.request.body, "ab");
    close_world(&w);

    open_world(&w, &usual);
    feed(&w, SPAN(GET "Expect: 100-continue\r\n\r\n"), SIZE_MAX);
    CHECK(w.done && !w.saw_head_done);
    close_world(&w);
}

TEST(other_expectations_are_refused)
{
    expect(GET "Expect: 200-ok\r\n\r\n", ERR_EXPECTATION);
    expect(GET "Expect: 100-continue, x\r\n\r\n", ERR_EXPECTATION);
    expect(GET "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", ERR_EXPECTATION);
    expect(GET "Expect:\r\n\r\n", ERR_EXPECTATION);
    expect("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", ERR_OK);
}

/* ---- limits: at it fine, one over not ---- */

static struct span repeat(struct arena *a, const char *before, char c, size_t count,
                          const char *after)
{
    char *run = arena_get(a, count + 1);
    CHECK(run != NULL);
    memset(run, c, count);
    struct span text = SPAN_NONE;
    CHECK_ERR(arena_printf(a, &text, "%s%s%s", before, run, after), ERR_OK);
    return text;
}

TEST(the_target_has_a_limit)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    const char *after = " HTTP/1.1\r\nHost: a\r\n\r\n";
    expect_within(&usual, repeat(&a, "GET /", 'x', 127, after), ERR_OK);
    expect_within(&usual, repeat(&a, "GET /", 'x', 128, after), ERR_URI_TOO_LONG);
    expect_within(&usual, repeat(&a, "GET /", 'x', 10000, after), ERR_URI_TOO_LONG);
    expect_within(&usual, repeat(&a, "GET /", 'x', 10000, ""), ERR_URI_TOO_LONG);
    arena_done(&a);
}

TEST(the_header_section_has_a_limit_in_bytes)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    size_t rest = usual.max_header_bytes - (sizeof(GET "X: \r\n\r\n") - 1);
    expect_within(&usual, repeat(&a, GET "X: ", 'x', rest, "\r\n\r\n"), ERR_OK);
    expect_within(&usual, repeat(&a, GET "X: ", 'x', rest + 1, "\r\n\r\n"), ERR_HEADERS_TOO_LARGE);
    expect_within(&usual, repeat(&a, GET, 'x', 100000, ""), ERR_HEADERS_TOO_LARGE);
    expect_within(&usual, repeat(&a, GET "X:", ' ', 100000, ""), ERR_HEADERS_TOO_LARGE);
    arena_done(&a);
}

TEST(the_header_section_has_a_limit_in_count)
{
    accepts(GET "1: a\r\n2: a\r\n3: a\r\n4: a\r\n5: a\r\n6: a\r\n7: a\r\n\r\n");
    expect(GET "1: a\r\n2: a\r\n3: a\r\n4: a\r\n5: a\r\n6: a\r\n7: a\r\n8: a\r\n\r\n",
           ERR_HEADERS_TOO_LARGE);
}

TEST(trailers_share_the_limits_of_headers)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    accepts(CHUNKED "0\r\n1: a\r\n2: a\r\n3: a\r\n4: a\r\n5: a\r\n6: a\r\n\r\n");
    expect(CHUNKED "0\r\n1: a\r\n2: a\r\n3: a\r\n4: a\r\n5: a\r\n6: a\r\n7: a\r\n\r\n",
           ERR_HEADERS_TOO_LARGE);
    size_t rest = usual.max_header_bytes - (sizeof(CHUNKED "X: \r\n\r\n") - 1);
    expect_within(&usual, repeat(&a, CHUNKED "0\r\nX: ", 'x', rest, "\r\n\r\n"), ERR_OK);
    expect_within(&usual, repeat(&a, CHUNKED "0\r\nX: ", 'x', rest + 1, "\r\n\r\n"),
                  ERR_HEADERS_TOO_LARGE);
    arena_done(&a);
}

TEST(the_body_has_a_limit)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    expect_within(&usual, repeat(&a, POST "Content-Length: 64\r\n\r\n", 'x', 64, ""), ERR_OK);
    expect(POST "Content-Length: 65\r\n\r\n", ERR_BODY_TOO_LARGE);
    expect(POST "Content-Length: 18446744073709551615\r\n\r\n", ERR_BODY_TOO_LARGE);
    expect_within(&usual, repeat(&a, CHUNKED "40\r\n", 'x', 64, "\r\n0\r\n\r\n"), ERR_OK);
    expect(CHUNKED "41\r\n", ERR_BODY_TOO_LARGE);
    expect_within(&usual, repeat(&a, CHUNKED "40\r\n", 'x', 64, "\r\n1\r\n"), ERR_BODY_TOO_LARGE);
    arena_done(&a);
}

TEST(chunk_extensions_have_a_limit)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    expect_within(&usual, repeat(&a, CHUNKED "0;", 'x', 255, "\r\n\r\n"), ERR_OK);
    expect_within(&usual, repeat(&a, CHUNKED "0;", 'x', 256, "\r\n\r\n"), ERR_BAD_REQUEST);
    expect_within(&usual, repeat(&a, CHUNKED "0;", 'x', 65536, "\r\n\r\n"), ERR_BAD_REQUEST);
    expect_within(&usual, repeat(&a, CHUNKED "0;a=\"", 'x', 65536, ""), ERR_BAD_REQUEST);
    expect_within(&usual, repeat(&a, CHUNKED, '0', 65536, ""), ERR_BAD_REQUEST);
    arena_done(&a);
}

TEST(a_refused_body_leaves_its_head_to_be_answered)
{
    struct world w;
    open_world(&w, &usual);
    feed(&w, SPAN("POST /nowhere?x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"), 1);
    CHECK_ERR(w.result, ERR_BODY_TOO_LARGE);
    CHECK_INT(w.x.request.method, HTTP_METHOD_POST);
    CHECK_SPAN(w.x.request.path, "/nowhere");
    CHECK_INT(w.x.request.version_minor, 1);
    CHECK(w.x.arena.used_bytes < 1000);
    close_world(&w);
}

TEST(a_refused_head_is_given_as_far_as_it_was_read)
{
    for (size_t i = 0; i < STEP_COUNT; i++) {
        struct world w;
        open_world(&w, &usual);
        feed(&w, SPAN("HEAD /x HTTP/1.1\r\nX-Request-Id: 7\r\nBad : 1\r\nNext: 1\r\n\r\n"),
             steps[i]);
        CHECK_ERR(w.result, ERR_BAD_REQUEST);
        CHECK_INT(w.x.request.method, HTTP_METHOD_HEAD);
        CHECK_SPAN(w.x.request.path, "/x");
        CHECK_SPAN(http_header_get(&w.x.request, "x-request-id", NULL), "7");
        CHECK_INT(w.x.request.header_count, 1);
        size_t used = 0;
        enum http_progress progress = HTTP_MORE;
        CHECK_ERR(http_parser_feed(w.parser, SPAN("x"), &used, &progress), ERR_BAD_REQUEST);
        close_world(&w);
    }
}

TEST(an_arena_that_is_too_small_is_no_memory)
{
    static const char request[] = POST "Content-Length: 5\r\n\r\nhello";
    bool passed = false;
    for (size_t ceiling = 0; ceiling < 512; ceiling += 16) {
        struct world w;
        open_world(&w, &usual);
        arena_done(&w.x.arena);
        arena_init(&w.x.arena, ceiling);
        feed(&w, span_of(request), SIZE_MAX);
        passed = w.result == ERR_OK;
        CHECK(passed || w.result == ERR_NOMEM);
        close_world(&w);
    }
    CHECK(passed);
}

/* ---- several requests, and parts of one ---- */

TEST(pipelined_requests_come_one_by_one)
{
    struct span bytes = SPAN(POST "Content-Length: 2\r\n\r\nab" GET "\r\n" CHUNKED
                                  "1\r\nc\r\n0\r\n\r\n" GET "\r\n");
    static const char *const bodies[] = { "ab", "", "c", "" };
    struct world w;
    open_world(&w, &usual);
    for (size_t i = 0; i < 4; i++) {
        size_t used = 0;
        enum http_progress progress = HTTP_MORE;
        CHECK(!http_parser_has_begun(w.parser));
        CHECK_ERR(http_parser_feed(w.parser, bytes, &used, &progress), ERR_OK);
        CHECK_INT(progress, HTTP_REQUEST_DONE);
        CHECK_SPAN(w.x.request.body, bodies[i]);
        bytes = span_from(bytes, used);
        arena_reset(&w.x.arena);
        http_parser_begin(w.parser, &w.x);
    }
    CHECK_INT(bytes.length, 0);
    close_world(&w);
}

TEST(no_beginning_of_a_request_is_a_request)
{
    struct span bytes = SPAN(CHUNKED "5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n");
    for (size_t length = 0; length < bytes.length; length++) {
        struct world w;
        open_world(&w, &usual);
        feed(&w, span_slice(bytes, 0, length), SIZE_MAX);
        CHECK_ERR(w.result, ERR_OK);
        CHECK(!w.done && w.used == length);
        CHECK(http_parser_has_begun(w.parser) == (length > 0));
        CHECK(http_parser_has_head(w.parser) == (length >= sizeof(CHUNKED) - 1));
        close_world(&w);
    }
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(the_path_is_found_in_every_form_of_target),
        cmocka_unit_test(other_targets_are_refused),
        cmocka_unit_test(methods_that_http_knows_pass_and_others_do_not),
        cmocka_unit_test(versions_other_than_1_0_and_1_1_are_refused),
        cmocka_unit_test(upgrades_are_never_made), cmocka_unit_test(only_crlf_ends_a_line),
        cmocka_unit_test(odd_header_lines_are_refused),
        cmocka_unit_test(control_bytes_in_values_are_refused),
        cmocka_unit_test(one_sane_host_is_needed),
        cmocka_unit_test(two_authorization_headers_are_refused),
        cmocka_unit_test(keep_alive_follows_version_and_connection_header),
        cmocka_unit_test(content_length_is_one_plain_number),
        cmocka_unit_test(transfer_encoding_is_exactly_chunked_and_alone),
        cmocka_unit_test(chunks_are_joined_and_trailers_are_no_headers),
        cmocka_unit_test(bad_chunks_are_refused),
        cmocka_unit_test(the_parser_stops_for_100_continue_before_a_body_only),
        cmocka_unit_test(other_expectations_are_refused), cmocka_unit_test(the_target_has_a_limit),
        cmocka_unit_test(the_header_section_has_a_limit_in_bytes),
        cmocka_unit_test(the_header_section_has_a_limit_in_count),
        cmocka_unit_test(trailers_share_the_limits_of_headers),
        cmocka_unit_test(the_body_has_a_limit), cmocka_unit_test(chunk_extensions_have_a_limit),
        cmocka_unit_test(a_refused_body_leaves_its_head_to_be_answered),
        cmocka_unit_test(a_refused_head_is_given_as_far_as_it_was_read),
        cmocka_unit_test(an_arena_that_is_too_small_is_no_memory),
        cmocka_unit_test(pipelined_requests_come_one_by_one),
        cmocka_unit_test(no_beginning_of_a_request_is_a_request));
}

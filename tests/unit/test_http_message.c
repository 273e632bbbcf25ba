/* Look-ups in a request, and what a response looks like on the wire. */
#include "check.h"
#include "http.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- look-ups ---- */

TEST(a_doubled_header_has_no_value)
{
    struct http_header headers[] = { { SPAN("A"), SPAN("1") },
                                     { SPAN("b"), SPAN("2") },
                                     { SPAN("a"), SPAN("3") },
                                     { SPAN("a"), SPAN("4") } };
    struct http_request r = { .headers = headers, .header_count = COUNT(headers) };
    size_t count = 0;
    CHECK(http_header_get(&r, "a", &count).data == NULL);
    CHECK_INT(count, 3);
    CHECK_SPAN(http_header_get(&r, "B", &count), "2");
    CHECK_INT(count, 1);
    CHECK(http_header_get(&r, "c", &count).data == NULL);
    CHECK_INT(count, 0);
}

/* RFC 9110, 5.3 */
TEST(the_lines_of_a_list_are_one_list)
{
    static const char *const expected[] = { "1", "", "2 3", "", "4", "5" };
    struct http_header headers[] = { { SPAN("A"), SPAN("1,, 2 3\t") },
                                     { SPAN("b"), SPAN("x") },
                                     { SPAN("a"), SPAN("") },
                                     { SPAN("a"), SPAN("4 ,5") } };
    struct http_request r = { .headers = headers, .header_count = COUNT(headers) };
    struct http_list walk = { 0 };
    struct span member = SPAN_NONE;
    for (size_t i = 0; i < COUNT(expected); i++) {
        CHECK(http_list_next(&r, "a", &walk, &member));
        CHECK_SPAN(member, expected[i]);
    }
    CHECK(!http_list_next(&r, "a", &walk, &member));
    walk = (struct http_list){ 0 };
    CHECK(!http_list_next(&r, "c", &walk, &member));
}

TEST(cookies_are_found_by_their_exact_name)
{
    struct http_header headers[] = { { SPAN("Cookie"), SPAN("ax=1; a=2;b=x=y ;c=; d") },
                                     { SPAN("cookie"), SPAN("e=5") } };
    struct http_request r = { .headers = headers, .header_count = COUNT(headers) };
    CHECK_SPAN(http_cookie_get(&r, "a"), "2");
    CHECK_SPAN(http_cookie_get(&r, "b"), "x=y");
    CHECK(http_cookie_get(&r, "c").data != NULL);
    CHECK_SPAN(http_cookie_get(&r, "c"), "");
    CHECK_SPAN(http_cookie_get(&r, "e"), "5");
    CHECK(http_cookie_get(&r, "d").data == NULL);
    CHECK(http_cookie_get(&r, "A").data == NULL);
    CHECK(http_cookie_get(&r, "x").data == NULL);
}

static void check_query(const char *query, const char *const *expected, size_t count)
{
    struct arena a;
    arena_init(&a, 4096);
    struct span rest = span_of(query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    for (size_t i = 0; i < count; i += 2) {
        CHECK_ERR(http_query_next(&rest, &a, &name, &value), ERR_OK);
        CHECK_SPAN(name, expected[i]);
        CHECK_SPAN(value, expected[i + 1]);
    }
    CHECK_ERR(http_query_next(&rest, &a, &name, &value), ERR_NOT_FOUND);
    arena_done(&a);
}

TEST(query_pairs_come_decoded_and_in_order)
{
    static const char *const pairs[] = { "role", "a b", "role", "c&d", "x", "", "", "y" };
    check_query("role=a+b&&role=c%26d&x&=y&", pairs, COUNT(pairs));
    static const char *const broken[] = { "a%", "%4", "%zz", "%2\xc3", "c", "A\xc3" };
    check_query("a%=%4&%zz=%2%c3&c=%41%C3", broken, COUNT(broken));
    check_query("", NULL, 0);
    check_query("&&", NULL, 0);
    check_query(NULL, NULL, 0);
}

TEST(a_query_without_memory_is_told_from_one_that_ends)
{
    struct arena a;
    arena_init(&a, 16); /* the name fits, the value does not */
    struct span rest = SPAN("name=value");
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    CHECK_ERR(http_query_next(&rest, &a, &name, &value), ERR_NOMEM);
    CHECK(name.data == NULL && value.data == NULL);
    arena_done(&a);
}

/* ---- responses ---- */

/* The response's bytes, its Date replaced by DATE. */
static struct span written(const struct http_response *response, const struct http_request *request,
                           bool close, struct arena *a)
{
    struct buf out;
    buf_init(&out, 4096);
    http_response_write(response, request, close, &out);
    CHECK_ERR(buf_result(&out), ERR_OK);
    struct span all = buf_span(&out);
    const char *date = memmem(all.data, all.length, "Date: ", 6);
    CHECK(date != NULL);
    size_t start = (size_t)(date - all.data) + 6;
    size_t length = span_find(span_from(all, start), '\r');
    CHECK_INT(length, sizeof("Sun, 06 Nov 1994 08:49:37 GMT") - 1);
    struct span text = SPAN_NONE;
    CHECK_ERR(arena_printf(a, &text, "%.*sDATE%.*s", (int)start, all.data,
                           SPAN_FMT(span_from(all, start + length))),
              ERR_OK);
    buf_done(&out);
    return text;
}

static void check_written(const struct http_response *response, const struct http_request *request,
                          bool close, const char *expected)
{
    struct arena a;
    arena_init(&a, 8192);
    CHECK_SPAN(written(response, request, close, &a), expected);
    arena_done(&a);
}

static const struct http_request get11 = { .method = HTTP_METHOD_GET, .version_minor = 1 };

TEST(a_response_has_its_headers_and_body)
{
    struct http_response r = { .status = 200,
                               .content_type = SPAN("application/json"),
                               .body = SPAN("{}") };
    http_response_header(&r, "X-Request-Id", SPAN("7"));
    check_written(&r, &get11, false,
                  "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: application/json\r\n"
                  "X-Request-Id: 7\r\nContent-Length: 2\r\n\r\n{}");
    check_written(&r, &get11, true,
                  "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: application/json\r\n"
                  "X-Request-Id: 7\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
}

TEST(head_has_the_length_but_no_body)
{
    struct http_response r = { .status = 404, .body = SPAN("gone") };
    struct http_request head = { .method = HTTP_METHOD_HEAD, .version_minor = 1 };
    check_written(&r, &head, false,
                  "HTTP/1.1 404 Not Found\r\nDate: DATE\r\nContent-Length: 4\r\n\r\n");
}

TEST(answers_without_content_have_neither_length_nor_body)
{
    struct http_response r = { .status = 204, .body = SPAN("x") };
    check_written(&r, &get11, false, "HTTP/1.1 204 No Content\r\nDate: DATE\r\n\r\n");
    r.status = 304;
    check_written(&r, &get11, false, "HTTP/1.1 304 Not Modified\r\nDate: DATE\r\n\r\n");
}

TEST(http_1_0_is_told_when_the_connection_stays)
{
    struct http_response r = { .status = 200 };
    struct http_request get10 = { .method = HTTP_METHOD_GET, .version_minor = 0 };
    check_written(&r, &get10, false,
                  "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 0\r\n"
                  "Connection: keep-alive\r\n\r\n");
    check_written(&r, &get10, true,
                  "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 0\r\n"
                  "Connection: close\r\n\r\n");
}

TEST(a_status_without_a_phrase_is_still_a_status_line)
{
    struct http_response r = { .status = 299 };
    check_written(&r, &get11, false, "HTTP/1.1 299 \r\nDate: DATE\r\nContent-Length: 0\r\n\r\n");
}

TEST(a_full_buffer_is_noticed)
{
    struct http_response r = { .status = 200, .body = SPAN("hello") };
    struct buf out;
    buf_init(&out, 40);
    http_response_write(&r, &get11, false, &out);
    CHECK_ERR(buf_result(&out), ERR_NOMEM);
    buf_done(&out);
}

static bool aborts_on(struct span value)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        struct http_response r = { .status = 200 };
        http_response_header(&r, "X", value);
        _exit(0);
    }
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

TEST(a_line_end_in_a_header_value_never_leaves_the_process)
{
    CHECK(aborts_on(SPAN("a\r\nSet-Cookie: b")));
    CHECK(aborts_on(SPAN("a\n")));
    CHECK(aborts_on(SPAN("a\r")));
    CHECK(aborts_on(SPAN("a\0b")));
    CHECK(!aborts_on(SPAN("a b")));
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_doubled_header_has_no_value),
              cmocka_unit_test(the_lines_of_a_list_are_one_list),
              cmocka_unit_test(cookies_are_found_by_their_exact_name),
              cmocka_unit_test(query_pairs_come_decoded_and_in_order),
              cmocka_unit_test(a_query_without_memory_is_told_from_one_that_ends),
              cmocka_unit_test(a_response_has_its_headers_and_body),
              cmocka_unit_test(head_has_the_length_but_no_body),
              cmocka_unit_test(answers_without_content_have_neither_length_nor_body),
              cmocka_unit_test(http_1_0_is_told_when_the_connection_stays),
              cmocka_unit_test(a_status_without_a_phrase_is_still_a_status_line),
              cmocka_unit_test(a_full_buffer_is_noticed),
              cmocka_unit_test(a_line_end_in_a_header_value_never_leaves_the_process));
}

/* test_bench_answer.c - what doorward-bench takes for an answer, whole and in pieces. */
#include "answer.h"
#include "check.h"

#include <stdio.h>

#define LOGIN                                                                                      \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "                        \
    "13\r\n\r\n{\"hello\":\"u\"}"
#define SHED                                                                                       \
    "HTTP/1.1 503 Service Unavailable\r\nretry-AFTER: 7\r\nConnection: close\r\n"                  \
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"

static struct answer_parser *new_parser(void)
{
    struct answer_parser *p = NULL;
    CHECK_ERR(answer_parser_new(&p), ERR_OK);
    return p;
}

static void check_shed(const struct answer_parser *p)
{
    struct answer a = answer_get(p);
    CHECK_INT(a.status, 503);
    CHECK(a.has_retry_after);
    CHECK_INT(a.retry_after_s, 7);
    CHECK(!a.keep_alive);
    CHECK_SPAN(a.body, "abc");
}

TEST(an_answer_is_read_whole_and_the_next_starts_afresh)
{
    struct answer_parser *p = new_parser();
    answer_begin(p);
    CHECK_INT(answer_feed(p, SPAN(LOGIN)), ANSWER_DONE);
    CHECK_INT(answer_get(p).status, 200);
    CHECK(answer_get(p).keep_alive && !answer_get(p).has_retry_after);
    CHECK_SPAN(answer_get(p).body, "{\"hello\":\"u\"}");
    answer_begin(p);
    CHECK_INT(answer_feed(p, SPAN(SHED)), ANSWER_DONE);
    check_shed(p);
    answer_begin(p);
    CHECK_INT(answer_feed(p, SPAN("HTTP/1.1 204 No Content\r\n\r\n")), ANSWER_DONE);
    CHECK(!answer_get(p).has_retry_after);
    CHECK_INT(answer_get(p).body.length, 0);
    answer_parser_free(p);
}

TEST(an_answer_is_read_byte_by_byte_and_no_prefix_is_one)
{
    struct answer_parser *p = new_parser();
    struct span text = SPAN(SHED);
    answer_begin(p);
    for (size_t i = 0; i < text.length; i++) {
        enum answer_progress expected = i + 1 < text.length ? ANSWER_MORE : ANSWER_DONE;
        CHECK_INT(answer_feed(p, span_slice(text, i, 1)), expected);
    }
    check_shed(p);
    answer_parser_free(p);
}

TEST(an_answer_without_a_length_ends_with_the_connection)
{
    struct answer_parser *p = new_parser();
    answer_begin(p);
    CHECK_INT(answer_feed(p, SPAN("HTTP/1.1 200 OK\r\n\r\nto the end")), ANSWER_MORE);
    CHECK_INT(answer_finish(p), ANSWER_DONE);
    CHECK_SPAN(answer_get(p).body, "to the end");
    answer_begin(p);
    CHECK_INT(answer_feed(p, SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")), ANSWER_MORE);
    CHECK_INT(answer_finish(p), ANSWER_BAD);
    answer_parser_free(p);
}

TEST(an_answer_that_announces_another_is_none)
{
    struct answer_parser *p = new_parser();
    answer_begin(p);
    CHECK_INT(answer_feed(p, SPAN("HTTP/1.1 100 Continue\r\n\r\n")), ANSWER_MORE);
    CHECK_INT(answer_feed(p, SPAN(LOGIN)), ANSWER_DONE);
    CHECK_INT(answer_get(p).status, 200);
    answer_parser_free(p);
}

TEST(what_is_no_answer_or_was_not_asked_for_is_bad)
{
    static const char *const cases[] = { "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 20 OK\r\n\r\n",
                                         "GET / HTTP/1.1\r\n\r\n", LOGIN LOGIN,
                                         "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" };
    struct answer_parser *p = new_parser();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer_begin(p);
        CHECK_INT(answer_feed(p, span_of(cases[i])), ANSWER_BAD);
        CHECK(answer_why(p)[0] != '\0');
    }
    answer_begin(p);
    CHECK_INT(answer_feed(p, SPAN(LOGIN)), ANSWER_DONE);
    CHECK_INT(answer_feed(p, SPAN(LOGIN)), ANSWER_BAD);
    answer_parser_free(p);
}

TEST(a_body_over_the_maximum_is_read_past_and_not_kept)
{
    static char chunk[4096];
    struct answer_parser *p = new_parser();
    char head[64];
    size_t count = ANSWER_MAX_BODY / sizeof(chunk) + 1;
    memset(chunk, 'x', sizeof(chunk));
    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                   count * sizeof(chunk));
    answer_begin(p);
    CHECK_INT(answer_feed(p, span_of(head)), ANSWER_MORE);
    for (size_t i = 0; i < count; i++) {
        struct span piece = { .data = chunk, .length = sizeof(chunk) };
        CHECK_INT(answer_feed(p, piece), i + 1 < count ? ANSWER_MORE : ANSWER_DONE);
    }
    CHECK_INT(answer_get(p).body.length, 0);
    answer_parser_free(p);
}

TEST(a_retry_after_that_is_a_date_or_absurd_is_one_of_no_time)
{
    static const char *const values[] = { "Sat, 21 Nov 2026 12:00:00 GMT", "99999999999", "-1" };
    struct answer_parser *p = new_parser();
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char text[160];
        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", values[i]);
        answer_begin(p);
        CHECK_INT(answer_feed(p, span_of(text)), ANSWER_DONE);
        CHECK(answer_get(p).has_retry_after);
        CHECK_INT(answer_get(p).retry_after_s, 0);
    }
    answer_parser_free(p);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(an_answer_is_read_whole_and_the_next_starts_afresh),
              cmocka_unit_test(an_answer_is_read_byte_by_byte_and_no_prefix_is_one),
              cmocka_unit_test(an_answer_without_a_length_ends_with_the_connection),
              cmocka_unit_test(an_answer_that_announces_another_is_none),
              cmocka_unit_test(what_is_no_answer_or_was_not_asked_for_is_bad),
              cmocka_unit_test(a_body_over_the_maximum_is_read_past_and_not_kept),
              cmocka_unit_test(a_retry_after_that_is_a_date_or_absurd_is_one_of_no_time));
}

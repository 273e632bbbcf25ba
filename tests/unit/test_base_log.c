#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define RING 65536

/* Stands in for stderr: what is written there comes out of `reader`. */
struct capture {
    int saved;
    int reader;
    struct buf text;
};

static void capture_start(struct capture *c)
{
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    c->saved = dup(STDERR_FILENO);
    c->reader = ends[0];
    buf_init(&c->text, 64 << 20);
    CHECK_INT(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
}

/* The pipe's only other writer is stderr: giving that back ends the text. */
static void capture_restore(struct capture *c)
{
    CHECK_INT(dup2(c->saved, STDERR_FILENO), STDERR_FILENO);
    close(c->saved);
}

static void *read_all(void *capture)
{
    struct capture *c = capture;
    for (;;) {
        char *room = buf_room(&c->text, 4096);
        ssize_t length = room == NULL ? 0 : read(c->reader, room, 4096);
        if (length <= 0) {
            break;
        }
        buf_used(&c->text, (size_t)length);
    }
    close(c->reader);
    return NULL;
}

static struct span capture_end(struct capture *c)
{
    capture_restore(c);
    (void)read_all(c);
    return buf_span(&c->text);
}

static size_t fill_stderr(void)
{
    size_t filled = 0;
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    CHECK(fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK) == 0);
    while (write(STDERR_FILENO, "", 1) == 1) {
        filled++;
    }
    CHECK_INT(errno, EAGAIN);
    CHECK(fcntl(STDERR_FILENO, F_SETFL, flags) == 0);
    return filled;
}

static size_t count_lines(struct span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        count += text.data[i] == '\n';
    }
    return count;
}

static json_t *parse_line(struct span line)
{
    json_error_t error;
    json_t *parsed =
        json_loadb(line.data, line.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (parsed == NULL) {
        print_error("%s: %.*s\n", error.text, SPAN_FMT(line));
    }
    CHECK(json_is_object(parsed));
    return parsed;
}

/* The one event, as the log writes it in JSON. */
static json_t *logged(const struct log_field *fields, size_t count)
{
    struct capture c;
    capture_start(&c);
    CHECK_ERR(log_start(LOG_DEBUG, LOG_JSON, RING), ERR_OK);
    log_write(LOG_WARN, "event", fields, count);
    log_stop();
    struct span text = capture_end(&c);
    CHECK_INT(count_lines(text), 1);
    CHECK_INT(text.data[text.length - 1], '\n');
    CHECK(text.length <= 2048);
    json_t *parsed = parse_line(text);
    buf_done(&c.text);
    return parsed;
}

static void check_member(json_t *object, const char *name, const char *expected)
{
    CHECK_SPAN(span_of(json_string_value(json_object_get(object, name))), expected);
}

TEST(an_event_is_one_json_object_with_its_fields)
{
    struct uuid id;
    CHECK(uuid_parse(SPAN("018bcfe5-6800-7b0a-be41-84e41f0d759b"), &id));
    const struct log_field fields[] = { LOG_UUID("user_id", id), LOG_NUMBER("status", 200),
                                        LOG_NUMBER("least", INT64_MIN),
                                        LOG_STR("agent", "curl/8 \xc3\xa4") };
    json_t *event = logged(fields, 4);
    check_member(event, "level", "warn");
    check_member(event, "event", "event");
    check_member(event, "user_id", "018bcfe5-6800-7b0a-be41-84e41f0d759b");
    check_member(event, "agent", "curl/8 \xc3\xa4");
    CHECK_INT(json_integer_value(json_object_get(event, "status")), 200);
    CHECK(json_integer_value(json_object_get(event, "least")) == INT64_MIN);
    CHECK_INT(json_string_length(json_object_get(event, "time")), CLOCK_RFC3339_LENGTH);
    json_decref(event);
}

TEST(empty_texts_and_nil_ids_are_left_out)
{
    const struct uuid nil = { 0 };
    const struct log_field fields[] = { LOG_SPAN("a", SPAN_NONE), LOG_STR("b", ""),
                                        LOG_UUID("c", nil), LOG_NUMBER("d", 0) };
    json_t *event = logged(fields, 4);
    CHECK_INT(json_object_size(event), 4);
    CHECK(json_object_get(event, "d") != NULL);
    json_decref(event);
}

TEST(every_byte_of_hostile_text_stays_inside_one_json_line)
{
    for (int first = 0; first < 256; first += 64) {
        char bytes[64];
        for (int i = 0; i < 64; i++) {
            bytes[i] = (char)(first + i);
        }
        const struct log_field fields[] = { LOG_SPAN(
            "text", ((struct span){ .data = bytes, .length = sizeof(bytes) })) };
        json_decref(logged(fields, 1));
    }
}

TEST(what_ends_lines_or_turns_writing_around_is_escaped)
{
    struct capture c;
    capture_start(&c);
    CHECK_ERR(log_start(LOG_DEBUG, LOG_JSON, RING), ERR_OK);
    log_event(LOG_INFO, "e",
              LOG_STR("t", "\n\r\x1b\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae"));
    log_stop();
    struct span text = capture_end(&c);
    buf_add_char(&c.text, '\0');
    CHECK(strstr(text.data, "\"\\u000a\\u000d\\u001b\\u007f\\u0085\\u2028\\u2029\\u202e\"") !=
          NULL);
    buf_done(&c.text);
}

TEST(what_is_not_utf8_becomes_the_replacement_character)
{
    const struct log_field fields[] = { LOG_SPAN("t", SPAN("a\xff\xed\xa0\x80z\xe2\x82")) };
    json_t *event = logged(fields, 1);
    check_member(event, "t",
                 "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(event);
}

TEST(a_text_of_256_bytes_is_whole_and_a_longer_one_is_cut_with_an_ellipsis)
{
    char bytes[257];
    memset(bytes, 'x', sizeof(bytes));
    struct span whole = { .data = bytes, .length = 256 };
    const struct log_field fields[] = {
        LOG_SPAN("whole", whole),
        LOG_SPAN("cut", ((struct span){ .data = bytes, .length = 257 })),
    };
    json_t *event = logged(fields, 2);
    CHECK_INT(json_string_length(json_object_get(event, "whole")), 256);
    const char *cut = json_string_value(json_object_get(event, "cut"));
    CHECK_INT(strlen(cut), 259);
    CHECK_SPAN(span_of(cut + 256), "\xe2\x80\xa6");
    json_decref(event);
}

TEST(a_line_has_a_ceiling_and_says_when_fields_did_not_fit)
{
    char bytes[256];
    memset(bytes, 1, sizeof(bytes)); /* six times as long when escaped */
    struct span text = { .data = bytes, .length = sizeof(bytes) };
    const struct log_field fields[] = { LOG_SPAN("a", text), LOG_SPAN("b", text),
                                        LOG_NUMBER("c", 3) };
    json_t *event = logged(fields, 3);
    CHECK_INT(json_string_length(json_object_get(event, "a")), 256);
    CHECK(json_object_get(event, "b") == NULL);
    CHECK_INT(json_integer_value(json_object_get(event, "c")), 3);
    CHECK(json_is_true(json_object_get(event, "truncated")));
    json_decref(event);
}

TEST(the_text_format_is_one_readable_line)
{
    struct capture c;
    capture_start(&c);
    CHECK_ERR(log_start(LOG_INFO, LOG_TEXT, RING), ERR_OK);
    log_event(LOG_INFO, "login", LOG_NUMBER("status", 200), LOG_STR("agent", "a \"b\"\n"));
    log_stop();
    struct span text = capture_end(&c);
    CHECK_SPAN(span_from(text, CLOCK_RFC3339_LENGTH),
               " info  login status=200 agent=\"a \\\"b\\\"\\u000a\"\n");
    buf_done(&c.text);
}

TEST(events_below_the_level_are_not_written)
{
    struct capture c;
    capture_start(&c);
    CHECK_ERR(log_start(LOG_WARN, LOG_JSON, RING), ERR_OK);
    CHECK(!log_enabled(LOG_INFO));
    CHECK(log_enabled(LOG_ERROR));
    log_event(LOG_INFO, "quiet", LOG_NUMBER("n", 1));
    log_event(LOG_ERROR, "loud", LOG_NUMBER("n", 2));
    log_stop();
    CHECK_INT(count_lines(capture_end(&c)), 1);
    buf_done(&c.text);
}

TEST(before_the_start_and_after_the_stop_lines_are_written_directly)
{
    struct capture c;
    capture_start(&c);
    log_event(LOG_ERROR, "before", LOG_NUMBER("n", 1));
    CHECK_ERR(log_start(LOG_INFO, LOG_JSON, RING), ERR_OK);
    log_event(LOG_ERROR, "between", LOG_NUMBER("n", 2));
    log_stop();
    log_stop();
    log_event(LOG_ERROR, "after", LOG_NUMBER("n", 3));
    CHECK_INT(count_lines(capture_end(&c)), 3);
    buf_done(&c.text);
}

TEST(a_full_pipe_blocks_no_caller_and_every_line_is_written_or_counted)
{
    struct capture c;
    pthread_t reader;
    const size_t lines = 2000;
    uint64_t before = log_dropped();
    capture_start(&c);
    size_t filled = fill_stderr();
    CHECK_ERR(log_start(LOG_INFO, LOG_JSON, RING), ERR_OK);
    for (size_t i = 0; i < lines; i++) {
        log_event(LOG_INFO, "flood", LOG_NUMBER("n", i));
    }
    uint64_t dropped = log_dropped() - before;
    CHECK(dropped > 0 && dropped < lines);
    CHECK_INT(pthread_create(&reader, NULL, read_all, &c), 0);
    log_stop();
    capture_restore(&c);
    CHECK_INT(pthread_join(reader, NULL), 0);
    dropped = log_dropped() - before;
    struct span written = span_from(buf_span(&c.text), filled);
    CHECK_INT(count_lines(written) + dropped, lines);
    buf_done(&c.text);
}

TEST(the_stop_waits_about_a_second_for_a_pipe_that_nobody_reads)
{
    struct capture c;
    uint64_t before = log_dropped();
    capture_start(&c);
    (void)fill_stderr();
    CHECK_ERR(log_start(LOG_INFO, LOG_JSON, RING), ERR_OK);
    for (int i = 0; i < 10; i++) {
        log_event(LOG_INFO, "stuck", LOG_NUMBER("n", i));
    }
    int64_t start = clock_monotonic_us();
    log_stop();
    CHECK(clock_monotonic_us() - start < 2500000);
    (void)capture_end(&c);
    CHECK_INT(log_dropped() - before, 10);
    buf_done(&c.text);
}

TEST(a_pipe_whose_reader_has_gone_raises_no_signal_and_drops_the_lines)
{
    struct capture c;
    uint64_t before = log_dropped();
    capture_start(&c);
    close(c.reader);
    log_event(LOG_ERROR, "direct", LOG_NUMBER("n", 1));
    CHECK_ERR(log_start(LOG_INFO, LOG_JSON, RING), ERR_OK);
    log_event(LOG_ERROR, "by the writer", LOG_NUMBER("n", 2));
    log_event(LOG_ERROR, "by the writer", LOG_NUMBER("n", 3));
    log_stop();
    capture_restore(&c);
    CHECK_INT(log_dropped() - before, 3);
}

TEST(a_closed_stderr_drops_the_lines_and_nothing_else)
{
    struct capture c;
    uint64_t before = log_dropped();
    capture_start(&c);
    CHECK_ERR(log_start(LOG_INFO, LOG_JSON, RING), ERR_OK);
    close(STDERR_FILENO);
    log_event(LOG_ERROR, "lost", LOG_NUMBER("n", 1));
    log_stop();
    (void)capture_end(&c);
    CHECK_INT(log_dropped() - before, 1);
    buf_done(&c.text);
}

static void *log_thousand(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        log_event(LOG_INFO, "many", LOG_NUMBER("n", i));
    }
    return NULL;
}

TEST(lines_of_many_threads_do_not_mix)
{
    struct capture c;
    pthread_t threads[4];
    pthread_t reader;
    uint64_t before = log_dropped();
    capture_start(&c);
    CHECK_ERR(log_start(LOG_INFO, LOG_JSON, RING), ERR_OK);
    CHECK_INT(pthread_create(&reader, NULL, read_all, &c), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, log_thousand, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    log_stop();
    capture_restore(&c);
    CHECK_INT(pthread_join(reader, NULL), 0);
    struct span rest = buf_span(&c.text);
    CHECK_INT(count_lines(rest) + (log_dropped() - before), 4000);
    for (struct span line; rest.length > 0 && span_split(&rest, '\n', &line);) {
        json_decref(parse_line(line));
    }
    buf_done(&c.text);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(an_event_is_one_json_object_with_its_fields),
        cmocka_unit_test(empty_texts_and_nil_ids_are_left_out),
        cmocka_unit_test(every_byte_of_hostile_text_stays_inside_one_json_line),
        cmocka_unit_test(what_ends_lines_or_turns_writing_around_is_escaped),
        cmocka_unit_test(what_is_not_utf8_becomes_the_replacement_character),
        cmocka_unit_test(a_text_of_256_bytes_is_whole_and_a_longer_one_is_cut_with_an_ellipsis),
        cmocka_unit_test(a_line_has_a_ceiling_and_says_when_fields_did_not_fit),
        cmocka_unit_test(the_text_format_is_one_readable_line),
        cmocka_unit_test(events_below_the_level_are_not_written),
        cmocka_unit_test(before_the_start_and_after_the_stop_lines_are_written_directly),
        cmocka_unit_test(a_full_pipe_blocks_no_caller_and_every_line_is_written_or_counted),
        cmocka_unit_test(the_stop_waits_about_a_second_for_a_pipe_that_nobody_reads),
        cmocka_unit_test(a_pipe_whose_reader_has_gone_raises_no_signal_and_drops_the_lines),
        cmocka_unit_test(a_closed_stderr_drops_the_lines_and_nothing_else),
        cmocka_unit_test(lines_of_many_threads_do_not_mix));
}

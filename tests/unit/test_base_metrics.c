#include "check.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>

static const char *const routes[] = { "/login", "/verify" };

static void render(struct buf *out)
{
    buf_init(out, 1 << 20);
    metrics_routes(routes, 2);
    metrics_render(out);
    CHECK_ERR(buf_result(out), ERR_OK);
}

/* The value of one series, named as it is shown; -1 when it is not shown. */
static double value_of(const char *series)
{
    struct buf out;
    double value = -1;
    render(&out);
    struct span rest = buf_span(&out);
    for (struct span line; rest.length > 0 && span_split(&rest, '\n', &line);) {
        struct span name = span_of(series);
        if (span_starts(line, name) && line.data[name.length] == ' ') {
            value = strtod(line.data + name.length, NULL);
        }
    }
    buf_done(&out);
    return value;
}

static void check_value(const char *series, double expected)
{
    double value = value_of(series);
    if (value < expected - 1e-9 || value > expected + 1e-9) {
        print_error("%s is %f, not %f\n", series, value, expected);
        fail();
    }
}

TEST(a_counter_adds_up_by_label)
{
    metrics_add(METRIC_REFRESH, 0, 3);
    metrics_add(METRIC_REFRESH, 0, 4);
    metrics_add(METRIC_REFRESH, 7, 1);
    check_value("doorward_refresh_total{outcome=\"rotated\"}", 7);
    check_value("doorward_refresh_total{outcome=\"repeated\"}", 0);
    check_value("doorward_refresh_total{outcome=\"unavailable\"}", 1);
}

TEST(a_gauge_is_set_and_moved_below_zero_too)
{
    metrics_gauge_set(METRIC_CONNECTIONS, 0, 5);
    metrics_gauge_move(METRIC_CONNECTIONS, 0, -7);
    struct buf out;
    render(&out);
    buf_add_char(&out, '\0');
    CHECK(strstr(out.data, "\ndoorward_connections -2\n") != NULL);
    buf_done(&out);
}

TEST(a_value_on_a_bound_falls_into_its_bucket_and_a_larger_one_into_the_next)
{
    metrics_observe_us(METRIC_HASH_SECONDS, 0, 100);
    metrics_observe_us(METRIC_HASH_SECONDS, 0, 101);
    metrics_observe_us(METRIC_HASH_SECONDS, 0, 10000000);
    metrics_observe_us(METRIC_HASH_SECONDS, 0, 10000001);
    metrics_observe(METRIC_HASH_SECONDS, 0, 0.05);
    metrics_observe_us(METRIC_HASH_SECONDS, 0, -5);
    check_value("doorward_password_hash_seconds_bucket{le=\"0.0001\"}", 2);
    check_value("doorward_password_hash_seconds_bucket{le=\"0.00025\"}", 3);
    check_value("doorward_password_hash_seconds_bucket{le=\"0.025\"}", 3);
    check_value("doorward_password_hash_seconds_bucket{le=\"0.05\"}", 4);
    check_value("doorward_password_hash_seconds_bucket{le=\"10\"}", 5);
    check_value("doorward_password_hash_seconds_bucket{le=\"+Inf\"}", 6);
    check_value("doorward_password_hash_seconds_count", 6);
    check_value("doorward_password_hash_seconds_sum", 20.050202);
}

TEST(batches_are_counted_by_powers_of_two)
{
    metrics_observe(METRIC_STORE_BATCH, 0, 1);
    metrics_observe(METRIC_STORE_BATCH, 0, 64);
    metrics_observe(METRIC_STORE_BATCH, 0, 65);
    check_value("doorward_store_batch_writes_bucket{le=\"1\"}", 1);
    check_value("doorward_store_batch_writes_bucket{le=\"64\"}", 2);
    check_value("doorward_store_batch_writes_bucket{le=\"128\"}", 3);
    check_value("doorward_store_batch_writes_sum", 130);
}

TEST(requests_are_shown_by_route_and_status_and_only_when_there_were_any)
{
    metrics_request(0, 200, 1500);
    metrics_request(0, 503, 10);
    metrics_request(1, 299, 10);
    check_value("doorward_request_seconds_count{route=\"/login\",status=\"200\"}", 1);
    check_value("doorward_request_seconds_sum{route=\"/login\",status=\"200\"}", 0.0015);
    check_value("doorward_request_seconds_bucket{route=\"/login\",status=\"200\",le=\"0.001\"}", 0);
    check_value("doorward_request_seconds_bucket{route=\"/login\",status=\"200\",le=\"0.0025\"}",
                1);
    check_value("doorward_request_seconds_count{route=\"/login\",status=\"503\"}", 1);
    check_value("doorward_request_seconds_count{route=\"/verify\",status=\"other\"}", 1);
    check_value("doorward_request_seconds_count{route=\"/verify\",status=\"200\"}", -1);
}

static void *count_thousand(void *start)
{
    pthread_barrier_wait(start);
    for (int i = 0; i < 1000; i++) {
        metrics_add(METRIC_STORE_ERRORS, 0, 1);
        metrics_observe_us(METRIC_STORE_SECONDS, 2, 7);
        metrics_request(1, 204, 3);
    }
    return NULL;
}

TEST(more_threads_than_shards_lose_no_count)
{
    enum { THREADS = 80 };
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    CHECK_INT(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, count_thousand, &start), 0);
    }
    (void)value_of("a scrape while they count");
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    pthread_barrier_destroy(&start);
    check_value("doorward_store_errors_total", 1000 * THREADS);
    check_value("doorward_store_seconds_count{operation=\"heartbeat\"}", 1000 * THREADS);
    check_value("doorward_request_seconds_count{route=\"/verify\",status=\"204\"}", 1000 * THREADS);
}

static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.length; i++) {
        if (!islower((unsigned char)s.data[i]) && s.data[i] != '_') {
            return false;
        }
    }
    return s.length > 0;
}

/* name{label="value",...} number, or a comment of the two known kinds. */
static bool is_exposition_line(struct span line)
{
    if (span_starts(line, SPAN("# HELP doorward_")) ||
        span_starts(line, SPAN("# TYPE doorward_"))) {
        return true;
    }
    size_t end = span_find(line, ' ');
    struct span series = span_slice(line, 0, end);
    struct span number = span_from(line, end + 1);
    size_t brace = span_find(series, '{');
    char *stop = NULL;
    (void)strtod(number.data, &stop);
    bool closed = brace == series.length || series.data[series.length - 1] == '}';
    return is_name(span_slice(series, 0, brace)) && closed && stop == number.data + number.length;
}

TEST(every_line_shown_is_prometheus_text)
{
    struct buf out;
    metrics_request(0, 200, 1);
    render(&out);
    struct span rest = buf_span(&out);
    CHECK_INT(rest.data[rest.length - 1], '\n');
    size_t lines = 0;
    for (struct span line; rest.length > 0 && span_split(&rest, '\n', &line); lines++) {
        CHECK(is_exposition_line(line));
    }
    CHECK(lines > METRIC_COUNT * 3);
    buf_done(&out);
}

TEST(a_buffer_too_small_for_all_metrics_says_so)
{
    struct buf out;
    buf_init(&out, 500);
    metrics_render(&out);
    CHECK_ERR(buf_result(&out), ERR_NOMEM);
    buf_done(&out);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(a_counter_adds_up_by_label),
        cmocka_unit_test(a_gauge_is_set_and_moved_below_zero_too),
        cmocka_unit_test(a_value_on_a_bound_falls_into_its_bucket_and_a_larger_one_into_the_next),
        cmocka_unit_test(batches_are_counted_by_powers_of_two),
        cmocka_unit_test(requests_are_shown_by_route_and_status_and_only_when_there_were_any),
        cmocka_unit_test(more_threads_than_shards_lose_no_count),
        cmocka_unit_test(every_line_shown_is_prometheus_text),
        cmocka_unit_test(a_buffer_too_small_for_all_metrics_says_so));
}

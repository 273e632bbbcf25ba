#include "check.h"
#include "failing_malloc.h"

#include <stdlib.h>

TEST(a_buffer_without_memory_fails_and_keeps_what_it_had)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    fail_allocation(1);
    buf_add_text(&b, "x");
    CHECK(allocation_failed());
    CHECK_ERR(buf_result(&b), ERR_NOMEM);
    buf_reset(&b);
    buf_add_text(&b, "kept");
    fail_allocation(1);
    buf_printf(&b, "%01000d", 1);
    CHECK(allocation_failed());
    CHECK_ERR(buf_result(&b), ERR_NOMEM);
    CHECK_SPAN(buf_span(&b), "kept");
    buf_done(&b);
}

TEST(an_arena_without_memory_gives_nothing_and_stays_usable)
{
    struct arena a;
    struct span text = SPAN("before");
    arena_init(&a, 1 << 20);
    fail_allocation(1);
    CHECK(arena_get(&a, 1) == NULL);
    CHECK_INT(a.used_bytes, 0);
    fail_allocation(1);
    CHECK_ERR(arena_printf(&a, &text, "%d", 1), ERR_NOMEM);
    CHECK_SPAN(text, "before");
    fail_allocation(1);
    CHECK_ERR(arena_copy(&a, SPAN("x"), &text), ERR_NOMEM);
    CHECK(text.data == NULL);
    CHECK(arena_get(&a, 1) != NULL);
    fail_allocation(1);
    CHECK(arena_get(&a, 5000) == NULL);
    CHECK(arena_get(&a, 1) != NULL);
    arena_done(&a);
}

TEST(a_secret_without_memory_is_null)
{
    fail_allocation(1);
    CHECK(secret_new(16) == NULL);
    fail_allocation(1);
    CHECK(secret_copy(SPAN("key")) == NULL);
}

TEST(a_log_that_cannot_start_can_be_started_again)
{
    for (int n = 1;; n++) {
        fail_allocation(n);
        enum err started = log_start(LOG_ERROR, LOG_JSON, 65536);
        bool failed = allocation_failed();
        fail_allocation(0);
        if (!failed) {
            CHECK_ERR(started, ERR_OK);
            CHECK(n > 2);
            break;
        }
        CHECK_ERR(started, ERR_NOMEM);
    }
    log_stop();
}

static void *count_each(void *unused)
{
    (void)unused;
    metrics_add(METRIC_STORE_ERRORS, 0, 1);
    metrics_observe_us(METRIC_HASH_SECONDS, 0, 1);
    metrics_request(0, 200, 1);
    return NULL;
}

static unsigned long count_of(const struct buf *text, const char *series)
{
    const char *at = strstr(text->data, series);
    CHECK(at != NULL);
    return strtoul(at + strlen(series), NULL, 10);
}

/* Every thread makes a shard, a histogram, and for the request a route and a histogram. */
TEST(metrics_without_memory_lose_a_value_at_most_and_never_a_counter)
{
    static const char *const routes[] = { "/" };
    metrics_routes(routes, 1);
    for (int n = 0; n <= 4; n++) {
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, count_each, NULL), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK(n == 0 || allocation_failed());
        /* The thread's creation is one as well. */
        fail_allocation(n < 4 ? n + 2 : 0);
    }
    struct buf b;
    buf_init(&b, 1 << 20);
    metrics_render(&b);
    buf_add_char(&b, '\0');
    CHECK_INT(count_of(&b, "\ndoorward_store_errors_total "), 5);
    CHECK_INT(count_of(&b, "\ndoorward_password_hash_seconds_count "), 4);
    CHECK_INT(count_of(&b, "_count{route=\"/\",status=\"200\"} "), 3);
    buf_done(&b);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_buffer_without_memory_fails_and_keeps_what_it_had),
              cmocka_unit_test(an_arena_without_memory_gives_nothing_and_stays_usable),
              cmocka_unit_test(a_secret_without_memory_is_null),
              cmocka_unit_test(a_log_that_cannot_start_can_be_started_again),
              cmocka_unit_test(metrics_without_memory_lose_a_value_at_most_and_never_a_counter));
}

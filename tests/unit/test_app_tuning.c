/* The file in which the measured kernel and number of lanes are kept. */
#include "check.h"
#include "tuning.h"

#define KEY "doorward 1\ncpu Some CPU @ 3 GHz\nthreads 2\n"

static struct password_tuning sample(void)
{
    return (struct password_tuning){ .kernel = "c",
                                     .lanes = 5,
                                     .steps_per_second = { [1] = 100, [5] = 123456, [8] = 7 } };
}

static bool reads(struct span text)
{
    struct password_tuning t = { 0 };
    return tuning_read(text, SPAN(KEY), &t);
}

TEST(what_was_written_is_read_again)
{
    struct password_tuning written = sample();
    struct password_tuning t = { 0 };
    struct buf text;
    buf_init(&text, 1024);
    tuning_write(SPAN(KEY), &written, &text);
    CHECK(tuning_read(buf_span(&text), SPAN(KEY), &t));
    CHECK_SPAN(span_of(t.kernel), "c");
    CHECK_INT(t.lanes, 5);
    CHECK(memcmp(t.steps_per_second, written.steps_per_second, sizeof(t.steps_per_second)) == 0);
    buf_done(&text);
}

TEST(what_was_measured_elsewhere_is_not_taken)
{
    struct password_tuning written = sample();
    struct password_tuning t = { 0 };
    struct buf text;
    buf_init(&text, 1024);
    tuning_write(SPAN(KEY), &written, &text);
    CHECK(!tuning_read(buf_span(&text), SPAN("doorward 1\ncpu Another\nthreads 2\n"), &t));
    CHECK(!tuning_read(buf_span(&text), SPAN("doorward 1\ncpu Some CPU @ 3 GHz\nthreads 4\n"), &t));
    CHECK_INT(t.lanes, 0);
    buf_done(&text);
}

TEST(no_prefix_and_nothing_malformed_is_taken)
{
    struct password_tuning written = sample();
    struct buf text;
    buf_init(&text, 1024);
    tuning_write(SPAN(KEY), &written, &text);
    struct span whole = buf_span(&text);
    CHECK(reads(whole));
    for (size_t i = 0; i + 1 < whole.length; i++) { /* the last line feed may be missing */
        struct password_tuning t = { 0 };
        bool shorter_number = tuning_read(span_slice(whole, 0, i), SPAN(KEY), &t);
        CHECK(!shorter_number);
    }
    CHECK(!reads(SPAN(KEY "best c 9\nrates 1 2 3 4 5 6 7 8\n")));
    CHECK(!reads(SPAN(KEY "best c five\nrates 1 2 3 4 5 6 7 8\n")));
    CHECK(!reads(SPAN(KEY "best 5\nrates 1 2 3 4 5 6 7 8\n")));
    CHECK(!reads(SPAN(KEY "best averyverylongname 5\nrates 1 2 3 4 5 6 7 8\n")));
    CHECK(!reads(SPAN(KEY "best c 5\nrates 1 2 3 4 5 6 7\n")));
    CHECK(!reads(SPAN(KEY "best c 5\nrates 1 2 3 4 5 6 7 8 9\n")));
    CHECK(!reads(SPAN(KEY "best c 5\nrates 1 2 3 4 5 6 7 -8\n")));
    CHECK(!reads(SPAN(KEY "best c 5\nrates 1 2 3 4 5 6 7 99999999999\n")));
    CHECK(!reads(SPAN(KEY "best c 5\nrates 1 2 3 4 5 6 7 8\nmore\n")));
    CHECK(!reads(SPAN_NONE));
    buf_done(&text);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(what_was_written_is_read_again),
              cmocka_unit_test(what_was_measured_elsewhere_is_not_taken),
              cmocka_unit_test(no_prefix_and_nothing_malformed_is_taken));
}

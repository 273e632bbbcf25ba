/* test_bench_recorder.c - what the recorder of latencies says, beside the sorted values. */
#include "check.h"
#include "recorder.h"

#include <math.h>
#include <stdlib.h>

#define VALUES    20000
#define TEXT_SIZE 65536

static uint64_t state;

static uint64_t next_random(void)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return state >> 16;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static struct recorder *new_recorder(unsigned precision)
{
    struct recorder *r = NULL;
    CHECK_ERR(recorder_new(precision, &r), ERR_OK);
    return r;
}

/* Latencies from nanoseconds to an hour, each magnitude as likely as any other. */
static void fill(struct recorder *r, int64_t *values)
{
    state = 42;
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = (int64_t)(next_random() & (((uint64_t)1 << (i % 42 + 1)) - 1));
        recorder_add(r, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), compare);
}

static void check_quantiles(unsigned precision, double most)
{
    static const double percents[] = { 0.001, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 99.999, 100 };
    static int64_t values[VALUES];
    struct recorder *r = new_recorder(precision);
    fill(r, values);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        double rank = percents[i] / 100 * VALUES;
        size_t index = (size_t)ceil(rank) - 1;
        int64_t exact = values[index];
        int64_t said = recorder_at(r, percents[i]);
        CHECK(said >= exact);
        CHECK((double)(said - exact) <= most * (double)exact);
    }
    recorder_free(r);
}

TEST(a_fine_quantile_is_at_most_a_thousandth_above_the_exact_one)
{
    check_quantiles(RECORDER_FINE, 0.001);
}

TEST(a_coarse_quantile_is_within_its_sixteenth)
{
    check_quantiles(RECORDER_COARSE, 1.0 / 16);
}

TEST(every_power_of_two_and_its_neighbours_are_read_back_within_a_thousandth)
{
    for (int bit = 0; bit < 42; bit++) {
        for (int64_t near = -1; near <= 1; near++) {
            struct recorder *r = new_recorder(RECORDER_FINE);
            int64_t value = ((int64_t)1 << bit) + near;
            recorder_add(r, value);
            recorder_add(r, RECORDER_MAX_NS); /* so that the greatest does not correct it */
            int64_t said = recorder_at(r, 50);
            CHECK(said >= value);
            CHECK((double)(said - value) <= 0.001 * (double)value);
            recorder_free(r);
        }
    }
}

TEST(the_hundredth_percentile_is_the_greatest_value_exactly)
{
    struct recorder *r = new_recorder(RECORDER_FINE);
    recorder_add(r, 123456789);
    recorder_add(r, 1000);
    CHECK_INT(recorder_at(r, 100), 123456789);
    recorder_free(r);
}

TEST(values_outside_the_range_count_at_its_ends)
{
    struct recorder *r = new_recorder(RECORDER_FINE);
    recorder_add(r, -5);
    recorder_add(r, INT64_MAX);
    CHECK_INT(recorder_count(r), 2);
    CHECK_INT(recorder_at(r, 50), 0);
    CHECK_INT(recorder_at(r, 100), RECORDER_MAX_NS);
    recorder_free(r);
}

TEST(an_empty_recorder_says_nought)
{
    struct recorder *r = new_recorder(RECORDER_COARSE);
    CHECK_INT(recorder_at(r, 99), 0);
    CHECK_INT(recorder_count(r), 0);
    CHECK(recorder_mean(r) <= 0 && recorder_deviation(r) <= 0);
    recorder_free(r);
}

TEST(merged_recorders_say_what_one_would_have_said)
{
    static int64_t values[VALUES];
    struct recorder *all = new_recorder(RECORDER_FINE);
    struct recorder *parts[2] = { new_recorder(RECORDER_FINE), new_recorder(RECORDER_FINE) };
    fill(all, values);
    for (size_t i = 0; i < VALUES; i++) {
        recorder_add(parts[i % 2], values[i]);
    }
    recorder_merge(parts[0], parts[1]);
    CHECK_INT(recorder_count(parts[0]), VALUES);
    for (int percent = 1; percent <= 100; percent++) {
        CHECK_INT(recorder_at(parts[0], percent), recorder_at(all, percent));
    }
    recorder_free(all);
    recorder_free(parts[0]);
    recorder_free(parts[1]);
}

TEST(the_mean_and_the_deviation_are_those_of_the_values)
{
    struct recorder *r = new_recorder(RECORDER_FINE);
    recorder_add(r, 1000000);
    recorder_add(r, 3000000);
    CHECK_INT((int64_t)recorder_mean(r), 2000000);
    CHECK_INT((int64_t)recorder_deviation(r), 1000000);
    recorder_free(r);
}

/* Five lines for each halving of what is left, as HdrHistogram chooses them. */
TEST(the_text_is_hdrhistograms)
{
    static const char expected[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n"
                                   "\n"
                                   "       1.000 0.000000000000          2           1.00\n"
                                   "       1.000 0.100000000000          2           1.11\n"
                                   "       1.000 0.200000000000          2           1.25\n"
                                   "       1.000 0.300000000000          2           1.43\n"
                                   "       1.000 0.400000000000          2           1.67\n"
                                   "       1.000 0.500000000000          2           2.00\n"
                                   "       2.000 0.550000000000          4           2.22\n"
                                   "       2.000 1.000000000000          4\n"
                                   "#[Mean    =        1.500, StdDeviation   =        0.500]\n"
                                   "#[Max     =        2.000, Total count    =            4]\n"
                                   "#[Buckets =           33, SubBuckets     =         2048]\n";
    static char text[TEXT_SIZE];
    struct recorder *r = new_recorder(RECORDER_FINE);
    for (int i = 0; i < 4; i++) {
        recorder_add(r, i < 2 ? 1000000 : 2000000);
    }
    FILE *file = fmemopen(text, sizeof(text), "w");
    recorder_write(r, file);
    CHECK_INT(fclose(file), 0);
    assert_string_equal(text, expected);
    recorder_free(r);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(a_fine_quantile_is_at_most_a_thousandth_above_the_exact_one),
        cmocka_unit_test(a_coarse_quantile_is_within_its_sixteenth),
        cmocka_unit_test(every_power_of_two_and_its_neighbours_are_read_back_within_a_thousandth),
        cmocka_unit_test(the_hundredth_percentile_is_the_greatest_value_exactly),
        cmocka_unit_test(values_outside_the_range_count_at_its_ends),
        cmocka_unit_test(an_empty_recorder_says_nought),
        cmocka_unit_test(merged_recorders_say_what_one_would_have_said),
        cmocka_unit_test(the_mean_and_the_deviation_are_those_of_the_values),
        cmocka_unit_test(the_text_is_hdrhistograms));
}

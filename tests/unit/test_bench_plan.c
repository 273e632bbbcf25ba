/* test_bench_plan.c - the words of `doorward-bench load`: durations, mixes, rates, limits. */
#include "check.h"
#include "schedule.h"
#include "slo.h"
#include "tally.h"
#include "traffic.h"
#include "words.h"

#define S ((int64_t)1000000000)

/* ---- durations ---- */

TEST(a_duration_has_a_unit_or_is_in_seconds)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = { { "10", 10 * S },  { "10s", 10 * S }, { "1.5s", 3 * S / 2 }, { "250ms", S / 4 },
                  { "80us", 80000 }, { "2m", 120 * S }, { "1h", 3600 * S },    { "0", 0 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = -1;
        CHECK(words_duration(span_of(cases[i].text), &ns));
        CHECK_INT(ns, cases[i].ns);
    }
}

TEST(what_is_no_duration_is_refused)
{
    static const char *const cases[] = { "",       "s",   "-1s", "1x",  "1 s",
                                         "1.2.3s", "inf", "0x1", "1e3", "1sms",
                                         "99999h", "nan", ".",   "+1",  "1111111111111111111111s" };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = -1;
        CHECK(!words_duration(span_of(cases[i]), &ns));
        CHECK_INT(ns, -1);
    }
}

/* ---- mixes ---- */

TEST(a_mix_gives_each_route_its_share)
{
    struct mix mix = { 0 };
    struct span bad = SPAN_NONE;
    CHECK_ERR(mix_parse(SPAN("login=1,refresh=10,verify=89"), &mix, &bad), ERR_OK);
    CHECK_INT(mix.total, 100);
    unsigned seen[ROUTE_COUNT] = { 0 };
    for (uint64_t i = 0; i < mix.total; i++) {
        seen[mix_pick(&mix, i)]++;
    }
    CHECK_INT(seen[ROUTE_LOGIN], 1);
    CHECK_INT(seen[ROUTE_REFRESH], 10);
    CHECK_INT(seen[ROUTE_VERIFY], 89);
}

TEST(a_mix_that_means_nothing_is_refused_with_the_piece_that_is_bad)
{
    static const struct {
        const char *text, *bad;
    } cases[] = { { "", "" },
                  { "verify", "verify" },
                  { "verify=0", "verify=0" },
                  { "verify=1,logn=2", "logn=2" },
                  { "verify=1,verify=2", "verify=2" },
                  { "verify=-1", "verify=-1" },
                  { "verify=1,", "" },
                  { "verify=1000001", "verify=1000001" } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mix mix = { 0 };
        struct span bad = SPAN_NONE;
        CHECK_ERR(mix_parse(span_of(cases[i].text), &mix, &bad), ERR_CONFIG);
        CHECK_SPAN(bad, cases[i].bad);
        CHECK_INT(mix.total, 0);
    }
}

/* ---- rates ---- */

static struct schedule schedule(const char *rates, int64_t ramp_ns, int64_t warmup_ns,
                                int64_t step_ns)
{
    struct schedule s = { 0 };
    struct span bad = SPAN_NONE;
    struct schedule_lengths lengths = { .ramp_ns = ramp_ns,
                                        .warmup_ns = warmup_ns,
                                        .step_ns = step_ns };
    CHECK_ERR(schedule_parse(span_of(rates), lengths, &s, &bad), ERR_OK);
    return s;
}

TEST(a_constant_rate_is_due_evenly_and_ends)
{
    struct schedule s = schedule("500", 0, 0, 2 * S);
    CHECK_INT(schedule_due(&s, 0), 0);
    CHECK_INT(schedule_due(&s, 1), 2000000);
    CHECK_INT(schedule_due(&s, 999), 1998000000);
    CHECK_INT(schedule_due(&s, 1000), INT64_MAX);
    CHECK_INT(schedule_count(&s, 0), 1);
    CHECK_INT(schedule_count(&s, 3 * S), 1000);
    CHECK_INT(s.end_ns, 2 * S);
}

TEST(steps_follow_each_other_each_for_its_length)
{
    struct schedule s = schedule("100,200,400:10s", 0, 0, S);
    CHECK_INT(s.end_ns, 30 * S);
    CHECK_INT(schedule_due(&s, 1000), 10 * S);
    CHECK_INT(schedule_due(&s, 1001), 10 * S + S / 200);
    CHECK_INT(schedule_due(&s, 3000), 20 * S);
    CHECK_INT(schedule_due(&s, 7000), INT64_MAX);
    CHECK_INT(schedule_step(&s, 9 * S), 0);
    CHECK_INT(schedule_step(&s, 10 * S), 1);
    CHECK_INT(schedule_step(&s, 29 * S), 2);
}

TEST(a_ramp_rises_from_nothing_and_is_not_measured_nor_is_the_warm_up)
{
    struct schedule s = schedule("1000", 2 * S, S, 5 * S);
    CHECK_INT(schedule_measured_from(&s), 3 * S);
    CHECK_INT(s.end_ns, 8 * S);
    CHECK_INT(schedule_due(&s, 0), 0);
    CHECK_INT(schedule_due(&s, 250), S); /* half the ramp's time, a quarter of its requests */
    CHECK_INT(schedule_due(&s, 1000), 2 * S);
    CHECK_INT(schedule_due(&s, 2000), 3 * S);
    CHECK_INT(schedule_step(&s, 3 * S - 1), -1);
    CHECK_INT(schedule_step(&s, 3 * S), 0);
}

TEST(what_is_due_never_goes_back_in_time)
{
    struct schedule s = schedule("7,13,999,3:700ms", S / 3, S / 7, S);
    int64_t before = 0;
    uint64_t index = 0;
    int64_t due = 0;
    while ((due = schedule_due(&s, index)) != INT64_MAX) {
        CHECK(due >= before);
        before = due;
        index++;
    }
    CHECK_INT(index, schedule_count(&s, s.end_ns));
}

TEST(what_is_due_after_more_time_than_there_is_is_never_due)
{
    struct schedule s = schedule("0.0000000001", 0, 0, S);
    CHECK_INT(schedule_due(&s, 0), 0);
    CHECK_INT(schedule_due(&s, 1), INT64_MAX);
    CHECK_INT(schedule_due(&s, UINT64_MAX), INT64_MAX);
}

TEST(max_is_a_closed_loop_with_an_end)
{
    struct schedule s = schedule("max", 0, S, 4 * S);
    CHECK(s.is_closed);
    CHECK_INT(s.end_ns, 5 * S);
    CHECK_INT(schedule_measured_from(&s), S);
}

TEST(an_impossible_rate_is_refused)
{
    static const char *const cases[] = {
        "",    "0",        "-5",   "fast",   "100,,200", "100,",
        "1e9", "99999999", "100:", "100:0s", "100:ten",  "max,100"
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct schedule s = { 0 };
        struct span bad = SPAN_NONE;
        struct schedule_lengths lengths = { .step_ns = S };
        CHECK_ERR(schedule_parse(span_of(cases[i]), lengths, &s, &bad), ERR_CONFIG);
        CHECK_INT(s.phase_count, 0);
    }
}

/* ---- limits ---- */

static struct tally *tally_of(const struct schedule *s)
{
    struct tally *t = NULL;
    CHECK_ERR(tally_new(s, &t), ERR_OK);
    return t;
}

static bool holds(const struct tally *t, const char *text)
{
    struct slo slo = { 0 };
    struct span bad = SPAN_NONE;
    struct slo_verdict v = { 0 };
    CHECK_ERR(slo_parse(span_of(text), &slo, &bad), ERR_OK);
    CHECK_INT(slo.count, 1);
    CHECK_ERR(slo_judge(&slo.clauses[0], t, 1.0, &v), ERR_OK);
    return v.holds;
}

TEST(limits_are_judged_by_route_and_over_all)
{
    struct schedule s = schedule("100", 0, 0, S);
    struct tally *t = tally_of(&s);
    for (int i = 0; i < 99; i++) {
        tally_add(t, ROUTE_VERIFY, OUTCOME_OK, 0, 4000000);
    }
    tally_add(t, ROUTE_LOGIN, OUTCOME_OK, 0, 300000000);
    CHECK(holds(t, "verify:p99<5ms"));
    CHECK(!holds(t, "verify:p99<4000us"));
    CHECK(holds(t, "verify:p99<=4.01ms"));
    CHECK(!holds(t, "max<100ms"));
    CHECK(holds(t, "login:mean>0.2s"));
    CHECK(holds(t, "errors<=0%"));
    CHECK(!holds(t, "errors<0%"));
    CHECK(holds(t, "rate>=100"));
    CHECK(!holds(t, "login:rate>1"));
    tally_free(t);
}

TEST(a_shed_login_is_no_error_a_shed_verify_is)
{
    struct schedule s = schedule("100", 0, 0, S);
    struct tally *t = tally_of(&s);
    tally_add(t, ROUTE_LOGIN, OUTCOME_SHED, 0, 1);
    tally_add(t, ROUTE_LOGIN, OUTCOME_OK, 0, 1);
    CHECK(holds(t, "errors<=0%"));
    CHECK(holds(t, "login:shed>=50%"));
    tally_add(t, ROUTE_VERIFY, OUTCOME_SHED, 0, 1);
    CHECK(holds(t, "verify:errors>=100%"));
    tally_free(t);
}

TEST(a_quick_refusal_does_not_make_percentiles_better_a_timeout_makes_them_worse)
{
    struct schedule s = schedule("100", 0, 0, S);
    struct tally *t = tally_of(&s);
    tally_add(t, ROUTE_VERIFY, OUTCOME_OK, 0, 4000000);
    for (int i = 0; i < 10; i++) {
        tally_add(t, ROUTE_VERIFY, OUTCOME_5XX, 0, 1000);
    }
    CHECK(holds(t, "verify:p50>3ms"));
    tally_add(t, ROUTE_VERIFY, OUTCOME_TIMEOUT, 0, 10 * S);
    CHECK(holds(t, "verify:max>=10s"));
    tally_free(t);
}

TEST(what_was_not_measured_does_not_hold)
{
    struct schedule s = schedule("100", 0, S, S);
    struct tally *t = tally_of(&s);
    tally_add(t, ROUTE_VERIFY, OUTCOME_OK, S / 2, S); /* in the warm-up */
    CHECK(!holds(t, "verify:p99<5ms"));
    CHECK(!holds(t, "errors<100%"));
    tally_free(t);
}

TEST(tallies_of_threads_merge_into_one)
{
    struct schedule s = schedule("100,200:2s", 0, 0, S);
    struct tally *all = tally_of(&s);
    struct tally *one = tally_of(&s);
    tally_add(one, ROUTE_VERIFY, OUTCOME_OK, S / 2, S);
    tally_add(one, ROUTE_VERIFY, OUTCOME_4XX, 3 * S, 4 * S);
    CHECK_ERR(tally_merge(all, one), ERR_OK);
    CHECK_ERR(tally_merge(all, one), ERR_OK);
    CHECK_INT(all->steps[0].count[OUTCOME_OK], 2);
    CHECK_INT(all->steps[1].errors, 2);
    CHECK_INT(all->interval_count, 4);
    CHECK_INT(all->intervals[3].count[OUTCOME_4XX], 2);
    CHECK_INT(recorder_count(all->intervals[0].times), 2);
    tally_free(one);
    tally_free(all);
}

TEST(a_limit_that_means_nothing_is_refused_with_the_clause_that_is_bad)
{
    static const char *const cases[] = {
        "",         "verify",      "verify:p99", "p99<5",   "p0<5ms",        "p101<5ms", "px<5ms",
        "errors<1", "errors<101%", "rate>fast",  "rate>5%", "vrify:p99<1ms", "p99=5ms",  "p99<",
        "max<<5ms", ":p99<5ms",    "p99<5ms,",   "<5ms",    "errors<ms",     "p99<-5ms"
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slo slo = { 0 };
        struct span bad = SPAN_NONE;
        CHECK_ERR(slo_parse(span_of(cases[i]), &slo, &bad), ERR_CONFIG);
        CHECK_INT(slo.count, 0);
    }
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_duration_has_a_unit_or_is_in_seconds),
              cmocka_unit_test(what_is_no_duration_is_refused),
              cmocka_unit_test(a_mix_gives_each_route_its_share),
              cmocka_unit_test(a_mix_that_means_nothing_is_refused_with_the_piece_that_is_bad),
              cmocka_unit_test(a_constant_rate_is_due_evenly_and_ends),
              cmocka_unit_test(steps_follow_each_other_each_for_its_length),
              cmocka_unit_test(a_ramp_rises_from_nothing_and_is_not_measured_nor_is_the_warm_up),
              cmocka_unit_test(what_is_due_never_goes_back_in_time),
              cmocka_unit_test(what_is_due_after_more_time_than_there_is_is_never_due),
              cmocka_unit_test(max_is_a_closed_loop_with_an_end),
              cmocka_unit_test(an_impossible_rate_is_refused),
              cmocka_unit_test(limits_are_judged_by_route_and_over_all),
              cmocka_unit_test(a_shed_login_is_no_error_a_shed_verify_is),
              cmocka_unit_test(
                  a_quick_refusal_does_not_make_percentiles_better_a_timeout_makes_them_worse),
              cmocka_unit_test(what_was_not_measured_does_not_hold),
              cmocka_unit_test(tallies_of_threads_merge_into_one),
              cmocka_unit_test(a_limit_that_means_nothing_is_refused_with_the_clause_that_is_bad));
}

/* Measuring: each load does whole hashes, for as long as it was asked, and on as many threads as it
 * says; what runs out is reported. */
#include "check.h"
#include "failing_malloc.h"
#include "password.h"

static struct password_engine *open_engine(unsigned threads, unsigned lanes)
{
    const struct password_options options = {
        .threads = threads, .cost = 4, .queue_max = 12, .kernel = SPAN("c"), .lanes = lanes
    };
    struct password_engine *e = NULL;
    CHECK_ERR(password_engine_new(&options, &e), ERR_OK);
    return e;
}

TEST(each_load_hashes_in_whole_batches)
{
    static const unsigned least[] = {
        [PASSWORD_ALONE] = 1, [PASSWORD_FULL] = 2 * 3, [PASSWORD_LIBRARY] = 2
    };
    AUTO(password_engine) struct password_engine *e = open_engine(2, 3);
    for (unsigned load = PASSWORD_ALONE; load <= PASSWORD_LIBRARY; load++) {
        struct password_pace pace = { 0 };
        CHECK_ERR(password_measure(e, (enum password_load)load, 5, 1, &pace), ERR_OK);
        CHECK(pace.hashes >= least[load] && pace.hashes % least[load] == 0);
        CHECK(pace.cpu_us > 0 && pace.elapsed_us > 0 && password_pace_rate(&pace) > 0);
    }
}

TEST(it_goes_on_for_as_long_as_asked)
{
    AUTO(password_engine) struct password_engine *e = open_engine(1, 2);
    struct password_pace pace = { 0 };
    /* More than one batch, in one of several tries: this machine may stand still for as long. */
    for (int tries = 0; tries < 20 && pace.hashes <= 2; tries++) {
        CHECK_ERR(password_measure(e, PASSWORD_FULL, 4, 50000, &pace), ERR_OK);
        CHECK(pace.elapsed_us >= 50000);
    }
    CHECK(pace.hashes > 2);
}

TEST(a_rate_is_of_the_core_that_did_the_work)
{
    const struct password_pace two_cores = { .hashes = 10,
                                             .cpu_us = 2000000,
                                             .elapsed_us = 1000000 };
    CHECK(password_pace_rate(&two_cores) == 5);
    CHECK(password_pace_rate(&(struct password_pace){ .hashes = 1 }) == 0);
}

TEST(whatever_memory_or_thread_is_missing_is_reported_and_nothing_is_told)
{
    AUTO(password_engine) struct password_engine *e = open_engine(2, 2);
    struct password_pace pace = { 0 };
    for (unsigned load = PASSWORD_ALONE; load <= PASSWORD_LIBRARY; load++) {
        int failures = 0;
        bool failed = true;
        for (int n = 1; failed; n++) {
            pace = (struct password_pace){ 0 };
            fail_allocation(n);
            enum err measured = password_measure(e, (enum password_load)load, 4, 1, &pace);
            failed = allocation_failed();
            fail_allocation(0);
            /* An engine thread that finds no memory for its metrics counts elsewhere. */
            CHECK(measured == ERR_OK || (failed && measured == ERR_NOMEM && pace.hashes == 0));
            failures += measured != ERR_OK;
        }
        CHECK(failures >= 2);
    }
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(each_load_hashes_in_whole_batches),
        cmocka_unit_test(it_goes_on_for_as_long_as_asked),
        cmocka_unit_test(a_rate_is_of_the_core_that_did_the_work),
        cmocka_unit_test(whatever_memory_or_thread_is_missing_is_reported_and_nothing_is_told));
}

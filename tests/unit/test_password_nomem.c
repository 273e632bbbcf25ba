/* What happens to the engine when memory or threads run out, at every single allocation. */
#include "check.h"
#include "failing_openssl.h"
#include "password.h"

TEST(an_engine_that_cannot_start_leaves_no_thread_and_no_memory_behind)
{
    const struct password_options options = { .threads = 3, .cost = 4, .queue_max = 4 };
    bool failed = true;
    int failures = 0;
    for (int n = 1; failed; n++) {
        struct password_engine *e = NULL;
        fail_allocation(n);
        enum err started = password_engine_new(&options, &e);
        failed = allocation_failed();
        fail_allocation(0);
        CHECK(failed ? started == ERR_NOMEM && e == NULL : started == ERR_OK);
        failures += failed;
        password_engine_free(e);
    }
    /* Two structures, then a kernel and a thread for each of three. */
    CHECK_INT(failures, 8);
}

TEST(hashing_without_memory_is_reported_and_the_engine_goes_on)
{
    const struct password_options options = { .threads = 1, .cost = 4, .queue_max = 4 };
    struct password_engine *e = NULL;
    bool failed = true;
    CHECK_ERR(password_engine_new(&options, &e), ERR_OK);
    for (int n = 1; failed; n++) {
        struct arena a;
        struct span hash;
        arena_init(&a, 1024);
        fail_allocation(n);
        enum err hashed = password_hash(e, SPAN("password"), &a, &hash);
        failed = allocation_failed();
        fail_allocation(0);
        /* An engine thread that finds no memory for its metrics counts elsewhere. */
        CHECK(hashed == ERR_OK || (failed && hashed == ERR_NOMEM));
        arena_done(&a);
    }
    password_engine_free(e);
}

/* OpenSSL makes it shorter first. */
TEST(a_long_password_without_memory_is_neither_a_match_nor_a_malformed_hash)
{
    static char text[PASSWORD_MAX_BYTES];
    const struct span longest = { text, sizeof(text) };
    const struct password_options options = { .threads = 1, .cost = 4, .queue_max = 4 };
    struct password_engine *e = NULL;
    struct arena a;
    struct span hash;
    bool failed = true;
    memset(text, 'a', sizeof(text));
    arena_init(&a, 4096);
    CHECK_ERR(password_engine_new(&options, &e), ERR_OK);
    CHECK_ERR(password_hash(e, longest, &a, &hash), ERR_OK);
    for (int n = 1; failed; n++) {
        bool match = false;
        bool rehash = false;
        fail_allocation(n);
        enum err verified = password_verify(e, longest, hash, &match, &rehash);
        failed = allocation_failed();
        fail_allocation(0);
        CHECK(verified == ERR_OK ? match : failed && verified == ERR_NOMEM && !match);
    }
    arena_done(&a);
    password_engine_free(e);
}

int main(void)
{
    uint8_t drawn = 0;
    /* OpenSSL's own start is none of the engine's allocations. */
    if (!openssl_may_fail() || secret_random(&drawn, sizeof(drawn)) != ERR_OK) {
        return 1;
    }
    RUN_TESTS(
        cmocka_unit_test(an_engine_that_cannot_start_leaves_no_thread_and_no_memory_behind),
        cmocka_unit_test(hashing_without_memory_is_reported_and_the_engine_goes_on),
        cmocka_unit_test(a_long_password_without_memory_is_neither_a_match_nor_a_malformed_hash));
}

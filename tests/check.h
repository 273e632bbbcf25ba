/* check.h - gives cmocka the names that our tests use: a test is TEST(sentence_about_behaviour). */
#ifndef DOORWARD_CHECK_H
#define DOORWARD_CHECK_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base.h"
#include <string.h>

#define TEST(name) static void name(void **cmocka_state_ __attribute__((unused)))

#define CHECK(condition) assert_true(condition)
#define CHECK_INT(actual, expected)                                                                \
    assert_int_equal((uintmax_t)(intmax_t)(actual), (uintmax_t)(intmax_t)(expected))
#define CHECK_ERR(call, expected) check_err_((call), (expected), #call, __FILE__, __LINE__)
#define CHECK_SPAN(actual, text)  check_span_((actual), span_of(text), __FILE__, __LINE__)

static inline void check_err_(enum err actual, enum err expected, const char *call,
                              const char *file, int line)
{
    if (actual != expected) {
        print_error("%s gave ERR_%s, not ERR_%s\n", call, err_name(actual), err_name(expected));
        _fail(file, line);
    }
}

static inline void check_span_(struct span actual, struct span expected, const char *file, int line)
{
    if (!span_equal(actual, expected)) {
        print_error("\"%.*s\" is not \"%.*s\"\n", SPAN_FMT(actual), SPAN_FMT(expected));
        _fail(file, line);
    }
}

/* int main(void) { RUN_TESTS(cmocka_unit_test(one), cmocka_unit_test(two)); } */
#define RUN_TESTS(...)                                                                             \
    do {                                                                                           \
        const struct CMUnitTest tests_[] = { __VA_ARGS__ };                                        \
        return cmocka_run_group_tests(tests_, NULL, NULL);                                         \
    } while (0)

#endif

#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(every_error_has_a_name_and_a_sentence)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        CHECK(strlen(err_name((enum err)e)) > 0);
        CHECK(strlen(err_text((enum err)e)) > 0);
    }
    CHECK_SPAN(span_of(err_name(ERR_UNAVAILABLE)), "UNAVAILABLE");
    CHECK_SPAN(span_of(err_name(ERR_COUNT)), "UNKNOWN");
    CHECK(strlen(err_text(ERR_COUNT)) > 0);
}

static enum err give(enum err e)
{
    return e;
}

static enum err try_twice(enum err first, enum err second)
{
    TRY(give(first));
    TRY(give(second));
    return ERR_OK;
}

TEST(try_returns_the_first_error)
{
    CHECK_ERR(try_twice(ERR_OK, ERR_OK), ERR_OK);
    CHECK_ERR(try_twice(ERR_OK, ERR_BUSY), ERR_BUSY);
    CHECK_ERR(try_twice(ERR_IO, ERR_BUSY), ERR_IO);
}

/* In a child, because it does not come back; quietly, and without a core file. */
static int status_of_invariant(bool holds)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        const struct rlimit none = { 0 };
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        INVARIANT(holds);
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

TEST(a_broken_invariant_aborts_and_a_kept_one_does_nothing)
{
    CHECK_INT(status_of_invariant(true), 0);
    int status = status_of_invariant(false);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(every_error_has_a_name_and_a_sentence),
              cmocka_unit_test(try_returns_the_first_error),
              cmocka_unit_test(a_broken_invariant_aborts_and_a_kept_one_does_nothing));
}

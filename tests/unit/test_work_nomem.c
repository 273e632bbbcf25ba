#include "check.h"
#include "failing_malloc.h"
#include "work.h"

TEST(a_mailbox_without_memory_leaves_the_loop_as_it_was)
{
    uv_loop_t loop;
    struct work_mailbox *m = NULL;
    CHECK_INT(uv_loop_init(&loop), 0);
    fail_allocation(1);
    CHECK_ERR(work_mailbox_new(&loop, &m), ERR_NOMEM);
    CHECK(allocation_failed());
    CHECK(m == NULL);
    CHECK_INT(uv_loop_close(&loop), 0);
}

/* Among the allocations are the creations of the threads. */
TEST(a_bulkhead_that_cannot_be_completed_is_undone_whatever_was_missing)
{
    const struct work_options options = { .name = "test", .threads = 3, .queue_max = 1 };
    for (int n = 1;; n++) {
        struct work_bulkhead *b = NULL;
        fail_allocation(n);
        enum err made = work_bulkhead_new(&options, &b);
        bool failed = allocation_failed();
        fail_allocation(0);
        if (!failed) {
            CHECK_ERR(made, ERR_OK);
            CHECK_INT(n, 9);
            work_bulkhead_free(b);
            break;
        }
        CHECK_ERR(made, ERR_NOMEM);
        CHECK(b == NULL);
    }
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_mailbox_without_memory_leaves_the_loop_as_it_was),
              cmocka_unit_test(a_bulkhead_that_cannot_be_completed_is_undone_whatever_was_missing));
}

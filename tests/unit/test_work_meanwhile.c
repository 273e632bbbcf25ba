/* Items that would sleep let others run on their worker. */
#include "test_work_world.h"

static void run_after_others(struct work_item *item)
{
    pass_gate(((struct job *)item)->world);
    work_meanwhile();
    run_at_once(item);
}

TEST(an_item_that_would_sleep_lets_another_run_on_its_worker)
{
    struct world w;
    struct job first;
    struct work_options options = one_worker;
    options.nested_max = 1;
    world_open(&w, options);
    occupy_with(&w, &first, run_after_others);
    struct job second = job_for(&w, run_at_once);
    submit(&w, &second);
    open_gate(&w, 1);
    world_await(&w, 2);
    CHECK(w.done[0] == &second);
    CHECK(w.done[1] == &first);
    CHECK_INT(second.item.fate, WORK_RAN);
    CHECK(pthread_equal(first.ran_on, second.ran_on));
    world_close(&w);
}

TEST(where_it_is_not_allowed_an_item_waits_for_its_turn)
{
    struct world w;
    struct job first;
    world_open(&w, one_worker);
    occupy_with(&w, &first, run_after_others);
    struct job second = job_for(&w, run_at_once);
    submit(&w, &second);
    open_gate(&w, 1);
    world_await(&w, 2);
    CHECK(w.done[0] == &first);
    world_close(&w);
}

TEST(who_is_no_worker_runs_nothing_meanwhile)
{
    struct world w;
    struct job first;
    struct work_options options = one_worker;
    options.nested_max = 1;
    world_open(&w, options);
    occupy(&w, &first);
    struct job second = job_for(&w, run_at_once);
    submit(&w, &second);
    work_meanwhile();
    CHECK(!second.ran);
    open_gate(&w, 1);
    world_await(&w, 2);
    world_close(&w);
}

static unsigned depth, deepest; /* of the one worker */

static void run_deep(struct work_item *item)
{
    depth++;
    deepest = depth > deepest ? depth : deepest;
    work_meanwhile();
    depth--;
    run_at_once(item);
}

TEST(no_more_are_nested_than_is_allowed)
{
    struct world w;
    struct job first;
    struct job jobs[4];
    struct work_options options = one_worker;
    options.nested_max = 2;
    depth = 0;
    deepest = 0;
    world_open(&w, options);
    occupy(&w, &first);
    for (int i = 0; i < 4; i++) {
        jobs[i] = job_for(&w, run_deep);
        submit(&w, &jobs[i]);
    }
    open_gate(&w, 1);
    world_await(&w, 5);
    CHECK_INT(deepest, 3);
    CHECK_INT(depth, 0);
    world_close(&w);
}

TEST(as_many_run_at_once_as_there_are_workers_though_fewer_are_called)
{
    enum { WORKERS = 8 };
    struct world w;
    struct job jobs[WORKERS];
    struct work_options options = one_worker;
    options.threads = WORKERS;
    options.nested_max = 8;
    options.queue_max = WORKERS;
    world_open(&w, options);
    for (int i = 0; i < WORKERS; i++) {
        jobs[i] = job_for(&w, run_through_gate);
        submit(&w, &jobs[i]);
    }
    for (int i = 0; i < WORKERS; i++) {
        wait_for(&w.started);
    }
    open_gate(&w, WORKERS);
    world_await(&w, WORKERS);
    world_close(&w);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(an_item_that_would_sleep_lets_another_run_on_its_worker),
              cmocka_unit_test(where_it_is_not_allowed_an_item_waits_for_its_turn),
              cmocka_unit_test(who_is_no_worker_runs_nothing_meanwhile),
              cmocka_unit_test(no_more_are_nested_than_is_allowed),
              cmocka_unit_test(as_many_run_at_once_as_there_are_workers_though_fewer_are_called));
}

#include "test_work_world.h"

TEST(an_item_runs_on_a_worker_and_is_done_on_its_loop)
{
    struct world w;
    world_open(&w, one_worker);
    struct job j = job_for(&w, run_at_once);
    submit(&w, &j);
    world_await(&w, 1);
    CHECK(j.ran);
    CHECK(!pthread_equal(j.ran_on, w.loop_thread));
    CHECK_INT(j.item.fate, WORK_RAN);
    CHECK(j.item.waited_us >= 0);
    world_close(&w);
}

TEST(items_of_one_client_run_in_the_order_of_their_coming)
{
    struct world w;
    struct job first;
    struct job jobs[4];
    world_open(&w, one_worker);
    occupy(&w, &first);
    for (int i = 0; i < 4; i++) {
        jobs[i] = job_for(&w, run_at_once);
        submit(&w, &jobs[i]);
    }
    open_gate(&w, 1);
    world_await(&w, 5);
    CHECK(w.done[0] == &first);
    for (int i = 0; i < 4; i++) {
        CHECK(w.done[i + 1] == &jobs[i]);
    }
    world_close(&w);
}

TEST(clients_take_turns_and_classes_have_shares)
{
    struct world w;
    struct job first;
    struct job jobs[40];
    struct work_options options = one_worker;
    options.queue_max = 40;
    options.share[WORK_LOGIN] = 75;
    options.share[WORK_REGISTER] = 25;
    world_open(&w, options);
    occupy(&w, &first);
    /* 24 registrations, 15 logins of one client, then one of another. */
    for (int i = 0; i < 40; i++) {
        jobs[i] = job_for(&w, run_at_once);
        jobs[i].item.class = i < 24 ? WORK_REGISTER : WORK_LOGIN;
        jobs[i].item.client = i < 39 ? SPAN("flood") : SPAN("light");
        submit(&w, &jobs[i]);
    }
    open_gate(&w, 1);
    world_await(&w, 41);
    int registrations = 0;
    int light_at = 0;
    for (int i = 1; i <= 16; i++) {
        registrations += w.done[i]->item.class == WORK_REGISTER;
        light_at = w.done[i] == &jobs[39] ? i : light_at;
    }
    CHECK_INT(registrations, 4);
    CHECK(light_at >= 1 && light_at <= 4);
    world_close(&w);
}

TEST(a_full_queue_refuses_and_the_refused_item_never_comes_back)
{
    struct world w;
    struct job first;
    struct job jobs[5];
    world_open(&w, one_worker);
    occupy(&w, &first);
    for (int i = 0; i < 4; i++) {
        jobs[i] = job_for(&w, run_at_once);
        submit(&w, &jobs[i]);
    }
    jobs[4] = job_for(&w, run_at_once);
    (void)submit_refused(&w, &jobs[4]);
    open_gate(&w, 1);
    world_await(&w, 5);
    CHECK(!jobs[4].ran);
    submit(&w, &jobs[4]);
    world_await(&w, 6);
    world_close(&w);
}

TEST(in_a_full_queue_who_has_the_most_waiting_gives_way_and_comes_back_late)
{
    struct world w;
    struct job first;
    struct job jobs[5];
    struct work_options options = one_worker;
    options.estimate_us = estimate;
    world_open(&w, options);
    occupy(&w, &first);
    for (int i = 0; i < 5; i++) {
        jobs[i] = job_for(&w, run_at_once);
        jobs[i].item.client = i < 4 ? SPAN("flood") : SPAN("light");
    }
    for (int i = 0; i < 4; i++) {
        submit(&w, &jobs[i]);
    }
    atomic_store(&w.estimate_us, 6500000);
    submit(&w, &jobs[4]);
    world_await(&w, 1);
    CHECK(w.done[0] == &jobs[3]);
    CHECK(!jobs[3].ran);
    CHECK_INT(jobs[3].item.fate, WORK_LATE);
    CHECK_INT(jobs[3].item.retry_after_s, 7);
    (void)submit_refused(&w, &jobs[3]);
    open_gate(&w, 1);
    world_await(&w, 6);
    CHECK(jobs[4].ran);
    world_close(&w);
}

TEST(a_flood_is_refused_for_its_own_wait_while_others_are_taken)
{
    struct world w;
    struct job first;
    struct job jobs[3];
    struct work_options options = one_worker;
    options.estimate_us = estimate_by_cost;
    world_open(&w, options);
    occupy(&w, &first);
    for (int i = 0; i < 3; i++) {
        jobs[i] = job_for(&w, run_at_once);
        jobs[i].item.cost = 1000000;
        jobs[i].item.client = i < 2 ? SPAN("flood") : SPAN("light");
        jobs[i].item.deadline_us = clock_monotonic_us() + 10500000;
    }
    jobs[0].item.cost = 10000000;
    submit(&w, &jobs[0]);
    jobs[1].item.deadline_us = clock_monotonic_us() + 9000000;
    CHECK_INT(submit_refused(&w, &jobs[1]), 10);
    submit(&w, &jobs[2]);
    open_gate(&w, 1);
    world_await(&w, 3);
    CHECK(w.done[1] == &jobs[2]);
    CHECK(!jobs[1].ran);
    world_close(&w);
}

TEST(who_would_wait_past_the_deadline_is_refused_with_the_expected_wait)
{
    struct world w;
    struct job first;
    struct work_options options = one_worker;
    options.estimate_us = estimate;
    world_open(&w, options);
    occupy(&w, &first);
    struct job queued = job_for(&w, run_at_once);
    queued.item.cost = 4096;
    submit(&w, &queued);
    CHECK_INT(atomic_load(&w.asked_cost), 0);
    struct job j = job_for(&w, run_at_once);
    static const struct {
        int64_t wait_us;
        int64_t retry_s;
    } cases[] = { { FAR_US + 1000000, 60 }, { INT64_MAX, 60 }, { 60000001, 60 },
                  { 59999999, 60 },         { 59000000, 59 },  { 2000001, 3 },
                  { 1000001, 2 },           { 1000000, 1 },    { 500000, 1 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        atomic_store(&w.estimate_us, cases[i].wait_us);
        j.item.deadline_us = clock_monotonic_us() + (i < 2 ? FAR_US : 0);
        CHECK_INT(submit_refused(&w, &j), cases[i].retry_s);
        CHECK_INT(atomic_load(&w.asked_cost), 4096);
    }
    atomic_store(&w.estimate_us, FAR_US / 2);
    j.item.deadline_us = clock_monotonic_us() + FAR_US;
    submit(&w, &j);
    open_gate(&w, 1);
    world_await(&w, 3);
    world_close(&w);
}

TEST(an_idle_worker_takes_an_item_though_nothing_may_wait)
{
    struct world w;
    struct job jobs[2];
    struct work_options options = one_worker;
    options.threads = 2;
    options.queue_max = 0;
    world_open(&w, options);
    occupy(&w, &jobs[0]);
    occupy(&w, &jobs[1]);
    struct job third = job_for(&w, run_at_once);
    (void)submit_refused(&w, &third);
    open_gate(&w, 2);
    world_await(&w, 2);
    CHECK(jobs[0].ran && jobs[1].ran);
    world_close(&w);
}

TEST(an_idle_worker_does_not_take_what_would_be_late_behind_the_others_work)
{
    struct world w;
    struct job first;
    struct work_options options = one_worker;
    options.threads = 2;
    options.estimate_us = estimate;
    world_open(&w, options);
    occupy(&w, &first);
    atomic_store(&w.estimate_us, 2 * FAR_US);
    struct job second = job_for(&w, run_at_once);
    CHECK_INT(submit_refused(&w, &second), 60);
    CHECK_INT(atomic_load(&w.asked_cost), 0);
    atomic_store(&w.estimate_us, 0);
    submit(&w, &second);
    world_await(&w, 1);
    open_gate(&w, 1);
    world_await(&w, 2);
    world_close(&w);
}

TEST(who_would_come_close_to_the_deadline_is_refused_at_once)
{
    struct world w;
    struct job first;
    struct work_options options = one_worker;
    options.estimate_us = estimate;
    world_open(&w, options);
    occupy(&w, &first);
    atomic_store(&w.estimate_us, FAR_US / 16 * 15);
    struct job second = job_for(&w, run_at_once);
    (void)submit_refused(&w, &second);
    atomic_store(&w.estimate_us, FAR_US / 16 * 13);
    submit(&w, &second);
    open_gate(&w, 1);
    world_await(&w, 2);
    world_close(&w);
}

static void run_for_two_milliseconds(struct work_item *item)
{
    int64_t end = clock_monotonic_us() + 2000;
    while (clock_monotonic_us() < end) {
    }
    run_at_once(item);
}

TEST(without_an_estimate_the_wait_is_measured_from_the_time_of_items)
{
    struct world w;
    world_open(&w, one_worker);
    struct job measured = job_for(&w, run_for_two_milliseconds);
    submit(&w, &measured);
    world_await(&w, 1);
    struct job first;
    occupy(&w, &first);
    struct job heavy = job_for(&w, run_at_once);
    heavy.item.cost = 1000;
    submit(&w, &heavy);
    /* At least 2 ms a step are known: 2 s for what waits. */
    struct job hasty = job_for(&w, run_at_once);
    hasty.item.deadline_us = clock_monotonic_us() + 1000000;
    CHECK(submit_refused(&w, &hasty) >= 2);
    struct job patient = job_for(&w, run_at_once);
    submit(&w, &patient);
    open_gate(&w, 1);
    world_await(&w, 4);
    world_close(&w);
}

TEST(an_item_whose_deadline_passed_before_its_turn_is_not_run_but_comes_back_late)
{
    struct world w;
    struct job first;
    struct work_options options = one_worker;
    options.estimate_us = estimate;
    world_open(&w, options);
    occupy(&w, &first);
    struct job late = job_for(&w, run_at_once);
    late.item.deadline_us = clock_monotonic_us() - 1;
    /* A wait that ends before it began stands for an estimate that was too low. */
    atomic_store(&w.estimate_us, INT64_MIN);
    submit(&w, &late);
    atomic_store(&w.estimate_us, 6500000);
    open_gate(&w, 1);
    world_await(&w, 2);
    CHECK(!late.ran);
    CHECK_INT(late.item.fate, WORK_LATE);
    CHECK_INT(late.item.retry_after_s, 7);
    world_close(&w);
}

TEST(an_item_that_began_in_time_runs_to_its_end_past_its_deadline)
{
    struct world w;
    world_open(&w, one_worker);
    struct job j = job_for(&w, run_through_gate);
    submit(&w, &j);
    wait_for(&w.started);
    j.item.deadline_us = 0;
    open_gate(&w, 1);
    world_await(&w, 1);
    CHECK_INT(j.item.fate, WORK_RAN);
    world_close(&w);
}

TEST(an_abandoned_item_comes_back_at_once_unrun_and_leaves_no_cost_behind)
{
    struct world w;
    struct job first;
    struct work_options options = one_worker;
    options.estimate_us = estimate;
    world_open(&w, options);
    occupy(&w, &first);
    struct job gone = job_for(&w, run_at_once);
    struct job stays = job_for(&w, run_at_once);
    gone.item.cost = 4096;
    submit(&w, &gone);
    work_abandon(&gone.item);
    work_abandon(&gone.item);
    world_await(&w, 1);
    CHECK(w.done[0] == &gone);
    CHECK(!gone.ran);
    CHECK_INT(gone.item.fate, WORK_ABANDONED);
    submit(&w, &stays);
    CHECK_INT(atomic_load(&w.asked_cost), 0);
    open_gate(&w, 1);
    world_await(&w, 3);
    CHECK(stays.ran);
    world_close(&w);
}

TEST(a_running_item_can_see_that_its_client_has_gone)
{
    struct world w;
    struct job j;
    world_open(&w, one_worker);
    occupy(&w, &j);
    work_abandon(&j.item);
    open_gate(&w, 1);
    world_await(&w, 1);
    CHECK(j.saw_abandoned);
    CHECK_INT(j.item.fate, WORK_RAN);
    /* Lent out again it starts afresh. */
    j = job_for(&w, run_through_gate);
    atomic_store(&j.item.abandoned, true);
    submit(&w, &j);
    open_gate(&w, 1);
    world_await(&w, 2);
    CHECK(!j.saw_abandoned);
    world_close(&w);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(an_item_runs_on_a_worker_and_is_done_on_its_loop),
        cmocka_unit_test(items_of_one_client_run_in_the_order_of_their_coming),
        cmocka_unit_test(clients_take_turns_and_classes_have_shares),
        cmocka_unit_test(a_full_queue_refuses_and_the_refused_item_never_comes_back),
        cmocka_unit_test(in_a_full_queue_who_has_the_most_waiting_gives_way_and_comes_back_late),
        cmocka_unit_test(a_flood_is_refused_for_its_own_wait_while_others_are_taken),
        cmocka_unit_test(who_would_wait_past_the_deadline_is_refused_with_the_expected_wait),
        cmocka_unit_test(an_idle_worker_takes_an_item_though_nothing_may_wait),
        cmocka_unit_test(an_idle_worker_does_not_take_what_would_be_late_behind_the_others_work),
        cmocka_unit_test(who_would_come_close_to_the_deadline_is_refused_at_once),
        cmocka_unit_test(without_an_estimate_the_wait_is_measured_from_the_time_of_items),
        cmocka_unit_test(
            an_item_whose_deadline_passed_before_its_turn_is_not_run_but_comes_back_late),
        cmocka_unit_test(an_item_that_began_in_time_runs_to_its_end_past_its_deadline),
        cmocka_unit_test(an_abandoned_item_comes_back_at_once_unrun_and_leaves_no_cost_behind),
        cmocka_unit_test(a_running_item_can_see_that_its_client_has_gone));
}

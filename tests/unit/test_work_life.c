#include "test_work_world.h"

#include <signal.h>

static void *open_gate_later(void *world)
{
    open_gate(world, 5);
    return NULL;
}

TEST(closing_a_bulkhead_finishes_what_runs_and_what_waits)
{
    struct world w;
    struct job jobs[5];
    pthread_t opener;
    world_open(&w, one_worker);
    occupy(&w, &jobs[0]);
    for (int i = 1; i < 5; i++) {
        jobs[i] = job_for(&w, run_through_gate);
        submit(&w, &jobs[i]);
    }
    CHECK_INT(pthread_create(&opener, NULL, open_gate_later, &w), 0);
    work_bulkhead_free(w.bulkhead);
    w.bulkhead = NULL;
    CHECK_INT(pthread_join(opener, NULL), 0);
    world_await(&w, 5);
    for (int i = 0; i < 5; i++) {
        CHECK(jobs[i].ran);
    }
    world_close(&w);
}

static void resubmit(struct work_item *item)
{
    struct job *j = (struct job *)item;
    note_done(item);
    if (j->world->done_count < 100) {
        submit(j->world, j);
    }
}

TEST(an_item_may_be_submitted_again_from_its_own_done)
{
    struct world w;
    world_open(&w, one_worker);
    struct job j = job_for(&w, run_at_once);
    j.item.done = resubmit;
    submit(&w, &j);
    world_await(&w, 100);
    world_close(&w);
}

static void close_mailbox(struct work_item *item)
{
    note_done(item);
    work_mailbox_close(item->mailbox);
}

TEST(the_last_done_may_close_the_mailbox)
{
    struct world w;
    world_open(&w, one_worker);
    struct job j = job_for(&w, run_at_once);
    j.item.done = close_mailbox;
    submit(&w, &j);
    CHECK_INT(uv_run(&w.loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(w.done_count, 1);
    CHECK_ERR(work_mailbox_new(&w.loop, &w.mailbox), ERR_OK);
    world_close(&w);
}

struct names {
    struct job job;
    char thread[16];
    bool signals_blocked;
};

static void run_look_around(struct work_item *item)
{
    struct names *n = (struct names *)item;
    sigset_t blocked;
    pthread_getname_np(pthread_self(), n->thread, sizeof(n->thread));
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    n->signals_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGPIPE);
}

TEST(workers_have_names_and_take_no_signals)
{
    struct world w;
    world_open(&w, one_worker);
    struct names n = { .job = job_for(&w, run_look_around) };
    submit(&w, &n.job);
    world_await(&w, 1);
    CHECK_SPAN(span_of(n.thread), "test-0");
    CHECK(n.signals_blocked);
    world_close(&w);
}

TEST(a_stack_smaller_than_the_system_allows_is_refused)
{
    struct work_bulkhead *b = NULL;
    struct work_options options = one_worker;
    options.name = "test";
    options.stack_bytes = 1;
    CHECK_ERR(work_bulkhead_new(&options, &b), ERR_CONFIG);
    CHECK(b == NULL);
    work_bulkhead_free(NULL);
}

/* Each loop has its own mailbox and keeps 50 items going; all share one bulkhead. */
static struct work_bulkhead *shared;

static void *loop_main(void *unused)
{
    struct world w = { .bulkhead = shared, .loop_thread = pthread_self() };
    struct job jobs[50];
    (void)unused;
    CHECK_INT(uv_loop_init(&w.loop), 0);
    CHECK_ERR(work_mailbox_new(&w.loop, &w.mailbox), ERR_OK);
    for (unsigned round = 1; round <= 20; round++) {
        for (unsigned i = 0; i < 50; i++) {
            jobs[i] = job_for(&w, run_at_once);
            submit(&w, &jobs[i]);
            if (i % 7 == 0) {
                work_abandon(&jobs[i].item);
            }
        }
        world_await(&w, 50 * round);
        for (unsigned i = 0; i < 50; i++) {
            CHECK(jobs[i].ran == (jobs[i].item.fate == WORK_RAN));
        }
    }
    work_mailbox_close(w.mailbox);
    CHECK_INT(uv_run(&w.loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&w.loop), 0);
    return NULL;
}

TEST(several_loops_share_a_bulkhead_and_lose_nothing)
{
    const struct work_options options = { .name = "shared", .threads = 4, .queue_max = 1000 };
    pthread_t loops[3];
    CHECK_ERR(work_bulkhead_new(&options, &shared), ERR_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_create(&loops[i], NULL, loop_main, NULL), 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_join(loops[i], NULL), 0);
    }
    work_bulkhead_free(shared);
}

/* Three loops, each a client of its own, push each other out of a queue that is too short. */
static void *crowded_loop_main(void *name)
{
    struct world w = { .bulkhead = shared, .loop_thread = pthread_self() };
    struct job jobs[50];
    unsigned taken = 0;
    CHECK_INT(uv_loop_init(&w.loop), 0);
    CHECK_ERR(work_mailbox_new(&w.loop, &w.mailbox), ERR_OK);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 50; i++) {
            int64_t retry = 0;
            jobs[i] = job_for(&w, run_at_once);
            jobs[i].item.client = span_of(name);
            jobs[i].item.class = i % WORK_CLASS_COUNT;
            enum err e = work_submit(shared, &jobs[i].item, &retry);
            CHECK(e == ERR_OK || (e == ERR_BUSY && retry >= 1));
            taken += e == ERR_OK;
            if (e == ERR_OK && i % 7 == 0) {
                work_abandon(&jobs[i].item);
            }
        }
        world_await(&w, taken);
    }
    work_mailbox_close(w.mailbox);
    CHECK_INT(uv_run(&w.loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&w.loop), 0);
    return NULL;
}

TEST(loops_that_push_each_other_out_of_a_full_queue_get_each_item_back_once)
{
    static char names[3][2] = { "a", "b", "c" };
    const struct work_options options = { .name = "crowded", .threads = 2, .queue_max = 6 };
    pthread_t loops[3];
    CHECK_ERR(work_bulkhead_new(&options, &shared), ERR_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_create(&loops[i], NULL, crowded_loop_main, names[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_join(loops[i], NULL), 0);
    }
    work_bulkhead_free(shared);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(closing_a_bulkhead_finishes_what_runs_and_what_waits),
        cmocka_unit_test(an_item_may_be_submitted_again_from_its_own_done),
        cmocka_unit_test(the_last_done_may_close_the_mailbox),
        cmocka_unit_test(workers_have_names_and_take_no_signals),
        cmocka_unit_test(a_stack_smaller_than_the_system_allows_is_refused),
        cmocka_unit_test(several_loops_share_a_bulkhead_and_lose_nothing),
        cmocka_unit_test(loops_that_push_each_other_out_of_a_full_queue_get_each_item_back_once));
}

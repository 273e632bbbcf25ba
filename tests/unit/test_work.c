#include "check.h"
#include "work.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

#define FAR_US  (INT64_C(3600) * 1000000)
#define MAX_LOG 4096

/* One loop with its mailbox, and one bulkhead. Jobs wait in run() until the gate lets them go. */
struct world {
    uv_loop_t loop;
    struct work_mailbox *mailbox;
    struct work_bulkhead *bulkhead;
    pthread_t loop_thread;
    sem_t started;
    sem_t gate;
    _Atomic int64_t estimate_us;
    _Atomic uint64_t asked_cost;
    unsigned done_count;
    struct job *done[MAX_LOG];
};

struct job {
    struct work_item item; /* first: the item is the job */
    struct world *world;
    bool ran;
    bool saw_abandoned;
    pthread_t ran_on;
};

static int64_t estimate(void *context, uint64_t queued_cost)
{
    struct world *w = context;
    atomic_store(&w->asked_cost, queued_cost);
    return atomic_load(&w->estimate_us);
}

static void world_open(struct world *w, struct work_options options)
{
    memset(w, 0, sizeof(*w));
    CHECK_INT(uv_loop_init(&w->loop), 0);
    CHECK_ERR(work_mailbox_new(&w->loop, &w->mailbox), ERR_OK);
    CHECK_INT(sem_init(&w->started, 0, 0), 0);
    CHECK_INT(sem_init(&w->gate, 0, 0), 0);
    w->loop_thread = pthread_self();
    options.name = "test";
    options.context = w;
    CHECK_ERR(work_bulkhead_new(&options, &w->bulkhead), ERR_OK);
}

/* Runs the loop until `count` items came back. */
static void world_await(struct world *w, unsigned count)
{
    while (w->done_count < count) {
        uv_run(&w->loop, UV_RUN_ONCE);
    }
    CHECK_INT(w->done_count, count);
}

static void world_close(struct world *w)
{
    work_bulkhead_free(w->bulkhead);
    work_mailbox_close(w->mailbox);
    CHECK_INT(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&w->loop), 0);
    sem_destroy(&w->started);
    sem_destroy(&w->gate);
}

static void run_at_once(struct work_item *item)
{
    struct job *j = (struct job *)item;
    j->ran = true;
    j->ran_on = pthread_self();
}

static void run_through_gate(struct work_item *item)
{
    struct job *j = (struct job *)item;
    sem_post(&j->world->started);
    while (sem_wait(&j->world->gate) != 0) {
    }
    j->saw_abandoned = work_is_abandoned(item);
    run_at_once(item);
}

static void note_done(struct work_item *item)
{
    struct job *j = (struct job *)item;
    struct world *w = j->world;
    CHECK(pthread_equal(pthread_self(), w->loop_thread));
    CHECK(w->done_count < MAX_LOG);
    w->done[w->done_count++] = j;
}

static struct job job_for(struct world *w, void (*run)(struct work_item *))
{
    return (struct job){
        .item = { .run = run,
                  .done = note_done,
                  .mailbox = w->mailbox,
                  .class = WORK_LOGIN,
                  .cost = 1,
                  .deadline_us = clock_monotonic_us() + FAR_US },
        .world = w,
    };
}

static void submit(struct world *w, struct job *j)
{
    int64_t retry = -1;
    CHECK_ERR(work_submit(w->bulkhead, &j->item, &retry), ERR_OK);
    CHECK_INT(retry, -1);
}

static int64_t submit_refused(struct world *w, struct job *j)
{
    int64_t retry = -1;
    CHECK_ERR(work_submit(w->bulkhead, &j->item, &retry), ERR_BUSY);
    CHECK(retry >= 1 && retry <= 60);
    return retry;
}

/* Occupy one worker: afterwards it holds the job until the gate opens. */
static void occupy(struct world *w, struct job *j)
{
    *j = job_for(w, run_through_gate);
    submit(w, j);
    while (sem_wait(&w->started) != 0) {
    }
}

static void open_gate(struct world *w, int count)
{
    for (int i = 0; i < count; i++) {
        sem_post(&w->gate);
    }
}

static const struct work_options one_worker = { .threads = 1, .queue_max = 4 };

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

TEST(items_of_all_classes_run_in_the_order_of_their_coming)
{
    struct world w;
    struct job first;
    struct job jobs[4];
    static const enum work_class classes[] = { WORK_REGISTER, WORK_STORE, WORK_PASSWORD,
                                               WORK_STORE };
    world_open(&w, one_worker);
    occupy(&w, &first);
    for (int i = 0; i < 4; i++) {
        jobs[i] = job_for(&w, run_at_once);
        jobs[i].item.class = classes[i];
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

TEST(a_class_past_its_share_is_refused_while_others_are_taken)
{
    struct world w;
    struct job first;
    struct job jobs[3];
    struct work_options options = one_worker;
    options.class_max[WORK_REGISTER] = 1;
    world_open(&w, options);
    occupy(&w, &first);
    for (int i = 0; i < 3; i++) {
        jobs[i] = job_for(&w, run_at_once);
    }
    jobs[0].item.class = WORK_REGISTER;
    jobs[1].item.class = WORK_REGISTER;
    submit(&w, &jobs[0]);
    (void)submit_refused(&w, &jobs[1]);
    submit(&w, &jobs[2]);
    open_gate(&w, 1);
    world_await(&w, 3);
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

TEST(an_idle_worker_takes_an_item_whatever_the_estimate_says)
{
    struct world w;
    struct job first;
    struct work_options options = one_worker;
    options.threads = 2;
    options.queue_max = 0;
    options.estimate_us = estimate;
    world_open(&w, options);
    atomic_store(&w.estimate_us, INT64_MAX);
    occupy(&w, &first);
    struct job second;
    occupy(&w, &second);
    struct job third = job_for(&w, run_at_once);
    CHECK_INT(submit_refused(&w, &third), 60);
    open_gate(&w, 2);
    world_await(&w, 2);
    CHECK(first.ran && second.ran);
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
    j.item.deadline_us = clock_monotonic_us() + 2000000;
    submit(&w, &j);
    while (sem_wait(&w.started) != 0) {
    }
    j.item.deadline_us = 0;
    open_gate(&w, 1);
    world_await(&w, 1);
    CHECK_INT(j.item.fate, WORK_RAN);
    world_close(&w);
}

TEST(an_abandoned_item_is_not_run_but_comes_back)
{
    struct world w;
    struct job first;
    world_open(&w, one_worker);
    occupy(&w, &first);
    struct job gone = job_for(&w, run_at_once);
    struct job stays = job_for(&w, run_at_once);
    submit(&w, &gone);
    submit(&w, &stays);
    work_abandon(&gone.item);
    work_abandon(&gone.item);
    open_gate(&w, 1);
    world_await(&w, 3);
    CHECK(!gone.ran && stays.ran);
    CHECK_INT(gone.item.fate, WORK_ABANDONED);
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

int main(void)
{
    RUN_TESTS(cmocka_unit_test(an_item_runs_on_a_worker_and_is_done_on_its_loop),
              cmocka_unit_test(items_of_all_classes_run_in_the_order_of_their_coming),
              cmocka_unit_test(a_full_queue_refuses_and_the_refused_item_never_comes_back),
              cmocka_unit_test(a_class_past_its_share_is_refused_while_others_are_taken),
              cmocka_unit_test(who_would_wait_past_the_deadline_is_refused_with_the_expected_wait),
              cmocka_unit_test(an_idle_worker_takes_an_item_whatever_the_estimate_says),
              cmocka_unit_test(without_an_estimate_the_wait_is_measured_from_the_time_of_items),
              cmocka_unit_test(
                  an_item_whose_deadline_passed_before_its_turn_is_not_run_but_comes_back_late),
              cmocka_unit_test(an_item_that_began_in_time_runs_to_its_end_past_its_deadline),
              cmocka_unit_test(an_abandoned_item_is_not_run_but_comes_back),
              cmocka_unit_test(a_running_item_can_see_that_its_client_has_gone),
              cmocka_unit_test(closing_a_bulkhead_finishes_what_runs_and_what_waits),
              cmocka_unit_test(an_item_may_be_submitted_again_from_its_own_done),
              cmocka_unit_test(the_last_done_may_close_the_mailbox),
              cmocka_unit_test(workers_have_names_and_take_no_signals),
              cmocka_unit_test(a_stack_smaller_than_the_system_allows_is_refused),
              cmocka_unit_test(several_loops_share_a_bulkhead_and_lose_nothing));
}

/* The engine: who gets a lane and when, its queue, its end, its estimate, and the work that a
 * failed check costs. A call that waits at a gate holds an engine of one thread still. */
#include "check.h"
#include "engine_parts.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { MANY = 12 };

static const struct engine_options plain = { .threads = 1, .queue_max = MANY, .lanes = 1 };

static struct engine *open_engine(struct engine_options options)
{
    struct engine *e = NULL;
    options.kernel = options.kernel != NULL ? options.kernel : &lanes_kernels[0];
    options.live_steps = options.live_steps > 0 ? options.live_steps : 16;
    CHECK_ERR(engine_new(&options, &e), ERR_OK);
    return e;
}

/* The value of a metric without labels. */
static uint64_t metric(const char *name)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    metrics_render(&text);
    buf_add_char(&text, '\0');
    char line[100];
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *found = strstr(text.data, line);
    CHECK(found != NULL);
    uint64_t value = strtoull(found + strlen(line), NULL, 10);
    buf_done(&text);
    return value;
}

static uint64_t steps_done(void)
{
    return metric("doorward_password_steps_total");
}

/* ---- jobs ---- */

static struct engine_job bcrypt_of(uint64_t steps)
{
    struct engine_job job = { .minor = LANE_2B, .steps = steps, .key = "key", .key_length = 3 };
    memset(job.salt, (int)steps & 0x7f, sizeof(job.salt));
    return job;
}

/* What `job` must give, computed alone. */
static void digest_of(const struct engine_job *job, uint8_t digest[static LANE_DIGEST_BYTES])
{
    struct lane *l = aligned_alloc(LANES_ALIGNMENT, LANES_MAX * sizeof(*l));
    CHECK(l != NULL);
    lane_start(l, job->minor, (struct span){ job->key, job->key_length }, job->salt);
    lanes_kernels[0].advance(l, 1, (unsigned)job->steps);
    lane_finish(l, digest);
    free(l);
}

static bool is_right(const struct engine_job *job)
{
    uint8_t digest[LANE_DIGEST_BYTES];
    digest_of(job, digest);
    return memcmp(digest, job->digest, sizeof(digest)) == 0;
}

static struct engine_job check_of(uint64_t steps, bool right)
{
    struct engine_job job = bcrypt_of(steps);
    job.check = true;
    digest_of(&job, job.expected);
    job.expected[0] ^= !right;
    return job;
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned inside;
    bool open;
};
#define CLOSED_GATE                                                                                \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER                       \
    }

static enum err wait_at_gate(void *context, bool *ret_match)
{
    struct gate *g = context;
    (void)ret_match;
    pthread_mutex_lock(&g->lock);
    g->inside++;
    pthread_cond_broadcast(&g->moved);
    while (!g->open) {
        pthread_cond_wait(&g->moved, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
    return ERR_OK;
}

static void open_gate(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->lock);
}

static void see_at_gate(struct gate *g, unsigned count)
{
    pthread_mutex_lock(&g->lock);
    while (g->inside < count) {
        pthread_cond_wait(&g->moved, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

/* ---- callers ---- */

struct caller {
    struct engine *engine;
    struct engine_job job;
    unsigned rounds;
    _Atomic bool *until; /* instead of rounds, when not NULL */
    pthread_t thread;
    _Atomic unsigned served;
    enum err result; /* of the last */
};

static void *caller_main(void *arg)
{
    struct caller *c = arg;
    for (unsigned i = 0; c->until != NULL ? !*c->until : i < c->rounds; i++) {
        c->result = engine_run(c->engine, &c->job);
        c->served++;
    }
    return NULL;
}

static void start(struct caller *c, struct engine *e, struct engine_job job)
{
    c->engine = e;
    c->job = job;
    c->rounds = c->rounds > 0 ? c->rounds : 1;
    CHECK_INT(pthread_create(&c->thread, NULL, caller_main, c), 0);
}

static void join(struct caller *callers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pthread_join(callers[i].thread, NULL);
    }
}

static void start_at_gate(struct engine *e, struct gate *g, struct caller *c)
{
    start(c, e, (struct engine_job){ .call = wait_at_gate, .context = g, .steps = 1 });
    see_at_gate(g, 1);
}

/* Until so many wait for lanes. */
static void see_waiting(const struct engine *e, unsigned count)
{
    while (atomic_load(&e->for_lanes.length) < count) {
        sched_yield();
    }
}

/* ---- lanes ---- */

static void check_side_by_side(const struct lanes_kernel *kernel, unsigned lanes)
{
    struct engine_options options = {
        .threads = 2, .queue_max = MANY, .lanes = lanes, .kernel = kernel
    };
    struct engine *e = open_engine(options);
    struct caller callers[MANY] = { 0 };
    for (unsigned i = 0; i < MANY; i++) {
        callers[i].rounds = 3;
        start(&callers[i], e, bcrypt_of(UINT64_C(16) << i % 3));
    }
    join(callers, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        CHECK_ERR(callers[i].result, ERR_OK);
        CHECK(is_right(&callers[i].job));
    }
    CHECK_INT(engine_expected_wait_us(e, 0), 0);
    engine_free(e);
}

TEST(mixed_costs_side_by_side_give_right_digests_with_every_kernel_and_number_of_lanes)
{
    for (size_t k = 0; k < lanes_kernel_count; k++) {
        for (unsigned n = 1; n <= lanes_kernels[k].lanes_max && lanes_kernels[k].is_usable(); n++) {
            check_side_by_side(&lanes_kernels[k], n);
        }
    }
    CHECK_INT(metric("doorward_password_lanes"), 0);
}

TEST(a_lane_that_is_done_is_filled_again_while_its_neighbour_goes_on)
{
    struct engine_options options = plain;
    options.lanes = 2;
    options.live_steps = 1 << 14;
    struct engine *e = open_engine(options);
    struct caller slow = { 0 };
    struct caller quick = { .rounds = 4 };
    uint64_t before = steps_done();
    start(&slow, e, bcrypt_of(1 << 10));
    while (steps_done() == before) {
        sched_yield();
    }
    start(&quick, e, bcrypt_of(16));
    join(&quick, 1);
    CHECK_INT(quick.served, 4);
    CHECK_INT(slow.served, 0);
    join(&slow, 1);
    CHECK(is_right(&slow.job));
    CHECK_INT(steps_done() - before, (1 << 10) + 4 * 16);
    engine_free(e);
}

/* One lane, so that who gives way gives it all; a turn is 16 steps. */
TEST(dear_jobs_do_not_hold_up_cheap_ones_and_end_under_a_stream_of_them)
{
    struct engine *e = open_engine(plain);
    _Atomic bool dear_done = false;
    struct caller dear = { 0 };
    struct caller cheap[2] = { { .until = &dear_done }, { .until = &dear_done } };
    start(&dear, e, bcrypt_of(512));
    for (int i = 0; i < 2; i++) {
        start(&cheap[i], e, bcrypt_of(16));
    }
    join(&dear, 1);
    dear_done = true;
    join(cheap, 2);
    CHECK(is_right(&dear.job));
    CHECK(cheap[0].served + cheap[1].served > 8);
    engine_free(e);
}

static bool runs_on_both(struct engine *e)
{
    struct caller callers[2] = { 0 };
    bool both = false;
    for (int i = 0; i < 2; i++) {
        start(&callers[i], e, bcrypt_of(1024));
    }
    while (!both && callers[0].served + callers[1].served == 0) {
        both = atomic_load(&e->hashers[0].active) == 1 && atomic_load(&e->hashers[1].active) == 1;
    }
    join(callers, 2);
    return both;
}

/* Not always: a thread that gets no CPU from a busy machine is not waited for. */
TEST(two_jobs_go_to_two_threads)
{
    struct engine_options options = { .threads = 2, .queue_max = MANY, .lanes = 4 };
    struct engine *e = open_engine(options);
    bool both = false;
    for (int i = 0; i < 50 && !both; i++) {
        both = runs_on_both(e);
    }
    CHECK(both);
    engine_free(e);
}

/* ---- calls ---- */

struct crowd {
    _Atomic unsigned inside, most;
};

static enum err join_crowd(void *context, bool *ret_match)
{
    struct crowd *c = context;
    (void)ret_match;
    unsigned now = ++c->inside;
    unsigned most = c->most;
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now)) {
    }
    for (int i = 0; i < 50; i++) {
        sched_yield();
    }
    c->inside--;
    return ERR_OK;
}

TEST(calls_share_the_memory_budget_and_none_gets_more_than_all_of_it)
{
    struct engine_options options = {
        .threads = 4, .queue_max = MANY, .lanes = 1, .memory_budget = 100
    };
    struct engine *e = open_engine(options);
    struct crowd crowd = { 0 };
    struct engine_job job = {
        .call = join_crowd, .context = &crowd, .memory_bytes = 40, .steps = 1
    };
    struct caller callers[MANY] = { 0 };
    for (int i = 0; i < MANY; i++) {
        callers[i].rounds = 10;
        start(&callers[i], e, job);
    }
    join(callers, MANY);
    for (int i = 0; i < MANY; i++) {
        CHECK_ERR(callers[i].result, ERR_OK);
    }
    CHECK(crowd.most >= 1 && crowd.most <= 2);
    job.memory_bytes = 100;
    CHECK_ERR(engine_run(e, &job), ERR_OK);
    job.memory_bytes = 101;
    CHECK_ERR(engine_run(e, &job), ERR_INTERNAL);
    engine_free(e);
}

static enum err say(void *context, bool *ret_match)
{
    *ret_match = true;
    return *(const enum err *)context;
}

TEST(a_call_that_fails_says_so_and_gives_its_memory_back)
{
    struct engine_options options = plain;
    options.memory_budget = 10;
    struct engine *e = open_engine(options);
    enum err why = ERR_NOMEM;
    struct engine_job job = { .call = say, .context = &why, .memory_bytes = 10, .check = true };
    CHECK_ERR(engine_run(e, &job), ERR_NOMEM);
    why = ERR_OK;
    CHECK_ERR(engine_run(e, &job), ERR_OK);
    CHECK(job.match);
    engine_free(e);
}

TEST(a_call_that_fails_says_nothing_about_how_long_one_takes)
{
    struct engine_options options = plain;
    options.live_is_call = true;
    struct engine *e = open_engine(options);
    enum err why = ERR_NOMEM;
    struct engine_job job = { .call = say, .context = &why, .steps = 64, .live_form = true };
    CHECK_ERR(engine_run(e, &job), ERR_NOMEM);
    CHECK_INT(atomic_load(&e->live_call_us), 0);
    CHECK_INT(atomic_load(&e->call_scale), 0);
    why = ERR_OK;
    CHECK_ERR(engine_run(e, &job), ERR_OK);
    CHECK(atomic_load(&e->live_call_us) > 0);
    engine_free(e);
}

static enum err burn(void *context, bool *ret_match)
{
    int64_t until_us = clock_monotonic_us() + *(const int64_t *)context;
    *ret_match = false;
    while (clock_monotonic_us() < until_us) {
    }
    return ERR_OK;
}

TEST(calls_and_lanes_do_not_starve_each_other)
{
    struct engine *e = open_engine(plain);
    int64_t length_us = 500;
    _Atomic bool over = false;
    struct caller lanes[2] = { { .until = &over }, { .until = &over } };
    struct caller calls[2] = { { .until = &over }, { .until = &over } };
    for (int i = 0; i < 2; i++) {
        start(&lanes[i], e, bcrypt_of(64));
        start(&calls[i], e,
              (struct engine_job){ .call = burn, .context = &length_us, .steps = 10 });
    }
    while (lanes[0].served < 5 || lanes[1].served < 5 || calls[0].served < 5 ||
           calls[1].served < 5) {
        sched_yield();
    }
    over = true;
    join(lanes, 2);
    join(calls, 2);
    CHECK(is_right(&lanes[0].job));
    engine_free(e);
}

/* ---- the same work for everyone ---- */

static uint64_t steps_of(struct engine *e, struct engine_job job)
{
    uint64_t before = steps_done();
    CHECK_ERR(engine_run(e, &job), ERR_OK);
    return steps_done() - before;
}

TEST(a_failed_check_takes_exactly_the_live_steps)
{
    struct engine_options options = plain;
    options.live_steps = 256;
    struct engine *e = open_engine(options);
    struct engine_job too_long = check_of(32, true);
    too_long.hopeless = true;
    CHECK_INT(steps_of(e, check_of(16, false)), 256);
    CHECK_INT(steps_of(e, check_of(128, false)), 256);
    CHECK_INT(steps_of(e, check_of(256, false)), 256);
    CHECK_INT(steps_of(e, too_long), 256);
    CHECK_INT(steps_of(e, check_of(512, false)), 512); /* dearer: documented, not hidden */
    CHECK_INT(steps_of(e, check_of(16, true)), 16);
    CHECK_INT(steps_of(e, bcrypt_of(16)), 16);
    engine_free(e);
}

TEST(a_failed_call_is_topped_up_by_the_time_it_took)
{
    uint64_t hashes = metric("doorward_password_hashes_total");
    struct engine_options options = plain;
    options.live_steps = 4096;
    struct engine *e = open_engine(options);
    int64_t nothing_us = 0;
    int64_t long_us = INT64_C(1000000000000);
    struct engine_job call = { .call = burn, .context = &nothing_us, .steps = 1, .check = true };
    uint64_t quick = steps_of(e, call);
    CHECK(quick > 0 && quick <= 4096);
    CHECK_INT(metric("doorward_password_hashes_total") - hashes, 1);
    struct hasher *h = &e->hashers[0];
    CHECK_INT(pace_missing_after_call(h, 0), 4096);
    CHECK_INT(pace_missing_after_call(h, long_us), 0);
    double half_us = 2048 * pace_step_us(h, 1);
    CHECK(llabs((long long)pace_missing_after_call(h, (int64_t)half_us) - 2048) <= 1);
    engine_free(e);
}

TEST(where_the_live_form_is_a_call_bcrypt_is_topped_up_to_its_time)
{
    struct engine_options options = plain;
    options.live_steps = 64;
    options.live_is_call = true;
    struct engine *e = open_engine(options);
    CHECK_INT(steps_of(e, check_of(16, false)), 64); /* nothing measured yet: the formula */
    int64_t length_us = 20000;
    struct engine_job live = {
        .call = burn, .context = &length_us, .steps = 64, .check = true, .live_form = true
    };
    CHECK_INT(steps_of(e, live), 0);
    uint64_t live_us = atomic_load(&e->live_call_us);
    CHECK(live_us >= 20000);
    struct hasher *h = &e->hashers[0];
    double wanted = (double)live_us / pace_step_us(h, 0);
    CHECK(llabs((long long)pace_missing(h, 4) - ((long long)wanted - 4)) <= 1);
    CHECK_INT(pace_missing(h, (uint64_t)wanted + 1), 0);
    CHECK(steps_of(e, check_of(16, false)) >= 16);
    engine_free(e);
}

/* ---- the queue and the estimate ---- */

TEST(a_full_queue_refuses_at_once_and_the_rest_is_served)
{
    struct engine_options options = plain;
    options.queue_max = 2;
    struct engine *e = open_engine(options);
    struct gate gate = CLOSED_GATE;
    struct caller holder = { 0 };
    struct caller callers[2] = { 0 };
    start_at_gate(e, &gate, &holder);
    for (int i = 0; i < 2; i++) {
        start(&callers[i], e, bcrypt_of(16));
    }
    see_waiting(e, 2);
    struct engine_job job = bcrypt_of(16);
    CHECK_ERR(engine_run(e, &job), ERR_BUSY);
    open_gate(&gate);
    join(&holder, 1);
    join(callers, 2);
    CHECK(is_right(&callers[0].job) && is_right(&callers[1].job));
    CHECK_ERR(engine_run(e, &job), ERR_OK);
    engine_free(e);
}

TEST(the_expected_wait_counts_the_steps_that_wait_and_is_nothing_when_idle)
{
    struct engine *e = open_engine(plain);
    CHECK_INT(engine_expected_wait_us(e, 0), 0);
    int64_t hundred_us = engine_expected_wait_us(e, 100 * 16);
    CHECK(hundred_us > 0);
    CHECK(llabs((long long)(engine_expected_wait_us(e, 1000 * 16) - 10 * hundred_us)) <= 10);

    struct gate gate = CLOSED_GATE;
    struct caller holder = { 0 };
    struct caller callers[2] = { 0 };
    start_at_gate(e, &gate, &holder);
    start(&callers[0], e, bcrypt_of(600));
    start(&callers[1], e, check_of(4, false)); /* may take the 16 of the live form */
    see_waiting(e, 2);
    CHECK_INT(atomic_load(&e->for_lanes.steps), 616);
    int64_t waiting_us = engine_expected_wait_us(e, 0);
    CHECK(waiting_us >= engine_expected_wait_us(e, 616) / 2);
    open_gate(&gate);
    join(&holder, 1);
    join(callers, 2);
    CHECK_INT(engine_expected_wait_us(e, 0), 0);
    CHECK(engine_expected_wait_us(e, UINT64_MAX) > 0);
    engine_free(e);
}

TEST(no_cost_and_no_queue_is_too_much_for_the_estimate)
{
    struct engine_options options = plain;
    options.live_steps = UINT64_C(1) << 31;
    struct engine *e = open_engine(options);
    int64_t one_us = engine_expected_wait_us(e, UINT64_C(1) << 31);
    CHECK(one_us > INT64_C(60) * 1000 * 1000);
    CHECK(engine_expected_wait_us(e, UINT64_MAX) > one_us);
    engine_free(e);
}

TEST(more_threads_and_a_measured_rate_shorten_the_expected_wait)
{
    struct engine *one = open_engine(plain);
    struct engine_options options = plain;
    options.threads = 4;
    struct engine *four = open_engine(options);
    int64_t one_us = engine_expected_wait_us(one, 100000);
    int64_t four_us = engine_expected_wait_us(four, 100000);
    CHECK(four_us <= one_us / 4 + 1 && four_us >= one_us / 4 - 1000);
    struct engine_tuning t = { .kernel = &lanes_kernels[0], .lanes = 3 };
    t.steps_per_second[3] = 1000000;
    engine_set(one, &t);
    CHECK(llabs((long long)engine_expected_wait_us(one, 100000) - 100000) <= 3 * 16);
    CHECK_INT(engine_info(one).lanes, 3);
    engine_free(one);
    engine_free(four);
}

/* Of an engine that sleeps, told what its lanes and calls have left. */
TEST(who_finds_a_lane_free_waits_for_nobody_and_else_for_the_first_that_will_be)
{
    struct engine_options options = plain;
    options.lanes = 2;
    options.live_steps = 1000;
    struct engine *e = open_engine(options);
    struct engine_tuning t = { .kernel = &lanes_kernels[0], .lanes = 2 };
    t.steps_per_second[2] = 2000000; /* a lane's step is a microsecond */
    engine_set(e, &t);
    _Atomic uint64_t *left = e->hashers[0].lane_left;
    atomic_store(&left[0], 400);
    CHECK_INT(engine_expected_wait_us(e, 0), 0);
    CHECK_INT(engine_expected_wait_us(e, 1), 400);
    CHECK_INT(engine_expected_wait_us(e, 1000), 400);
    CHECK_INT(engine_expected_wait_us(e, 2000), 1000); /* the free one, a job later */
    atomic_store(&left[1], 900);
    CHECK_INT(engine_expected_wait_us(e, 0), 400);
    CHECK_INT(engine_expected_wait_us(e, 1000), 900);
    CHECK_INT(engine_expected_wait_us(e, 2000), 1400);
    CHECK_INT(engine_expected_wait_us(e, 3000), 1900);
    CHECK_INT(engine_expected_wait_us(e, 4000), 2400);
    engine_free(e);
}

TEST(calls_wait_for_a_thread_and_for_memory)
{
    struct engine_options options = plain;
    options.threads = 2;
    options.live_steps = 1000;
    options.live_is_call = true;
    options.live_memory_bytes = 64;
    options.memory_budget = 128;
    struct engine *two = open_engine(options);
    options.memory_budget = 127;
    struct engine *one = open_engine(options);
    for (int i = 0; i < 2; i++) {
        struct engine *e = i == 0 ? two : one;
        atomic_store(&e->assumed_rate, 1000000); /* a thread's step is a microsecond */
        atomic_store(&e->hashers[1].call_started_us, clock_monotonic_us());
        atomic_store(&e->hashers[1].call_steps, 60000000);
    }
    CHECK_INT(engine_expected_wait_us(two, 0), 0);
    CHECK_INT(engine_expected_wait_us(two, 5000), 5005); /* scaled up to whole steps of a call */
    int64_t wait_us = engine_expected_wait_us(one, 0);
    CHECK(wait_us > 0 && wait_us <= 60000000);
    CHECK(engine_expected_wait_us(one, 5000) > 5000);
    atomic_store(&one->hashers[1].call_steps, 0);
    CHECK_INT(engine_expected_wait_us(one, 0), 0);
    engine_free(two);
    engine_free(one);
}

/* ---- the end ---- */

static void *free_main(void *e)
{
    engine_free(e);
    return NULL;
}

TEST(an_engine_that_ends_finishes_what_is_under_way_and_answers_those_who_wait)
{
    struct engine *e = open_engine(plain);
    struct gate gate = CLOSED_GATE;
    struct caller holder = { 0 };
    struct caller waiting = { 0 };
    struct caller ender = { 0 };
    start_at_gate(e, &gate, &holder);
    start(&waiting, e, bcrypt_of(16));
    see_waiting(e, 1);
    CHECK_INT(pthread_create(&ender.thread, NULL, free_main, e), 0);
    join(&waiting, 1);
    CHECK_ERR(waiting.result, ERR_BUSY);
    open_gate(&gate);
    join(&holder, 1);
    join(&ender, 1);
    CHECK_ERR(holder.result, ERR_OK);
}

TEST(what_would_take_hours_does_not_hold_up_the_end)
{
    struct engine_options options = plain;
    options.lanes = 2;
    struct engine *e = open_engine(options);
    struct caller callers[4] = { 0 }; /* two in lanes, two that wait or have given way */
    uint64_t before = steps_done();
    for (int i = 0; i < 4; i++) {
        start(&callers[i], e, bcrypt_of(UINT64_C(1) << 31));
    }
    while (steps_done() < before + 100) {
        sched_yield();
    }
    engine_free(e);
    join(callers, 4);
    for (int i = 0; i < 4; i++) {
        CHECK_ERR(callers[i].result, ERR_BUSY);
    }
}

TEST(an_engine_that_was_stopped_refuses_whatever_comes)
{
    struct engine *e = open_engine(plain);
    struct caller dear = { 0 };
    struct engine_job cheap = bcrypt_of(16);
    struct engine_job call = { .call = join_crowd, .context = &(struct crowd){ 0 }, .steps = 1 };
    struct engine_tuning tuning;
    uint64_t before = steps_done();
    start(&dear, e, bcrypt_of(UINT64_C(1) << 31));
    while (steps_done() == before) {
        sched_yield();
    }
    engine_stop(e);
    engine_stop(e);
    join(&dear, 1);
    CHECK_ERR(dear.result, ERR_BUSY);
    CHECK_ERR(engine_run(e, &cheap), ERR_BUSY);
    CHECK_ERR(engine_run(e, &call), ERR_BUSY);
    CHECK_ERR(engine_tune(e, NULL, 0, &tuning), ERR_BUSY);
    engine_free(e);
}

TEST(freeing_no_engine_is_fine)
{
    engine_free(NULL);
}

/* ---- tuning ---- */

TEST(jobs_stay_right_while_kernel_and_lanes_change_under_them)
{
    struct engine_options options = { .threads = 2, .queue_max = MANY, .lanes = 4 };
    struct engine *e = open_engine(options);
    _Atomic bool over = false;
    struct caller callers[6] = { 0 };
    for (unsigned i = 0; i < 6; i++) {
        callers[i].until = &over;
        start(&callers[i], e, bcrypt_of(UINT64_C(16) << i % 3));
    }
    for (size_t i = 0; i < 50; i++) {
        const struct lanes_kernel *k = &lanes_kernels[i % lanes_kernel_count];
        struct engine_tuning t = { .kernel = k, .lanes = 1 + (unsigned)i % k->lanes_max };
        if (k->is_usable()) {
            engine_set(e, &t);
        }
        unsigned served = callers[0].served;
        while (callers[0].served == served) {
            sched_yield();
        }
    }
    over = true;
    join(callers, 6);
    for (unsigned i = 0; i < 6; i++) {
        CHECK(is_right(&callers[i].job));
    }
    engine_free(e);
}

/* Whether a busy machine gives a measurement is not ours to say; what is measured must make sense,
 * and jobs must be served meanwhile. */
TEST(tuning_keeps_to_what_is_pinned_and_lets_jobs_through)
{
    struct engine_options options = { .threads = 2, .queue_max = MANY, .lanes = 4 };
    struct engine *e = open_engine(options);
    struct caller working = { .rounds = 5 };
    start(&working, e, bcrypt_of(16));
    struct engine_tuning t = { 0 };
    enum err tuned = engine_tune(e, &lanes_kernels[0], 3, &t);
    CHECK(tuned == ERR_OK || tuned == ERR_BUSY);
    if (tuned == ERR_OK) {
        CHECK(t.kernel == &lanes_kernels[0]);
        CHECK_INT(t.lanes, 3);
        CHECK(t.steps_per_second[3] > 0);
        engine_set(e, &t);
    }
    join(&working, 1);
    CHECK(is_right(&working.job));
    engine_free(e);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(
            mixed_costs_side_by_side_give_right_digests_with_every_kernel_and_number_of_lanes),
        cmocka_unit_test(a_lane_that_is_done_is_filled_again_while_its_neighbour_goes_on),
        cmocka_unit_test(dear_jobs_do_not_hold_up_cheap_ones_and_end_under_a_stream_of_them),
        cmocka_unit_test(two_jobs_go_to_two_threads),
        cmocka_unit_test(calls_share_the_memory_budget_and_none_gets_more_than_all_of_it),
        cmocka_unit_test(a_call_that_fails_says_so_and_gives_its_memory_back),
        cmocka_unit_test(a_call_that_fails_says_nothing_about_how_long_one_takes),
        cmocka_unit_test(calls_and_lanes_do_not_starve_each_other),
        cmocka_unit_test(a_failed_check_takes_exactly_the_live_steps),
        cmocka_unit_test(a_failed_call_is_topped_up_by_the_time_it_took),
        cmocka_unit_test(where_the_live_form_is_a_call_bcrypt_is_topped_up_to_its_time),
        cmocka_unit_test(a_full_queue_refuses_at_once_and_the_rest_is_served),
        cmocka_unit_test(the_expected_wait_counts_the_steps_that_wait_and_is_nothing_when_idle),
        cmocka_unit_test(
            who_finds_a_lane_free_waits_for_nobody_and_else_for_the_first_that_will_be),
        cmocka_unit_test(calls_wait_for_a_thread_and_for_memory),
        cmocka_unit_test(no_cost_and_no_queue_is_too_much_for_the_estimate),
        cmocka_unit_test(more_threads_and_a_measured_rate_shorten_the_expected_wait),
        cmocka_unit_test(an_engine_that_ends_finishes_what_is_under_way_and_answers_those_who_wait),
        cmocka_unit_test(what_would_take_hours_does_not_hold_up_the_end),
        cmocka_unit_test(an_engine_that_was_stopped_refuses_whatever_comes),
        cmocka_unit_test(freeing_no_engine_is_fine),
        cmocka_unit_test(jobs_stay_right_while_kernel_and_lanes_change_under_them),
        cmocka_unit_test(tuning_keeps_to_what_is_pinned_and_lets_jobs_through));
}

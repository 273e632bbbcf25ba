/* The engine: its queue, its end, its estimate, and the time that a failed check takes. */
#include "check.h"
#include "password.h"

#include <pthread.h>
#include <sched.h>

enum { CALLERS = 8 };

static struct password_engine *engine_with(unsigned threads, unsigned cost, unsigned queue_max)
{
    const struct password_options options = { .threads = threads,
                                              .cost = cost,
                                              .queue_max = queue_max };
    struct password_engine *e = NULL;
    CHECK_ERR(password_engine_new(&options, &e), ERR_OK);
    return e;
}

struct caller {
    struct password_engine *engine;
    pthread_barrier_t *start; /* may be NULL */
    unsigned rounds;
    pthread_t thread;
    enum err result; /* the last that was not ERR_OK */
    unsigned wrong;  /* answers that were not right */
};

static void hash_and_verify(struct caller *c)
{
    struct arena a;
    struct span hash;
    bool match = false;
    bool rehash = false;
    arena_init(&a, 4096);
    enum err e = password_hash(c->engine, SPAN("right"), &a, &hash);
    if (e == ERR_OK) {
        e = password_verify(c->engine, SPAN("right"), hash, &match, &rehash);
        c->wrong += e == ERR_OK && !match;
    }
    if (e == ERR_OK) {
        e = password_verify(c->engine, SPAN("wrong"), hash, &match, &rehash);
        c->wrong += e == ERR_OK && match;
    }
    c->result = e != ERR_OK ? e : c->result;
    arena_done(&a);
}

static void *caller_main(void *arg)
{
    struct caller *c = arg;
    if (c->start != NULL) {
        pthread_barrier_wait(c->start);
    }
    for (unsigned i = 0; i < c->rounds; i++) {
        hash_and_verify(c);
    }
    return NULL;
}

static void start(struct caller *callers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(pthread_create(&callers[i].thread, NULL, caller_main, &callers[i]), 0);
    }
}

static void join(struct caller *callers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pthread_join(callers[i].thread, NULL);
    }
}

TEST(many_callers_each_get_their_own_answer)
{
    AUTO(password_engine) struct password_engine *e = engine_with(3, 4, CALLERS);
    struct caller callers[CALLERS] = { 0 };
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){ .engine = e, .rounds = 10 };
    }
    start(callers, CALLERS);
    join(callers, CALLERS);
    for (size_t i = 0; i < CALLERS; i++) {
        CHECK_ERR(callers[i].result, ERR_OK);
        CHECK_INT(callers[i].wrong, 0);
    }
    CHECK_INT(password_expected_wait_us(e, 0), 0);
}

TEST(a_full_queue_refuses_at_once_and_the_rest_is_served)
{
    AUTO(password_engine) struct password_engine *e = engine_with(1, 10, 1);
    struct caller callers[CALLERS] = { 0 };
    pthread_barrier_t together;
    pthread_barrier_init(&together, NULL, CALLERS);
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){ .engine = e, .start = &together, .rounds = 1 };
    }
    start(callers, CALLERS);
    join(callers, CALLERS);
    pthread_barrier_destroy(&together);
    size_t refused = 0;
    size_t served = 0;
    for (size_t i = 0; i < CALLERS; i++) {
        CHECK(callers[i].result == ERR_OK || callers[i].result == ERR_BUSY);
        CHECK_INT(callers[i].wrong, 0);
        refused += callers[i].result == ERR_BUSY;
        served += callers[i].result == ERR_OK;
    }
    CHECK(refused > 0);
    CHECK(served > 0);
}

static _Atomic unsigned ended;

static void *one_hash_main(void *arg)
{
    struct caller *c = arg;
    struct arena a;
    struct span hash;
    arena_init(&a, 4096);
    c->result = password_hash(c->engine, SPAN("right"), &a, &hash);
    arena_done(&a);
    ended++;
    return NULL;
}

static void start_one_hash(struct caller *c)
{
    CHECK_INT(pthread_create(&c->thread, NULL, one_hash_main, c), 0);
}

/* A hash that waits counts in full; once it is under way ever less is left of it. */
static bool is_under_way(struct password_engine *e, int64_t live_us)
{
    int64_t left_us = password_expected_wait_us(e, 0);
    return left_us > 0 && left_us < live_us;
}

TEST(an_engine_that_ends_finishes_its_job_and_answers_those_who_wait)
{
    struct password_engine *e = engine_with(1, 12, 2);
    int64_t live_us = password_expected_wait_us(e, password_live_steps(e));
    struct caller working = { .engine = e };
    struct caller waiting = { .engine = e };
    ended = 0;
    start_one_hash(&working);
    while (!is_under_way(e, live_us) && ended == 0) {
        sched_yield();
    }
    start_one_hash(&waiting);
    while (password_expected_wait_us(e, 0) < live_us && ended == 0) {
        sched_yield();
    }
    password_engine_free(e);
    join(&working, 1);
    join(&waiting, 1);
    CHECK_ERR(working.result, ERR_OK);
    CHECK_ERR(waiting.result, ERR_BUSY);
}

TEST(freeing_no_engine_is_fine)
{
    password_engine_free(NULL);
}

TEST(the_expected_wait_grows_with_the_queue_and_shrinks_with_threads)
{
    AUTO(password_engine) struct password_engine *one = engine_with(1, 10, 4);
    AUTO(password_engine) struct password_engine *four = engine_with(4, 10, 4);
    uint64_t live = password_live_steps(one);
    CHECK_INT(live, 1024);
    CHECK_INT(password_expected_wait_us(one, 0), 0);
    int64_t wait_us = password_expected_wait_us(one, live);
    CHECK(wait_us > 0);
    CHECK(password_expected_wait_us(one, 10 * live) >= 9 * wait_us);
    CHECK(password_expected_wait_us(four, 4 * live) <= wait_us + 1);
    CHECK(password_expected_wait_us(one, UINT64_MAX) > 0);
}

static int64_t check_us(struct password_engine *e, struct span password, struct span hash)
{
    int64_t best_us = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        bool match = false;
        bool rehash = false;
        int64_t start_us = clock_monotonic_us();
        CHECK_ERR(password_verify(e, password, hash, &match, &rehash), ERR_OK);
        int64_t took_us = clock_monotonic_us() - start_us;
        best_us = took_us < best_us ? took_us : best_us;
    }
    return best_us;
}

/* The factor between cost 4 and cost 9 is 32, so half leaves room for a noisy machine. */
TEST(a_failed_check_of_a_cheap_hash_takes_as_long_as_one_of_the_live_cost)
{
    AUTO(password_engine) struct password_engine *e = engine_with(1, 9, 4);
    struct span cheap = SPAN("$2b$04$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq");
    struct span live = SPAN("$2b$09$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq");
    int64_t live_us = check_us(e, SPAN("no"), live);
    CHECK(check_us(e, SPAN("no"), cheap) > live_us / 2);
    CHECK(check_us(e, SPAN("no"), password_decoy(e)) > live_us / 2);
    /* The control: without the topping up it would be much shorter. */
    AUTO(password_engine) struct password_engine *cheap_engine = engine_with(1, 4, 4);
    CHECK(check_us(cheap_engine, SPAN("no"), cheap) < live_us / 2);
}

TEST(a_failed_check_of_a_password_that_is_too_long_for_its_hash_takes_as_long_too)
{
    AUTO(password_engine) struct password_engine *e = engine_with(1, 9, 4);
    static char password[100];
    memset(password, 'p', sizeof(password));
    struct span live = SPAN("$2b$09$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq");
    int64_t short_us = check_us(e, SPAN("no"), live);
    CHECK(check_us(e, (struct span){ password, sizeof(password) }, live) > short_us / 2);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(many_callers_each_get_their_own_answer),
        cmocka_unit_test(a_full_queue_refuses_at_once_and_the_rest_is_served),
        cmocka_unit_test(an_engine_that_ends_finishes_its_job_and_answers_those_who_wait),
        cmocka_unit_test(freeing_no_engine_is_fine),
        cmocka_unit_test(the_expected_wait_grows_with_the_queue_and_shrinks_with_threads),
        cmocka_unit_test(a_failed_check_of_a_cheap_hash_takes_as_long_as_one_of_the_live_cost),
        cmocka_unit_test(
            a_failed_check_of_a_password_that_is_too_long_for_its_hash_takes_as_long_too));
}

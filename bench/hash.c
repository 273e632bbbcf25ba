/* hash.c - what ./dev bench hash runs: bcrypt hashes by the engine and by libxcrypt, in alternating
 * rounds, a JSON object a line. The judging is in bench/suites/hash.py.
 *
 * Usage: bench-hash costs FROM TO ROUNDS MS THREADS    the engine as tuned: alone, full, libxcrypt
 *        bench-hash lanes COST COST ROUNDS MS THREADS  each kernel with each number of lanes
 *
 * MS is the least time of one figure. Threads are not pinned: neither are the service's. Not
 * installed. */
#include "password.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TUNE_TRIES 5
#define LEAST_COST 4
#define MAX_VALUE  1000000

struct plan {
    uint64_t from, to, rounds, least_ms, threads;
    uint64_t round;
};

static const char *const load_names[] = {
    [PASSWORD_ALONE] = "alone", [PASSWORD_FULL] = "full", [PASSWORD_LIBRARY] = "libxcrypt"
};

static void check(enum err e, const char *what)
{
    if (e != ERR_OK) {
        (void)fprintf(stderr, "bench-hash: %s: %s\n", what, err_text(e));
        exit(1);
    }
}

static struct password_engine *open_engine(const struct plan *plan, const char *kernel,
                                           unsigned lanes)
{
    const struct password_options options = {
        .threads = (unsigned)plan->threads,
        .queue_max = (unsigned)plan->threads * 2 * PASSWORD_LANES_MAX,
        .cost = (unsigned)plan->from, /* of the turn after which a job gives way, too */
        .kernel = span_of(kernel),
        .lanes = lanes,
    };
    struct password_engine *e = NULL;
    check(password_engine_new(&options, &e), "no engine");
    return e;
}

static void measure(const struct plan *plan, struct password_engine *e, enum password_load load,
                    unsigned cost)
{
    struct password_pace pace;
    struct password_info info = password_engine_info(e);
    check(password_measure(e, load, cost, (int64_t)plan->least_ms * 1000, &pace), load_names[load]);
    (void)printf("{\"round\":%llu,\"load\":\"%s\",\"cost\":%u,\"kernel\":\"%s\",\"lanes\":%u,"
                 "\"threads\":%u,\"hashes\":%llu,\"cpu_us\":%lld,\"elapsed_us\":%lld}\n",
                 (unsigned long long)plan->round, load_names[load], cost, info.kernel, info.lanes,
                 info.threads, (unsigned long long)pace.hashes, (long long)pace.cpu_us,
                 (long long)pace.elapsed_us);
    (void)fflush(stdout);
}

/* Caches, clocks and pages; not printed. */
static void warm_up(const struct plan *plan, struct password_engine *e)
{
    struct password_pace pace;
    unsigned cost = (unsigned)plan->from;
    check(password_measure(e, PASSWORD_FULL, cost, (int64_t)plan->least_ms * 500, &pace),
          "warm-up");
    check(password_measure(e, PASSWORD_LIBRARY, cost, (int64_t)plan->least_ms * 500, &pace),
          "warm-up");
}

static void tune(struct password_engine *e)
{
    struct password_tuning tuning;
    enum err result = ERR_BUSY;
    for (int i = 0; i < TUNE_TRIES && result == ERR_BUSY; i++) {
        result = password_tune(e, &tuning);
    }
    if (result == ERR_BUSY) {
        (void)fprintf(stderr, "bench-hash: the machine is too busy to be tuned to\n");
        return;
    }
    check(result, "tuning");
    check(password_use(e, &tuning), "tuning");
}

static void measure_costs(struct plan *plan)
{
    struct password_engine *e = open_engine(plan, "auto", 0);
    tune(e);
    warm_up(plan, e);
    for (plan->round = 0; plan->round < plan->rounds; plan->round++) {
        for (unsigned cost = (unsigned)plan->from; cost <= plan->to; cost++) {
            measure(plan, e, PASSWORD_ALONE, cost);
            measure(plan, e, PASSWORD_LIBRARY, cost);
            measure(plan, e, PASSWORD_FULL, cost);
        }
    }
    password_engine_free(e);
}

static void measure_kernel(const struct plan *plan, const char *kernel)
{
    struct password_engine *e = NULL;
    for (unsigned lanes = 1; password_kernel_fits(span_of(kernel), lanes); lanes++) {
        password_engine_free(e);
        e = open_engine(plan, kernel, lanes);
        if (plan->round == 0) {
            warm_up(plan, e);
        }
        measure(plan, e, PASSWORD_FULL, (unsigned)plan->from);
    }
    if (e != NULL) {
        measure(plan, e, PASSWORD_LIBRARY, (unsigned)plan->from);
    }
    password_engine_free(e);
}

static void measure_lanes(struct plan *plan)
{
    const char *kernel = NULL;
    for (plan->round = 0; plan->round < plan->rounds; plan->round++) {
        for (size_t i = 0; (kernel = password_kernel_name(i)) != NULL; i++) {
            measure_kernel(plan, kernel);
        }
    }
}

static bool read_plan(char **words, struct plan *plan)
{
    return span_to_u64(span_of(words[0]), 20, &plan->from) && plan->from >= LEAST_COST &&
           span_to_u64(span_of(words[1]), 20, &plan->to) && plan->to >= plan->from &&
           span_to_u64(span_of(words[2]), MAX_VALUE, &plan->rounds) &&
           span_to_u64(span_of(words[3]), MAX_VALUE, &plan->least_ms) &&
           span_to_u64(span_of(words[4]), 256, &plan->threads) && plan->threads > 0;
}

int main(int argc, char **argv)
{
    struct plan plan = { 0 };
    bool lanes = argc == 7 && strcmp(argv[1], "lanes") == 0;
    bool costs = argc == 7 && strcmp(argv[1], "costs") == 0;
    if (!(lanes || costs) || !read_plan(argv + 2, &plan)) {
        (void)fprintf(stderr, "usage: bench-hash costs|lanes FROM TO ROUNDS MS THREADS\n");
        return 2;
    }
    (lanes ? measure_lanes : measure_costs)(&plan);
    return 0;
}

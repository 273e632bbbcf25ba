#include "measure.h"

#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_STEPS 1
#define LOOKS       32 /* at the clock in a round, so that looking costs nothing */

/* One side's rounds. */
struct series {
    double cpu[MEASURE_MAX_ROUNDS], elapsed[MEASURE_MAX_ROUNDS], allocations[MEASURE_MAX_ROUNDS];
    uint64_t steps; /* between two looks at the clock */
};

void measure_require(bool condition, const char *what)
{
    if (!condition) {
        complain("%s", what);
        exit(EXIT_REFUSED);
    }
}

void measure_check(enum err e, const char *what)
{
    if (e != ERR_OK) {
        complain("%s: %s", what, err_text(e));
        exit(EXIT_REFUSED);
    }
}

/* ---- clocks ---- */

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    measure_require(clock_gettime(id, &t) == 0, "no clock");
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t measure_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t measure_elapsed_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* ---- rounds ---- */

static void run_steps(const struct measure_side *side, uint64_t steps, int64_t least_ns,
                      struct measure_sample *ret_sample)
{
    struct measure_sample s = { .count = 0 };
    int64_t cpu = measure_cpu_ns();
    int64_t elapsed = measure_elapsed_ns();
    uint64_t allocations = measure_allocations();
    do {
        for (uint64_t i = 0; i < steps; i++) {
            side->step(side->context);
        }
        s.count += steps;
        s.cpu_ns = measure_cpu_ns() - cpu;
        s.elapsed_ns = measure_elapsed_ns() - elapsed;
    } while (s.elapsed_ns < least_ns);
    s.allocations = measure_allocations() - allocations;
    *ret_sample = s;
}

/* Caches, branches, clocks; and how many steps go between two looks at the clock. */
static void warm_up(const struct measure_side *side, int64_t least_ns, struct series *series)
{
    struct measure_sample s;
    if (side->step == NULL) {
        side->batch(side->context, least_ns / 2, &s);
        return;
    }
    series->steps = FIRST_STEPS;
    do {
        run_steps(side, series->steps, 0, &s);
        series->steps *= 2;
    } while (s.elapsed_ns < least_ns / LOOKS);
    run_steps(side, series->steps, least_ns / 2, &s);
}

static void run_round(const struct measure_side *side, int64_t least_ns, struct series *series,
                      uint64_t round)
{
    struct measure_sample s;
    if (side->step != NULL) {
        run_steps(side, series->steps, least_ns, &s);
    } else {
        side->batch(side->context, least_ns, &s);
    }
    measure_require(s.count > 0, "nothing was measured");
    series->cpu[round] = (double)s.cpu_ns / (double)s.count;
    series->elapsed[round] = (double)s.elapsed_ns / (double)s.count;
    series->allocations[round] = (double)s.allocations / (double)s.count;
}

/* ---- what the rounds say ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many of `count` sorted values lie outside the interval on each side: the true median is
 * outside as often as a fair coin gives fewer heads than that, or fewer tails. */
static size_t values_outside(size_t count)
{
    double chance = 1;
    for (size_t i = 0; i < count; i++) {
        chance /= 2;
    }
    double sum = chance;
    size_t outside = 0;
    while (2 * sum <= 0.05) {
        outside++;
        chance *= (double)(count - outside + 1) / (double)outside;
        sum += chance;
    }
    return outside > 0 ? outside - 1 : 0;
}

struct measure_spread measure_spread(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    size_t outside = values_outside(count);
    double middle = values[count / 2];
    if (count % 2 == 0) {
        middle = (middle + values[count / 2 - 1]) / 2;
    }
    return (struct measure_spread){ middle, values[outside], values[count - 1 - outside] };
}

static json_t *spread_json(const double *rounds, size_t count, struct measure_spread *ret_spread)
{
    double sorted[MEASURE_MAX_ROUNDS];
    memcpy(sorted, rounds, count * sizeof(*sorted));
    *ret_spread = measure_spread(sorted, count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, json_real(rounds[i]));
    }
    return json_pack("{sf sf sf so}", "median", ret_spread->median, "low", ret_spread->low, "high",
                     ret_spread->high, "rounds", list);
}

static json_t *ratio_json(const struct series *ours, const struct series *other, size_t count,
                          struct measure_spread *ret_spread)
{
    double ratios[MEASURE_MAX_ROUNDS];
    for (size_t i = 0; i < count; i++) {
        ratios[i] = other->cpu[i] / ours->cpu[i];
    }
    return spread_json(ratios, count, ret_spread);
}

/* ---- telling ---- */

static void print_time(double ns)
{
    static const struct {
        double from;
        const char *unit;
    } units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 0, "ns" } };
    size_t i = 0;
    while (ns < units[i].from) {
        i++;
    }
    double amount = units[i].from > 0 ? ns / units[i].from : ns;
    (void)printf("%9.*f %-2s", amount < 10 ? 2 : amount < 100 ? 1 : 0, amount, units[i].unit);
}

static void print_side(const char *name, struct measure_spread cpu, double allocations,
                       const struct measure_spread *ratio)
{
    (void)printf("  %-28s", name);
    print_time(cpu.median);
    (void)printf("  ± %4.1f %%  %8.1f", 50 * (cpu.high - cpu.low) / cpu.median, allocations);
    if (ratio != NULL) {
        (void)printf("  %8.2f (%.2f to %.2f)", ratio->median, ratio->low, ratio->high);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

static json_t *side_json(const struct measure *m, const char *name, const struct series *ours,
                         const struct series *series)
{
    size_t rounds = m->plan.rounds;
    struct measure_spread cpu;
    struct measure_spread elapsed;
    struct measure_spread allocations;
    struct measure_spread ratio;
    json_t *side =
        json_pack("{ss so so}", "name", name, "cpu_ns", spread_json(series->cpu, rounds, &cpu),
                  "elapsed_ns", spread_json(series->elapsed, rounds, &elapsed));
    json_decref(spread_json(series->allocations, rounds, &allocations));
    measure_require(side != NULL, "out of memory");
    (void)json_object_set_new(side, "allocations", json_real(allocations.median));
    if (series != ours) {
        json_t *times = ratio_json(ours, series, rounds, &ratio);
        (void)json_object_set_new(side, "ours_is", times);
    }
    if (!m->plan.json) {
        print_side(name, cpu, allocations.median, series != ours ? &ratio : NULL);
    }
    return side;
}

bool measure_wants(const struct measure *m, const char *name)
{
    return m->plan.only == NULL || strstr(name, m->plan.only) != NULL;
}

void measure_case(struct measure *m, const char *name, const struct measure_side *sides,
                  size_t count)
{
    if (!measure_wants(m, name)) {
        return;
    }
    struct series *series = calloc(count, sizeof(*series));
    measure_require(series != NULL && count > 0, "out of memory");
    for (size_t i = 0; i < count; i++) {
        warm_up(&sides[i], m->plan.least_ns, &series[i]);
    }
    for (uint64_t round = 0; round < m->plan.rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            size_t turn = round % 2 == 0 ? i : count - 1 - i;
            run_round(&sides[turn], m->plan.least_ns, &series[turn], round);
        }
    }
    if (!m->plan.json) {
        (void)printf("%s\n", name);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, side_json(m, sides[i].name, &series[0], &series[i]));
    }
    (void)json_array_append_new(json_object_get(m->report, "cases"),
                                json_pack("{ss so}", "case", name, "sides", list));
    free(series);
}

void measure_begin(struct measure *m, const char *command, const struct measure_plan *plan)
{
    *m = (struct measure){ .plan = *plan,
                           .report = json_pack("{ss sI s[]}", "command", command, "rounds",
                                               (json_int_t)plan->rounds, "cases") };
    measure_require(m->report != NULL, "out of memory");
    if (!plan->json) {
        (void)printf("%-30s%12s  %8s  %8s  %8s\n", "", "processor", "", "alloc.", "ours is");
    }
}

int measure_end(struct measure *m)
{
    bool any = json_array_size(json_object_get(m->report, "cases")) > 0;
    if (!any) {
        complain("no case has %s in its name", m->plan.only);
    } else if (m->plan.json) {
        measure_require(json_dumpf(m->report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10)) == 0,
                        "cannot write");
        (void)printf("\n");
    }
    json_decref(m->report);
    m->report = NULL;
    return any ? EXIT_GOOD : EXIT_REFUSED;
}

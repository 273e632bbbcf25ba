/* hash.c - bcrypt hashes by the engine, full and one at a time, and by libxcrypt. Threads are not
 * pinned: neither are the service's. */
#include "bench.h"
#include "measure.h"
#include "password.h"

#include <stdio.h>

#define TUNE_TRIES  5
#define MAX_THREADS 256

struct wanted {
    uint64_t cost, to, threads;
    bool kernels;
};

/* One load of the engine. */
struct load {
    struct password_engine *engine;
    enum password_load load;
    unsigned cost;
};

static void run_load(void *context, int64_t least_ns, struct measure_sample *ret_sample)
{
    const struct load *l = context;
    struct password_pace pace;
    uint64_t allocations = measure_allocations();
    measure_check(password_measure(l->engine, l->load, l->cost, least_ns / 1000, &pace), "hashing");
    *ret_sample = (struct measure_sample){ .count = pace.hashes,
                                           .cpu_ns = pace.cpu_us * 1000,
                                           .elapsed_ns = pace.elapsed_us * 1000,
                                           .allocations = measure_allocations() - allocations };
}

static void open_engine(const struct wanted *w, const char *kernel, unsigned lanes,
                        struct password_engine **ret_engine)
{
    const struct password_options options = {
        .threads = (unsigned)w->threads,
        .queue_max = (unsigned)w->threads * 2 * PASSWORD_LANES_MAX,
        .cost = (unsigned)w->cost,
        .kernel = span_of(kernel),
        .lanes = lanes,
    };
    measure_check(password_engine_new(&options, ret_engine), "no engine");
}

/* On a machine that is too busy to be tuned to, the engine's own choice stays. */
static void tune(struct password_engine *e)
{
    struct password_tuning tuning;
    enum err result = ERR_BUSY;
    for (int i = 0; i < TUNE_TRIES && result == ERR_BUSY; i++) {
        result = password_tune(e, &tuning);
    }
    if (result != ERR_BUSY) {
        measure_check(result, "tuning");
        measure_check(password_use(e, &tuning), "tuning");
    }
}

static void note_engine(struct measure *m, const struct password_engine *e)
{
    struct password_info info = password_engine_info(e);
    (void)json_object_set_new(m->report, "kernel", json_string(info.kernel));
    (void)json_object_set_new(m->report, "lanes", json_integer(info.lanes));
    (void)json_object_set_new(m->report, "threads", json_integer(info.threads));
    if (!m->plan.json) {
        (void)printf("kernel %s, lanes %u, threads %u\n", info.kernel, info.lanes, info.threads);
    }
}

static void measure_costs(struct measure *m, const struct wanted *w)
{
    AUTO(password_engine) struct password_engine *e = NULL;
    open_engine(w, "auto", 0, &e);
    tune(e);
    note_engine(m, e);
    for (uint64_t cost = w->cost; cost <= w->to; cost++) {
        char name[32];
        struct load full = { e, PASSWORD_FULL, (unsigned)cost };
        struct load alone = { e, PASSWORD_ALONE, (unsigned)cost };
        struct load library = { e, PASSWORD_LIBRARY, (unsigned)cost };
        const struct measure_side sides[] = {
            { .name = "Doorward", .context = &full, .batch = run_load },
            { .name = "Doorward, one at a time", .context = &alone, .batch = run_load },
            { .name = "libxcrypt", .context = &library, .batch = run_load },
        };
        (void)snprintf(name, sizeof(name), "cost %u", (unsigned)cost);
        measure_case(m, name, sides, sizeof(sides) / sizeof(sides[0]));
    }
}

static void measure_kernel(struct measure *m, const struct wanted *w, const char *kernel)
{
    for (unsigned lanes = 1; password_kernel_fits(span_of(kernel), lanes); lanes++) {
        char name[64];
        AUTO(password_engine) struct password_engine *e = NULL;
        open_engine(w, kernel, lanes, &e);
        struct load full = { e, PASSWORD_FULL, (unsigned)w->cost };
        struct load library = { e, PASSWORD_LIBRARY, (unsigned)w->cost };
        const struct measure_side sides[] = {
            { .name = "Doorward", .context = &full, .batch = run_load },
            { .name = "libxcrypt", .context = &library, .batch = run_load },
        };
        (void)snprintf(name, sizeof(name), "%s, %u lanes", kernel, lanes);
        measure_case(m, name, sides, sizeof(sides) / sizeof(sides[0]));
    }
}

static void measure_kernels(struct measure *m, const struct wanted *w)
{
    const char *kernel = NULL;
    for (size_t i = 0; (kernel = password_kernel_name(i)) != NULL; i++) {
        measure_kernel(m, w, kernel);
    }
}

int hash_main(int argc, char **argv)
{
    struct wanted w = { .cost = 8, .threads = 1 };
    const struct measure_option own[] = {
        { .name = "cost", .ret_number = &w.cost, .least = 4, .most = 20 },
        { .name = "to", .ret_number = &w.to, .least = 4, .most = 20 },
        { .name = "threads", .ret_number = &w.threads, .least = 1, .most = MAX_THREADS },
        { .name = "kernels", .ret_flag = &w.kernels },
        { 0 },
    };
    struct measure_plan plan = { .rounds = 5, .least_ns = 120000000 };
    struct measure m;
    int code = measure_options(argc, argv, own, &plan);
    if (code != EXIT_GOOD) {
        return code;
    }
    w.to = w.to < w.cost ? w.cost : w.to;
    measure_begin(&m, argv[0], &plan);
    (w.kernels ? measure_kernels : measure_costs)(&m, &w);
    return measure_end(&m);
}

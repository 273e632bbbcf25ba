/* calibrate.c - `doorward calibrate`: what this machine hashes, and the bcrypt cost that suits it.
 *
 * Times are of a core's own time (CPU time), so that another program disturbs them little; each
 * figure is the median of rounds that alternate between the engine and libxcrypt. */
#include "command.h"

#include "password.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TARGET_MS     250
#define TARGET_MS_MAX 60000
#define LEAST_COST    10 /* that may be recommended: what BCRYPT_COST allows in service */
#define MOST_COST     31
#define TABLE_FROM    8
#define TABLE_TO      16
#define LIMIT_US      INT64_C(3500000) /* after which no round begins that is not needed */
#define ROUND_US      INT64_C(100000)  /* of each load, at least */
#define MAX_ROUNDS    16
#define TUNE_TRIES    3
#define LOADS         3 /* of enum password_load */

static const unsigned measured_costs[] = { 8, 10, 12 };
#define MEASURED (sizeof(measured_costs) / sizeof(measured_costs[0]))

/* Hashes a second of one core. */
struct rates {
    double rounds[LOADS][MAX_ROUNDS];
    double median[LOADS];
    unsigned count;
};

struct calibration {
    /* from the command line */
    const char *env_file;
    unsigned target_ms;
    bool json;
    /* while it runs */
    struct password_engine *engine;
    struct password_info info;
    bool tuned; /* kernel and lanes were measured, or are pinned */
    struct rates rates[MEASURED];
};

/* ---- measuring ---- */

static enum err tune(struct calibration *c)
{
    struct password_tuning tuning;
    enum err e = ERR_BUSY;
    for (int i = 0; i < TUNE_TRIES && e == ERR_BUSY; i++) {
        e = password_tune(c->engine, &tuning);
    }
    c->tuned = e == ERR_OK;
    if (e == ERR_OK) {
        e = password_use(c->engine, &tuning);
    }
    c->info = password_engine_info(c->engine);
    return e == ERR_BUSY ? ERR_OK : e;
}

static enum err measure_round(struct calibration *c, size_t i)
{
    struct rates *r = &c->rates[i];
    for (unsigned load = 0; load < LOADS; load++) {
        struct password_pace pace;
        TRY(password_measure(c->engine, (enum password_load)load, measured_costs[i], ROUND_US,
                             &pace));
        r->rounds[load][r->count] = password_pace_rate(&pace);
    }
    r->count++;
    return ERR_OK;
}

static int by_value(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;
    return (*a > *b) - (*a < *b);
}

static void settle(struct rates *r)
{
    for (unsigned load = 0; load < LOADS; load++) {
        qsort(r->rounds[load], r->count, sizeof(r->rounds[load][0]), by_value);
        double upper = r->rounds[load][r->count / 2];
        r->median[load] = (upper + r->rounds[load][(r->count - 1) / 2]) / 2;
    }
}

static enum err measure(struct calibration *c)
{
    int64_t end_us = clock_monotonic_us() + LIMIT_US;
    TRY(tune(c));
    for (size_t n = 0; n < MEASURED * MAX_ROUNDS; n++) {
        if (n >= MEASURED && clock_monotonic_us() > end_us) {
            break;
        }
        TRY(measure_round(c, n % MEASURED));
    }
    for (size_t i = 0; i < MEASURED; i++) {
        settle(&c->rates[i]);
    }
    return ERR_OK;
}

/* ---- what follows from it ---- */

/* From the nearest cost that was measured: each takes twice as long as the one before. */
static double rate_at(const struct calibration *c, enum password_load load, unsigned cost)
{
    size_t i = MEASURED - 1;
    while (i > 0 && measured_costs[i] > cost) {
        i--;
    }
    return ldexp(c->rates[i].median[load], (int)measured_costs[i] - (int)cost);
}

static double alone_ms(const struct calibration *c, unsigned cost)
{
    return 1e3 / rate_at(c, PASSWORD_ALONE, cost);
}

static bool is_measured(unsigned cost)
{
    for (size_t i = 0; i < MEASURED; i++) {
        if (measured_costs[i] == cost) {
            return true;
        }
    }
    return false;
}

static unsigned recommended(const struct calibration *c)
{
    unsigned cost = LEAST_COST;
    while (cost < MOST_COST && alone_ms(c, cost + 1) <= c->target_ms) {
        cost++;
    }
    return cost;
}

/* ---- telling ---- */

struct row {
    double alone_ms, full_ms, engine, library, machine;
};

static struct row row_at(const struct calibration *c, unsigned cost)
{
    double engine = rate_at(c, PASSWORD_FULL, cost);
    return (struct row){ .alone_ms = alone_ms(c, cost),
                         .full_ms = 1e3 * c->info.lanes / engine,
                         .engine = engine,
                         .library = rate_at(c, PASSWORD_LIBRARY, cost),
                         .machine = engine * c->info.threads };
}

static void print_recommendation(const struct calibration *c)
{
    unsigned cost = recommended(c);
    double ms = alone_ms(c, cost);
    (void)printf("\nBCRYPT_COST=%u\n", cost);
    if (ms > c->target_ms) {
        (void)printf(
            "is the least that is safe, but takes %.0f ms alone, more than the %u ms asked "
            "for.\n",
            ms, c->target_ms);
    } else {
        (void)printf("is the highest whose hash takes at most %u ms alone: %.0f ms.\n",
                     c->target_ms, ms);
    }
}

static void print_table(const struct calibration *c)
{
    (void)printf("kernel %s, %u lanes, %u engine threads%s\n\n", c->info.kernel, c->info.lanes,
                 c->info.threads,
                 c->tuned ? "" : " (the machine was too busy to find out which is best)");
    (void)printf("cost    ms a hash    ms a hash    hashes/s    libxcrypt's          logins/s\n"
                 "            alone    when full      a core         a core    of all the cores\n");
    for (unsigned cost = TABLE_FROM; cost <= TABLE_TO; cost++) {
        struct row r = row_at(c, cost);
        (void)printf("%4u%c  %11.1f  %11.1f  %10.2f  %13.2f  %18.2f\n", cost,
                     is_measured(cost) ? ' ' : '~', r.alone_ms, r.full_ms, r.engine, r.library,
                     r.machine);
    }
    (void)printf("\n~ computed: each cost takes twice as long as the one before. A core does %.2f "
                 "times what\nlibxcrypt does, measured in alternating rounds with every core "
                 "busy.\n",
                 rate_at(c, PASSWORD_FULL, LEAST_COST) / rate_at(c, PASSWORD_LIBRARY, LEAST_COST));
    print_recommendation(c);
}

static void print_json(const struct calibration *c)
{
    (void)printf("{\"kernel\":\"%s\",\"lanes\":%u,\"threads\":%u,\"tuned\":%s,\"target_ms\":%u,"
                 "\"recommended_cost\":%u,\"costs\":[",
                 c->info.kernel, c->info.lanes, c->info.threads, c->tuned ? "true" : "false",
                 c->target_ms, recommended(c));
    for (unsigned cost = TABLE_FROM; cost <= TABLE_TO; cost++) {
        struct row r = row_at(c, cost);
        (void)printf("%s{\"cost\":%u,\"measured\":%s,\"alone_ms\":%.3f,\"full_ms\":%.3f,"
                     "\"hashes_per_second\":%.4f,\"libxcrypt_per_second\":%.4f,"
                     "\"logins_per_second\":%.4f}",
                     cost > TABLE_FROM ? "," : "", cost, is_measured(cost) ? "true" : "false",
                     r.alone_ms, r.full_ms, r.engine, r.library, r.machine);
    }
    (void)printf("]}\n");
}

/* ---- a run ---- */

static int run(struct calibration *c)
{
    AUTO(password_engine) struct password_engine *engine = NULL;
    struct span why = SPAN_NONE;
    struct arena a;
    int code = EXIT_DONE;
    AUTO(config) struct config *config = load_settings(c->env_file, &code);
    if (config == NULL) {
        return code;
    }
    arena_init(&a, 4096);
    enum err e = app_open_engine(config, measured_costs[0], &a, &why, &engine);
    if (e != ERR_OK) {
        complain("%.*s", SPAN_FMT(why));
        arena_done(&a);
        return e == ERR_CONFIG ? EXIT_USAGE : EXIT_WORLD;
    }
    arena_done(&a);
    c->engine = engine;
    e = measure(c);
    if (e != ERR_OK) {
        complain("calibrate: %s", err_text(e));
        return EXIT_WORLD;
    }
    (c->json ? print_json : print_table)(c);
    return EXIT_DONE;
}

static bool take_target(struct calibration *c, const char *text)
{
    uint64_t value = 0;
    if (!span_to_u64(span_of(text), TARGET_MS_MAX, &value) || value == 0) {
        complain("calibrate: --target-ms %s: give a number of milliseconds, 1 to %d", text,
                 TARGET_MS_MAX);
        return false;
    }
    c->target_ms = (unsigned)value;
    return true;
}

int calibrate_main(const struct command *self, int argc, char **argv)
{
    static const struct option known[] = {
        OPTION_HELP,
        OPTION_ENV_FILE,
        { "target-ms", required_argument, NULL, 't' },
        { "json", no_argument, NULL, 'j' },
        { 0 },
    };
    struct calibration c = { .target_ms = TARGET_MS };
    int option;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (option == 'h') {
            command_print_help(self, "");
            return EXIT_DONE;
        }
        if (option == '?' || option == ':') {
            return complain_about_option(self->name, argv);
        }
        if (option == 't' && !take_target(&c, optarg)) {
            return EXIT_USAGE;
        }
        c.env_file = option == 'e' ? optarg : c.env_file;
        c.json = c.json || option == 'j';
    }
    if (optind < argc) {
        complain("%s: takes no \"%s\"; see doorward %s --help", self->name, argv[optind],
                 self->name);
        return EXIT_USAGE;
    }
    return run(&c);
}

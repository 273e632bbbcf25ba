/* conns.c - `doorward-bench conns`: what an idle connection costs the service, and a handshake.
 *
 *   look -- open all, full handshakes -- ask once each -- rest, look -- close -- rest, look
 *        -- open all again, resumed -- close */
#include "bench.h"

#include "crowd.h"
#include "machine.h"
#include "plan.h"
#include "words.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_COUNT 1000
#define DEFAULT_REST  NS_PER_S
#define KIB           1024.0

const char conns_help[] =
    "  --count N         connections; 1000\n"
    "  --pid PID         the service's process, whose memory and processor time are looked at\n"
    "  --path PATH       asked for once on each connection, which is idle then; /healthz\n"
    "  --rest TIME       before each look at the memory; 1s\n"
    "  --threads N       one a CPU\n"
    "  --cacert FILE     trust this certificate, or its authority\n"
    "  --insecure        trust any\n"
    "  --yes-i-own-it    the target may be another machine\n"
    "  --json FILE       every figure; - is stdout\n";

static const struct option options[] = {
    { "count", required_argument, NULL, 'n' },   { "pid", required_argument, NULL, 'p' },
    { "path", required_argument, NULL, 'u' },    { "rest", required_argument, NULL, 'r' },
    { "threads", required_argument, NULL, 't' }, { "cacert", required_argument, NULL, 'c' },
    { "insecure", no_argument, NULL, 'k' },      { "yes-i-own-it", no_argument, NULL, 'y' },
    { "json", required_argument, NULL, 'j' },    { 0 },
};

struct handshakes {
    struct crowd_step step;
    int64_t server_ns; /* of processor time, with --pid */
};
struct conns {
    struct target_options target_options;
    struct crowd_options crowd_options;
    int64_t rest_ns;
    int pid; /* 0: none given */
    const char *json_path;
    struct target *target;
    struct crowd *crowd;
    /* what was seen, in this order */
    struct machine_process before, open, closed;
    struct handshakes full, resumed;
    unsigned looks;
};

/* ---- the command line ---- */

static enum err read_number(const char *option, uint64_t most, uint64_t *ret_number)
{
    if (!span_to_u64(span_of(optarg), most, ret_number) || *ret_number == 0) {
        complain("conns: --%s %s: a whole number from 1 to %llu", option, optarg,
                 (unsigned long long)most);
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static enum err read_option(int code, struct conns *c)
{
    uint64_t number = 0;
    switch (code) {
    case 'n':
        TRY(read_number("count", PLAN_MAX_CONNECTIONS, &number));
        c->crowd_options.count = (unsigned)number;
        return ERR_OK;
    case 't':
        TRY(read_number("threads", PLAN_MAX_THREADS, &number));
        c->crowd_options.threads = (unsigned)number;
        return ERR_OK;
    case 'p':
        TRY(read_number("pid", INT32_MAX, &number));
        c->pid = (int)number;
        return ERR_OK;
    case 'r':
        if (!words_duration(span_of(optarg), &c->rest_ns)) {
            complain("conns: --rest %s: a duration such as 500ms, 2s", optarg);
            return ERR_CONFIG;
        }
        return ERR_OK;
    case 'u':
        if (!plan_path_is_good(optarg)) {
            complain("conns: --path %s: it begins with / and has no spaces", optarg);
            return ERR_CONFIG;
        }
        c->crowd_options.path = optarg;
        return ERR_OK;
    case 'c':
        c->target_options.cacert = optarg;
        return ERR_OK;
    case 'j':
        c->json_path = optarg;
        return ERR_OK;
    case 'k':
        c->target_options.insecure = true;
        return ERR_OK;
    default:
        c->target_options.is_owned = true;
        return ERR_OK;
    }
}

static enum err read_options(int argc, char **argv, struct conns *c)
{
    int code = 0;
    while ((code = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (code == '?' || code == ':') {
            (void)complain_about_option(argv);
            return ERR_CONFIG;
        }
        TRY(read_option(code, c));
    }
    if (argc - optind != 1) {
        complain("conns: one URL, and options");
        return ERR_CONFIG;
    }
    c->target_options.url = argv[optind];
    return ERR_OK;
}

/* ---- measuring ---- */

static enum err look(const struct conns *c, struct machine_process *ret_process)
{
    return c->pid == 0 ? ERR_OK : machine_look_at(c->pid, ret_process);
}

static enum err rest_and_look(struct conns *c, struct machine_process *ret_process)
{
    const struct timespec rest = { .tv_sec = (time_t)(c->rest_ns / NS_PER_S),
                                   .tv_nsec = (long)(c->rest_ns % NS_PER_S) };
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
    TRY(look(c, ret_process));
    c->looks++;
    return ERR_OK;
}

static enum err open_all(struct conns *c, bool resume, struct handshakes *ret_handshakes)
{
    struct machine_process before = { 0 };
    struct machine_process after = { 0 };
    struct handshakes h = { 0 };
    TRY(look(c, &before));
    TRY(crowd_open(c->crowd, resume, &h.step));
    TRY(look(c, &after));
    h.server_ns = after.cpu_ns - before.cpu_ns;
    *ret_handshakes = h;
    return ERR_OK;
}

static enum err measure(struct conns *c)
{
    struct crowd_step step;
    TRY(rest_and_look(c, &c->before));
    TRY(open_all(c, false, &c->full));
    TRY(crowd_ask(c->crowd, &step));
    TRY(rest_and_look(c, &c->open));
    TRY(crowd_close(c->crowd, &step));
    TRY(rest_and_look(c, &c->closed));
    TRY(open_all(c, true, &c->resumed));
    return crowd_close(c->crowd, &step);
}

/* ---- what was seen ---- */

static double rate(const struct handshakes *h)
{
    double seconds = (double)h->step.elapsed_ns / (double)NS_PER_S;
    return seconds > 0 ? (double)h->step.done / seconds : 0;
}

static double server_us(const struct handshakes *h)
{
    return h->step.done > 0 ? (double)h->server_ns / 1000 / (double)h->step.done : 0;
}

static double bytes_each(const struct conns *c)
{
    return (double)(c->open.pss_bytes - c->before.pss_bytes) / c->crowd_options.count;
}

static void print_handshakes(const struct conns *c, FILE *file, const char *name,
                             const struct handshakes *h)
{
    if (h->step.done == 0) {
        return;
    }
    (void)fprintf(file, "%-18s %10.0f a second", name, rate(h));
    if (c->pid != 0) {
        (void)fprintf(file, "   %8.1f us of the service's processor time each", server_us(h));
    }
    (void)fputc('\n', file);
}

static void print_memory(const struct conns *c, FILE *file)
{
    static const char *const names[] = { "memory, before", "memory, open", "memory, closed" };
    const struct machine_process *const seen[] = { &c->before, &c->open, &c->closed };
    for (unsigned i = 0; i < 3 && i < c->looks && c->pid != 0; i++) {
        (void)fprintf(file, "%-18s %10.0f kB", names[i], (double)seen[i]->pss_bytes / KIB);
        if (i == 1) {
            (void)fprintf(file, "   %8.2f kB a connection", bytes_each(c) / KIB);
        }
        (void)fputc('\n', file);
    }
}

static void print_all(const struct conns *c, FILE *file)
{
    (void)fprintf(file, "%s: %u connections, %u threads\n\n", c->target_options.url,
                  c->crowd_options.count, c->crowd_options.threads);
    print_memory(c, file);
    print_handshakes(c, file, "full handshakes", &c->full);
    print_handshakes(c, file, "resumed handshakes", &c->resumed);
    if (c->resumed.step.done > 0) {
        (void)fprintf(file, "resumed to full    %10.2f times the rate",
                      rate(&c->resumed) / rate(&c->full));
        if (c->pid != 0) {
            (void)fprintf(file, ", %.2f times by processor time",
                          server_us(&c->full) / server_us(&c->resumed));
        }
        (void)fprintf(file, "; %zu of %zu were resumed\n", c->resumed.step.resumed,
                      c->resumed.step.done);
    }
}

static json_t *handshakes_object(const struct handshakes *h)
{
    return json_pack("{s:I, s:I, s:f, s:f}", "count", (json_int_t)h->step.done, "resumed",
                     (json_int_t)h->step.resumed, "per_second", rate(h), "server_us", server_us(h));
}

static enum err write_json(const struct conns *c)
{
    json_t *figures =
        json_pack("{s:s, s:i, s:i, s:I, s:I, s:I, s:f, s:o, s:o}", "url", c->target_options.url,
                  "count", (int)c->crowd_options.count, "looks", (int)c->looks, "before_bytes",
                  (json_int_t)c->before.pss_bytes, "open_bytes", (json_int_t)c->open.pss_bytes,
                  "closed_bytes", (json_int_t)c->closed.pss_bytes, "bytes_a_connection",
                  c->looks > 1 ? bytes_each(c) : 0, "full", handshakes_object(&c->full), "resumed",
                  handshakes_object(&c->resumed));
    if (figures == NULL) {
        return ERR_NOMEM;
    }
    enum err e = machine_write_json(c->json_path, figures);
    json_decref(figures);
    return e;
}

/* ---- all of it ---- */

static enum err prepare_all(struct conns *c)
{
    struct machine_process ignored;
    TRY(look(c, &ignored));
    TRY(machine_check_file(c->json_path));
    TRY(machine_raise_descriptors(c->crowd_options.count));
    TRY(target_open(&c->target_options, &c->target));
    c->crowd_options.target = c->target;
    return crowd_new(&c->crowd_options, &c->crowd);
}

static int finish(const struct conns *c, enum err e)
{
    if (e == ERR_IO || e == ERR_TIMEOUT) {
        complain("conns: %s: %s", c->target_options.url, crowd_why(c->crowd));
    } else if (e == ERR_NOMEM) {
        complain("conns: out of memory");
    }
    if (e != ERR_OK && e != ERR_CANCELLED) {
        return EXIT_REFUSED;
    }
    bool json_is_stdout = c->json_path != NULL && strcmp(c->json_path, "-") == 0;
    print_all(c, json_is_stdout ? stderr : stdout);
    if (c->json_path != NULL && write_json(c) != ERR_OK) {
        return EXIT_REFUSED;
    }
    return e == ERR_CANCELLED ? EXIT_INTERRUPTED : EXIT_GOOD;
}

int conns_main(int argc, char **argv)
{
    struct conns c = { .crowd_options = { .count = DEFAULT_COUNT,
                                          .threads = plan_default_threads(),
                                          .path = "/healthz" },
                       .rest_ns = DEFAULT_REST };
    if (read_options(argc, argv, &c) != ERR_OK) {
        return EXIT_REFUSED;
    }
    enum err e = prepare_all(&c);
    if (e == ERR_OK) {
        machine_hold_signals();
        e = measure(&c);
    }
    int code = finish(&c, e);
    crowd_free(c.crowd);
    target_close(c.target);
    return code;
}

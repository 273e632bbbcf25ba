/* load.c - `doorward-bench load`: prepare, connect, run, report. */
#include "bench.h"

#include "plan.h"
#include "prepare.h"
#include "report.h"
#include "words.h"
#include "worker.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS           (NS_PER_S / 20)
#define SPARE_DESCRIPTORS 64

struct load {
    struct plan plan;
    struct target *target;
    struct population *population;
    struct run run;
    struct worker *workers[PLAN_MAX_THREADS];
    size_t worker_count;
    struct tally *tally;
    struct report report;
};

/* ---- signals ---- */

static void block_signals(sigset_t *ret_set)
{
    (void)sigemptyset(ret_set);
    (void)sigaddset(ret_set, SIGINT);
    (void)sigaddset(ret_set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, ret_set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Waits a moment; true when a signal wants the end. */
static bool wait_for_signal(const sigset_t *set)
{
    const struct timespec moment = { .tv_nsec = LOOK_NS };
    return sigtimedwait(set, NULL, &moment) > 0;
}

/* ---- the run ---- */

static struct worker_progress sum_progress(const struct load *l)
{
    struct worker_progress sum = { 0 };
    for (size_t i = 0; i < l->worker_count; i++) {
        struct worker_progress p = worker_progress(l->workers[i]);
        sum.sent += p.sent;
        sum.ok += p.ok;
        sum.shed += p.shed;
        sum.errors += p.errors;
    }
    return sum;
}

/* What happened since the last line, a second ago. */
static void show_progress(const struct load *l, int64_t now_ns, int64_t last_ns,
                          struct worker_progress *last)
{
    struct worker_progress now = sum_progress(l);
    double seconds = (double)(now_ns - last_ns) / (double)NS_PER_S;
    uint64_t done = now.ok + now.shed + now.errors;
    const struct schedule *s = &l->plan.schedule;
    uint64_t behind = 0;
    if (!s->is_closed) {
        uint64_t due = schedule_count(s, now_ns < s->end_ns ? now_ns : s->end_ns);
        behind = due > done ? due - done : 0;
    }
    (void)fprintf(stderr,
                  "\r\033[K%4.0f of %.0f s%s   %.0f/s good   %.0f/s shed   %.0f/s errors   %llu "
                  "waiting",
                  (double)now_ns / (double)NS_PER_S, (double)s->end_ns / (double)NS_PER_S,
                  now_ns < schedule_measured_from(s) ? " (not measured yet)" : "",
                  (double)(now.ok - last->ok) / seconds, (double)(now.shed - last->shed) / seconds,
                  (double)(now.errors - last->errors) / seconds,
                  (unsigned long long)(s->is_closed ? now.sent - done : behind));
    *last = now;
}

static bool all_have_ended(const struct load *l)
{
    for (size_t i = 0; i < l->worker_count; i++) {
        if (!worker_has_ended(l->workers[i])) {
            return false;
        }
    }
    return true;
}

/* Until the workers have ended, with a line a second on a terminal. */
static void watch(struct load *l, const sigset_t *signals)
{
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    struct worker_progress last = { 0 };
    int64_t shown_ns = 0;
    while (!all_have_ended(l)) {
        if (wait_for_signal(signals)) {
            atomic_store(&l->run.interrupted, true);
        }
        int64_t now_ns = (int64_t)uv_hrtime() - atomic_load(&l->run.begin_at_ns);
        if (is_terminal && now_ns - shown_ns >= NS_PER_S) {
            show_progress(l, now_ns, shown_ns, &last);
            shown_ns = now_ns;
        }
    }
    if (is_terminal) {
        (void)fputs("\r\033[K", stderr);
    }
}

/* Until every connection has been open once. False: not in time, or a signal came. */
static bool await_connections(struct load *l, const sigset_t *signals)
{
    int64_t until_ns = (int64_t)uv_hrtime() + l->plan.timeout_ns + NS_PER_S;
    while (atomic_load(&l->run.opened) < l->plan.connections) {
        if ((int64_t)uv_hrtime() > until_ns) {
            return false;
        }
        if (wait_for_signal(signals)) {
            atomic_store(&l->run.interrupted, true);
            return false;
        }
    }
    return true;
}

static enum err start_workers(struct load *l)
{
    for (unsigned i = 0; i < l->plan.threads; i++) {
        enum err e = worker_start(&l->run, i, &l->workers[i]);
        if (e != ERR_OK) {
            complain("load: thread %u of %u cannot start: %s", i + 1, l->plan.threads, err_text(e));
            return e;
        }
        l->worker_count++;
    }
    return ERR_OK;
}

static void join_workers(struct load *l)
{
    for (size_t i = 0; i < l->worker_count; i++) {
        worker_join(l->workers[i]);
        if (worker_trouble(l->workers[i])[0] != '\0') {
            l->report.trouble = worker_trouble(l->workers[i]);
        }
    }
}

static enum err run(struct load *l)
{
    sigset_t signals;
    block_signals(&signals);
    enum err e = start_workers(l);
    if (e == ERR_OK && await_connections(l, &signals)) {
        struct clock clock = { 0 };
        l->report.started_ms = clock_now_ms(&clock);
        atomic_store(&l->run.begin_at_ns, (int64_t)uv_hrtime() + RUN_NOTICE_NS);
        watch(l, &signals);
        join_workers(l);
        return ERR_OK;
    }
    bool was_signal = atomic_exchange(&l->run.interrupted, true);
    join_workers(l);
    if (e == ERR_OK) {
        complain("load: %s: %u of %u connections could be opened%s%s", l->plan.target.url,
                 atomic_load(&l->run.opened), l->plan.connections,
                 was_signal ? ", then it was interrupted" : ": ",
                 was_signal                  ? ""
                 : l->report.trouble != NULL ? l->report.trouble
                                             : "too slowly");
    }
    return was_signal ? ERR_CANCELLED : ERR_CONFIG;
}

/* ---- the report ---- */

static enum err merge(struct load *l)
{
    struct worker_use uses[PLAN_MAX_THREADS];
    TRY(tally_new(&l->plan.schedule, &l->tally));
    for (size_t i = 0; i < l->worker_count; i++) {
        TRY(tally_merge(l->tally, worker_tally(l->workers[i])));
        uses[i] = worker_use(l->workers[i]);
    }
    if (l->tally->failed) {
        return ERR_NOMEM;
    }
    struct report *r = &l->report;
    int64_t ran_ns = l->worker_count > 0 ? uses[0].elapsed_ns : 0;
    int64_t measured_ns = (ran_ns < l->plan.schedule.end_ns ? ran_ns : l->plan.schedule.end_ns) -
                          schedule_measured_from(&l->plan.schedule);
    r->plan = &l->plan;
    r->tally = l->tally;
    r->seconds = measured_ns > 0 ? (double)measured_ns / (double)NS_PER_S : 0;
    r->is_interrupted = atomic_load(&l->run.interrupted);
    return report_judge(r, uses, l->worker_count);
}

static enum err close_file(FILE *file, const char *path)
{
    bool failed = ferror(file) != 0;
    if ((file != stdout && fclose(file) != 0) || failed) {
        complain("%s cannot be written: %s", path, strerror(errno));
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static enum err write_hdr(const struct load *l)
{
    struct tally_group all = { 0 };
    TRY(tally_sum(l->tally, ROUTE_COUNT, &all));
    FILE *file = fopen(l->plan.hdr_path, "we");
    if (file == NULL) {
        complain("%s cannot be written: %s", l->plan.hdr_path, strerror(errno));
    } else {
        recorder_write(all.times, file);
    }
    recorder_free(all.times);
    return file == NULL ? ERR_CONFIG : close_file(file, l->plan.hdr_path);
}

static enum err write_json(const char *path, const json_t *figures)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (file == NULL) {
        complain("%s cannot be written: %s", path, strerror(errno));
        return ERR_CONFIG;
    }
    (void)json_dumpf(figures, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    (void)fputc('\n', file);
    return close_file(file, path);
}

static enum err write_files(const struct load *l)
{
    const struct plan *p = &l->plan;
    json_t *figures = NULL;
    TRY(report_json(&l->report, &figures));
    enum err e = p->json_path == NULL ? ERR_OK : write_json(p->json_path, figures);
    if (e == ERR_OK && p->html_path != NULL) {
        e = report_page(figures, p->html_path);
    }
    json_decref(figures);
    if (e == ERR_OK && p->hdr_path != NULL) {
        e = write_hdr(l);
    }
    return e;
}

/* Figures of nothing but failures are no measurement. */
static bool nothing_went_well(const struct load *l)
{
    struct worker_progress sum = sum_progress(l);
    if (sum.ok + sum.shed > 0 || sum.errors == 0) {
        return false;
    }
    complain("load: %s: none of %llu requests was answered as it should be%s%s", l->plan.target.url,
             (unsigned long long)sum.errors, l->report.trouble != NULL ? ": " : "",
             l->report.trouble != NULL ? l->report.trouble : "");
    return true;
}

static int report(struct load *l)
{
    enum err e = merge(l);
    bool json_is_stdout = l->plan.json_path != NULL && strcmp(l->plan.json_path, "-") == 0;
    if (e == ERR_OK) {
        e = report_print(&l->report, json_is_stdout ? stderr : stdout);
    }
    if (e == ERR_OK) {
        e = write_files(l);
    }
    if (e == ERR_NOMEM) {
        complain("load: out of memory");
    }
    if (e != ERR_OK || nothing_went_well(l)) {
        return EXIT_REFUSED;
    }
    if (l->report.is_interrupted) {
        return EXIT_INTERRUPTED;
    }
    return l->report.slo_holds ? EXIT_GOOD : EXIT_MISSED;
}

/* ---- all of it ---- */

static enum err raise_descriptors(unsigned connections)
{
    struct rlimit limit = { 0 };
    rlim_t wanted = (rlim_t)connections + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        rlim_t most = limit.rlim_max;
        limit.rlim_cur = wanted < most ? wanted : most;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
            complain("load: %u connections need %llu file descriptors, allowed are %llu: ulimit -n",
                     connections, (unsigned long long)wanted, (unsigned long long)most);
            return ERR_CONFIG;
        }
    }
    return ERR_OK;
}

static enum err open_all(struct load *l)
{
    if (l->plan.html_path != NULL) {
        TRY(report_page_check());
    }
    TRY(raise_descriptors(l->plan.connections));
    TRY(target_open(&l->plan.target, &l->target));
    TRY(population_new(&l->plan, &l->population));
    l->run.plan = &l->plan;
    l->run.target = l->target;
    l->run.population = l->population;
    return prepare(&l->plan, l->target, l->population);
}

static void free_all(struct load *l)
{
    for (size_t i = 0; i < l->worker_count; i++) {
        worker_free(l->workers[i]);
    }
    tally_free(l->tally);
    population_free(l->population);
    target_close(l->target);
    free(l);
}

static int run_and_report(struct load *l)
{
    enum err e = open_all(l);
    if (e == ERR_OK) {
        e = run(l);
    }
    if (e == ERR_NOMEM) {
        complain("load: out of memory");
    }
    if (e != ERR_OK) {
        return e == ERR_CANCELLED ? EXIT_INTERRUPTED : EXIT_REFUSED;
    }
    return report(l);
}

int load_main(int argc, char **argv)
{
    struct load *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        complain("load: out of memory");
        return EXIT_REFUSED;
    }
    int code = EXIT_REFUSED;
    if (plan_parse(argc, argv, &l->plan) == ERR_OK) {
        code = run_and_report(l);
    }
    free_all(l);
    return code;
}

/* load.c - `doorward-bench load`: prepare, connect, run, report. */
#include "bench.h"

#include "machine.h"
#include "plan.h"
#include "prepare.h"
#include "report.h"
#include "words.h"
#include "worker.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
static void watch(struct load *l)
{
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    struct worker_progress last = { 0 };
    int64_t shown_ns = 0;
    while (!all_have_ended(l)) {
        if (machine_wait_for_signal()) {
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
static bool await_connections(struct load *l)
{
    int64_t until_ns = (int64_t)uv_hrtime() + l->plan.timeout_ns + NS_PER_S;
    while (atomic_load(&l->run.opened) < l->plan.connections) {
        if ((int64_t)uv_hrtime() > until_ns) {
            return false;
        }
        if (machine_wait_for_signal()) {
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
    machine_hold_signals();
    enum err e = start_workers(l);
    if (e == ERR_OK && await_connections(l)) {
        struct clock clock = { 0 };
        l->report.started_ms = clock_now_ms(&clock);
        atomic_store(&l->run.begin_at_ns, (int64_t)uv_hrtime() + RUN_NOTICE_NS);
        watch(l);
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
    struct worker_use uses[PLAN_MAX_THREADS] = { { 0 } };
    TRY(tally_new(&l->plan.schedule, &l->tally));
    for (size_t i = 0; i < l->worker_count; i++) {
        TRY(tally_merge(l->tally, worker_tally(l->workers[i])));
        uses[i] = worker_use(l->workers[i]);
    }
    if (l->tally->failed) {
        return ERR_NOMEM;
    }
    struct report *r = &l->report;
    int64_t measured_ns = uses[0].end_ns - schedule_measured_from(&l->plan.schedule);
    r->plan = &l->plan;
    r->tally = l->tally;
    r->seconds = measured_ns > 0 ? (double)measured_ns / (double)NS_PER_S : 0;
    r->is_interrupted = atomic_load(&l->run.interrupted);
    return report_judge(r, uses, l->worker_count);
}

static enum err write_hdr(const struct load *l)
{
    struct tally_group all = { 0 };
    FILE *file = NULL;
    TRY(machine_open_file(l->plan.hdr_path, &file));
    enum err e = tally_sum(l->tally, ROUTE_COUNT, &all);
    if (e == ERR_OK) {
        recorder_write(all.times, file);
    }
    recorder_free(all.times);
    enum err closed = machine_close_file(file, l->plan.hdr_path);
    return e == ERR_OK ? closed : e;
}

static enum err write_files(const struct load *l)
{
    const struct plan *p = &l->plan;
    json_t *figures = NULL;
    TRY(report_json(&l->report, &figures));
    enum err e = p->json_path == NULL ? ERR_OK : machine_write_json(p->json_path, figures);
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

static enum err open_all(struct load *l)
{
    TRY(machine_check_file(l->plan.json_path));
    TRY(machine_check_file(l->plan.hdr_path));
    TRY(machine_check_file(l->plan.html_path));
    if (l->plan.html_path != NULL) {
        TRY(report_page_check());
    }
    TRY(machine_raise_descriptors(l->plan.connections));
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

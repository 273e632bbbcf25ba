#include "report.h"

#include "words.h"
#include <math.h>
#include <string.h>

#define NS_PER_MS 1e6

/* From here on the generator is held to have been in the way. */
#define BUSY_SHARE    0.9
#define STARVED_SHARE 0.2
#define LAG_MS        1.0
#define LAG_SHARE     0.1 /* of the 99th percentile that was measured */

static enum err judge_generator(struct report *r, const struct worker_use *uses, size_t count)
{
    struct generator *g = &r->generator;
    struct tally_group all = { 0 };
    TRY(tally_sum(r->tally, ROUTE_COUNT, &all));
    double p99_ms = (double)recorder_at(all.times, 99) / NS_PER_MS;
    recorder_free(all.times);
    for (size_t i = 0; i < count; i++) {
        double elapsed = (double)uses[i].elapsed_ns;
        if (elapsed > 0) {
            g->processor = fmax(g->processor, (double)uses[i].cpu_ns / elapsed);
            g->starved = fmax(g->starved, (double)uses[i].starved_ns / elapsed);
        }
    }
    g->lag_p99_ms = (double)recorder_at(r->tally->lag, 99) / NS_PER_MS;
    if (g->processor > BUSY_SHARE) {
        g->limit = "its threads were busy all the time; give it more --threads, or another machine";
    } else if (g->lag_p99_ms > LAG_MS && g->lag_p99_ms > LAG_SHARE * p99_ms) {
        g->limit = "it sent late, which is part of the times above; it needs processors of its own";
    } else if (r->plan->schedule.is_closed && g->starved > STARVED_SHARE) {
        g->limit = "it had to wait for a processor, as others on this machine; it needs its own";
    }
    return ERR_OK;
}

enum err report_judge(struct report *r, const struct worker_use *uses, size_t count)
{
    r->slo_holds = true;
    for (size_t i = 0; i < r->plan->slo.count; i++) {
        TRY(slo_judge(&r->plan->slo.clauses[i], r->tally, r->seconds, &r->verdicts[i]));
        r->slo_holds = r->slo_holds && r->verdicts[i].holds;
    }
    return judge_generator(r, uses, count);
}

/* ---- the table ---- */

static const double shown_percents[] = { 50, 90, 99, 99.9, 100 };
#define SHOWN (sizeof(shown_percents) / sizeof(shown_percents[0]))

static void print_head(FILE *file, const char *first, const char *second)
{
    (void)fprintf(file, "%-9s %-8s %10s %10s %9s %9s %9s %9s %9s ms\n", first, second, "count",
                  "a second", "p50", "p90", "p99", "p99.9", "max");
}

static void print_line(FILE *file, const char *first, const char *second, uint64_t count,
                       double seconds, const struct recorder *times)
{
    (void)fprintf(file, "%-9s %-8s %10llu %10.1f", first, second, (unsigned long long)count,
                  seconds > 0 ? (double)count / seconds : 0);
    bool is_timed = times != NULL && recorder_count(times) > 0;
    for (size_t i = 0; i < SHOWN && is_timed; i++) {
        (void)fprintf(file, " %9.3f", (double)recorder_at(times, shown_percents[i]) / NS_PER_MS);
    }
    (void)fputc('\n', file);
}

static void print_routes(const struct report *r, FILE *file)
{
    print_head(file, "route", "outcome");
    for (int route = 0; route < ROUTE_COUNT; route++) {
        for (int o = 0; o < OUTCOME_COUNT; o++) {
            const struct recorder *times = r->tally->times[route][o];
            if (times != NULL) {
                print_line(file, route_name((enum route)route), outcome_name((enum outcome)o),
                           recorder_count(times), r->seconds, times);
            }
        }
    }
}

static void print_steps(const struct report *r, FILE *file)
{
    const struct schedule *s = &r->plan->schedule;
    size_t count = s->phase_count - s->first_step;
    if (count < 2) {
        return;
    }
    (void)fputc('\n', file);
    print_head(file, "rate", "errors");
    for (size_t i = 0; i < count; i++) {
        const struct schedule_phase *phase = &s->phases[s->first_step + i];
        const struct tally_group *g = &r->tally->steps[i];
        uint64_t total = tally_total(g);
        char rate[24];
        char errors[24];
        (void)snprintf(rate, sizeof(rate), "%g", phase->to_rate);
        (void)snprintf(errors, sizeof(errors), "%.2f%%",
                       total == 0 ? 0 : 100.0 * (double)g->errors / (double)total);
        print_line(file, rate, errors, total, (double)phase->length_ns / (double)NS_PER_S,
                   g->times);
    }
}

static void print_connections(const struct report *r, FILE *file)
{
    static const char *const names[] = { "full", "resumed" };
    const struct tally *t = r->tally;
    (void)fputc('\n', file);
    for (int i = 0; i < 2; i++) {
        if (recorder_count(t->handshakes[i]) > 0) {
            print_line(file, "connect", names[i], recorder_count(t->handshakes[i]), r->seconds,
                       t->handshakes[i]);
        }
    }
    if (t->connect_failures > 0) {
        (void)fprintf(file, "%llu connections could not be opened\n",
                      (unsigned long long)t->connect_failures);
    }
    if (t->waited > 0) {
        (void)fprintf(file, "%llu requests were due while none of the %u connections was free\n",
                      (unsigned long long)t->waited, r->plan->connections);
    }
    if (r->trouble != NULL) {
        (void)fprintf(file, "the last connection that was lost: %s\n", r->trouble);
    }
}

static void print_generator(const struct report *r, FILE *file)
{
    const struct generator *g = &r->generator;
    (void)fprintf(file, "the generator: busiest thread ran %.0f %%, waited for a processor %.0f %%",
                  100 * g->processor, 100 * g->starved);
    if (!r->plan->schedule.is_closed) {
        (void)fprintf(file, ", sent within %.3f ms (p99)", g->lag_p99_ms);
    }
    (void)fputc('\n', file);
    if (g->limit != NULL) {
        (void)fprintf(file, "THE GENERATOR WAS THE LIMIT: %s\n", g->limit);
    }
    if (r->plan->schedule.is_closed) {
        (void)fputs("--rate max: each connection waits for its answer, so that times of waiting in "
                    "front of a slow target are not seen\n",
                    file);
    }
}

static void print_verdicts(const struct report *r, FILE *file)
{
    for (size_t i = 0; i < r->plan->slo.count; i++) {
        const struct slo_clause *c = &r->plan->slo.clauses[i];
        const struct slo_verdict *v = &r->verdicts[i];
        (void)fprintf(file, "slo %-28.*s ", SPAN_FMT(c->text));
        if (v->is_measured) {
            (void)fprintf(file, "%s: %.3f %s\n", v->holds ? "holds" : "DOES NOT HOLD", v->actual,
                          slo_unit(c));
        } else {
            (void)fputs("DOES NOT HOLD: nothing of it was measured\n", file);
        }
    }
}

enum err report_print(const struct report *r, FILE *file)
{
    struct tally_group all = { 0 };
    TRY(tally_sum(r->tally, ROUTE_COUNT, &all));
    uint64_t total = tally_total(&all);
    (void)fprintf(file, "%s: %s, %u connections, %u threads, %.1f s measured%s\n\n",
                  r->plan->target.url, r->plan->rates, r->plan->connections, r->plan->threads,
                  r->seconds, r->is_interrupted ? ", interrupted" : "");
    print_routes(r, file);
    print_line(file, "all", "", total, r->seconds, all.times);
    (void)fprintf(file, "errors: %llu, %.3f %%\n", (unsigned long long)all.errors,
                  total == 0 ? 0 : 100.0 * (double)all.errors / (double)total);
    recorder_free(all.times);
    print_steps(r, file);
    print_connections(r, file);
    print_generator(r, file);
    print_verdicts(r, file);
    return ERR_OK;
}

/* report_json.c - every figure of a run; bench/load/page.py draws from it. */
#include "report.h"

#include "version.h"
#include "words.h"

#define NS_PER_MS 1e6

static double ms(int64_t ns)
{
    return (double)ns / NS_PER_MS;
}

/* [percent, ms] where a curve of percentiles needs a point: closer towards 100. */
static json_t *curve(const struct recorder *times)
{
    json_t *points = json_array();
    double left = 100;
    while (recorder_count(times) > 0 && left * (double)recorder_count(times) >= 10) {
        double percent = 100 - left;
        (void)json_array_append_new(points,
                                    json_pack("[f, f]", percent, ms(recorder_at(times, percent))));
        left = left > 50 ? left - 5 : left * 0.8;
    }
    (void)json_array_append_new(points, json_pack("[f, f]", 100.0, ms(recorder_at(times, 100))));
    return points;
}

static json_t *times_object(const struct recorder *times)
{
    if (times == NULL || recorder_count(times) == 0) {
        return json_object();
    }
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "mean_ms",
                     recorder_mean(times) / NS_PER_MS, "deviation_ms",
                     recorder_deviation(times) / NS_PER_MS, "p50_ms", ms(recorder_at(times, 50)),
                     "p90_ms", ms(recorder_at(times, 90)), "p99_ms", ms(recorder_at(times, 99)),
                     "p99_9_ms", ms(recorder_at(times, 99.9)), "p99_99_ms",
                     ms(recorder_at(times, 99.99)), "max_ms", ms(recorder_at(times, 100)));
}

static json_t *counts_object(const struct tally_group *g)
{
    json_t *counts = json_object();
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        if (g->count[o] > 0) {
            (void)json_object_set_new(counts, outcome_name((enum outcome)o),
                                      json_integer((json_int_t)g->count[o]));
        }
    }
    return counts;
}

static json_t *group_object(const struct tally_group *g, double seconds)
{
    uint64_t total = tally_total(g);
    json_t *object = times_object(g->times);
    (void)json_object_update_new(
        object, json_pack("{s:I, s:I, s:f, s:o}", "count", (json_int_t)total, "errors",
                          (json_int_t)g->errors, "per_second",
                          seconds > 0 ? (double)total / seconds : 0, "outcomes", counts_object(g)));
    return object;
}

static json_t *routes_array(const struct report *r)
{
    json_t *routes = json_array();
    for (int route = 0; route < ROUTE_COUNT; route++) {
        for (int o = 0; o < OUTCOME_COUNT; o++) {
            const struct recorder *times = r->tally->times[route][o];
            if (times == NULL) {
                continue;
            }
            json_t *line = times_object(times);
            (void)json_object_update_new(
                line, json_pack("{s:s, s:s, s:I, s:f, s:o}", "route", route_name((enum route)route),
                                "outcome", outcome_name((enum outcome)o), "count",
                                (json_int_t)recorder_count(times), "per_second",
                                r->seconds > 0 ? (double)recorder_count(times) / r->seconds : 0,
                                "percentiles", curve(times)));
            (void)json_array_append_new(routes, line);
        }
    }
    return routes;
}

static json_t *steps_array(const struct report *r)
{
    const struct schedule *s = &r->plan->schedule;
    json_t *steps = json_array();
    for (size_t i = s->first_step; i < s->phase_count; i++) {
        const struct schedule_phase *phase = &s->phases[i];
        double seconds = (double)phase->length_ns / (double)NS_PER_S;
        json_t *step = group_object(&r->tally->steps[i - s->first_step], seconds);
        (void)json_object_set_new(step, "rate",
                                  s->is_closed ? json_null() : json_real(phase->to_rate));
        (void)json_object_set_new(step, "seconds", json_real(seconds));
        (void)json_array_append_new(steps, step);
    }
    return steps;
}

static json_t *intervals_array(const struct report *r)
{
    const struct tally *t = r->tally;
    double seconds = (double)t->interval_ns / (double)NS_PER_S;
    json_t *intervals = json_array();
    for (size_t i = 0; i < t->interval_count; i++) {
        json_t *interval = group_object(&t->intervals[i], seconds);
        (void)json_object_set_new(interval, "from_s", json_real((double)i * seconds));
        (void)json_array_append_new(intervals, interval);
    }
    return intervals;
}

static json_t *slo_array(const struct report *r)
{
    json_t *clauses = json_array();
    for (size_t i = 0; i < r->plan->slo.count; i++) {
        const struct slo_clause *c = &r->plan->slo.clauses[i];
        const struct slo_verdict *v = &r->verdicts[i];
        (void)json_array_append_new(clauses,
                                    json_pack("{s:s%, s:b, s:o, s:s}", "clause", c->text.data,
                                              c->text.length, "holds", (int)v->holds, "actual",
                                              v->is_measured ? json_real(v->actual) : json_null(),
                                              "unit", slo_unit(c)));
    }
    return clauses;
}

static json_t *connections_object(const struct report *r)
{
    const struct tally *t = r->tally;
    json_t *full = times_object(t->handshakes[0]);
    json_t *resumed = times_object(t->handshakes[1]);
    (void)json_object_set_new(full, "count",
                              json_integer((json_int_t)recorder_count(t->handshakes[0])));
    (void)json_object_set_new(resumed, "count",
                              json_integer((json_int_t)recorder_count(t->handshakes[1])));
    return json_pack("{s:o, s:o, s:I, s:I, s:s?}", "full", full, "resumed", resumed, "failures",
                     (json_int_t)t->connect_failures, "waited", (json_int_t)t->waited, "trouble",
                     r->trouble);
}

static json_t *generator_object(const struct report *r)
{
    const struct generator *g = &r->generator;
    return json_pack("{s:f, s:f, s:f, s:b, s:s?}", "processor", g->processor, "starved", g->starved,
                     "lag_p99_ms", g->lag_p99_ms, "was_the_limit", (int)(g->limit != NULL), "why",
                     g->limit);
}

static json_t *plan_object(const struct plan *p)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:b, s:f}", "url", p->target.url,
                     "rate", p->rates, "mix", p->mix_text, "connections", (int)p->connections,
                     "threads", (int)p->threads, "users", (int)p->users, "tokens", (int)p->tokens,
                     "reconnect", (int)p->reconnect, "resume", (int)p->resume, "timeout_s",
                     (double)p->timeout_ns / (double)NS_PER_S);
}

enum err report_json(const struct report *r, json_t **ret_json)
{
    char started[CLOCK_RFC3339_LENGTH + 1];
    struct tally_group all = { 0 };
    TRY(tally_sum(r->tally, ROUTE_COUNT, &all));
    clock_rfc3339(r->started_ms, started);
    json_t *json =
        json_pack("{s:s, s:s, s:f, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "doorward_bench",
                  DOORWARD_VERSION, "started", started, "seconds", r->seconds, "interrupted",
                  (int)r->is_interrupted, "plan", plan_object(r->plan), "all",
                  group_object(&all, r->seconds), "routes", routes_array(r), "steps",
                  steps_array(r), "intervals", intervals_array(r), "connections",
                  connections_object(r), "generator", generator_object(r), "slo", slo_array(r));
    recorder_free(all.times);
    if (json == NULL) {
        return ERR_NOMEM;
    }
    *ret_json = json;
    return ERR_OK;
}

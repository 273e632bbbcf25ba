#include "tally.h"

#include "words.h"
#include <stdlib.h>

static enum err new_recorders(struct tally *t)
{
    TRY(recorder_new(RECORDER_FINE, &t->lag));
    TRY(recorder_new(RECORDER_FINE, &t->handshakes[0]));
    return recorder_new(RECORDER_FINE, &t->handshakes[1]);
}

enum err tally_new(const struct schedule *schedule, struct tally **ret_tally)
{
    struct tally *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    int64_t measured_ns = schedule->end_ns - schedule_measured_from(schedule);
    t->schedule = schedule;
    t->interval_ns = measured_ns / TALLY_MAX_INTERVALS + 1;
    t->interval_ns = t->interval_ns > NS_PER_S ? t->interval_ns : NS_PER_S;
    enum err e = new_recorders(t);
    if (e != ERR_OK) {
        tally_free(t);
        return e;
    }
    *ret_tally = t;
    return ERR_OK;
}

void tally_free(struct tally *t)
{
    if (t == NULL) {
        return;
    }
    for (int r = 0; r < ROUTE_COUNT; r++) {
        for (int o = 0; o < OUTCOME_COUNT; o++) {
            recorder_free(t->times[r][o]);
        }
    }
    for (size_t i = 0; i < SCHEDULE_MAX_STEPS; i++) {
        recorder_free(t->steps[i].times);
    }
    for (size_t i = 0; i < TALLY_MAX_INTERVALS; i++) {
        recorder_free(t->intervals[i].times);
    }
    recorder_free(t->lag);
    recorder_free(t->handshakes[0]);
    recorder_free(t->handshakes[1]);
    free(t);
}

/* Most routes and outcomes never occur: a recorder is made by its first value. */
static enum err record(struct recorder **r, unsigned precision, int64_t ns)
{
    if (*r == NULL) {
        TRY(recorder_new(precision, r));
    }
    recorder_add(*r, ns);
    return ERR_OK;
}

static enum err add_to_group(struct tally_group *g, unsigned precision, enum route route,
                             enum outcome outcome, int64_t ns)
{
    g->count[outcome]++;
    g->errors += outcome_is_error(route, outcome) ? 1 : 0;
    return outcome_is_timed(outcome) ? record(&g->times, precision, ns) : ERR_OK;
}

static enum err add(struct tally *t, enum route route, enum outcome outcome, int64_t due_ns,
                    int64_t end_ns)
{
    int step = schedule_step(t->schedule, due_ns);
    int64_t took_ns = end_ns - due_ns;
    if (step < 0) {
        return ERR_OK;
    }
    /* By when it was due: a second in which the target stood still shows in that second. */
    size_t interval = (size_t)((due_ns - schedule_measured_from(t->schedule)) / t->interval_ns);
    interval = interval < TALLY_MAX_INTERVALS ? interval : TALLY_MAX_INTERVALS - 1;
    if (interval >= t->interval_count) {
        t->interval_count = interval + 1;
    }
    TRY(record(&t->times[route][outcome], RECORDER_FINE, took_ns));
    TRY(add_to_group(&t->steps[step], RECORDER_FINE, route, outcome, took_ns));
    return add_to_group(&t->intervals[interval], RECORDER_COARSE, route, outcome, took_ns);
}

void tally_add(struct tally *t, enum route route, enum outcome outcome, int64_t due_ns,
               int64_t end_ns)
{
    t->failed = add(t, route, outcome, due_ns, end_ns) != ERR_OK || t->failed;
}

static enum err merge_recorder(struct recorder **r, unsigned precision, const struct recorder *from)
{
    if (from == NULL) {
        return ERR_OK;
    }
    if (*r == NULL) {
        TRY(recorder_new(precision, r));
    }
    recorder_merge(*r, from);
    return ERR_OK;
}

static enum err merge_group(struct tally_group *g, unsigned precision,
                            const struct tally_group *from)
{
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        g->count[o] += from->count[o];
    }
    g->errors += from->errors;
    return merge_recorder(&g->times, precision, from->times);
}

enum err tally_merge(struct tally *t, const struct tally *from)
{
    for (int r = 0; r < ROUTE_COUNT; r++) {
        for (int o = 0; o < OUTCOME_COUNT; o++) {
            TRY(merge_recorder(&t->times[r][o], RECORDER_FINE, from->times[r][o]));
        }
    }
    for (size_t i = 0; i < SCHEDULE_MAX_STEPS; i++) {
        TRY(merge_group(&t->steps[i], RECORDER_FINE, &from->steps[i]));
    }
    for (size_t i = 0; i < from->interval_count; i++) {
        TRY(merge_group(&t->intervals[i], RECORDER_COARSE, &from->intervals[i]));
    }
    if (from->interval_count > t->interval_count) {
        t->interval_count = from->interval_count;
    }
    recorder_merge(t->lag, from->lag);
    recorder_merge(t->handshakes[0], from->handshakes[0]);
    recorder_merge(t->handshakes[1], from->handshakes[1]);
    t->connect_failures += from->connect_failures;
    t->waited += from->waited;
    t->failed = t->failed || from->failed;
    return ERR_OK;
}

static enum err sum_route(const struct tally *t, enum route route, struct tally_group *sum)
{
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        const struct recorder *from = t->times[route][o];
        uint64_t count = from == NULL ? 0 : recorder_count(from);
        sum->count[o] += count;
        sum->errors += outcome_is_error(route, (enum outcome)o) ? count : 0;
        if (outcome_is_timed((enum outcome)o)) {
            TRY(merge_recorder(&sum->times, RECORDER_FINE, from));
        }
    }
    return ERR_OK;
}

enum err tally_sum(const struct tally *t, enum route route, struct tally_group *ret_sum)
{
    struct tally_group sum = { 0 };
    enum err e = recorder_new(RECORDER_FINE, &sum.times);
    for (int r = 0; r < ROUTE_COUNT && e == ERR_OK; r++) {
        if (route == ROUTE_COUNT || r == (int)route) {
            e = sum_route(t, (enum route)r, &sum);
        }
    }
    if (e != ERR_OK) {
        recorder_free(sum.times);
        return e;
    }
    *ret_sum = sum;
    return ERR_OK;
}

uint64_t tally_total(const struct tally_group *g)
{
    uint64_t total = 0;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        total += g->count[o];
    }
    return total;
}

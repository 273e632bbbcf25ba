#include "schedule.h"

#include "words.h"
#include <math.h>

static double seconds(int64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

/* Requests due in the phase's first `ns`. */
static double due_within(const struct schedule_phase *p, int64_t ns)
{
    double slope = (p->to_rate - p->from_rate) / seconds(p->length_ns);
    return seconds(ns) * (p->from_rate + slope * seconds(ns) / 2);
}

static void add_phase(struct schedule *s, double from_rate, double to_rate, int64_t length_ns)
{
    if (length_ns == 0) {
        return;
    }
    INVARIANT(s->phase_count < sizeof(s->phases) / sizeof(s->phases[0]));
    const struct schedule_phase *last = s->phase_count > 0 ? &s->phases[s->phase_count - 1] : NULL;
    s->phases[s->phase_count++] = (struct schedule_phase){
        .from_rate = from_rate,
        .to_rate = to_rate,
        .begin_ns = s->end_ns,
        .length_ns = length_ns,
        .begin_index = last == NULL ? 0 : last->begin_index + due_within(last, last->length_ns),
    };
    s->end_ns += length_ns;
}

static enum err parse_rates(struct span text, double rates[static SCHEDULE_MAX_STEPS],
                            size_t *ret_count, struct span *ret_bad)
{
    size_t count = 0;
    struct span piece = SPAN_NONE;
    *ret_bad = text;
    while (span_split(&text, ',', &piece)) {
        double rate = 0;
        if (count == SCHEDULE_MAX_STEPS || !words_number(piece, &rate) || rate <= 0 ||
            rate > SCHEDULE_MAX_RATE) {
            *ret_bad = piece;
            return ERR_CONFIG;
        }
        rates[count++] = rate;
    }
    *ret_count = count;
    return count > 0 ? ERR_OK : ERR_CONFIG;
}

enum err schedule_parse(struct span rates, struct schedule_lengths lengths,
                        struct schedule *ret_schedule, struct span *ret_bad)
{
    double list[SCHEDULE_MAX_STEPS] = { 1 };
    size_t count = 1;
    size_t colon = span_find(rates, ':');
    if (colon < rates.length && !words_duration(span_from(rates, colon + 1), &lengths.step_ns)) {
        *ret_bad = span_from(rates, colon + 1);
        return ERR_CONFIG;
    }
    struct span words = span_slice(rates, 0, colon);
    struct schedule s = { .is_closed = span_equal(words, SPAN("max")) };
    if (!s.is_closed) {
        TRY(parse_rates(words, list, &count, ret_bad));
    }
    if (lengths.step_ns <= 0) {
        *ret_bad = rates;
        return ERR_CONFIG;
    }
    add_phase(&s, 0, list[0], lengths.ramp_ns);
    add_phase(&s, list[0], list[0], lengths.warmup_ns);
    s.first_step = s.phase_count;
    for (size_t i = 0; i < count; i++) {
        add_phase(&s, list[i], list[i], lengths.step_ns);
    }
    *ret_schedule = s;
    return ERR_OK;
}

/* When `count` requests of the phase have become due. */
static double seconds_until(const struct schedule_phase *p, double count)
{
    double slope = (p->to_rate - p->from_rate) / seconds(p->length_ns);
    if (slope <= 0) {
        return count / p->from_rate;
    }
    return (sqrt(p->from_rate * p->from_rate + 2 * slope * count) - p->from_rate) / slope;
}

int64_t schedule_due(const struct schedule *s, uint64_t index)
{
    size_t i = s->phase_count - 1;
    while (i > 0 && s->phases[i].begin_index > (double)index) {
        i--;
    }
    const struct schedule_phase *p = &s->phases[i];
    double within_ns = seconds_until(p, (double)index - p->begin_index) * (double)NS_PER_S;
    bool is_due = within_ns < (double)(s->end_ns - p->begin_ns);
    return is_due ? p->begin_ns + (int64_t)within_ns : INT64_MAX;
}

static size_t phase_at(const struct schedule *s, int64_t ns)
{
    size_t i = s->phase_count - 1;
    while (i > 0 && s->phases[i].begin_ns > ns) {
        i--;
    }
    return i;
}

uint64_t schedule_count(const struct schedule *s, int64_t ns)
{
    const struct schedule_phase *p = &s->phases[phase_at(s, ns)];
    int64_t within = ns - p->begin_ns;
    double before = p->begin_index;
    if (within >= p->length_ns) {
        return (uint64_t)ceil(before + due_within(p, p->length_ns));
    }
    return (uint64_t)(before + due_within(p, within)) + 1;
}

int schedule_step(const struct schedule *s, int64_t ns)
{
    size_t phase = phase_at(s, ns);
    return phase < s->first_step ? -1 : (int)(phase - s->first_step);
}

int64_t schedule_measured_from(const struct schedule *s)
{
    return s->phases[s->first_step].begin_ns;
}

/* pace.c - how fast the engine goes: steps, calls, and the wait to be expected from them.
 *
 * Wall time throughout, because that is what callers wait for: a rate that falls while the loops
 * are busy is the truth. A step's time is the average over about the last second of steps with the
 * same number of lanes; until there is a fifth of a second of them, the tuning's or a careful
 * assumption. The capacity is that of full lanes, since more work would fill them. */
#include "engine_parts.h"

#define AVERAGE_US    1e6 /* weight of a new step: its own length in this */
#define ENOUGH_US     2e5
#define CALL_WEIGHT   8  /* a new call counts for one part in this many */
#define CALL_EXTREME  32 /* a call is taken to cost this many times more or less, at most */
#define FAR_FUTURE_US 1e15

/* ---- a step ---- */

void pace_note(struct hasher *h, unsigned count, int64_t took_us)
{
    struct pace *p = &h->pace;
    double *average = &p->average_us[count];
    p->samples[count]++;
    double weight = *average / AVERAGE_US;
    double even = 1 / (double)p->samples[count];
    *average += ((double)took_us - *average) * (weight > even ? weight : even);
    if ((double)p->samples[count] * *average >= ENOUGH_US) {
        atomic_store(&p->step_ns[count], (uint64_t)(*average * 1000) + 1);
    }
}

void pace_forget(struct hasher *h)
{
    struct pace *p = &h->pace;
    for (unsigned i = 0; i <= LANES_MAX; i++) {
        p->average_us[i] = 0;
        p->samples[i] = 0;
        atomic_store(&p->step_ns[i], 0);
    }
}

/* Steps a second of one thread whose lanes are full. */
static double full_rate(const struct hasher *h)
{
    const struct engine *e = h->engine;
    unsigned lanes = atomic_load(&e->lanes);
    uint64_t step_ns = atomic_load(&h->pace.step_ns[lanes]);
    return step_ns > 0 ? lanes * 1e9 / (double)step_ns : (double)atomic_load(&e->assumed_rate);
}

double pace_step_us(const struct hasher *h, unsigned count)
{
    const struct engine *e = h->engine;
    uint64_t step_ns = atomic_load(&h->pace.step_ns[count]);
    step_ns = step_ns > 0 ? step_ns : atomic_load(&e->assumed_ns[count]);
    if (step_ns > 0) {
        return (double)step_ns / 1000;
    }
    /* Lanes share what they do not wait for together: a step of few takes as long as one of all. */
    return atomic_load(&e->lanes) * 1e6 / full_rate(h);
}

/* ---- calls ---- */

static double call_scale(const struct engine *e)
{
    uint64_t scale = atomic_load(&e->call_scale);
    return scale > 0 ? (double)scale / CALL_SCALE_ONE : 1;
}

static double clip(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static void average_in(_Atomic uint64_t *average, double value)
{
    uint64_t before = atomic_load(average);
    double after = before == 0 ? value : ((double)before * (CALL_WEIGHT - 1) + value) / CALL_WEIGHT;
    atomic_store(average, (uint64_t)after + 1);
}

/* Each call measures how far the formula of its costs is off on this machine. */
void pace_note_call(struct hasher *h, const struct engine_job *job, int64_t took_us)
{
    struct engine *e = h->engine;
    double steps = (double)(job->steps > 0 ? job->steps : 1);
    double scale = (double)took_us / 1e6 * full_rate(h) / steps;
    average_in(&e->call_scale, clip(scale, 1.0 / CALL_EXTREME, CALL_EXTREME) * CALL_SCALE_ONE);
    if (job->live_form) {
        average_in(&e->live_call_us, (double)took_us);
    }
}

uint64_t pace_call_steps(const struct engine *e, uint64_t steps)
{
    return (uint64_t)((double)steps * call_scale(e)) + 1;
}

/* ---- the same time for everyone ---- */

/* What a check in the live form takes on this thread with `count` lanes in use, in steps. */
static double live_steps(const struct hasher *h, unsigned count)
{
    const struct engine_options *o = &h->engine->options;
    uint64_t live_us = atomic_load(&h->engine->live_call_us);
    if (o->live_is_call && live_us > 0) {
        return (double)live_us / pace_step_us(h, count);
    }
    return (double)o->live_steps;
}

uint64_t pace_missing(const struct hasher *h, uint64_t steps)
{
    double missing = live_steps(h, h->count) - (double)steps;
    return missing > 0 ? (uint64_t)missing : 0;
}

/* As exact as the load is even: the call's time counts for as many steps as this thread's lanes,
 * with one more in use, do in that time now. */
uint64_t pace_missing_after_call(const struct hasher *h, int64_t took_us)
{
    unsigned count = h->count + 1;
    double missing = live_steps(h, count) - (double)took_us / pace_step_us(h, count);
    return missing > 0 ? (uint64_t)missing : 0;
}

/* ---- the estimate ---- */

uint64_t pace_capacity(const struct engine *e)
{
    double rate = 0;
    for (unsigned i = 0; i < e->thread_count; i++) {
        rate += full_rate(&e->hashers[i]);
    }
    return rate >= 1 ? (uint64_t)rate : 1;
}

static double steps_left(const struct hasher *h, int64_t now_us)
{
    double left = (double)atomic_load(&h->steps_left);
    double call = (double)atomic_load(&h->call_steps);
    if (call > 0) {
        call -= (double)(now_us - atomic_load(&h->call_started_us)) / 1e6 * full_rate(h);
        left += call > 0 ? call : 0;
    }
    return left;
}

int64_t engine_expected_wait_us(const struct engine *e, uint64_t queued_steps)
{
    int64_t now_us = clock_monotonic_us();
    double steps = (double)queued_steps;
    if (e->options.live_is_call) {
        steps *= call_scale(e);
    }
    steps += (double)atomic_load(&e->for_lanes.steps) + (double)atomic_load(&e->for_calls.steps);
    for (unsigned i = 0; i < e->thread_count; i++) {
        steps += steps_left(&e->hashers[i], now_us);
    }
    double wait_us = steps * 1e6 / (double)pace_capacity(e);
    /* Cost 31 on a slow core overflows nothing, but a caller adds this to other times. */
    return wait_us < FAR_FUTURE_US ? (int64_t)wait_us : (int64_t)FAR_FUTURE_US;
}

/* pace.c - how fast the engine goes: steps, calls, and the wait to be expected from them.
 *
 * Wall time throughout, because that is what callers wait for: a rate that falls while the loops
 * are busy is the truth. A step's time is the average over about the last second of steps with the
 * same number of lanes; until there is a fifth of a second of them, the tuning's or a careful
 * assumption. The capacity is that of full lanes, since more work would fill them.
 *
 * The wait is that until a job begins: none as long as a lane is free for it, and else until the
 * first that is not taken by those before it. A job that waits is taken to be of the live form. */
#include "engine_parts.h"

#include <math.h>

#define AVERAGE_US       1e6 /* weight of a new step: its own length in this */
#define ENOUGH_US        2e5
#define CALL_WEIGHT      8  /* a new call counts for one part in this many */
#define CALL_EXTREME     32 /* a call is taken to cost this many times more or less, at most */
#define FAR_FUTURE_US    1e15
#define FAR_FUTURE_STEPS 1e15

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

/* What takes up jobs one by one: lanes for bcrypts, threads for calls. */
struct servers {
    const struct engine *engine;
    int64_t now_us;
    bool calls;
    unsigned count; /* that can work at once */
    uint64_t turn;  /* steps after which one takes the next job; not 0 */
};

static uint64_t clip_steps(double steps)
{
    return (uint64_t)clip(steps, 0, FAR_FUTURE_STEPS);
}

static double call_left(const struct hasher *h, int64_t now_us)
{
    double call = (double)atomic_load(&h->call_steps);
    if (call <= 0) {
        return 0;
    }
    call -= (double)(now_us - atomic_load(&h->call_started_us)) / 1e6 * full_rate(h);
    return call > 1 ? call : 1; /* it is not over before it is */
}

static struct servers servers_of(const struct engine *e, int64_t now_us)
{
    const struct engine_options *o = &e->options;
    bool calls = o->live_is_call;
    unsigned count = e->thread_count * (calls ? 1 : atomic_load(&e->lanes));
    uint64_t turn = calls ? pace_call_steps(e, o->live_steps) : o->live_steps;
    if (calls && o->live_memory_bytes > 0 && o->memory_budget / o->live_memory_bytes < count) {
        count = (unsigned)(o->memory_budget / o->live_memory_bytes);
    }
    return (struct servers){ .engine = e,
                             .now_us = now_us,
                             .calls = calls,
                             .count = count > 0 ? count : 1,
                             .turn = turn > 0 ? turn : 1 };
}

/* Steps until server `unit` takes the next job; 0: it is free. */
static uint64_t left_at(const struct servers *s, unsigned unit)
{
    const struct engine *e = s->engine;
    if (s->calls) {
        return clip_steps(call_left(&e->hashers[unit], s->now_us));
    }
    return atomic_load(&e->hashers[unit / LANES_MAX].lane_left[unit % LANES_MAX]);
}

/* How many jobs have been taken up when each server has done so many steps, if enough wait? */
static uint64_t starts_until(const struct servers *s, uint64_t steps)
{
    uint64_t starts = 0;
    unsigned idle = s->count;
    unsigned units = s->engine->thread_count * (s->calls ? 1 : LANES_MAX);
    for (unsigned i = 0; i < units && idle > 0; i++) {
        uint64_t left = left_at(s, i);
        if (left > 0) {
            idle--;
            starts += steps >= left ? (steps - left) / s->turn + 1 : 0;
        }
    }
    return starts + idle * (steps / s->turn + 1);
}

/* Steps of each server until it is the turn of a job behind `ahead` others. What the threads do
 * meanwhile moves the result by less than it is exact. */
static uint64_t steps_until_start(const struct servers *s, uint64_t ahead)
{
    uint64_t high = 1;
    if (starts_until(s, 0) > ahead) {
        return 0;
    }
    while (starts_until(s, high) <= ahead) {
        high *= 2;
    }
    uint64_t low = high / 2;
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        bool enough = starts_until(s, middle) > ahead;
        high = enough ? middle : high;
        low = enough ? low : middle;
    }
    return high;
}

/* Of the kind that is not the live one: it is served in between, whenever it comes. */
static double other_work(const struct servers *s)
{
    const struct engine *e = s->engine;
    double steps = (double)atomic_load(s->calls ? &e->for_lanes.steps : &e->for_calls.steps);
    for (unsigned i = 0; i < e->thread_count; i++) {
        const struct hasher *h = &e->hashers[i];
        steps += s->calls ? (double)atomic_load(&h->steps_left) : call_left(h, s->now_us);
    }
    return steps;
}

int64_t engine_expected_wait_us(const struct engine *e, uint64_t queued_steps)
{
    struct servers s = servers_of(e, clock_monotonic_us());
    double queued = (double)queued_steps * (s.calls ? call_scale(e) : 1);
    queued += (double)atomic_load(s.calls ? &e->for_calls.steps : &e->for_lanes.steps);
    uint64_t ahead = (uint64_t)ceil(clip(queued, 0, FAR_FUTURE_STEPS) / (double)s.turn);
    unsigned abreast = s.calls ? e->thread_count : s.count;
    double steps = (double)steps_until_start(&s, ahead) * abreast;
    double wait_us = (steps + other_work(&s)) * 1e6 / (double)pace_capacity(e);
    /* Cost 31 on a slow core overflows nothing, but a caller adds this to other times. */
    return wait_us < FAR_FUTURE_US ? (int64_t)wait_us : (int64_t)FAR_FUTURE_US;
}

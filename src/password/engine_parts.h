/* engine_parts.h - the engine's insides, shared by its four files.
 *
 *   engine.c  life, callers and the queues      hasher.c  a thread: lanes, calls, giving way
 *   pace.c    how fast it goes, the estimate    tune.c    which kernel and how many lanes
 *
 * A job's way:
 *
 *   NEW -> COMPUTING -> (a failed check) TOPPING_UP -> done
 *            |    ^
 *            v    |  its turn is over and others wait: back to the end of the queue,
 *          (queue)   its lane kept in the waiter
 *
 * Threads:   as each struct says.
 * Ownership: a waiter lives on its caller's stack; the caller sleeps until it is done. */
#ifndef DOORWARD_PASSWORD_ENGINE_PARTS_H
#define DOORWARD_PASSWORD_ENGINE_PARTS_H

#include "engine.h"

#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_IN_CALL UINT32_MAX /* hasher.active: its lanes stand still */

enum waiter_stage { STAGE_NEW, STAGE_COMPUTING, STAGE_TOPPING_UP };

/* Under the engine's lock while it waits; the hasher's own while it is in a lane. */
struct waiter {
    struct engine_job *job;
    struct waiter *next;
    pthread_cond_t done_cond;
    enum waiter_stage stage;
    uint64_t taken;     /* steps done */
    uint64_t until;     /* steps at which the stage ends */
    uint64_t most;      /* steps that it may come to: what the estimate counts with */
    int64_t started_us; /* first put into a lane, or called */
    enum err result;
    bool done;
    bool gave_way;
    struct lane lane; /* of one that gave way */
};

/* Under the lock; `length` and `steps` are read by anyone. */
struct waiter_queue {
    struct waiter *first;
    struct waiter **last;
    _Atomic unsigned length;
    _Atomic uint64_t steps;
};

struct slot {
    struct waiter *waiter;
    uint64_t turn; /* steps since it was put in */
};

/* How long a step takes, by the number of lanes; written by its hasher, read by anyone. */
struct pace {
    double average_us[LANES_MAX + 1]; /* the hasher's own */
    uint64_t samples[LANES_MAX + 1];
    _Atomic uint64_t step_ns[LANES_MAX + 1]; /* 0: not known well enough */
};

struct trial;

struct hasher {
    /* fixed */
    struct engine *engine;
    unsigned index;
    pthread_t thread;
    struct lane *lanes; /* LANES_MAX of them, the first `count` in use */
    /* the thread's own */
    const struct lanes_kernel *kernel;
    struct slot slots[LANES_MAX];
    unsigned count;
    unsigned shown;       /* of them in the metrics */
    unsigned passed_over; /* steps in which work waited and others were to take it */
    unsigned trials;      /* joined */
    int64_t stepped_us;   /* end of the last step; 0: something else came between */
    int64_t owed_us;      /* to its lanes, for the calls that kept them waiting */
    /* under the lock */
    pthread_cond_t wake_cond;
    bool asleep;
    /* written by the thread, read by anyone */
    struct pace pace;
    _Atomic unsigned active;               /* lanes in use, or ENGINE_IN_CALL */
    _Atomic uint64_t steps_left;           /* in lanes */
    _Atomic uint64_t lane_left[LANES_MAX]; /* until it is free or gives way */
    _Atomic int64_t call_started_us;
    _Atomic uint64_t call_steps; /* of the call under way; 0: none */
};

struct engine {
    /* fixed */
    struct engine_options options;
    unsigned thread_count;

    /* under `lock` */
    pthread_mutex_t lock;
    pthread_cond_t gone_cond;  /* the last caller has left */
    pthread_cond_t trial_cond; /* a trial is over */
    struct waiter_queue for_lanes, for_calls;
    uint64_t memory_left;
    unsigned callers;

    /* written under `lock`, read by anyone */
    _Atomic bool stopping;
    _Atomic(const struct lanes_kernel *) kernel;
    _Atomic unsigned lanes;
    _Atomic(struct trial *) trial;
    _Atomic unsigned trials; /* begun */

    /* pace.c's */
    _Atomic uint64_t assumed_rate;              /* steps a second of one thread, full lanes */
    _Atomic uint64_t assumed_ns[LANES_MAX + 1]; /* of a step, by lanes; 0: not known */
    _Atomic uint64_t live_call_us;              /* 0: none was made yet */
    _Atomic uint64_t call_scale; /* CALL_SCALE_ONE: calls cost what they say; 0: unknown */

    struct hasher hashers[];
};
#define CALL_SCALE_ONE 1024

/* ---- engine.c: the queues; under the lock ---- */
void waiters_push(struct waiter_queue *q, struct waiter *w);
struct waiter *waiters_pop(struct waiter_queue *q);
/* How many wait, for lanes and for calls; anyone may ask. */
unsigned waiters_count(const struct engine *e);
/* Wake a thread that sleeps; false when none does. */
bool wake_one(struct engine *e);
void waiter_finish(struct waiter *w, enum err result);

/* ---- hasher.c ---- */
void *hasher_main(void *hasher);
/* The calling thread behind everything that answers. */
void hasher_lower_priority(void);

/* ---- pace.c ---- */
/* A step of `count` lanes took `took_us`. By the hasher's own thread. */
void pace_note(struct hasher *h, unsigned count, int64_t took_us);
void pace_forget(struct hasher *h);
double pace_step_us(const struct hasher *h, unsigned count);
/* A call of `job` took that long. */
void pace_note_call(struct hasher *h, const struct engine_job *job, int64_t took_us);
/* What a call takes from the engine, in steps. */
uint64_t pace_call_steps(const struct engine *e, uint64_t steps);
/* Steps that a check lacks which took `steps` in a lane, or a call of `took_us`. */
uint64_t pace_missing(const struct hasher *h, uint64_t steps);
uint64_t pace_missing_after_call(const struct hasher *h, int64_t took_us);
uint64_t pace_capacity(const struct engine *e);

/* ---- tune.c ---- */
/* Is there a trial that this thread has not joined? */
bool trial_waits(const struct hasher *h);
void trial_join(struct hasher *h);

#endif

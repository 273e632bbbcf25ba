/* worker_count.c - what a worker counts: how its requests ended, and what it used itself. */
#include "worker_parts.h"

#include "machine.h"

int64_t worker_now_ns(const struct worker *w)
{
    return (int64_t)uv_hrtime() - atomic_load_explicit(&w->run->begin_at_ns, memory_order_relaxed);
}

void worker_count(struct worker *w, enum route route, enum outcome outcome, int64_t due_ns)
{
    _Atomic uint64_t *counter = outcome == OUTCOME_OK ? &w->ok : &w->shed;
    if (outcome_is_error(route, outcome)) {
        counter = &w->errors;
    }
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    tally_add(w->tally, route, outcome, due_ns, worker_now_ns(w));
}

static struct worker_use use_now(void)
{
    struct machine_turns turns = machine_own_turns();
    return (struct worker_use){ .elapsed_ns = (int64_t)uv_hrtime(),
                                .cpu_ns = turns.ran_ns,
                                .starved_ns = turns.starved_ns };
}

void worker_use_begin(struct worker *w)
{
    w->use = use_now();
}

void worker_use_end(struct worker *w)
{
    struct worker_use now = use_now();
    w->use = (struct worker_use){ .elapsed_ns = now.elapsed_ns - w->use.elapsed_ns,
                                  .cpu_ns = now.cpu_ns - w->use.cpu_ns,
                                  .starved_ns = now.starved_ns - w->use.starved_ns,
                                  .end_ns = w->end_ns };
}

/* measure.c - how many hashes a second: the engine under load, and libxcrypt beside it.
 *
 *   password_measure: makes the runners | opens the gate | joins them, adds up
 *   a runner:         waits at the gate --> takes a ticket, hashes, takes a ticket ... none left
 *
 * Tickets end with a whole batch, one for each lane, so that no lane is empty before the end. */
#include "password.h"

#include "engine_parts.h"
#include "formats.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)256 * 1024)
#define TEXT_FORM   "$2b$%02u$......................" /* and a digest that is nobody's */
#define DIGEST_FORM "..............................."

struct measurement {
    /* fixed */
    struct password_engine *engine; /* NULL: libxcrypt */
    char text[FORMAT_TEXT_MAX];
    int64_t least_us;
    unsigned batch;
    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t gate_cond;
    bool open;
    int64_t end_us;   /* 0: opened in vain */
    uint64_t tickets; /* that were taken */
};

struct runner {
    struct measurement *m;
    pthread_t thread;
    enum err result;
};

/* ---- a runner ---- */

static enum err hash_in_engine(const struct measurement *m)
{
    bool match = false;
    bool rehash = false;
    TRY(password_verify(m->engine, SPAN("password"), span_of(m->text), &match, &rehash));
    return match ? ERR_INTERNAL : ERR_OK;
}

static enum err hash_in_library(const struct measurement *m, struct crypt_data *data)
{
    return crypt_rn("password", m->text, data, (int)sizeof(*data)) != NULL ? ERR_OK : ERR_INTERNAL;
}

static bool take_ticket(struct measurement *m)
{
    pthread_mutex_lock(&m->lock);
    while (!m->open) {
        pthread_cond_wait(&m->gate_cond, &m->lock);
    }
    bool within = m->tickets == 0 || m->tickets % m->batch != 0 || clock_monotonic_us() < m->end_us;
    bool taken = m->end_us > 0 && within;
    m->tickets += taken;
    pthread_mutex_unlock(&m->lock);
    return taken;
}

static void *runner_main(void *argument)
{
    struct runner *r = argument;
    struct crypt_data *data = NULL;
    if (r->m->engine == NULL) {
        hasher_lower_priority(); /* as the engine's threads, or it would win beside other programs
                                  */
        data = calloc(1, sizeof(*data));
        r->result = data != NULL ? ERR_OK : ERR_NOMEM;
    }
    while (r->result == ERR_OK && take_ticket(r->m)) {
        r->result = data != NULL ? hash_in_library(r->m, data) : hash_in_engine(r->m);
    }
    free(data);
    return NULL;
}

/* ---- all of them ---- */

static unsigned start_runners(struct runner *runners, unsigned count)
{
    unsigned started = 0;
    while (started < count && thread_start(&runners[started].thread, "measure", STACK_BYTES,
                                           runner_main, &runners[started]) == ERR_OK) {
        started++;
    }
    return started;
}

static void open_gate(struct measurement *m, bool begin)
{
    pthread_mutex_lock(&m->lock);
    m->open = true;
    m->end_us = begin ? clock_monotonic_us() + m->least_us : 0;
    pthread_cond_broadcast(&m->gate_cond);
    pthread_mutex_unlock(&m->lock);
}

static enum err run(struct measurement *m, struct runner *runners, unsigned count,
                    struct password_pace *ret_pace)
{
    unsigned started = start_runners(runners, count);
    enum err result = started == count ? ERR_OK : ERR_NOMEM;
    int64_t cpu_us = clock_process_cpu_us();
    int64_t began_us = clock_monotonic_us();
    open_gate(m, started == count);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(runners[i].thread, NULL);
        result = result == ERR_OK ? runners[i].result : result;
    }
    struct password_pace pace = { .hashes = m->tickets,
                                  .cpu_us = clock_process_cpu_us() - cpu_us,
                                  .elapsed_us = clock_monotonic_us() - began_us };
    TRY(result);
    *ret_pace = pace;
    return ERR_OK;
}

static unsigned batch_of(const struct password_info *info, enum password_load load)
{
    switch (load) {
    case PASSWORD_ALONE:
        return 1;
    case PASSWORD_FULL:
        return info->threads * info->lanes;
    case PASSWORD_LIBRARY:
        return info->threads;
    }
    INVARIANT(false);
    return 0;
}

enum err password_measure(struct password_engine *e, enum password_load load, unsigned cost,
                          int64_t least_us, struct password_pace *ret_pace)
{
    INVARIANT(cost >= FORMAT_COST_MIN && cost <= FORMAT_COST_MAX);
    INVARIANT(password_live_steps(e) <= UINT64_C(1) << cost); /* or it would be topped up */
    struct password_info info = password_engine_info(e);
    struct measurement m = { .engine = load == PASSWORD_LIBRARY ? NULL : e,
                             .least_us = least_us,
                             .batch = batch_of(&info, load) };
    /* Half of them wait in the queue, so that a lane that is done goes on at once. */
    unsigned count = load == PASSWORD_FULL ? 2 * m.batch : m.batch;
    struct runner *runners = calloc(count, sizeof(*runners));
    if (runners == NULL) {
        return ERR_NOMEM;
    }
    (void)snprintf(m.text, sizeof(m.text), TEXT_FORM DIGEST_FORM, cost);
    for (unsigned i = 0; i < count; i++) {
        runners[i].m = &m;
    }
    pthread_mutex_init(&m.lock, NULL);
    pthread_cond_init(&m.gate_cond, NULL);
    enum err result = run(&m, runners, count, ret_pace);
    pthread_cond_destroy(&m.gate_cond);
    pthread_mutex_destroy(&m.lock);
    free(runners);
    return result;
}

double password_pace_rate(const struct password_pace *pace)
{
    return pace->cpu_us > 0 ? (double)pace->hashes * 1e6 / (double)pace->cpu_us : 0;
}

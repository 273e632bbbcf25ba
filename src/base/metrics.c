#include "metrics.h"

#include "errors.h"
#include <math.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE  64
#define MAX_LABELS  8
#define MAX_SHARDS  256
#define MAX_BUCKETS 16 /* and +Inf */

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct declaration {
    enum kind kind;
    const char *name;
    const char *label;
    const char *values;
    const char *help;
};

static const struct declaration declarations[METRIC_COUNT] = {
#define X(id, kind, name, label, values, help) { kind, name, label, values, help },
    METRICS_LIST(X)
#undef X
};

/* All histograms count in millionths of their unit, so that integers do. */
static const int64_t seconds_bounds[MAX_BUCKETS] = {
    100,   250,    500,    1000,   2500,    5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};
#define M(n) (INT64_C(n) * 1000000)
static const int64_t count_bounds[MAX_BUCKETS] = {
    M(1),   M(2),   M(4),    M(8),    M(16),   M(32),   M(64),    M(128),
    M(256), M(512), M(1024), M(2048), M(4096), M(8192), M(16384), M(32768),
};
#undef M

/* Which statuses are told apart; the first one stands for all others. */
static const int statuses[] = { 0,   200, 201, 204, 304, 400, 401, 403, 404, 405, 408,
                                409, 413, 414, 415, 417, 422, 429, 431, 500, 503 };
#define STATUS_COUNT (sizeof(statuses) / sizeof(statuses[0]))

struct histogram {
    _Atomic uint64_t buckets[MAX_BUCKETS + 1];
    _Atomic uint64_t sum;
};

struct route {
    _Atomic(struct histogram *) by_status[STATUS_COUNT];
};

/* What one thread counts. Histograms are made at first use, because most threads have few. */
struct shard {
    alignas(CACHE_LINE) _Atomic uint64_t counters[METRIC_COUNT][MAX_LABELS];
    _Atomic(struct histogram *) histograms[METRIC_COUNT][MAX_LABELS];
    _Atomic(struct route *) routes[METRICS_MAX_ROUTES];
};

/* The last one is shared by the threads for which there was no other, or no memory. */
static struct shard last_shard;
static _Atomic(struct shard *) shards[MAX_SHARDS - 1];
static _Atomic size_t shards_given;
static _Thread_local struct shard *own_shard;

static _Atomic int64_t gauges[METRIC_COUNT][MAX_LABELS];
static const char *const *route_names;
static size_t route_count;

static struct shard *shard_take(void)
{
    size_t index = atomic_fetch_add_explicit(&shards_given, 1, memory_order_relaxed);
    if (index >= MAX_SHARDS - 1) {
        return &last_shard;
    }
    struct shard *s = aligned_alloc(CACHE_LINE, sizeof(*s));
    if (s == NULL) {
        return &last_shard;
    }
    memset(s, 0, sizeof(*s));
    atomic_store_explicit(&shards[index], s, memory_order_release);
    return s;
}

static struct shard *shard_own(void)
{
    if (own_shard == NULL) {
        own_shard = shard_take();
    }
    return own_shard;
}

/* What *slot points at, made at first use; NULL without memory. Two threads may race for a slot of
 * the last shard. */
#define LAZY(slot, type)                                                                           \
    static struct type *type##_at(_Atomic(struct type *) *(slot))                                  \
    {                                                                                              \
        struct type *present = atomic_load_explicit(slot, memory_order_acquire);                   \
        if (present != NULL) {                                                                     \
            return present;                                                                        \
        }                                                                                          \
        struct type *made = calloc(1, sizeof(*made));                                              \
        if (made != NULL && !atomic_compare_exchange_strong(slot, &present, made)) {               \
            free(made);                                                                            \
            return present;                                                                        \
        }                                                                                          \
        return made;                                                                               \
    }                                                                                              \
    struct type##_lazy_needs_semicolon_

LAZY(slot, histogram);
LAZY(slot, route);

static void count(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

void metrics_add(enum metric m, unsigned label, uint64_t amount)
{
    INVARIANT(label < MAX_LABELS);
    count(&shard_own()->counters[m][label], amount);
}

void metrics_gauge_set(enum metric m, unsigned label, int64_t value)
{
    INVARIANT(label < MAX_LABELS);
    atomic_store_explicit(&gauges[m][label], value, memory_order_relaxed);
}

void metrics_gauge_move(enum metric m, unsigned label, int64_t change)
{
    INVARIANT(label < MAX_LABELS);
    atomic_fetch_add_explicit(&gauges[m][label], change, memory_order_relaxed);
}

static const int64_t *bounds_of(enum metric m)
{
    static const char seconds[] = "_seconds";
    const char *name = declarations[m].name;
    size_t length = strlen(name);
    size_t suffix = sizeof(seconds) - 1;
    bool timed = length >= suffix && memcmp(name + length - suffix, seconds, suffix) == 0;
    return timed ? seconds_bounds : count_bounds;
}

static void observe(struct histogram *h, const int64_t *bounds, int64_t millionths)
{
    if (h == NULL) {
        return;
    }
    int64_t value = millionths < 0 ? 0 : millionths;
    size_t i = 0;
    while (i < MAX_BUCKETS && value > bounds[i]) {
        i++;
    }
    count(&h->buckets[i], 1);
    count(&h->sum, (uint64_t)value);
}

void metrics_observe_us(enum metric m, unsigned label, int64_t microseconds)
{
    INVARIANT(label < MAX_LABELS);
    observe(histogram_at(&shard_own()->histograms[m][label]), bounds_of(m), microseconds);
}

void metrics_observe(enum metric m, unsigned label, double value)
{
    metrics_observe_us(m, label, (int64_t)llround(value * 1e6));
}

void metrics_routes(const char *const *names, size_t routes)
{
    INVARIANT(routes <= METRICS_MAX_ROUTES);
    route_names = names;
    route_count = routes;
}

static size_t status_index(int status)
{
    size_t i = STATUS_COUNT - 1;
    while (i > 0 && statuses[i] != status) {
        i--;
    }
    return i;
}

void metrics_request(size_t route, int status, int64_t microseconds)
{
    INVARIANT(route < METRICS_MAX_ROUTES);
    struct route *r = route_at(&shard_own()->routes[route]);
    if (r != NULL) {
        observe(histogram_at(&r->by_status[status_index(status)]), seconds_bounds, microseconds);
    }
}

/* ---- showing them ---- */

struct totals {
    uint64_t buckets[MAX_BUCKETS + 1];
    uint64_t sum;
    uint64_t count;
};

static struct shard *shard_at(size_t i)
{
    return i == MAX_SHARDS - 1 ? &last_shard
                               : atomic_load_explicit(&shards[i], memory_order_acquire);
}

static uint64_t counter_total(enum metric m, unsigned label)
{
    uint64_t total = 0;
    for (size_t i = 0; i < MAX_SHARDS; i++) {
        struct shard *s = shard_at(i);
        if (s != NULL) {
            total += atomic_load_explicit(&s->counters[m][label], memory_order_relaxed);
        }
    }
    return total;
}

static void totals_add(struct totals *t, struct histogram *h)
{
    if (h == NULL) {
        return;
    }
    for (size_t i = 0; i <= MAX_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        t->buckets[i] += n;
        t->count += n;
    }
    t->sum += atomic_load_explicit(&h->sum, memory_order_relaxed);
}

static struct totals histogram_totals(enum metric m, unsigned label)
{
    struct totals t = { 0 };
    for (size_t i = 0; i < MAX_SHARDS; i++) {
        struct shard *s = shard_at(i);
        if (s != NULL) {
            totals_add(&t, atomic_load_explicit(&s->histograms[m][label], memory_order_acquire));
        }
    }
    return t;
}

static struct totals request_totals(size_t route, size_t status)
{
    struct totals t = { 0 };
    for (size_t i = 0; i < MAX_SHARDS; i++) {
        struct shard *s = shard_at(i);
        struct route *r =
            s == NULL ? NULL : atomic_load_explicit(&s->routes[route], memory_order_acquire);
        if (r != NULL) {
            totals_add(&t, atomic_load_explicit(&r->by_status[status], memory_order_acquire));
        }
    }
    return t;
}

static void render_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void render_millionths(struct buf *out, uint64_t value)
{
    buf_printf(out, "%llu.%06llu", (unsigned long long)(value / 1000000),
               (unsigned long long)(value % 1000000));
}

/* One series in braces; `labels` may be empty, `le` NULL. */
static void render_labels(struct buf *out, struct span labels, const char *le)
{
    if (labels.length == 0 && le == NULL) {
        return;
    }
    buf_add_char(out, '{');
    buf_add(out, labels);
    if (le != NULL) {
        buf_printf(out, "%sle=\"%s\"", labels.length > 0 ? "," : "", le);
    }
    buf_add_char(out, '}');
}

static void render_bucket(struct buf *out, const char *name, struct span labels, int64_t bound,
                          uint64_t value)
{
    char le[32] = "+Inf";
    if (bound >= 0) {
        (void)snprintf(le, sizeof(le), "%.10g", (double)bound / 1e6);
    }
    buf_printf(out, "%s_bucket", name);
    render_labels(out, labels, le);
    buf_printf(out, " %llu\n", (unsigned long long)value);
}

static void render_histogram(struct buf *out, const char *name, struct span labels,
                             const int64_t *bounds, const struct totals *t)
{
    uint64_t running = 0;
    for (size_t i = 0; i <= MAX_BUCKETS; i++) {
        running += t->buckets[i];
        render_bucket(out, name, labels, i < MAX_BUCKETS ? bounds[i] : -1, running);
    }
    buf_printf(out, "%s_sum", name);
    render_labels(out, labels, NULL);
    buf_add_char(out, ' ');
    render_millionths(out, t->sum);
    buf_printf(out, "\n%s_count", name);
    render_labels(out, labels, NULL);
    buf_printf(out, " %llu\n", (unsigned long long)t->count);
}

static void render_value(struct buf *out, enum metric m, unsigned label, struct span labels)
{
    const struct declaration *d = &declarations[m];
    if (d->kind == HISTOGRAM) {
        struct totals t = histogram_totals(m, label);
        render_histogram(out, d->name, labels, bounds_of(m), &t);
        return;
    }
    buf_add_text(out, d->name);
    render_labels(out, labels, NULL);
    if (d->kind == COUNTER) {
        buf_printf(out, " %llu\n", (unsigned long long)counter_total(m, label));
    } else {
        int64_t value = atomic_load_explicit(&gauges[m][label], memory_order_relaxed);
        buf_printf(out, " %lld\n", (long long)value);
    }
}

static void render_metric(struct buf *out, enum metric m)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };
    const struct declaration *d = &declarations[m];
    render_head(out, d->name, types[d->kind], d->help);
    struct span rest = span_of(d->values);
    struct span value;
    for (unsigned label = 0; span_split(&rest, ',', &value); label++) {
        INVARIANT(label < MAX_LABELS);
        char labels[96] = "";
        if (d->label[0] != '\0') {
            (void)snprintf(labels, sizeof(labels), "%s=\"%.*s\"", d->label, SPAN_FMT(value));
        }
        render_value(out, m, label, span_of(labels));
    }
}

static void render_request(struct buf *out, const char *name, size_t route, size_t status)
{
    struct totals t = request_totals(route, status);
    if (t.count == 0) {
        return;
    }
    char labels[160];
    char number[16] = "other";
    if (statuses[status] != 0) {
        (void)snprintf(number, sizeof(number), "%d", statuses[status]);
    }
    (void)snprintf(labels, sizeof(labels), "route=\"%s\",status=\"%s\"", route_names[route],
                   number);
    render_histogram(out, name, span_of(labels), seconds_bounds, &t);
}

static void render_requests(struct buf *out)
{
    static const char name[] = "doorward_request_seconds";
    render_head(out, name, "histogram", "Time from a request's first byte to its answer.");
    for (size_t route = 0; route < route_count; route++) {
        for (size_t status = 0; status < STATUS_COUNT; status++) {
            render_request(out, name, route, status);
        }
    }
}

void metrics_render(struct buf *out)
{
    for (int m = 0; m < METRIC_COUNT; m++) {
        render_metric(out, (enum metric)m);
    }
    render_requests(out);
}

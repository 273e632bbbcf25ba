#include "recorder.h"

#include <math.h>
#include <stdlib.h>

#define MAX_BITS          42 /* of RECORDER_MAX_NS */
#define STEPS_PER_HALVING 5  /* lines of the text for each halving of what is above */
#define NS_PER_MS         1e6

struct recorder {
    unsigned precision;
    uint64_t count;
    int64_t greatest;
    double sum;
    double sum_of_squares;
    size_t length;
    uint64_t cells[];
};

/* Values below 2^precision have a cell each; each power of two above has half as many. */
static size_t cells_of(unsigned precision)
{
    return ((size_t)1 << precision) + (MAX_BITS - precision + 1) * ((size_t)1 << (precision - 1));
}

enum err recorder_new(unsigned precision, struct recorder **ret_recorder)
{
    INVARIANT(precision >= 2 && precision < MAX_BITS);
    size_t length = cells_of(precision);
    struct recorder *r = calloc(1, sizeof(*r) + length * sizeof(r->cells[0]));
    if (r == NULL) {
        return ERR_NOMEM;
    }
    r->precision = precision;
    r->length = length;
    *ret_recorder = r;
    return ERR_OK;
}

void recorder_free(struct recorder *r)
{
    free(r);
}

static size_t cell_of(const struct recorder *r, uint64_t value)
{
    if (value < (uint64_t)1 << r->precision) {
        return (size_t)value;
    }
    unsigned shift = 64 - (unsigned)__builtin_clzll(value) - r->precision;
    size_t half = (size_t)1 << (r->precision - 1);
    return shift * half + (size_t)(value >> shift);
}

/* The greatest value that falls into the cell. */
static int64_t top_of(const struct recorder *r, size_t cell)
{
    size_t half = (size_t)1 << (r->precision - 1);
    if (cell < 2 * half) {
        return (int64_t)cell;
    }
    size_t shift = cell / half - 1;
    uint64_t within = cell - shift * half;
    return (int64_t)(((within + 1) << shift) - 1);
}

void recorder_add(struct recorder *r, int64_t ns)
{
    int64_t value = ns < 0 ? 0 : ns > RECORDER_MAX_NS ? RECORDER_MAX_NS : ns;
    r->cells[cell_of(r, (uint64_t)value)]++;
    r->count++;
    r->sum += (double)value;
    r->sum_of_squares += (double)value * (double)value;
    if (value > r->greatest) {
        r->greatest = value;
    }
}

void recorder_merge(struct recorder *r, const struct recorder *from)
{
    INVARIANT(r->precision == from->precision);
    for (size_t i = 0; i < r->length; i++) {
        r->cells[i] += from->cells[i];
    }
    r->count += from->count;
    r->sum += from->sum;
    r->sum_of_squares += from->sum_of_squares;
    if (from->greatest > r->greatest) {
        r->greatest = from->greatest;
    }
}

uint64_t recorder_count(const struct recorder *r)
{
    return r->count;
}

static int64_t value_of(const struct recorder *r, size_t cell)
{
    int64_t top = top_of(r, cell);
    return top < r->greatest ? top : r->greatest;
}

int64_t recorder_at(const struct recorder *r, double percent)
{
    uint64_t wanted = (uint64_t)ceil(percent / 100.0 * (double)r->count);
    uint64_t seen = 0;
    for (size_t i = 0; i < r->length; i++) {
        seen += r->cells[i];
        if (r->cells[i] > 0 && seen >= wanted) {
            return value_of(r, i);
        }
    }
    return r->greatest;
}

double recorder_mean(const struct recorder *r)
{
    return r->count == 0 ? 0 : r->sum / (double)r->count;
}

double recorder_deviation(const struct recorder *r)
{
    if (r->count == 0) {
        return 0;
    }
    double mean = recorder_mean(r);
    double variance = r->sum_of_squares / (double)r->count - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}

/* ---- the text ---- */

static void write_line(FILE *file, int64_t ns, double percent, uint64_t seen)
{
    (void)fprintf(file, "%12.3f %2.12f %10llu", (double)ns / NS_PER_MS, percent / 100.0,
                  (unsigned long long)seen);
    if (percent < 100) {
        (void)fprintf(file, " %14.2f", 1.0 / (1.0 - percent / 100.0));
    }
    (void)fputc('\n', file);
}

/* Lines lie closer the nearer they are to 100 %. */
static double next_percent(double percent)
{
    double halvings = floor(log2(100.0 / (100.0 - percent))) + 1;
    return percent + 100.0 / (STEPS_PER_HALVING * exp2(halvings));
}

static void write_lines(const struct recorder *r, FILE *file)
{
    double percent = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < r->length && seen < r->count; i++) {
        seen += r->cells[i];
        while (r->cells[i] > 0 && 100.0 * (double)seen / (double)r->count >= percent) {
            write_line(file, value_of(r, i), percent, seen);
            percent = next_percent(percent);
            if (seen == r->count) {
                break;
            }
        }
    }
    if (r->count > 0) {
        write_line(file, r->greatest, 100, r->count);
    }
}

void recorder_write(const struct recorder *r, FILE *file)
{
    (void)fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                  "1/(1-Percentile)");
    write_lines(r, file);
    (void)fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
                  recorder_mean(r) / NS_PER_MS, recorder_deviation(r) / NS_PER_MS);
    (void)fprintf(file, "#[Max     = %12.3f, Total count    = %12llu]\n",
                  (double)r->greatest / NS_PER_MS, (unsigned long long)r->count);
    (void)fprintf(file, "#[Buckets = %12u, SubBuckets     = %12u]\n", MAX_BITS - r->precision + 2,
                  1U << r->precision);
}

/* recorder.h - how often each latency was seen, in HdrHistogram's form: cells that are equally wide
 * within a power of two, so that what is read back is never less than what was recorded and at most
 * 1/2^(precision-1) more: 0.1 % at RECORDER_FINE.
 *
 * Threads:   one owner at a time.
 * Ownership: recorder_free() takes NULL.
 * Failure:   ERR_NOMEM.
 * Units:     nanoseconds; what is longer than RECORDER_MAX_NS is recorded as that. */
#ifndef DOORWARD_BENCH_RECORDER_H
#define DOORWARD_BENCH_RECORDER_H

#include "base.h"
#include <stdio.h>

#define RECORDER_FINE   11 /* bits: 270 kB, for results */
#define RECORDER_COARSE 5  /* 6 %, 5 kB: for each second of a long run */
#define RECORDER_MAX_NS ((int64_t)1 << 42)

struct recorder;
MUST_CHECK enum err recorder_new(unsigned precision, struct recorder **ret_recorder);
void recorder_free(struct recorder *r);
void recorder_add(struct recorder *r, int64_t ns);
/* All of `from`, which has the same precision, into `r`. */
void recorder_merge(struct recorder *r, const struct recorder *from);

uint64_t recorder_count(const struct recorder *r);
/* What `percent` of the values do not exceed; 100 is the greatest, exactly. 0 without values. */
int64_t recorder_at(const struct recorder *r, double percent);
double recorder_mean(const struct recorder *r);
double recorder_deviation(const struct recorder *r); /* standard */
/* HdrHistogram's text of percentiles, as its plotter and `wrk2` know it; values in milliseconds. */
void recorder_write(const struct recorder *r, FILE *file);

#endif

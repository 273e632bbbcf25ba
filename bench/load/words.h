/* words.h - numbers and durations as they stand on the command line.
 *
 * Threads:   pure functions.
 * Failure:   false, and nothing is written. */
#ifndef DOORWARD_BENCH_WORDS_H
#define DOORWARD_BENCH_WORDS_H

#include "span.h"

#define NS_PER_S ((int64_t)1000000000)

/* A decimal number without sign or exponent. */
bool words_number(struct span text, double *ret_number);
/* A number with us, ms, s, m or h; without, seconds. */
bool words_duration(struct span text, int64_t *ret_ns);

#endif

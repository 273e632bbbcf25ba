/* clock.h - the time of day for what expires, a monotonic time for what waits.
 *
 * Threads:   any; a fake clock may be moved from another thread.
 * Units:     Unix milliseconds UTC; microseconds for the monotonic clock. */
#ifndef DOORWARD_CLOCK_H
#define DOORWARD_CLOCK_H

#include "errors.h"
#include "span.h"
#include <stdatomic.h>

/* The time of day, shifted: production uses `offset_ms` 0, tests move it. */
struct clock {
    _Atomic int64_t offset_ms;
    _Atomic int64_t frozen_ms; /* not 0: time stands still here */
};

int64_t clock_now_ms(const struct clock *c);
/* CLOCK_MONOTONIC in microseconds: for durations and waits inside the process, never for expiry. */
int64_t clock_monotonic_us(void);
/* Processor time so far. */
int64_t clock_thread_cpu_us(void);
int64_t clock_process_cpu_us(void); /* of all threads */

#define CLOCK_RFC3339_LENGTH 24 /* 2026-11-21T05:04:03.123Z */
/* Writes CLOCK_RFC3339_LENGTH characters and a NUL. Years 1970 to 9999; others are clipped. */
void clock_rfc3339(int64_t unix_ms, char out[static CLOCK_RFC3339_LENGTH + 1]);
/* That form, or the one without milliseconds; a leap second is the next one. False for others. */
bool clock_from_rfc3339(struct span text, int64_t *ret_unix_ms);

#endif

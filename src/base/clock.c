#include "clock.h"

#include <time.h>

#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    INVARIANT(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_ms(const struct clock *c)
{
    int64_t frozen = atomic_load(&c->frozen_ms);
    if (frozen != 0) {
        return frozen;
    }
    return read_us(CLOCK_REALTIME) / 1000 + atomic_load(&c->offset_ms);
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

static void put_digits(char *out, int width, int value)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_rfc3339(int64_t unix_ms, char out[static CLOCK_RFC3339_LENGTH + 1])
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    int64_t ms = unix_ms < 0 ? 0 : unix_ms > LAST_MS ? LAST_MS : unix_ms;
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    INVARIANT(gmtime_r(&seconds, &t) != NULL);
    for (size_t i = 0; i < sizeof(form); i++) {
        out[i] = form[i];
    }
    put_digits(out, 4, t.tm_year + 1900);
    put_digits(out + 5, 2, t.tm_mon + 1);
    put_digits(out + 8, 2, t.tm_mday);
    put_digits(out + 11, 2, t.tm_hour);
    put_digits(out + 14, 2, t.tm_min);
    put_digits(out + 17, 2, t.tm_sec);
    put_digits(out + 20, 3, (int)(ms % 1000));
}

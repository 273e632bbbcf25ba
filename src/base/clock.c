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

int64_t clock_thread_cpu_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_process_cpu_us(void)
{
    return read_us(CLOCK_PROCESS_CPUTIME_ID);
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

/* Where `form` has a digit there is one in the text, and everything else is the same. */
static bool has_form(struct span text, struct span form)
{
    bool fits = text.length == form.length;
    for (size_t i = 0; fits && i < form.length; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        fits = form.data[i] == '0' ? is_digit : text.data[i] == form.data[i];
    }
    return fits;
}

static int digits_at(struct span text, size_t start, size_t width)
{
    uint64_t value = 0;
    INVARIANT(span_to_u64(span_slice(text, start, width), 9999, &value));
    return (int)value;
}

bool clock_from_rfc3339(struct span text, int64_t *ret_unix_ms)
{
    bool has_ms = has_form(text, SPAN("0000-00-00T00:00:00.000Z"));
    if (!has_ms && !has_form(text, SPAN("0000-00-00T00:00:00Z"))) {
        return false;
    }
    struct tm t = { .tm_year = digits_at(text, 0, 4) - 1900,
                    .tm_mon = digits_at(text, 5, 2) - 1,
                    .tm_mday = digits_at(text, 8, 2),
                    .tm_hour = digits_at(text, 11, 2),
                    .tm_min = digits_at(text, 14, 2),
                    .tm_sec = digits_at(text, 17, 2) };
    struct tm day = { .tm_year = t.tm_year, .tm_mon = t.tm_mon, .tm_mday = t.tm_mday };
    /* timegm() turns a day that its month has not into one of the next. */
    if (t.tm_year < 70 || t.tm_hour > 23 || t.tm_min > 59 || t.tm_sec > 60 || timegm(&day) < 0 ||
        day.tm_mon != t.tm_mon || day.tm_mday != t.tm_mday) {
        return false;
    }
    int64_t seconds = (int64_t)timegm(&t);
    *ret_unix_ms = seconds * 1000 + (has_ms ? digits_at(text, 20, 3) : 0);
    return true;
}

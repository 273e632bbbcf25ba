#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define TERMINAL_US INT64_C(200000)
#define PLAIN_US    INT64_C(10000000)

static int64_t pause_us(const struct progress *p)
{
    return p->is_terminal ? TERMINAL_US : PLAIN_US;
}

void progress_begin(struct progress *p)
{
    *p = (struct progress){ .is_terminal = isatty(STDERR_FILENO) == 1 };
    p->next_us = clock_monotonic_us() + pause_us(p);
}

void progress_show(struct progress *p, const char *format, ...)
{
    int64_t now_us = clock_monotonic_us();
    if (now_us < p->next_us) {
        return;
    }
    p->next_us = now_us + pause_us(p);
    va_list arguments;
    va_start(arguments, format);
    (void)fputs(p->is_terminal ? "\r\033[K" : "doorward: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (!p->is_terminal) {
        (void)fputc('\n', stderr);
    }
    (void)fflush(stderr);
    p->is_shown = p->is_terminal;
}

void progress_clear(struct progress *p)
{
    if (p->is_shown) {
        (void)fputs("\r\033[K", stderr);
        p->is_shown = false;
    }
}

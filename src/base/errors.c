#include "errors.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const texts[ERR_COUNT] = {
#define X(name, text) text,
    ERR_LIST(X)
#undef X
};

static const char *const names[ERR_COUNT] = {
#define X(name, text) #name,
    ERR_LIST(X)
#undef X
};

const char *err_text(enum err e)
{
    return (unsigned)e < ERR_COUNT ? texts[e] : "an unknown error";
}

const char *err_name(enum err e)
{
    return (unsigned)e < ERR_COUNT ? names[e] : "UNKNOWN";
}

noreturn void err_invariant(const char *condition, const char *file, int line)
{
    /* Not through the log: its thread would not live to write it. */
    (void)fprintf(stderr, "doorward: broken invariant at %s:%d: %s\n", file, line, condition);
    abort();
}

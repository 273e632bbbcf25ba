#include "memory.h"

#include <stdlib.h>

/* With a connection's 15 kB a megabyte. */
#define MIN_GONE 64

bool memory_has_gone(size_t *most, size_t now)
{
    if (now > *most) {
        *most = now;
    }
    size_t gone = *most - now;
    if (gone < MIN_GONE || gone < *most / 4) {
        return false;
    }
    /* The last few of many are given back too. */
    *most = now > 0 && now < MIN_GONE ? MIN_GONE : now;
    return true;
}

#ifdef __GLIBC__
#include <malloc.h>

#define ARENAS 2

/* A thread keeps freed pieces of each small size, 7 of them up to glibc 2.41. */
#define KEPT           16
#define KEPT_STEP      16
#define KEPT_MAX_BYTES 1024

void memory_settle(void)
{
    (void)mallopt(M_ARENA_MAX, ARENAS);
}

/* The kept pieces lie where they were freed, hundreds of them, each with a page of its own. Others,
 * cut from one place, are freed first and so kept in their stead. */
static void renew_kept(size_t size)
{
    void *volatile kept[KEPT]; /* volatile: or the compiler sees that nothing comes of it */
    void *volatile fresh[KEPT];
    for (size_t i = 0; i < KEPT; i++) {
        kept[i] = malloc(size);
    }
    for (size_t i = 0; i < KEPT; i++) {
        fresh[i] = malloc(size);
    }
    for (size_t i = KEPT; i > 0; i--) {
        free(fresh[i - 1]);
    }
    for (size_t i = 0; i < KEPT; i++) {
        free(kept[i]);
    }
}

void memory_give_back(void)
{
    /* The small ones come last: they would sit in every gap that the large ones could use. */
    for (size_t size = KEPT_MAX_BYTES; size > 0; size -= KEPT_STEP) {
        renew_kept(size);
    }
    (void)malloc_trim(0);
}
#else
void memory_settle(void)
{
}

void memory_give_back(void)
{
}
#endif

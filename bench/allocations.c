/* allocations.c - counts what every library of this program takes from the heap.
 *
 * A program's own malloc() comes before the C library's, and glibc has names for what is behind.
 * Sanitizers have a malloc() of their own; there nothing is counted. */
#include "measure.h"

#if COUNT_ALLOCATIONS && defined(__GLIBC__)

#include <stdatomic.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);

/* A thread's own, so that counting costs nothing; few enough threads are measured. */
#define MAX_THREADS 512
static _Atomic uint64_t counts[MAX_THREADS];
static _Atomic unsigned threads;
static _Thread_local _Atomic uint64_t *own __attribute__((tls_model("initial-exec")));

static void count_one(void)
{
    if (own == NULL) {
        own = &counts[atomic_fetch_add(&threads, 1) % MAX_THREADS];
    }
    atomic_fetch_add_explicit(own, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count_one();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    count_one();
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    count_one();
    return __libc_realloc(old, size);
}

uint64_t measure_allocations(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < MAX_THREADS; i++) {
        sum += atomic_load_explicit(&counts[i], memory_order_relaxed);
    }
    return sum;
}

#else

uint64_t measure_allocations(void)
{
    return 0;
}

#endif

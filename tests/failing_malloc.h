/* failing_malloc.h - memory and threads that run out at a chosen moment.
 *
 * For the one file of a test program that lists failing_malloc_dep.
 *
 *   for (int n = 1; fail_allocation(n), thing_that_allocates(), allocation_failed(); n++) { ... }
 *   fail_allocation(0);
 *
 * Threads: any. */
#ifndef DOORWARD_FAILING_MALLOC_H
#define DOORWARD_FAILING_MALLOC_H

#include "wrapped_malloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

static _Atomic int allocations_left_; /* 1: the next one fails; 0 and below: none does */
static _Atomic bool allocation_failed_;

/* The `n`th allocation from now fails, once; 0: none. */
static inline void fail_allocation(int n)
{
    atomic_store(&allocation_failed_, false);
    atomic_store(&allocations_left_, n);
}

/* Has it come to that since fail_allocation()? */
static inline bool allocation_failed(void)
{
    return atomic_load(&allocation_failed_);
}

static inline bool allocation_fails_(void)
{
    if (atomic_fetch_sub(&allocations_left_, 1) != 1) {
        return false;
    }
    atomic_store(&allocation_failed_, true);
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails_() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails_() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return allocation_fails_() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return allocation_fails_() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    return allocation_fails_() ? MAP_FAILED
                               : __real_mmap64(at, size, protection, flags, file, offset);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    return allocation_fails_() ? EAGAIN
                               : __real_pthread_create(thread, attributes, start, argument);
}

#endif

/* wrapped_malloc.h - what the linker sends to a test instead of to the C library.
 *
 * For the one file of a test program that lists failing_malloc_dep: every malloc, calloc, realloc,
 * aligned_alloc, mmap and pthread_create of our own code comes to __wrap_, which that file defines
 * (failing_malloc.h does). Libraries outside are not concerned.
 * (With 64 bits of file offset everywhere, mmap is called mmap64.) */
#ifndef DOORWARD_WRAPPED_MALLOC_H
#define DOORWARD_WRAPPED_MALLOC_H

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

#endif

/* thread.h - how a thread of ours begins.
 *
 * Threads:   any.
 * Failure:   ERR_NOMEM; ERR_CONFIG for a stack that the system does not give. */
#ifndef DOORWARD_THREAD_H
#define DOORWARD_THREAD_H

#include "errors.h"
#include <pthread.h>
#include <stddef.h>

/* Runs `run(argument)`, to be joined by the caller. All signals are blocked in it: they are for the
 * threads that know what to do with them. A name of at most 15 bytes is shown by the system;
 * `stack_bytes` 0: as large as it usually is. */
MUST_CHECK enum err thread_start(pthread_t *ret_thread, const char *name, size_t stack_bytes,
                                 void *(*run)(void *), void *argument);

#endif

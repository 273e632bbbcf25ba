/* memory.h - what the C library keeps of freed memory, and when it goes back to the system.
 *
 * Threads:   any.
 * Ownership: nothing is owned.
 * Failure:   none. Only glibc's heap is known; with another the first and the last do nothing. */
#ifndef DOORWARD_MEMORY_H
#define DOORWARD_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Before the first thread: few arenas, since each keeps memory that nobody uses. */
void memory_settle(void);

/* Told now and then how many things that take memory there are: have a quarter of the most that
 * there were (*most, 0 at first) gone, and so many that giving theirs back is worth it? Then *most
 * begins anew. Of things that go at once a step after the other is given back, not all in one. */
bool memory_has_gone(size_t *most, size_t now);

/* What is free goes back, wherever it lies. Takes some 0.4 ms and, for each 10 MB, 1.6 ms more, in
 * which others may wait for memory. */
void memory_give_back(void);

#endif

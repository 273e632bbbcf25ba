/* sizes.h - what the machine gives, and what the service makes of it.
 *
 * Threads:   the main thread.
 * Failure:   what cannot be read counts as unlimited.
 * Units:     bytes. */
#ifndef DOORWARD_SIZES_H
#define DOORWARD_SIZES_H

#include "base.h"

struct machine {
    unsigned cpus;         /* that may be used: affinity and the cgroup's quota, rounded up */
    uint64_t memory_bytes; /* of the machine or the cgroup, whichever is less; 0: unknown */
};
struct machine machine_look(void);

struct config;
/* The arithmetic of a start. */
struct sizes {
    unsigned loops, engine_threads, store_workers, password_workers, readers;
    size_t connections; /* at most MAX_CONNECTIONS, fewer where files are short */
    size_t arena_bytes; /* ceiling of one request */
    size_t worker_stack_bytes;
    size_t store_connections; /* to a database server; 0 for a file */
    uint64_t files_needed, files_allowed;
    uint64_t idle_bytes;  /* all connections open and idle */
    uint64_t worst_bytes; /* and every queue full of the largest requests */
};
/* Raises RLIMIT_NOFILE as far as it goes. */
struct sizes sizes_plan(const struct config *c);
/* The block that the start prints. */
void sizes_print(const struct sizes *s, const struct config *c, struct buf *out);

#endif

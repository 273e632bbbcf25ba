#include "sizes.h"

#include "password.h"
#include "settings.h"
#include "store.h"
#include <sys/resource.h>

#define KIB            ((uint64_t)1024)
#define MIB            (KIB * KIB)
#define MAX_READERS    8
#define FILES_PER_LOOP 8  /* epoll, wake-ups, listeners' duplicates */
#define FILES_OTHER    64 /* database, log, standard streams, libraries */
#define WORKER_STACK   (256 * KIB)
#define LOOP_STACK     MIB
#define ANSWER_BYTES   (128 * KIB) /* room in a request's arena for what it reads and says */
#define SESSION_BYTES  (3 * KIB)   /* of that for one session in a list: record, view, JSON */
#define STORE_FILES    32          /* of libmongoc: two to watch each server, and its libraries */
/* Measured with libmongoc 1.23: its libraries and threads, and a client with its connection. */
#define DRIVER_BYTES           (16 * MIB)
#define STORE_CONNECTION_BYTES (96 * KIB)
/* Measured with OpenSSL 3.0: socket, stream and parser of one idle TLS connection. */
#define IDLE_CONNECTION_BYTES (20 * KIB)

/* RLIMIT_NOFILE as far up as `needed` asks and the system lets. */
static uint64_t raise_files(uint64_t needed)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    if (limit.rlim_cur >= needed) {
        return limit.rlim_cur;
    }
    struct rlimit more = { .rlim_cur = needed,
                           .rlim_max = limit.rlim_max > needed ? limit.rlim_max : needed };
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) { /* over the hard limit: only as root */
        return needed;
    }
    more = (struct rlimit){ .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };
    return setrlimit(RLIMIT_NOFILE, &more) == 0 ? limit.rlim_max : limit.rlim_cur;
}

static void plan_files(struct sizes *s, const struct config *c)
{
    uint64_t other = FILES_OTHER + (uint64_t)s->loops * FILES_PER_LOOP + s->readers * 3;
    if (s->store_connections > 0) {
        other += s->store_connections + STORE_FILES;
    }
    s->files_needed = (uint64_t)c->max_connections + other;
    s->files_allowed = raise_files(s->files_needed);
    s->connections = (size_t)c->max_connections;
    if (s->files_allowed < s->files_needed) {
        s->connections = s->files_allowed > other ? (size_t)(s->files_allowed - other) : 0;
    }
}

static void plan_memory(struct sizes *s, const struct config *c)
{
    uint64_t sessions = (uint64_t)c->max_sessions * SESSION_BYTES;
    uint64_t answer = sessions > ANSWER_BYTES ? sessions : ANSWER_BYTES;
    /* A body is in the arena as it came, and once more as values. */
    s->arena_bytes = (size_t)(c->max_header_bytes + 3 * c->max_body_bytes) + answer;
    s->worker_stack_bytes = WORKER_STACK;
    uint64_t workers = (uint64_t)s->store_workers + s->password_workers;
    uint64_t stacks = workers * WORKER_STACK + s->loops * LOOP_STACK;
    uint64_t requests = (uint64_t)c->store_queue + (uint64_t)c->password_queue + workers;
    requests = requests < s->connections ? requests : s->connections;
    s->idle_bytes = s->connections * IDLE_CONNECTION_BYTES;
    s->worst_bytes =
        s->idle_bytes + stacks + requests * s->arena_bytes + (uint64_t)c->argon2_memory_budget;
    if (s->store_connections > 0) {
        s->worst_bytes += DRIVER_BYTES + s->store_connections * STORE_CONNECTION_BYTES;
    }
}

struct sizes sizes_plan(const struct config *c)
{
    unsigned cpus = c->machine.cpus;
    struct sizes s = {
        .loops = (unsigned)c->loops,
        .engine_threads = cpus,
        .store_workers = (unsigned)c->store_workers,
        .password_workers = (unsigned)c->password_workers,
        .readers = cpus < 2             ? 2
                   : cpus > MAX_READERS ? MAX_READERS
                                        : cpus,
    };
    s.store_connections = config_uses_mongo(c) ? (size_t)c->mongo_pool : 0;
    plan_files(&s, c);
    plan_memory(&s, c);
    return s;
}

static double in_mib(uint64_t bytes)
{
    return (double)bytes / (double)MIB;
}

/* What is not pinned is measured later: the log tells, as password_kernel. */
static void print_hashing(const struct sizes *s, const struct config *c, struct buf *out)
{
    buf_printf(out, "  hashing      %u threads of ", s->engine_threads);
    if (c->password_lanes > 0) {
        buf_printf(out, "%lld lanes, kernel %.*s", (long long)c->password_lanes,
                   SPAN_FMT(c->password_kernel));
    } else {
        buf_printf(out, "up to %d lanes, by measurement, kernel %.*s", PASSWORD_LANES_MAX,
                   SPAN_FMT(c->password_kernel));
    }
    buf_printf(out, "; %.0f MiB for argon2 and scrypt\n",
               in_mib((uint64_t)c->argon2_memory_budget));
}

/* libmongoc has no limit an operation: the bound is that of its waits, each twice, and a call of
 * several begins none when one would be late. */
static void print_store(const struct sizes *s, const struct config *c, struct buf *out)
{
    if (s->store_connections > 0) {
        int64_t begin_ms = STORE_MONGO_BEGIN_MS(c->mongo_selection_ms, c->mongo_socket_ms);
        int64_t end_ms = begin_ms + 2 * (c->mongo_selection_ms + c->mongo_socket_ms);
        buf_printf(out,
                   "  database     %zu connections; waits: %lld ms for one, %lld ms for a primary, "
                   "%lld ms for an answer; a call begins nothing after %lld ms and ends by %lld "
                   "ms\n",
                   s->store_connections, (long long)c->mongo_pool_wait_ms,
                   (long long)c->mongo_selection_ms, (long long)c->mongo_socket_ms,
                   (long long)begin_ms, (long long)end_ms);
    }
}

void sizes_print(const struct sizes *s, const struct config *c, struct buf *out)
{
    buf_printf(out, "  CPUs         %u -> %u loops, %u hashing threads, %u readers\n",
               c->machine.cpus, s->loops, s->engine_threads, s->readers);
    print_hashing(s, c, out);
    buf_printf(out, "  workers      %u store + %u password, stacks of %zu KiB\n", s->store_workers,
               s->password_workers, s->worker_stack_bytes / (size_t)KIB);
    print_store(s, c, out);
    buf_printf(out, "  connections  %zu x %llu KiB idle = %.0f MiB\n", s->connections,
               (unsigned long long)(IDLE_CONNECTION_BYTES / KIB), in_mib(s->idle_bytes));
    buf_printf(out, "  queues       %lld store + %lld password, requests of at most %zu KiB\n",
               (long long)c->store_queue, (long long)c->password_queue,
               s->arena_bytes / (size_t)KIB);
    buf_printf(out, "  memory       %.0f MiB at the very worst, of %.0f MiB\n",
               in_mib(s->worst_bytes), in_mib(c->machine.memory_bytes));
    buf_printf(out, "  files        %llu needed, %llu allowed\n",
               (unsigned long long)s->files_needed, (unsigned long long)s->files_allowed);
}

/* contract.h - the cases that every store backend must pass, written against store.h alone.
 *
 * A backend is one file, backend_NAME.c, that defines `contract_backend`; together with the cases
 * it is one program. Every test starts with an empty store.
 *
 * Time: a backend goes by the clock that it is given, which stands still here, so that every time
 * is known to the millisecond. One that has a clock of its own, which runs and cannot be moved,
 * lets time pass by making what is stored older; times are then as expected up to how long the test
 * has run. Tests write times as if time had really passed; CHECK_TIME() and contract_told() know
 * better.
 *
 * Threads: cmocka's checks work in the test's own thread only; helpers of others return results. */
#ifndef DOORWARD_CONTRACT_H
#define DOORWARD_CONTRACT_H

#include "check.h"
#include "store.h"

struct contract_backend {
    const char *name;
    /* A store with nothing in it. What an earlier call made may be thrown away. */
    struct store *(*open_empty)(const struct clock *clock);
    /* Another handle on the data of the last open_empty(), as another process would have. */
    struct store *(*open_again)(const struct clock *clock);
    void (*clean)(void);
    /* Why nothing can be tested here, or NULL. May be NULL. */
    const char *(*why_not)(void);
    /* Of a clock of its own; else NULL. */
    int64_t (*now_ms)(void);
    void (*make_older)(int64_t ms);
    bool server_sweeps; /* store_sweep() leaves it to the server, which does it some time */
    bool evicts_later;  /* adds first and evicts then: logins at once may evict too many */
    /* Not on a server with the fault that a unique value which a record gave up stays taken. NULL:
     * always. */
    bool (*frees_names)(void);
    const struct contract_group *own; /* what only this backend has; or NULL */
};
extern const struct contract_backend contract_backend;

/* When the test began, by the store's clock. */
#define CONTRACT_START_MS contract_start_ms
extern int64_t contract_start_ms;
extern struct clock contract_clock;
struct store *contract_open_empty(void);
struct store *contract_open_again(void);
void contract_pass_time(int64_t ms);
/* By the time that has been let pass; a clock of its own is ahead of it by the test's own run. */
int64_t contract_now_ms(void);
bool contract_clock_runs(void);
/* A time that the store told, as if time had really passed. */
int64_t contract_told(int64_t stored_ms);
/* And the other way round: what to write so that this is told. */
int64_t contract_written(int64_t told_ms);
/* The shortest time that makes a difference: 1, or more than a few operations take. */
int64_t contract_moment_ms(void);
#define CHECK_TIME(actual, expected) contract_check_time((actual), (expected), __FILE__, __LINE__)
void contract_check_time(int64_t actual, int64_t expected, const char *file, int line);
/* A wait that was `expected` when it began, not long ago. */
#define CHECK_WAIT(actual, expected) contract_check_wait((actual), (expected), __FILE__, __LINE__)
void contract_check_wait(int64_t actual, int64_t expected, const char *file, int line);

/* An arena that ends with its scope: CONTRACT_ARENA(a); */
static inline void contract_arena_auto(struct arena *a)
{
    arena_done(a);
}
#define CONTRACT_ARENA(name)                                                                       \
    __attribute__((cleanup(contract_arena_auto))) struct arena name;                               \
    arena_init(&(name), 1024 * 1024)

/* The id that ends with `number`; ids are in the order of their numbers. */
struct uuid contract_id(uint64_t number);
/* A user or session with every field set, made from its number. */
struct store_user contract_user(uint64_t number);
struct store_session contract_session(uint64_t number, struct uuid user_id);
void contract_check_uuid(struct uuid actual, struct uuid expected);

/* Runs `body` on `count` threads that start together; `index` counts from 0. */
#define CONTRACT_MAX_THREADS 64
typedef void contract_thread_fn(void *argument, size_t index);
void contract_race(size_t count, contract_thread_fn *body, void *argument);

struct contract_group {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
};
extern const struct contract_group contract_users, contract_attempts, contract_sessions,
    contract_revocations, contract_keys, contract_upkeep, contract_races, contract_kill,
    contract_bulk;
#define CONTRACT_GROUP(group_name, ...)                                                            \
    static const struct CMUnitTest group_tests_[] = { __VA_ARGS__ };                               \
    const struct contract_group group_name = {                                                     \
        .name = #group_name,                                                                       \
        .tests = group_tests_,                                                                     \
        .count = sizeof(group_tests_) / sizeof(group_tests_[0]),                                   \
    }

#endif

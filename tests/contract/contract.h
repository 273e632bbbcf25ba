/* contract.h - the cases that every store backend must pass, written against store.h alone.
 *
 * A backend is one file, backend_NAME.c, that defines `contract_backend`; together with the cases
 * it is one program. Every test starts with an empty store and a clock that stands still.
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
};
extern const struct contract_backend contract_backend;

#define CONTRACT_START_MS INT64_C(1790000000000)
extern struct clock contract_clock;
struct store *contract_open_empty(void);
struct store *contract_open_again(void);
void contract_pass_time(int64_t ms);

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
    contract_revocations, contract_keys, contract_upkeep, contract_races, contract_kill;
#define CONTRACT_GROUP(group_name, ...)                                                            \
    static const struct CMUnitTest group_tests_[] = { __VA_ARGS__ };                               \
    const struct contract_group group_name = {                                                     \
        .name = #group_name,                                                                       \
        .tests = group_tests_,                                                                     \
        .count = sizeof(group_tests_) / sizeof(group_tests_[0]),                                   \
    }

#endif

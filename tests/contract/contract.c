/* contract.c - runs the contract's cases against the backend that this program is linked with. */
#include "contract.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#define STILL_START_MS INT64_C(1790000000000)
#define MOMENT_MS      900 /* of a clock that runs: a few operations on a slow machine */
#define ROUNDING_MS    2

struct clock contract_clock;
int64_t contract_start_ms;
static int64_t passed_ms;  /* that was let pass */
static int64_t started_us; /* of the test, monotonic */

struct store *contract_open_empty(void)
{
    contract_clock.offset_ms = 0;
    contract_clock.frozen_ms = STILL_START_MS;
    passed_ms = 0;
    struct store *s = contract_backend.open_empty(&contract_clock);
    started_us = clock_monotonic_us(); /* before the answer, which may take its time */
    contract_start_ms = contract_clock_runs() ? contract_backend.now_ms() : STILL_START_MS;
    return s;
}

bool contract_clock_runs(void)
{
    return contract_backend.now_ms != NULL;
}

struct store *contract_open_again(void)
{
    return contract_backend.open_again(&contract_clock);
}

void contract_pass_time(int64_t ms)
{
    passed_ms += ms;
    if (contract_clock_runs()) {
        if (ms != 0) {
            contract_backend.make_older(ms);
        }
    } else {
        contract_clock.frozen_ms += ms;
    }
}

int64_t contract_now_ms(void)
{
    return contract_start_ms + passed_ms;
}

int64_t contract_told(int64_t stored_ms)
{
    return contract_clock_runs() && stored_ms != 0 ? stored_ms + passed_ms : stored_ms;
}

int64_t contract_written(int64_t told_ms)
{
    return contract_clock_runs() && told_ms != 0 ? told_ms - passed_ms : told_ms;
}

int64_t contract_moment_ms(void)
{
    return contract_clock_runs() ? MOMENT_MS : 1;
}

/* How far behind the test's own time the store's may be read. */
static int64_t run_ms(void)
{
    return contract_clock_runs() ? (clock_monotonic_us() - started_us) / 1000 + ROUNDING_MS : 0;
}

void contract_check_time(int64_t actual, int64_t expected, const char *file, int line)
{
    int64_t told = contract_told(actual);
    int64_t rounding = contract_clock_runs() ? ROUNDING_MS : 0;
    bool never = expected == 0 || actual == 0;
    bool fits =
        never ? actual == expected : told >= expected - rounding && told <= expected + run_ms();
    if (!fits) {
        print_error("the time %" PRId64 " is not %" PRId64 "\n", told, expected);
        _fail(file, line);
    }
}

void contract_check_wait(int64_t actual, int64_t expected, const char *file, int line)
{
    int64_t least = expected - run_ms();
    int64_t most = contract_clock_runs() ? expected + ROUNDING_MS : expected;
    if (actual < least || actual > most) {
        print_error("the wait of %" PRId64 " is not %" PRId64 "\n", actual, expected);
        _fail(file, line);
    }
}

struct uuid contract_id(uint64_t number)
{
    struct uuid id = { .bytes = { 0x01, 0x9a, [6] = 0x70, [8] = 0x80 } };
    for (size_t i = 0; i < 8; i++) {
        id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
    }
    id.bytes[8] |= 0x80;
    return id;
}

/* The texts live long enough for any test, which may hold many users at once. */
static struct span numbered(const char *before, uint64_t number, const char *after)
{
    static char room[64 * 1024];
    static size_t used;
    if (used + 64 > sizeof(room)) {
        used = 0;
    }
    char *text = room + used;
    int length = snprintf(text, 64, "%s%" PRIu64 "%s", before, number, after);
    used += (size_t)length + 1;
    return (struct span){ .data = text, .length = (size_t)length };
}

struct store_user contract_user(uint64_t number)
{
    return (struct store_user){
        .id = contract_id(number),
        .username = numbered("User-", number, ""),
        .email = numbered("user-", number, "@example.org"),
        .password_hash = numbered("$2b$12$hash-", number, ""),
        .roles = SPAN("admin reader"),
        .session_epoch = 3,
        .epoch_keep = contract_id(9000),
        .created_at = CONTRACT_START_MS - 2000,
        .updated_at = CONTRACT_START_MS - 1000,
    };
}

struct store_session contract_session(uint64_t number, struct uuid user_id)
{
    return (struct store_session){
        .id = contract_id(number),
        .user_id = user_id,
        .epoch = 3,
        .master_key = SPAN("mk\0\x01"),
        .counter = 0,
        .created_at = CONTRACT_START_MS + (int64_t)number,
        .rotated_at = CONTRACT_START_MS,
        .last_used_at = CONTRACT_START_MS,
        .idle_expires_at = CONTRACT_START_MS + 100000,
        .expires_at = CONTRACT_START_MS + 1000000,
        .ip = SPAN("192.0.2.1"),
        .agent = SPAN("curl/8"),
    };
}

void contract_check_uuid(struct uuid actual, struct uuid expected)
{
    CHECK(uuid_equal(actual, expected));
}

struct racer {
    contract_thread_fn *body;
    void *argument;
    size_t index;
    pthread_barrier_t *start;
};

static void *racer_main(void *argument)
{
    struct racer *r = argument;
    (void)pthread_barrier_wait(r->start);
    r->body(r->argument, r->index);
    return NULL;
}

void contract_race(size_t count, contract_thread_fn *body, void *argument)
{
    pthread_t threads[CONTRACT_MAX_THREADS];
    struct racer racers[CONTRACT_MAX_THREADS];
    pthread_barrier_t start;
    CHECK(count <= CONTRACT_MAX_THREADS);
    CHECK(pthread_barrier_init(&start, NULL, (unsigned)count) == 0);
    for (size_t i = 0; i < count; i++) {
        racers[i] = (struct racer){ body, argument, i, &start };
        CHECK(pthread_create(&threads[i], NULL, racer_main, &racers[i]) == 0);
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    (void)pthread_barrier_destroy(&start);
}

static int run_group(const struct contract_group *group)
{
    return _cmocka_run_group_tests(group->name, group->tests, group->count, NULL, NULL);
}

int main(void)
{
    enum { SKIPPED = 77 }; /* for meson */
    const char *why_not = contract_backend.why_not != NULL ? contract_backend.why_not() : NULL;
    if (why_not != NULL) {
        printf("skipped: %s\n", why_not);
        return SKIPPED;
    }
    const struct contract_group *const groups[] = {
        &contract_users,       &contract_attempts, &contract_sessions,
        &contract_revocations, &contract_keys,     &contract_upkeep,
        &contract_races,       &contract_kill,     &contract_bulk,
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        failed += run_group(groups[i]);
    }
    failed += contract_backend.own != NULL ? run_group(contract_backend.own) : 0;
    contract_backend.clean();
    return failed == 0 ? 0 : 1;
}

#include "throttle.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define THROTTLE_SETS (THROTTLE_ENTRIES / THROTTLE_WAYS)

struct entry {
    uint64_t name; /* keyed hash; 0: free */
    int64_t tried; /* count of all attempts when this one was tried last */
    int64_t failures;
    int64_t not_before;
};

struct throttle {
    uint8_t key[SIPHASH_KEY_BYTES]; /* fixed */
    _Atomic int32_t in_flight[THROTTLE_FLIGHTS];
    pthread_mutex_t lock; /* for what follows */
    int64_t attempts;
    struct entry entries[THROTTLE_ENTRIES];
};

enum err throttle_new(struct throttle **ret_throttle)
{
    /* Zeroed pages that nobody touches cost nothing. */
    struct throttle *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    enum err keyed = secret_random(t->key, sizeof(t->key));
    if (keyed != ERR_OK) {
        free(t);
        return keyed;
    }
    INVARIANT(pthread_mutex_init(&t->lock, NULL) == 0);
    *ret_throttle = t;
    return ERR_OK;
}

void throttle_free(struct throttle *t)
{
    if (t == NULL) {
        return;
    }
    pthread_mutex_destroy(&t->lock);
    secret_wipe(t->key, sizeof(t->key));
    free(t);
}

/* The name's entry, else a free one, else the one that was tried longest ago, emptied. */
static struct entry *find_entry(struct throttle *t, uint64_t name)
{
    struct entry *set = &t->entries[name % THROTTLE_SETS * THROTTLE_WAYS];
    struct entry *oldest = set;
    for (size_t i = 0; i < THROTTLE_WAYS; i++) {
        if (set[i].name == name) {
            return &set[i];
        }
        if (set[i].tried < oldest->tried) {
            oldest = &set[i];
        }
    }
    *oldest = (struct entry){ .name = name };
    return oldest;
}

static int64_t next_wait_ms(int64_t over, const struct throttle_rule *rule)
{
    int64_t wait_ms = 1000;
    for (int64_t i = 0; i < over && wait_ms < rule->max_wait_ms; i++) {
        wait_ms *= 2;
    }
    return wait_ms < rule->max_wait_ms ? wait_ms : rule->max_wait_ms;
}

static enum err count_attempt(struct entry *e, const struct throttle_rule *rule,
                              int64_t *ret_wait_ms)
{
    int64_t wait_ms = e->not_before - rule->now_ms;
    /* A longer wait than any that is given out comes from a clock that was wrong. */
    if (wait_ms > 0 && wait_ms <= rule->max_wait_ms) {
        *ret_wait_ms = wait_ms;
        return ERR_TOO_MANY_ATTEMPTS;
    }
    if (e->failures >= rule->free_attempts) {
        e->not_before = rule->now_ms + next_wait_ms(e->failures - rule->free_attempts, rule);
    }
    e->failures++;
    return ERR_OK;
}

enum err throttle_attempt(struct throttle *t, struct span name, const struct throttle_rule *rule,
                          int64_t *ret_wait_ms)
{
    uint64_t hash = siphash(t->key, name);
    INVARIANT(pthread_mutex_lock(&t->lock) == 0);
    struct entry *e = find_entry(t, hash != 0 ? hash : 1);
    e->tried = ++t->attempts;
    enum err counted = count_attempt(e, rule, ret_wait_ms);
    INVARIANT(pthread_mutex_unlock(&t->lock) == 0);
    return counted;
}

static _Atomic int32_t *flight_of(struct throttle *t, struct span who)
{
    return &t->in_flight[siphash(t->key, who) % THROTTLE_FLIGHTS];
}

void throttle_enter(struct throttle *t, struct span who)
{
    atomic_fetch_add(flight_of(t, who), 1);
}

void throttle_leave(struct throttle *t, struct span who)
{
    INVARIANT(atomic_fetch_sub(flight_of(t, who), 1) > 0);
}

int64_t throttle_others(struct throttle *t, struct span who)
{
    return atomic_load(flight_of(t, who)) - 1;
}

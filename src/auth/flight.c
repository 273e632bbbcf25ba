#include "flight.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct flight_group {
    uint64_t key;
    uint64_t verdicts;
    uint32_t members; /* 0: the place is free */
    uint32_t waiting; /* of the members, for the next verdict */
    bool right;       /* the last verdict */
};

struct flights {
    uint8_t key[SIPHASH_KEY_BYTES]; /* fixed */
    pthread_mutex_t lock;           /* for what follows */
    pthread_cond_t moved;
    struct flight_group groups[FLIGHT_GROUPS];
};

enum err flights_new(struct flights **ret_flights)
{
    struct flights *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return ERR_NOMEM;
    }
    enum err keyed = secret_random(f->key, sizeof(f->key));
    if (keyed != ERR_OK) {
        free(f);
        return keyed;
    }
    INVARIANT(pthread_mutex_init(&f->lock, NULL) == 0);
    INVARIANT(pthread_cond_init(&f->moved, NULL) == 0);
    *ret_flights = f;
    return ERR_OK;
}

void flights_free(struct flights *f)
{
    if (f == NULL) {
        return;
    }
    pthread_cond_destroy(&f->moved);
    pthread_mutex_destroy(&f->lock);
    secret_wipe(f, sizeof(*f));
    free(f);
}

static void lock(struct flights *f)
{
    INVARIANT(pthread_mutex_lock(&f->lock) == 0);
}

static void unlock(struct flights *f)
{
    INVARIANT(pthread_mutex_unlock(&f->lock) == 0);
}

/* Hashes of fixed length side by side, so that no two pairs are one text. */
static uint64_t key_of(const struct flights *f, struct span name, struct span password)
{
    const uint64_t parts[] = { siphash(f->key, name), siphash(f->key, password) };
    return siphash(f->key, (struct span){ (const char *)parts, sizeof(parts) });
}

struct flight flights_begin(struct flights *f, struct span name, struct span password)
{
    uint64_t key = key_of(f, name, password);
    struct flight_group *g = &f->groups[key % FLIGHT_GROUPS];
    struct flight flight = { 0 };
    lock(f);
    if (g->members == 0) {
        *g = (struct flight_group){ .key = key };
    }
    if (g->key == key) {
        g->members++;
        flight.group = g;
    }
    unlock(f);
    return flight;
}

int64_t flights_allowance(struct flights *f, struct flight *flight)
{
    const struct flight_group *g = flight->group;
    if (g == NULL) {
        return 0;
    }
    lock(f);
    flight->seen = g->verdicts;
    int64_t others = g->right ? (int64_t)g->members - 1 : 0;
    unlock(f);
    return others;
}

/* Releases all who wait; not right also when nobody is left who could tell. */
static void give_verdict(struct flights *f, struct flight_group *g, bool right)
{
    g->right = right;
    g->verdicts++;
    g->waiting = 0;
    INVARIANT(pthread_cond_broadcast(&f->moved) == 0);
}

bool flights_wait(struct flights *f, const struct flight *flight)
{
    struct flight_group *g = flight->group;
    if (g == NULL) {
        return false;
    }
    lock(f);
    if (g->verdicts == flight->seen && ++g->waiting == g->members) {
        give_verdict(f, g, false);
    }
    while (g->verdicts == flight->seen) {
        INVARIANT(pthread_cond_wait(&f->moved, &f->lock) == 0);
    }
    bool right = g->right;
    unlock(f);
    return right;
}

void flights_end(struct flights *f, const struct flight *flight, enum flight_verdict verdict)
{
    struct flight_group *g = flight->group;
    if (g == NULL) {
        return;
    }
    lock(f);
    INVARIANT(g->members > 0);
    g->members--;
    if (verdict != FLIGHT_UNTRIED || g->waiting == g->members) {
        give_verdict(f, g, verdict == FLIGHT_RIGHT);
    }
    unlock(f);
}

#include "revocation.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 256 /* power of two */
#define CACHE_LINE  64

/* EMPTY -> SESSION or USER, for good. The release store of the kind publishes id and the rest. */
enum slot_kind { SLOT_EMPTY, SLOT_SESSION, SLOT_USER };

struct slot {
    _Atomic int kind;
    struct uuid id;
    _Atomic int64_t epoch;
    _Atomic uint64_t keep; /* random half of the kept session's id; 0: none */
    int64_t expires_at;    /* writers only */
};

struct table {
    struct table *next_retired;
    size_t count, slots; /* slots: a power of two, at least twice the count */
    struct slot slot[];
};

struct hazard {
    _Alignas(CACHE_LINE) _Atomic(struct table *) table;
};

struct revocations {
    _Atomic(struct table *) current;
    atomic_bool incomplete;
    unsigned loops;         /* fixed */
    struct hazard *hazards; /* fixed; one a loop, written by it alone */
    pthread_mutex_t lock;   /* for what follows, and for every change of a table */
    struct table *retired;  /* replaced tables that a reader may still look at */
    uint64_t failures;      /* additions that failed */
};

/* Ids are UUIDv7: this half is random. Two sessions of one user share it never in practice, and no
 * caller can choose it. */
static uint64_t random_half(struct uuid id)
{
    uint64_t half = 0;
    memcpy(&half, id.bytes + 8, sizeof(half));
    return half;
}

static size_t first_slot(const struct table *t, struct uuid id)
{
    return (size_t)(random_half(id) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (t->slots - 1);
}

static bool is_taken(struct slot *s)
{
    return atomic_load_explicit(&s->kind, memory_order_relaxed) != SLOT_EMPTY;
}

static bool holds(struct slot *s, enum slot_kind kind, struct uuid id)
{
    return atomic_load_explicit(&s->kind, memory_order_acquire) == (int)kind &&
           uuid_equal(s->id, id);
}

/* The slot of this id, or the empty one where it belongs: at most half of the slots are taken. */
static struct slot *find_slot(struct table *t, enum slot_kind kind, struct uuid id)
{
    size_t i = first_slot(t, id);
    while (is_taken(&t->slot[i]) && !holds(&t->slot[i], kind, id)) {
        i = (i + 1) & (t->slots - 1);
    }
    return &t->slot[i];
}

/* NULL: not there. Asks the slot once more, since for a reader the empty one may have become
 * another id's meanwhile. */
static struct slot *find_entry(struct table *t, enum slot_kind kind, struct uuid id)
{
    struct slot *s = find_slot(t, kind, id);
    return holds(s, kind, id) ? s : NULL;
}

static struct table *table_new(size_t slots)
{
    struct table *t = calloc(1, sizeof(*t) + slots * sizeof(struct slot));
    if (t != NULL) {
        t->slots = slots;
    }
    return t;
}

enum err revocations_new(unsigned loops, struct revocations **ret_revocations)
{
    struct revocations *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return ERR_NOMEM;
    }
    r->loops = loops;
    r->hazards = aligned_alloc(CACHE_LINE, (loops + 1) * sizeof(*r->hazards));
    struct table *first = table_new(FIRST_SLOTS);
    INVARIANT(pthread_mutex_init(&r->lock, NULL) == 0);
    atomic_init(&r->current, first);
    atomic_init(&r->incomplete, true);
    if (first == NULL || r->hazards == NULL) {
        revocations_free(r);
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i <= loops; i++) {
        atomic_init(&r->hazards[i].table, NULL);
    }
    *ret_revocations = r;
    return ERR_OK;
}

void revocations_free(struct revocations *r)
{
    if (r == NULL) {
        return;
    }
    while (r->retired != NULL) {
        struct table *t = r->retired;
        r->retired = t->next_retired;
        free(t);
    }
    free(atomic_load(&r->current));
    free(r->hazards);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- readers ---- */

/* current = A; slot = A; current still A: the writer that replaces A later sees the slot. */
static struct table *table_hold(struct revocations *r, unsigned loop)
{
    struct table *t = atomic_load(&r->current);
    for (;;) {
        atomic_store(&r->hazards[loop].table, t);
        struct table *again = atomic_load(&r->current);
        if (again == t) {
            return t;
        }
        t = again;
    }
}

/* The writer sets `keep` before `epoch`, so that whoever sees an epoch sees its kept session. */
static bool user_refuses(struct slot *s, const struct revocation_subject *subject)
{
    int64_t epoch = atomic_load_explicit(&s->epoch, memory_order_acquire);
    uint64_t keep = atomic_load_explicit(&s->keep, memory_order_relaxed);
    return subject->epoch < epoch && keep != random_half(subject->session_id);
}

enum err revocations_refuse(struct revocations *r, unsigned loop,
                            const struct revocation_subject *subject)
{
    INVARIANT(loop < r->loops);
    if (atomic_load(&r->incomplete)) {
        return ERR_UNAVAILABLE;
    }
    struct table *t = table_hold(r, loop);
    struct slot *user = find_entry(t, SLOT_USER, subject->user_id);
    bool refused = find_entry(t, SLOT_SESSION, subject->session_id) != NULL ||
                   (user != NULL && user_refuses(user, subject));
    atomic_store_explicit(&r->hazards[loop].table, NULL, memory_order_release);
    return refused ? ERR_TOKEN_REVOKED : ERR_OK;
}

/* ---- writers, all under the lock ---- */

static void lock_table(struct revocations *r)
{
    INVARIANT(pthread_mutex_lock(&r->lock) == 0);
}

static void unlock_table(struct revocations *r)
{
    metrics_gauge_set(METRIC_REVOCATIONS, 0, (int64_t)atomic_load(&r->current)->count);
    INVARIANT(pthread_mutex_unlock(&r->lock) == 0);
}

static bool is_held(struct revocations *r, const struct table *t)
{
    for (unsigned i = 0; i < r->loops; i++) {
        if (atomic_load(&r->hazards[i].table) == t) {
            return true;
        }
    }
    return false;
}

/* At most one table a loop stays behind, because a loop holds one at most. */
static void free_retired(struct revocations *r)
{
    struct table **link = &r->retired;
    while (*link != NULL) {
        struct table *t = *link;
        if (is_held(r, t)) {
            link = &t->next_retired;
        } else {
            *link = t->next_retired;
            free(t);
        }
    }
}

static void slot_raise(struct slot *s, const struct revocation *v)
{
    if (v->expires_at > s->expires_at) {
        s->expires_at = v->expires_at;
    }
    if (v->epoch > atomic_load_explicit(&s->epoch, memory_order_relaxed)) {
        uint64_t keep = uuid_is_nil(v->keep) ? 0 : random_half(v->keep);
        atomic_store_explicit(&s->keep, keep, memory_order_relaxed);
        atomic_store_explicit(&s->epoch, v->epoch, memory_order_release);
    }
}

static enum slot_kind kind_of(const struct revocation *v)
{
    return v->is_user ? SLOT_USER : SLOT_SESSION;
}

static void table_put(struct table *t, const struct revocation *v)
{
    struct slot *s = find_slot(t, kind_of(v), v->id);
    bool is_new = !is_taken(s);
    if (is_new) {
        s->id = v->id;
        t->count++;
    }
    slot_raise(s, v);
    if (is_new) {
        atomic_store_explicit(&s->kind, kind_of(v), memory_order_release);
    }
}

static void table_move(struct table *to, struct slot *from)
{
    int kind = atomic_load_explicit(&from->kind, memory_order_relaxed);
    struct slot *s = find_slot(to, (enum slot_kind)kind, from->id);
    s->id = from->id;
    s->expires_at = from->expires_at;
    atomic_init(&s->epoch, atomic_load(&from->epoch));
    atomic_init(&s->keep, atomic_load(&from->keep));
    atomic_init(&s->kind, kind);
    to->count++;
}

/* A new table with what lives after `now_ms` takes the place of the present one. */
static enum err table_replace(struct revocations *r, size_t slots, int64_t now_ms)
{
    struct table *old = atomic_load(&r->current);
    struct table *t = table_new(slots);
    if (t == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < old->slots; i++) {
        if (is_taken(&old->slot[i]) && old->slot[i].expires_at > now_ms) {
            table_move(t, &old->slot[i]);
        }
    }
    atomic_store(&r->current, t);
    old->next_retired = r->retired;
    r->retired = old;
    free_retired(r);
    return ERR_OK;
}

static enum err add_locked(struct revocations *r, const struct revocation *v)
{
    struct table *t = atomic_load(&r->current);
    if (find_entry(t, kind_of(v), v->id) == NULL) {
        if (t->count >= REVOCATIONS_MAX) {
            return ERR_NOMEM;
        }
        if ((t->count + 1) * 2 > t->slots) {
            TRY(table_replace(r, t->slots * 2, INT64_MIN));
        }
    }
    table_put(atomic_load(&r->current), v);
    return ERR_OK;
}

enum err revocations_add(struct revocations *r, const struct revocation *v)
{
    lock_table(r);
    enum err e = add_locked(r, v);
    if (e != ERR_OK) {
        r->failures++;
        atomic_store(&r->incomplete, true);
    }
    unlock_table(r);
    return e;
}

bool revocations_has(struct revocations *r, const struct revocation *v)
{
    lock_table(r);
    struct slot *s = find_entry(atomic_load(&r->current), kind_of(v), v->id);
    bool has = s != NULL && atomic_load(&s->epoch) >= v->epoch;
    unlock_table(r);
    return has;
}

static size_t slots_for(size_t count)
{
    size_t slots = FIRST_SLOTS;
    while (slots < (count + 1) * 2) {
        slots *= 2;
    }
    return slots;
}

static size_t count_living(struct table *t, int64_t now_ms)
{
    size_t living = 0;
    for (size_t i = 0; i < t->slots; i++) {
        living += is_taken(&t->slot[i]) && t->slot[i].expires_at > now_ms;
    }
    return living;
}

enum err revocations_forget(struct revocations *r, int64_t now_ms)
{
    enum err e = ERR_OK;
    lock_table(r);
    free_retired(r);
    struct table *t = atomic_load(&r->current);
    size_t living = count_living(t, now_ms);
    if (living < t->count) {
        e = table_replace(r, slots_for(living), now_ms);
    }
    unlock_table(r);
    return e;
}

uint64_t revocations_failures(struct revocations *r)
{
    lock_table(r);
    uint64_t failures = r->failures;
    unlock_table(r);
    return failures;
}

void revocations_complete(struct revocations *r, uint64_t failures)
{
    lock_table(r);
    if (failures == r->failures) {
        atomic_store(&r->incomplete, false);
    }
    unlock_table(r);
}

size_t revocations_count(struct revocations *r)
{
    lock_table(r);
    size_t count = atomic_load(&r->current)->count;
    unlock_table(r);
    return count;
}

static size_t table_bytes(const struct table *t)
{
    return sizeof(*t) + t->slots * sizeof(t->slot[0]);
}

size_t revocations_bytes(struct revocations *r)
{
    lock_table(r);
    size_t bytes = table_bytes(atomic_load(&r->current));
    for (const struct table *t = r->retired; t != NULL; t = t->next_retired) {
        bytes += table_bytes(t);
    }
    unlock_table(r);
    return bytes;
}

#include "keyring.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rotations wait, and by hand are refused, while there are more; a retirement always gets its
 * successor. */
#define KEYS_FULL (STORE_MAX_KEYS - 100)
#define KEYS_MAX  (STORE_MAX_KEYS - 10)
/* What has ended is deleted a while later, but for the newest: after a time with a wrong clock they
 * are still there. */
#define KEYS_KEPT      16
#define DELETE_AFTER_S INT64_C(3600)
#define INSTANT_MAX_MS INT64_C(253402300799999) /* the end of year 9999 */

/* ---- what follows from the times ---- */

static int by_age(const void *a, const void *b)
{
    const struct store_key *x = &((const struct keyring_key *)a)->record;
    const struct store_key *y = &((const struct keyring_key *)b)->record;
    if (x->generation != y->generation) {
        return x->generation < y->generation ? -1 : 1;
    }
    if (x->active_at != y->active_at) {
        return x->active_at < y->active_at ? -1 : 1;
    }
    size_t shorter = x->kid.length < y->kid.length ? x->kid.length : y->kid.length;
    int order = memcmp(x->kid.data, y->kid.data, shorter);
    return order != 0 ? order : (x->kid.length > y->kid.length) - (x->kid.length < y->kid.length);
}

static bool is_retired(const struct keyring_key *k)
{
    return k->record.retired_at != 0;
}

/* One that was retired before its time came has never signed. */
static bool takes_part(const struct keyring_key *k)
{
    return !is_retired(k) || k->record.retired_at >= k->record.active_at;
}

/* The earliest time at which a later one takes over from `k`; 0: none does. One that says it did so
 * before `k` was made comes from a clock that was behind: nobody knows when it really began, and
 * tokens of `k` are still alive. */
static int64_t replaced_at(const struct keyring *ring, const struct keyring_key *k, int64_t now_ms)
{
    int64_t least = k->record.created_at <= now_ms ? k->record.created_at : 0;
    int64_t earliest = 0;
    for (const struct keyring_key *later = k + 1; later < ring->keys + ring->count; later++) {
        int64_t at = later->record.active_at;
        if (takes_part(later) && at >= least && (earliest == 0 || at < earliest)) {
            earliest = at;
        }
    }
    return earliest;
}

static void derive_limits(const struct auth *au, struct keyring *ring, int64_t now_ms)
{
    int64_t after_ms = (au->options.access_expiry_s + au->options.leeway_s) * SECOND_MS;
    bool later_was_retired = false;
    for (size_t i = ring->count; i-- > 0;) {
        struct keyring_key *k = &ring->keys[i];
        int64_t at = replaced_at(ring, k, now_ms);
        k->ends_at = at == 0 ? 0 : at + after_ms;
        k->may_sign = !is_retired(k) && !later_was_retired;
        later_was_retired = later_was_retired || (is_retired(k) && takes_part(k));
    }
}

/* The rule of ring_signer() in `token`. */
static const struct keyring_key *find_signer(const struct keyring *ring, int64_t now_ms)
{
    const struct keyring_key *first = NULL;
    for (size_t i = ring->count; i-- > 0;) {
        const struct keyring_key *k = &ring->keys[i];
        if (k->may_sign && k->record.active_at <= now_ms) {
            return k;
        }
        first = k->may_sign ? k : first;
    }
    return first;
}

static void derive_states(struct keyring *ring, int64_t now_ms)
{
    const struct keyring_key *signer = find_signer(ring, now_ms);
    for (size_t i = 0; i < ring->count; i++) {
        struct keyring_key *k = &ring->keys[i];
        if (is_retired(k)) {
            k->state = AUTH_KEY_RETIRED;
        } else if (k == signer) {
            k->state = AUTH_KEY_SIGNING;
        } else if (k->ends_at != 0 && k->ends_at <= now_ms) {
            k->state = AUTH_KEY_ENDED;
        } else {
            k->state = signer != NULL && k > signer ? AUTH_KEY_PENDING : AUTH_KEY_VERIFYING;
        }
    }
}

static void derive(const struct auth *au, struct keyring *ring)
{
    int64_t now_ms = auth_now_ms(au);
    derive_limits(au, ring, now_ms);
    derive_states(ring, now_ms);
}

/* What is computed with them must not overflow, whoever wrote the record. */
static bool is_instant(int64_t ms)
{
    return ms >= 0 && ms <= INSTANT_MAX_MS;
}

bool keyring_is_witness(const struct store_key *k)
{
    return span_equal(k->algorithm, SPAN("HS256"));
}

enum err keyring_read(struct auth *au, struct arena *a, struct keyring *ret_ring)
{
    struct store_key *stored = NULL;
    struct keyring ring = { 0 };
    size_t stored_count = 0;
    TRY(store_key_list(au->options.store, a, &stored, &stored_count));
    ring.keys = ARENA_ARRAY(a, struct keyring_key, stored_count + 1);
    if (ring.keys == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < stored_count; i++) {
        if (!is_instant(stored[i].active_at) || !is_instant(stored[i].retired_at)) {
            return ERR_INTERNAL;
        }
        if (keyring_is_witness(&stored[i]) != au->options.has_ring) {
            ring.keys[ring.count++].record = stored[i];
        }
    }
    qsort(ring.keys, ring.count, sizeof(ring.keys[0]), by_age);
    derive(au, &ring);
    *ret_ring = ring;
    return ERR_OK;
}

const struct keyring_key *keyring_find(const struct keyring *ring, struct span kid)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (span_equal(ring->keys[i].record.kid, kid)) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

/* An earlier one cannot take over again once a later one has signed. */
bool keyring_can_sign_without(const struct keyring *ring, struct span kid)
{
    for (size_t i = ring->count; i-- > 0;) {
        const struct keyring_key *k = &ring->keys[i];
        if (!span_equal(k->record.kid, kid)) {
            if (k->may_sign) {
                return true;
            }
        } else if (k->state == AUTH_KEY_SIGNING || k->state == AUTH_KEY_VERIFYING) {
            return false;
        }
    }
    return false;
}

/* ---- publishing ---- */

static bool is_published(const struct keyring_key *k)
{
    return k->state != AUTH_KEY_RETIRED && k->state != AUTH_KEY_ENDED;
}

static void note_problem(struct auth *au, const struct keyring *ring)
{
    char id[TOKEN_MASTER_ID_LENGTH + 1];
    for (size_t i = 0; i < ring->count; i++) {
        const struct keyring_key *k = &ring->keys[i];
        if (is_published(k) &&
            !token_wrapped_by(au->options.tokens, k->record.wrapped_private, id)) {
            (void)snprintf(au->problem, sizeof(au->problem),
                           "the signing key %.*s in the store is wrapped with the master key %s, "
                           "which is not among those given (the first is %.*s)",
                           SPAN_FMT(k->record.kid), id[0] != '\0' ? id : "of another program",
                           SPAN_FMT(token_master_id(au->options.tokens)));
            return;
        }
    }
    (void)snprintf(au->problem, sizeof(au->problem),
                   "a signing key in the store was changed by another program and does not open");
}

static enum err publish(struct auth *au, struct arena *a, const struct keyring *ring)
{
    size_t count = 0;
    struct token_key *keys = ARENA_ARRAY(a, struct token_key, ring->count + 1);
    if (keys == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < ring->count; i++) {
        const struct keyring_key *k = &ring->keys[i];
        if (is_published(k)) {
            keys[count++] = (struct token_key){ .kid = k->record.kid,
                                                .algorithm = k->record.algorithm,
                                                .public_jwk = k->record.public_jwk,
                                                .wrapped = k->record.wrapped_private,
                                                .signs = k->may_sign,
                                                .generation = k->record.generation,
                                                .active_at = k->record.active_at,
                                                .expires_at = k->ends_at };
        }
    }
    enum err set = token_ring_set(au->options.tokens, keys, count);
    if (set == ERR_CONFIG) {
        note_problem(au, ring);
    }
    return set;
}

/* ---- the next key ---- */

int64_t keyring_lead_ms(const struct auth *au)
{
    int64_t lead_ms = au->options.jwks_max_age_s * SECOND_MS + KEYRING_SPREAD_MS;
    return lead_ms > KEYRING_LEAD_MS ? lead_ms : KEYRING_LEAD_MS;
}

static enum err add_record(struct auth *au, const struct keyring *ring,
                           const struct token_key *made, int64_t lead_ms, struct store_key *ret_key)
{
    int64_t now_ms = auth_now_ms(au);
    struct store_key key = { .kid = made->kid,
                             .algorithm = made->algorithm,
                             .generation = ring->count == 0
                                               ? 1
                                               : ring->keys[ring->count - 1].record.generation + 1,
                             .created_at = now_ms,
                             .active_at = now_ms + lead_ms,
                             .public_jwk = made->public_jwk,
                             .wrapped_private = made->wrapped };
    if (!is_instant(key.created_at) || !is_instant(key.active_at)) {
        return ERR_INTERNAL; /* no process could read it, whatever its clock says later */
    }
    TRY(store_key_add(au->options.store, &key));
    *ret_key = key;
    return ERR_OK;
}

enum err keyring_add(struct auth *au, struct arena *a, const struct keyring *ring, int64_t lead_ms,
                     struct store_key *ret_key)
{
    struct token_key made = { 0 };
    struct store_key key = { 0 };
    bool is_rotation = lead_ms >= KEYRING_SPREAD_MS;
    if (ring->count >= (is_rotation ? KEYS_FULL : KEYS_MAX)) {
        return ERR_BUSY;
    }
    TRY(token_key_make(au->options.tokens, a, &made));
    TRY(add_record(au, ring, &made, lead_ms, &key));
    log_event(LOG_INFO, "audit", LOG_STR("action", "key_add"), LOG_SPAN("kid", key.kid),
              LOG_SPAN("algorithm", key.algorithm), LOG_NUMBER("generation", key.generation),
              LOG_NUMBER("signs_in_s", lead_ms / SECOND_MS));
    *ret_key = key;
    return ERR_OK;
}

/* Another process's key is as good as ours. */
static enum err add_next(struct auth *au, struct arena *a, const struct keyring *ring,
                         int64_t lead_ms)
{
    struct store_key added = { 0 };
    enum err e = keyring_add(au, a, ring, lead_ms, &added);
    return e == ERR_CONFLICT ? ERR_OK : e;
}

/* The latest that has not been retired; NULL when there is none to sign with. */
static const struct keyring_key *find_latest(const struct keyring *ring)
{
    for (size_t i = ring->count; i-- > 0;) {
        if (ring->keys[i].may_sign) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

/* By schedule. A pending key is waited for, unless a clock that was far ahead has made it: it would
 * be waited for until then. */
static bool is_due(const struct auth *au, const struct keyring_key *latest)
{
    int64_t rotation_ms = au->options.key_rotation_s * SECOND_MS;
    int64_t age_ms = auth_now_ms(au) - latest->record.active_at;
    int64_t lead_ms = keyring_lead_ms(au);
    bool is_active = age_ms >= 0;
    return rotation_ms > 0 &&
           (is_active ? age_ms >= rotation_ms - lead_ms : -age_ms > rotation_ms + lead_ms);
}

/* ---- at start ---- */

static enum err take_over(struct auth *au, struct arena *a, struct keyring *ring)
{
    TRY(keyring_read(au, a, ring));
    return publish(au, a, ring);
}

static enum err prepare_ring(struct auth *au, struct arena *a)
{
    struct keyring ring = { 0 };
    /* First what is there: with the wrong master key nothing may be added. */
    TRY(take_over(au, a, &ring));
    const struct keyring_key *latest = find_latest(&ring);
    if (latest == NULL) {
        TRY(add_next(au, a, &ring, 0));
    } else if (!span_equal(latest->record.algorithm, token_algorithm(au->options.tokens))) {
        TRY(add_next(au, a, &ring, keyring_lead_ms(au)));
    }
    TRY(take_over(au, a, &ring));
    return token_ring_ready(au->options.tokens) ? ERR_OK : ERR_INTERNAL;
}

/* HS256 has no ring. What stands there instead is one witness of the first master key. */
static enum err renew_witness(struct auth *au, struct arena *a, const struct keyring *ring)
{
    struct token_key made = { 0 };
    TRY(token_witness_make(au->options.tokens, a, &made));
    TRY(add_record(au, ring, &made, 0, &(struct store_key){ 0 }));
    for (size_t i = 0; i < ring->count; i++) {
        enum err deleted = store_key_delete(au->options.store, ring->keys[i].record.kid);
        if (deleted != ERR_OK && deleted != ERR_NOT_FOUND) {
            return deleted;
        }
    }
    return ERR_OK;
}

static enum err check_witness(struct auth *au, const struct store_key *record)
{
    char id[TOKEN_MASTER_ID_LENGTH + 1];
    struct token_key witness = { .kid = record->kid, .wrapped = record->wrapped_private };
    enum err checked = token_witness_check(au->options.tokens, &witness);
    if (checked == ERR_CONFIG) {
        (void)token_wrapped_by(au->options.tokens, witness.wrapped, id);
        (void)snprintf(au->problem, sizeof(au->problem),
                       "sessions in the store are made with the master key %s, which is not among "
                       "those given (the first is %.*s)",
                       id, SPAN_FMT(token_master_id(au->options.tokens)));
    }
    return checked;
}

static enum err prepare_witness(struct auth *au, struct arena *a)
{
    struct keyring ring = { 0 };
    char id[TOKEN_MASTER_ID_LENGTH + 1] = "";
    TRY(keyring_read(au, a, &ring));
    if (ring.count > 0) {
        const struct store_key *latest = &ring.keys[ring.count - 1].record;
        TRY(check_witness(au, latest));
        (void)token_wrapped_by(au->options.tokens, latest->wrapped_private, id);
    }
    if (!span_equal(span_of(id), token_master_id(au->options.tokens))) {
        enum err renewed = renew_witness(au, a, &ring);
        TRY(renewed == ERR_CONFLICT ? ERR_OK : renewed);
    }
    return token_ring_set(au->options.tokens, NULL, 0);
}

/* Runs `body` with an arena of its own. */
static enum err with_arena(struct auth *au, enum err (*body)(struct auth *au, struct arena *a))
{
    struct arena a;
    arena_init(&a, KEYRING_ARENA_BYTES);
    enum err e = body(au, &a);
    arena_done(&a);
    return e;
}

enum err keyring_prepare(struct auth *au)
{
    return with_arena(au, au->options.has_ring ? prepare_ring : prepare_witness);
}

/* ---- while it runs ---- */

/* As if nothing had been added to what is published. */
static enum err publish_without_news(struct auth *au, struct arena *a, struct keyring *ring)
{
    size_t count = 0;
    for (size_t i = 0; i < ring->count; i++) {
        struct keyring_key *k = &ring->keys[i];
        if (is_retired(k) || token_ring_has(au->options.tokens, k->record.kid)) {
            ring->keys[count++] = *k;
        }
    }
    ring->count = count;
    derive(au, ring);
    return publish(au, a, ring);
}

static enum err follow_ring(struct auth *au, struct arena *a)
{
    struct keyring ring = { 0 };
    enum err e = take_over(au, a, &ring);
    if (e == ERR_CONFIG) {
        /* A retirement holds all the same. */
        TRY(publish_without_news(au, a, &ring));
    } else if (e != ERR_OK) {
        return e;
    }
    /* Others sign with keys that we cannot read: better that nobody asks us. */
    bool was_unreadable = atomic_exchange(&au->keys_unreadable, e == ERR_CONFIG);
    if (e == ERR_CONFIG && !was_unreadable) {
        log_event(LOG_ERROR, "keys_unreadable", LOG_STR("reason", au->problem));
    }
    return e;
}

enum err keyring_follow(struct auth *au)
{
    return au->options.has_ring ? with_arena(au, follow_ring) : ERR_OK;
}

static int64_t died_at(const struct keyring_key *k)
{
    return is_retired(k) ? k->record.retired_at : k->ends_at;
}

/* From the first on, so that whoever decides over a key's end outlives it. */
static enum err delete_old(struct auth *au, const struct keyring *ring)
{
    int64_t before_ms = auth_now_ms(au) - DELETE_AFTER_S * SECOND_MS;
    for (size_t i = 0; i + KEYS_KEPT < ring->count; i++) {
        const struct keyring_key *k = &ring->keys[i];
        if (died_at(k) == 0 || died_at(k) >= before_ms || k->state == AUTH_KEY_SIGNING) {
            return ERR_OK;
        }
        enum err deleted = store_key_delete(au->options.store, k->record.kid);
        if (deleted != ERR_OK && deleted != ERR_NOT_FOUND) {
            return deleted;
        }
    }
    return ERR_OK;
}

static enum err tend_ring(struct auth *au, struct arena *a)
{
    struct keyring ring = { 0 };
    TRY(keyring_read(au, a, &ring));
    const struct keyring_key *latest = find_latest(&ring);
    enum err added = ERR_OK;
    if (latest == NULL) {
        added = add_next(au, a, &ring, 0);
    } else if (is_due(au, latest)) {
        added = add_next(au, a, &ring, keyring_lead_ms(au));
    }
    /* A full ring waits until keys have ended. */
    TRY(added == ERR_BUSY ? ERR_OK : added);
    return delete_old(au, &ring);
}

enum err keyring_tend(struct auth *au)
{
    /* Not with master keys that do not open what is there. */
    if (!au->options.has_ring || atomic_load(&au->keys_unreadable)) {
        return ERR_OK;
    }
    return with_arena(au, tend_ring);
}

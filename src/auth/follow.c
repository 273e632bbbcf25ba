/* follow.c - this process kept level with the store: what others wrote is taken over, what is over
 * is forgotten, and whether all that goes well is told. */
#include "keyring.h"

#define FOLLOW_PAGE        512 /* revocations */
#define FOLLOW_ARENA_BYTES (1024 * 1024)
#define SWEEP_PAGE         500 /* rows */
#define SWEEP_PAGES        20  /* at most in one go: upkeep has other things to do */
/* A clock that was wrong must not have cost anybody his session: rows are deleted only by one that
 * has gone evenly for so long. A start counts as a step, since a machine may boot with any time. */
#define SWEEP_AFTER_US   (INT64_C(3600) * 1000000)
#define CLOCK_STEP_MS    INT64_C(60000)
#define HEARTBEAT_MAX_US INT64_C(5000000) /* an older one says nothing about the store */

/* One page behind *from; *ret_more: there may be another. */
static enum err take_page(struct auth *au, struct arena *a, int64_t living_ms, int64_t *from,
                          bool *ret_more)
{
    struct store_revocation *page = NULL;
    size_t count = 0;
    TRY(store_revocation_since(au->options.store, *from, FOLLOW_PAGE, a, &page, &count));
    for (size_t i = 0; i < count; i++) {
        struct revocation v = { .id = page[i].id,
                                .is_user = page[i].is_user,
                                .epoch = page[i].epoch,
                                .keep = page[i].keep,
                                .expires_at = page[i].expires_at };
        if (v.expires_at > living_ms) {
            TRY(revocations_add(au->revocations, &v));
        }
        *from = page[i].sequence;
    }
    au->sequence = *from > au->sequence ? *from : au->sequence;
    *ret_more = count > 0;
    return ERR_OK;
}

/* While the clock was ahead, endings were passed over or forgotten whose tokens are good again now.
 */
static void notice_step_back(struct auth *au)
{
    int64_t now_ms = auth_now_ms(au);
    if (now_ms < au->followed_at_ms || now_ms < atomic_load(&au->forgot_at_ms)) {
        au->sequence = 0;
    }
    au->followed_at_ms = now_ms;
}

enum err follow_revocations(struct auth *au, int64_t living_ms)
{
    int64_t start_us = clock_monotonic_us();
    notice_step_back(au);
    uint64_t failures = revocations_failures(au->revocations);
    int64_t from = au->sequence - store_revocation_overlap(au->options.store);
    bool more = true;
    struct arena a;
    from = from > 0 ? from : 0;
    arena_init(&a, FOLLOW_ARENA_BYTES);
    enum err e = ERR_OK;
    while (e == ERR_OK && more) {
        e = take_page(au, &a, living_ms, &from, &more);
        arena_reset(&a);
    }
    arena_done(&a);
    if (e == ERR_OK) {
        revocations_complete(au->revocations, failures);
        atomic_store(&au->followed_us, start_us);
    }
    return e;
}

enum err auth_prepare(struct auth *au)
{
    TRY(keyring_prepare(au));
    return follow_revocations(au, auth_now_ms(au));
}

static bool is_clock_even(struct auth *au)
{
    int64_t now_us = clock_monotonic_us();
    int64_t offset_ms = auth_now_ms(au) - now_us / 1000;
    int64_t step_ms = offset_ms - au->clock_offset_ms;
    if (au->clock_even_since_us == 0 || step_ms > CLOCK_STEP_MS || step_ms < -CLOCK_STEP_MS) {
        au->clock_even_since_us = now_us;
        au->clock_offset_ms = offset_ms;
    }
    return now_us - au->clock_even_since_us >= SWEEP_AFTER_US;
}

static enum err sweep(struct auth *au)
{
    bool more = is_clock_even(au);
    for (int i = 0; i < SWEEP_PAGES && more; i++) {
        TRY(store_sweep(au->options.store, SWEEP_PAGE, &more));
    }
    return ERR_OK;
}

/* The time is noted last: whoever follows in between looks again next time. */
static enum err forget_revocations(struct auth *au)
{
    int64_t now_ms = auth_now_ms(au);
    TRY(revocations_forget(au->revocations, now_ms));
    atomic_store(&au->forgot_at_ms, now_ms);
    return ERR_OK;
}

enum err auth_tend(struct auth *au)
{
    int64_t start_us = clock_monotonic_us();
    TRY(store_heartbeat(au->options.store));
    atomic_store(&au->heartbeat_us, start_us);
    TRY(forget_revocations(au));
    TRY(sweep(au));
    return keyring_tend(au);
}

enum err auth_follow(struct auth *au)
{
    TRY(follow_revocations(au, auth_now_ms(au)));
    return keyring_follow(au);
}

void auth_watch(struct auth *au, void (*on_put)(void *argument), void *argument)
{
    store_revocation_watch(au->options.store, on_put, argument);
}

/* Since the revocations were last read to the end; since the machine's start when never. */
static int64_t revocation_lag_ms(const struct auth *au)
{
    return (clock_monotonic_us() - atomic_load(&au->followed_us)) / 1000;
}

struct auth_health auth_health(const struct auth *au)
{
    int64_t heartbeat_us = atomic_load(&au->heartbeat_us);
    int64_t lag_ms = revocation_lag_ms(au);
    bool followed = atomic_load(&au->followed_us) != 0;
    return (struct auth_health){
        .store_ok = heartbeat_us != 0 && clock_monotonic_us() - heartbeat_us < HEARTBEAT_MAX_US,
        .keys_ok = token_ring_ready(au->options.tokens) && !atomic_load(&au->keys_unreadable),
        .revocations_ok = followed && lag_ms <= au->options.revocation_max_lag_s * SECOND_MS,
        .revocation_lag_ms = lag_ms,
    };
}

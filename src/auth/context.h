/* context.h - what one struct auth is made of. Private to auth.
 *
 * Threads:   fields are fixed after auth_open(), or own their locking as said there. */
#ifndef DOORWARD_AUTH_CONTEXT_H
#define DOORWARD_AUTH_CONTEXT_H

#include "auth.h"
#include "flight.h"
#include "password.h"
#include "revocation.h"
#include "store.h"
#include "token.h"
#include <stdatomic.h>

#define SECOND_MS INT64_C(1000)
/* How much longer than the last access token a revocation is kept: clocks of replicas differ. */
#define REVOCATION_SLACK_S 60

struct auth {
    struct auth_options options;     /* fixed */
    struct revocations *revocations; /* any thread, see there */
    struct token_cache **caches;     /* fixed; each its loop's */
    struct flights *flights;         /* any thread, see there */
    _Atomic int64_t heartbeat_us;    /* monotonic start of the last good one; 0: never */
    _Atomic int64_t followed_us;     /* likewise */
    int64_t sequence;                /* upkeep thread: the last revocation that was taken over */
    int64_t followed_at_ms;          /* upkeep's follower: by the clock */
    _Atomic int64_t forgot_at_ms;    /* upkeep's tender: by the clock */
    int64_t clock_offset_ms;         /* upkeep's tender: clock - monotonic, when it last stepped */
    int64_t clock_even_since_us;     /* upkeep's tender: monotonic; 0: not looked yet */
    atomic_bool keys_unreadable;     /* the stored ring is not the published one */
    char problem[256];               /* whoever got ERR_CONFIG from the ring */
};

int64_t auth_now_ms(const struct auth *au);
/* When a revocation that is made now may be forgotten. */
int64_t auth_revocation_end_ms(const struct auth *au);

/* ---- follow.c ---- */
/* Takes over the revocations since the last call, at first all that there are; but those that have
 * expired by `living_ms`. For one thread at a time. */
MUST_CHECK enum err follow_revocations(struct auth *au, int64_t living_ms);

#endif

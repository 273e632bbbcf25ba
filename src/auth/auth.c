#include "follow.h"
#include "keyring.h"
#include "session.h"
#include <stdlib.h>

#define HEARTBEAT_MAX_US INT64_C(5000000) /* an older one says nothing about the store */

int64_t auth_now_ms(const struct auth *au)
{
    return clock_now_ms(au->options.clock);
}

int64_t auth_revocation_end_ms(const struct auth *au)
{
    const struct auth_options *o = &au->options;
    return auth_now_ms(au) + (o->access_expiry_s + o->leeway_s + REVOCATION_SLACK_S) * SECOND_MS;
}

static enum err open_parts(struct auth *au)
{
    TRY(flights_new(&au->flights));
    TRY(caches_open(au));
    return revocations_new(au->options.loops, &au->revocations);
}

enum err auth_open(const struct auth_options *options, struct auth **ret_auth)
{
    struct auth *au = calloc(1, sizeof(*au));
    if (au == NULL) {
        return ERR_NOMEM;
    }
    au->options = *options;
    enum err e = open_parts(au);
    if (e != ERR_OK) {
        auth_close(au);
        return e;
    }
    *ret_auth = au;
    return ERR_OK;
}

void auth_close(struct auth *au)
{
    if (au == NULL) {
        return;
    }
    revocations_free(au->revocations);
    caches_close(au);
    flights_free(au->flights);
    free(au);
}

enum err auth_prepare(struct auth *au)
{
    TRY(keyring_prepare(au));
    return follow_revocations(au);
}

const char *auth_problem(const struct auth *au)
{
    return au->problem;
}

struct auth_health auth_health(const struct auth *au)
{
    int64_t heartbeat_us = atomic_load(&au->heartbeat_us);
    int64_t lag_ms = follow_lag_ms(au);
    bool followed = atomic_load(&au->followed_us) != 0;
    return (struct auth_health){
        .store_ok = heartbeat_us != 0 && clock_monotonic_us() - heartbeat_us < HEARTBEAT_MAX_US,
        .keys_ok = token_ring_ready(au->options.tokens) && !atomic_load(&au->keys_unreadable),
        .revocations_ok = followed && lag_ms <= au->options.revocation_max_lag_s * SECOND_MS,
        .revocation_lag_ms = lag_ms,
    };
}

void auth_jwks(const struct auth *au, struct span *ret_json, struct span *ret_etag)
{
    token_jwks(au->options.tokens, ret_json, ret_etag);
}

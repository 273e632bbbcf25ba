/* auth.c - what one struct auth is made of: opened, closed, asked. */
#include "context.h"
#include <stdlib.h>

int64_t auth_now_ms(const struct auth *au)
{
    return clock_now_ms(au->options.clock);
}

int64_t auth_revocation_end_ms(const struct auth *au)
{
    const struct auth_options *o = &au->options;
    return auth_now_ms(au) + (o->access_expiry_s + o->leeway_s + REVOCATION_SLACK_S) * SECOND_MS;
}

/* One for each loop, so that none waits for another. */
static enum err open_caches(struct auth *au)
{
    const struct auth_options *o = &au->options;
    au->caches = calloc(o->loops, sizeof(struct token_cache *));
    if (au->caches == NULL) {
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < o->loops; i++) {
        TRY(token_cache_new(o->tokens, o->token_cache_bytes / o->loops, &au->caches[i]));
    }
    return ERR_OK;
}

static void close_caches(struct auth *au)
{
    for (unsigned i = 0; au->caches != NULL && i < au->options.loops; i++) {
        token_cache_free(au->caches[i]);
    }
    free(au->caches);
    au->caches = NULL;
}

static enum err open_parts(struct auth *au)
{
    TRY(flights_new(&au->flights));
    TRY(open_caches(au));
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
    close_caches(au);
    flights_free(au->flights);
    free(au);
}

const char *auth_problem(const struct auth *au)
{
    return au->problem;
}

void auth_jwks(const struct auth *au, struct span *ret_json, struct span *ret_etag)
{
    token_jwks(au->options.tokens, ret_json, ret_etag);
}

#include "context.h"

#define KEYRING_ARENA_BYTES (1024 * 1024)
#define KEYRING_LOOK_US     INT64_C(5000000) /* a new key is published for minutes before it signs */

/* The stored keys that may still verify something. */
static enum err read_keys(struct auth *au, struct arena *a, struct token_key **ret_keys,
                          size_t *ret_count)
{
    struct store_key *stored = NULL;
    size_t count = 0;
    size_t kept = 0;
    TRY(store_key_list(au->options.store, a, &stored, &count));
    struct token_key *keys = ARENA_ARRAY(a, struct token_key, count + 1);
    if (keys == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct store_key *k = &stored[i];
        if (k->expires_at == 0 || k->expires_at > auth_now_ms(au)) {
            keys[kept++] = (struct token_key){ .kid = k->kid,
                                               .algorithm = k->algorithm,
                                               .public_jwk = k->public_jwk,
                                               .wrapped = k->wrapped_private,
                                               .signs = k->state == STORE_KEY_ACTIVE,
                                               .active_at = k->active_at,
                                               .expires_at = k->expires_at };
        }
    }
    *ret_keys = keys;
    *ret_count = kept;
    return ERR_OK;
}

/* Tells whether the list is another one. What a kid stands for never changes, its times do. */
static uint64_t fingerprint(const struct auth *au, const struct token_key *keys, size_t count)
{
    uint64_t sum = count + 1;
    for (size_t i = 0; i < count; i++) {
        int64_t parts[] = { (int64_t)sum, (int64_t)siphash(au->fingerprint_key, keys[i].kid),
                            keys[i].active_at, keys[i].expires_at, keys[i].signs };
        struct span bytes = { .data = (const char *)parts, .length = sizeof(parts) };
        sum = siphash(au->fingerprint_key, bytes);
    }
    return sum;
}

static enum err publish_keys(struct auth *au, struct arena *a)
{
    struct token_key *keys = NULL;
    size_t count = 0;
    TRY(read_keys(au, a, &keys, &count));
    uint64_t now_there = fingerprint(au, keys, count);
    if (now_there == au->keys_fingerprint) {
        return ERR_OK;
    }
    TRY(token_ring_set(au->options.tokens, keys, count));
    au->keys_fingerprint = now_there;
    return ERR_OK;
}

/* Several processes may start at once on an empty store: the store lets one of them add. */
static enum err make_first_key(struct auth *au, struct arena *a)
{
    struct token_key made = { 0 };
    TRY(token_key_make(au->options.tokens, a, &made));
    struct store_key key = { .kid = made.kid,
                             .algorithm = made.algorithm,
                             .state = STORE_KEY_ACTIVE,
                             .created_at = auth_now_ms(au),
                             .active_at = made.active_at,
                             .expires_at = made.expires_at,
                             .public_jwk = made.public_jwk,
                             .wrapped_private = made.wrapped };
    enum err added = store_key_add_first(au->options.store, &key);
    return added == ERR_CONFLICT ? ERR_OK : added;
}

static enum err prepare(struct auth *au, struct arena *a)
{
    if (!au->options.has_ring) {
        return token_ring_set(au->options.tokens, NULL, 0);
    }
    /* First what is there: with the wrong master key nothing may be added. */
    TRY(publish_keys(au, a));
    if (!token_ring_ready(au->options.tokens)) {
        TRY(make_first_key(au, a));
        TRY(publish_keys(au, a));
    }
    return token_ring_ready(au->options.tokens) ? ERR_OK : ERR_INTERNAL;
}

enum err keyring_prepare(struct auth *au)
{
    struct arena a;
    arena_init(&a, KEYRING_ARENA_BYTES);
    enum err e = prepare(au, &a);
    arena_done(&a);
    return e;
}

enum err keyring_follow(struct auth *au)
{
    int64_t now_us = clock_monotonic_us();
    if (!au->options.has_ring || now_us - au->keys_listed_us < KEYRING_LOOK_US) {
        return ERR_OK;
    }
    struct arena a;
    arena_init(&a, KEYRING_ARENA_BYTES);
    enum err e = publish_keys(au, &a);
    arena_done(&a);
    au->keys_listed_us = now_us;
    return e;
}

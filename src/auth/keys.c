/* What the command line does to the key ring. */
#include "keyring.h"

bool auth_has_ring(const struct auth *au)
{
    return au->options.has_ring;
}

static struct auth_key view_of(const struct auth *au, const struct keyring_key *k)
{
    struct auth_key view = { .kid = k->record.kid,
                             .algorithm = k->record.algorithm,
                             .generation = k->record.generation,
                             .state = k->state,
                             .created_at = k->record.created_at,
                             .active_at = k->record.active_at,
                             .ends_at = k->ends_at,
                             .retired_at = k->record.retired_at };
    view.master_known =
        token_wrapped_by(au->options.tokens, k->record.wrapped_private, view.master);
    return view;
}

enum err auth_key_list(struct auth *au, struct auth_call *call, struct auth_key **ret_keys,
                       size_t *ret_count)
{
    struct keyring ring = { 0 };
    TRY(keyring_read(au, call->arena, &ring));
    struct auth_key *views = ARENA_ARRAY(call->arena, struct auth_key, ring.count + 1);
    if (views == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < ring.count; i++) {
        views[i] = view_of(au, &ring.keys[i]);
    }
    *ret_keys = views;
    *ret_count = ring.count;
    return ERR_OK;
}

/* The ring as it is now, and a key of it. */
static enum err look_up(struct auth *au, struct auth_call *call, struct span kid,
                        struct keyring *ret_ring, const struct keyring_key **ret_key)
{
    TRY(keyring_read(au, call->arena, ret_ring));
    *ret_key = keyring_find(ret_ring, kid);
    return *ret_key != NULL ? ERR_OK : ERR_NOT_FOUND;
}

/* A key that the running processes could not open must not get into the store: keyring_follow()
 * finds out whether ours are theirs. */
static enum err add_key(struct auth *au, struct auth_call *call, int64_t lead_ms,
                        struct auth_key *ret_key)
{
    struct keyring ring = { 0 };
    struct store_key added = { 0 };
    const struct keyring_key *k = NULL;
    TRY(keyring_follow(au));
    TRY(keyring_read(au, call->arena, &ring));
    TRY(keyring_add(au, call->arena, &ring, lead_ms, &added));
    TRY(look_up(au, call, added.kid, &ring, &k));
    *ret_key = view_of(au, k);
    return ERR_OK;
}

enum err auth_key_rotate(struct auth *au, struct auth_call *call, bool now,
                         struct auth_key *ret_key)
{
    return add_key(au, call, now ? KEYRING_SPREAD_MS : keyring_lead_ms(au), ret_key);
}

enum err auth_key_stand_in(struct auth *au, struct auth_call *call, struct span kid,
                           struct auth_key *ret_key)
{
    struct keyring ring = { 0 };
    const struct keyring_key *k = NULL;
    TRY(look_up(au, call, kid, &ring, &k));
    *ret_key = (struct auth_key){ 0 };
    if (k->state == AUTH_KEY_RETIRED || keyring_can_sign_without(&ring, kid)) {
        return ERR_OK;
    }
    return add_key(au, call, AUTH_KEY_SPREAD_MS, ret_key);
}

enum err auth_key_retire(struct auth *au, struct auth_call *call, struct span kid)
{
    struct auth_key stand_in;
    TRY(auth_key_stand_in(au, call, kid, &stand_in));
    TRY(store_key_retire(au->options.store, kid));
    log_event(LOG_WARN, "audit", LOG_STR("action", "key_retire"), LOG_SPAN("kid", kid));
    return ERR_OK;
}

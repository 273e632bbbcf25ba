/* store.c - picks the backend by the URI's scheme, and measures every call to it. */
#include "store.h"

#include "backend.h"

/* The label values of METRIC_STORE_SECONDS, in their order. */
enum operation { OPERATION_READ, OPERATION_WRITE, OPERATION_HEARTBEAT };

static enum err sqlite_find(struct arena *a, struct span *ret_why,
                            const struct store_backend **ret_backend)
{
    (void)a;
    (void)ret_why;
    *ret_backend = &store_sqlite_backend;
    return ERR_OK;
}

static const struct {
    const char *scheme;
    enum err (*find)(struct arena *a, struct span *ret_why,
                     const struct store_backend **ret_backend);
} schemes[] = {
    { "sqlite:", sqlite_find },
    { "mongodb:", store_mongo_find },
    { "mongodb+srv:", store_mongo_find },
};

enum err store_open(const struct store_options *options, struct arena *a, struct span *ret_why,
                    struct store **ret_store)
{
    INVARIANT(options->clock != NULL);
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct span scheme = span_of(schemes[i].scheme);
        if (span_starts(options->uri, scheme)) {
            const struct store_backend *b = NULL;
            TRY(schemes[i].find(a, ret_why, &b));
            struct span location = span_from(options->uri, scheme.length);
            return b->open(options, location, a, ret_why, ret_store);
        }
    }
    /* The URI itself is not repeated: it may carry a password. */
    *ret_why = SPAN("the database URI must start with sqlite:, mongodb: or mongodb+srv:, as in "
                    "sqlite:./var/doorward.db");
    return ERR_CONFIG;
}

void store_close(struct store *s)
{
    if (s != NULL) {
        s->backend->close(s);
    }
}

static bool is_failure(enum err e)
{
    return e == ERR_UNAVAILABLE || e == ERR_INTERNAL || e == ERR_NOMEM || e == ERR_IO;
}

static enum err measured(enum operation operation, int64_t started_us, enum err result)
{
    metrics_observe_us(METRIC_STORE_SECONDS, operation, clock_monotonic_us() - started_us);
    if (is_failure(result)) {
        metrics_add(METRIC_STORE_ERRORS, 0, 1);
    }
    return result;
}

/* ---- users ---- */
enum err store_user_add(struct store *s, const struct store_user *user)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started, s->backend->users->add(s, user));
}

enum err store_user_by_id(struct store *s, struct uuid id, struct arena *a,
                          struct store_user *ret_user)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started, s->backend->users->by_id(s, id, a, ret_user));
}

enum err store_user_by_username(struct store *s, struct span username, struct arena *a,
                                struct store_user *ret_user)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started,
                    s->backend->users->by_username(s, username, a, ret_user));
}

enum err store_user_by_email(struct store *s, struct span email, struct arena *a,
                             struct store_user *ret_user)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started, s->backend->users->by_email(s, email, a, ret_user));
}

enum err store_user_list(struct store *s, struct uuid after, size_t max, struct arena *a,
                         struct store_user **ret_users, size_t *ret_count)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started,
                    s->backend->users->list(s, after, max, a, ret_users, ret_count));
}

enum err store_user_change(struct store *s, struct uuid id, const struct store_user_change *change,
                           int64_t *ret_epoch)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started, s->backend->users->change(s, id, change, ret_epoch));
}

/* So that nothing overflows in a backend. */
#define MOST_FREE_ATTEMPTS 1000000
#define LONGEST_WAIT_MS    (INT64_C(366) * 24 * 3600 * 1000)

static int64_t clip(int64_t value, int64_t most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

enum err store_user_attempt(struct store *s, struct uuid id, int64_t free_attempts,
                            int64_t max_wait_ms, struct store_attempt *ret_attempt)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started,
                    s->backend->users->attempt(s, id, clip(free_attempts, MOST_FREE_ATTEMPTS),
                                               clip(max_wait_ms, LONGEST_WAIT_MS), ret_attempt));
}

enum err store_stranger_attempt(struct store *s, const uint8_t name[static STORE_STRANGER_BYTES],
                                int64_t free_attempts, int64_t max_wait_ms,
                                struct store_attempt *ret_attempt)
{
    int64_t started = clock_monotonic_us();
    return measured(
        OPERATION_WRITE, started,
        s->backend->users->stranger_attempt(s, name, clip(free_attempts, MOST_FREE_ATTEMPTS),
                                            clip(max_wait_ms, LONGEST_WAIT_MS), ret_attempt));
}

enum err store_user_delete(struct store *s, struct uuid id, struct span if_password_hash,
                           int64_t *ret_epoch)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started,
                    s->backend->users->remove(s, id, if_password_hash, ret_epoch));
}

/* ---- sessions ---- */
enum err store_session_add(struct store *s, const struct store_session *session,
                           size_t max_sessions, struct store_evicted *ret_evicted)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started,
                    s->backend->sessions->add(s, session, max_sessions, ret_evicted));
}

enum err store_session_get(struct store *s, struct uuid id, struct arena *a,
                           struct store_session *ret_session)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started, s->backend->sessions->get(s, id, a, ret_session));
}

enum err store_session_get_with_user(struct store *s, struct uuid id, struct arena *a,
                                     struct store_session *ret_session, struct store_user *ret_user)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started,
                    s->backend->sessions->get_with_user(s, id, a, ret_session, ret_user));
}

enum err store_session_list(struct store *s, struct uuid user_id, size_t max, struct arena *a,
                            struct store_session **ret_sessions, size_t *ret_count)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started,
                    s->backend->sessions->list(s, user_id, max, a, ret_sessions, ret_count));
}

enum err store_session_rotate(struct store *s, const struct store_rotation *rotation,
                              struct arena *a, struct store_rotated *ret_rotated)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started,
                    s->backend->sessions->rotate(s, rotation, a, ret_rotated));
}

enum err store_session_revoke(struct store *s, struct uuid id)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started, s->backend->sessions->revoke(s, id));
}

/* ---- revocations ---- */
enum err store_revocation_put(struct store *s, const struct store_revocation *revocation)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started, s->backend->revocations->put(s, revocation));
}

enum err store_revocation_since(struct store *s, int64_t after, size_t max, struct arena *a,
                                struct store_revocation **ret_revocations, size_t *ret_count)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started,
                    s->backend->revocations->since(s, after, max, a, ret_revocations, ret_count));
}

int64_t store_revocation_overlap(const struct store *s)
{
    return s->backend->revocations->overlap(s);
}

void store_revocation_watch(struct store *s, store_put_fn *on_put, void *argument)
{
    if (s->backend->revocations->watch != NULL) {
        s->backend->revocations->watch(s, on_put, argument);
    }
}

/* ---- the key ring ---- */
enum err store_key_add(struct store *s, const struct store_key *key)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started, s->backend->keys->add(s, key));
}

enum err store_key_retire(struct store *s, struct span kid)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started, s->backend->keys->retire(s, kid));
}

enum err store_key_delete(struct store *s, struct span kid)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started, s->backend->keys->remove(s, kid));
}

enum err store_key_list(struct store *s, struct arena *a, struct store_key **ret_keys,
                        size_t *ret_count)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_READ, started, s->backend->keys->list(s, a, ret_keys, ret_count));
}

/* ---- upkeep ---- */
enum err store_heartbeat(struct store *s)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_HEARTBEAT, started, s->backend->upkeep->heartbeat(s));
}

enum err store_sweep(struct store *s, size_t max, bool *ret_more)
{
    int64_t started = clock_monotonic_us();
    return measured(OPERATION_WRITE, started, s->backend->upkeep->sweep(s, max, ret_more));
}

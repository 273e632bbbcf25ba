/* backend.h - what a store backend implements; store.c dispatches to it. Private to this folder.
 *
 * A backend embeds `struct store` as its first member and gives tables of operations, whose
 * meaning, threads, ownership and failures are those of store.h. Measuring is store.c's. */
#ifndef DOORWARD_STORE_BACKEND_H
#define DOORWARD_STORE_BACKEND_H

#include "store.h"

struct store_backend;
struct store {
    const struct store_backend *backend; /* fixed */
};

struct store_user_ops {
    enum err (*add)(struct store *s, const struct store_user *user);
    enum err (*by_id)(struct store *s, struct uuid id, struct arena *a,
                      struct store_user *ret_user);
    enum err (*by_username)(struct store *s, struct span username, struct arena *a,
                            struct store_user *ret_user);
    enum err (*by_email)(struct store *s, struct span email, struct arena *a,
                         struct store_user *ret_user);
    enum err (*list)(struct store *s, struct uuid after, size_t max, struct arena *a,
                     struct store_user **ret_users, size_t *ret_count);
    enum err (*change)(struct store *s, struct uuid id, const struct store_user_change *change,
                       int64_t *ret_epoch);
    /* Their numbers are such that sums of them do not overflow. */
    enum err (*attempt)(struct store *s, struct uuid id, int64_t free_attempts, int64_t max_wait_ms,
                        struct store_attempt *ret_attempt);
    enum err (*stranger_attempt)(struct store *s, const uint8_t name[static STORE_STRANGER_BYTES],
                                 int64_t free_attempts, int64_t max_wait_ms,
                                 struct store_attempt *ret_attempt);
    enum err (*remove)(struct store *s, struct uuid id, struct span if_password_hash,
                       int64_t *ret_epoch);
};

struct store_session_ops {
    enum err (*add)(struct store *s, const struct store_session *session, size_t max_sessions,
                    struct store_evicted *ret_evicted);
    enum err (*get)(struct store *s, struct uuid id, struct arena *a,
                    struct store_session *ret_session);
    enum err (*get_with_user)(struct store *s, struct uuid id, struct arena *a,
                              struct store_session *ret_session, struct store_user *ret_user);
    enum err (*list)(struct store *s, struct uuid user_id, size_t max, struct arena *a,
                     struct store_session **ret_sessions, size_t *ret_count);
    enum err (*rotate)(struct store *s, const struct store_rotation *rotation, struct arena *a,
                       struct store_rotated *ret_rotated);
    enum err (*revoke)(struct store *s, struct uuid id);
};

struct store_revocation_ops {
    enum err (*put)(struct store *s, const struct store_revocation *revocation);
    enum err (*since)(struct store *s, int64_t after, size_t max, struct arena *a,
                      struct store_revocation **ret_revocations, size_t *ret_count);
    int64_t (*overlap)(const struct store *s);
    void (*watch)(struct store *s, store_put_fn *on_put, void *argument); /* NULL: it cannot tell */
};

struct store_key_ops {
    enum err (*add)(struct store *s, const struct store_key *key);
    enum err (*retire)(struct store *s, struct span kid);
    enum err (*remove)(struct store *s, struct span kid);
    enum err (*list)(struct store *s, struct arena *a, struct store_key **ret_keys,
                     size_t *ret_count);
};

struct store_upkeep_ops {
    enum err (*heartbeat)(struct store *s);
    enum err (*sweep)(struct store *s, size_t max, bool *ret_more);
};

struct store_bulk_ops {
    enum err (*users_add)(struct store *s, const struct store_user *users, size_t count,
                          enum err *ret_results);
    enum err (*users_find)(struct store *s, const struct uuid *ids, size_t count, struct arena *a,
                           struct store_user **ret_users, size_t *ret_count);
    enum err (*sessions_add)(struct store *s, const struct store_session *sessions, size_t count,
                             enum err *ret_results);
    enum err (*session_scan)(struct store *s, const struct store_session_place *after,
                             struct uuid last_user, size_t max, struct arena *a,
                             struct store_session **ret_sessions, size_t *ret_count);
};

struct store_backend {
    /* `location` is what follows the scheme in the URI. */
    enum err (*open)(const struct store_options *options, struct span location, struct arena *a,
                     struct span *ret_why, struct store **ret_store);
    void (*close)(struct store *s);
    const struct store_user_ops *users;
    const struct store_session_ops *sessions;
    const struct store_revocation_ops *revocations;
    const struct store_key_ops *keys;
    const struct store_upkeep_ops *upkeep;
    const struct store_bulk_ops *bulk;
};

/* Beside STORE_SWEEP_AFTER_MS, what every backend's sweep goes by. */
#define STORE_TOMBSTONE_AFTER_MS (INT64_C(30) * 24 * 3600 * 1000) /* past the deletion */

extern const struct store_backend store_sqlite_backend;

/* ---- the module with the MongoDB backend ---- */
/* What has state that must be there once. The module carries a copy of base's code for itself, so
 * that any program can load it; a metric counted or a line logged in that copy would be lost. */
struct store_host {
    void (*log)(enum log_level level, const char *event, const struct log_field *fields,
                size_t count);
};
#define STORE_MODULE_FILE  "doorward-store-mongo.so"
#define STORE_MODULE_ENTRY "store_mongo_entry"
/* The module's one way in. */
const struct store_backend *store_mongo_entry(const struct store_host *host)
    __attribute__((visibility("default")));
/* Finds the backend: loads the module, or has it linked, or this build has none: ERR_CONFIG. The
 * module stays loaded, since libmongoc keeps threads and state for as long as the process lives. */
MUST_CHECK enum err store_mongo_find(struct arena *a, struct span *ret_why,
                                     const struct store_backend **ret_backend);

#endif

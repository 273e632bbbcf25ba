/* store.h - users, sessions, revocations and keys, kept somewhere that outlives the process.
 *
 * Every change is one atomic conditional write of one record (DESIGN 6), so that every backend
 * behaves alike. What returns ERR_OK is durable. What decides by time uses the store's clock.
 *
 * Threads:   every call may block; worker threads only, many at once.
 * Ownership: arguments are borrowed for the call; results are copied into the caller's arena.
 * Failure:   on error no ret_ argument is written. Besides what is listed: ERR_NOMEM, and
 *            ERR_UNAVAILABLE, after which a change may have been made.
 * Units:     Unix milliseconds UTC, 0: never; e-mails come lower-cased. */
#ifndef DOORWARD_STORE_H
#define DOORWARD_STORE_H

#include "attempts.h"
#include "base.h"

struct store;
struct store_options {
    struct span uri;              /* "sqlite:PATH", "mongodb://...", "mongodb+srv://..." */
    const struct clock *clock;    /* the store's clock, where the backend has none of its own */
    unsigned readers;             /* sqlite: connections for reading */
    int64_t busy_timeout_ms;      /* sqlite: how long another process may hold the file */
    void (*meanwhile)(void);      /* sqlite: what else a thread does before store_session_rotate()
                                     sleeps, on top of its stack; NULL: nothing */
    unsigned pool;                /* mongodb: connections to a server, at most */
    int64_t pool_wait_ms;         /* mongodb: for one of them */
    int64_t selection_timeout_ms; /* mongodb: for a primary */
    int64_t socket_timeout_ms;    /* mongodb: for an answer; an operation waits twice at most */
};
/* mongodb: the time after which a call begins no further operation. */
#define STORE_MONGO_BEGIN_MS(selection_ms, socket_ms) ((selection_ms) + 2 * (socket_ms))
/* Opens, makes or migrates. On failure *ret_why (in `a`) is one line that says what to mend:
 * ERR_CONFIG for a bad URI, ERR_IO for the world. */
MUST_CHECK enum err store_open(const struct store_options *options, struct arena *a,
                               struct span *ret_why, struct store **ret_store);
void store_close(struct store *s); /* NULL is fine; no call may be under way */
AUTO_DEFINE(store, struct store, store_close);

/* ---- users ---- */
#define STORE_MAX_ROLES 16
struct store_user {
    struct uuid id;
    struct span username; /* as given; unique in any case; data NULL when absent */
    struct span email;    /* data NULL when absent */
    struct span password_hash;
    struct span roles; /* by single spaces, each [A-Za-z0-9_.:-]+ */
    bool disabled;
    int64_t session_epoch;  /* sessions of another epoch are dead ... */
    struct uuid epoch_keep; /* ... but this one; nil for none */
    int64_t failures;       /* attempts since the last success that the store has noticed */
    int64_t not_before;     /* no password is tried before; without a wait, when one last was */
    int64_t created_at, updated_at;
};
/* The caller gives id, created_at, updated_at. ERR_CONFLICT_USERNAME, ERR_CONFLICT_EMAIL: taken. */
MUST_CHECK enum err store_user_add(struct store *s, const struct store_user *user);
/* ERR_NOT_FOUND, also for deleted users. */
MUST_CHECK enum err store_user_by_id(struct store *s, struct uuid id, struct arena *a,
                                     struct store_user *ret_user);
MUST_CHECK enum err store_user_by_username(struct store *s, struct span username, struct arena *a,
                                           struct store_user *ret_user);
MUST_CHECK enum err store_user_by_email(struct store *s, struct span email, struct arena *a,
                                        struct store_user *ret_user);
/* Users in the order of ids after `after` (nil: from the first), at most `max`. */
MUST_CHECK enum err store_user_list(struct store *s, struct uuid after, size_t max, struct arena *a,
                                    struct store_user **ret_users, size_t *ret_count);

/* One change of one user. What it does not name stays; updated_at moves with hash, roles and state.
 * ERR_NOT_FOUND; ERR_CONFLICT when if_password_hash or if_session_epoch is given and is no longer
 * the stored one. */
struct store_user_change {
    struct span if_password_hash;    /* data NULL: unconditional */
    const int64_t *if_session_epoch; /* NULL: unconditional */
    struct span password_hash;       /* data NULL: stays */
    struct span roles;               /* data NULL: stays */
    enum { STORE_KEEP_STATE, STORE_ENABLE, STORE_DISABLE } state;
    /* session_epoch + this, and, if not 0, epoch_keep = keep: all others end */
    int64_t raise_epoch;
    struct uuid keep;
    bool reset_failures; /* failures = 0, not_before = 0 */
};
/* *ret_epoch, the session_epoch after the change, may be NULL. */
MUST_CHECK enum err store_user_change(struct store *s, struct uuid id,
                                      const struct store_user_change *change, int64_t *ret_epoch);
/* Leaves a tombstone without names, hash or roles, so that the names are free. With
 * if_password_hash as above. ERR_NOT_FOUND. */
MUST_CHECK enum err store_user_delete(struct store *s, struct uuid id, struct span if_password_hash,
                                      int64_t *ret_epoch);

/* ---- sessions ---- */
struct store_session {
    struct uuid id, user_id;
    int64_t epoch;          /* the user's session_epoch at login */
    struct span master_key; /* id of the master key that its refresh tokens are made with */
    int64_t counter;        /* of the newest refresh token */
    int64_t created_at, rotated_at, last_used_at;
    int64_t idle_expires_at; /* moved by a refresh ... */
    int64_t expires_at;      /* ... up to this, which never moves */
    int64_t revoked_at;      /* 0: lives */
    struct span ip, agent;   /* of the last use */
    int64_t attempt;         /* for adding: whose success opened it, or 0; 0 when read */
};
/* Adds, and revokes the longest unused living sessions of this user beyond `max_sessions`; those of
 * an older epoch do not count, but epoch_keep does. Of more than STORE_MAX_EVICTED, after a lower
 * setting, the next call takes the rest. A backend that writes one record at a time adds first and
 * evicts then: the second write is idempotent, and the next login makes up for a lost one.
 * *ret_evicted, whom it revoked, for the caller to publish, may be NULL. ERR_CONFLICT: the id is
 * taken.
 *
 * With `attempt` the user's failures and wait are forgotten: at once, or by the next attempt, which
 * finds the session; not then, if a later attempt had already been found to be right. Either way a
 * login is an attempt and a session, two writes. */
#define STORE_MAX_EVICTED 64
struct store_evicted {
    struct uuid ids[STORE_MAX_EVICTED];
    size_t count;
};
MUST_CHECK enum err store_session_add(struct store *s, const struct store_session *session,
                                      size_t max_sessions, struct store_evicted *ret_evicted);
MUST_CHECK enum err store_session_get(struct store *s, struct uuid id, struct arena *a,
                                      struct store_session *ret_session);
/* A session and its user in one look; without a living one *ret_user has a nil id. ERR_NOT_FOUND:
 * no such session. */
MUST_CHECK enum err store_session_get_with_user(struct store *s, struct uuid id, struct arena *a,
                                                struct store_session *ret_session,
                                                struct store_user *ret_user);
/* Living sessions of a user, newest first, at most `max`. Epochs are the caller's to compare. */
MUST_CHECK enum err store_session_list(struct store *s, struct uuid user_id, size_t max,
                                       struct arena *a, struct store_session **ret_sessions,
                                       size_t *ret_count);

struct store_rotation {
    struct uuid id;
    struct span master_key; /* of the presented token */
    int64_t counter;        /* likewise */
    int64_t idle_ttl_ms;    /* the new idle limit from now, clipped to expires_at */
    struct span ip, agent;
};
struct store_rotated {
    bool rotated;                 /* by this call */
    int64_t now_ms;               /* the store's time of this look */
    struct store_session session; /* as it then stands */
    struct store_user user;       /* looked at no earlier; a nil id: none that lives */
};
/* The one conditional write of a refresh: where the session lives, is not expired and its counter
 * and master key are the presented ones, counter + 1, rotated_at = last_used_at = now.
 * ERR_NOT_FOUND. */
MUST_CHECK enum err store_session_rotate(struct store *s, const struct store_rotation *rotation,
                                         struct arena *a, struct store_rotated *ret_rotated);
/* revoked_at = now where it was 0; repeating it is fine. ERR_NOT_FOUND. */
MUST_CHECK enum err store_session_revoke(struct store *s, struct uuid id);

/* ---- revocations: what every process follows ---- */
struct store_revocation {
    struct uuid id; /* a session's, or a user's when is_user */
    bool is_user;
    int64_t epoch;      /* user: tokens of a lower epoch are refused ... */
    struct uuid keep;   /* ... unless their session is this one */
    int64_t expires_at; /* after it no access token of then is alive */
    int64_t sequence;   /* set by the store, ever growing */
};
/* Idempotent: for one id the highest epoch and the latest expiry win. */
MUST_CHECK enum err store_revocation_put(struct store *s,
                                         const struct store_revocation *revocation);
/* What has sequence > `after`, in order, at most `max`. */
MUST_CHECK enum err store_revocation_since(struct store *s, int64_t after, size_t max,
                                           struct arena *a,
                                           struct store_revocation **ret_revocations,
                                           size_t *ret_count);
/* A revocation may become visible with a sequence below one that was seen before, by less than
 * this. Who follows begins each round so far back, and meets what it knows again. Never blocks. */
int64_t store_revocation_overlap(const struct store *s);

/* From now on, perhaps: on_put(argument), on a thread of the store's, soon after somebody put a
 * revocation; who follows looks then, but never relies on it. NULL: no more, when this returns. One
 * at a time. */
typedef void store_put_fn(void *argument);
void store_revocation_watch(struct store *s, store_put_fn *on_put, void *argument);

/* ---- upkeep ---- */
/* A small durable write: the store is there and takes changes. */
MUST_CHECK enum err store_heartbeat(struct store *s);
/* Deletes at most `max` rows that expired more than a day ago (sessions: two at most), where the
 * server does not do that by itself; *ret_more: call again. */
MUST_CHECK enum err store_sweep(struct store *s, size_t max, bool *ret_more);

#include "bulk.h"
#include "ring_keys.h"

#endif

/* auth.h - the domain: accounts, logins, sessions, refresh, revocation, and what is written down of
 * them.
 *
 * Threads:   auth_verify and auth_health from loop threads, without blocking or locks; everything
 * else blocks: worker threads (or the command line), many at once. auth_prepare first, then
 * auth_follow and auth_tend from one upkeep thread.
 * Ownership: arguments are borrowed; results live in the call's arena.
 * Failure:   the codes of DESIGN 7; besides what is listed ERR_UNAVAILABLE, ERR_NOMEM,
 * ERR_INTERNAL. Audit events are logged here, as event "audit" with an `action`.
 * Units:     Unix milliseconds; durations in seconds. */
#ifndef DOORWARD_AUTH_H
#define DOORWARD_AUTH_H

#include "base.h"

struct auth;
struct store;
struct tokens;
struct password_engine;
struct auth_options {
    struct store *store; /* borrowed, all four */
    struct tokens *tokens;
    struct password_engine *passwords;
    const struct clock *clock;
    unsigned loops;           /* threads that call auth_verify, by index */
    bool has_ring;            /* false with HS256 */
    size_t token_cache_bytes; /* all loops together; 0: none */
    size_t password_min_length, max_sessions_per_user;
    int64_t access_expiry_s, leeway_s, refresh_expiry_s, session_max_age_s, refresh_grace_s;
    int64_t login_attempts, login_max_wait_s;
    int64_t revocation_max_lag_s;
    int64_t key_rotation_s; /* 0: only by hand */
    int64_t jwks_max_age_s; /* a new key is published at least so long before it signs */
};
MUST_CHECK enum err auth_open(const struct auth_options *options, struct auth **ret_auth);
void auth_close(struct auth *au);
/* Make or load the key ring and the revocations. ERR_CONFIG: the master keys do not open the ring;
 * auth_problem() says which one is missing. */
MUST_CHECK enum err auth_prepare(struct auth *au);
const char *auth_problem(const struct auth *au); /* after ERR_CONFIG; lives as long as au */
/* Take over the revocations, and keys when they changed, that other processes wrote: about twice a
 * second. */
MUST_CHECK enum err auth_follow(struct auth *au);
/* Perhaps: calls on_put(argument), on some thread, when auth_follow() has something to take over,
 * so that it may be called sooner. NULL: no more, when this returns. */
void auth_watch(struct auth *au, void (*on_put)(void *argument), void *argument);
/* Heartbeat, sweep, forgetting of expired revocations, the next signing key when it is due: every
 * two seconds. */
MUST_CHECK enum err auth_tend(struct auth *au);

/* One request's surroundings. */
struct auth_call {
    struct arena *arena;
    struct span request_id, ip, agent;
    int64_t retry_after_s;           /* written with ERR_TOO_MANY_ATTEMPTS */
    struct uuid user_id, session_id; /* written when they become known, for the log */
};
struct auth_user {
    struct uuid id;
    struct span username, email; /* data NULL when absent */
    struct span roles;           /* by single spaces */
    bool disabled;
    int64_t created_at, updated_at;
};
struct auth_tokens {
    struct span access_token, refresh_token;
    int64_t expires_in_s, refresh_expires_in_s;
};
struct auth_caller { /* whom a verified access token speaks for */
    struct uuid user_id, session_id;
    int64_t epoch, auth_time_s;
    struct span username, roles;
};

/* What is wrong with an input member, for 422. Codes: required, too_short, too_long, contains_nul,
 * invalid_format. */
struct auth_input_error {
    const char *field, *code, *detail; /* static */
};
#define AUTH_MAX_INPUT_ERRORS 4
struct auth_input_errors {
    struct auth_input_error list[AUTH_MAX_INPUT_ERRORS];
    size_t count;
};

/* Data NULL: absent. ERR_INVALID_INPUT with *errors; ERR_CONFLICT_USERNAME, ERR_CONFLICT_EMAIL. */
struct auth_registration {
    struct span username, email, password, roles;
};
MUST_CHECK enum err auth_register(struct auth *au, struct auth_call *call,
                                  const struct auth_registration *in,
                                  struct auth_input_errors *errors, struct auth_user *ret_user);
/* The rules of auth_register and auth_password_change on what is new, without blocking: any thread,
 * so that a wrong body is refused before there is a queue to wait in. ERR_INVALID_INPUT. */
MUST_CHECK enum err auth_check_registration(const struct auth *au,
                                            const struct auth_registration *in,
                                            struct auth_input_errors *errors);
MUST_CHECK enum err auth_check_new_password(const struct auth *au, struct span new_password,
                                            struct auth_input_errors *errors);
/* Exactly one of username, email, identifier. ERR_BAD_CREDENTIALS, ERR_TOO_MANY_ATTEMPTS;
 * ERR_INVALID_INPUT: not one name, no password, over 254 and 1024 bytes, or a NUL.
 * *ret_known tells RESPONSES=classic whether the account exists; nothing else may use it. */
struct auth_login_input {
    struct span username, email, identifier, password;
};
MUST_CHECK enum err auth_login(struct auth *au, struct auth_call *call,
                               const struct auth_login_input *in, struct auth_user *ret_user,
                               struct auth_tokens *ret_tokens, bool *ret_known);
/* The rule of DESIGN 5. ERR_INVALID_REFRESH, ERR_REFRESH_EXPIRED, ERR_REFRESH_REUSED. */
MUST_CHECK enum err auth_refresh(struct auth *au, struct auth_call *call, struct span refresh_token,
                                 struct auth_tokens *ret_tokens);
/* Never blocks. ERR_INVALID_TOKEN, ERR_TOKEN_EXPIRED, ERR_TOKEN_REVOKED; with the last *ret_caller
 * is written, for logout. ERR_UNAVAILABLE before auth_prepare, and while a revocation is known to
 * be missing here. */
MUST_CHECK enum err auth_verify(struct auth *au, unsigned loop, struct span token, struct arena *a,
                                struct auth_caller *ret_caller);

enum auth_scope { AUTH_THIS, AUTH_OTHERS, AUTH_ALL };
MUST_CHECK enum err auth_logout(struct auth *au, struct auth_call *call,
                                const struct auth_caller *caller, enum auth_scope scope);
/* By refresh token; junk and dead ones are ERR_OK as well (RFC 7009, 2.2). */
MUST_CHECK enum err auth_logout_refresh(struct auth *au, struct auth_call *call,
                                        struct span refresh_token, enum auth_scope scope);

/* The four below: ERR_TOKEN_REVOKED when the account or the session has ended. */
MUST_CHECK enum err auth_profile(struct auth *au, struct auth_call *call,
                                 const struct auth_caller *caller, struct auth_user *ret_user);
struct auth_session {
    struct uuid id;
    int64_t created_at, last_used_at, expires_at;
    struct span ip, agent;
    bool current;
};
MUST_CHECK enum err auth_sessions(struct auth *au, struct auth_call *call,
                                  const struct auth_caller *caller,
                                  struct auth_session **ret_sessions, size_t *ret_count);
/* ERR_NOT_FOUND when it is not the caller's or has ended. */
MUST_CHECK enum err auth_session_end(struct auth *au, struct auth_call *call,
                                     const struct auth_caller *caller, struct uuid session);
/* ERR_WRONG_PASSWORD, ERR_TOO_MANY_ATTEMPTS, ERR_INVALID_INPUT. Other sessions end. */
MUST_CHECK enum err auth_password_change(struct auth *au, struct auth_call *call,
                                         const struct auth_caller *caller,
                                         struct span current_password, struct span new_password,
                                         struct auth_input_errors *errors);
MUST_CHECK enum err auth_account_delete(struct auth *au, struct auth_call *call,
                                        const struct auth_caller *caller, struct span password);

/* ---- what the process says of itself; never blocks ---- */
struct auth_health {
    bool store_ok; /* a heartbeat less than 5 s ago */
    bool keys_ok;
    bool revocations_ok; /* followed within revocation_max_lag_s */
    int64_t revocation_lag_ms;
};
struct auth_health auth_health(const struct auth *au);
/* The key set and its ETag; live as long as au's tokens. */
void auth_jwks(const struct auth *au, struct span *ret_json, struct span *ret_etag);

#include "admin.h"
#include "keys.h"
#include "transfer.h"

#endif

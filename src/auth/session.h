/* session.h - which sessions live, how they are opened, and how they end. Private to auth.
 *
 * A session lives while it is neither revoked nor expired, its user exists and is not disabled, and
 * its epoch is the user's or it is the one that the last raise of the epoch kept.
 *
 * How something ends, always in this order: the authoritative record (session or user), then the
 * idempotent revocation record, then this process's table, then the answer. A crash or an error in
 * between leaves the record ended but not published; so whoever meets such a record publishes it.
 *
 * Threads:   workers.
 * Failure:   as auth.h; ERR_UNAVAILABLE when it is not known to have ended. */
#ifndef DOORWARD_AUTH_SESSION_H
#define DOORWARD_AUTH_SESSION_H

#include "context.h"

struct auth_user session_user_view(const struct store_user *user);
/* A new session of the user whose password was verified. Of *session two fields are given:
 * created_at, when that login began, so that every access token says the same auth_time and none an
 * earlier iat; and attempt, the number of it, whose failures are forgotten. The session carries the
 * epoch of the record that was read for the login: a password change or disabling since then has
 * raised the user's, and the session is born dead. */
MUST_CHECK enum err session_open(struct auth *au, struct auth_call *call,
                                 const struct store_user *user, struct store_session *session);
/* Tokens of a living session. `issued_ms` is a time before the records were read: whatever ends the
 * session after that read is then remembered for longer than the access token lives. */
struct session_moment {
    int64_t issued_ms, now_ms;
};
MUST_CHECK enum err session_tokens(struct auth *au, struct auth_call *call,
                                   const struct store_user *user,
                                   const struct store_session *session,
                                   struct session_moment moment, struct auth_tokens *ret_tokens);

bool session_is_expired(const struct store_session *session, int64_t now_ms);
bool session_lives(const struct store_session *session, const struct store_user *user,
                   int64_t now_ms);
/* The records behind a verified token. ERR_TOKEN_REVOKED when they have ended. */
MUST_CHECK enum err session_of_caller(struct auth *au, struct auth_call *call,
                                      const struct auth_caller *caller, struct store_user *ret_user,
                                      struct store_session *ret_session);

/* Revoke and publish; one that is gone is only published. */
MUST_CHECK enum err session_end(struct auth *au, struct uuid session);
/* Publish what a user record says since its epoch was raised. */
MUST_CHECK enum err session_publish_epoch(struct auth *au, struct uuid user, int64_t epoch,
                                          struct uuid keep);
/* Publish that nothing of this user may live any more: there is no such account. */
MUST_CHECK enum err session_publish_gone(struct auth *au, struct uuid user);
/* Publish the end that was found in these records, unless it is known or no access token can be
 * alive: a revoked session; or also its user, NULL when there is none. */
MUST_CHECK enum err session_publish_revoked(struct auth *au, const struct store_session *session);
MUST_CHECK enum err session_publish_death(struct auth *au, const struct store_session *session,
                                          const struct store_user *user);

#endif

/* audit.h - what is written down of who did what. Private to auth.
 *
 * One event "audit" a deed, with `action`, the ids that are known, and where it came from. Never a
 * name, an address of mail, a password, a token or a hash: names of failed logins are often
 * passwords in the wrong field.
 *
 * Threads:   any. */
#ifndef DOORWARD_AUTH_AUDIT_H
#define DOORWARD_AUTH_AUDIT_H

#include "auth.h"

/* `reason` may be NULL. Ids come from the call. */
void audit(const struct auth_call *call, enum log_level level, const char *action,
           const char *reason);
/* A refresh token that must not be: with the use that the session remembers, beside this one. */
struct audit_use {
    struct span ip, agent;
    int64_t used_at;
};
void audit_refresh(const struct auth_call *call, const char *action, const struct audit_use *last);

#endif

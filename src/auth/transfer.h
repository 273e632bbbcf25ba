/* transfer.h - users, sessions, revocations and keys on their way from one store to another, for
 * the command line; a part of auth.h, which others include.
 *
 * Threads, ownership, failure: as auth.h. Records are those of store.h. Beside a running service
 * each record is moved as it is at one moment, and all of them at different ones. */
#ifndef DOORWARD_AUTH_TRANSFER_H
#define DOORWARD_AUTH_TRANSFER_H

#include "auth.h"

struct store_user;
struct store_session;
struct store_revocation;
struct store_key;

enum auth_record_type {
    AUTH_RECORD_KEY,
    AUTH_RECORD_USER,
    AUTH_RECORD_SESSION,
    AUTH_RECORD_REVOCATION,
};
struct auth_record {
    enum auth_record_type type;
    union {
        struct store_key *key;
        struct store_user *user;
        struct store_session *session;
        struct store_revocation *revocation;
    };
};

/* ---- out ---- */
#define AUTH_EXPORT_PAGE 1000 /* users */
/* What of a user decides whether a session lives. */
struct auth_export_owner {
    struct uuid id, epoch_keep;
    int64_t session_epoch;
    bool disabled;
};
/* Begins with the first three, the rest zero. */
struct auth_export {
    bool with_keys, with_sessions; /* sessions bring the revocations along */
    struct uuid after;             /* users behind this id; then the last that was given */
    int64_t since_ms;              /* revocations that had expired then are left out */
    enum { EXPORT_KEYS, EXPORT_USERS, EXPORT_SESSIONS, EXPORT_REVOCATIONS, EXPORT_END } next;
    struct auth_export_owner owners[AUTH_EXPORT_PAGE]; /* of the last page, by id */
    size_t owner_count;
    struct uuid session_user, session_id; /* the last session that was looked at */
};
/* The next records, in an order that depends on nothing but them: keys, then users by id with each
 * page's living sessions behind it, last the revocations that lived when it began, so that what
 * ends meanwhile is among them. *ret_count is 0 only at the end. */
MUST_CHECK enum err auth_export_next(struct auth *au, struct auth_call *call, struct auth_export *x,
                                     struct auth_record **ret_records, size_t *ret_count);

/* ---- in ---- */
#define AUTH_MAX_IMPORT 256
enum auth_import_outcome {
    AUTH_IMPORT_ADDED,
    AUTH_IMPORT_THERE, /* it was, and is the same */
    AUTH_IMPORT_REFUSED,
};
struct auth_import_result {
    enum auth_import_outcome outcome;
    struct auth_input_error why; /* of what was refused */
    struct uuid other;           /* nil, or the user who has the name */
};
/* Adds at most AUTH_MAX_IMPORT records, in their order. Nothing that is there is changed, so that a
 * repetition adds what is missing, but a revocation ends what it names: its session, the sessions
 * of its user up to its epoch (refused as well, since that user's record is then an old one), or
 * the account. A user may come without id (nil) and without times (0); its
 * e-mail in any case. A user name may be any that login takes, without controls. Sessions want
 * their user, and as keys do, a master key that is here. `dry_run`: only judges; records that are
 * in each other's way are not noticed, nor sessions whose user is missing. */
MUST_CHECK enum err auth_import(struct auth *au, struct auth_call *call,
                                const struct auth_record *records, size_t count, bool dry_run,
                                struct auth_import_result *ret_results);

#endif

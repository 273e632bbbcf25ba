/* import.h - what the parts of an import share. Private to auth.
 *
 * Threads, ownership, failure: as transfer.h. */
#ifndef DOORWARD_AUTH_IMPORT_H
#define DOORWARD_AUTH_IMPORT_H

#include "context.h"
#include "transfer.h"

/* A run of records of one type. */
struct import_run {
    struct auth *au;
    const struct auth_call *call;
    struct arena *arena; /* the call's */
    const struct auth_record *records;
    size_t count;
    bool dry_run;
    struct auth_import_result *results;
};
void import_refuse(struct auth_import_result *result, const char *field, const char *code,
                   const char *detail);
/* Neither refused nor there already. */
bool import_is_open(const struct auth_import_result *result);

/* Users of the store, by id. */
struct import_people {
    struct uuid ids[AUTH_MAX_IMPORT]; /* who is asked for */
    size_t id_count;
    struct store_user *users;
    size_t count;
};
MUST_CHECK enum err import_look_up(const struct import_run *run, struct import_people *p);
/* NULL: not there. */
const struct store_user *import_find_person(const struct import_people *p, struct uuid id);

/* Who is there is never changed: a record that is the same counts as done, one that differs is
 * refused. */
MUST_CHECK enum err import_users(const struct import_run *run);
/* Sessions that have ended here, by a revocation as well, are there already, and dead. */
MUST_CHECK enum err import_sessions(const struct import_run *run);
/* They end what they name: sessions, those of a user, an account. */
MUST_CHECK enum err import_revocations(const struct import_run *run);

#endif

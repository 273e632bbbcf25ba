/* Records on their way out of the store, page by page. */
#include "session.h"
#include "transfer.h"
#include <stdlib.h>
#include <string.h>

#define SESSIONS_PAGE    500
#define REVOCATIONS_PAGE 1000

static enum err list_of(struct arena *a, size_t count, struct auth_record **ret_records)
{
    *ret_records = ARENA_ARRAY(a, struct auth_record, count + 1);
    return *ret_records != NULL ? ERR_OK : ERR_NOMEM;
}

static enum err next_keys(struct auth *au, struct arena *a, struct auth_record **ret_records,
                          size_t *ret_count)
{
    struct store_key *keys = NULL;
    size_t count = 0;
    TRY(store_key_list(au->options.store, a, &keys, &count));
    TRY(list_of(a, count, ret_records));
    for (size_t i = 0; i < count; i++) {
        (*ret_records)[i] = (struct auth_record){ AUTH_RECORD_KEY, { .key = &keys[i] } };
    }
    *ret_count = count;
    return ERR_OK;
}

/* ---- users and their sessions ---- */

static enum err next_users(struct auth *au, struct arena *a, struct auth_export *x,
                           struct auth_record **ret_records, size_t *ret_count)
{
    struct store_user *users = NULL;
    size_t count = 0;
    TRY(store_user_list(au->options.store, x->after, AUTH_EXPORT_PAGE, a, &users, &count));
    TRY(list_of(a, count, ret_records));
    for (size_t i = 0; i < count; i++) {
        (*ret_records)[i] = (struct auth_record){ AUTH_RECORD_USER, { .user = &users[i] } };
        x->owners[i] = (struct auth_export_owner){ .id = users[i].id,
                                                   .epoch_keep = users[i].epoch_keep,
                                                   .session_epoch = users[i].session_epoch,
                                                   .disabled = users[i].disabled };
        x->after = users[i].id;
    }
    x->owner_count = count;
    *ret_count = count;
    return ERR_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct uuid *left = a;
    const struct auth_export_owner *right = b;
    return memcmp(left->bytes, right->id.bytes, UUID_BYTES);
}

/* A session whose user is gone, or has been logged out by an epoch, is dead without a mark. */
static bool lives(const struct auth_export *x, const struct store_session *session, int64_t now_ms)
{
    const struct auth_export_owner *owner =
        bsearch(&session->user_id, x->owners, x->owner_count, sizeof(x->owners[0]), by_id);
    if (owner == NULL) {
        return false;
    }
    struct store_user user = { .id = owner->id,
                               .epoch_keep = owner->epoch_keep,
                               .session_epoch = owner->session_epoch,
                               .disabled = owner->disabled };
    return session_lives(session, &user, now_ms);
}

/* *ret_more: there may be others of this page's users. */
static enum err next_sessions(struct auth *au, struct arena *a, struct auth_export *x,
                              struct auth_record **ret_records, size_t *ret_count, bool *ret_more)
{
    struct store_session_place place = { .user_id = x->session_user, .id = x->session_id };
    struct store_session *sessions = NULL;
    int64_t now_ms = auth_now_ms(au);
    size_t found = 0;
    size_t count = 0;
    TRY(store_session_scan(au->options.store, &place, x->after, SESSIONS_PAGE, a, &sessions,
                           &found));
    TRY(list_of(a, found, ret_records));
    for (size_t i = 0; i < found; i++) {
        if (lives(x, &sessions[i], now_ms)) {
            (*ret_records)[count++] =
                (struct auth_record){ AUTH_RECORD_SESSION, { .session = &sessions[i] } };
        }
        x->session_user = sessions[i].user_id;
        x->session_id = sessions[i].id;
    }
    *ret_count = count;
    *ret_more = found == SESSIONS_PAGE;
    return ERR_OK;
}

/* ---- revocations ---- */

struct living {
    struct auth_record *records;
    size_t count, capacity;
};

static enum err keep_living(struct arena *a, struct living *l, struct store_revocation *page,
                            size_t count, int64_t since_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (l->count == l->capacity) {
            size_t capacity = l->capacity > 0 ? 2 * l->capacity : REVOCATIONS_PAGE;
            struct auth_record *grown = ARENA_ARRAY(a, struct auth_record, capacity);
            if (grown == NULL) {
                return ERR_NOMEM;
            }
            if (l->count > 0) {
                memcpy(grown, l->records, l->count * sizeof(*grown));
            }
            *l = (struct living){ grown, l->count, capacity };
        }
        if (page[i].expires_at > since_ms) {
            l->records[l->count++] =
                (struct auth_record){ AUTH_RECORD_REVOCATION, { .revocation = &page[i] } };
        }
    }
    return ERR_OK;
}

/* Stores differ in their sequences, so what they are of decides the order. */
static int by_whose(const void *a, const void *b)
{
    const struct store_revocation *left = ((const struct auth_record *)a)->revocation;
    const struct store_revocation *right = ((const struct auth_record *)b)->revocation;
    if (left->is_user != right->is_user) {
        return left->is_user ? 1 : -1;
    }
    return memcmp(left->id.bytes, right->id.bytes, UUID_BYTES);
}

/* Those that expired since the beginning as well: the file has what they ended as living. */
static enum err next_revocations(struct auth *au, struct arena *a, const struct auth_export *x,
                                 struct auth_record **ret_records, size_t *ret_count)
{
    struct living l = { 0 };
    int64_t sequence = 0;
    size_t count = 0;
    do {
        struct store_revocation *page = NULL;
        TRY(store_revocation_since(au->options.store, sequence, REVOCATIONS_PAGE, a, &page,
                                   &count));
        TRY(keep_living(a, &l, page, count, x->since_ms));
        sequence = count > 0 ? page[count - 1].sequence : sequence;
    } while (count > 0);
    if (l.count > 0) {
        qsort(l.records, l.count, sizeof(l.records[0]), by_whose);
    }
    *ret_records = l.records;
    *ret_count = l.count;
    return ERR_OK;
}

/* ---- the walk ---- */

/*   KEYS --> USERS --page--> SESSIONS --all of the page's--> USERS
 *               `--no more--> REVOCATIONS --> END            */
static enum err step(struct auth *au, struct arena *a, struct auth_export *x,
                     struct auth_record **ret_records, size_t *ret_count)
{
    bool more = false;
    switch (x->next) {
    case EXPORT_KEYS:
        x->next = EXPORT_USERS;
        /* Of one that goes on the beginning is not known: all that the store remembers. */
        x->since_ms = uuid_is_nil(x->after) ? auth_now_ms(au) : 0;
        return x->with_keys ? next_keys(au, a, ret_records, ret_count) : ERR_OK;
    case EXPORT_USERS:
        x->session_user = x->after;
        memset(&x->session_id, 0xff, sizeof(x->session_id)); /* behind all sessions of that one */
        TRY(next_users(au, a, x, ret_records, ret_count));
        if (*ret_count == 0) {
            x->next = EXPORT_REVOCATIONS;
        } else if (x->with_sessions) {
            x->next = EXPORT_SESSIONS;
        }
        return ERR_OK;
    case EXPORT_SESSIONS:
        TRY(next_sessions(au, a, x, ret_records, ret_count, &more));
        x->next = more ? EXPORT_SESSIONS : EXPORT_USERS;
        return ERR_OK;
    case EXPORT_REVOCATIONS:
        x->next = EXPORT_END;
        return x->with_sessions ? next_revocations(au, a, x, ret_records, ret_count) : ERR_OK;
    case EXPORT_END:
        break;
    }
    return ERR_OK;
}

enum err auth_export_next(struct auth *au, struct auth_call *call, struct auth_export *x,
                          struct auth_record **ret_records, size_t *ret_count)
{
    struct auth_record *records = NULL;
    size_t count = 0;
    while (count == 0 && x->next != EXPORT_END) {
        TRY(step(au, call->arena, x, &records, &count));
    }
    *ret_records = records;
    *ret_count = count;
    return ERR_OK;
}

/* mongo_users.c - user records; a deleted one stays as a tombstone without names until its TTL. */
#include "mongo.h"

#define CHANGES_KEPT 4 /* ids of the last changes: more than come between the tries of one */

/* ---- reading ---- */
enum err mongo_user_read(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct mongo_reader r = { .doc = doc, .arena = a };
    struct store_user u = { 0 };
    u.id = mongo_read_uuid(&r, "_id");
    u.username = mongo_read_text_or_none(&r, "username");
    u.email = mongo_read_text_or_none(&r, "email");
    u.password_hash = mongo_read_text(&r, "password_hash");
    u.roles = mongo_read_words(&r, "roles");
    u.disabled = mongo_read_bool(&r, "disabled");
    u.session_epoch = mongo_read_int(&r, "session_epoch");
    u.epoch_keep = mongo_read_uuid(&r, "epoch_keep");
    u.failures = mongo_read_int(&r, "failures");
    u.not_before = mongo_read_date(&r, "not_before");
    u.created_at = mongo_read_date(&r, "created_at");
    u.updated_at = mongo_read_date(&r, "updated_at");
    TRY(r.failure);
    *(struct store_user *)ret_row = u;
    return ERR_OK;
}

enum err mongo_user_read_living(const bson_t *doc, struct arena *a, struct store_user *ret_user)
{
    struct mongo_reader r = { .doc = doc };
    int64_t deleted_at = mongo_read_date(&r, "deleted_at");
    TRY(r.failure);
    return deleted_at != 0 ? ERR_OK : mongo_user_read(doc, a, ret_user);
}

static enum err find_user(struct store *s, const bson_t *filter, struct arena *a,
                          struct store_user *ret_user)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    TRY(mongo_call_open(s, "users", &c));
    return mongo_find_one(&c, filter, mongo_user_read, a, ret_user);
}

void mongo_put_living(bson_t *filter, struct uuid id)
{
    mongo_put_uuid(filter, "_id", id);
    mongo_put_null(filter, "deleted_at");
}

static enum err user_by_id(struct store *s, struct uuid id, struct arena *a,
                           struct store_user *ret_user)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_living(&filter, id);
    return find_user(s, &filter, a, ret_user);
}

/* User names are compared in ASCII lower case, as SQLite's lower() makes it. */
static void put_lower(bson_t *b, const char *name, struct span text)
{
    struct buf lower;
    buf_init(&lower, text.length + 1);
    for (size_t i = 0; i < text.length; i++) {
        char ch = text.data[i];
        buf_add_char(&lower, ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch);
    }
    mongo_put_text(b, name, buf_span(&lower));
    buf_done(&lower);
}

static enum err user_by_username(struct store *s, struct span username, struct arena *a,
                                 struct store_user *ret_user)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    put_lower(&filter, "username_key", username);
    return find_user(s, &filter, a, ret_user);
}

static enum err user_by_email(struct store *s, struct span email, struct arena *a,
                              struct store_user *ret_user)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_text(&filter, "email", email);
    return find_user(s, &filter, a, ret_user);
}

static enum err user_list(struct store *s, struct uuid after, size_t max, struct arena *a,
                          struct store_user **ret_users, size_t *ret_count)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    TRY(mongo_call_open(s, "users", &c));
    AUTO(mongo_bson)
    bson_t *filter = BCON_NEW("_id", "{", "$gt", MONGO_UUID(after), "}", "deleted_at", BCON_NULL);
    AUTO(mongo_bson) bson_t *options = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    struct mongo_query query = { .filter = filter,
                                 .options = options,
                                 .max = max,
                                 .read = mongo_user_read,
                                 .row_bytes = sizeof(struct store_user) };
    struct mongo_rows rows = { 0 };
    TRY(mongo_find(&c, &query, a, &rows));
    *ret_users = rows.data;
    *ret_count = rows.count;
    return ERR_OK;
}

/* ---- adding ---- */
void mongo_user_put(bson_t *doc, const struct store_user *u, struct uuid change)
{
    mongo_put_uuid(doc, "_id", u->id);
    if (u->username.data != NULL) {
        mongo_put_text(doc, "username", u->username);
        put_lower(doc, "username_key", u->username);
    }
    if (u->email.data != NULL) {
        mongo_put_text(doc, "email", u->email);
    }
    mongo_put_text(doc, "password_hash", u->password_hash);
    mongo_put_words(doc, "roles", u->roles);
    mongo_put_bool(doc, "disabled", u->disabled);
    mongo_put_int(doc, "session_epoch", u->session_epoch);
    mongo_put_uuid_or_none(doc, "epoch_keep", u->epoch_keep);
    mongo_put_int(doc, "failures", u->failures);
    mongo_put_date_or_none(doc, "not_before", u->not_before);
    mongo_put_date(doc, "created_at", u->created_at);
    mongo_put_date(doc, "updated_at", u->updated_at);
    BCON_APPEND(doc, "changes", "[", MONGO_UUID(change), "]");
}

/* What of a record the writes go by. */
struct standing {
    int64_t session_epoch;
    bool is_deleted;
    bool is_changed; /* by this call */
    const struct uuid *change;
};

static enum err read_standing(const bson_t *doc, struct arena *a, void *ret_row)
{
    struct standing *standing = ret_row;
    struct mongo_reader r = { .doc = doc, .arena = a };
    standing->session_epoch = mongo_read_int(&r, "session_epoch");
    standing->is_deleted = mongo_read_date(&r, "deleted_at") != 0;
    standing->is_changed = mongo_has_uuid(doc, "changes", *standing->change);
    return r.failure;
}

/* The record with this id, living or not. */
static enum err find_standing(struct mongo_call *c, struct uuid id, struct standing *ret_standing)
{
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    mongo_put_uuid(&filter, "_id", id);
    *ret_standing = (struct standing){ .change = &c->id };
    return mongo_find_one(c, &filter, read_standing, NULL, ret_standing);
}

static enum err is_taken(struct mongo_call *c, const char *name, struct span text, bool *ret_taken)
{
    struct standing standing = { .change = &c->id };
    *ret_taken = false;
    if (text.data == NULL) {
        return ERR_OK;
    }
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    put_lower(&filter, name, text);
    enum err e = mongo_find_one(c, &filter, read_standing, NULL, &standing);
    *ret_taken = (e == ERR_OK);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Why an insert met a duplicate: an earlier try of this call was made, a name is taken, or the id.
 * ERR_BUSY: whoever was in the way is gone again. */
static enum err conflict_of(struct mongo_call *c, const struct store_user *user)
{
    struct standing standing;
    bool taken = false;
    enum err by_id = find_standing(c, user->id, &standing);
    if (by_id == ERR_OK && standing.is_changed) {
        return ERR_OK;
    }
    if (by_id != ERR_OK && by_id != ERR_NOT_FOUND) {
        return by_id;
    }
    TRY(is_taken(c, "username_key", user->username, &taken));
    if (taken) {
        return ERR_CONFLICT_USERNAME;
    }
    TRY(is_taken(c, "email", user->email, &taken));
    if (taken) {
        return ERR_CONFLICT_EMAIL;
    }
    return by_id == ERR_OK ? ERR_CONFLICT : ERR_BUSY;
}

enum err mongo_user_insert(struct mongo_call *c, const bson_t *doc, const struct store_user *user)
{
    enum err e = ERR_BUSY;
    do {
        e = mongo_insert(c, doc);
        e = e == ERR_CONFLICT ? conflict_of(c, user) : e;
    } while (e == ERR_BUSY && mongo_call_again(c));
    return e == ERR_BUSY ? ERR_UNAVAILABLE : e;
}

static enum err user_add(struct store *s, const struct store_user *user)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t doc = BSON_INITIALIZER;
    TRY(mongo_call_open(s, "users", &c));
    mongo_user_put(&doc, user, c.id);
    return mongo_user_insert(&c, &doc, user);
}

/* ---- changing ---- */
/* What can be repeated as it is needs no mark: forgetting failures, which every login does. */
static bool needs_mark(const struct store_user_change *what)
{
    return what->raise_epoch > 0 || what->password_hash.data != NULL || what->roles.data != NULL ||
           what->state != STORE_KEEP_STATE;
}

static void put_mark(bson_t *update, struct uuid change)
{
    BCON_APPEND(update, "$push", "{", "changes", "{", "$each", "[", MONGO_UUID(change), "]",
                "$slice", BCON_INT32(-CHANGES_KEPT), "}", "}");
}

static void put_conditions(bson_t *filter, const struct mongo_call *c, struct uuid id,
                           const struct store_user_change *what)
{
    mongo_put_living(filter, id);
    if (what->if_password_hash.data != NULL) {
        mongo_put_text(filter, "password_hash", what->if_password_hash);
    }
    if (what->if_session_epoch != NULL) {
        mongo_put_int(filter, "session_epoch", *what->if_session_epoch);
    }
    if (needs_mark(what)) {
        BCON_APPEND(filter, "changes", "{", "$ne", MONGO_UUID(c->id), "}");
    }
}

static void put_if_any(bson_t *update, const char *name, const bson_t *part)
{
    if (bson_count_keys(part) > 0) {
        mongo_put_doc(update, name, part);
    }
}

static void put_values(const struct store_user_change *what, bson_t *set, bson_t *unset)
{
    if (what->password_hash.data != NULL) {
        mongo_put_text(set, "password_hash", what->password_hash);
    }
    if (what->roles.data != NULL) {
        mongo_put_words(set, "roles", what->roles);
    }
    if (what->state != STORE_KEEP_STATE) {
        mongo_put_bool(set, "disabled", what->state == STORE_DISABLE);
    }
    if (what->raise_epoch > 0) {
        mongo_put_uuid_or_none(set, "epoch_keep", what->keep);
        if (uuid_is_nil(what->keep)) {
            mongo_put_bool(unset, "epoch_keep", true);
        }
    }
    if (what->reset_failures) {
        mongo_put_int(set, "failures", 0);
        mongo_put_bool(unset, "not_before", true);
    }
}

static void put_change(bson_t *update, const struct mongo_call *c,
                       const struct store_user_change *what)
{
    AUTO(mongo_doc) bson_t set = BSON_INITIALIZER;
    AUTO(mongo_doc) bson_t unset = BSON_INITIALIZER;
    bool is_visible = what->password_hash.data != NULL || what->roles.data != NULL ||
                      what->state != STORE_KEEP_STATE;
    put_values(what, &set, &unset);
    put_if_any(update, "$set", &set);
    put_if_any(update, "$unset", &unset);
    if (what->raise_epoch > 0) {
        BCON_APPEND(update, "$inc", "{", "session_epoch", BCON_INT64(what->raise_epoch), "}");
    }
    if (is_visible) {
        BCON_APPEND(update, "$currentDate", "{", "updated_at", BCON_BOOL(true), "}");
    }
    if (needs_mark(what)) {
        put_mark(update, c->id);
    }
}

/* One conditional write; *ret_epoch is the epoch behind it. */
static enum err write_change(struct mongo_call *c, const bson_t *filter, const bson_t *update,
                             int64_t *ret_epoch)
{
    bson_t doc;
    TRY(mongo_modify(c, filter, update, MONGO_ONE, &doc));
    struct standing standing = { .change = &c->id };
    TRY(read_standing(&doc, NULL, &standing));
    *ret_epoch = standing.session_epoch;
    return ERR_OK;
}

/* A change that names nothing is a look at its conditions: an update without operators would
 * replace the record. */
static enum err look_at_conditions(struct mongo_call *c, const bson_t *filter, int64_t *ret_epoch)
{
    struct standing standing = { .change = &c->id };
    TRY(mongo_find_one(c, filter, read_standing, NULL, &standing));
    *ret_epoch = standing.session_epoch;
    return ERR_OK;
}

/* What became of a write that met nothing: an earlier try of it was made, or a condition is not
 * met. */
static enum err fate_of(struct mongo_call *c, struct uuid id, bool is_deletion, int64_t *ret_epoch)
{
    struct standing standing;
    TRY(find_standing(c, id, &standing));
    *ret_epoch = standing.session_epoch;
    if (standing.is_changed && standing.is_deleted == is_deletion) {
        return ERR_OK;
    }
    return standing.is_deleted ? ERR_NOT_FOUND : ERR_CONFLICT;
}

static enum err user_change(struct store *s, struct uuid id, const struct store_user_change *what,
                            int64_t *ret_epoch)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    AUTO(mongo_doc) bson_t update = BSON_INITIALIZER;
    int64_t epoch = 0;
    TRY(mongo_call_open(s, "users", &c));
    put_conditions(&filter, &c, id, what);
    put_change(&update, &c, what);
    enum err e = bson_count_keys(&update) > 0 ? write_change(&c, &filter, &update, &epoch)
                                              : look_at_conditions(&c, &filter, &epoch);
    TRY(e == ERR_NOT_FOUND ? fate_of(&c, id, false, &epoch) : e);
    if (ret_epoch != NULL) {
        *ret_epoch = epoch;
    }
    return ERR_OK;
}

/* ---- deleting ---- */
static void put_burial(bson_t *update, struct uuid change)
{
    BCON_APPEND(update, "$set", "{", "password_hash", BCON_UTF8(""), "roles", "[", "]", "disabled",
                BCON_BOOL(true), "}");
    BCON_APPEND(update, "$unset", "{", "username", BCON_BOOL(true), "username_key", BCON_BOOL(true),
                "email", BCON_BOOL(true), "epoch_keep", BCON_BOOL(true), "}");
    BCON_APPEND(update, "$inc", "{", "session_epoch", BCON_INT64(1), "}");
    BCON_APPEND(update, "$currentDate", "{", "updated_at", BCON_BOOL(true), "deleted_at",
                BCON_BOOL(true), "}");
    put_mark(update, change);
}

static enum err user_remove(struct store *s, struct uuid id, struct span if_password_hash,
                            int64_t *ret_epoch)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    AUTO(mongo_doc) bson_t update = BSON_INITIALIZER;
    int64_t epoch = 0;
    TRY(mongo_call_open(s, "users", &c));
    mongo_put_living(&filter, id);
    if (if_password_hash.data != NULL) {
        mongo_put_text(&filter, "password_hash", if_password_hash);
    }
    put_burial(&update, c.id);
    enum err e = write_change(&c, &filter, &update, &epoch);
    TRY(e == ERR_NOT_FOUND ? fate_of(&c, id, true, &epoch) : e);
    if (ret_epoch != NULL) {
        *ret_epoch = epoch;
    }
    return ERR_OK;
}

const struct store_user_ops mongo_user_ops = {
    .add = user_add,
    .by_id = user_by_id,
    .by_username = user_by_username,
    .by_email = user_by_email,
    .list = user_list,
    .change = user_change,
    .attempt = mongo_user_attempt,
    .stranger_attempt = mongo_stranger_attempt,
    .remove = user_remove,
};

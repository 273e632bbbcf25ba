/* record_in.c - a line of JSON to a record, by a table of members for each type.
 *
 * jansson goes 2048 levels deep at most, which the main thread's stack has room for. */
#include "record.h"
#include "store.h"

#include <jansson.h>
#include <stddef.h>
#include <string.h>

#define MOST_COUNT  ((INT64_C(1) << 53) - 1) /* that every reader of JSON can tell from the next */
#define NAME_SHOWN  32
#define MAX_MEMBERS 16

enum kind { TEXT, COUNT, FLAG, ID, INSTANT, ROLES, SKIPPED };
enum need { OPTIONAL, REQUIRED };
struct member {
    const char *name;
    enum kind kind;
    enum need need;
    size_t offset; /* in the record's struct */
};
struct type {
    const char *name;
    enum record_line line;
    enum auth_record_type record;
    size_t bytes;
    struct member members[MAX_MEMBERS];
};

#define USER(field)       offsetof(struct store_user, field)
#define SESSION(field)    offsetof(struct store_session, field)
#define REVOCATION(field) offsetof(struct store_revocation, field)
#define KEY(field)        offsetof(struct store_key, field)

/* A revocation says whose it is by which of two members it has. */
struct revocation_line {
    struct uuid session_id, user_id, keep;
    int64_t epoch, expires_at;
};
#define LINE(field) offsetof(struct revocation_line, field)
#define READ(field) offsetof(struct record_read, field)

static const struct type types[] = {
    { "user",
      RECORD_ITEM,
      AUTH_RECORD_USER,
      sizeof(struct store_user),
      { { "id", ID, OPTIONAL, USER(id) },
        { "username", TEXT, OPTIONAL, USER(username) },
        { "email", TEXT, OPTIONAL, USER(email) },
        { "password_hash", TEXT, REQUIRED, USER(password_hash) },
        { "roles", ROLES, OPTIONAL, USER(roles) },
        { "disabled", FLAG, OPTIONAL, USER(disabled) },
        { "session_epoch", COUNT, OPTIONAL, USER(session_epoch) },
        { "epoch_keep", ID, OPTIONAL, USER(epoch_keep) },
        { "failures", COUNT, OPTIONAL, USER(failures) },
        { "not_before", INSTANT, OPTIONAL, USER(not_before) },
        { "created_at", INSTANT, OPTIONAL, USER(created_at) },
        { "updated_at", INSTANT, OPTIONAL, USER(updated_at) } } },
    { "session",
      RECORD_ITEM,
      AUTH_RECORD_SESSION,
      sizeof(struct store_session),
      { { "id", ID, REQUIRED, SESSION(id) },
        { "user_id", ID, REQUIRED, SESSION(user_id) },
        { "epoch", COUNT, REQUIRED, SESSION(epoch) },
        { "master_key", TEXT, REQUIRED, SESSION(master_key) },
        { "counter", COUNT, REQUIRED, SESSION(counter) },
        { "created_at", INSTANT, REQUIRED, SESSION(created_at) },
        { "rotated_at", INSTANT, REQUIRED, SESSION(rotated_at) },
        { "last_used_at", INSTANT, REQUIRED, SESSION(last_used_at) },
        { "idle_expires_at", INSTANT, REQUIRED, SESSION(idle_expires_at) },
        { "expires_at", INSTANT, REQUIRED, SESSION(expires_at) },
        { "ip", TEXT, OPTIONAL, SESSION(ip) },
        { "user_agent", TEXT, OPTIONAL, SESSION(agent) } } },
    { "revocation",
      RECORD_ITEM,
      AUTH_RECORD_REVOCATION,
      sizeof(struct revocation_line),
      { { "session_id", ID, OPTIONAL, LINE(session_id) },
        { "user_id", ID, OPTIONAL, LINE(user_id) },
        { "epoch", COUNT, OPTIONAL, LINE(epoch) },
        { "keep", ID, OPTIONAL, LINE(keep) },
        { "expires_at", INSTANT, REQUIRED, LINE(expires_at) } } },
    { "key",
      RECORD_ITEM,
      AUTH_RECORD_KEY,
      sizeof(struct store_key),
      { { "kid", TEXT, REQUIRED, KEY(kid) },
        { "algorithm", TEXT, REQUIRED, KEY(algorithm) },
        { "generation", COUNT, REQUIRED, KEY(generation) },
        { "created_at", INSTANT, REQUIRED, KEY(created_at) },
        { "active_at", INSTANT, REQUIRED, KEY(active_at) },
        { "retired_at", INSTANT, OPTIONAL, KEY(retired_at) },
        { "public_jwk", TEXT, REQUIRED, KEY(public_jwk) },
        { "wrapped_private", TEXT, REQUIRED, KEY(wrapped_private) } } },
    { "header",
      RECORD_HEADER,
      AUTH_RECORD_USER,
      sizeof(struct record_read),
      { { "format", SKIPPED, REQUIRED, 0 },
        { "version", COUNT, REQUIRED, READ(version) },
        { "sessions", SKIPPED, OPTIONAL, 0 },
        { "keys", SKIPPED, OPTIONAL, 0 },
        { "after", SKIPPED, OPTIONAL, 0 },
        { "exported_at", SKIPPED, OPTIONAL, 0 } } },
    { "end",
      RECORD_END,
      AUTH_RECORD_USER,
      sizeof(struct record_read),
      { { "records", COUNT, OPTIONAL, READ(records) } } },
};

static void json_auto(json_t **value)
{
    json_decref(*value);
}

static enum err refuse(struct auth_input_error *ret_why, const char *field, const char *code,
                       const char *detail)
{
    *ret_why = (struct auth_input_error){ .field = field, .code = code, .detail = detail };
    return ERR_INVALID_INPUT;
}

/* ---- values ---- */

static struct span text_of(const json_t *value)
{
    return (struct span){ json_string_value(value), json_string_length(value) };
}

static enum err take_roles(const json_t *value, struct arena *a, struct span *ret_roles,
                           bool *ret_fits)
{
    struct span roles = SPAN("");
    size_t i;
    const json_t *role;
    *ret_fits = json_is_array(value) && json_array_size(value) <= STORE_MAX_ROLES;
    if (!*ret_fits) {
        return ERR_OK;
    }
    json_array_foreach(value, i, role)
    {
        if (!json_is_string(role) || json_string_length(role) == 0 ||
            span_find(text_of(role), ' ') != json_string_length(role)) {
            *ret_fits = false;
            return ERR_OK;
        }
        TRY(arena_printf(a, &roles, "%.*s%s%.*s", SPAN_FMT(roles), i > 0 ? " " : "",
                         SPAN_FMT(text_of(role))));
    }
    *ret_roles = roles;
    return ERR_OK;
}

/* *ret_fits: the value is of this kind. */
static enum err take_value(const json_t *value, const struct member *m, struct arena *a,
                           char *record, bool *ret_fits)
{
    void *place = record + m->offset;
    *ret_fits = true;
    switch (m->kind) {
    case TEXT:
        *ret_fits = json_is_string(value);
        return *ret_fits ? arena_copy(a, text_of(value), place) : ERR_OK;
    case COUNT:
        *ret_fits = json_is_integer(value) && json_integer_value(value) >= 0 &&
                    json_integer_value(value) <= MOST_COUNT;
        *(int64_t *)place = json_integer_value(value);
        return ERR_OK;
    case FLAG:
        *ret_fits = json_is_boolean(value);
        *(bool *)place = json_is_true(value);
        return ERR_OK;
    case ID:
        *ret_fits = json_is_string(value) && uuid_parse(text_of(value), place) &&
                    !uuid_is_nil(*(struct uuid *)place);
        return ERR_OK;
    case INSTANT:
        *ret_fits = json_is_string(value) && clock_from_rfc3339(text_of(value), place);
        return ERR_OK;
    case ROLES:
        return take_roles(value, a, place, ret_fits);
    case SKIPPED:
        break;
    }
    return ERR_OK;
}

static const char *const kind_details[] = {
    [TEXT] = "must be a string",
    [COUNT] = "must be a whole number from 0 to 2^53 - 1",
    [FLAG] = "must be true or false",
    [ID] = "must be a UUID, and not the one of zeros",
    [INSTANT] = "must be an instant as 2026-11-21T05:04:03.123Z, from 1970 on",
    [ROLES] = "must be a list of at most 16 strings without spaces",
};

/* ---- objects ---- */

static const struct type *find_type(struct span name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (span_equal(name, span_of(types[i].name))) {
            return &types[i];
        }
    }
    return NULL;
}

static bool is_known(const struct type *type, const char *name)
{
    bool known = strcmp(name, "type") == 0;
    for (size_t i = 0; !known && i < MAX_MEMBERS && type->members[i].name != NULL; i++) {
        known = strcmp(type->members[i].name, name) == 0;
    }
    return known;
}

/* The name is somebody else's text: only its beginning, and nothing that a terminal obeys. */
static enum err refuse_unknown(const char *name, struct arena *a, struct auth_input_error *ret_why)
{
    char shown[NAME_SHOWN + 1] = { 0 };
    struct span copy = SPAN_NONE;
    for (size_t i = 0; i < NAME_SHOWN && name[i] != '\0'; i++) {
        shown[i] = (char)(name[i] >= ' ' && name[i] <= '~' ? name[i] : '?');
    }
    TRY(arena_copy(a, span_of(shown), &copy));
    return refuse(ret_why, copy.data, "unknown_member", "is not a member of this type");
}

static enum err take_members(json_t *root, const struct type *type, struct arena *a, char *record,
                             struct auth_input_error *ret_why)
{
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        if (!is_known(type, name)) {
            return refuse_unknown(name, a, ret_why);
        }
    }
    for (size_t i = 0; i < MAX_MEMBERS && type->members[i].name != NULL; i++) {
        const struct member *m = &type->members[i];
        bool fits = true;
        value = json_object_get(root, m->name);
        if (value == NULL || json_is_null(value)) {
            if (m->need == REQUIRED) {
                return refuse(ret_why, m->name, "required", "is required");
            }
            continue;
        }
        TRY(take_value(value, m, a, record, &fits));
        if (!fits) {
            return refuse(ret_why, m->name, "wrong_type", kind_details[m->kind]);
        }
    }
    return ERR_OK;
}

static enum err make_revocation(const struct revocation_line *line, struct arena *a,
                                struct record_read *read, struct auth_input_error *ret_why)
{
    bool is_user = !uuid_is_nil(line->user_id);
    if (is_user == !uuid_is_nil(line->session_id)) {
        return refuse(ret_why, "session_id", "required",
                      "exactly one of session_id and user_id is required");
    }
    struct store_revocation *r = ARENA_NEW(a, struct store_revocation);
    if (r == NULL) {
        return ERR_NOMEM;
    }
    *r = (struct store_revocation){ .id = is_user ? line->user_id : line->session_id,
                                    .is_user = is_user,
                                    .epoch = line->epoch >= 0 ? line->epoch : INT64_MAX,
                                    .keep = line->keep,
                                    .expires_at = line->expires_at };
    r->epoch = is_user ? r->epoch : 0;
    read->item.revocation = r;
    return ERR_OK;
}

static enum err make_line(json_t *root, const struct type *type, struct arena *a,
                          struct record_read *read, struct auth_input_error *ret_why)
{
    char *record = arena_get(a, type->bytes);
    if (record == NULL) {
        return ERR_NOMEM;
    }
    struct record_read *itself = (void *)record;
    struct revocation_line *revocation = (void *)record;
    if (type->line == RECORD_END) {
        itself->records = -1;
    } else if (type->line == RECORD_ITEM && type->record == AUTH_RECORD_REVOCATION) {
        revocation->epoch = -1;
    }
    TRY(take_members(root, type, a, record, ret_why));
    if (type->line != RECORD_ITEM) {
        *read = *itself;
    } else if (type->record == AUTH_RECORD_REVOCATION) {
        TRY(make_revocation(revocation, a, read, ret_why));
    } else {
        read->item.user = (void *)record; /* whichever member of the union it is */
    }
    read->line = type->line;
    read->item.type = type->record;
    return ERR_OK;
}

static enum err load(struct span line, json_t **ret_root, struct auth_input_error *ret_why)
{
    json_error_t error;
    *ret_root = json_loadb(line.data, line.length, JSON_REJECT_DUPLICATES, &error);
    if (*ret_root != NULL) {
        return json_is_object(*ret_root)
                   ? ERR_OK
                   : refuse(ret_why, "", "wrong_type", "must be a JSON object");
    }
    return json_error_code(&error) == json_error_out_of_memory
               ? ERR_NOMEM
               : refuse(ret_why, "", "invalid_json",
                        "is no JSON in UTF-8, has a member twice, or a NUL in a text");
}

enum err record_read(struct span line, struct arena *a, struct record_read *ret_read,
                     struct auth_input_error *ret_why)
{
    __attribute__((cleanup(json_auto))) json_t *root = NULL;
    if (line.length > RECORD_MAX_LINE_BYTES) {
        return refuse(ret_why, "", "too_long", "the line has more than 65536 bytes");
    }
    TRY(load(line, &root, ret_why));
    const json_t *name = json_object_get(root, "type");
    const struct type *type = json_is_string(name) ? find_type(text_of(name)) : NULL;
    if (type == NULL) {
        return refuse(ret_why, "type", name == NULL ? "required" : "unknown_type",
                      "must be header, user, session, revocation, key or end");
    }
    struct record_read read = { 0 };
    TRY(make_line(root, type, a, &read, ret_why));
    if (type->line == RECORD_HEADER &&
        !span_equal(text_of(json_object_get(root, "format")), SPAN(RECORD_FORMAT))) {
        return refuse(ret_why, "format", "unknown_format", "must be \"doorward\"");
    }
    *ret_read = read;
    return ERR_OK;
}

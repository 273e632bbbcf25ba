/* record_out.c - records as lines of JSON, the same bytes for the same record. */
#include "record.h"
#include "store.h"

#define FIRST_BYTES 1024

static void put_type(struct json_out *j, const char *type)
{
    json_out_object(j, NULL);
    json_out_text(j, "type", span_of(type));
}

static void put_uuid_or_null(struct json_out *j, const char *name, struct uuid id)
{
    if (uuid_is_nil(id)) {
        json_out_text(j, name, SPAN_NONE);
    } else {
        json_out_uuid(j, name, id);
    }
}

static void put_instant_or_null(struct json_out *j, const char *name, int64_t unix_ms)
{
    if (unix_ms == 0) {
        json_out_text(j, name, SPAN_NONE);
    } else {
        json_out_instant(j, name, unix_ms);
    }
}

static void put_roles(struct json_out *j, struct span roles)
{
    struct span role = SPAN_NONE;
    json_out_list(j, "roles");
    while (roles.length > 0 && span_split(&roles, ' ', &role)) {
        json_out_text(j, NULL, role);
    }
    json_out_list_end(j);
}

static void put_user(struct json_out *j, const struct store_user *u)
{
    put_type(j, "user");
    put_uuid_or_null(j, "id", u->id);
    json_out_text(j, "username", u->username);
    json_out_text(j, "email", u->email);
    json_out_text(j, "password_hash", u->password_hash);
    put_roles(j, u->roles);
    json_out_flag(j, "disabled", u->disabled);
    json_out_number(j, "session_epoch", u->session_epoch);
    put_uuid_or_null(j, "epoch_keep", u->epoch_keep);
    json_out_number(j, "failures", u->failures);
    put_instant_or_null(j, "not_before", u->not_before);
    json_out_instant(j, "created_at", u->created_at);
    json_out_instant(j, "updated_at", u->updated_at);
}

static void put_session(struct json_out *j, const struct store_session *s)
{
    put_type(j, "session");
    json_out_uuid(j, "id", s->id);
    json_out_uuid(j, "user_id", s->user_id);
    json_out_number(j, "epoch", s->epoch);
    json_out_text(j, "master_key", s->master_key);
    json_out_number(j, "counter", s->counter);
    json_out_instant(j, "created_at", s->created_at);
    json_out_instant(j, "rotated_at", s->rotated_at);
    json_out_instant(j, "last_used_at", s->last_used_at);
    json_out_instant(j, "idle_expires_at", s->idle_expires_at);
    json_out_instant(j, "expires_at", s->expires_at);
    json_out_text(j, "ip", s->ip);
    json_out_text(j, "user_agent", s->agent);
}

/* A deleted user's has the highest epoch that there is: null, since few readers of JSON have room
 * for that number. */
static void put_revocation(struct json_out *j, const struct store_revocation *r)
{
    put_type(j, "revocation");
    json_out_uuid(j, r->is_user ? "user_id" : "session_id", r->id);
    if (r->is_user && r->epoch != INT64_MAX) {
        json_out_number(j, "epoch", r->epoch);
    } else if (r->is_user) {
        json_out_text(j, "epoch", SPAN_NONE);
    }
    if (r->is_user) {
        put_uuid_or_null(j, "keep", r->keep);
    }
    json_out_instant(j, "expires_at", r->expires_at);
}

static void put_key(struct json_out *j, const struct store_key *k)
{
    put_type(j, "key");
    json_out_text(j, "kid", k->kid);
    json_out_text(j, "algorithm", k->algorithm);
    json_out_number(j, "generation", k->generation);
    json_out_instant(j, "created_at", k->created_at);
    json_out_instant(j, "active_at", k->active_at);
    put_instant_or_null(j, "retired_at", k->retired_at);
    json_out_text(j, "public_jwk", k->public_jwk);
    json_out_text(j, "wrapped_private", k->wrapped_private);
}

static enum err end_line(struct json_out *j, struct arena *a, struct span *ret_line)
{
    struct span text = SPAN_NONE;
    json_out_object_end(j);
    TRY(json_out_result(j, &text));
    return arena_printf(a, ret_line, "%.*s\n", SPAN_FMT(text));
}

enum err record_write(const struct auth_record *record, struct arena *a, struct span *ret_line)
{
    struct json_out j;
    json_out_begin(&j, a, FIRST_BYTES);
    switch (record->type) {
    case AUTH_RECORD_KEY:
        put_key(&j, record->key);
        break;
    case AUTH_RECORD_USER:
        put_user(&j, record->user);
        break;
    case AUTH_RECORD_SESSION:
        put_session(&j, record->session);
        break;
    case AUTH_RECORD_REVOCATION:
        put_revocation(&j, record->revocation);
        break;
    }
    return end_line(&j, a, ret_line);
}

enum err record_write_header(const struct record_header *header, struct arena *a,
                             struct span *ret_line)
{
    struct json_out j;
    json_out_begin(&j, a, FIRST_BYTES);
    put_type(&j, "header");
    json_out_text(&j, "format", SPAN(RECORD_FORMAT));
    json_out_number(&j, "version", RECORD_VERSION);
    json_out_flag(&j, "sessions", header->with_sessions);
    json_out_flag(&j, "keys", header->with_keys);
    put_uuid_or_null(&j, "after", header->after);
    json_out_instant(&j, "exported_at", header->now_ms);
    return end_line(&j, a, ret_line);
}

enum err record_write_end(int64_t records, struct arena *a, struct span *ret_line)
{
    struct json_out j;
    json_out_begin(&j, a, FIRST_BYTES);
    put_type(&j, "end");
    json_out_number(&j, "records", records);
    return end_line(&j, a, ret_line);
}

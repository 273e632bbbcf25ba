#include "json_in.h"
#include <jansson.h>
#include <string.h>

static void json_auto(json_t **value)
{
    json_decref(*value);
}

/* jansson recurses up to 2048 levels; a loop thread's stack is not for strangers to fill. */
static bool is_too_deep(struct span text)
{
    size_t depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (in_text) {
            i += (c == '\\'); /* what follows is escaped */
            in_text = (c != '"');
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > API_JSON_MAX_DEPTH) {
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static enum err load(struct api_request *r, json_t **ret_root)
{
    struct span body = r->x->request.body;
    if (body.length == 0) {
        *ret_root = json_object();
        return *ret_root != NULL ? ERR_OK : ERR_NOMEM;
    }
    if (is_too_deep(body)) {
        return ERR_INVALID_JSON;
    }
    json_error_t error;
    *ret_root = json_loadb(body.data, body.length,
                           JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY |
                               JSON_DECODE_INT_AS_REAL,
                           &error);
    if (*ret_root != NULL) {
        return ERR_OK;
    }
    switch ((int)json_error_code(&error)) {
    case json_error_out_of_memory:
        return ERR_NOMEM;
    case json_error_null_byte_in_key:
        api_error_add(r, SPAN(""), "unknown_member", "a member's name contains a NUL character");
        return ERR_INVALID_INPUT;
    default:
        return ERR_INVALID_JSON;
    }
}

#define NAME_SHOWN_MAX 64

static enum err refuse_unknown(struct api_request *r, json_t *root,
                               const struct api_member *members, size_t count)
{
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++) {
            known = strcmp(members[i].name, name) == 0;
        }
        if (!known && r->error_count < API_MAX_ERRORS) {
            struct span shown;
            TRY(arena_copy(r->call.arena, span_slice(span_of(name), 0, NAME_SHOWN_MAX), &shown));
            api_error_add(r, shown, "unknown_member", "is not a member of this request");
        }
    }
    return ERR_OK;
}

static enum err take_text(struct api_request *r, const struct api_member *member,
                          const json_t *value)
{
    struct span name = span_of(member->name);
    if (!json_is_string(value)) {
        api_error_add(r, name, "wrong_type", "must be a string");
        return ERR_OK;
    }
    struct span text = { json_string_value(value), json_string_length(value) };
    if (span_find(text, '\0') != text.length) {
        api_error_add(r, name, "contains_nul", "must not contain a NUL character");
    } else if (member->max_bytes != 0 && text.length > member->max_bytes) {
        api_error_add(r, name, "too_long", "is longer than any that is accepted");
    }
    return arena_copy(r->call.arena, text, member->ret_text);
}

static enum err take_member(struct api_request *r, const struct api_member *member,
                            const json_t *root)
{
    const json_t *value = json_object_get(root, member->name);
    if (value == NULL || json_is_null(value)) {
        if (member->required) {
            api_error_add(r, span_of(member->name), "required", "is required");
        }
        return ERR_OK;
    }
    if (member->ret_flag == NULL) {
        return take_text(r, member, value);
    }
    if (!json_is_boolean(value)) {
        api_error_add(r, span_of(member->name), "wrong_type", "must be true or false");
        return ERR_OK;
    }
    *member->ret_flag = json_is_true(value);
    return ERR_OK;
}

enum err api_json_parse(struct api_request *r, const struct api_member *members, size_t count)
{
    __attribute__((cleanup(json_auto))) json_t *root = NULL;
    TRY(load(r, &root));
    if (!json_is_object(root)) {
        api_error_add(r, SPAN(""), "wrong_type", "the body must be a JSON object");
        return ERR_INVALID_INPUT;
    }
    TRY(refuse_unknown(r, root, members, count));
    for (size_t i = 0; i < count; i++) {
        TRY(take_member(r, &members[i], root));
    }
    return r->error_count == 0 ? ERR_OK : ERR_INVALID_INPUT;
}

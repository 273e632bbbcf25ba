#include "json_out.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void api_json_begin(struct api_json *j, struct arena *a, size_t capacity)
{
    *j = (struct api_json){ .arena = a, .data = arena_get(a, capacity), .capacity = capacity };
    j->failed = j->data == NULL;
}

static bool make_room(struct api_json *j, size_t length)
{
    if (j->failed) {
        return false;
    }
    if (length <= j->capacity - j->length) {
        return true;
    }
    size_t capacity = (j->length + length) * 2;
    char *grown = arena_get(j->arena, capacity);
    if (grown == NULL) {
        j->failed = true;
        return false;
    }
    memcpy(grown, j->data, j->length);
    j->data = grown;
    j->capacity = capacity;
    return true;
}

static void put(struct api_json *j, struct span bytes)
{
    if (bytes.length > 0 && make_room(j, bytes.length)) {
        memcpy(j->data + j->length, bytes.data, bytes.length);
        j->length += bytes.length;
    }
}

static void put_escaped(struct api_json *j, struct span text)
{
    while (text.length > 0) {
        uint32_t code = 0;
        size_t used = span_utf8_next(text, &code);
        char escape[8];
        if (used == 0) {
            put(j, SPAN("\xEF\xBF\xBD")); /* U+FFFD */
            used = 1;
        } else if (code == '"' || code == '\\') {
            put(j, (struct span){ (const char[]){ '\\', (char)code }, 2 });
        } else if (code < 0x20) {
            int length = snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code);
            put(j, (struct span){ escape, (size_t)length });
        } else {
            put(j, span_slice(text, 0, used));
        }
        text = span_from(text, used);
    }
}

/* The comma after the value before, and the member's name. A name is a literal of ours: nothing in
 * it needs an escape. */
static void put_name(struct api_json *j, const char *name)
{
    char last = j->length > 0 && !j->failed ? j->data[j->length - 1] : '{';
    if (last != '{' && last != '[') {
        put(j, SPAN(","));
    }
    if (name != NULL) {
        put(j, SPAN("\""));
        put(j, span_of(name));
        put(j, SPAN("\":"));
    }
}

void api_json_object(struct api_json *j, const char *name)
{
    put_name(j, name);
    put(j, SPAN("{"));
}

void api_json_object_end(struct api_json *j)
{
    put(j, SPAN("}"));
}

void api_json_list(struct api_json *j, const char *name)
{
    put_name(j, name);
    put(j, SPAN("["));
}

void api_json_list_end(struct api_json *j)
{
    put(j, SPAN("]"));
}

void api_json_text(struct api_json *j, const char *name, struct span text)
{
    put_name(j, name);
    if (text.data == NULL) {
        put(j, SPAN("null"));
        return;
    }
    put(j, SPAN("\""));
    put_escaped(j, text);
    put(j, SPAN("\""));
}

void api_json_number(struct api_json *j, const char *name, int64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, number);
    put_name(j, name);
    put(j, (struct span){ digits, (size_t)length });
}

void api_json_flag(struct api_json *j, const char *name, bool flag)
{
    put_name(j, name);
    put(j, flag ? SPAN("true") : SPAN("false"));
}

void api_json_uuid(struct api_json *j, const char *name, struct uuid id)
{
    char text[UUID_TEXT_LENGTH + 1];
    uuid_text(id, text);
    api_json_text(j, name, (struct span){ text, UUID_TEXT_LENGTH });
}

void api_json_instant(struct api_json *j, const char *name, int64_t unix_ms)
{
    char text[CLOCK_RFC3339_LENGTH + 1];
    clock_rfc3339(unix_ms, text);
    api_json_text(j, name, (struct span){ text, CLOCK_RFC3339_LENGTH });
}

enum err api_json_result(const struct api_json *j, struct span *ret_text)
{
    if (j->failed) {
        return ERR_NOMEM;
    }
    *ret_text = (struct span){ j->data, j->length };
    return ERR_OK;
}

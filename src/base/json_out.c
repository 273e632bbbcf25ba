#include "json_out.h"

#include "clock.h"
#include <stdio.h>
#include <string.h>

void json_out_begin(struct json_out *j, struct arena *a, size_t capacity)
{
    *j = (struct json_out){ .arena = a, .data = arena_get(a, capacity), .capacity = capacity };
    j->failed = j->data == NULL;
}

static bool make_room(struct json_out *j, size_t length)
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

static void put(struct json_out *j, struct span bytes)
{
    if (bytes.length > 0 && make_room(j, bytes.length)) {
        memcpy(j->data + j->length, bytes.data, bytes.length);
        j->length += bytes.length;
    }
}

/* How much of the beginning stands for itself in ASCII: nearly all of nearly every text. */
static size_t plain_length(struct span text)
{
    size_t length = 0;
    while (length < text.length) {
        uint8_t c = (uint8_t)text.data[length];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') {
            break;
        }
        length++;
    }
    return length;
}

/* Puts the first character, which is not plain, and returns the bytes that it took. */
static size_t put_special(struct json_out *j, struct span text)
{
    uint32_t code = 0;
    size_t used = span_utf8_next(text, &code);
    char escape[8];
    if (used == 0) {
        put(j, SPAN("\xEF\xBF\xBD")); /* U+FFFD */
        return 1;
    }
    if (code == '"' || code == '\\') {
        put(j, (struct span){ (const char[]){ '\\', (char)code }, 2 });
    } else if (code < 0x20) {
        int length = snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code);
        put(j, (struct span){ escape, (size_t)length });
    } else {
        put(j, span_slice(text, 0, used));
    }
    return used;
}

static void put_escaped(struct json_out *j, struct span text)
{
    while (text.length > 0) {
        size_t plain = plain_length(text);
        put(j, span_slice(text, 0, plain));
        text = span_from(text, plain);
        if (text.length > 0) {
            text = span_from(text, put_special(j, text));
        }
    }
}

/* The comma after the value before, and the member's name. A name is a literal of ours: nothing in
 * it needs an escape. */
static void put_name(struct json_out *j, const char *name)
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

void json_out_object(struct json_out *j, const char *name)
{
    put_name(j, name);
    put(j, SPAN("{"));
}

void json_out_object_end(struct json_out *j)
{
    put(j, SPAN("}"));
}

void json_out_list(struct json_out *j, const char *name)
{
    put_name(j, name);
    put(j, SPAN("["));
}

void json_out_list_end(struct json_out *j)
{
    put(j, SPAN("]"));
}

void json_out_text(struct json_out *j, const char *name, struct span text)
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

void json_out_number(struct json_out *j, const char *name, int64_t number)
{
    char room[SPAN_U64_DIGITS];
    put_name(j, name);
    if (number < 0) {
        put(j, SPAN("-"));
    }
    put(j, span_of_u64(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, room));
}

void json_out_flag(struct json_out *j, const char *name, bool flag)
{
    put_name(j, name);
    put(j, flag ? SPAN("true") : SPAN("false"));
}

void json_out_uuid(struct json_out *j, const char *name, struct uuid id)
{
    char text[UUID_TEXT_LENGTH + 1];
    uuid_text(id, text);
    json_out_text(j, name, (struct span){ text, UUID_TEXT_LENGTH });
}

void json_out_instant(struct json_out *j, const char *name, int64_t unix_ms)
{
    char text[CLOCK_RFC3339_LENGTH + 1];
    clock_rfc3339(unix_ms, text);
    json_out_text(j, name, (struct span){ text, CLOCK_RFC3339_LENGTH });
}

enum err json_out_result(const struct json_out *j, struct span *ret_text)
{
    if (j->failed) {
        return ERR_NOMEM;
    }
    *ret_text = (struct span){ j->data, j->length };
    return ERR_OK;
}

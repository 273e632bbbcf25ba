#include "log_line.h"

#include "clock.h"
#include <stdio.h>
#include <string.h>

#define JSON_CUT "\"truncated\":true"
#define TEXT_CUT "truncated=true"
/* Kept free until the end: the longer mark, its separator, the brace and the line feed. */
#define TAIL_BYTES (sizeof(JSON_CUT) - 1 + 3)

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static void put(struct log_line *line, struct span bytes)
{
    if (line->full || bytes.length > sizeof(line->data) - TAIL_BYTES - line->length) {
        line->full = true;
        return;
    }
    if (bytes.length > 0) {
        memcpy(line->data + line->length, bytes.data, bytes.length);
        line->length += bytes.length;
    }
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, span_of(text));
}

/* Controls (C1 too: terminals obey them), what breaks lines in some readers, and what turns the
 * direction of writing around. */
static bool must_escape(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static void put_code(struct log_line *line, uint32_t code, struct span bytes)
{
    if (code == '"' || code == '\\') {
        put(line, SPAN("\\"));
        put(line, bytes);
    } else if (must_escape(code)) {
        char escape[8];
        (void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(code & 0xffff));
        put_text(line, escape);
    } else {
        put(line, bytes);
    }
}

/* In quotes; what is no UTF-8 becomes U+FFFD, byte by byte. */
static void put_quoted(struct log_line *line, struct span text)
{
    struct span rest = text;
    put(line, SPAN("\""));
    while (rest.length > 0 && text.length - rest.length < LOG_TEXT_MAX) {
        uint32_t code = 0xfffd;
        size_t length = span_utf8_next(rest, &code);
        struct span bytes = length == 0 ? SPAN("\xef\xbf\xbd") : span_slice(rest, 0, length);
        put_code(line, code, bytes);
        rest = span_from(rest, length == 0 ? 1 : length);
    }
    if (rest.length > 0) {
        put(line, SPAN("\xe2\x80\xa6")); /* an ellipsis */
    }
    put(line, SPAN("\""));
}

static bool is_empty(const struct log_field *f)
{
    switch (f->kind) {
    case LOG_FIELD_TEXT:
        return f->text.length == 0;
    case LOG_FIELD_UUID:
        return uuid_is_nil(f->uuid);
    case LOG_FIELD_NUMBER:
        return false;
    }
    return true;
}

static void put_value(struct log_line *line, const struct log_field *f)
{
    char text[UUID_TEXT_LENGTH + 1];
    switch (f->kind) {
    case LOG_FIELD_TEXT:
        put_quoted(line, f->text);
        break;
    case LOG_FIELD_UUID:
        uuid_text(f->uuid, text);
        put_quoted(line, span_of(text));
        break;
    case LOG_FIELD_NUMBER:
        (void)snprintf(text, sizeof(text), "%lld", (long long)f->number);
        put_text(line, text);
        break;
    }
}

static void put_field(struct log_line *line, enum log_format format, const struct log_field *f)
{
    if (format == LOG_JSON) {
        put(line, SPAN(",\""));
        put_text(line, f->name);
        put(line, SPAN("\":"));
    } else {
        put(line, SPAN(" "));
        put_text(line, f->name);
        put(line, SPAN("="));
    }
    put_value(line, f);
}

static void put_head(struct log_line *line, enum log_format format,
                     const struct log_event_parts *parts)
{
    char time[CLOCK_RFC3339_LENGTH + 1];
    char head[96];
    clock_rfc3339(parts->unix_ms, time);
    const char *level = level_names[parts->level];
    if (format == LOG_JSON) {
        (void)snprintf(head, sizeof(head), "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", time,
                       level);
        put_text(line, head);
        put_quoted(line, span_of(parts->event));
    } else {
        (void)snprintf(head, sizeof(head), "%s %-5s ", time, level);
        put_text(line, head);
        put_text(line, parts->event);
    }
}

/* Into the room that put() keeps free. */
static void put_tail(struct log_line *line, enum log_format format, bool cut)
{
    const char *mark = format == LOG_JSON ? "," JSON_CUT : " " TEXT_CUT;
    const char *end = format == LOG_JSON ? "}\n" : "\n";
    line->length += (size_t)snprintf(line->data + line->length, sizeof(line->data) - line->length,
                                     "%s%s", cut ? mark : "", end);
}

void log_line_make(struct log_line *line, enum log_format format,
                   const struct log_event_parts *parts)
{
    bool cut = false;
    line->length = 0;
    line->full = false;
    put_head(line, format, parts);
    for (size_t i = 0; i < parts->count; i++) {
        if (is_empty(&parts->fields[i])) {
            continue;
        }
        size_t before = line->length;
        put_field(line, format, &parts->fields[i]);
        if (line->full) {
            line->length = before;
            line->full = false;
            cut = true;
        }
    }
    put_tail(line, format, cut);
}

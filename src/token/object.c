#include "object.h"

#include <string.h>

/* NUL at the end: it is nowhere in JSON. */
static char peek(const struct rest *r)
{
    return r->at < r->end ? *r->at : '\0';
}

static bool take(struct rest *r, char c)
{
    if (peek(r) != c) {
        return false;
    }
    r->at++;
    return true;
}

static void skip_space(struct rest *r)
{
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r') {
        r->at++;
    }
}

/* With the white space around it. */
static bool take_mark(struct rest *r, char mark)
{
    skip_space(r);
    if (!take(r, mark)) {
        return false;
    }
    skip_space(r);
    return true;
}

/* ---- texts ---- */

static bool read_hex4(struct rest *r, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = span_hex_value(peek(r));
        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint32_t)digit;
        r->at++;
    }
    *ret_value = value;
    return true;
}

static bool is_surrogate(uint32_t code)
{
    return code >= 0xd800 && code <= 0xdfff;
}

/* What follows \u: one code point, for which two of these may stand. */
static bool read_code(struct rest *r, uint32_t *ret_code)
{
    uint32_t code = 0;
    uint32_t low = 0;
    if (!read_hex4(r, &code) || code == 0) {
        return false;
    }
    if (is_surrogate(code)) {
        bool pair = code < 0xdc00 && take(r, '\\') && take(r, 'u') && read_hex4(r, &low) &&
                    low >= 0xdc00 && low <= 0xdfff;
        if (!pair) {
            return false;
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *ret_code = code;
    return true;
}

static size_t put_utf8(uint32_t code, char out[static 4])
{
    static const uint8_t heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(heads[length] | code);
    return length;
}

/* What a backslash begins; 0: nothing. Never longer than it was written. */
static size_t read_escape(struct rest *r, char out[static 4])
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t code = 0;
    if (take(r, 'u')) {
        return read_code(r, &code) ? put_utf8(code, out) : 0;
    }
    size_t i = span_find(SPAN(escapes), peek(r));
    if (i >= sizeof(escapes) - 1) {
        return 0;
    }
    r->at++;
    out[0] = meanings[i];
    return 1;
}

static bool is_plain(char c)
{
    return (uint8_t)c >= 0x20 && c != '"' && c != '\\';
}

/* `in_place`: with escapes replaced; else as it is written, to be read again. */
static bool read_text(struct rest *r, bool in_place, struct span *ret_text)
{
    if (!take(r, '"')) {
        return false;
    }
    char *start = r->at;
    char *out = r->at;
    for (;;) {
        char *plain = r->at;
        while (is_plain(peek(r))) {
            r->at++;
        }
        if (in_place && out != plain) {
            memmove(out, plain, (size_t)(r->at - plain));
        }
        out += r->at - plain;
        if (!take(r, '\\')) {
            break;
        }
        char meant[4];
        size_t length = read_escape(r, meant);
        if (length == 0) {
            return false;
        }
        if (in_place) {
            memcpy(out, meant, length);
        }
        out += length;
    }
    *ret_text = (struct span){ start, (size_t)(out - start) };
    return take(r, '"');
}

/* ---- numbers and words ---- */

static size_t skip_digits(struct rest *r)
{
    const char *start = r->at;
    while (peek(r) >= '0' && peek(r) <= '9') {
        r->at++;
    }
    return (size_t)(r->at - start);
}

static bool skip_fraction(struct rest *r)
{
    return !take(r, '.') || skip_digits(r) > 0;
}

static bool skip_exponent(struct rest *r)
{
    if (!take(r, 'e') && !take(r, 'E')) {
        return true;
    }
    if (!take(r, '+')) {
        (void)take(r, '-');
    }
    return skip_digits(r) > 0;
}

static bool read_number(struct rest *r, struct member *m)
{
    char *start = r->at;
    (void)take(r, '-');
    char *first = r->at;
    size_t digits = skip_digits(r);
    if (digits == 0 || (*first == '0' && digits > 1) || !skip_fraction(r) || !skip_exponent(r)) {
        return false;
    }
    uint64_t value = 0;
    if (span_to_u64((struct span){ start, (size_t)(r->at - start) }, INT64_MAX, &value)) {
        m->kind = MEMBER_NUMBER;
        m->number = (int64_t)value;
    }
    return true;
}

static bool read_word(struct rest *r)
{
    static const char *const words[] = { "true", "false", "null" };
    struct span left = { r->at, (size_t)(r->end - r->at) };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_starts(left, span_of(words[i]))) {
            r->at += strlen(words[i]);
            return true;
        }
    }
    return false;
}

/* ---- lists and objects ---- */

static bool read_value(struct rest *r, unsigned depth, struct member *m);

/* Its texts stay as they are written, for list_next(). */
static bool read_item(struct rest *r, unsigned depth)
{
    struct member item = { 0 };
    return peek(r) == '"' ? read_text(r, false, &item.text) : read_value(r, depth, &item);
}

static bool read_list(struct rest *r, unsigned depth, struct rest *ret_inside)
{
    if (depth == 0 || !take_mark(r, '[')) {
        return false;
    }
    char *start = r->at;
    if (peek(r) != ']') {
        do {
            if (!read_item(r, depth - 1)) {
                return false;
            }
        } while (take_mark(r, ','));
    }
    *ret_inside = (struct rest){ start, r->at };
    return take(r, ']');
}

static bool has_name(const struct object *o, struct span name)
{
    for (size_t i = 0; i < o->count; i++) {
        if (span_equal(o->members[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool read_member(struct rest *r, unsigned depth, struct object *o)
{
    struct member m = { .kind = MEMBER_OTHER };
    if (o->count == OBJECT_MEMBERS_MAX || !read_text(r, true, &m.name) || has_name(o, m.name) ||
        !take_mark(r, ':') || !read_value(r, depth, &m)) {
        return false;
    }
    o->members[o->count++] = m;
    return true;
}

static bool read_object(struct rest *r, unsigned depth, struct object *o)
{
    o->count = 0;
    if (depth == 0 || !take_mark(r, '{')) {
        return false;
    }
    if (peek(r) != '}') {
        do {
            if (!read_member(r, depth - 1, o)) {
                return false;
            }
        } while (take_mark(r, ','));
    }
    return take(r, '}');
}

/* One within: nothing of it is used, but its faults count. */
static bool skip_object(struct rest *r, unsigned depth)
{
    struct object inner;
    return read_object(r, depth, &inner);
}

static bool read_value(struct rest *r, unsigned depth, struct member *m)
{
    m->kind = MEMBER_OTHER;
    switch (peek(r)) {
    case '"':
        m->kind = MEMBER_TEXT;
        return read_text(r, true, &m->text);
    case '[':
        m->kind = MEMBER_LIST;
        return read_list(r, depth, &m->list);
    case '{':
        return skip_object(r, depth);
    case 't':
    case 'f':
    case 'n':
        return read_word(r);
    default:
        return read_number(r, m);
    }
}

bool object_read(char *text, size_t length, struct object *ret_object)
{
    struct rest r = { text, text + length };
    if (!span_is_utf8((struct span){ text, length })) {
        return false;
    }
    skip_space(&r);
    if (!read_object(&r, OBJECT_DEPTH_MAX, ret_object)) {
        return false;
    }
    skip_space(&r);
    return r.at == r.end;
}

/* ---- asking ---- */

const struct member *object_get(const struct object *o, const char *name)
{
    struct span wanted = span_of(name);
    for (size_t i = 0; i < o->count; i++) {
        if (span_equal(o->members[i].name, wanted)) {
            return &o->members[i];
        }
    }
    return NULL;
}

struct span object_text(const struct object *o, const char *name)
{
    const struct member *m = object_get(o, name);
    return m != NULL && m->kind == MEMBER_TEXT ? m->text : SPAN_NONE;
}

bool list_next(struct rest *list, struct span *ret_text)
{
    if (!read_text(list, true, ret_text)) {
        return false;
    }
    (void)take_mark(list, ',');
    return true;
}

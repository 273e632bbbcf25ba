/* query.c - the query's name=value pairs, as forms write them. */
#include "http.h"

/* The byte that "%XY" at the start of `s` stands for, or -1. */
static int escaped_byte(struct span s)
{
    if (s.length < 3 || s.data[0] != '%') {
        return -1;
    }
    int high = span_hex_value(s.data[1]);
    int low = span_hex_value(s.data[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* A '%' that begins no escape stands for itself, as in the URL standard's forms. */
static enum err decode(struct span text, struct arena *a, struct span *ret_decoded)
{
    char *out = arena_get(a, text.length + 1);
    if (out == NULL) {
        return ERR_NOMEM;
    }
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int byte = escaped_byte(span_from(text, i));
        if (byte >= 0) {
            out[length++] = (char)byte;
            i += 2;
        } else {
            out[length++] = text.data[i] == '+' ? ' ' : text.data[i];
        }
    }
    *ret_decoded = (struct span){ .data = out, .length = length };
    return ERR_OK;
}

enum err http_query_next(struct span *rest, struct arena *a, struct span *ret_name,
                         struct span *ret_value)
{
    struct span pair = SPAN_NONE;
    do {
        if (!span_split(rest, '&', &pair)) {
            return ERR_NOT_FOUND;
        }
    } while (pair.length == 0);
    size_t equals = span_find(pair, '=');
    struct span name = SPAN_NONE;
    TRY(decode(span_slice(pair, 0, equals), a, &name));
    TRY(decode(span_from(pair, equals + 1), a, ret_value));
    *ret_name = name;
    return ERR_OK;
}

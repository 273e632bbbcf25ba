/* json_out.h - JSON text, written straight into an arena.
 *
 * jansson builds trees on the heap; loop threads may not touch the heap, and every answer and every
 * token is a flat record, so this writes and never builds.
 *
 * Threads:   one owner at a time.
 * Ownership: the text lives in the arena.
 * Failure:   a write that finds no room marks the text failed; ask once at the end.
 * A `name` of NULL stands for an element of a list, or the outermost value. */
#ifndef DOORWARD_JSON_OUT_H
#define DOORWARD_JSON_OUT_H

#include "arena.h"
#include "uuid.h"

struct json_out {
    struct arena *arena;
    char *data;
    size_t length, capacity;
    bool failed;
};

/* Room for `capacity` bytes first; it grows within the arena. */
void json_out_begin(struct json_out *j, struct arena *a, size_t capacity);
void json_out_object(struct json_out *j, const char *name);
void json_out_object_end(struct json_out *j);
void json_out_list(struct json_out *j, const char *name);
void json_out_list_end(struct json_out *j);
/* Data NULL: null. Bytes that are no UTF-8 become U+FFFD. */
void json_out_text(struct json_out *j, const char *name, struct span text);
void json_out_number(struct json_out *j, const char *name, int64_t number);
void json_out_flag(struct json_out *j, const char *name, bool flag);
void json_out_uuid(struct json_out *j, const char *name, struct uuid id);
void json_out_instant(struct json_out *j, const char *name, int64_t unix_ms); /* RFC 3339 */
/* ERR_NOMEM when something did not fit. */
MUST_CHECK enum err json_out_result(const struct json_out *j, struct span *ret_text);

#endif

/* json_out.h - JSON text, written straight into an arena. Private to api.
 *
 * jansson builds trees on the heap; answers of the loop threads (LANE_INLINE) may not touch the
 * heap, and every answer is a flat record, so this writes and never builds.
 *
 * Threads:   one owner at a time.
 * Ownership: the text lives in the arena.
 * Failure:   a write that finds no room marks the text failed; ask once at the end.
 * A `name` of NULL stands for an element of a list, or the outermost value. */
#ifndef DOORWARD_API_JSON_OUT_H
#define DOORWARD_API_JSON_OUT_H

#include "base.h"

struct api_json {
    struct arena *arena;
    char *data;
    size_t length, capacity;
    bool failed;
};

/* Room for `capacity` bytes first; it grows within the arena. */
void api_json_begin(struct api_json *j, struct arena *a, size_t capacity);
void api_json_object(struct api_json *j, const char *name);
void api_json_object_end(struct api_json *j);
void api_json_list(struct api_json *j, const char *name);
void api_json_list_end(struct api_json *j);
/* Data NULL: null. Bytes that are no UTF-8 become U+FFFD. */
void api_json_text(struct api_json *j, const char *name, struct span text);
void api_json_number(struct api_json *j, const char *name, int64_t number);
void api_json_flag(struct api_json *j, const char *name, bool flag);
void api_json_uuid(struct api_json *j, const char *name, struct uuid id);
void api_json_instant(struct api_json *j, const char *name, int64_t unix_ms); /* RFC 3339 */
/* ERR_NOMEM when something did not fit. */
MUST_CHECK enum err api_json_result(const struct api_json *j, struct span *ret_text);

#endif

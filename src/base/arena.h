/* arena.h - memory of one request: taken piece by piece, given back all at once.
 *
 * Threads:   one owner at a time; it may be handed from a loop to a worker and back.
 * Ownership: what it gives lives until arena_reset() or arena_done().
 * Failure:   over the ceiling, or without memory, it gives NULL: the caller returns ERR_NOMEM.
 * Units:     bytes. All memory is wiped before it is given back, because requests carry passwords.
 */
#ifndef DOORWARD_ARENA_H
#define DOORWARD_ARENA_H

#include "errors.h"
#include "span.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* newest first; a small oldest is kept over a reset */
    size_t used_bytes;          /* handed out since birth or reset */
    size_t max_bytes;           /* the ceiling */
};

/* Allocates nothing. */
void arena_init(struct arena *a, size_t max_bytes);
void arena_reset(struct arena *a);
void arena_done(struct arena *a);
/* `size` zeroed bytes, aligned for any type; NULL over the ceiling. */
void *arena_get(struct arena *a, size_t size);
#define ARENA_NEW(a, type)          ((type *)arena_get((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_get_array((a), (count), sizeof(type)))
void *arena_get_array(struct arena *a, size_t count, size_t size); /* NULL also on overflow */
/* A copy with a NUL behind it (not counted). On failure ret->data is NULL and the length 0. */
MUST_CHECK enum err arena_copy(struct arena *a, struct span bytes, struct span *ret_copy);
PRINTF_LIKE(3, 4)
MUST_CHECK enum err arena_printf(struct arena *a, struct span *ret_text, const char *format, ...);

#endif

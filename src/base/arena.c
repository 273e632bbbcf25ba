#include "arena.h"

#include "secret.h"
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES                                                                                \
    4096 /* of the usual chunk, header included; a larger piece gets its own size                  \
          */

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    size_t used; /* bytes past it are zero */
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){ .max_bytes = max_bytes };
}

static void free_chunk(struct arena_chunk *chunk)
{
    secret_wipe(chunk->bytes, chunk->used);
    free(chunk);
}

/* May the chunk be kept for the next request? */
static bool is_keepable(const struct arena_chunk *chunk)
{
    return chunk->older == NULL && chunk->size <= CHUNK_BYTES;
}

void arena_reset(struct arena *a)
{
    while (a->chunks != NULL && !is_keepable(a->chunks)) {
        struct arena_chunk *older = a->chunks->older;
        free_chunk(a->chunks);
        a->chunks = older;
    }
    if (a->chunks != NULL) {
        secret_wipe(a->chunks->bytes, a->chunks->used);
        a->chunks->used = 0;
    }
    a->used_bytes = 0;
}

void arena_done(struct arena *a)
{
    arena_reset(a);
    free(a->chunks); /* the reset has wiped it */
    a->chunks = NULL;
}

static struct arena_chunk *add_chunk(struct arena *a, size_t size)
{
    size_t room = CHUNK_BYTES - sizeof(struct arena_chunk);
    size_t payload = size > room ? size : room;
    if (payload > SIZE_MAX - sizeof(struct arena_chunk)) {
        return NULL;
    }
    struct arena_chunk *chunk = calloc(1, sizeof(*chunk) + payload);
    if (chunk != NULL) {
        chunk->size = payload;
        chunk->older = a->chunks;
        a->chunks = chunk;
    }
    return chunk;
}

void *arena_get(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > a->max_bytes || size > SIZE_MAX - align) {
        return NULL;
    }
    size_t rounded = size == 0 ? align : (size + align - 1) / align * align;
    if (rounded > a->max_bytes - a->used_bytes) {
        return NULL;
    }
    struct arena_chunk *chunk = a->chunks;
    if (chunk == NULL || rounded > chunk->size - chunk->used) {
        chunk = add_chunk(a, rounded);
    }
    if (chunk == NULL) {
        return NULL;
    }
    void *piece = chunk->bytes + chunk->used;
    chunk->used += rounded;
    a->used_bytes += rounded;
    return piece;
}

void *arena_get_array(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    return arena_get(a, count * size);
}

enum err arena_copy(struct arena *a, struct span bytes, struct span *ret_copy)
{
    *ret_copy = SPAN_NONE;
    char *copy = bytes.length == SIZE_MAX ? NULL : arena_get(a, bytes.length + 1);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    if (bytes.length > 0) {
        memcpy(copy, bytes.data, bytes.length);
    }
    *ret_copy = (struct span){ .data = copy, .length = bytes.length };
    return ERR_OK;
}

PRINTF_LIKE(3, 0)
static enum err format_into(struct arena *a, struct span *ret_text, const char *format,
                            va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : arena_get(a, (size_t)length + 1);
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)length + 1, format, again);
        *ret_text = (struct span){ .data = text, .length = (size_t)length };
    }
    va_end(again);
    return text == NULL ? ERR_NOMEM : ERR_OK;
}

enum err arena_printf(struct arena *a, struct span *ret_text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum err e = format_into(a, ret_text, format, args);
    va_end(args);
    return e;
}

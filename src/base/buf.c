#include "buf.h"

#include "secret.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){ .max_bytes = max_bytes };
}

void buf_done(struct buf *b)
{
    secret_wipe(b->data, b->length);
    free(b->data);
    buf_init(b, b->max_bytes);
}

void buf_reset(struct buf *b)
{
    secret_wipe(b->data, b->length);
    b->length = 0;
    b->failed = false;
}

static size_t next_capacity(const struct buf *b, size_t needed)
{
    size_t next = b->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : b->capacity;
    while (next < needed) {
        next = next > SIZE_MAX / 2 ? needed : next * 2;
    }
    return next < b->max_bytes ? next : b->max_bytes;
}

/* Not realloc(): it may leave an unwiped copy behind. */
static bool grow(struct buf *b, size_t needed)
{
    size_t capacity = next_capacity(b, needed);
    if (capacity == SIZE_MAX) {
        return false;
    }
    char *data = malloc(capacity + 1); /* vsnprintf wants to write a NUL */
    if (data == NULL) {
        return false;
    }
    if (b->data != NULL) {
        memcpy(data, b->data, b->length);
        secret_wipe(b->data, b->length);
    }
    free(b->data);
    b->data = data;
    b->capacity = capacity;
    return true;
}

char *buf_room(struct buf *b, size_t length)
{
    if (b->failed) {
        return NULL;
    }
    bool fits = length <= b->max_bytes - b->length;
    bool has_room = b->data != NULL && length <= b->capacity - b->length;
    if (!fits || (!has_room && !grow(b, b->length + length))) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->length;
}

void buf_used(struct buf *b, size_t length)
{
    INVARIANT(length <= b->capacity - b->length);
    b->length += length;
}

void buf_add(struct buf *b, struct span bytes)
{
    char *room = buf_room(b, bytes.length);
    if (room != NULL && bytes.length > 0) {
        memcpy(room, bytes.data, bytes.length);
        b->length += bytes.length;
    }
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, span_of(text));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, (struct span){ .data = &c, .length = 1 });
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    char room[SPAN_U64_DIGITS];
    buf_add(b, span_of_u64(value, room));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *room = length < 0 ? NULL : buf_room(b, (size_t)length);
    if (room != NULL) {
        (void)vsnprintf(room, (size_t)length + 1, format, again);
        b->length += (size_t)length;
    } else {
        b->failed = true;
    }
    va_end(again);
    va_end(args);
}

void buf_drop(struct buf *b, size_t length)
{
    INVARIANT(length <= b->length);
    if (length == 0) {
        return;
    }
    size_t left = b->length - length;
    memmove(b->data, b->data + length, left);
    secret_wipe(b->data + left, length);
    b->length = left;
}

struct span buf_span(const struct buf *b)
{
    return (struct span){ .data = b->data, .length = b->length };
}

enum err buf_result(const struct buf *b)
{
    return b->failed ? ERR_NOMEM : ERR_OK;
}

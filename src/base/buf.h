/* buf.h - bytes that grow up to a declared ceiling.
 *
 * Threads:   one owner at a time.
 * Ownership: owns its memory from the heap; buf_done() wipes and frees it, because bodies carry
 * passwords. Failure:   a write that would pass the ceiling, or finds no memory, marks the buffer
 * failed and writes nothing; every later write is refused. Callers may write several times and ask
 * once. */
#ifndef DOORWARD_BUF_H
#define DOORWARD_BUF_H

#include "errors.h"
#include "span.h"

struct buf {
    char *data;
    size_t length;
    size_t capacity;
    size_t max_bytes; /* fixed at birth */
    bool failed;
};

void buf_init(struct buf *b, size_t max_bytes); /* allocates nothing */
void buf_done(struct buf *b);  /* wipes and frees; may be used again after buf_init */
void buf_reset(struct buf *b); /* wipes, keeps the memory, forgets a failure */
void buf_add(struct buf *b, struct span bytes);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t value);
PRINTF_LIKE(2, 3) void buf_printf(struct buf *b, const char *format, ...);
/* Room for `length` more bytes at the end, or NULL; say how many were used with buf_used(). */
char *buf_room(struct buf *b, size_t length);
void buf_used(struct buf *b, size_t length);
/* Take `length` bytes off the front. */
void buf_drop(struct buf *b, size_t length);
struct span buf_span(const struct buf *b);
/* ERR_NOMEM when a write did not fit. */
MUST_CHECK enum err buf_result(const struct buf *b);

#endif

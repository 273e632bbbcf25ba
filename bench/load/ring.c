#include "ring.h"

#include <stdlib.h>

enum err ring_init(struct ring *r, size_t capacity)
{
    r->items = calloc(capacity + 1, sizeof(r->items[0]));
    r->capacity = capacity;
    return r->items == NULL ? ERR_NOMEM : ERR_OK;
}

void ring_done(struct ring *r)
{
    free(r->items);
}

void ring_put(struct ring *r, size_t item)
{
    INVARIANT(r->count < r->capacity);
    r->items[(r->first + r->count) % r->capacity] = item;
    r->count++;
}

size_t ring_take(struct ring *r)
{
    INVARIANT(r->count > 0);
    size_t item = r->items[r->first];
    r->first = (r->first + 1) % r->capacity;
    r->count--;
    return item;
}

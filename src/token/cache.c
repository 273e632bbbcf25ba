#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    UNIT = 16,          /* bytes; places in the log are counted in it */
    BYTES_A_HEAD = 512, /* less than the usual entry, so that chains are short */
    /* Entries that are moved for one that comes. A move is some hundred nanoseconds and uses up the
     * mark that a hit has set, so moves are no more than hits; this bounds the longest wait. */
    MAX_CHANCES = 64,
};
/* User name and roles are shorter than the token that they were read from. */
#define ENTRY_MAX_BYTES (sizeof(struct cached) + 2 * TOKEN_MAX_BYTES + UNIT)
_Static_assert(TOKEN_CACHE_MIN_BYTES >= 2 * ENTRY_MAX_BYTES, "the smallest cache holds any token");

struct token_cache {
    struct tokens *tokens; /* fixed, all up to size */
    uint8_t hash_key[SIPHASH_KEY_BYTES];
    void *memory; /* heads, then the log; NULL: nothing is kept */
    size_t memory_bytes;
    uint32_t *heads;
    size_t head_count; /* a power of two */
    char *log;
    uint32_t size;
    uint32_t head, tail, limit;
    bool wrapped; /* the lap before is still there, from tail to limit */
    size_t count;
};

/* ---- life ---- */

/* Mapped and not allocated: what is never touched costs nothing, and what was is not in a core. */
static enum err map_memory(struct token_cache *c, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return ERR_NOMEM;
    }
    (void)madvise(memory, bytes, MADV_DONTDUMP);
    c->memory = memory;
    c->memory_bytes = bytes;
    return ERR_OK;
}

static void lay_out(struct token_cache *c)
{
    c->head_count = 1;
    while (c->head_count * 2 * BYTES_A_HEAD <= c->memory_bytes) {
        c->head_count *= 2;
    }
    size_t heads_bytes = (c->head_count * sizeof(c->heads[0]) + UNIT - 1) / UNIT * UNIT;
    size_t units = (c->memory_bytes - heads_bytes) / UNIT;
    c->heads = c->memory;
    c->log = (char *)c->memory + heads_bytes;
    c->size = units < UINT32_MAX ? (uint32_t)units : UINT32_MAX - 1;
}

enum err token_cache_new(struct tokens *t, size_t bytes, struct token_cache **ret_cache)
{
    struct token_cache *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->tokens = t;
    enum err e = secret_random(c->hash_key, sizeof(c->hash_key));
    if (e == ERR_OK && bytes >= TOKEN_CACHE_MIN_BYTES) {
        e = map_memory(c, bytes);
    }
    if (e != ERR_OK) {
        token_cache_free(c);
        return e;
    }
    if (c->memory != NULL) {
        lay_out(c);
    }
    *ret_cache = c;
    return ERR_OK;
}

void token_cache_free(struct token_cache *c)
{
    if (c == NULL) {
        return;
    }
    if (c->memory != NULL) {
        INVARIANT(munmap(c->memory, c->memory_bytes) == 0);
    }
    secret_wipe(c->hash_key, sizeof(c->hash_key));
    free(c);
}

size_t cache_count(const struct token_cache *c)
{
    return c->count;
}

struct tokens *cache_tokens(const struct token_cache *c)
{
    return c->tokens;
}

/* ---- looking ---- */

static struct cached *entry_at(const struct token_cache *c, uint32_t place)
{
    return (struct cached *)(void *)(c->log + (size_t)place * UNIT);
}

static uint32_t *head_of(const struct token_cache *c, uint64_t hash)
{
    return &c->heads[hash & (c->head_count - 1)];
}

static uint64_t hash_of(const struct token_cache *c, struct span token)
{
    size_t skipped = token.length > CACHE_HASHED_BYTES ? token.length - CACHE_HASHED_BYTES : 0;
    return siphash(c->hash_key, span_from(token, skipped));
}

struct cached *cache_find(struct token_cache *c, struct span token)
{
    if (c->memory == NULL) {
        return NULL;
    }
    uint64_t hash = hash_of(c, token);
    uint32_t link = *head_of(c, hash);
    while (link != 0) {
        struct cached *e = entry_at(c, link - 1);
        if (e->hash == hash && span_equal((struct span){ e->bytes, e->token_length }, token)) {
            return e;
        }
        link = e->next;
    }
    return NULL;
}

struct token_claims cached_claims(const struct cached *e)
{
    struct token_claims claims = e->claims;
    const char *username = e->bytes + e->token_length;
    claims.username.data = claims.username.length > 0 ? username : NULL;
    claims.roles.data = username + claims.username.length;
    return claims;
}

/* ---- making room ---- */

/* What points to the entry: its bucket or the one before it. */
static uint32_t *link_to(const struct token_cache *c, uint32_t place)
{
    uint32_t *link = head_of(c, entry_at(c, place)->hash);
    while (*link != place + 1) {
        INVARIANT(*link != 0);
        link = &entry_at(c, *link - 1)->next;
    }
    return link;
}

static void drop_oldest(struct token_cache *c)
{
    const struct cached *e = entry_at(c, c->tail);
    *link_to(c, c->tail) = e->next;
    c->tail += e->units;
    c->count--;
}

/* From the one end of the free piece to the other. */
static void move_oldest(struct token_cache *c)
{
    uint32_t *link = link_to(c, c->tail);
    uint32_t units = entry_at(c, c->tail)->units;
    memmove(entry_at(c, c->head), entry_at(c, c->tail), (size_t)units * UNIT);
    *link = c->head + 1;
    entry_at(c, c->head)->used = false;
    c->head += units;
    c->tail += units;
}

static void make_room(struct token_cache *c, uint32_t units)
{
    unsigned chances = MAX_CHANCES;
    while ((c->wrapped ? c->tail : c->size) - c->head < units) {
        if (!c->wrapped) {
            c->wrapped = true;
            c->limit = c->head;
            c->head = 0;
            c->tail = 0;
        } else if (c->tail == c->limit) {
            c->wrapped = false;
        } else if (entry_at(c, c->tail)->used && chances > 0) {
            move_oldest(c);
            chances--;
        } else {
            drop_oldest(c);
        }
    }
}

/* ---- adding ---- */

static void copy_texts(struct cached *e, struct span token, const struct token_claims *claims)
{
    char *end = e->bytes;
    const struct span texts[] = { token, claims->username, claims->roles };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].length > 0) {
            memcpy(end, texts[i].data, texts[i].length);
            end += texts[i].length;
        }
    }
}

void cache_add(struct token_cache *c, struct span token, const struct ring *ring,
               const struct ring_key *key, const struct token_claims *claims)
{
    size_t bytes =
        sizeof(struct cached) + token.length + claims->username.length + claims->roles.length;
    if (c->memory == NULL || bytes > ENTRY_MAX_BYTES) {
        return;
    }
    uint32_t units = (uint32_t)((bytes + UNIT - 1) / UNIT);
    make_room(c, units);
    uint64_t hash = hash_of(c, token);
    uint32_t *bucket = head_of(c, hash);
    struct cached *e = entry_at(c, c->head);
    *e = (struct cached){ .hash = hash,
                          .next = *bucket,
                          .units = units,
                          .ring = ring,
                          .key = key,
                          .claims = *claims,
                          .token_length = token.length };
    copy_texts(e, token, claims);
    *bucket = c->head + 1;
    c->head += units;
    c->count++;
}

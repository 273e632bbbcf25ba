/* cache.h - the tokens that one thread has lately found good, with what they say. Private to token.
 *
 *   heads[keyed hash] -> entry -> entry            the chain of a bucket
 *
 *   0          head          tail             limit     size
 *   |##########|.............|################|.........|        the log, of whole entries
 *    this lap    free          the lap before
 *
 * Entries are of any size and are written at `head`; when they come to `tail`, the oldest entry
 * makes room. One that was used since it was written is moved to `head` instead, once, and so lives
 * for another lap. That is first in, first out with a second chance: no free lists, no holes that
 * nothing fits into, one bound in bytes.
 *
 * What a stranger can do: only a token that verified is kept, so he can add his own and no others,
 * and push out what nobody used for a lap. The hash is keyed anew for each cache and covers the
 * last CACHE_HASHED_BYTES characters, which are the end of the signature: he cannot choose those of
 * a good token, so he cannot aim at a bucket, and a bad token with another one's end costs a
 * comparison more and then its signature check.
 *
 * Threads:   one. Ownership: an entry is the cache's and stays where it is until the next
 * cache_add(). Failure: none; without memory of its own it keeps nothing. */
#ifndef DOORWARD_TOKEN_CACHE_H
#define DOORWARD_TOKEN_CACHE_H

#include "ring.h"

#define CACHE_HASHED_BYTES 32 /* 192 bits: all that a bucket could want */

struct cached {
    uint64_t hash;
    uint32_t next;  /* in the chain: its place + 1; 0: the last */
    uint32_t units; /* of the log, this header included */
    bool used;      /* since it was written or moved */
    /* The snapshot that it was last found good under, and its key there: snapshots live until
     * token_close(). */
    const struct ring *ring;
    const struct ring_key *key;
    struct token_claims claims; /* its texts: lengths alone, see cached_claims() */
    size_t token_length;
    char bytes[]; /* token, user name, roles */
};

/* NULL: not there. Byte for byte the same token, or none. */
struct cached *cache_find(struct token_cache *c, struct span token);
/* What the entry says; its texts live as long as the entry. */
struct token_claims cached_claims(const struct cached *e);
/* Keep a token that has just been found good under this key of this snapshot, and was not there. */
void cache_add(struct token_cache *c, struct span token, const struct ring *ring,
               const struct ring_key *key, const struct token_claims *claims);
size_t cache_count(const struct token_cache *c);
struct tokens *cache_tokens(const struct token_cache *c);

#endif

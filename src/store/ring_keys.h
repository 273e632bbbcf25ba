/* ring_keys.h - the records of the key ring; a part of store.h, which others include.
 *
 * Threads, ownership, failure, units: as store.h. */
#ifndef DOORWARD_STORE_RING_KEYS_H
#define DOORWARD_STORE_RING_KEYS_H

#include "store.h"

#define STORE_MAX_KEYS 400 /* of more, only the newest are listed */
struct store_key {
    struct span kid, algorithm;
    int64_t generation; /* counts up: a later key has a higher one */
    int64_t created_at;
    int64_t active_at;           /* signs from then on, until the next generation does */
    int64_t retired_at;          /* 0, or: refused from then on, by hand */
    struct span public_jwk;      /* JSON, public members only */
    struct span wrapped_private; /* opaque to the store */
};
/* ERR_CONFLICT: this algorithm has a key of this generation, or the kid is taken; read the list
 * again. One conditional write decides which of several processes made the key. */
MUST_CHECK enum err store_key_add(struct store *s, const struct store_key *key);
/* retired_at = now where it was 0; repeating it is fine. ERR_NOT_FOUND. */
MUST_CHECK enum err store_key_retire(struct store *s, struct span kid);
/* ERR_NOT_FOUND. For keys whose last token has expired long ago. */
MUST_CHECK enum err store_key_delete(struct store *s, struct span kid);
MUST_CHECK enum err store_key_list(struct store *s, struct arena *a, struct store_key **ret_keys,
                                   size_t *ret_count); /* by generation, then algorithm */

#endif

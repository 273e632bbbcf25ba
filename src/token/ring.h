/* ring.h - the keys that verify and the one that signs, as one snapshot; and what struct tokens is.
 *
 *   token_ring_set -> build a snapshot -> publish by atomic pointer -> readers take it, never lock
 *
 * A replaced snapshot cannot be freed, since a reader may be in the middle of it, and counting
 * readers would make every loop write one cache line. They are kept until token_close(): a key is
 * opened once and shared by all that have it, and a new one is made only when the keys really
 * changed. A rotation keeps some 20 kB: a few hundred kB a year with one a month, and at
 * most, with one an hour, half a MB a day.
 *
 * Threads:   ring_current and what it gives from any; token_ring_set from one at a time. */
#ifndef DOORWARD_TOKEN_RING_H
#define DOORWARD_TOKEN_RING_H

#include "master.h"
#include "signer.h"
#include "verifier.h"

#define RING_KEYS_MAX TOKEN_KEYS_MAX

struct ring_key {
    char kid[JWK_THUMBPRINT_LENGTH + 1];
    const struct jwk_kind *kind;
    bool signs;       /* may: ring_signer() */
    bool is_borrowed; /* verify and sign are an older snapshot's */
    int64_t generation;
    int64_t active_at, expires_at; /* expires_at 0: open */
    json_t *public_jwk;            /* NULL for HS256 */
    struct verifier verify;
    struct signer sign; /* open only if it signs: what is not needed is not kept */
};
struct ring {
    struct ring *older;
    char *jwks; /* JSON */
    char etag[JWK_THUMBPRINT_LENGTH + 3];
    bool ready; /* one of them signs */
    size_t count;
    struct ring_key keys[];
};

struct tokens {
    /* fixed */
    char *issuer, *audience, *type;
    const struct jwk_kind *kind; /* of new keys */
    int64_t expiry_s, leeway_s;
    struct masters masters;

    _Atomic(struct ring *) ring; /* never NULL */
};

const struct ring *ring_current(const struct tokens *t);
/* NULL: not there, or expired. */
const struct ring_key *ring_find(const struct ring *r, struct span kid, int64_t now_ms);
/* The one that signs now: the latest generation of those that are active. When none is active yet
 * (a clock was set back), the first that will be. NULL: none signs. */
const struct ring_key *ring_signer(const struct ring *r, int64_t now_ms);

/* The first ring: empty, or with HS256 its one or two secrets. */
MUST_CHECK enum err ring_open(struct tokens *t, struct span secret, struct span secret_previous);
void ring_close(struct tokens *t); /* frees every snapshot */

#endif

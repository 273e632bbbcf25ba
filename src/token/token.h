/* token.h - signing keys, access tokens (JWT, RFC 7519, 9068), refresh tokens, the key set (RFC
 * 7517).
 *
 * Knows no store: keys come in as records and go out as records, wrapped with the master key.
 *
 * Threads:   token_issue, token_verify, token_jwks and the refresh functions from any thread,
 * without locks: the ring is published by an atomic pointer. token_ring_set from one thread at a
 * time. token_open makes jansson and libjwt wipe what they free, and end the process when they get
 * no memory, everywhere.
 * Ownership: arguments borrowed, results in the caller's arena; private keys are wiped on free.
 * Failure:   as listed, and ERR_NOMEM; ERR_INTERNAL when cryptography itself fails, which never
 * lets anyone in; ERR_UNAVAILABLE from token_issue and token_verify while no key is there.
 * Units:     durations in seconds, instants in Unix milliseconds. */
#ifndef DOORWARD_TOKEN_H
#define DOORWARD_TOKEN_H

#include "base.h"

#define TOKEN_MAX_BYTES    4096 /* a longer access token is refused unparsed */
#define TOKEN_MAX_EXPIRY_S (INT64_C(30) * 24 * 3600)

/* The master keys: the first writes, all read. Each is 32 bytes. */
#define TOKEN_MASTER_BYTES 32
#define TOKEN_MASTER_MAX   8
struct token_options {
    struct span issuer, audience;
    struct span algorithm;               /* ES256, EdDSA, RS256, PS256 or HS256 */
    struct span type;                    /* the header's typ: "at+jwt" or "JWT" */
    struct span secret, secret_previous; /* HS256: JWT_SECRET; else data NULL */
    int64_t expiry_s, leeway_s;
    struct span master[TOKEN_MASTER_MAX]; /* raw bytes */
    size_t master_count;
};
struct tokens;
/* ERR_CONFIG: an option that is missing, too short, or does not go with another. */
MUST_CHECK enum err token_open(const struct token_options *options, struct tokens **ret_tokens);
void token_close(struct tokens *t);
AUTO_DEFINE(token, struct tokens, token_close);

/* ---- the key ring ---- */
#define TOKEN_KEYS_MAX 400
struct token_key {
    struct span kid, algorithm; /* kid: RFC 7638 thumbprint */
    struct span public_jwk;     /* JSON */
    struct span wrapped;        /* private part, AES-256-GCM under the master key, base64url text */
    bool signs;                 /* of those that may, the latest generation that is active does */
    int64_t generation;
    int64_t active_at, expires_at; /* verifies until expires_at, 0: open */
};
/* A fresh key of the configured algorithm. Never for HS256 (ERR_CONFIG). */
MUST_CHECK enum err token_key_make(struct tokens *t, struct arena *a, struct token_key *ret_key);
/* The algorithm of new keys; lives as long as t. */
struct span token_algorithm(const struct tokens *t);
/* A record without a key in it, of algorithm HS256: with JWT_SECRET nothing else in the store tells
 * whether the master keys are those of before. */
MUST_CHECK enum err token_witness_make(const struct tokens *t, struct arena *a,
                                       struct token_key *ret_witness);
/* ERR_CONFIG: it was made with another master key. */
MUST_CHECK enum err token_witness_check(const struct tokens *t, const struct token_key *witness);
/* ERR_CONFIG: token_ring_set() would refuse it. */
MUST_CHECK enum err token_key_check(const struct tokens *t, const struct token_key *key);
/* Publish these keys instead of the present ones; the same keys again cost nothing. ERR_CONFIG: a
 * private part opens with none of the master keys, or is not of that kid; the ring stays as it was.
 * With HS256 call it with none. What is published comes from the private part, not public_jwk. */
MUST_CHECK enum err token_ring_set(struct tokens *t, const struct token_key *keys, size_t count);
bool token_ring_ready(const struct tokens *t);
bool token_ring_has(const struct tokens *t, struct span kid); /* expired or not */
/* The JSON Web Key Set, keys sorted by kid, and its strong ETag (quotes included). Both live as
 * long as t. */
void token_jwks(const struct tokens *t, struct span *ret_json, struct span *ret_etag);

/* ---- access tokens ---- */
struct token_claims {
    struct uuid user_id, session_id;
    int64_t epoch, auth_time_s; /* the user's session epoch; Unix seconds of the login */
    int64_t issued_at_s, expires_at_s;
    struct span username; /* data NULL when the user has none */
    struct span roles;    /* by single spaces */
};
/* Signs; issued_at_s and expires_at_s are set from `now_ms` and the configured expiry. */
MUST_CHECK enum err token_issue(struct tokens *t, const struct token_claims *claims, int64_t now_ms,
                                struct arena *a, struct span *ret_token);
/* ERR_INVALID_TOKEN, or ERR_TOKEN_EXPIRED for one that is ours in every other way. A token that was
 * made under a longer expiry_s counts as expired after the present one: revocations are kept no
 * longer. *ret_claims points into `a`. */
MUST_CHECK enum err token_verify(struct tokens *t, struct span token, int64_t now_ms,
                                 struct arena *a, struct token_claims *ret_claims);

/* ---- verified tokens, remembered: one cache a thread, never shared, closed before t ---- */
/* With fewer bytes than this nothing is remembered. All of `bytes` is taken now, and costs nothing
 * until it is used. */
#define TOKEN_CACHE_MIN_BYTES (64 * 1024)
struct token_cache;
MUST_CHECK enum err token_cache_new(struct tokens *t, size_t bytes, struct token_cache **ret_cache);
void token_cache_free(struct token_cache *c); /* NULL is fine */
AUTO_DEFINE(token_cache, struct token_cache, token_cache_free);
/* token_verify(), and the same answer in every case: only good tokens are remembered, and of those
 * the times and the key are judged again. Takes no memory but the arena's for one it remembers. */
MUST_CHECK enum err token_cache_verify(struct token_cache *c, struct span token, int64_t now_ms,
                                       struct arena *a, struct token_claims *ret_claims);

/* ---- names that no user has ---- */
/* HMAC-SHA-256 under HKDF(the first master key, "names"), cut: the same in every process with that
 * key, and who reads the database does not learn what strangers typed. */
#define TOKEN_NAME_HASH_BYTES 16
MUST_CHECK enum err token_name_hash(const struct tokens *t, struct span name,
                                    uint8_t ret_hash[static TOKEN_NAME_HASH_BYTES]);

/* ---- refresh tokens: version, master-key id, session id, counter, MAC (DESIGN 4) ---- */
struct token_refresh {
    struct uuid session_id;
    int64_t counter;
    struct span master_key; /* its id, text */
};
/* The id of the master key that writes; lives as long as t. */
struct span token_master_id(const struct tokens *t);
#define TOKEN_MASTER_ID_LENGTH 8
/* Whether the master key of this id is here. */
bool token_has_master(const struct tokens *t, struct span id);
/* The id of the master key that wrapped this private part, "" for what is none; whether it is among
 * t's. */
bool token_wrapped_by(const struct tokens *t, struct span wrapped,
                      char ret_id[static TOKEN_MASTER_ID_LENGTH + 1]);
/* Deterministic: the same fields give the same token. ERR_INVALID_REFRESH: that master key is not
 * there. */
MUST_CHECK enum err token_refresh_make(const struct tokens *t, const struct token_refresh *fields,
                                       struct arena *a, struct span *ret_token);
/* ERR_INVALID_REFRESH for anything that token_refresh_make did not make; the MAC is compared in
 * constant time. */
MUST_CHECK enum err token_refresh_parse(const struct tokens *t, struct span token, struct arena *a,
                                        struct token_refresh *ret_fields);

#endif

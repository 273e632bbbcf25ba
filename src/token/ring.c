/* ring.c - building, publishing and reading the key ring. */
#include "ring.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one snapshot ---- */

static struct ring *ring_new(size_t capacity)
{
    return calloc(1, sizeof(struct ring) + capacity * sizeof(struct ring_key));
}

static void ring_free(struct ring *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->count; i++) {
        json_decref(r->keys[i].public_jwk);
        if (!r->keys[i].is_borrowed) {
            verifier_close(&r->keys[i].verify);
            signer_close(&r->keys[i].sign);
        }
    }
    free(r->jwks);
    free(r);
}

static int by_kid(const void *a, const void *b)
{
    return strcmp(((const struct ring_key *)a)->kid, ((const struct ring_key *)b)->kid);
}

static bool has_doubles(const struct ring *r)
{
    for (size_t i = 1; i < r->count; i++) {
        if (strcmp(r->keys[i - 1].kid, r->keys[i].kid) == 0) {
            return true;
        }
    }
    return false;
}

/* HS256 publishes no keys: there is no public part. */
static enum err add_published(const struct ring *r, json_t *list)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->keys[i].public_jwk != NULL && json_array_append(list, r->keys[i].public_jwk) != 0) {
            return ERR_NOMEM;
        }
    }
    return ERR_OK;
}

static enum err write_jwks(struct ring *r)
{
    json_t *list = json_array();
    enum err added = list == NULL ? ERR_NOMEM : add_published(r, list);
    json_t *set = added == ERR_OK ? json_pack("{s:O}", "keys", list) : NULL;
    r->jwks = set == NULL ? NULL : jwk_text(set);
    json_decref(set);
    json_decref(list);
    return r->jwks == NULL ? ERR_NOMEM : ERR_OK;
}

/* Sorted by kid, so that every replica that has the same keys gives the same bytes. */
static enum err finish(struct ring *r)
{
    char digest[JWK_THUMBPRINT_LENGTH + 1];
    qsort(r->keys, r->count, sizeof(r->keys[0]), by_kid);
    if (has_doubles(r)) {
        return ERR_CONFIG;
    }
    for (size_t i = 0; i < r->count; i++) {
        r->ready = r->ready || r->keys[i].signs;
    }
    TRY(write_jwks(r));
    TRY(jwk_digest(span_of(r->jwks), digest));
    snprintf(r->etag, sizeof(r->etag), "\"%s\"", digest);
    return ERR_OK;
}

/* ---- one key ---- */

static const struct ring_key *find_any(const struct ring *r, struct span kid)
{
    for (size_t i = 0; i < r->count; i++) {
        if (span_equal(span_of(r->keys[i].kid), kid)) {
            return &r->keys[i];
        }
    }
    return NULL;
}

/* What an older snapshot has opened serves this one as well: they all live until token_close(). */
static bool borrow_parts(const struct tokens *t, struct span kid, struct ring_key *k)
{
    const struct ring_key *open = find_any(ring_current(t), kid);
    if (open == NULL || open->kind != k->kind || (k->signs && !signer_is_open(&open->sign))) {
        return false;
    }
    memcpy(k->kid, open->kid, sizeof(k->kid));
    k->public_jwk = json_incref(open->public_jwk);
    k->verify = open->verify;
    k->sign = open->sign;
    k->is_borrowed = true;
    return true;
}

static enum err open_parts(struct ring_key *k, const json_t *private_jwk)
{
    TRY(jwk_public(k->kind, private_jwk, &k->public_jwk));
    TRY(verifier_open(k->kind, k->public_jwk, &k->verify));
    const char *kid = json_string_value(json_object_get(k->public_jwk, "kid"));
    snprintf(k->kid, sizeof(k->kid), "%s", kid);
    return k->signs ? signer_open(k->kind, private_jwk, &k->sign) : ERR_OK;
}

/* What is published is built from the private part, which is authenticated, and not taken from the
 * record's public_jwk: who can write the store must not be able to plant a key. */
static enum err open_key(const struct tokens *t, const struct token_key *from, struct ring_key *k)
{
    AUTO(secret) struct secret *plain = NULL;
    k->kind = jwk_kind_of(from->algorithm);
    k->signs = from->signs;
    k->generation = from->generation;
    k->active_at = from->active_at;
    k->expires_at = from->expires_at;
    if (k->kind == NULL || k->kind->alg == JWT_ALG_HS256) {
        return ERR_CONFIG;
    }
    if (borrow_parts(t, from->kid, k)) {
        return ERR_OK;
    }
    TRY(masters_unwrap(&t->masters, from->kid, from->wrapped, &plain));
    json_t *jwk =
        json_loadb((const char *)plain->bytes, plain->length, JSON_REJECT_DUPLICATES, NULL);
    enum err opened = jwk == NULL ? ERR_CONFIG : open_parts(k, jwk);
    json_decref(jwk);
    TRY(opened);
    return span_equal(span_of(k->kid), from->kid) ? ERR_OK : ERR_CONFIG;
}

static enum err open_keys(const struct tokens *t, const struct token_key *keys, size_t count,
                          struct ring *r)
{
    for (size_t i = 0; i < count; i++) {
        /* Counted first, so that ring_free() also closes one that opened half-way. */
        r->count++;
        TRY(open_key(t, &keys[i], &r->keys[i]));
    }
    return finish(r);
}

enum err token_key_check(const struct tokens *t, const struct token_key *key)
{
    struct ring *alone = ring_new(1);
    if (alone == NULL) {
        return ERR_NOMEM;
    }
    enum err opened = open_keys(t, key, 1, alone);
    ring_free(alone);
    return opened;
}

/* ---- HS256 ---- */

/* An id that both sides of a restart agree on, and that tells no more of the secret than a token
 * signed with it does. */
static enum err secret_kid(struct span secret, char out[static JWK_THUMBPRINT_LENGTH + 1])
{
    static const unsigned char label[] = "doorward hs256 kid";
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (HMAC(EVP_sha256(), secret.data, (int)secret.length, label, sizeof(label) - 1, mac,
             &length) == NULL) {
        return ERR_INTERNAL;
    }
    return jwk_digest((struct span){ (const char *)mac, length }, out);
}

static enum err add_secret(struct ring *r, const struct jwk_kind *kind, struct span secret,
                           bool signs)
{
    json_t *jwk = NULL;
    struct ring_key *k = &r->keys[r->count++];
    k->kind = kind;
    k->signs = signs;
    TRY(secret_kid(secret, k->kid));
    TRY(jwk_from_secret(secret, &jwk));
    enum err opened = verifier_open(kind, jwk, &k->verify);
    if (opened == ERR_OK && signs) {
        opened = signer_open(kind, jwk, &k->sign);
    }
    json_decref(jwk);
    return opened;
}

static enum err fill_first(struct ring *r, const struct tokens *t, struct span secret,
                           struct span secret_previous)
{
    if (t->kind->alg == JWT_ALG_HS256) {
        TRY(add_secret(r, t->kind, secret, true));
        if (secret_previous.data != NULL && !secret_equal(secret, secret_previous)) {
            TRY(add_secret(r, t->kind, secret_previous, false));
        }
    }
    return finish(r);
}

enum err ring_open(struct tokens *t, struct span secret, struct span secret_previous)
{
    struct ring *r = ring_new(2);
    if (r == NULL) {
        return ERR_NOMEM;
    }
    enum err filled = fill_first(r, t, secret, secret_previous);
    if (filled != ERR_OK) {
        ring_free(r);
        return filled;
    }
    atomic_init(&t->ring, r);
    return ERR_OK;
}

void ring_close(struct tokens *t)
{
    struct ring *r = atomic_load(&t->ring);
    while (r != NULL) {
        struct ring *older = r->older;
        ring_free(r);
        r = older;
    }
}

/* ---- publishing ---- */

static bool is_same(const struct ring *r, const struct token_key *keys, size_t count)
{
    if (r->count != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct ring_key *k = find_any(r, keys[i].kid);
        if (k == NULL || k->signs != keys[i].signs || k->active_at != keys[i].active_at ||
            k->expires_at != keys[i].expires_at || k->generation != keys[i].generation ||
            !span_equal(span_of(k->kind->algorithm), keys[i].algorithm)) {
            return false;
        }
    }
    return true;
}

enum err token_ring_set(struct tokens *t, const struct token_key *keys, size_t count)
{
    struct ring *present = atomic_load(&t->ring);
    if (t->kind->alg == JWT_ALG_HS256) {
        return count == 0 ? ERR_OK : ERR_CONFIG;
    }
    if (count > RING_KEYS_MAX) {
        return ERR_CONFIG;
    }
    if (is_same(present, keys, count)) {
        return ERR_OK;
    }
    struct ring *next = ring_new(count);
    if (next == NULL) {
        return ERR_NOMEM;
    }
    enum err opened = open_keys(t, keys, count, next);
    if (opened != ERR_OK) {
        ring_free(next);
        return opened;
    }
    next->older = present;
    atomic_store(&t->ring, next);
    return ERR_OK;
}

/* ---- reading ---- */

const struct ring *ring_current(const struct tokens *t)
{
    return atomic_load(&t->ring);
}

const struct ring_key *ring_find(const struct ring *r, struct span kid, int64_t now_ms)
{
    const struct ring_key *k = find_any(r, kid);
    bool expired = k != NULL && k->expires_at != 0 && now_ms >= k->expires_at;
    return expired ? NULL : k;
}

/* By generation; of two algorithms' keys of one generation the one that becomes active later. */
static bool is_later(const struct ring_key *a, const struct ring_key *b)
{
    if (a->generation != b->generation) {
        return a->generation > b->generation;
    }
    return a->active_at != b->active_at ? a->active_at > b->active_at : strcmp(a->kid, b->kid) > 0;
}

const struct ring_key *ring_signer(const struct ring *r, int64_t now_ms)
{
    const struct ring_key *latest = NULL;
    const struct ring_key *first = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct ring_key *k = &r->keys[i];
        if (!k->signs) {
            continue;
        }
        if (k->active_at <= now_ms && (latest == NULL || is_later(k, latest))) {
            latest = k;
        }
        if (first == NULL || is_later(first, k)) {
            first = k;
        }
    }
    return latest != NULL ? latest : first;
}

bool token_ring_ready(const struct tokens *t)
{
    return ring_current(t)->ready;
}

bool token_ring_has(const struct tokens *t, struct span kid)
{
    return find_any(ring_current(t), kid) != NULL;
}

void token_jwks(const struct tokens *t, struct span *ret_json, struct span *ret_etag)
{
    const struct ring *r = ring_current(t);
    *ret_json = span_of(r->jwks);
    *ret_etag = span_of(r->etag);
}

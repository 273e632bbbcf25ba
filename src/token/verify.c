/* verify.c - access tokens are judged here.
 *
 *   length, three segments -> header -> key by kid -> signature -> claims -> times -> cache
 *   found in the cache ---------------> key still there? ----------------> times
 *
 * Nothing is parsed but by object.c, and only what a signature covers is believed. */
#include "cache.h"
#include "object.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 512, PAYLOAD_MAX = TOKEN_MAX_BYTES };
#define SECONDS_MAX INT64_C(253402300799) /* the end of year 9999 */

struct parts {
    struct span header, payload, signature; /* base64url */
};

static bool split(struct span token, struct parts *p)
{
    struct span rest = token;
    return token.length <= TOKEN_MAX_BYTES && span_split(&rest, '.', &p->header) &&
           span_split(&rest, '.', &p->payload) && span_split(&rest, '.', &p->signature) &&
           rest.data == NULL && p->header.length > 0 && p->payload.length > 0 &&
           p->signature.length > 0;
}

/* What a segment says, in `text`, of at least `max_bytes`. */
static bool load_object(struct span segment, char *text, size_t max_bytes,
                        struct object *ret_object)
{
    size_t length = 0;
    return span_from_base64url(segment, (uint8_t *)text, max_bytes, &length) &&
           object_read(text, length, ret_object);
}

static bool is_text(const struct object *o, const char *name, const char *expected)
{
    struct span text = object_text(o, name);
    return text.data != NULL && span_equal(text, span_of(expected));
}

/* ---- header ---- */

/* alg, typ and kid, and nothing else: no jwk, jku, x5c, crit, b64 or zip is even looked at. */
static bool choose_key(const struct tokens *t, const struct ring *r, struct span segment,
                       int64_t now_ms, const struct ring_key **ret_key)
{
    char text[HEADER_MAX];
    struct object header;
    if (!load_object(segment, text, sizeof(text), &header) || header.count != 3 ||
        !is_text(&header, "typ", t->type)) {
        return false;
    }
    *ret_key = ring_find(r, object_text(&header, "kid"), now_ms);
    return *ret_key != NULL && is_text(&header, "alg", (*ret_key)->kind->algorithm);
}

/* ---- claims ---- */

static bool has_number(const struct object *o, const char *name, int64_t *ret_number)
{
    const struct member *m = object_get(o, name);
    if (m == NULL || m->kind != MEMBER_NUMBER) {
        return false;
    }
    *ret_number = m->number;
    return true;
}

static bool has_seconds(const struct object *o, const char *name, int64_t *ret_seconds)
{
    return has_number(o, name, ret_seconds) && *ret_seconds <= SECONDS_MAX;
}

static bool has_list(const struct object *o, const char *name)
{
    const struct member *m = object_get(o, name);
    return m != NULL && m->kind == MEMBER_LIST;
}

/* Everything of a token of ours that has one right value or form. nbf is not written by us. */
static bool has_our_form(const struct tokens *t, const struct object *claims)
{
    return is_text(claims, "iss", t->issuer) && is_text(claims, "aud", t->audience) &&
           is_text(claims, "client_id", t->audience) && object_text(claims, "jti").length > 0 &&
           has_list(claims, "amr") && object_get(claims, "nbf") == NULL;
}

/* A token lives no longer than the present JWT_EXPIRY, which is how long revocations are kept: one
 * that was made under a longer one ends earlier than it says, so that its client refreshes. */
static bool read_times(const struct tokens *t, const struct object *claims, struct token_claims *c)
{
    bool good = has_seconds(claims, "iat", &c->issued_at_s) &&
                has_seconds(claims, "exp", &c->expires_at_s) &&
                has_seconds(claims, "auth_time", &c->auth_time_s) &&
                c->expires_at_s > c->issued_at_s &&
                c->expires_at_s - c->issued_at_s <= TOKEN_MAX_EXPIRY_S;
    if (good && c->expires_at_s - c->issued_at_s > t->expiry_s) {
        c->expires_at_s = c->issued_at_s + t->expiry_s;
    }
    return good;
}

static bool read_ids(const struct object *claims, struct token_claims *c)
{
    return has_number(claims, "epoch", &c->epoch) &&
           uuid_parse(object_text(claims, "sub"), &c->user_id) &&
           uuid_parse(object_text(claims, "sid"), &c->session_id);
}

static enum err read_username(const struct object *claims, struct arena *a, struct token_claims *c)
{
    if (object_get(claims, "username") == NULL) {
        return ERR_OK;
    }
    struct span name = object_text(claims, "username");
    return name.length == 0 ? ERR_INVALID_TOKEN : arena_copy(a, name, &c->username);
}

/* Joined by single spaces: one with a space in it would become two, and is no role. */
static bool join_roles(struct rest list, char *text, size_t *ret_length)
{
    size_t length = 0;
    struct span role;
    while (list_next(&list, &role)) {
        if (role.length == 0 || span_find(role, ' ') < role.length) {
            return false;
        }
        if (length > 0) {
            text[length++] = ' ';
        }
        memcpy(text + length, role.data, role.length);
        length += role.length;
    }
    *ret_length = length;
    return list.at == list.end;
}

static enum err read_roles(const struct object *claims, struct arena *a, struct token_claims *c)
{
    if (!has_list(claims, "roles")) {
        return ERR_INVALID_TOKEN;
    }
    struct rest list = object_get(claims, "roles")->list;
    char *text = arena_get(a, (size_t)(list.end - list.at) + 1);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    c->roles.data = text;
    return join_roles(list, text, &c->roles.length) ? ERR_OK : ERR_INVALID_TOKEN;
}

static enum err read_claims(const struct tokens *t, struct span segment, struct arena *a,
                            struct token_claims *c)
{
    char text[PAYLOAD_MAX];
    struct object claims;
    if (!load_object(segment, text, sizeof(text), &claims) || !has_our_form(t, &claims) ||
        !read_times(t, &claims, c) || !read_ids(&claims, c)) {
        return ERR_INVALID_TOKEN;
    }
    TRY(read_username(&claims, a, c));
    return read_roles(&claims, a, c);
}

/* Last: only a token that is right in every other way is told that its time is over. */
static enum err judge_times(const struct tokens *t, const struct token_claims *c, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    if (c->issued_at_s > now_s + t->leeway_s) {
        return ERR_INVALID_TOKEN;
    }
    return now_s >= c->expires_at_s + t->leeway_s ? ERR_TOKEN_EXPIRED : ERR_OK;
}

/* ---- the whole ---- */

static enum err verify(const struct tokens *t, const struct ring *r, struct span token,
                       int64_t now_ms, struct arena *a, const struct ring_key **ret_key,
                       struct token_claims *ret_claims)
{
    struct parts parts;
    if (!split(token, &parts) || !choose_key(t, r, parts.header, now_ms, ret_key)) {
        return ERR_INVALID_TOKEN;
    }
    struct span signed_bytes = { token.data, parts.header.length + 1 + parts.payload.length };
    TRY(verifier_check(&(*ret_key)->verify, (*ret_key)->kind, signed_bytes, parts.signature));
    TRY(read_claims(t, parts.payload, a, ret_claims));
    return judge_times(t, ret_claims, now_ms);
}

enum err token_verify(struct tokens *t, struct span token, int64_t now_ms, struct arena *a,
                      struct token_claims *ret_claims)
{
    const struct ring *r = ring_current(t);
    const struct ring_key *key = NULL;
    struct token_claims claims = { 0 };
    if (!r->ready) {
        return ERR_UNAVAILABLE;
    }
    TRY(verify(t, r, token, now_ms, a, &key, &claims));
    *ret_claims = claims;
    return ERR_OK;
}

/* ---- with a cache ---- */

/* A retired key is gone from the ring; one that is there under the same kid is the same key, since
 * the kid is its thumbprint, but it may have become another algorithm's. */
static bool has_key(const struct ring *r, struct cached *e, int64_t now_ms)
{
    bool expired = e->key->expires_at != 0 && now_ms >= e->key->expires_at;
    if (e->ring == r) {
        return !expired;
    }
    const struct ring_key *key = ring_find(r, span_of(e->key->kid), now_ms);
    if (key == NULL || key->kind != e->key->kind) {
        return false;
    }
    e->ring = r;
    e->key = key;
    return true;
}

static enum err copy_texts(struct arena *a, struct token_claims *c)
{
    if (c->username.data != NULL) {
        TRY(arena_copy(a, c->username, &c->username));
    }
    return arena_copy(a, c->roles, &c->roles);
}

/* What token_verify() would say. Nothing is parsed. */
static enum err judge_cached(const struct tokens *t, const struct ring *r, struct cached *e,
                             int64_t now_ms, struct token_claims *ret_claims)
{
    if (!has_key(r, e, now_ms)) {
        return ERR_INVALID_TOKEN;
    }
    *ret_claims = cached_claims(e);
    TRY(judge_times(t, ret_claims, now_ms));
    e->used = true;
    return ERR_OK;
}

/* The snapshot that judged is the one that is noted: a key that is retired meanwhile is missing
 * from the next one. */
static enum err verify_and_keep(struct token_cache *c, const struct ring *r, struct span token,
                                int64_t now_ms, struct arena *a, struct token_claims *ret_claims)
{
    const struct ring_key *key = NULL;
    TRY(verify(cache_tokens(c), r, token, now_ms, a, &key, ret_claims));
    cache_add(c, token, r, key, ret_claims);
    return ERR_OK;
}

enum err token_cache_verify(struct token_cache *c, struct span token, int64_t now_ms,
                            struct arena *a, struct token_claims *ret_claims)
{
    enum { HIT, MISS }; /* the label values of METRIC_TOKEN_CACHE */
    const struct ring *r = ring_current(cache_tokens(c));
    struct token_claims claims = { 0 };
    if (!r->ready) {
        return ERR_UNAVAILABLE;
    }
    struct cached *e = cache_find(c, token);
    metrics_add(METRIC_TOKEN_CACHE, e != NULL ? HIT : MISS, 1);
    if (e == NULL) {
        TRY(verify_and_keep(c, r, token, now_ms, a, &claims));
    } else {
        TRY(judge_cached(cache_tokens(c), r, e, now_ms, &claims));
        TRY(copy_texts(a, &claims));
    }
    *ret_claims = claims;
    return ERR_OK;
}

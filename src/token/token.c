/* token.c - the life of struct tokens, and making keys. */
#include "token.h"

#include "ring.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MIN_BYTES 32 /* RFC 7518, 3.2 */
#define WITNESS_BYTES    32

/* ---- memory that JSON was in ---- */

static void wipe_and_free(void *memory)
{
    if (memory != NULL) {
        secret_wipe(memory, malloc_usable_size(memory));
        free(memory);
    }
}

/* libjwt 3.3 does not survive an allocation that fails: loading a key then uses freed memory. An
 * end is safer than that, and what JSON asks for is small and bounded. */
static void *get_or_abort(size_t size)
{
    void *memory = malloc(size);
    INVARIANT(memory != NULL);
    return memory;
}

/* Private keys pass through jansson and libjwt, which free without wiping. The allocator stays the
 * C library's, so that what one side allocated the other may free. */
static void wipe_freed_json(void)
{
    jwt_set_alloc(get_or_abort, wipe_and_free);
    json_object_seed(0);
}

/* ---- life ---- */

static bool is_text(struct span s)
{
    return s.length > 0 && span_is_utf8(s) && span_find(s, '\0') == s.length;
}

static bool has_fitting_secret(const struct token_options *o, const struct jwk_kind *kind)
{
    if (kind->alg != JWT_ALG_HS256) {
        return o->secret.data == NULL && o->secret_previous.data == NULL;
    }
    return o->secret.length >= SECRET_MIN_BYTES &&
           (o->secret_previous.data == NULL || o->secret_previous.length >= SECRET_MIN_BYTES);
}

static bool is_acceptable(const struct token_options *o, const struct jwk_kind *kind)
{
    return kind != NULL && is_text(o->issuer) && is_text(o->audience) && is_text(o->type) &&
           o->expiry_s > 0 && o->expiry_s <= TOKEN_MAX_EXPIRY_S && o->leeway_s >= 0 &&
           has_fitting_secret(o, kind);
}

static char *text_copy(struct span s)
{
    return strndup(s.data, s.length);
}

static enum err open_all(const struct token_options *o, struct tokens *t)
{
    t->issuer = text_copy(o->issuer);
    t->audience = text_copy(o->audience);
    t->type = text_copy(o->type);
    if (t->issuer == NULL || t->audience == NULL || t->type == NULL) {
        return ERR_NOMEM;
    }
    t->expiry_s = o->expiry_s;
    t->leeway_s = o->leeway_s;
    TRY(masters_init(&t->masters, o->master, o->master_count));
    return ring_open(t, o->secret, o->secret_previous);
}

enum err token_open(const struct token_options *options, struct tokens **ret_tokens)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, wipe_freed_json);
    const struct jwk_kind *kind = jwk_kind_of(options->algorithm);
    if (!is_acceptable(options, kind)) {
        return ERR_CONFIG;
    }
    struct tokens *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    t->kind = kind;
    enum err opened = open_all(options, t);
    if (opened != ERR_OK) {
        token_close(t);
        return opened;
    }
    *ret_tokens = t;
    return ERR_OK;
}

void token_close(struct tokens *t)
{
    if (t == NULL) {
        return;
    }
    ring_close(t);
    masters_done(&t->masters);
    free(t->issuer);
    free(t->audience);
    free(t->type);
    free(t);
}

/* ---- a new key ---- */

static enum err write_key(const struct tokens *t, const json_t *private_jwk,
                          const json_t *public_jwk, struct arena *a, struct token_key *key)
{
    AUTO(secret) struct secret *plain = NULL;
    const char *kid = json_string_value(json_object_get(public_jwk, "kid"));
    TRY(jwk_secret(private_jwk, &plain));
    TRY(masters_wrap(&t->masters, span_of(kid), secret_span(plain), a, &key->wrapped));
    TRY(arena_copy(a, span_of(kid), &key->kid));
    char *text = jwk_text(public_jwk);
    enum err copied = text == NULL ? ERR_NOMEM : arena_copy(a, span_of(text), &key->public_jwk);
    free(text);
    return copied;
}

struct span token_algorithm(const struct tokens *t)
{
    return span_of(t->kind->algorithm);
}

/* Its id never begins with a dash: on a command line it would look like an option. */
static enum err make_pair(const struct jwk_kind *kind, json_t **ret_private, json_t **ret_public)
{
    for (;;) {
        json_t *private_jwk = NULL;
        json_t *public_jwk = NULL;
        TRY(jwk_make(kind, &private_jwk));
        enum err made = jwk_public(kind, private_jwk, &public_jwk);
        const char *kid = json_string_value(json_object_get(public_jwk, "kid"));
        if (made == ERR_OK && kid[0] != '-') {
            *ret_private = private_jwk;
            *ret_public = public_jwk;
            return ERR_OK;
        }
        json_decref(private_jwk);
        json_decref(public_jwk);
        TRY(made);
    }
}

enum err token_key_make(struct tokens *t, struct arena *a, struct token_key *ret_key)
{
    json_t *private_jwk = NULL;
    json_t *public_jwk = NULL;
    struct token_key key = { .algorithm = span_of(t->kind->algorithm) };
    if (t->kind->alg == JWT_ALG_HS256) {
        return ERR_CONFIG;
    }
    TRY(make_pair(t->kind, &private_jwk, &public_jwk));
    enum err written = write_key(t, private_jwk, public_jwk, a, &key);
    json_decref(private_jwk);
    json_decref(public_jwk);
    TRY(written);
    *ret_key = key;
    return ERR_OK;
}

/* ---- a witness ---- */

enum err token_witness_make(const struct tokens *t, struct arena *a, struct token_key *ret_witness)
{
    uint8_t random[WITNESS_BYTES];
    char kid[JWK_THUMBPRINT_LENGTH + 1];
    struct span bytes = { (const char *)random, sizeof(random) };
    struct token_key witness = { .algorithm = SPAN("HS256"), .public_jwk = SPAN("{}") };
    TRY(secret_random(random, sizeof(random)));
    TRY(jwk_digest(bytes, kid));
    TRY(arena_copy(a, span_of(kid), &witness.kid));
    TRY(masters_wrap(&t->masters, witness.kid, bytes, a, &witness.wrapped));
    *ret_witness = witness;
    return ERR_OK;
}

enum err token_witness_check(const struct tokens *t, const struct token_key *witness)
{
    AUTO(secret) struct secret *plain = NULL;
    return masters_unwrap(&t->masters, witness->kid, witness->wrapped, &plain);
}

bool token_has_master(const struct tokens *t, struct span id)
{
    return masters_find_text(&t->masters, id) != NULL;
}

bool token_wrapped_by(const struct tokens *t, struct span wrapped,
                      char ret_id[static TOKEN_MASTER_ID_LENGTH + 1])
{
    return masters_wrote(&t->masters, wrapped, ret_id);
}

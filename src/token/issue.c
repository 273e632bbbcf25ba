/* issue.c - access tokens are made here. */
#include "ring.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum { JTI_BYTES = 16, JTI_LENGTH = (JTI_BYTES * 4 + 2) / 3 };

static json_t *role_list(struct span roles)
{
    json_t *list = json_array();
    struct span rest = roles;
    struct span role;
    while (list != NULL && span_split(&rest, ' ', &role)) {
        if (role.length > 0 &&
            json_array_append_new(list, json_stringn(role.data, role.length)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static enum err new_jti(char out[static JTI_LENGTH + 1])
{
    uint8_t random[JTI_BYTES];
    TRY(secret_random(random, sizeof(random)));
    out[span_base64url((struct span){ (const char *)random, sizeof(random) }, out)] = '\0';
    return ERR_OK;
}

/* The claims of DESIGN 4. No nbf: clients without leeway trip over it. */
static enum err pack(const struct tokens *t, const struct token_claims *c, int64_t now_s,
                     json_t **ret_payload)
{
    char sub[UUID_TEXT_LENGTH + 1];
    char sid[UUID_TEXT_LENGTH + 1];
    char jti[JTI_LENGTH + 1];
    int64_t expires_at_s = now_s + t->expiry_s;
    uuid_text(c->user_id, sub);
    uuid_text(c->session_id, sid);
    TRY(new_jti(jti));
    json_t *payload = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:[s], s:I, s:o}", "iss", t->issuer, "aud",
        t->audience, "client_id", t->audience, "sub", sub, "sid", sid, "jti", jti, "iat",
        (json_int_t)now_s, "exp", (json_int_t)expires_at_s, "auth_time", (json_int_t)c->auth_time_s,
        "amr", "pwd", "epoch", (json_int_t)c->epoch, "roles", role_list(c->roles));
    bool named = c->username.data != NULL;
    if (payload == NULL ||
        (named && json_object_set_new(payload, "username",
                                      json_stringn(c->username.data, c->username.length)) != 0)) {
        json_decref(payload);
        return ERR_INTERNAL;
    }
    *ret_payload = payload;
    return ERR_OK;
}

static bool prepare(jwt_builder_t *b, const struct tokens *t, const struct ring_key *k,
                    char *payload)
{
    /* libjwt's own macros for these are no ISO C. */
    jwt_value_t type = { .type = JWT_VALUE_STR, .name = "typ", .str_val = t->type };
    jwt_value_t kid = { .type = JWT_VALUE_STR, .name = "kid", .str_val = k->kid };
    jwt_value_t claims = { .type = JWT_VALUE_JSON, .json_val = payload };
    /* Ours comes from the caller's clock. */
    jwt_builder_enable_iat(b, 0);
    return jwt_builder_setkey(b, k->kind->alg, k->sign.item) == 0 &&
           jwt_builder_header_set(b, &type) == JWT_VALUE_ERR_NONE &&
           jwt_builder_header_set(b, &kid) == JWT_VALUE_ERR_NONE &&
           jwt_builder_claim_set(b, &claims) == JWT_VALUE_ERR_NONE;
}

/* NULL when anything fails. A builder a call: they are not for several threads. */
static char *sign(const struct tokens *t, const struct ring_key *k, const json_t *payload)
{
    char *text = json_dumps(payload, JSON_COMPACT);
    jwt_builder_t *b = jwt_builder_new();
    char *token = NULL;
    if (text != NULL && b != NULL && prepare(b, t, k, text)) {
        token = jwt_builder_generate(b);
    }
    jwt_builder_free(b);
    free(text);
    /* What OpenSSL noted would be read as the fate of this thread's next TLS call. */
    ERR_clear_error();
    return token;
}

enum err token_issue(struct tokens *t, const struct token_claims *claims, int64_t now_ms,
                     struct arena *a, struct span *ret_token)
{
    const struct ring_key *k = ring_signer(ring_current(t), now_ms);
    json_t *payload = NULL;
    if (k == NULL) {
        return ERR_UNAVAILABLE;
    }
    TRY(pack(t, claims, now_ms / 1000, &payload));
    char *token = sign(t, k, payload);
    json_decref(payload);
    /* One that is too long would be refused by token_verify(): better no login than a useless one.
     */
    enum err issued = token == NULL || strlen(token) > TOKEN_MAX_BYTES
                          ? ERR_INTERNAL
                          : arena_copy(a, span_of(token), ret_token);
    free(token);
    return issued;
}

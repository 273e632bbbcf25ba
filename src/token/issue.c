/* issue.c - access tokens are made here.
 *
 *   claims -> JSON -> base64url(header).base64url(payload) -> signature (signer.c)
 *
 * Written and not built: libjwt would parse the claims into a tree, sort and print it again, which
 * takes longer than an ES256 signature. */
#include "ring.h"

#include <string.h>

enum { JTI_BYTES = 16, JTI_LENGTH = (JTI_BYTES * 4 + 2) / 3, PAYLOAD_ROOM = 640 };

static enum err new_jti(char out[static JTI_LENGTH])
{
    uint8_t random[JTI_BYTES];
    TRY(secret_random_ahead(random, sizeof(random)));
    size_t length = span_base64url((struct span){ (const char *)random, sizeof(random) }, out);
    INVARIANT(length == JTI_LENGTH);
    return ERR_OK;
}

static enum err write_header(const struct tokens *t, const struct ring_key *k, struct arena *a,
                             struct span *ret_json)
{
    struct json_out j;
    json_out_begin(&j, a, 128);
    json_out_object(&j, NULL);
    json_out_text(&j, "alg", span_of(k->kind->algorithm));
    json_out_text(&j, "kid", span_of(k->kid));
    json_out_text(&j, "typ", span_of(t->type));
    json_out_object_end(&j);
    return json_out_result(&j, ret_json);
}

static void put_roles(struct json_out *j, struct span roles)
{
    struct span rest = roles;
    struct span role;
    json_out_list(j, "roles");
    while (span_split(&rest, ' ', &role)) {
        if (role.length > 0) {
            json_out_text(j, NULL, role);
        }
    }
    json_out_list_end(j);
}

/* The claims of DESIGN 4. No nbf: clients without leeway trip over it. */
static enum err write_payload(const struct tokens *t, const struct token_claims *c, int64_t now_s,
                              struct arena *a, struct span *ret_json)
{
    struct json_out j;
    char jti[JTI_LENGTH];
    /* What cannot be written as it is must not become somebody else's name. */
    if (!span_is_utf8(c->username) || !span_is_utf8(c->roles)) {
        return ERR_INTERNAL;
    }
    TRY(new_jti(jti));
    json_out_begin(&j, a, PAYLOAD_ROOM);
    json_out_object(&j, NULL);
    json_out_text(&j, "iss", span_of(t->issuer));
    json_out_text(&j, "aud", span_of(t->audience));
    json_out_text(&j, "client_id", span_of(t->audience));
    json_out_uuid(&j, "sub", c->user_id);
    json_out_uuid(&j, "sid", c->session_id);
    json_out_text(&j, "jti", (struct span){ jti, sizeof(jti) });
    json_out_number(&j, "iat", now_s);
    json_out_number(&j, "exp", now_s + t->expiry_s);
    json_out_number(&j, "auth_time", c->auth_time_s);
    json_out_list(&j, "amr");
    json_out_text(&j, NULL, SPAN("pwd"));
    json_out_list_end(&j);
    json_out_number(&j, "epoch", c->epoch);
    if (c->username.data != NULL) {
        json_out_text(&j, "username", c->username);
    }
    put_roles(&j, c->roles);
    json_out_object_end(&j);
    return json_out_result(&j, ret_json);
}

/* One that is too long would be refused by token_verify(): better no login than a useless one. */
static bool is_too_long(struct span header, struct span payload, size_t signature_bytes)
{
    size_t bytes = header.length + payload.length + signature_bytes;
    return bytes > TOKEN_MAX_BYTES || (bytes * 4 + 2) / 3 + 4 > TOKEN_MAX_BYTES;
}

enum err token_issue(struct tokens *t, const struct token_claims *claims, int64_t now_ms,
                     struct arena *a, struct span *ret_token)
{
    const struct ring_key *k = ring_signer(ring_current(t), now_ms);
    struct span header;
    struct span payload;
    char token[TOKEN_MAX_BYTES];
    uint8_t signature[JWK_SIGNATURE_MAX];
    if (k == NULL) {
        return ERR_UNAVAILABLE;
    }
    TRY(write_header(t, k, a, &header));
    TRY(write_payload(t, claims, now_ms / 1000, a, &payload));
    if (is_too_long(header, payload, k->kind->signature_bytes)) {
        return ERR_INTERNAL;
    }
    size_t length = span_base64url(header, token);
    token[length++] = '.';
    length += span_base64url(payload, token + length);
    TRY(signer_sign(&k->sign, k->kind, (struct span){ token, length }, signature));
    token[length++] = '.';
    struct span made = { (const char *)signature, k->kind->signature_bytes };
    length += span_base64url(made, token + length);
    return arena_copy(a, (struct span){ token, length }, ret_token);
}

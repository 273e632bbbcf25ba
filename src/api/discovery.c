/* GET /.well-known/jwks.json and /.well-known/openid-configuration: what a resource server needs to
 * check access tokens by itself. */
#include "discovery.h"
#include "documents.h"
#include "handlers.h"
#include <inttypes.h>

static enum err jwks_reply(struct api_request *r)
{
    struct api_document document = {
        .content_type = SPAN("application/json"),
        .max_age_s = r->api->options.jwks_max_age_s,
    };
    auth_jwks(r->api->options.auth, &document.text, &document.etag);
    if (document.text.data == NULL) {
        return ERR_UNAVAILABLE; /* before the ring is there */
    }
    return api_document_answer(r, &document);
}

const struct api_handler api_jwks = { .reply = jwks_reply };

/* FNV-1a: the tag has to differ when the text does, and be the same on every replica; nobody gains
 * by a collision. */
static uint64_t fingerprint(struct span text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* OpenID's required members that are true of us. There is no authorization endpoint, so none is
 * claimed; resource servers read issuer and jwks_uri. */
enum err api_discovery_make(struct api *api)
{
    const struct api_options *o = &api->options;
    struct span jwks_uri;
    TRY(arena_printf(&api->arena, &jwks_uri, "%.*s/.well-known/jwks.json",
                     SPAN_FMT(o->public_url)));
    struct json_out j;
    json_out_begin(&j, &api->arena, 1024);
    json_out_object(&j, NULL);
    json_out_text(&j, "issuer", o->issuer);
    json_out_text(&j, "jwks_uri", jwks_uri);
    json_out_list(&j, "response_types_supported");
    json_out_list_end(&j);
    json_out_list(&j, "subject_types_supported");
    json_out_text(&j, NULL, SPAN("public"));
    json_out_list_end(&j);
    json_out_list(&j, "id_token_signing_alg_values_supported");
    json_out_text(&j, NULL, o->algorithm);
    json_out_list_end(&j);
    json_out_object_end(&j);
    TRY(json_out_result(&j, &api->discovery));
    return arena_printf(&api->arena, &api->discovery_etag, "\"%016" PRIx64 "\"",
                        fingerprint(api->discovery));
}

static enum err discovery_reply(struct api_request *r)
{
    const struct api_document document = {
        .content_type = SPAN("application/json"),
        .text = r->api->discovery,
        .etag = r->api->discovery_etag,
        .max_age_s = r->api->options.jwks_max_age_s,
    };
    return api_document_answer(r, &document);
}

const struct api_handler api_discovery = { .reply = discovery_reply };

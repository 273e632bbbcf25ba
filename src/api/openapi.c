/* GET /openapi.yaml: the contract, for machines. */
#include "openapi.h"
#include "documents.h"
#include "handlers.h"

#define MAX_AGE_S 300

static enum err openapi_reply(struct api_request *r)
{
    const struct api_document document = {
        .content_type = SPAN("application/yaml"),
        .text = api_openapi_text,
        .etag = api_openapi_etag,
        .max_age_s = MAX_AGE_S,
    };
    return api_document_answer(r, &document);
}

const struct api_handler api_openapi = { .reply = openapi_reply };

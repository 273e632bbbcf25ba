#include "documents.h"

/* Weak comparison, as If-None-Match wants it. Commas inside a tag do not occur in ours. */
static bool client_has(const struct http_request *request, struct span etag)
{
    struct span rest = http_header_get(request, "if-none-match", NULL);
    struct span piece;
    while (span_split(&rest, ',', &piece)) {
        piece = span_trim(piece);
        if (span_starts(piece, SPAN("W/"))) {
            piece = span_from(piece, 2);
        }
        if (span_equal(piece, etag) || span_equal(piece, SPAN("*"))) {
            return true;
        }
    }
    return false;
}

enum err api_document_answer(struct api_request *r, const struct api_document *document)
{
    struct http_response *response = &r->x->response;
    struct span cache;
    TRY(arena_printf(r->call.arena, &cache, "public, max-age=%lld",
                     (long long)document->max_age_s));
    http_response_header(response, "Cache-Control", cache);
    http_response_header(response, "ETag", document->etag);
    r->cacheable = true;
    if (client_has(&r->x->request, document->etag)) {
        response->status = 304;
        return ERR_OK;
    }
    response->status = 200;
    response->content_type = document->content_type;
    response->body = document->text;
    return ERR_OK;
}

enum err api_json_answer(struct api_request *r, int status, const struct api_json *j)
{
    TRY(api_json_result(j, &r->x->response.body));
    r->x->response.content_type = SPAN("application/json");
    r->x->response.status = status;
    return ERR_OK;
}

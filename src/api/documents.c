#include "documents.h"

/* Weak comparison, as If-None-Match wants it. Commas inside a tag do not occur in ours. */
static bool client_has(const struct http_request *request, struct span etag)
{
    struct http_list walk = { 0 };
    struct span tag = SPAN_NONE;
    while (http_list_next(request, "if-none-match", &walk, &tag)) {
        struct span opaque = span_starts(tag, SPAN("W/")) ? span_from(tag, 2) : tag;
        if (span_equal(opaque, etag) || span_equal(tag, SPAN("*"))) {
            return true;
        }
    }
    return false;
}

/* "q=0", "q=0.0": refused (RFC 9110, 12.4.2). */
static bool is_refusal(struct span weight)
{
    static const char zero[] = "q=0.000";
    weight = span_trim(weight);
    return weight.length >= 3 && weight.length < sizeof(zero) &&
           span_equal_nocase(weight, (struct span){ zero, weight.length });
}

static bool accepts_gzip(const struct http_request *request)
{
    struct http_list walk = { 0 };
    struct span coding, name;
    while (http_list_next(request, "accept-encoding", &walk, &coding)) {
        if (span_split(&coding, ';', &name) && span_equal_nocase(span_trim(name), SPAN("gzip"))) {
            return !is_refusal(coding);
        }
    }
    return false;
}

/* A year: as long as caches keep anything; then the name changes with the content. */
static enum err add_cache_control(struct api_request *r, int64_t max_age_s)
{
    struct span text;
    TRY(arena_printf(r->call.arena, &text, "public, max-age=%lld%s", (long long)max_age_s,
                     max_age_s >= API_DOCUMENT_YEAR_S ? ", immutable" : ""));
    http_response_header(&r->x->response, "Cache-Control", text);
    r->cacheable = true;
    return ERR_OK;
}

enum err api_document_answer(struct api_request *r, const struct api_document *document)
{
    struct http_response *response = &r->x->response;
    bool has_gzip = document->gzip.length > 0;
    bool small = has_gzip && accepts_gzip(&r->x->request);
    struct span etag = small ? document->gzip_etag : document->etag;
    TRY(add_cache_control(r, document->max_age_s));
    http_response_header(response, "ETag", etag);
    if (has_gzip) {
        http_response_header(response, "Vary", SPAN("Accept-Encoding"));
    }
    if (client_has(&r->x->request, etag)) {
        response->status = 304;
        return ERR_OK;
    }
    if (small) {
        http_response_header(response, "Content-Encoding", SPAN("gzip"));
    }
    response->status = 200;
    response->content_type = document->content_type;
    response->body = small ? document->gzip : document->text;
    return ERR_OK;
}

enum err api_json_answer(struct api_request *r, int status, const struct json_out *j)
{
    TRY(json_out_result(j, &r->x->response.body));
    r->x->response.content_type = SPAN("application/json");
    r->x->response.status = status;
    return ERR_OK;
}

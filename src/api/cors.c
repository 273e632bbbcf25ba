#include "cors.h"

struct span api_cors_origin_of(struct span url)
{
    struct span rest;
    if (span_starts(url, SPAN("https://"))) {
        rest = span_from(url, 8);
    } else if (span_starts(url, SPAN("http://"))) {
        rest = span_from(url, 7);
    } else {
        return SPAN_NONE;
    }
    size_t scheme = url.length - rest.length;
    return span_slice(url, 0, scheme + span_find(rest, '/'));
}

struct span api_cors_allowed(const struct api *api, const struct http_request *request)
{
    struct span origin = http_header_get(request, "origin", NULL);
    if (origin.length == 0) {
        return SPAN_NONE;
    }
    if (span_equal(origin, api->own_origin)) {
        return origin;
    }
    struct span rest = api->options.cors_origins;
    struct span piece;
    while (span_split(&rest, ',', &piece)) {
        if (span_equal(origin, span_trim(piece))) {
            return origin;
        }
    }
    return SPAN_NONE;
}

enum err api_cors_check_cookie(const struct api *api, const struct http_request *request)
{
    struct span site = http_header_get(request, "sec-fetch-site", NULL);
    bool same = span_equal(site, SPAN("same-origin"));
    return same || api_cors_allowed(api, request).data != NULL ? ERR_OK : ERR_ORIGIN;
}

bool api_cors_is_preflight(const struct http_request *request)
{
    return request->method == HTTP_METHOD_OPTIONS &&
           http_header_get(request, "origin", NULL).data != NULL &&
           http_header_get(request, "access-control-request-method", NULL).data != NULL;
}

void api_cors_headers(struct api_request *r)
{
    struct http_response *response = &r->x->response;
    struct span origin = api_cors_allowed(r->api, &r->x->request);
    /* Also without an Origin: a cache must not give that answer to a page of an allowed one. Where
     * nothing may be kept there is nothing to tell apart. */
    if (r->cacheable || origin.data != NULL) {
        http_response_header(response, "Vary", SPAN("Origin"));
    }
    if (origin.data == NULL) {
        return;
    }
    http_response_header(response, "Access-Control-Allow-Origin", origin);
    http_response_header(response, "Access-Control-Allow-Credentials", SPAN("true"));
    http_response_header(response, "Access-Control-Expose-Headers",
                         SPAN("Retry-After, X-Request-Id, WWW-Authenticate, Location"));
}

void api_cors_preflight(struct api_request *r, struct span methods)
{
    struct http_response *response = &r->x->response;
    if (api_cors_allowed(r->api, &r->x->request).data == NULL) {
        return;
    }
    http_response_header(response, "Access-Control-Allow-Methods", methods);
    http_response_header(response, "Access-Control-Allow-Headers",
                         SPAN("Authorization, Content-Type, X-Request-Id"));
    http_response_header(response, "Access-Control-Max-Age", SPAN("600"));
}

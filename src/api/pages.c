/* GET /openapi.yaml, /app, /docs: what is built in. */
#include "pages.h"
#include "documents.h"
#include "handlers.h"

#define CONTRACT_MAX_AGE_S 300

/* No inline script, no other origin, and no text that becomes one. */
#define PAGE_POLICY                                                                                \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "                    \
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "            \
    "require-trusted-types-for 'script'; trusted-types 'none'"
/* Swagger UI writes style elements of its own, and has pictures in its style sheet. */
#define DOCS_POLICY                                                                                \
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' "     \
    "data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

static const struct api_page *find(struct span path)
{
    for (size_t i = 0; i < api_page_count; i++) {
        if (span_equal(api_pages[i].path, path)) {
            return &api_pages[i];
        }
    }
    return NULL;
}

static enum err answer(struct api_request *r, const struct api_page *page, int64_t max_age_s)
{
    const struct api_document document = {
        .content_type = page->content_type,
        .text = page->text,
        .etag = page->etag,
        .gzip = page->gzip,
        .gzip_etag = page->gzip_etag,
        .max_age_s = max_age_s,
    };
    r->x->response.is_static = true;
    return api_document_answer(r, &document);
}

static enum err contract_reply(struct api_request *r)
{
    const struct api_page *page = find(r->route->path);
    INVARIANT(page != NULL);
    return answer(r, page, CONTRACT_MAX_AGE_S);
}

static enum err page_reply(struct api_request *r, const struct api_page *page, struct span policy)
{
    if (page == NULL || !r->api->options.pages) {
        return ERR_NO_ROUTE;
    }
    struct http_response *response = &r->x->response;
    http_response_header(response, "Referrer-Policy", SPAN("no-referrer"));
    http_response_header(response, "Cross-Origin-Opener-Policy", SPAN("same-origin"));
    r->policy = policy;
    return answer(r, page, page->lasts ? API_DOCUMENT_YEAR_S : 0);
}

/* The client finds its own way below /app/: what is no file is a page of it. */
static enum err app_reply(struct api_request *r)
{
    const struct api_page *page = find(r->x->request.path);
    if (page == NULL && !span_starts(r->x->request.path, SPAN("/app/assets/"))) {
        page = find(SPAN("/app/"));
    }
    return page_reply(r, page, SPAN(PAGE_POLICY));
}

static enum err docs_reply(struct api_request *r)
{
    struct span path = r->x->request.path;
    bool is_index = span_equal(path, SPAN("/docs"));
    return page_reply(r, find(is_index ? SPAN("/docs/") : path), SPAN(DOCS_POLICY));
}

const struct api_handler api_contract = { .reply = contract_reply };
const struct api_handler api_app = { .reply = app_reply };
const struct api_handler api_docs = { .reply = docs_reply };

/* request.h - one request on its way through the service, and what serves it. Private to api.
 *
 *   parse (loop) -> run (worker) -> reply (loop) -> finish
 *       any of them may refuse: the error becomes a problem document (problem.c)
 *
 * Threads:   a struct api_request belongs to the loop, but between work_submit() and done() to the
 * worker: then the loop touches nothing but the abandon mark. struct api is fixed after api_open(),
 * its atomics excepted.
 * Ownership: a struct api_request and everything that it points to lives in its exchange's arena,
 * or is static, or belongs to the api's options.
 * Units:     bytes. */
#ifndef DOORWARD_API_REQUEST_H
#define DOORWARD_API_REQUEST_H

#include "api.h"
#include "routes.h"
#include <stdatomic.h>

/* One thing that is wrong with a request, for `errors` of a 422 or 409. */
struct api_error {
    struct span field; /* the member's name; empty for the body as a whole */
    const char *code, *detail;
};
#define API_MAX_ERRORS 8

struct api_request {
    struct work_item item; /* first, so that the item's address is the request's */
    const struct api_listener *listener;
    struct api *api;
    struct http_exchange *x;
    const struct api_route *route; /* NULL: none matches */
    struct span rest;              /* of the path, behind a route that ends in / */
    unsigned methods;              /* that the path knows, for Allow */
    struct auth_call call;
    struct auth_caller caller; /* valid behind the check of a BEARER route */
    void *input;               /* the handler's own, made by parse */
    bool cacheable;            /* set by reply: no Cache-Control: no-store */
    struct span policy;        /* Content-Security-Policy of a page; empty: it may load nothing */
    enum err result;           /* of run, then of the whole */
    struct api_error errors[API_MAX_ERRORS];
    size_t error_count;
    int64_t retry_after_s; /* 0: as the problem says */
};

/* parse: NULL for routes that take no body. run: NULL for LANE_INLINE. refuse: for answers that are
 * no problem documents (RESPONSES=classic); true when it wrote one. */
struct api_handler {
    enum err (*parse)(struct api_request *r);
    enum err (*run)(struct api_request *r);
    enum err (*reply)(struct api_request *r);
    bool (*refuse)(struct api_request *r, enum err why);
};

/* A set of routes with an address of its own. */
struct api_listener {
    struct api *api;
    const struct api_route *routes;
    size_t count;
};

struct api {
    struct api_options options;
    struct span own_origin; /* of public_url; empty when that is not set */
    struct span discovery, discovery_etag;
    struct arena arena;      /* of the documents above */
    struct buf metrics_text; /* the loop of the metrics listener: the last scrape's */
    struct api_listener service, metrics;
    _Atomic bool draining;
    _Atomic bool started; /* store and keys have been there once */
};

/* Note one more error; more than API_MAX_ERRORS are not told. `field` lives as long as the request.
 */
void api_error_add(struct api_request *r, struct span field, const char *code, const char *detail);
/* Take over what the domain found wrong. */
void api_errors_take(struct api_request *r, const struct auth_input_errors *errors);

#endif

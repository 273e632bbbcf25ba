/* routes.h - THE route table. Private to api.
 *
 * Threads:   const data and pure functions.
 * Ownership: everything is static.
 * Failure:   as listed. */
#ifndef DOORWARD_API_ROUTES_H
#define DOORWARD_API_ROUTES_H

#include "http.h"

enum api_path {
    PATH_EXACT,
    PATH_BELOW, /* anything that starts with it */
    PATH_ID,    /* it, and a UUID behind */
};
enum api_caller { ANYONE, BEARER };
enum api_lane { LANE_INLINE, LANE_STORE, LANE_LOGIN, LANE_REGISTER, LANE_PASSWORD };

/* Methods as a set of bits. */
#define METHODS_OF(method) (1U << (method))
#define METHODS_GET        (METHODS_OF(HTTP_METHOD_GET) | METHODS_OF(HTTP_METHOD_HEAD))
#define METHODS_POST       METHODS_OF(HTTP_METHOD_POST)
#define METHODS_DELETE     METHODS_OF(HTTP_METHOD_DELETE)
#define METHODS_ANY        (METHODS_OF(HTTP_METHOD_OTHER + 1) - 1)

#define BODY_IGNORED SIZE_MAX /* read within the connection's limit, then forgotten */

struct api_handler;
struct api_route {
    const char *name; /* in logs and metrics */
    unsigned methods;
    struct span path;
    enum api_path kind;
    enum api_caller caller;
    enum api_lane lane;
    unsigned hashes; /* password hashes that one request costs */
    size_t max_body; /* bytes */
    const struct api_handler *handler;
};

extern const struct api_route api_service_routes[];
extern const size_t api_service_route_count;
extern const struct api_route api_metrics_routes[];
extern const size_t api_metrics_route_count;

/* ERR_NO_ROUTE, or ERR_METHOD with the path's methods in *ret_methods. On success *ret_methods is
 * set too. *ret_rest is what stands behind the route's path. */
MUST_CHECK enum err api_route_find(const struct api_route *routes, size_t count,
                                   const struct http_request *request,
                                   const struct api_route **ret_route, struct span *ret_rest,
                                   unsigned *ret_methods);
/* The value of Allow, in `a`. */
MUST_CHECK enum err api_methods_text(unsigned methods, struct arena *a, struct span *ret_text);
/* Declare the names of all routes to the metrics, the unmatched one last. */
void api_routes_declare(void);
/* Index for metrics_request(). */
size_t api_route_metric(const struct api_route *route);

#endif

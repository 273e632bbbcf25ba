/* cors.h - which origins' pages may use the service (Fetch, 3.2). Private to api.
 *
 * Threads:   loop threads; pure functions but for the response. */
#ifndef DOORWARD_API_CORS_H
#define DOORWARD_API_CORS_H

#include "request.h"

/* "https://host:port" of an URL; empty for anything else. */
struct span api_cors_origin_of(struct span url);
/* The Origin, when it is in CORS_ORIGINS or PUBLIC_URL's own; data NULL otherwise. */
struct span api_cors_allowed(const struct api *api, const struct http_request *request);
/* A cookie counts only from an allowed origin, or when the browser says that page and service are
 * one (Sec-Fetch-Site, which no page can set). ERR_ORIGIN. */
MUST_CHECK enum err api_cors_check_cookie(const struct api *api,
                                          const struct http_request *request);
bool api_cors_is_preflight(const struct http_request *request);
/* Vary, and for an allowed origin the headers that let its page read the answer. */
void api_cors_headers(struct api_request *r);
/* The preflight's own headers, beside those above. */
void api_cors_preflight(struct api_request *r, struct span methods);

#endif

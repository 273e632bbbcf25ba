/* api.h - the HTTP contract of DESIGN 7: routes, handlers, errors as problem details.
 *
 * Threads:   api_open and api_close on the main thread; the handlers' entry points on loop threads.
 * Ownership: everything in the options is borrowed until api_close().
 * Failure:   every error becomes an answer; nothing is returned. */
#ifndef DOORWARD_API_H
#define DOORWARD_API_H

#include "auth.h"
#include "base.h"
#include "http.h"
#include "work.h"

enum api_cookies { API_COOKIES_OPTIONAL, API_COOKIES_ON, API_COOKIES_OFF };
enum api_responses { API_RESPONSES_STANDARD, API_RESPONSES_CLASSIC };
struct api_options {
    struct auth *auth;
    struct work_bulkhead *store_work, *password_work;
    struct work_mailbox *const *mailboxes; /* by loop */
    uint64_t login_cost;                   /* steps of one hash at the live cost */
    int64_t login_deadline_ms, store_deadline_ms, refusal_pause_ms;
    struct span public_url, issuer; /* public_url: what clients call, without a slash at its end */
    int64_t jwks_max_age_s;
    struct span algorithm;     /* of access tokens, for discovery */
    struct span cors_origins;  /* by comma */
    struct span verify_cookie; /* name, empty for none */
    enum api_cookies cookies;
    enum api_responses responses;
    bool pages; /* /app and /docs, where they are built in */
    bool hsts;  /* TLS with a certificate that is not self-made */
    const struct http_networks *trusted_proxies;
};
struct api;
MUST_CHECK enum err api_open(const struct api_options *options, struct api **ret_api);
void api_close(struct api *api);                  /* no request may be under way; NULL is fine */
struct http_handler api_handler(struct api *api); /* the service */
struct http_handler
api_metrics_handler(struct api *api); /* GET /metrics alone, for a listener of one loop */
/* Readiness is 503 `draining` from now on; any thread. */
void api_drain(struct api *api);

#endif

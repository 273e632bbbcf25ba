#include "answer.h"
#include "cors.h"
#include <string.h>

#define REQUEST_ID_MAX 64
#define STATUS_GONE    499 /* in the log alone: nobody was there to answer */

static bool is_sane_id(struct span id)
{
    for (size_t i = 0; i < id.length; i++) {
        char c = id.data[i];
        bool alnum = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || strchr("._:-", c) == NULL)) {
            return false;
        }
    }
    return id.length > 0 && id.length <= REQUEST_ID_MAX;
}

struct span api_request_id(const struct http_request *request, struct arena *a)
{
    static const struct clock real = { 0 };
    size_t count = 0;
    struct span theirs = http_header_get(request, "x-request-id", &count);
    if (count == 1 && is_sane_id(theirs)) {
        return theirs;
    }
    struct uuid id;
    char *text = arena_get(a, UUID_TEXT_LENGTH + 1);
    if (text == NULL || uuid_new(clock_now_ms(&real), &id) != ERR_OK) {
        return SPAN_NONE;
    }
    uuid_text(id, text);
    return (struct span){ text, UUID_TEXT_LENGTH };
}

static void add_common_headers(struct api_request *r)
{
    struct http_response *response = &r->x->response;
    if (r->call.request_id.length > 0) {
        http_response_header(response, "X-Request-Id", r->call.request_id);
    }
    http_response_header(response, "X-Content-Type-Options", SPAN("nosniff"));
    if (response->body.length > 0) {
        http_response_header(
            response, "Content-Security-Policy",
            r->policy.length > 0 ? r->policy : SPAN("default-src 'none'; frame-ancestors 'none'"));
    }
    if (r->api->options.hsts && r->x->peer->tls) {
        http_response_header(response, "Strict-Transport-Security", SPAN("max-age=31536000"));
    }
    if (!r->cacheable) {
        http_response_header(response, "Cache-Control", SPAN("no-store"));
    }
    api_cors_headers(r);
}

/* The world's failures are logged as errors, here and nowhere below. */
static enum log_level level_of(const struct api_request *r, int status)
{
    if (status >= 500) {
        bool expected = r->result == ERR_BUSY || r->result == ERR_OK; /* refused, not ready */
        return expected ? LOG_WARN : LOG_ERROR;
    }
    bool dull = status < 400 && r->route != NULL && r->route->lane == LANE_INLINE;
    return dull ? LOG_DEBUG : LOG_INFO;
}

/* The name without its method, which has a field of its own. */
static struct span pattern_of(const struct api_route *route)
{
    struct span name = span_of(route != NULL ? route->name : "unmatched");
    size_t space = span_find(name, ' ');
    return space < name.length ? span_from(name, space + 1) : name;
}

static void write_log(const struct api_request *r, int status, int64_t duration_us)
{
    enum log_level level = level_of(r, status);
    if (!log_enabled(level)) {
        return;
    }
    bool failed = status >= 500 && r->result != ERR_OK;
    log_event(level, "request", LOG_SPAN("request_id", r->call.request_id),
              LOG_SPAN("method", r->x->request.method_name),
              LOG_SPAN("route", pattern_of(r->route)), LOG_NUMBER("status", status),
              LOG_NUMBER("duration_us", duration_us), LOG_SPAN("ip", r->call.ip),
              LOG_UUID("user_id", r->call.user_id), LOG_UUID("session_id", r->call.session_id),
              LOG_STR("error", failed ? err_name(r->result) : ""));
}

void api_answer(struct api_request *r)
{
    struct http_exchange *x = r->x;
    int64_t duration_us = x->started_us > 0 ? clock_monotonic_us() - x->started_us : 0;
    bool gone = x->response.status == 0;
    if (!gone) {
        add_common_headers(r);
        metrics_request(api_route_metric(r->route), x->response.status, duration_us);
    }
    write_log(r, gone ? STATUS_GONE : x->response.status, duration_us);
    x->finish(x);
}

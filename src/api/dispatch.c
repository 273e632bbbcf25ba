#include "dispatch.h"
#include "answer.h"
#include "bearer.h"
#include "cors.h"
#include "handlers.h"
#include "problem.h"

#include <string.h>

#define AGENT_MAX_BYTES 256

/* ---- the checks before any work, in the order of DESIGN 7 ---- */

static bool is_json_type(struct span type)
{
    struct span piece;
    if (!span_split(&type, ';', &piece) ||
        !span_equal_nocase(span_trim(piece), SPAN("application/json"))) {
        return false;
    }
    while (span_split(&type, ';', &piece)) {
        piece = span_trim(piece);
        if (piece.length > 0 && !span_equal_nocase(piece, SPAN("charset=utf-8")) &&
            !span_equal_nocase(piece, SPAN("charset=\"utf-8\""))) {
            return false;
        }
    }
    return true;
}

static enum err check_body(const struct api_request *r)
{
    const struct http_request *request = &r->x->request;
    if (r->route->max_body == BODY_IGNORED || request->body.length == 0) {
        return ERR_OK;
    }
    if (request->body.length > r->route->max_body) {
        return ERR_BODY_TOO_LARGE;
    }
    size_t count = 0;
    struct span coding = http_header_get(request, "content-encoding", &count);
    if (count > 1 || (count == 1 && !span_equal_nocase(coding, SPAN("identity")))) {
        return ERR_MEDIA_TYPE;
    }
    struct span type = http_header_get(request, "content-type", &count);
    return count == 1 && is_json_type(type) ? ERR_OK : ERR_MEDIA_TYPE;
}

static enum err identify(struct api_request *r)
{
    if (r->route->caller == ANYONE) {
        return ERR_OK;
    }
    struct span token;
    TRY(api_bearer_token(&r->x->request, &token));
    return api_bearer_verify(r, token);
}

static enum err admit(struct api_request *r)
{
    TRY(api_route_find(r->listener->routes, r->listener->count, &r->x->request, &r->route, &r->rest,
                       &r->methods));
    TRY(check_body(r));
    TRY(identify(r));
    return r->route->handler->parse != NULL ? r->route->handler->parse(r) : ERR_OK;
}

/* ---- the answer ---- */

static void refuse(struct api_request *r, enum err why)
{
    struct http_response *response = &r->x->response;
    r->result = why;
    if (why == ERR_CANCELLED) {
        return;
    }
    /* A reply may have failed halfway. */
    *response = (struct http_response){ .close = response->close, .delay_ms = response->delay_ms };
    if (r->route != NULL && r->route->handler->refuse != NULL &&
        r->route->handler->refuse(r, why)) {
        return;
    }
    api_problem_answer(r, why);
    struct span allow;
    if (why == ERR_METHOD && api_methods_text(r->methods, r->call.arena, &allow) == ERR_OK) {
        http_response_header(response, "Allow", allow);
    }
}

static void conclude(struct api_request *r)
{
    enum err why = r->result == ERR_OK ? r->route->handler->reply(r) : r->result;
    if (why != ERR_OK) {
        refuse(r, why);
    }
    api_answer(r);
}

/* ---- lanes ---- */

static const enum work_class lane_class[] = {
    [LANE_STORE] = WORK_STORE,
    [LANE_LOGIN] = WORK_LOGIN,
    [LANE_REGISTER] = WORK_REGISTER,
    [LANE_PASSWORD] = WORK_PASSWORD,
};

static bool hashes(const struct api_request *r)
{
    return r->route->lane != LANE_STORE && r->route->lane != LANE_INLINE;
}

/* A quarter each way, so that those refused together do not come back together. */
static int64_t spread(int64_t pause_ms)
{
    uint32_t random = 0;
    if (pause_ms <= 0 || secret_random(&random, sizeof random) != ERR_OK) {
        return pause_ms;
    }
    return pause_ms - pause_ms / 4 + (int64_t)(random % (uint64_t)(pause_ms / 2 + 1));
}

/* The one that was refused last on this connection; a proxy's carries many. */
static bool was_refused(const struct api_request *r)
{
    const struct http_peer *peer = r->x->peer;
    struct span refused = { peer->refused_client, peer->refused_client_length };
    return span_equal(r->item.client, refused);
}

/* A client that comes back before its Retry-After is over waits for the same refusal. */
static enum err pause_eager(struct api_request *r)
{
    int64_t left_us = r->x->peer->refused_until_us - clock_monotonic_us();
    if (!hashes(r) || left_us <= 0 || !was_refused(r)) {
        return ERR_OK;
    }
    r->retry_after_s = (left_us + 999999) / 1000000;
    r->x->response.delay_ms = spread(r->api->options.refusal_pause_ms);
    metrics_add(METRIC_REFUSED, METRICS_REFUSED_PAUSE, 1);
    return ERR_BUSY;
}

static void remember_refusal(struct api_request *r)
{
    struct http_peer *peer = r->x->peer;
    struct span client = r->item.client;
    if (hashes(r) && client.length <= sizeof(peer->refused_client)) {
        peer->refused_until_us = clock_monotonic_us() + r->retry_after_s * 1000000;
        peer->refused_client_length = client.length;
        if (client.length > 0) {
            memcpy(peer->refused_client, client.data, client.length);
        }
    }
}

static void run_item(struct work_item *item)
{
    struct api_request *r = (struct api_request *)item;
    r->result = r->route->handler->run(r);
    if (r->result == ERR_TOO_MANY_ATTEMPTS) {
        r->retry_after_s = r->call.retry_after_s;
    }
}

static void on_done(struct work_item *item)
{
    struct api_request *r = (struct api_request *)item;
    r->x->on_hangup = NULL;
    switch (item->fate) {
    case WORK_RAN:
        break;
    case WORK_LATE:
        r->retry_after_s = item->retry_after_s;
        remember_refusal(r);
        r->result = ERR_BUSY;
        break;
    case WORK_ABANDONED:
        r->result = ERR_CANCELLED;
        break;
    }
    conclude(r);
}

static void on_hangup(struct http_exchange *x)
{
    work_abandon(&((struct api_request *)x->api)->item);
}

static enum err submit(struct api_request *r)
{
    const struct api_options *o = &r->api->options;
    bool slow = hashes(r);
    r->item = (struct work_item){
        .run = run_item,
        .done = on_done,
        .mailbox = o->mailboxes[r->x->peer->loop],
        .class = lane_class[r->route->lane],
        .client = http_address_key(r->call.ip, r->call.arena),
        .cost = slow ? r->route->hashes * o->login_cost : 1,
        .deadline_us =
            clock_monotonic_us() + (slow ? o->login_deadline_ms : o->store_deadline_ms) * 1000,
    };
    TRY(pause_eager(r));
    r->x->on_hangup = on_hangup;
    enum err why =
        work_submit(slow ? o->password_work : o->store_work, &r->item, &r->retry_after_s);
    if (why != ERR_OK) {
        r->x->on_hangup = NULL;
        remember_refusal(r);
    }
    return why;
}

/* ---- the entries ---- */

static struct api_request *begin(const struct api_listener *listener, struct http_exchange *x)
{
    struct api_request *r = ARENA_NEW(&x->arena, struct api_request);
    if (r == NULL) {
        x->response.status = 503;
        http_response_header(&x->response, "Retry-After", SPAN("1"));
        x->finish(x);
        return NULL;
    }
    r->listener = listener;
    r->api = listener->api;
    r->x = x;
    r->call.arena = &x->arena;
    r->call.request_id = api_request_id(&x->request, &x->arena);
    r->call.ip =
        http_client_address(&x->request, x->peer, r->api->options.trusted_proxies, &x->arena);
    r->call.agent =
        span_slice(http_header_get(&x->request, "user-agent", NULL), 0, AGENT_MAX_BYTES);
    x->api = r;
    return r;
}

static void answer_options(struct api_request *r)
{
    struct span methods;
    enum err why = api_methods_text(r->methods, r->call.arena, &methods);
    if (why != ERR_OK) {
        refuse(r, why);
        return;
    }
    r->x->response.status = 204;
    http_response_header(&r->x->response, "Allow", methods);
    if (api_cors_is_preflight(&r->x->request)) {
        api_cors_preflight(r, methods);
    }
}

void api_dispatch(void *context, struct http_exchange *x)
{
    struct api_request *r = begin(context, x);
    if (r == NULL) {
        return;
    }
    r->result = admit(r);
    if (r->result == ERR_METHOD && x->request.method == HTTP_METHOD_OPTIONS) {
        r->result = ERR_OK;
        answer_options(r);
        api_answer(r);
        return;
    }
    if (r->result == ERR_OK && r->route->lane != LANE_INLINE) {
        enum err why = submit(r);
        if (why == ERR_OK) {
            return; /* the worker's now; on_done goes on */
        }
        r->result = why;
    }
    conclude(r);
}

/* net/ refuses a body before anybody has asked whether there is such a resource; 404 and 405 win.
 */
static enum err before_body(struct api_request *r, enum err why)
{
    if (why == ERR_BODY_TOO_LARGE) {
        TRY(api_route_find(r->listener->routes, r->listener->count, &r->x->request, &r->route,
                           &r->rest, &r->methods));
    }
    return why;
}

void api_dispatch_refused(void *context, struct http_exchange *x, enum err why)
{
    struct api_request *r = begin(context, x);
    if (r != NULL) {
        x->response.close = true;
        refuse(r, before_body(r, why));
        api_answer(r);
    }
}

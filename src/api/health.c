/* GET /healthz: the process lives. GET /readyz: send me requests. GET /startupz: I have begun. */
#include "documents.h"
#include "handlers.h"

static enum err healthz_reply(struct api_request *r)
{
    r->x->response.status = 200;
    r->x->response.content_type = SPAN("application/json");
    r->x->response.body = SPAN("{\"status\":\"ok\"}");
    return ERR_OK;
}

const struct api_handler api_healthz = { .reply = healthz_reply };

static enum err report(struct api_request *r, const struct auth_health *health, bool good)
{
    bool draining = atomic_load_explicit(&r->api->draining, memory_order_acquire);
    struct json_out j;
    json_out_begin(&j, r->call.arena, 256);
    json_out_object(&j, NULL);
    json_out_text(&j, "status",
                  good ? SPAN("ok") : (draining ? SPAN("draining") : SPAN("unavailable")));
    json_out_object(&j, "checks");
    json_out_flag(&j, "store", health->store_ok);
    json_out_flag(&j, "keys", health->keys_ok);
    json_out_flag(&j, "revocations", health->revocations_ok);
    json_out_flag(&j, "draining", draining);
    json_out_object_end(&j);
    json_out_object(&j, "detail");
    json_out_number(&j, "revocation_lag_ms", health->revocation_lag_ms);
    json_out_number(&j, "log_lines_dropped", (int64_t)log_dropped());
    json_out_object_end(&j);
    json_out_object_end(&j);
    if (!good) {
        http_response_header(&r->x->response, "Retry-After", SPAN("1"));
    }
    return api_json_answer(r, good ? 200 : 503, &j);
}

static enum err readyz_reply(struct api_request *r)
{
    struct auth_health health = auth_health(r->api->options.auth);
    bool draining = atomic_load_explicit(&r->api->draining, memory_order_acquire);
    return report(r, &health,
                  health.store_ok && health.keys_ok && health.revocations_ok && !draining);
}

const struct api_handler api_readyz = { .reply = readyz_reply };

static enum err startupz_reply(struct api_request *r)
{
    struct auth_health health = auth_health(r->api->options.auth);
    if (health.store_ok && health.keys_ok) {
        atomic_store_explicit(&r->api->started, true, memory_order_relaxed);
    }
    return report(r, &health, atomic_load_explicit(&r->api->started, memory_order_relaxed));
}

const struct api_handler api_startupz = { .reply = startupz_reply };

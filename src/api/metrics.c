/* GET /metrics, on an address of its own: Prometheus text. */
#include "handlers.h"

/* Too much for a request's arena, so it is kept in the api until the next scrape. The listener has
 * one loop, and finish() copies before the next one can come. */
static enum err metrics_reply(struct api_request *r)
{
    struct buf *text = &r->api->metrics_text;
    /* It grows while nobody follows, so nobody who follows can set it. */
    metrics_gauge_set(METRIC_REVOCATION_LAG, 0,
                      auth_health(r->api->options.auth).revocation_lag_ms);
    buf_reset(text);
    metrics_render(text);
    TRY(buf_result(text));
    r->x->response.status = 200;
    r->x->response.content_type = SPAN("text/plain; version=0.0.4");
    r->x->response.body = buf_span(text);
    return ERR_OK;
}

const struct api_handler api_metrics = { .reply = metrics_reply };

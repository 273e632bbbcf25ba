#include "api.h"
#include "cors.h"
#include "discovery.h"
#include "dispatch.h"
#include <stdlib.h>

#define DOCUMENTS_MAX_BYTES ((size_t)64 * 1024)
#define METRICS_MAX_BYTES   ((size_t)4 * 1024 * 1024)

enum err api_open(const struct api_options *options, struct api **ret_api)
{
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        return ERR_NOMEM;
    }
    api->options = *options;
    api->own_origin = api_cors_origin_of(options->public_url);
    api->service = (struct api_listener){ api, api_service_routes, api_service_route_count };
    api->metrics = (struct api_listener){ api, api_metrics_routes, api_metrics_route_count };
    arena_init(&api->arena, DOCUMENTS_MAX_BYTES);
    buf_init(&api->metrics_text, METRICS_MAX_BYTES);
    api_routes_declare();
    enum err why = api_discovery_make(api);
    if (why != ERR_OK) {
        api_close(api);
        return why;
    }
    *ret_api = api;
    return ERR_OK;
}

void api_close(struct api *api)
{
    if (api != NULL) {
        buf_done(&api->metrics_text);
        arena_done(&api->arena);
        free(api);
    }
}

struct http_handler api_handler(struct api *api)
{
    return (struct http_handler){ api_dispatch, api_dispatch_refused, &api->service };
}

struct http_handler api_metrics_handler(struct api *api)
{
    return (struct http_handler){ api_dispatch, api_dispatch_refused, &api->metrics };
}

void api_drain(struct api *api)
{
    atomic_store_explicit(&api->draining, true, memory_order_release);
}

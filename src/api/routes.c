#include "routes.h"
#include "handlers.h"

#define KIB 1024

#define PATH(path)                                                                                 \
    {                                                                                              \
        (path), sizeof(path) - 1                                                                   \
    }
#define ROUTE(method, path)    #method " " path, METHODS_##method, PATH(path)
#define ROUTE_ANY(path)        path, METHODS_ANY, PATH(path)
#define ROUTE_ID(method, path) #method " " path "{id}", METHODS_##method, PATH(path)

/* clang-format off */
const struct api_route api_service_routes[] = {
    /* method and path                                    match       caller  lane           hashes max body      handler */
    { ROUTE(POST,   "/register"),                         PATH_EXACT, ANYONE, LANE_REGISTER, 1, 16 * KIB,     &api_register       },
    { ROUTE(POST,   "/login"),                            PATH_EXACT, ANYONE, LANE_LOGIN,    1, 16 * KIB,     &api_login          },
    { ROUTE(POST,   "/refresh-token"),                    PATH_EXACT, ANYONE, LANE_STORE,    0, 4 * KIB,      &api_refresh        },
    { ROUTE(POST,   "/logout"),                           PATH_EXACT, ANYONE, LANE_STORE,    0, 4 * KIB,      &api_logout         },
    { ROUTE(GET,    "/profile"),                          PATH_EXACT, BEARER, LANE_STORE,    0, 0,            &api_profile        },
    { ROUTE(DELETE, "/profile"),                          PATH_EXACT, BEARER, LANE_PASSWORD, 1, 16 * KIB,     &api_profile_delete },
    { ROUTE(POST,   "/password"),                         PATH_EXACT, BEARER, LANE_PASSWORD, 2, 16 * KIB,     &api_password       },
    { ROUTE(GET,    "/sessions"),                         PATH_EXACT, BEARER, LANE_STORE,    0, 0,            &api_sessions       },
    { ROUTE_ID(DELETE, "/sessions/"),                     PATH_ID,    BEARER, LANE_STORE,    0, 0,            &api_session_end    },
    { ROUTE_ANY(    "/verify"),                           PATH_EXACT, ANYONE, LANE_INLINE,   0, BODY_IGNORED, &api_verify         },
    { ROUTE_ANY(    "/verify/"),                          PATH_BELOW, ANYONE, LANE_INLINE,   0, BODY_IGNORED, &api_verify         },
    { ROUTE(GET,    "/.well-known/jwks.json"),            PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_jwks           },
    { ROUTE(GET,    "/.well-known/openid-configuration"), PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_discovery      },
    { ROUTE(GET,    "/healthz"),                          PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_healthz        },
    { ROUTE(GET,    "/readyz"),                           PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_readyz         },
    { ROUTE(GET,    "/startupz"),                         PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_startupz       },
    { ROUTE(GET,    "/openapi.yaml"),                     PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_contract       },
    { ROUTE(GET,    "/app"),                              PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_app            },
    { ROUTE(GET,    "/app/"),                             PATH_BELOW, ANYONE, LANE_INLINE,   0, 0,            &api_app            },
    { ROUTE(GET,    "/docs"),                             PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_docs           },
    { ROUTE(GET,    "/docs/"),                            PATH_BELOW, ANYONE, LANE_INLINE,   0, 0,            &api_docs           },
};
const struct api_route api_metrics_routes[] = {
    { ROUTE(GET,    "/metrics"),                          PATH_EXACT, ANYONE, LANE_INLINE,   0, 0,            &api_metrics        },
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
const size_t api_service_route_count = COUNT(api_service_routes);
const size_t api_metrics_route_count = COUNT(api_metrics_routes);

#define ROUTE_COUNT (COUNT(api_service_routes) + COUNT(api_metrics_routes))
_Static_assert(ROUTE_COUNT + 1 <= METRICS_MAX_ROUTES, "the metrics have no room for the routes");

static bool path_matches(const struct api_route *route, struct span path, struct span *ret_rest)
{
    if (!span_starts(path, route->path)) {
        return false;
    }
    struct span rest = span_from(path, route->path.length);
    struct uuid id;
    if ((route->kind == PATH_EXACT && rest.length != 0) ||
        (route->kind == PATH_ID && !uuid_parse(rest, &id))) {
        return false;
    }
    *ret_rest = rest;
    return true;
}

enum err api_route_find(const struct api_route *routes, size_t count,
                        const struct http_request *request, const struct api_route **ret_route,
                        struct span *ret_rest, unsigned *ret_methods)
{
    unsigned methods = 0;
    const struct api_route *found = NULL;
    for (size_t i = 0; i < count; i++) {
        struct span rest;
        if (!path_matches(&routes[i], request->path, &rest)) {
            continue;
        }
        methods |= routes[i].methods;
        if ((routes[i].methods & METHODS_OF(request->method)) != 0) {
            found = &routes[i];
            *ret_rest = rest;
        }
    }
    *ret_methods = methods;
    if (found == NULL) {
        return methods == 0 ? ERR_NO_ROUTE : ERR_METHOD;
    }
    *ret_route = found;
    return ERR_OK;
}

enum err api_methods_text(unsigned methods, struct arena *a, struct span *ret_text)
{
    return arena_printf(a, ret_text, "%s%s%sOPTIONS",
                        (methods & METHODS_OF(HTTP_METHOD_GET)) != 0 ? "GET, HEAD, " : "",
                        (methods & METHODS_OF(HTTP_METHOD_POST)) != 0 ? "POST, " : "",
                        (methods & METHODS_OF(HTTP_METHOD_DELETE)) != 0 ? "DELETE, " : "");
}

void api_routes_declare(void)
{
    /* Outlives every api: the metrics keep the pointer. */
    static const char *names[ROUTE_COUNT + 1];
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        names[i] = i < api_service_route_count
                       ? api_service_routes[i].name
                       : api_metrics_routes[i - api_service_route_count].name;
    }
    names[ROUTE_COUNT] = "unmatched";
    metrics_routes(names, COUNT(names));
}

size_t api_route_metric(const struct api_route *route)
{
    if (route == NULL) {
        return ROUTE_COUNT;
    }
    bool of_service =
        route >= api_service_routes && route < api_service_routes + api_service_route_count;
    return of_service ? (size_t)(route - api_service_routes)
                      : api_service_route_count + (size_t)(route - api_metrics_routes);
}

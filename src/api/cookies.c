#include "cookies.h"
#include "cors.h"

#define NAME       "__Host-refresh"
#define ATTRIBUTES "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age="

static struct span came(const struct api_request *r)
{
    return r->api->options.cookies == API_COOKIES_OFF ? SPAN_NONE
                                                      : http_cookie_get(&r->x->request, NAME);
}

bool api_cookie_came(const struct api_request *r)
{
    return came(r).data != NULL;
}

enum err api_cookie_get(const struct api_request *r, struct span *ret_token)
{
    struct span token = came(r);
    if (token.data != NULL) {
        TRY(api_cors_check_cookie(r->api, &r->x->request));
    }
    *ret_token = token;
    return ERR_OK;
}

enum err api_cookie_set(struct api_request *r, struct span token, int64_t max_age_s)
{
    struct span value;
    TRY(arena_printf(r->call.arena, &value, NAME "=%.*s" ATTRIBUTES "%lld", SPAN_FMT(token),
                     (long long)max_age_s));
    http_response_header(&r->x->response, "Set-Cookie", value);
    return ERR_OK;
}

void api_cookie_clear(struct api_request *r)
{
    http_response_header(&r->x->response, "Set-Cookie", SPAN(NAME "=" ATTRIBUTES "0"));
}

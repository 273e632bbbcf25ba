#include "app.h"

#include "banner.h"
#include "tls.h"
#include <stdio.h>

#define URL_BYTES 128

/* Where the settings say that the service listens; what banner_url() gives, without the scheme. */
static enum err address_of(const struct config *c, struct arena *a, struct span *ret_address)
{
    struct buf url;
    buf_init(&url, URL_BYTES);
    banner_url(c, c->addresses[0], (uint16_t)c->port, &url);
    enum err e = buf_result(&url);
    if (e == ERR_OK) {
        struct span text = buf_span(&url);
        e = arena_copy(a, span_from(text, span_find(text, '/') + 2), ret_address);
    }
    buf_done(&url);
    return e;
}

enum err app_health(const struct config *c, const char *path, unsigned timeout_s, struct arena *a,
                    struct span *ret_why)
{
    struct span address;
    int status = 0;
    if (c->port == 0) {
        *ret_why = SPAN("PORT=0 is another port at each start: it cannot be asked");
        return ERR_CONFIG;
    }
    TRY(address_of(c, a, &address));
    enum err e = tls_ask(address.data, c->tls == 0, path, timeout_s, &status);
    if (e != ERR_OK) {
        TRY(arena_printf(a, ret_why, "%s%s: no answer within %u s", address.data, path, timeout_s));
        return e;
    }
    TRY(arena_printf(a, ret_why, "%s%s: %d", address.data, path, status));
    return status == 200 ? ERR_OK : ERR_UNAVAILABLE;
}

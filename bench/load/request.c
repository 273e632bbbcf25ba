#include "request.h"

static const char *const lines[ROUTE_COUNT] = {
    [ROUTE_GET] = "GET",
    [ROUTE_VERIFY] = "GET /verify",
    [ROUTE_PROFILE] = "GET /profile",
    [ROUTE_REFRESH] = "POST /refresh-token",
    [ROUTE_LOGIN] = "POST /login",
    [ROUTE_REGISTER] = "POST /register",
};

const char *request_line(enum route route)
{
    return lines[route];
}

static void begin(struct buf *out, const struct target *t, enum route route, const char *path)
{
    buf_add_text(out, lines[route]);
    if (route == ROUTE_GET) {
        buf_add_char(out, ' ');
        buf_add_text(out, path);
    }
    buf_add(out, SPAN(" HTTP/1.1\r\nHost: "));
    buf_add_text(out, t->authority);
}

void request_get(struct buf *out, const struct target *t, enum route route, const char *path,
                 struct span token)
{
    begin(out, t, route, path);
    if (route != ROUTE_GET) {
        buf_add(out, SPAN("\r\nAuthorization: Bearer "));
        buf_add(out, token);
    }
    buf_add(out, SPAN("\r\n\r\n"));
}

void request_post(struct buf *out, const struct target *t, enum route route, struct span body)
{
    begin(out, t, route, NULL);
    buf_add(out, SPAN("\r\nContent-Type: application/json\r\nContent-Length: "));
    buf_add_u64(out, body.length);
    buf_add(out, SPAN("\r\n\r\n"));
    buf_add(out, body);
}

/* callbacks.c - what llhttp tells of a request, kept for the exchange. */
#include "parser_state.h"

/* For a callback of llhttp: stop, for this reason. */
static int refuse(struct http_parser *p, enum err why)
{
    p->why = why;
    return HPE_USER;
}

static int keep(struct http_parser *p, struct buf *b, const char *at, size_t length)
{
    buf_add(b, (struct span){ .data = at, .length = length });
    return buf_result(b) == ERR_OK ? HPE_OK : refuse(p, ERR_NOMEM);
}

/* ---- llhttp's callbacks: request line ---- */

static enum http_method known_method(uint8_t number)
{
    static const struct {
        uint8_t number;
        enum http_method method;
    } known[] = {
        { HTTP_GET, HTTP_METHOD_GET },         { HTTP_HEAD, HTTP_METHOD_HEAD },
        { HTTP_POST, HTTP_METHOD_POST },       { HTTP_DELETE, HTTP_METHOD_DELETE },
        { HTTP_OPTIONS, HTTP_METHOD_OPTIONS },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].number == number) {
            return known[i].method;
        }
    }
    return HTTP_METHOD_OTHER;
}

static int on_method_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    uint8_t number = llhttp_get_method(llhttp);
    p->x->request.method = known_method(number);
    p->x->request.method_name = span_of(llhttp_method_name((llhttp_method_t)number));
    http_parser_enter(p, PHASE_SPACE);
    return HPE_PAUSED;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *p = llhttp->data;
    p->target_length += length;
    return keep(p, &p->head, at, length);
}

static int on_url_complete(llhttp_t *llhttp)
{
    http_parser_enter(llhttp->data, PHASE_HEAD);
    return HPE_PAUSED;
}

/* llhttp also knows RTSP and ICE. */
static int on_protocol(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *p = llhttp->data;
    struct span expected = span_from(SPAN("HTTP"), p->protocol_matched);
    if (!span_starts(expected, (struct span){ .data = at, .length = length })) {
        return refuse(p, ERR_BAD_REQUEST);
    }
    p->protocol_matched += length;
    return HPE_OK;
}

/* ---- headers and trailers ---- */

static int on_header_field(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *p = llhttp->data;
    if (p->phase == PHASE_TRAILERS) {
        return HPE_OK; /* read past, never kept: a trailer is no header */
    }
    struct mark *m = &p->marks[p->header_count];
    if (m->name_length == 0) {
        m->name = p->head.length;
    }
    m->name_length += length;
    return keep(p, &p->head, at, length);
}

static int on_header_field_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    if (p->phase == PHASE_TRAILERS) {
        p->trailer_count++;
    } else {
        p->marks[p->header_count].value = p->head.length;
    }
    bool room = p->trailer_count <= p->limits.max_headers - p->header_count &&
                (p->phase == PHASE_TRAILERS || p->header_count < p->limits.max_headers);
    return room ? HPE_OK : refuse(p, ERR_HEADERS_TOO_LARGE);
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *p = llhttp->data;
    if (p->phase == PHASE_TRAILERS) {
        return HPE_OK;
    }
    p->marks[p->header_count].value_length += length;
    return keep(p, &p->head, at, length);
}

static int on_header_value_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    if (p->phase != PHASE_TRAILERS) {
        p->header_count++;
        p->marks[p->header_count] = (struct mark){ 0 };
    }
    return HPE_OK;
}

static enum err check_head(struct http_parser *p)
{
    const llhttp_t *llhttp = &p->llhttp;
    struct http_request *r = &p->x->request;
    struct span target = SPAN_NONE;
    TRY(http_parser_publish(p, &target));
    if (llhttp->http_major != 1 || llhttp->http_minor > 1) {
        return ERR_BAD_REQUEST;
    }
    r->version_minor = llhttp->http_minor;
    return http_head_check(r, target, p->limits.max_body_bytes);
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    enum err e = check_head(p);
    if (e != ERR_OK) {
        return refuse(p, e);
    }
    llhttp->upgrade = 0; /* we never switch protocols, whatever is asked */
    http_parser_enter(p, (llhttp->flags & F_CHUNKED) != 0 ? PHASE_CHUNK_LINE : PHASE_BODY);
    return HPE_PAUSED;
}

/* ---- body ---- */

static int on_chunk_header(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    if (llhttp->content_length > p->limits.max_body_bytes - p->body.length) {
        return refuse(p, ERR_BODY_TOO_LARGE);
    }
    http_parser_enter(p, llhttp->content_length == 0 ? PHASE_TRAILERS : PHASE_CHUNK_DATA);
    return HPE_PAUSED;
}

static int on_chunk_extension(llhttp_t *llhttp, const char *at, size_t length)
{
    (void)at;
    struct http_parser *p = llhttp->data;
    p->extension_bytes += length;
    return p->extension_bytes <= MAX_EXTENSION_BYTES ? HPE_OK : refuse(p, ERR_BAD_REQUEST);
}

/* The separator before each name and value counts as well. */
static int on_chunk_extension_part(llhttp_t *llhttp)
{
    return on_chunk_extension(llhttp, NULL, 1);
}

static int on_body(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *p = llhttp->data;
    return keep(p, &p->body, at, length);
}

static int on_chunk_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    if (p->phase == PHASE_TRAILERS) {
        return HPE_OK; /* the last, empty chunk: the message's end follows */
    }
    http_parser_enter(p, PHASE_CHUNK_LINE);
    return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    enum err e = arena_copy(&p->x->arena, buf_span(&p->body), &p->x->request.body);
    if (e != ERR_OK) {
        return refuse(p, e);
    }
    http_parser_enter(p, PHASE_DONE);
    return HPE_PAUSED;
}

const llhttp_settings_t http_parser_callbacks = {
    .on_method_complete = on_method_complete,
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_protocol = on_protocol,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_name_complete = on_chunk_extension_part,
    .on_chunk_extension_value = on_chunk_extension,
    .on_chunk_extension_value_complete = on_chunk_extension_part,
    .on_body = on_body,
    .on_chunk_complete = on_chunk_complete,
    .on_message_complete = on_message_complete,
};

/* parser.c - llhttp in its strict mode, fed in slices that end where a limit ends.
 *
 *   METHOD -> SPACE -> TARGET -> HEAD -+-> BODY --------------------------------+-> DONE
 *                                      +-> CHUNK_LINE -+-> TRAILERS ------------+
 *                                      |      ^        v                        |
 *                                      |      +-- CHUNK_DATA                    |
 *                                      +----------------------------------------+
 *
 * Decisions fall only at places that do not depend on how the bytes were cut into reads: at the
 * end of an element, or where a phase's allowance of bytes is used up. So every cutting of the
 * same bytes has the same outcome. */
#include "http_internal.h"

#include <llhttp.h>
#include <stdlib.h>

#define MAX_EXTENSION_BYTES  256 /* chunk extensions of one request; nobody uses them */
#define MAX_CHUNK_LINE_BYTES (16 + 2 + MAX_EXTENSION_BYTES) /* a 64-bit size, CR, LF */

enum phase {
    PHASE_METHOD,
    PHASE_SPACE,
    PHASE_TARGET,
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_CHUNK_LINE,
    PHASE_CHUNK_DATA,
    PHASE_TRAILERS,
    PHASE_DONE,
};

/* Where a header lies in http_parser.head. */
struct mark {
    size_t name, name_length;
    size_t value, value_length;
};

struct http_parser {
    struct http_limits limits; /* fixed */
    struct http_exchange *x;
    llhttp_t llhttp;
    enum phase phase;
    size_t phase_bytes; /* taken in the present phase */
    size_t head_bytes;  /* taken for head and trailers */
    struct buf head;    /* target, names and values, one behind the other */
    struct buf body;
    size_t target_length;
    size_t protocol_matched;
    size_t header_count; /* complete ones; the next mark is being filled */
    size_t trailer_count;
    size_t extension_bytes;
    enum err why;        /* not ERR_OK: the connection is beyond repair */
    struct mark marks[]; /* limits.max_headers, and one for the next */
};

static void enter(struct http_parser *p, enum phase next)
{
    p->phase = next;
    p->phase_bytes = 0;
}

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
    enter(p, PHASE_SPACE);
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
    enter(llhttp->data, PHASE_HEAD);
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

/* Give the exchange what was read of the head: one copy of its text, and spans into it. */
static enum err publish_head(struct http_parser *p, struct span *ret_target)
{
    struct http_request *r = &p->x->request;
    struct span text = SPAN_NONE;
    TRY(arena_copy(&p->x->arena, buf_span(&p->head), &text));
    struct http_header *headers = ARENA_ARRAY(&p->x->arena, struct http_header, p->header_count);
    if (headers == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < p->header_count; i++) {
        const struct mark *m = &p->marks[i];
        headers[i].name = span_slice(text, m->name, m->name_length);
        headers[i].value = span_trim(span_slice(text, m->value, m->value_length));
    }
    r->headers = headers;
    r->header_count = p->header_count;
    *ret_target = span_slice(text, 0, p->target_length);
    return ERR_OK;
}

static enum err check_head(struct http_parser *p)
{
    const llhttp_t *llhttp = &p->llhttp;
    struct http_request *r = &p->x->request;
    struct span target = SPAN_NONE;
    TRY(publish_head(p, &target));
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
    enter(p, (llhttp->flags & F_CHUNKED) != 0 ? PHASE_CHUNK_LINE : PHASE_BODY);
    return HPE_PAUSED;
}

/* ---- body ---- */

static int on_chunk_header(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    if (llhttp->content_length > p->limits.max_body_bytes - p->body.length) {
        return refuse(p, ERR_BODY_TOO_LARGE);
    }
    enter(p, llhttp->content_length == 0 ? PHASE_TRAILERS : PHASE_CHUNK_DATA);
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
    enter(p, PHASE_CHUNK_LINE);
    return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    enum err e = arena_copy(&p->x->arena, buf_span(&p->body), &p->x->request.body);
    if (e != ERR_OK) {
        return refuse(p, e);
    }
    enter(p, PHASE_DONE);
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
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

/* ---- life ---- */

enum err http_parser_new(const struct http_limits *limits, struct http_parser **ret_parser)
{
    struct http_parser *p = calloc(1, sizeof(*p) + (limits->max_headers + 1) * sizeof(p->marks[0]));
    if (p == NULL) {
        return ERR_NOMEM;
    }
    p->limits = *limits;
    buf_init(&p->head, limits->max_header_bytes);
    buf_init(&p->body, limits->max_body_bytes);
    *ret_parser = p;
    return ERR_OK;
}

void http_parser_free(struct http_parser *p)
{
    if (p == NULL) {
        return;
    }
    buf_done(&p->head);
    buf_done(&p->body);
    free(p);
}

void http_parser_begin(struct http_parser *p, struct http_exchange *x)
{
    x->request = (struct http_request){ 0 };
    p->x = x;
    /* Whole, not llhttp_reset(): nothing of the request before may soften this one. */
    llhttp_init(&p->llhttp, HTTP_REQUEST, &callbacks);
    p->llhttp.data = p;
    buf_reset(&p->head);
    buf_reset(&p->body);
    p->head_bytes = 0;
    p->target_length = 0;
    p->protocol_matched = 0;
    p->header_count = 0;
    p->trailer_count = 0;
    p->extension_bytes = 0;
    p->why = ERR_OK;
    p->marks[0] = (struct mark){ 0 };
    enter(p, PHASE_METHOD);
}

/* ---- slices ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many bytes may still come before the phase ends or a limit is passed. */
static size_t allowance(const struct http_parser *p)
{
    size_t head_left = p->limits.max_header_bytes - p->head_bytes;
    switch (p->phase) {
    case PHASE_METHOD:
    case PHASE_HEAD:
    case PHASE_TRAILERS:
        return head_left;
    case PHASE_SPACE:
        return smaller(head_left, 1);
    case PHASE_TARGET: /* and the space behind it, and the byte by which llhttp sees its end */
        return smaller(head_left, p->limits.max_uri_bytes + 2 - p->phase_bytes);
    case PHASE_CHUNK_LINE:
        return MAX_CHUNK_LINE_BYTES - p->phase_bytes;
    case PHASE_BODY:
    case PHASE_CHUNK_DATA:
    case PHASE_DONE:
        break;
    }
    return SIZE_MAX;
}

static enum err over_allowance(const struct http_parser *p)
{
    if (p->phase == PHASE_CHUNK_LINE) {
        return ERR_BAD_REQUEST;
    }
    bool target_too_long = p->phase == PHASE_TARGET && p->phase_bytes > p->limits.max_uri_bytes;
    return target_too_long ? ERR_URI_TOO_LONG : ERR_HEADERS_TOO_LARGE;
}

static bool is_of_head(enum phase phase)
{
    return phase <= PHASE_HEAD || phase == PHASE_TRAILERS;
}

/* llhttp skips line ends before a request and spaces around its target. */
static bool begins_badly(const struct http_parser *p, struct span bytes)
{
    if (p->phase_bytes > 0 || bytes.length == 0) {
        return false;
    }
    char first = bytes.data[0];
    switch (p->phase) {
    case PHASE_METHOD:
        return first == '\r' || first == '\n';
    case PHASE_TARGET:
    case PHASE_HEAD:
        return first == ' ';
    case PHASE_SPACE:
    case PHASE_BODY:
    case PHASE_CHUNK_LINE:
    case PHASE_CHUNK_DATA:
    case PHASE_TRAILERS:
    case PHASE_DONE:
        break;
    }
    return false;
}

/* How far llhttp came with a slice. */
static size_t taken_of(const struct http_parser *p, struct span slice, llhttp_errno_t result)
{
    if (result == HPE_OK) {
        return slice.length;
    }
    const char *position = llhttp_get_error_pos(&p->llhttp);
    bool within = position >= slice.data && position <= slice.data + slice.length;
    return within ? (size_t)(position - slice.data) : 0;
}

/* Parse up to the next place where a decision falls. */
static enum err advance(struct http_parser *p, struct span bytes, size_t *ret_taken)
{
    *ret_taken = 0;
    size_t allowed = allowance(p);
    if (bytes.length > 0 && allowed == 0) {
        return over_allowance(p);
    }
    if (begins_badly(p, bytes)) {
        return ERR_BAD_REQUEST;
    }
    struct span slice = span_slice(bytes, 0, allowed);
    enum phase before = p->phase;
    llhttp_errno_t result = llhttp_execute(&p->llhttp, slice.data, slice.length);
    *ret_taken = taken_of(p, slice, result);
    p->head_bytes += is_of_head(before) ? *ret_taken : 0;
    p->phase_bytes += p->phase == before ? *ret_taken : 0;
    if (result == HPE_PAUSED) {
        llhttp_resume(&p->llhttp);
    } else if (result != HPE_OK) {
        return p->why != ERR_OK ? p->why : ERR_BAD_REQUEST;
    } else if (p->phase == PHASE_SPACE && p->phase_bytes > 0) {
        enter(p, PHASE_TARGET);
    }
    return ERR_OK;
}

static bool waits_for_continue(const struct http_parser *p)
{
    bool body_follows = p->phase == PHASE_CHUNK_LINE || p->llhttp.content_length > 0;
    return p->x->request.expects_continue && body_follows;
}

/* The request so far, so that the refusal can be answered as its head asks. */
static enum err fail(struct http_parser *p, enum err why)
{
    p->why = why;
    struct span target = SPAN_NONE;
    bool published = p->x->request.headers != NULL;
    if (!published && publish_head(p, &target) == ERR_OK && p->phase == PHASE_HEAD) {
        (void)http_target_split(&p->x->request, target);
    }
    return why;
}

static enum http_progress progress_of(const struct http_parser *p, bool was_head)
{
    if (p->phase == PHASE_DONE) {
        return HTTP_REQUEST_DONE;
    }
    bool head_done = was_head && http_parser_has_head(p);
    return head_done && waits_for_continue(p) ? HTTP_HEAD_DONE : HTTP_MORE;
}

enum err http_parser_feed(struct http_parser *p, struct span bytes, size_t *ret_used,
                          enum http_progress *ret_progress)
{
    INVARIANT(p->x != NULL && p->phase != PHASE_DONE);
    *ret_used = 0;
    *ret_progress = HTTP_MORE;
    if (p->why != ERR_OK) {
        return p->why;
    }
    if (bytes.data == NULL) {
        bytes = SPAN("");
    }
    bool phase_changed = false;
    do {
        enum phase before = p->phase;
        bool was_head = !http_parser_has_head(p);
        size_t taken = 0;
        enum err e = advance(p, span_from(bytes, *ret_used), &taken);
        *ret_used += taken;
        if (e != ERR_OK) {
            return fail(p, e);
        }
        *ret_progress = progress_of(p, was_head);
        /* What ends without a further byte (a request without body) must be seen at once. */
        phase_changed = p->phase != before;
    } while (*ret_progress == HTTP_MORE && (phase_changed || *ret_used < bytes.length));
    return ERR_OK;
}

bool http_parser_has_begun(const struct http_parser *p)
{
    return p->head_bytes > 0;
}

bool http_parser_has_head(const struct http_parser *p)
{
    return p->phase > PHASE_HEAD;
}

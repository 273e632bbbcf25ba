/* parser.c - llhttp in its strict mode, fed in slices that end where a limit ends.
 *
 *   METHOD -> SPACE -> TARGET -> HEAD -+-> BODY (may be empty) -------> DONE
 *                                      +-> CHUNK_LINE -+-> TRAILERS ---^
 *                                             ^        v
 *                                             +-- CHUNK_DATA
 *
 * Decisions fall only at places that do not depend on how the bytes were cut into reads: at the
 * end of an element, or where a phase's allowance of bytes is used up. So every cutting of the
 * same bytes has the same outcome. */
#include "parser_state.h"

#include <stdlib.h>

#define MAX_CHUNK_LINE_BYTES (16 + 2 + MAX_EXTENSION_BYTES) /* a 64-bit size, CR, LF */

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
    llhttp_init(&p->llhttp, HTTP_REQUEST, &http_parser_callbacks);
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
    http_parser_enter(p, PHASE_METHOD);
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
        http_parser_enter(p, PHASE_TARGET);
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
    if (!published && http_parser_publish(p, &target) == ERR_OK && p->phase == PHASE_HEAD) {
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

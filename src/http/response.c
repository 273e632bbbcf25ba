/* response.c - a response as bytes (RFC 9112, 4 and 6). */
#include "http.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const struct span http_continue = { .data = "HTTP/1.1 100 Continue\r\n\r\n", .length = 25 };

struct reason {
    int status;
    const char *text;
};

static const struct reason reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 204, "No Content" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Content" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 503, "Service Unavailable" },
};

/* Empty for others: the phrase is optional, the space before it is not. */
const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }
    return "";
}

/* The least byte, because compilers find that one sixteen bytes at a time. */
static bool is_one_line(struct span value)
{
    unsigned char least = ' ';
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        least = c < least ? c : least;
    }
    return least == ' ';
}

void http_response_header(struct http_response *r, const char *name, struct span value)
{
    /* A line end in a value would let its author write headers of his own. */
    INVARIANT(is_one_line(value));
    INVARIANT(r->header_count < HTTP_MAX_RESPONSE_HEADERS);
    r->headers[r->header_count++] = (struct http_header){ .name = span_of(name), .value = value };
}

/* IMF-fixdate (RFC 9110, 5.6.7), made once a second and thread. */
static struct span date_now(void)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    static _Thread_local time_t made_for = -1;
    static _Thread_local char text[64];

    time_t now = time(NULL);
    struct tm t;
    if (now != made_for && gmtime_r(&now, &t) != NULL) {
        (void)snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday],
                       t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min,
                       t.tm_sec);
        made_for = now;
    }
    return span_of(text);
}

static char *put(char *at, struct span bytes)
{
    if (bytes.length > 0) {
        memcpy(at, bytes.data, bytes.length);
    }
    return at + bytes.length;
}

static void add_header(struct buf *out, struct span name, struct span value)
{
    size_t length = name.length + value.length + 4;
    char *at = buf_room(out, length);
    if (at != NULL) {
        at = put(at, name);
        at = put(at, SPAN(": "));
        at = put(at, value);
        (void)put(at, SPAN("\r\n"));
        buf_used(out, length);
    }
}

static void add_status_line(struct buf *out, int status)
{
    buf_add(out, SPAN("HTTP/1.1 "));
    buf_add_u64(out, (uint64_t)status);
    buf_add_char(out, ' ');
    buf_add_text(out, http_reason(status));
    buf_add(out, SPAN("\r\n"));
}

/* HTTP/1.1 goes on unless told otherwise, HTTP/1.0 closes unless told otherwise. */
static void add_connection(struct buf *out, const struct http_request *request, bool close)
{
    if (close) {
        add_header(out, SPAN("Connection"), SPAN("close"));
    } else if (request->version_minor == 0) {
        add_header(out, SPAN("Connection"), SPAN("keep-alive"));
    }
}

static bool has_no_content(int status)
{
    return status == 204 || status == 304;
}

static void add_content_length(struct buf *out, const struct http_response *response)
{
    if (!has_no_content(response->status)) {
        buf_add(out, SPAN("Content-Length: "));
        buf_add_u64(out, response->body.length);
        buf_add(out, SPAN("\r\n"));
    }
}

struct span http_response_write(const struct http_response *response,
                                const struct http_request *request, bool close, struct buf *out)
{
    INVARIANT(response->status >= 200 && response->status <= 599);
    INVARIANT(is_one_line(response->content_type));
    add_status_line(out, response->status);
    add_header(out, SPAN("Date"), date_now());
    if (response->content_type.length > 0) {
        add_header(out, SPAN("Content-Type"), response->content_type);
    }
    for (size_t i = 0; i < response->header_count; i++) {
        add_header(out, response->headers[i].name, response->headers[i].value);
    }
    add_content_length(out, response);
    add_connection(out, request, close);
    buf_add(out, SPAN("\r\n"));
    if (has_no_content(response->status) || request->method == HTTP_METHOD_HEAD) {
        return SPAN_NONE;
    }
    struct span body = response->body;
    struct span rest = SPAN_NONE;
    if (response->is_static && body.length > HTTP_PIECE_BYTES) {
        rest = span_from(body, HTTP_PIECE_BYTES);
        body.length = HTTP_PIECE_BYTES;
    }
    buf_add(out, body);
    return rest;
}

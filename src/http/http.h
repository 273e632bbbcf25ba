/* http.h - bytes to requests, responses to bytes (RFC 9110, 9112). No sockets, no JSON.
 *
 * Threads:   a parser and its exchange belong to one loop; while a worker holds the exchange, the
 * loop touches nothing of it. Pure functions otherwise.
 * Ownership: a request's spans point into its exchange's arena; a response's spans point into that
 * arena or to static storage, and must live until finish().
 * Failure:   a request that is refused has its head as far as it was read.
 * Units:     bytes. */
#ifndef DOORWARD_HTTP_H
#define DOORWARD_HTTP_H

#include "base.h"

struct http_limits {
    size_t max_header_bytes; /* request line and header section together */
    size_t max_headers;
    size_t max_body_bytes; /* after removing chunked coding */
    size_t max_uri_bytes;
};

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_OTHER, /* one that HTTP knows and no route of ours names */
};

struct http_header {
    struct span name, value; /* the value without white space around it */
};

struct http_request {
    enum http_method method;
    struct span method_name;
    struct span path, query; /* of the target; of an absolute-form target likewise */
    int version_minor;       /* of HTTP/1.x */
    bool keep_alive;         /* what the client asked for */
    bool expects_continue;
    struct http_header *headers;
    size_t header_count;
    bool has_body; /* Content-Length (0 included) or chunked was there */
    struct span body;
};
/* The value of the only header of that name; data NULL when there is none, or more than one:
 * *ret_count (may be NULL) tells. */
struct span http_header_get(const struct http_request *r, const char *name, size_t *ret_count);
/* Walk the members of a list, whatever lines they stand in (RFC 9110, 5.3), without the white space
 * around them; some may be empty. Commas within quotes divide too. *walk begins as zeros. */
struct http_list {
    size_t line;
    struct span rest;
};
bool http_list_next(const struct http_request *r, const char *name, struct http_list *walk,
                    struct span *ret_member);
/* The value of a cookie of that name, data NULL when there is none (RFC 6265, 4.2). */
struct span http_cookie_get(const struct http_request *r, const char *name);
/* Walk the query's name=value pairs, percent-decoded into `a`. ERR_NOT_FOUND at the end; ERR_NOMEM,
 * which is no end: what was not seen may be what decides. */
MUST_CHECK enum err http_query_next(struct span *rest, struct arena *a, struct span *ret_name,
                                    struct span *ret_value);

#define HTTP_MAX_RESPONSE_HEADERS 24
struct http_response {
    int status; /* 0: none yet */
    struct span content_type;
    struct span body;
    bool is_static; /* the body outlives the exchange, so that it can be sent piece by piece */
    struct http_header headers[HTTP_MAX_RESPONSE_HEADERS];
    size_t header_count;
    bool close;       /* end the connection after this answer */
    int64_t delay_ms; /* hold the answer back that long (REFUSAL_PAUSE_MS) */
};
/* Values with control characters are our bug. */
void http_response_header(struct http_response *r, const char *name, struct span value);

/* Who is at the other end of a connection; lives as long as it. */
struct http_peer {
    char address[46]; /* text of the socket's address */
    unsigned loop;    /* index of the connection's loop */
    bool tls;
    /* api's: a password request of this client before that time gets the same refusal after a pause
     */
    int64_t refused_until_us;
    char refused_client[46]; /* http_address_key() */
    size_t refused_client_length;
};

/* One request and its answer, from the first byte to the last. */
struct http_exchange {
    struct http_request request;
    struct http_response response;
    struct arena arena;
    struct http_peer *peer;
    int64_t started_us; /* monotonic, when the request was whole */
    /* Give the answer; once, on the connection's loop thread, also after a hang-up. Set by net. */
    void (*finish)(struct http_exchange *x);
    /* Called by net on the loop when the client has gone before finish(); set by api, may be NULL.
     */
    void (*on_hangup)(struct http_exchange *x);
    void *api; /* api's own state, in the arena */
};

/* What net calls with it; both end in finish(), at once or later. */
struct http_handler {
    void (*on_request)(void *context, struct http_exchange *x);
    /* Not acceptable, for this reason; the connection will close after the answer. */
    void (*on_refused)(void *context, struct http_exchange *x, enum err why);
    void *context;
};

/* ---- parser: one a connection, only while a request is coming in ---- */
struct http_parser;
enum http_progress { HTTP_MORE, HTTP_HEAD_DONE, HTTP_REQUEST_DONE };
MUST_CHECK enum err http_parser_new(const struct http_limits *limits,
                                    struct http_parser **ret_parser);
void http_parser_free(struct http_parser *p);
AUTO_DEFINE(http_parser, struct http_parser, http_parser_free);
/* Begin the next request, into `x` (its arena is initialised and empty). */
void http_parser_begin(struct http_parser *p, struct http_exchange *x);
/* Parse. Stops behind the head of a request that expects 100-continue (HTTP_HEAD_DONE, call again
 * to go on) and behind a whole request; *ret_used bytes were taken. On error the connection is
 * beyond repair: ERR_BAD_REQUEST, ERR_URI_TOO_LONG, ERR_HEADERS_TOO_LARGE, ERR_BODY_TOO_LARGE,
 * ERR_EXPECTATION, ERR_NOMEM. */
MUST_CHECK enum err http_parser_feed(struct http_parser *p, struct span bytes, size_t *ret_used,
                                     enum http_progress *ret_progress);
/* Has the first byte, the whole head of the present request come? For the choice of time limits. */
bool http_parser_has_begun(const struct http_parser *p);
bool http_parser_has_head(const struct http_parser *p);

/* ---- serialiser ---- */
/* The phrase of one of the statuses that we answer (RFC 9110, 15), else empty. */
const char *http_reason(int status);
/* The whole response with Date, Content-Length and Connection; no body for HEAD, 204 and 304.
 * `close` as decided by the connection. Of a static body at most HTTP_PIECE_BYTES are written; the
 * rest, mostly empty, is given back for the caller to send. */
#define HTTP_PIECE_BYTES 65536
struct span http_response_write(const struct http_response *response,
                                const struct http_request *request, bool close, struct buf *out);
extern const struct span http_continue; /* HTTP/1.1 100 Continue */

/* ---- who is asking, behind proxies ---- */
struct http_networks; /* CIDRs */
/* "10.0.0.0/8, ::1/128"; ERR_CONFIG with the bad piece in *ret_bad. */
MUST_CHECK enum err http_networks_parse(struct span text, struct http_networks **ret_networks,
                                        struct span *ret_bad);
void http_networks_free(struct http_networks *n);
/* The client's address: the peer's, or, when that is a trusted proxy, the last untrusted one of
 * X-Forwarded-For (or Forwarded, RFC 7239, when only that is there). Text in `a`, or the peer's.
 * NULL networks: none trusted. */
struct span http_client_address(const struct http_request *r, const struct http_peer *peer,
                                const struct http_networks *trusted, struct arena *a);
/* The key of fairness: the IPv4 address, or an IPv6 address cut to /64; raw bytes in `a`. */
struct span http_address_key(struct span address, struct arena *a);

#endif

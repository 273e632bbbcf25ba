/* forwarded.c - who is asking, as told by proxies that are believed. */
#include "http_internal.h"

#define MAX_HOPS 32 /* the nearest ones; nobody is farther away in good faith */

/* The last MAX_HOPS addresses that proxies wrote, the nearest last; a ring. */
struct hops {
    struct span list[MAX_HOPS];
    size_t count;
};

static void add_hop(struct hops *h, struct span text)
{
    h->list[h->count++ % MAX_HOPS] = text;
}

/* An address with or without port: 1.2.3.4, 1.2.3.4:5, ::1, [::1], [::1]:5. */
static bool parse_node(struct span text, struct http_address *ret_address)
{
    if (span_starts(text, SPAN("["))) {
        size_t end = span_find(text, ']');
        struct span rest = span_from(text, end + 1);
        bool fine = end < text.length && (rest.length == 0 || rest.data[0] == ':');
        return fine && http_address_parse(span_slice(text, 1, end - 1), ret_address);
    }
    size_t colon = span_find(text, ':');
    bool has_port = colon < text.length && span_find(text, '.') < colon;
    return http_address_parse(has_port ? span_slice(text, 0, colon) : text, ret_address);
}

/* ---- X-Forwarded-For ---- */

static void add_plain(struct hops *h, struct span value)
{
    struct span piece = SPAN_NONE;
    while (span_split(&value, ',', &piece)) {
        add_hop(h, span_trim(piece));
    }
}

/* ---- Forwarded (RFC 7239) ---- */

/* Cut the piece before `separator` off; one within quotes does not separate. */
static bool split_quoted(struct span *rest, char separator, struct span *ret_piece)
{
    if (rest->data == NULL) {
        return false;
    }
    bool quoted = false;
    size_t end = 0;
    while (end < rest->length && (quoted || rest->data[end] != separator)) {
        quoted = quoted != (rest->data[end] == '"');
        end++;
    }
    *ret_piece = span_slice(*rest, 0, end);
    *rest = end == rest->length ? SPAN_NONE : span_from(*rest, end + 1);
    return true;
}

static struct span unquote(struct span value)
{
    bool quoted = value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"';
    return quoted ? span_slice(value, 1, value.length - 2) : value;
}

/* The address in "for=…;by=…"; empty, so no address, when there is none or more than one. */
static struct span for_of(struct span element)
{
    struct span found = SPAN_NONE;
    size_t count = 0;
    struct span pair = SPAN_NONE;
    while (split_quoted(&element, ';', &pair)) {
        size_t equals = span_find(pair, '=');
        if (span_equal_nocase(span_trim(span_slice(pair, 0, equals)), SPAN("for"))) {
            found = unquote(span_trim(span_from(pair, equals + 1)));
            count++;
        }
    }
    return count == 1 ? found : SPAN_NONE;
}

static bool has_open_quote(struct span value)
{
    bool quoted = false;
    for (size_t i = 0; i < value.length; i++) {
        quoted = quoted != (value.data[i] == '"');
    }
    return quoted;
}

/* A quote that a client has left open would swallow what the proxy writes behind it, and the
 * client's own words would be the last ones. */
static void add_elements(struct hops *h, struct span value)
{
    struct span element = SPAN_NONE;
    if (has_open_quote(value)) {
        add_hop(h, SPAN_NONE);
        return;
    }
    while (split_quoted(&value, ',', &element)) {
        add_hop(h, for_of(element));
    }
}

/* ---- both ---- */

static void collect(const struct http_request *r, struct span name, struct hops *h,
                    void (*add)(struct hops *h, struct span value))
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (span_equal_nocase(r->headers[i].name, name)) {
            add(h, r->headers[i].value);
        }
    }
}

/* From the nearest hop outwards: each proxy vouches only for the address before its own. */
static void walk(const struct hops *h, const struct http_networks *trusted,
                 struct http_address *address)
{
    size_t known = h->count < MAX_HOPS ? h->count : MAX_HOPS;
    for (size_t i = 1; i <= known && http_networks_contain(trusted, address); i++) {
        if (!parse_node(h->list[(h->count - i) % MAX_HOPS], address)) {
            return;
        }
    }
}

struct span http_client_address(const struct http_request *r, const struct http_peer *peer,
                                const struct http_networks *trusted, struct arena *a)
{
    struct span told = span_of(peer->address);
    struct http_address address;
    bool is_ipv4 = span_find(told, ':') == told.length;
    if (is_ipv4 && trusted == NULL) {
        return told; /* the usual case; an IPv6 address may be a mapped one */
    }
    if (!http_address_parse(told, &address)) {
        return told;
    }
    struct hops hops = { 0 };
    collect(r, SPAN("x-forwarded-for"), &hops, add_plain);
    if (hops.count == 0) {
        collect(r, SPAN("forwarded"), &hops, add_elements);
    }
    /* A peer that is not trusted is not listened to: walk() goes no step. */
    walk(&hops, trusted, &address);
    struct span text = http_address_text(&address, a);
    return text.data == NULL ? told : text;
}

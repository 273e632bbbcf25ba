/* head.c - a request's head: look things up in it, and refuse what llhttp lets pass. */
#include "http_internal.h"

#include <string.h>

/* ---- look-ups ---- */

/* The next header of that name at or after *position. */
static const struct http_header *next_header(const struct http_request *r, struct span name,
                                             size_t *position)
{
    while (*position < r->header_count) {
        const struct http_header *h = &r->headers[(*position)++];
        if (span_equal_nocase(h->name, name)) {
            return h;
        }
    }
    return NULL;
}

struct span http_header_get(const struct http_request *r, const char *name, size_t *ret_count)
{
    struct span wanted = span_of(name);
    struct span value = SPAN_NONE;
    size_t count = 0;
    size_t position = 0;
    const struct http_header *h;
    while ((h = next_header(r, wanted, &position)) != NULL) {
        value = count == 0 ? h->value : SPAN_NONE;
        count++;
    }
    if (ret_count != NULL) {
        *ret_count = count;
    }
    return value;
}

static struct span cookie_in(struct span cookies, struct span name)
{
    struct span pair = SPAN_NONE;
    while (span_split(&cookies, ';', &pair)) {
        pair = span_trim(pair);
        size_t equals = span_find(pair, '=');
        if (equals < pair.length && span_equal(span_slice(pair, 0, equals), name)) {
            return span_from(pair, equals + 1);
        }
    }
    return SPAN_NONE;
}

struct span http_cookie_get(const struct http_request *r, const char *name)
{
    size_t position = 0;
    const struct http_header *h;
    while ((h = next_header(r, SPAN("cookie"), &position)) != NULL) {
        struct span value = cookie_in(h->value, span_of(name));
        if (value.data != NULL) {
            return value;
        }
    }
    return SPAN_NONE;
}

bool http_list_next(const struct http_request *r, const char *name, struct http_list *walk,
                    struct span *ret_member)
{
    while (!span_split(&walk->rest, ',', ret_member)) {
        const struct http_header *h = next_header(r, span_of(name), &walk->line);
        if (h == NULL) {
            return false;
        }
        walk->rest = h->value;
    }
    *ret_member = span_trim(*ret_member);
    return true;
}

static bool any_header_lists(const struct http_request *r, const char *name, struct span token)
{
    struct http_list walk = { 0 };
    struct span member = SPAN_NONE;
    while (http_list_next(r, name, &walk, &member)) {
        if (span_equal_nocase(member, token)) {
            return true;
        }
    }
    return false;
}

static bool any_header(const struct http_request *r, struct span name)
{
    size_t position = 0;
    return next_header(r, name, &position) != NULL;
}

/* ---- bytes ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Of a reg-name (RFC 3986, 3.2.2), but no comma: it is what a proxy joins two Hosts with. */
static bool is_host_byte(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("-._~%!$&'()*+;=", c) != NULL);
}

static bool is_ipv6_byte(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

static bool all_bytes(struct span s, bool (*is_fine)(char c))
{
    for (size_t i = 0; i < s.length; i++) {
        if (!is_fine(s.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_port(struct span text)
{
    uint64_t port = 0;
    return text.length == 0 || span_to_u64(text, UINT16_MAX, &port);
}

/* host[:port] (RFC 9110, 7.2); an empty host names nobody. */
static bool is_authority(struct span s)
{
    size_t host_end = span_find(s, ':');
    bool (*is_fine)(char) = is_host_byte;
    struct span host = span_slice(s, 0, host_end);
    if (span_starts(s, SPAN("["))) {
        host_end = span_find(s, ']');
        host = span_slice(s, 1, host_end - 1);
        is_fine = is_ipv6_byte;
        if (host_end == s.length) {
            return false;
        }
        host_end++;
    }
    struct span rest = span_from(s, host_end);
    bool port_fine = rest.length == 0 || (rest.data[0] == ':' && is_port(span_from(rest, 1)));
    return host.length > 0 && all_bytes(host, is_fine) && port_fine;
}

/* ---- the target ---- */

/* Printable ASCII; a fragment is the client's own and never sent (RFC 9112, 3.2). */
static bool is_target_byte(char c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

/* http://authority/path: what follows the authority; false when it is another form. */
static bool cut_absolute(struct span target, struct span *ret_rest)
{
    size_t colon = span_find(target, ':');
    struct span scheme = span_slice(target, 0, colon);
    struct span rest = span_from(target, colon);
    if ((!span_equal_nocase(scheme, SPAN("http")) && !span_equal_nocase(scheme, SPAN("https"))) ||
        !span_starts(rest, SPAN("://"))) {
        return false;
    }
    rest = span_from(rest, 3);
    size_t slash = span_find(rest, '/');
    size_t question = span_find(rest, '?');
    size_t end = slash < question ? slash : question;
    *ret_rest = span_from(rest, end);
    return is_authority(span_slice(rest, 0, end));
}

bool http_target_split(struct http_request *r, struct span target)
{
    bool asterisk = span_equal(target, SPAN("*")) && r->method == HTTP_METHOD_OPTIONS;
    struct span rest = target;
    if (!asterisk && !span_starts(target, SPAN("/")) && !cut_absolute(target, &rest)) {
        return false;
    }
    size_t question = span_find(rest, '?');
    r->path = question == 0 ? SPAN("/") : span_slice(rest, 0, question);
    r->query = question < rest.length ? span_from(rest, question + 1) : SPAN_NONE;
    return all_bytes(target, is_target_byte);
}

/* ---- the checks ---- */

/* RFC 9112, 3.2: one Host, and a sane one; HTTP/1.0 may go without. */
static bool host_is_fine(const struct http_request *r)
{
    size_t count = 0;
    struct span host = http_header_get(r, "host", &count);
    if (count == 0) {
        return r->version_minor == 0;
    }
    return count == 1 && is_authority(host);
}

/* RFC 9112, 6.1 to 6.3, without the freedom to guess: one length, or exactly "chunked". */
static bool framing_is_fine(const struct http_request *r, uint64_t *ret_length)
{
    size_t lengths = 0;
    size_t codings = 0;
    struct span length = http_header_get(r, "content-length", &lengths);
    struct span coding = http_header_get(r, "transfer-encoding", &codings);
    if (lengths > 1 || codings > 1 || (lengths == 1 && codings == 1)) {
        return false;
    }
    if (codings == 1) {
        return r->version_minor == 1 && span_equal_nocase(coding, SPAN("chunked"));
    }
    return lengths == 0 || span_to_u64(length, UINT64_MAX, ret_length);
}

static bool credentials_are_fine(const struct http_request *r)
{
    size_t count = 0;
    (void)http_header_get(r, "authorization", &count);
    return count <= 1;
}

/* RFC 9112, 9.3 */
static bool wants_keep_alive(const struct http_request *r)
{
    if (any_header_lists(r, "connection", SPAN("close"))) {
        return false;
    }
    return r->version_minor == 1 || any_header_lists(r, "connection", SPAN("keep-alive"));
}

/* RFC 9110, 10.1.1: HTTP/1.0 clients cannot wait for a 100, so there it is ignored. */
static enum err check_expectation(struct http_request *r)
{
    size_t count = 0;
    struct span expect = http_header_get(r, "expect", &count);
    if (count == 0) {
        return ERR_OK;
    }
    if (!span_equal_nocase(expect, SPAN("100-continue"))) {
        return ERR_EXPECTATION;
    }
    r->expects_continue = r->version_minor == 1;
    return ERR_OK;
}

enum err http_head_check(struct http_request *r, struct span target, size_t max_body_bytes)
{
    uint64_t length = 0;
    bool target_fine = http_target_split(r, target);
    r->keep_alive = wants_keep_alive(r);
    r->has_body = any_header(r, SPAN("content-length")) || any_header(r, SPAN("transfer-encoding"));
    if (!target_fine || !host_is_fine(r) || !framing_is_fine(r, &length) ||
        !credentials_are_fine(r)) {
        return ERR_BAD_REQUEST;
    }
    if (length > max_body_bytes) {
        return ERR_BODY_TOO_LARGE;
    }
    return check_expectation(r);
}

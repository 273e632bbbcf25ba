/* http_internal.h - what the parts of http share. Private to the folder.
 *
 * Threads:   pure functions over the caller's data. */
#ifndef DOORWARD_HTTP_INTERNAL_H
#define DOORWARD_HTTP_INTERNAL_H

#include "http.h"

/* The own checks of a complete head, after llhttp's: what it lets pass and we refuse. Sets path,
 * query, keep_alive, expects_continue and has_body. ERR_BAD_REQUEST, ERR_BODY_TOO_LARGE,
 * ERR_EXPECTATION. */
MUST_CHECK enum err http_head_check(struct http_request *r, struct span target,
                                    size_t max_body_bytes);
/* path and query of the target as far as it was read; false for a form or byte that we refuse. */
bool http_target_split(struct http_request *r, struct span target);

/* An IPv4 or IPv6 address; an IPv4-mapped one is told as IPv4. */
struct http_address {
    uint8_t bytes[16];
    size_t length; /* 4 or 16 */
};
bool http_address_parse(struct span text, struct http_address *ret_address);
struct span http_address_text(const struct http_address *address, struct arena *a);
bool http_networks_contain(const struct http_networks *n, const struct http_address *address);

#endif

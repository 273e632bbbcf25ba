/* json_in.h - request bodies: strict JSON, an object of known members. Private to api.
 *
 * Stricter than RFC 8259 asks: no doubled members, no unknown ones, at most API_JSON_MAX_DEPTH
 * levels, no NUL in a text. null counts as absent; no body at all counts as {}.
 *
 * Threads:   loop threads. jansson's memory is wiped when it is freed: token_open() sees to it,
 * which whoever serves has called before.
 * Ownership: texts are copied into the request's arena.
 * Failure:   ERR_INVALID_JSON; ERR_INVALID_INPUT with what is wrong in r->errors; ERR_NOMEM. Every
 * error is looked for, so that a client hears of all at once. */
#ifndef DOORWARD_API_JSON_IN_H
#define DOORWARD_API_JSON_IN_H

#include "request.h"

#define API_JSON_MAX_DEPTH 8
/* A longer password belongs to nobody (DESIGN 3). */
#define API_PASSWORD_MAX_BYTES 1024

struct api_member {
    const char *name;
    struct span *ret_text; /* data NULL when absent */
    bool *ret_flag;        /* set for a boolean member; then ret_text is NULL */
    bool required;
    size_t max_bytes; /* of a text; 0: the body's ceiling is enough */
};

MUST_CHECK enum err api_json_parse(struct api_request *r, const struct api_member *members,
                                   size_t count);

#endif

/* parser_state.h - what feeding the parser and llhttp's callbacks share. Private to the folder.
 *
 * Threads:   those of the parser. */
#ifndef DOORWARD_PARSER_STATE_H
#define DOORWARD_PARSER_STATE_H

#include "http_internal.h"

#include <llhttp.h>

#define MAX_EXTENSION_BYTES 256 /* chunk extensions of one request; nobody uses them */

/* In this order; the diagram is in parser.c. */
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

void http_parser_enter(struct http_parser *p, enum phase next);
/* Give the exchange what was read of the head: one copy of its text, and spans into it. */
MUST_CHECK enum err http_parser_publish(struct http_parser *p, struct span *ret_target);

/* ---- callbacks.c ---- */
extern const llhttp_settings_t http_parser_callbacks;

#endif

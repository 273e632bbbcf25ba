/* parser_state.c - the phase of a request, and its head handed to the exchange. */
#include "parser_state.h"

void http_parser_enter(struct http_parser *p, enum phase next)
{
    p->phase = next;
    p->phase_bytes = 0;
}

enum err http_parser_publish(struct http_parser *p, struct span *ret_target)
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

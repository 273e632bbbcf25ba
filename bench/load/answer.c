#include "answer.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME  16 /* longer than the names that are looked at */
#define MAX_VALUE 16

struct answer_parser {
    llhttp_t llhttp;
    bool is_expected; /* a request is out */
    bool is_done;
    bool keep_alive;
    bool has_retry_after;
    uint64_t retry_after_s;
    char name[MAX_NAME]; /* of the header that comes in, cut */
    size_t name_length;
    char value[MAX_VALUE];
    size_t value_length;
    struct buf body;
};

static int on_begin(llhttp_t *llhttp)
{
    struct answer_parser *p = llhttp->data;
    return p->is_expected && !p->is_done ? 0 : -1;
}

static void keep(char *to, size_t capacity, size_t *length, const char *bytes, size_t count)
{
    size_t room = capacity - *length;
    size_t take = count < room ? count : room;
    memcpy(to + *length, bytes, take);
    *length += take;
}

static int on_name(llhttp_t *llhttp, const char *bytes, size_t length)
{
    struct answer_parser *p = llhttp->data;
    keep(p->name, MAX_NAME, &p->name_length, bytes, length);
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *bytes, size_t length)
{
    struct answer_parser *p = llhttp->data;
    keep(p->value, MAX_VALUE, &p->value_length, bytes, length);
    return 0;
}

static int on_header(llhttp_t *llhttp)
{
    struct answer_parser *p = llhttp->data;
    struct span name = { .data = p->name, .length = p->name_length };
    struct span value = { .data = p->value, .length = p->value_length };
    if (span_equal_nocase(name, SPAN("retry-after"))) {
        p->has_retry_after = true;
        (void)span_to_u64(span_trim(value), 3600, &p->retry_after_s); /* a date: 0 */
    }
    p->name_length = 0;
    p->value_length = 0;
    return 0;
}

static int on_body(llhttp_t *llhttp, const char *bytes, size_t length)
{
    struct answer_parser *p = llhttp->data;
    buf_add(&p->body, (struct span){ .data = bytes, .length = length });
    return 0;
}

static int on_complete(llhttp_t *llhttp)
{
    struct answer_parser *p = llhttp->data;
    if (llhttp->status_code >= 200) { /* the others announce one that follows */
        p->is_done = true;
        p->keep_alive = llhttp_should_keep_alive(llhttp) == 1;
    }
    return 0;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_header,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

enum err answer_parser_new(struct answer_parser **ret_parser)
{
    struct answer_parser *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return ERR_NOMEM;
    }
    buf_init(&p->body, ANSWER_MAX_BODY);
    llhttp_init(&p->llhttp, HTTP_RESPONSE, &settings);
    p->llhttp.data = p;
    *ret_parser = p;
    return ERR_OK;
}

void answer_parser_free(struct answer_parser *p)
{
    if (p != NULL) {
        buf_done(&p->body);
        free(p);
    }
}

void answer_begin(struct answer_parser *p)
{
    llhttp_reset(&p->llhttp);
    buf_reset(&p->body);
    p->is_expected = true;
    p->is_done = false;
    p->has_retry_after = false;
    p->retry_after_s = 0;
    p->name_length = 0;
    p->value_length = 0;
}

static enum answer_progress progress(struct answer_parser *p, llhttp_errno_t result)
{
    if (result != HPE_OK) {
        return ANSWER_BAD;
    }
    p->is_expected = p->is_expected && !p->is_done;
    return p->is_done ? ANSWER_DONE : ANSWER_MORE;
}

enum answer_progress answer_feed(struct answer_parser *p, struct span bytes)
{
    return progress(p, llhttp_execute(&p->llhttp, bytes.data, bytes.length));
}

enum answer_progress answer_finish(struct answer_parser *p)
{
    return progress(p, llhttp_finish(&p->llhttp));
}

struct answer answer_get(const struct answer_parser *p)
{
    return (struct answer){
        .status = p->llhttp.status_code,
        .has_retry_after = p->has_retry_after,
        .retry_after_s = p->retry_after_s,
        .keep_alive = p->keep_alive,
        .body = p->body.failed ? SPAN_NONE : buf_span(&p->body),
    };
}

const char *answer_why(const struct answer_parser *p)
{
    const char *reason = llhttp_get_error_reason(&p->llhttp);
    if (!p->is_expected || p->is_done) {
        return "bytes that no request asked for";
    }
    return reason != NULL && *reason != '\0' ? reason : "it makes no sense";
}

/* object.h - one JSON object (RFC 8259) of a token, read where it lies. Private to token.
 *
 * A library's tree of values costs some ten microseconds a token, a quarter of an RSA signature
 * check, most of it in small allocations. This reader takes no memory: members are spans of the
 * text that it was given, in which it replaces escapes by what they stand for. It is as strict as
 * jansson with JSON_REJECT_DUPLICATES, which the fuzz target holds it against, and has limits.
 *
 * Threads:   pure functions.
 * Ownership: what it gives points into the caller's text, which it may have changed.
 * Failure:   false for what is not exactly one object: doubled members at any depth, bytes behind
 * it, NUL in any spelling, lone surrogates, what is no UTF-8, too deep, too many members. */
#ifndef DOORWARD_TOKEN_OBJECT_H
#define DOORWARD_TOKEN_OBJECT_H

#include "base.h"

#define OBJECT_MEMBERS_MAX 32
#define OBJECT_DEPTH_MAX   8 /* objects and lists within each other, the outermost included */

enum member_kind {
    MEMBER_TEXT,
    MEMBER_NUMBER, /* digits alone, at most INT64_MAX */
    MEMBER_LIST,
    MEMBER_OTHER, /* well-formed, and never of use */
};
/* What is still to be read. */
struct rest {
    char *at, *end;
};
struct member {
    struct span name;
    enum member_kind kind;
    struct span text;
    int64_t number;
    struct rest list;
};
struct object {
    struct member members[OBJECT_MEMBERS_MAX];
    size_t count;
};

MUST_CHECK bool object_read(char *text, size_t length, struct object *ret_object);
/* NULL: not there. */
const struct member *object_get(const struct object *o, const char *name);
/* Data NULL: not there, or no text. */
struct span object_text(const struct object *o, const char *name);

/* The next text of a copy of member.list, once through. False at its end, where at = end, and
 * before what is no text, where it is not. */
bool list_next(struct rest *list, struct span *ret_text);

#endif

/* token_object_model.h - what object.c must say of any bytes, by jansson: it takes nothing that
 * jansson refuses, but for numbers of any size, and refuses nothing that jansson takes but what is
 * over its limits. For the unit test and the fuzz target. */
#ifndef DOORWARD_TEST_TOKEN_OBJECT_MODEL_H
#define DOORWARD_TEST_TOKEN_OBJECT_MODEL_H

#include "object.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Within the limits of every object in it. */
static inline bool model_fits(const json_t *value, unsigned depth)
{
    const char *name;
    json_t *member;
    size_t i;
    if (!json_is_object(value) && !json_is_array(value)) {
        return true;
    }
    if (depth == 0 || (json_is_object(value) && json_object_size(value) > OBJECT_MEMBERS_MAX)) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        if (!model_fits(member, depth - 1)) {
            return false;
        }
    }
    json_array_foreach(value, i, member)
    {
        if (!model_fits(member, depth - 1)) {
            return false;
        }
    }
    return true;
}

static inline bool model_same_list(struct rest list, const json_t *value)
{
    struct span text;
    size_t i = 0;
    while (list_next(&list, &text)) {
        const json_t *item = json_array_get(value, i++);
        if (!json_is_string(item) ||
            !span_equal(text, (struct span){ json_string_value(item), json_string_length(item) })) {
            return false;
        }
    }
    return (list.at == list.end) == (i == json_array_size(value));
}

static inline bool model_same_member(const struct member *m, const json_t *value)
{
    switch (m->kind) {
    case MEMBER_TEXT:
        return json_is_string(value) &&
               span_equal(m->text,
                          (struct span){ json_string_value(value), json_string_length(value) });
    case MEMBER_NUMBER:
        return json_is_integer(value) && json_integer_value(value) == m->number;
    case MEMBER_LIST:
        return json_is_array(value) && model_same_list(m->list, value);
    case MEMBER_OTHER:
        /* A number here is negative or no whole one. */
        return !json_is_string(value) && !json_is_array(value) &&
               (!json_is_integer(value) || json_integer_value(value) <= 0);
    }
    return false;
}

static inline bool model_same(const struct object *o, const json_t *value)
{
    if (json_object_size(value) != o->count) {
        return false;
    }
    for (size_t i = 0; i < o->count; i++) {
        char name[8192];
        struct span n = o->members[i].name;
        memcpy(name, n.data, n.length);
        name[n.length] = '\0';
        if (!model_same_member(&o->members[i], json_object_get(value, name))) {
            return false;
        }
    }
    return true;
}

/* Does object_read() say of this what it must? At most 8000 bytes. */
static inline bool model_agrees(struct span bytes)
{
    json_error_t error = { 0 };
    struct object o;
    char text[8000];
    memcpy(text, bytes.data, bytes.length);
    bool taken = object_read(text, bytes.length, &o);
    json_t *json = json_loadb(bytes.data, bytes.length, JSON_REJECT_DUPLICATES, &error);
    bool agrees = json == NULL
                      ? !taken || json_error_code(&error) == json_error_numeric_overflow
                      : taken == (json_is_object(json) && model_fits(json, OBJECT_DEPTH_MAX));
    if (json != NULL && taken) {
        agrees = agrees && model_same(&o, json);
    }
    json_decref(json);
    return agrees;
}

#endif

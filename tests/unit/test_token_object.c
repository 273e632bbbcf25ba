/* object.c, the reader of a token's JSON, beside jansson: whatever the bytes, both say the same. */
#include "check.h"
#include "token_object_model.h"

#include <stdio.h>

/* The first is a header, the second a payload of ours; the others have what ours never have. */
static const char *const good[] = {
    "{\"alg\":\"ES256\",\"kid\":\"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\",\"typ\":\"at+"
    "jwt\"}",
    "{\"iss\":\"https://door.example\",\"aud\":\"doorward\",\"iat\":1800000000,\"exp\":1800003600,"
    "\"amr\":[\"pwd\"],\"epoch\":0,\"username\":\"J\xc3\xbcrgen\",\"roles\":[\"a\",\"b\"]}",
    "{}",
    " \t\r\n{ \"a\" : 1 , \"b\" : [ ] } \n",
    "{\"\":\"\",\"a\\u0062\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00\"}",
    "{\"a\":[true,false,null,-1,0,-0,1.5,1e3,2E+4,3e-2,\"x\\ty\",{\"b\":{}},[[]]]}",
    "{\"a\":{\"b\":{\"c\":[{\"d\":1},{\"d\":2}]}},\"n\":9223372036854775807}",
    "{\"l\":[ \"\" , \"\\u0061\\\"\" ,\"c\" ],\"x\":[\"a\",1],\"y\":[1,\"a\"]}",
};
#define GOOD_COUNT (sizeof(good) / sizeof(good[0]))

static const char *const bad[] = {
    "",
    " ",
    "[]",
    "1",
    "\"a\"",
    "null",
    "{",
    "}",
    "{}{}",
    "{} x",
    "{},",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,,\"b\":2}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":[1,]}",
    "{\"a\":[,1]}",
    "{\"a\":[1 2]}",
    "{\"a\":[1}",
    "{\"a\":1]",
    "{\"a\":tru}",
    "{\"a\":TRUE}",
    "{\"a\":truex}",
    "{\"a\":NaN}",
    "{\"a\":+1}",
    "{\"a\":01}",
    "{\"a\":-}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":0x1}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"\\u0000\":1}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\\ud800\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"a\":\"\\ud800x\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc0\x80\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "\xef\xbb\xbf{}",
    "{\"a\":1,\"a\":1}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"x\":{\"a\":1,\"a\":1}}",
    "{\"x\":[{\"a\":1,\"\\u0061\":1}]}",
    "{\"a\":1}/**/",
};

static bool reads(struct span bytes)
{
    char text[8000];
    struct object o;
    memcpy(text, bytes.data, bytes.length);
    return object_read(text, bytes.length, &o);
}

static void check_agreement(struct span bytes)
{
    if (!model_agrees(bytes)) {
        fail_msg("jansson says otherwise of: %.*s", SPAN_FMT(bytes));
    }
}

TEST(what_is_one_object_is_read_and_what_is_not_is_refused)
{
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        CHECK(reads(span_of(good[i])));
        check_agreement(span_of(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (reads(span_of(bad[i]))) {
            fail_msg("read: %s", bad[i]);
        }
        check_agreement(span_of(bad[i]));
    }
}

TEST(every_prefix_and_every_nul_is_refused)
{
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        struct span whole = span_trim(span_of(good[i]));
        for (size_t at = 0; at < whole.length; at++) {
            char text[512];
            memcpy(text, whole.data, whole.length);
            text[at] = '\0';
            CHECK(!reads((struct span){ text, whole.length }));
            check_agreement(span_slice(whole, 0, at));
        }
        CHECK(!reads((struct span){ whole.data, whole.length + 1 }));
    }
}

TEST(members_say_what_they_are)
{
    char text[] = "{\"t\":\"a\\nb\",\"n\":9223372036854775807,\"over\":9223372036854775808,"
                  "\"minus\":-1,\"real\":1.0,\"null\":null,\"l\":[\"x\",\"\\u0079\"],"
                  "\"mixed\":[\"x\",1]}";
    static const char *const others[] = { "over", "minus", "real", "null" };
    struct object o;
    struct span item;
    CHECK(object_read(text, sizeof(text) - 1, &o));
    CHECK_SPAN(object_text(&o, "t"), "a\nb");
    CHECK(object_text(&o, "n").data == NULL && object_get(&o, "none") == NULL);
    CHECK(object_get(&o, "n")->kind == MEMBER_NUMBER && object_get(&o, "n")->number == INT64_MAX);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        CHECK(object_get(&o, others[i])->kind == MEMBER_OTHER);
    }
    struct rest list = object_get(&o, "l")->list;
    CHECK(list_next(&list, &item));
    CHECK_SPAN(item, "x");
    CHECK(list_next(&list, &item));
    CHECK_SPAN(item, "y");
    CHECK(!list_next(&list, &item) && list.at == list.end);
    list = object_get(&o, "mixed")->list;
    CHECK(list_next(&list, &item) && !list_next(&list, &item) && list.at != list.end);
}

TEST(members_and_depth_have_their_limits)
{
    for (size_t count = OBJECT_MEMBERS_MAX - 1; count <= OBJECT_MEMBERS_MAX + 1; count++) {
        char text[1024];
        size_t length = 0;
        for (size_t i = 0; i < count; i++) {
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%c\"m%zu\":1",
                                       i == 0 ? '{' : ',', i);
        }
        text[length++] = '}';
        CHECK(reads((struct span){ text, length }) == (count <= OBJECT_MEMBERS_MAX));
        check_agreement((struct span){ text, length });
    }
    for (size_t depth = 1; depth < 100; depth++) {
        char text[1024];
        size_t length = 0;
        for (size_t i = 0; i < depth; i++) {
            memcpy(text + length, i % 2 == 0 ? "{\"a\":" : "[", i % 2 == 0 ? 5 : 1);
            length += i % 2 == 0 ? 5 : 1;
        }
        text[length++] = '1';
        for (size_t i = depth; i > 0; i--) {
            text[length++] = (i - 1) % 2 == 0 ? '}' : ']';
        }
        CHECK(reads((struct span){ text, length }) == (depth <= OBJECT_DEPTH_MAX));
        check_agreement((struct span){ text, length });
    }
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

/* Changes that keep much of the form: a byte that matters in JSON, or a piece put elsewhere. */
TEST(a_hundred_thousand_changed_objects_are_judged_as_jansson_judges_them)
{
    static const char marks[] = "{}[],:\"\\/utfn0123456789-+.eE aAdD8cC\x01\x7f\x80\xc3\xed\xff";
    uint32_t seed = 20261121;
    for (int round = 0; round < 100000; round++) {
        char text[1024];
        struct span from = span_of(good[next_random(&seed) % GOOD_COUNT]);
        size_t length = from.length;
        memcpy(text, from.data, length);
        for (uint32_t changes = 1 + next_random(&seed) % 4; changes > 0 && length > 1; changes--) {
            size_t at = next_random(&seed) % length;
            size_t piece = next_random(&seed) % (length - at);
            switch (next_random(&seed) % 4) {
            case 0:
                text[at] = marks[next_random(&seed) % (sizeof(marks) - 1)];
                break;
            case 1: /* out */
                piece = piece % 8;
                memmove(text + at, text + at + piece, length - at - piece);
                length -= piece;
                break;
            case 2: /* twice */
                if (length + piece < sizeof(text)) {
                    memmove(text + at + piece, text + at, length - at);
                    length += piece;
                }
                break;
            default:
                memmove(text + next_random(&seed) % (length - piece), text + at, piece);
                break;
            }
        }
        check_agreement((struct span){ text, length });
    }
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(what_is_one_object_is_read_and_what_is_not_is_refused),
        cmocka_unit_test(every_prefix_and_every_nul_is_refused),
        cmocka_unit_test(members_say_what_they_are),
        cmocka_unit_test(members_and_depth_have_their_limits),
        cmocka_unit_test(a_hundred_thousand_changed_objects_are_judged_as_jansson_judges_them));
}

/* The parts of api that are functions of their input: JSON in and out, origins, bearer, routes,
 * problems. */
#include "bearer.h"
#include "check.h"
#include "cors.h"
#include "json_in.h"
#include "problem.h"

struct parts {
    struct api api;
    struct http_exchange x;
    struct http_header headers[4];
    struct api_request r;
};

static void parts_start(struct parts *p)
{
    *p = (struct parts){ 0 };
    arena_init(&p->x.arena, (size_t)256 * 1024);
    p->x.request.headers = p->headers;
    p->r.api = &p->api;
    p->r.x = &p->x;
    p->r.call.arena = &p->x.arena;
    p->api.own_origin = SPAN("https://own.example");
    p->api.options.cors_origins = SPAN("https://a.example, https://b.example");
}
static void parts_auto(struct parts *p)
{
    arena_done(&p->x.arena);
}
#define PARTS(name)                                                                                \
    __attribute__((cleanup(parts_auto))) struct parts name;                                        \
    parts_start(&(name))

static void set_header(struct parts *p, const char *name, const char *value)
{
    p->headers[p->x.request.header_count++] = (struct http_header){ span_of(name), span_of(value) };
}

struct parsed {
    struct span text;
    bool flag;
};

static enum err parse_bytes(struct parts *p, struct span body, struct parsed *out)
{
    const struct api_member members[] = {
        { .name = "text", .ret_text = &out->text, .required = true, .max_bytes = 8 },
        { .name = "flag", .ret_flag = &out->flag },
    };
    *out = (struct parsed){ 0 };
    p->r.error_count = 0;
    p->x.request.body = body;
    return api_json_parse(&p->r, members, 2);
}

static enum err parse(struct parts *p, const char *body, struct parsed *out)
{
    return parse_bytes(p, span_of(body), out);
}

TEST(an_object_of_known_members_is_read)
{
    PARTS(p);
    struct parsed out;
    CHECK_ERR(parse(&p, " {\"text\" : \"\\u00e4\\n\" , \"flag\":true}\r\n", &out), ERR_OK);
    CHECK_SPAN(out.text, "\xc3\xa4\n");
    CHECK(out.flag);
    CHECK_ERR(parse(&p, "{\"text\":\"\",\"flag\":null}", &out), ERR_OK);
    CHECK(out.text.data != NULL && out.text.length == 0 && !out.flag);
}

TEST(what_is_no_json_is_told_from_what_is_no_input)
{
    static const char *const broken[] = {
        "{",
        "nul",
        "{\"text\":\"a\",\"text\":\"a\"}",
        "{}x",
        "{\"a\":1,}",
        "{\"text\":\"\xff\"}",
        "{}{}",
        "{'a':1}",
        "{\"text\":\"\\ud800\"}",
        "\xef\xbb\xbf{}",
        "// x\n{}",
        "{\"text\":\"a\nb\"}",
        "{\"a\":NaN}",
        "{\"a\":01}",
        "[[[[[[[[[]]]]]]]]]",
        "{\"a\":{\"b\":1,\"b\":2}}",
        " ",
        "\"",
    };
    static const char *const wrong[] = {
        "[]",
        "1",
        "null",
        "\"text\"",
        "{}",
        "{\"text\":null}",
        "{\"text\":7}",
        "{\"text\":[]}",
        "{\"text\":\"123456789\"}",
        "{\"text\":\"a\\u0000\"}",
        "{\"text\":\"a\",\"flag\":1}",
        "{\"text\":\"a\",\"other\":1}",
        "{\"text\":\"a\",\"\\u0000\":1}",
        "[[[[[[[[]]]]]]]]",
        "{\"text\":123456789012345678901234567890}",
    };
    PARTS(p);
    struct parsed out;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        CHECK_ERR(parse(&p, broken[i], &out), ERR_INVALID_JSON);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_ERR(parse(&p, wrong[i], &out), ERR_INVALID_INPUT);
        CHECK(p.r.error_count > 0);
    }
    CHECK_ERR(parse_bytes(&p, SPAN("{\"text\":\"a\"}\0"), &out), ERR_INVALID_JSON);
}

TEST(every_prefix_of_a_good_body_is_refused_but_the_whole)
{
    static const char body[] = "{\"text\":\"a\\\"\\u00e4\",\"flag\":false}";
    PARTS(p);
    struct parsed out;
    for (size_t length = 1; length < sizeof body - 1; length++) {
        CHECK_ERR(parse_bytes(&p, (struct span){ body, length }, &out), ERR_INVALID_JSON);
    }
    CHECK_ERR(parse_bytes(&p, (struct span){ body, sizeof body - 1 }, &out), ERR_OK);
    CHECK_ERR(parse_bytes(&p, SPAN_NONE, &out), ERR_INVALID_INPUT); /* no body is {} */
}

TEST(all_that_is_wrong_is_told_at_once_and_no_value_is_repeated)
{
    PARTS(p);
    struct parsed out;
    CHECK_ERR(parse(&p, "{\"flag\":\"canary\",\"extra\":\"canary\"}", &out), ERR_INVALID_INPUT);
    CHECK_INT(p.r.error_count, 3);
    api_problem_answer(&p.r, ERR_INVALID_INPUT);
    struct span body = p.x.response.body;
    CHECK(memmem(body.data, body.length, "canary", 6) == NULL);
    CHECK(memmem(body.data, body.length, "\"field\":\"extra\"", 15) != NULL);
}

TEST(json_out_escapes_what_must_be_and_mends_what_is_no_utf8)
{
    PARTS(p);
    struct json_out j;
    struct span text;
    json_out_begin(&j, &p.x.arena, 1);
    json_out_object(&j, NULL);
    json_out_text(&j, "a", SPAN("\"\\\n\x01\xc3\xa4\xff\x7f"));
    json_out_text(&j, "b", SPAN_NONE);
    json_out_list(&j, "c");
    json_out_number(&j, NULL, INT64_MIN);
    json_out_flag(&j, NULL, true);
    json_out_list_end(&j);
    json_out_instant(&j, "d", 0);
    json_out_object_end(&j);
    CHECK_ERR(json_out_result(&j, &text), ERR_OK);
    CHECK_SPAN(text, "{\"a\":\"\\\"\\\\\\u000a\\u0001\xc3\xa4\xef\xbf\xbd\x7f\",\"b\":null,"
                     "\"c\":[-9223372036854775808,true],\"d\":\"1970-01-01T00:00:00.000Z\"}");
}

TEST(json_out_over_the_ceiling_fails_once_and_for_all)
{
    struct arena a;
    struct json_out j;
    struct span text;
    arena_init(&a, 64);
    json_out_begin(&j, &a, 16);
    for (int i = 0; i < 100; i++) {
        json_out_text(&j, "name", SPAN("text"));
    }
    CHECK_ERR(json_out_result(&j, &text), ERR_NOMEM);
    arena_done(&a);
}

TEST(only_a_bearer_with_a_token_is_one)
{
    static const struct {
        const char *value;
        enum err why;
    } cases[] = {
        { "Bearer abc.DEF-1_2~3+4/5==", ERR_OK }, { "bEaReR  a", ERR_OK },
        { "Bearer", ERR_INVALID_TOKEN },          { "Bearer ", ERR_INVALID_TOKEN },
        { "Basic YTpi", ERR_MISSING_TOKEN },      { "", ERR_MISSING_TOKEN },
        { "Bearera", ERR_MISSING_TOKEN },         { "Bearer\ta", ERR_MISSING_TOKEN },
    };
    struct span token;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PARTS(p);
        set_header(&p, "Authorization", cases[i].value);
        CHECK_ERR(api_bearer_token(&p.x.request, &token), cases[i].why);
    }
    PARTS(p);
    CHECK_ERR(api_bearer_token(&p.x.request, &token), ERR_MISSING_TOKEN);
    set_header(&p, "Authorization", "Bearer a");
    set_header(&p, "Authorization", "Bearer a");
    CHECK_ERR(api_bearer_token(&p.x.request, &token), ERR_BAD_REQUEST);
}

TEST(an_origin_is_allowed_only_as_it_is_listed)
{
    static const char *const good[] = { "https://a.example", "https://b.example",
                                        "https://own.example" };
    static const char *const bad[] = { "https://a.example.evil",
                                       "https://A.example",
                                       "null",
                                       "http://a.example",
                                       "a.example",
                                       "",
                                       "https://a.example, https://b.example" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        PARTS(p);
        set_header(&p, "Origin", good[i]);
        CHECK_SPAN(api_cors_allowed(&p.api, &p.x.request), good[i]);
        CHECK_ERR(api_cors_check_cookie(&p.api, &p.x.request), ERR_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        PARTS(p);
        set_header(&p, "Origin", bad[i]);
        CHECK(api_cors_allowed(&p.api, &p.x.request).data == NULL);
        CHECK_ERR(api_cors_check_cookie(&p.api, &p.x.request), ERR_ORIGIN);
        api_cors_headers(&p.r);
        CHECK_INT(p.x.response.header_count, 0); /* not to be kept: no Vary */
        p.r.cacheable = true;
        api_cors_headers(&p.r);
        CHECK_INT(p.x.response.header_count, 1);
        CHECK_SPAN(p.x.response.headers[0].name, "Vary");
    }
    PARTS(p);
    CHECK_ERR(api_cors_check_cookie(&p.api, &p.x.request), ERR_ORIGIN);
    set_header(&p, "Sec-Fetch-Site", "same-origin");
    CHECK_ERR(api_cors_check_cookie(&p.api, &p.x.request), ERR_OK);
}

TEST(an_empty_own_origin_allows_nobody)
{
    PARTS(p);
    p.api.own_origin = api_cors_origin_of(SPAN(""));
    set_header(&p, "Origin", "");
    CHECK(api_cors_allowed(&p.api, &p.x.request).data == NULL);
    CHECK_SPAN(api_cors_origin_of(SPAN("https://h:8443/a/b")), "https://h:8443");
    CHECK_SPAN(api_cors_origin_of(SPAN("http://h")), "http://h");
}

TEST(every_error_is_an_answer_with_a_status_and_a_code)
{
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        if (e == ERR_CANCELLED) {
            continue;
        }
        struct api_problem problem = api_problem_of((enum err)e);
        CHECK(problem.status >= 400 && problem.status < 600);
        CHECK(problem.code[0] != '\0' && problem.detail[0] != '\0');
        CHECK(((problem.status == 503 || problem.status == 429) && problem.retry_after_s > 0) ||
              problem.retry_after_s == 0);
    }
}

TEST(no_two_routes_answer_the_same_request)
{
    for (size_t i = 0; i < api_service_route_count; i++) {
        for (size_t k = i + 1; k < api_service_route_count; k++) {
            const struct api_route *a = &api_service_routes[i], *b = &api_service_routes[k];
            CHECK(!span_equal(a->path, b->path) || (a->methods & b->methods) == 0);
            CHECK(strcmp(a->name, b->name) != 0);
        }
    }
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(an_object_of_known_members_is_read),
              cmocka_unit_test(what_is_no_json_is_told_from_what_is_no_input),
              cmocka_unit_test(every_prefix_of_a_good_body_is_refused_but_the_whole),
              cmocka_unit_test(all_that_is_wrong_is_told_at_once_and_no_value_is_repeated),
              cmocka_unit_test(json_out_escapes_what_must_be_and_mends_what_is_no_utf8),
              cmocka_unit_test(json_out_over_the_ceiling_fails_once_and_for_all),
              cmocka_unit_test(only_a_bearer_with_a_token_is_one),
              cmocka_unit_test(an_origin_is_allowed_only_as_it_is_listed),
              cmocka_unit_test(an_empty_own_origin_allows_nobody),
              cmocka_unit_test(every_error_is_an_answer_with_a_status_and_a_code),
              cmocka_unit_test(no_two_routes_answer_the_same_request));
}

/* json.c - bodies as they come and answers as they go: our strict reading and our writer into an
 * arena, and jansson alone, which neither checks for unknown members nor copies. */
#include "bench.h"
#include "json_in.h"
#include "measure.h"
#include "views.h"

#include <stdlib.h>

#define ARENA_BYTES  65536
#define ANSWER_BYTES 1536
#define BODY         "{\"username\":\"somebody.else\",\"password\":\"correct horse battery staple\"}"
#define TOKEN        "eyJhbGciOiJFUzI1NiIsImtpZCI6IjAxOTNhIiwidHlwIjoiYXQrand0In0" /* shape only */
#define TOKEN_TEN    TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN TOKEN

struct world {
    struct arena arena;
    struct http_exchange exchange;
};

static void read_ours(void *context)
{
    struct world *w = context;
    struct span username = SPAN_NONE;
    struct span password = SPAN_NONE;
    const struct api_member members[] = {
        { .name = "username", .ret_text = &username },
        { .name = "password", .ret_text = &password, .max_bytes = API_PASSWORD_MAX_BYTES },
    };
    struct api_request r = { .x = &w->exchange, .call.arena = &w->arena };
    measure_check(api_json_parse(&r, members, sizeof(members) / sizeof(members[0])), "our reader");
    arena_reset(&w->arena);
}

static void read_bare(void *context)
{
    (void)context;
    json_t *root = json_loadb(BODY, sizeof(BODY) - 1, 0, NULL);
    measure_require(json_string_value(json_object_get(root, "username")) != NULL &&
                        json_string_value(json_object_get(root, "password")) != NULL,
                    "jansson");
    json_decref(root);
}

static void write_ours(void *context)
{
    const struct auth_tokens tokens = { .access_token = SPAN(TOKEN_TEN),
                                        .refresh_token = SPAN(TOKEN),
                                        .expires_in_s = 3600,
                                        .refresh_expires_in_s = 1209600 };
    struct world *w = context;
    struct json_out j;
    struct span text;
    json_out_begin(&j, &w->arena, ANSWER_BYTES);
    json_out_object(&j, NULL);
    api_view_tokens(&j, &tokens, false);
    json_out_object_end(&j);
    measure_check(json_out_result(&j, &text), "our writer");
    arena_reset(&w->arena);
}

static void write_bare(void *context)
{
    (void)context;
    json_t *root =
        json_pack("{ss ss si ss si}", "access_token", TOKEN_TEN, "token_type", "Bearer",
                  "expires_in", 3600, "refresh_token", TOKEN, "refresh_expires_in", 1209600);
    char *text = json_dumps(root, JSON_COMPACT);
    measure_require(text != NULL, "jansson");
    free(text);
    json_decref(root);
}

int json_main(int argc, char **argv)
{
    struct measure_plan plan = { .rounds = 11, .least_ns = 50000000 };
    struct measure m;
    struct world w = { .exchange.request = { .has_body = true, .body = SPAN(BODY) } };
    int code = measure_options(argc, argv, NULL, &plan);
    if (code != EXIT_GOOD) {
        return code;
    }
    const struct measure_side reading[] = {
        { .name = "Doorward", .context = &w, .step = read_ours },
        { .name = "jansson alone", .step = read_bare },
    };
    const struct measure_side writing[] = {
        { .name = "Doorward", .context = &w, .step = write_ours },
        { .name = "jansson alone", .step = write_bare },
    };
    arena_init(&w.arena, ARENA_BYTES);
    measure_begin(&m, argv[0], &plan);
    measure_case(&m, "reading a login", reading, 2);
    measure_case(&m, "writing its tokens", writing, 2);
    arena_done(&w.arena);
    return measure_end(&m);
}

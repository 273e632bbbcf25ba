/* fuzz_json.c - any body is read by the handler of any route, or refused as JSON or as input; never
 * more. The first byte chooses the route. */
#include "handlers.h"
#include "json_in.h"
#include "problem.h"

#define ARENA_BYTES ((size_t)512 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The rules on names and passwords need nothing of it but its numbers. */
static struct auth *open_auth(void)
{
    struct auth_options options = { .loops = 1, .password_min_length = 8 };
    struct auth *auth = NULL;
    INVARIANT(auth_open(&options, &auth) == ERR_OK);
    return auth;
}

static void check_answer(struct api_request *r, enum err why)
{
    if (why == ERR_OK) {
        return;
    }
    INVARIANT(why == ERR_INVALID_JSON || why == ERR_INVALID_INPUT || why == ERR_MISSING_TOKEN);
    INVARIANT((why == ERR_INVALID_INPUT) == (r->error_count > 0));
    api_problem_answer(r, why);
    INVARIANT(r->x->response.status >= 400 && r->x->response.status < 500);
    INVARIANT(span_is_utf8(r->x->response.body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct api_handler *const handlers[] = { &api_register, &api_login,
                                                          &api_refresh,  &api_logout,
                                                          &api_password, &api_profile_delete };
    static struct api api;
    if (size == 0) {
        return 0;
    }
    if (api.options.auth == NULL) {
        api.options.auth = open_auth();
    }
    struct http_exchange x = { 0 };
    arena_init(&x.arena, ARENA_BYTES);
    x.request.body = (struct span){ (const char *)data + 1, size - 1 };
    struct api_request r = { .api = &api, .x = &x, .call = { .arena = &x.arena } };
    check_answer(&r, handlers[data[0] % (sizeof handlers / sizeof handlers[0])]->parse(&r));
    arena_done(&x.arena);
    return 0;
}

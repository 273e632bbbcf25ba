#include "problem.h"
#include "bearer.h"

#define RETRY_SOON_S 1

#define PROBLEM(status, code, detail) ((struct api_problem){ (status), (code), (detail), 0 })
#define RETRIABLE(status, code, detail)                                                            \
    ((struct api_problem){ (status), (code), (detail), RETRY_SOON_S })

/* Without default, so that a new error does not compile until it is mapped here. */
struct api_problem api_problem_of(enum err why)
{
    INVARIANT(why != ERR_OK && why != ERR_CANCELLED && why != ERR_COUNT);
    switch (why) {
    case ERR_BUSY:
    case ERR_NOMEM:
        return RETRIABLE(503, "overloaded", "There is no capacity for this request now.");
    case ERR_UNAVAILABLE:
        return RETRIABLE(503, "store_unavailable", "The service cannot reach its records now.");
    case ERR_OK: /* not asked; see above */
    case ERR_CANCELLED:
    case ERR_COUNT:
    case ERR_INTERNAL:
    case ERR_IO:
    case ERR_CONFIG:
    case ERR_CONFLICT:
        return PROBLEM(500, "internal", "Something went wrong in the service.");
    case ERR_NOT_FOUND:
    case ERR_NO_ROUTE:
        return PROBLEM(404, "not_found", "There is nothing here.");
    case ERR_CONFLICT_USERNAME:
    case ERR_CONFLICT_EMAIL:
        return PROBLEM(409, "user_exists", "The name is taken.");
    case ERR_BAD_CREDENTIALS:
        return PROBLEM(401, "invalid_credentials", "The name or the password is wrong.");
    case ERR_WRONG_PASSWORD:
        return PROBLEM(403, "wrong_password", "The current password is wrong.");
    case ERR_TOO_MANY_ATTEMPTS:
        return RETRIABLE(429, "too_many_attempts", "There were too many failed attempts.");
    case ERR_MISSING_TOKEN:
        return PROBLEM(401, "missing_token", "An access token is needed.");
    case ERR_INVALID_TOKEN:
        return PROBLEM(401, "invalid_token", "The access token is not acceptable.");
    case ERR_TOKEN_EXPIRED:
        return PROBLEM(401, "token_expired", "The access token has expired.");
    case ERR_TOKEN_REVOKED:
        return PROBLEM(401, "token_revoked", "The session of the access token has ended.");
    case ERR_INVALID_REFRESH:
        return PROBLEM(401, "invalid_refresh_token", "The refresh token is not acceptable.");
    case ERR_REFRESH_EXPIRED:
        return PROBLEM(401, "refresh_token_expired", "The refresh token has expired.");
    case ERR_REFRESH_REUSED:
        return PROBLEM(401, "refresh_token_reused",
                       "The refresh token was used before; its session has ended.");
    case ERR_FORBIDDEN:
        return PROBLEM(403, "forbidden", "This is not allowed for the caller.");
    case ERR_INVALID_INPUT:
        return PROBLEM(422, "invalid_input", "The request is not acceptable; see errors.");
    case ERR_BAD_REQUEST:
        return PROBLEM(400, "bad_request", "This is not an acceptable HTTP request.");
    case ERR_INVALID_JSON:
        return PROBLEM(400, "invalid_json", "The body is not acceptable JSON.");
    case ERR_METHOD:
        return PROBLEM(405, "method_not_allowed", "The resource does not know this method.");
    case ERR_ORIGIN:
        return PROBLEM(403, "origin_not_allowed", "A cookie counts only from allowed origins.");
    case ERR_BODY_TOO_LARGE:
        return PROBLEM(413, "body_too_large", "The body is larger than this resource allows.");
    case ERR_URI_TOO_LONG:
        return PROBLEM(414, "uri_too_long", "The request target is too long.");
    case ERR_HEADERS_TOO_LARGE:
        return PROBLEM(431, "headers_too_large", "The header section is too large.");
    case ERR_MEDIA_TYPE:
        return PROBLEM(415, "unsupported_media_type",
                       "The body must be application/json without a content coding.");
    case ERR_EXPECTATION:
        return PROBLEM(417, "expectation_failed", "The expectation cannot be met.");
    case ERR_TIMEOUT:
        return PROBLEM(408, "request_timeout", "The request did not arrive in time.");
    }
    err_invariant("an error of the list", __FILE__, __LINE__);
}

void api_error_add(struct api_request *r, struct span field, const char *code, const char *detail)
{
    if (r->error_count < API_MAX_ERRORS) {
        r->errors[r->error_count++] = (struct api_error){ field, code, detail };
    }
}

void api_errors_take(struct api_request *r, const struct auth_input_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct auth_input_error *e = &errors->list[i];
        api_error_add(r, span_of(e->field), e->code, e->detail);
    }
}

static void write_errors(struct json_out *j, const struct api_request *r)
{
    if (r->error_count == 0) {
        return;
    }
    json_out_list(j, "errors");
    for (size_t i = 0; i < r->error_count; i++) {
        json_out_object(j, NULL);
        json_out_text(j, "field", r->errors[i].field);
        json_out_text(j, "code", span_of(r->errors[i].code));
        json_out_text(j, "detail", span_of(r->errors[i].detail));
        json_out_object_end(j);
    }
    json_out_list_end(j);
}

static void write_body(struct api_request *r, const struct api_problem *problem)
{
    struct json_out j;
    json_out_begin(&j, r->call.arena, 512);
    json_out_object(&j, NULL);
    json_out_text(&j, "type", SPAN("about:blank"));
    /* RFC 9457, 4.2.1: the title of about:blank is the status's own phrase. */
    json_out_text(&j, "title", span_of(http_reason(problem->status)));
    json_out_number(&j, "status", problem->status);
    json_out_text(&j, "detail", span_of(problem->detail));
    json_out_text(&j, "code", span_of(problem->code));
    json_out_text(&j, "request_id", r->call.request_id);
    write_errors(&j, r);
    json_out_object_end(&j);
    /* Without memory the status alone has to do. */
    if (json_out_result(&j, &r->x->response.body) == ERR_OK) {
        r->x->response.content_type = SPAN("application/problem+json");
    }
}

static void write_retry_after(struct api_request *r, const struct api_problem *problem)
{
    struct span text;
    int64_t seconds = r->retry_after_s > 0 ? r->retry_after_s : problem->retry_after_s;
    if (problem->retry_after_s > 0 &&
        arena_printf(r->call.arena, &text, "%lld", (long long)seconds) == ERR_OK) {
        http_response_header(&r->x->response, "Retry-After", text);
    }
}

void api_problem_answer(struct api_request *r, enum err why)
{
    struct api_problem problem = api_problem_of(why);
    if (why == ERR_CONFLICT_USERNAME || why == ERR_CONFLICT_EMAIL) {
        api_error_add(r, why == ERR_CONFLICT_EMAIL ? SPAN("email") : SPAN("username"), "taken",
                      "belongs to another account");
    }
    r->x->response.status = problem.status;
    write_body(r, &problem);
    write_retry_after(r, &problem);
    if (problem.status == 401) {
        api_bearer_challenge(r, why);
    }
}

/* The HTTP contract of DESIGN 7, through the handler that net calls. */
#include "test_api_world.h"

TEST(an_account_is_made_logged_into_and_shown)
{
    SERVICE(s, standard_options());
    ASKED(q);
    CHECK_INT(post(&s, &q, "/register", ACCOUNT), 201);
    CHECK_SPAN(answer_header(&q, "Location"), "/profile");
    CHECK_SPAN(answer_header(&q, "Cache-Control"), "no-store");
    CHECK(body_has(&q, "{\"message\":\"user registered\",\"user\":{\"id\":\""));
    CHECK(body_has(&q, "\"username\":\"ann\",\"email\":null,\"roles\":[]"));
    struct login l;
    log_in_as_ann(&s, &l);
    CHECK_INT(ask(&s, &q, "GET /profile", l.bearer, NULL), 200);
    CHECK(body_has(&q, "{\"user\":{\"id\":\""));
    CHECK_INT(ask(&s, &q, "HEAD /profile", l.bearer, NULL), 200);
    CHECK_INT(ask(&s, &q, "GET /sessions", l.bearer, NULL), 200);
    CHECK(body_has(&q, "\"ip\":\"192.0.2.7\",\"user_agent\":\"\",\"current\":true"));
}

TEST(a_taken_name_is_a_conflict_that_names_the_field)
{
    SERVICE(s, standard_options());
    ASKED(q);
    make_account(&s);
    CHECK_INT(post(&s, &q, "/register", ACCOUNT), 409);
    CHECK_SPAN(q.x.response.content_type, "application/problem+json");
    CHECK(body_has(&q, "\"code\":\"user_exists\""));
    CHECK(body_has(&q, "\"errors\":[{\"field\":\"username\",\"code\":\"taken\""));
}

TEST(every_answer_carries_a_request_id_and_nosniff)
{
    static const char *const firsts[] = { "GET /healthz", "GET /nowhere", "POST /login",
                                          "PUT /login" };
    SERVICE(s, standard_options());
    ASKED(q);
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        (void)ask(&s, &q, firsts[i], "X-Request-Id: mine-1\r\n", NULL);
        CHECK_SPAN(answer_header(&q, "X-Request-Id"), "mine-1");
        CHECK_SPAN(answer_header(&q, "X-Content-Type-Options"), "nosniff");
        CHECK(answer_header(&q, "Strict-Transport-Security").data == NULL);
        (void)ask(&s, &q, firsts[i], "X-Request-Id: a b\r\n", NULL);
        CHECK_INT(answer_header(&q, "X-Request-Id").length, UUID_TEXT_LENGTH);
    }
}

TEST(what_the_parser_refuses_is_a_problem_too_and_closes)
{
    SERVICE(s, standard_options());
    ASKED(q);
    ask_of(&s, s.handler, &q, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    CHECK_INT(q.x.response.status, 400);
    CHECK(q.x.response.close && body_has(&q, "\"code\":\"bad_request\""));
    CHECK_INT(answer_header(&q, "X-Request-Id").length, UUID_TEXT_LENGTH);
}

TEST(an_unknown_path_or_method_wins_over_a_body_that_the_parser_refuses)
{
    SERVICE(s, standard_options());
    ASKED(q);
    ask_of(&s, s.handler, &q, "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n");
    CHECK_INT(q.x.response.status, 404);
    asked_auto(&q);
    ask_of(&s, s.handler, &q, "PUT /login HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n");
    CHECK_INT(q.x.response.status, 405);
    asked_auto(&q);
    ask_of(&s, s.handler, &q, "POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n");
    CHECK_INT(q.x.response.status, 413);
    CHECK(q.x.response.close);
}

TEST(the_errors_come_in_the_order_of_the_contract)
{
    SERVICE(s, standard_options());
    ASKED(q);
    char big[17000];
    memset(big, 'x', sizeof big);
    big[4097] = '\0';
    CHECK_INT(ask(&s, &q, "PUT /nowhere", "", "x"), 404);
    CHECK_INT(ask(&s, &q, "PUT /refresh-token", "", big), 405);
    CHECK_SPAN(answer_header(&q, "Allow"), "POST, OPTIONS");
    CHECK_INT(ask(&s, &q, "POST /refresh-token", "", big), 413);
    CHECK_INT(ask(&s, &q, "POST /password", "Content-Type: text/plain\r\n", "{"), 415);
    CHECK_INT(ask(&s, &q, "POST /password", JSON_TYPE "Content-Encoding: gzip\r\n", "{"), 415);
    CHECK_INT(ask(&s, &q, "POST /password", JSON_TYPE, "{"), 401);
    make_account(&s);
    struct login l;
    log_in_as_ann(&s, &l);
    char headers[4400];
    (void)snprintf(headers, sizeof headers, JSON_TYPE "%s", l.bearer);
    CHECK_INT(ask(&s, &q, "POST /password", headers, "{"), 400);
    CHECK_INT(ask(&s, &q, "POST /password", headers, "{}"), 422);
    CHECK_INT(ask(&s, &q, "POST /password", l.bearer, NULL), 422);
}

TEST(a_session_id_that_is_none_is_another_path)
{
    SERVICE(s, standard_options());
    ASKED(q);
    CHECK_INT(ask(&s, &q, "DELETE /sessions/17", "", NULL), 404);
    CHECK_INT(ask(&s, &q, "DELETE /sessions/", "", NULL), 404);
    CHECK_INT(ask(&s, &q, "DELETE /sessions/01890000-0000-7000-8000-000000000000", "", NULL), 401);
    CHECK_INT(ask(&s, &q, "GET /login/", "", NULL), 404);
}

TEST(a_refused_password_request_says_when_and_the_next_one_waits)
{
    struct api_options options = standard_options();
    options.login_deadline_ms = -1;
    SERVICE(s, options);
    ASKED(q);
    CHECK_INT(post(&s, &q, "/login", ACCOUNT), 503);
    CHECK(body_has(&q, "\"code\":\"overloaded\""));
    CHECK(answer_header(&q, "Retry-After").length > 0);
    CHECK_INT(q.x.response.delay_ms, 0);
    CHECK_INT(post(&s, &q, "/register", ACCOUNT), 503);
    CHECK(q.x.response.delay_ms >= 150 && q.x.response.delay_ms <= 250);
    CHECK(answer_header(&q, "Retry-After").length > 0);
    CHECK_INT(ask(&s, &q, "GET /healthz", "", NULL), 200);
    CHECK_INT(q.x.response.delay_ms, 0);
    CHECK_INT(post(&s, &q, "/refresh-token", "{\"refresh_token\":\"junk\"}"), 401);
    CHECK_INT(q.x.response.delay_ms, 0);
}

TEST(a_refusal_makes_only_its_own_client_wait_on_a_connection_of_many)
{
    struct api_options options = standard_options();
    options.login_deadline_ms = -1;
    struct http_networks *proxies = NULL;
    struct span bad;
    CHECK_ERR(http_networks_parse(SPAN("192.0.2.1"), &proxies, &bad), ERR_OK);
    options.trusted_proxies = proxies;
    SERVICE(s, options);
    (void)snprintf(s.peer.address, sizeof(s.peer.address), "192.0.2.1");
    static const struct {
        const char *headers;
        bool waits;
    } cases[] = {
        { JSON_TYPE "X-Forwarded-For: 2001:db8::1\r\n", false },
        { JSON_TYPE "X-Forwarded-For: 198.51.100.1\r\n", false },
        { JSON_TYPE "X-Forwarded-For: 198.51.100.1\r\n", true },
        { JSON_TYPE "X-Forwarded-For: 2001:db8:0:1::1\r\n", false },
        { JSON_TYPE "X-Forwarded-For: 2001:db8:0:1::2\r\n", true },
        { JSON_TYPE, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ASKED(q);
        CHECK_INT(ask(&s, &q, "POST /login", cases[i].headers, ACCOUNT), 503);
        CHECK((q.x.response.delay_ms > 0) == cases[i].waits);
    }
    http_networks_free(proxies);
}

TEST(a_wrong_body_is_never_overload)
{
    struct api_options options = standard_options();
    options.login_deadline_ms = -1;
    SERVICE(s, options);
    ASKED(q);
    CHECK_INT(post(&s, &q, "/login", ACCOUNT), 503);
    CHECK_INT(post(&s, &q, "/login", "{"), 400);
    CHECK_INT(post(&s, &q, "/register", "{\"username\":\"a b\",\"password\":\"long enough\"}"),
              422);
    CHECK(body_has(&q, "\"field\":\"username\""));
    CHECK_INT(post(&s, &q, "/register", "{\"username\":\"ann\",\"password\":\"short\"}"), 422);
    CHECK(body_has(&q, "\"field\":\"password\""));
}

TEST(a_client_that_hangs_up_is_finished_exactly_once)
{
    SERVICE(s, standard_options());
    make_account(&s);
    for (int i = 0; i < 20; i++) {
        ASKED(q);
        CHECK_ERR(read_request(&s, &q,
                               SPAN("POST /refresh-token HTTP/1.1\r\nHost: a\r\n" JSON_TYPE
                                    "Content-Length: 21\r\n\r\n{\"refresh_token\":\"x\"}")),
                  ERR_OK);
        s.handler.on_request(s.handler.context, &q.x);
        CHECK(q.x.on_hangup != NULL);
        q.x.on_hangup(&q.x);
        wait_for(&s, &q);
        CHECK(q.x.response.status == 0 || q.x.response.status == 401);
        CHECK(q.x.on_hangup == NULL);
    }
}

TEST(verifying_tells_who_it_is_by_headers_whatever_the_method)
{
    static const char *const firsts[] = { "GET /verify", "OPTIONS /verify", "PROPFIND /verify/a/b",
                                          "DELETE /verify/" };
    SERVICE(s, standard_options());
    ASKED(q);
    make_account(&s);
    struct login l;
    log_in_as_ann(&s, &l);
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        CHECK_INT(ask(&s, &q, firsts[i], l.bearer, NULL), 200);
        CHECK_INT(answer_header(&q, "X-Auth-User").length, UUID_TEXT_LENGTH);
        CHECK_SPAN(answer_header(&q, "X-Auth-Username"), "ann");
        CHECK_INT(answer_header(&q, "X-Auth-Session").length, UUID_TEXT_LENGTH);
        CHECK(answer_header(&q, "X-Auth-Roles").data != NULL);
        CHECK_INT(ask(&s, &q, firsts[i], "", NULL), 401);
        CHECK_SPAN(answer_header(&q, "WWW-Authenticate"), "Bearer realm=\"doorward\"");
    }
    CHECK_INT(ask(&s, &q, "GET /verify?role=admin", l.bearer, NULL), 403);
    CHECK_INT(ask(&s, &q, "GET /verify?role=", l.bearer, NULL), 403);
    CHECK_INT(ask(&s, &q, "GET /verify?other=admin", l.bearer, NULL), 200);
    CHECK_INT(ask(&s, &q, "POST /verify", l.bearer, "any body at all"), 200);
}

TEST(a_preflight_opens_no_gateway)
{
    SERVICE(s, standard_options());
    ASKED(q);
    CHECK_INT(ask(&s, &q, "OPTIONS /verify/x",
                  "Origin: https://app.example.org\r\nAccess-Control-Request-Method: GET\r\n",
                  NULL),
              401);
}

TEST(verifying_takes_a_cookie_where_one_is_configured)
{
    struct api_options options = standard_options();
    options.verify_cookie = SPAN("access");
    SERVICE(s, options);
    ASKED(q);
    make_account(&s);
    struct login l;
    log_in_as_ann(&s, &l);
    char cookie[4300];
    (void)snprintf(cookie, sizeof cookie, "Cookie: a=b; access=%s\r\n", l.access_token);
    CHECK_INT(ask(&s, &q, "GET /verify", cookie, NULL), 200);
    CHECK_INT(ask(&s, &q, "GET /profile", cookie, NULL), 401);
    CHECK_INT(ask(&s, &q, "GET /verify", "Cookie: access=\r\n", NULL), 401);
    CHECK(body_has(&q, "missing_token"));
}

TEST(a_logout_ends_the_session_and_may_be_repeated)
{
    SERVICE(s, standard_options());
    ASKED(q);
    make_account(&s);
    struct login l;
    log_in_as_ann(&s, &l);
    CHECK_INT(ask(&s, &q, "POST /logout?scope=none", l.bearer, NULL), 422);
    CHECK_INT(ask(&s, &q, "POST /logout?scope=this&scope=all", l.bearer, NULL), 422);
    CHECK_INT(ask(&s, &q, "GET /verify", l.bearer, NULL), 200);
    CHECK_INT(ask(&s, &q, "POST /logout", l.bearer, NULL), 204);
    CHECK_INT(ask(&s, &q, "GET /verify", l.bearer, NULL), 401);
    CHECK(body_has(&q, "token_revoked"));
    CHECK_INT(ask(&s, &q, "POST /logout", l.bearer, NULL), 204);
    CHECK_INT(post(&s, &q, "/logout", "{\"refresh_token\":\"junk\"}"), 204);
    CHECK_INT(ask(&s, &q, "POST /logout", "", NULL), 401);
    CHECK_INT(ask(&s, &q, "POST /logout", "Authorization: Bearer junk\r\n", NULL), 401);
}

TEST(an_expired_bearer_is_told_and_not_logged_out)
{
    SERVICE(s, standard_options());
    ASKED(q);
    make_account(&s);
    struct login l;
    log_in_as_ann(&s, &l);
    pass_ms(&s.world, INT64_C(3700) * 1000);
    CHECK_INT(ask(&s, &q, "POST /logout", l.bearer, NULL), 401);
    CHECK(body_has(&q, "token_expired"));
    CHECK_SPAN(answer_header(&q, "WWW-Authenticate"),
               "Bearer realm=\"doorward\", error=\"invalid_token\"");
}

static void cookie_line(const struct asked *q, char *out, size_t size)
{
    struct span set = answer_header(q, "Set-Cookie");
    CHECK(span_starts(set, SPAN("__Host-refresh=")));
    (void)snprintf(out, size, "Cookie: %.*s\r\n", (int)span_find(set, ';'), set.data);
}

TEST(a_refresh_token_by_cookie_stays_out_of_the_body_and_counts_only_from_home)
{
    SERVICE(s, standard_options());
    ASKED(q);
    make_account(&s);
    CHECK_INT(post(&s, &q, "/login",
                   "{\"identifier\":\"ann\",\"password\":\"" PASSWORD "\",\"cookie\":true}"),
              200);
    CHECK(!body_has(&q, "\"refresh_token\""));
    char line[700];
    char from_home[800];
    cookie_line(&q, line, sizeof line);
    CHECK_INT(ask(&s, &q, "POST /refresh-token", line, NULL), 403);
    CHECK(body_has(&q, "origin_not_allowed"));
    (void)snprintf(from_home, sizeof from_home, "%sOrigin: https://auth.example.org\r\n", line);
    CHECK_INT(ask(&s, &q, "POST /refresh-token", from_home, NULL), 200);
    CHECK(!body_has(&q, "\"refresh_token\""));
    cookie_line(&q, line, sizeof line);
    (void)snprintf(from_home, sizeof from_home, "%sSec-Fetch-Site: same-origin\r\n", line);
    CHECK_INT(ask(&s, &q, "POST /logout?scope=others", from_home, NULL), 204);
    CHECK(answer_header(&q, "Set-Cookie").data == NULL);
    CHECK_INT(ask(&s, &q, "POST /logout", from_home, NULL), 204);
    CHECK_SPAN(answer_header(&q, "Set-Cookie"), "__Host-refresh=; Path=/; Secure; HttpOnly; "
                                                "SameSite=Strict; Max-Age=0");
}

TEST(without_cookies_there_is_no_such_member_and_none_is_read)
{
    struct api_options options = standard_options();
    options.cookies = API_COOKIES_OFF;
    SERVICE(s, options);
    ASKED(q);
    CHECK_INT(post(&s, &q, "/login", "{\"username\":\"a\",\"password\":\"b\",\"cookie\":false}"),
              422);
    CHECK(body_has(&q, "{\"field\":\"cookie\",\"code\":\"unknown_member\""));
    CHECK_INT(ask(&s, &q, "POST /refresh-token", "Cookie: __Host-refresh=x\r\n", NULL), 422);
}

TEST(cookies_on_always_sets_one)
{
    struct api_options options = standard_options();
    options.cookies = API_COOKIES_ON;
    SERVICE(s, options);
    ASKED(q);
    make_account(&s);
    CHECK_INT(post(&s, &q, "/login", ACCOUNT), 200);
    CHECK(!body_has(&q, "\"refresh_token\""));
    CHECK(span_starts(answer_header(&q, "Set-Cookie"), SPAN("__Host-refresh=")));
}

TEST(classic_answers_are_those_of_the_older_api_to_the_byte)
{
    struct api_options options = standard_options();
    options.responses = API_RESPONSES_CLASSIC;
    SERVICE(s, options);
    ASKED(q);
    CHECK_INT(post(&s, &q, "/register", ACCOUNT), 200);
    CHECK_SPAN(q.x.response.body, "{\"message\":\"user registered \"}");
    CHECK_INT(post(&s, &q, "/register", ACCOUNT), 400);
    CHECK_SPAN(q.x.response.body, "{\"message\":\"user Already Exists\"}");
    CHECK_INT(post(&s, &q, "/login", ACCOUNT), 200);
    CHECK(body_has(&q, "{\"message\":\"login successful\",\"access_token\":\""));
    CHECK(!body_has(&q, "\"user\""));
    CHECK_INT(post(&s, &q, "/login", "{\"username\":\"ann\",\"password\":\"wrong\"}"), 400);
    CHECK_SPAN(q.x.response.body, "{\"message\":\"login unsuccessful\"}");
    CHECK_INT(post(&s, &q, "/login", "{\"username\":\"bob\",\"password\":\"wrong\"}"), 404);
    CHECK_SPAN(q.x.response.body, "{\"error\":\"user not registred\"}");
}

TEST(after_too_many_attempts_the_answer_says_how_long_to_wait)
{
    SERVICE(s, standard_options());
    ASKED(q);
    make_account(&s);
    int status = 401;
    for (int i = 0; i < 6 && status == 401; i++) {
        status = post(&s, &q, "/login", "{\"username\":\"ann\",\"password\":\"wrong\"}");
    }
    CHECK_INT(status, 429);
    CHECK(body_has(&q, "too_many_attempts"));
    CHECK(answer_header(&q, "Retry-After").length > 0);
}

TEST(a_password_change_and_a_deletion_ask_for_the_password)
{
    SERVICE(s, standard_options());
    ASKED(q);
    make_account(&s);
    struct login l;
    log_in_as_ann(&s, &l);
    char headers[4400];
    (void)snprintf(headers, sizeof headers, JSON_TYPE "%s", l.bearer);
    CHECK_INT(ask(&s, &q, "POST /password", headers,
                  "{\"current_password\":\"wrong\",\"new_password\":\"another horse\"}"),
              403);
    CHECK(body_has(&q, "wrong_password"));
    CHECK_INT(ask(&s, &q, "POST /password", headers,
                  "{\"current_password\":\"" PASSWORD "\",\"new_password\":\"another horse\"}"),
              204);
    CHECK_INT(ask(&s, &q, "DELETE /profile", headers, "{\"password\":\"" PASSWORD "\"}"), 403);
    CHECK_INT(ask(&s, &q, "DELETE /profile", headers, "{\"password\":\"another horse\"}"), 204);
    CHECK_INT(ask(&s, &q, "GET /profile", l.bearer, NULL), 401);
}

/* RFC 9110, 13.1.2 and 5.3: '@' stands for the document's own tag. */
static void check_conditions(struct service *s, const char *first, const char *tag)
{
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        { "If-None-Match: @\r\n", 304 },
        { "If-None-Match: W/@\r\n", 304 },
        { "If-None-Match: *\r\n", 304 },
        { "If-None-Match: \"x\",@\r\n", 304 },
        { "If-None-Match: \"x, y\" ,\t, W/@ , \"z\"\r\n", 304 },
        { "If-None-Match: \"x\"\r\nIf-None-Match: @\r\n", 304 },
        { "If-None-Match: @\r\nif-none-match: W/\"x\"\r\n", 304 },
        { "If-None-Match:\r\nAccept: a\r\nIf-None-Match: \"x\"\r\nIf-None-Match: W/@\r\n", 304 },
        { "If-None-Match: \"x\"\r\n", 200 },
        { "If-None-Match: \"x\"\r\nIf-None-Match: W/\"y\"\r\n", 200 },
        { "If-None-Match: w/@\r\n", 200 },
        { "If-None-Match: W/*\r\n", 200 },
        { "If-None-Match:\r\n", 200 },
    };
    ASKED(q);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at = strchr(cases[i].headers, '@');
        const char *rest = at == NULL ? cases[i].headers : at + 1;
        char headers[400];
        (void)snprintf(headers, sizeof headers, "%.*s%s%s",
                       (int)(at == NULL ? 0 : at - cases[i].headers), cases[i].headers,
                       at == NULL ? "" : tag, rest);
        int status = ask(s, &q, first, headers, NULL);
        if (status != cases[i].status) {
            fail_msg("%s, %s: %d", first, headers, status);
        }
    }
}

TEST(documents_have_a_tag_and_are_not_sent_twice)
{
    static const char *const firsts[] = { "GET /.well-known/jwks.json",
                                          "GET /.well-known/openid-configuration",
                                          "GET /openapi.yaml" };
    SERVICE(s, standard_options());
    ASKED(q);
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        char tag[100];
        CHECK_INT(ask(&s, &q, firsts[i], "", NULL), 200);
        (void)snprintf(tag, sizeof tag, "%.*s", SPAN_FMT(answer_header(&q, "ETag")));
        CHECK(strlen(tag) > 2 && tag[0] == '"');
        CHECK(span_starts(answer_header(&q, "Cache-Control"), SPAN("public, max-age=")));
        check_conditions(&s, firsts[i], tag);
    }
}

TEST(readiness_follows_the_heartbeat_and_the_drain_and_liveness_neither)
{
    SERVICE(s, standard_options());
    ASKED(q);
    CHECK_ERR(auth_tend(s.door.auth), ERR_OK);
    CHECK_ERR(auth_follow(s.door.auth), ERR_OK);
    CHECK_INT(ask(&s, &q, "GET /readyz", "", NULL), 200);
    CHECK(body_has(&q, "\"checks\":{\"store\":true,\"keys\":true,\"revocations\":true,"
                       "\"draining\":false}"));
    CHECK_INT(ask(&s, &q, "GET /startupz", "", NULL), 200);
    api_drain(s.api);
    CHECK_INT(ask(&s, &q, "GET /readyz", "", NULL), 503);
    CHECK(body_has(&q, "\"status\":\"draining\""));
    CHECK_INT(ask(&s, &q, "GET /healthz", "", NULL), 200);
    CHECK_INT(ask(&s, &q, "GET /startupz", "", NULL), 200);
}

TEST(metrics_stand_alone)
{
    SERVICE(s, standard_options());
    ASKED(q);
    CHECK_INT(ask(&s, &q, "GET /metrics", "", NULL), 404);
    asked_auto(&q);
    ask_of(&s, s.metrics, &q, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_INT(q.x.response.status, 200);
    CHECK(body_has(&q, "doorward_refused_total"));
    asked_auto(&q);
    ask_of(&s, s.metrics, &q, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_INT(q.x.response.status, 404);
}

TEST(without_memory_every_request_is_answered_all_the_same)
{
    static const char *const texts[] = {
        "GET /verify HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example.org\r\n\r\n",
        "POST /refresh-token HTTP/1.1\r\nHost: a\r\n" JSON_TYPE
        "Content-Length: 21\r\n\r\n{\"refresh_token\":\"x\"}",
        "POST /login HTTP/1.1\r\nHost: a\r\n" JSON_TYPE
        "Content-Length: 50\r\n\r\n{\"username\":\"ann\",\"password\":\"x\",\"nothing\":\"here\"}",
        "PUT /login HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    SERVICE(s, standard_options());
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t room = 0; room < 6000; room += 100) {
            ASKED(q);
            CHECK_ERR(read_request(&s, &q, span_of(texts[i])), ERR_OK);
            q.x.arena.max_bytes = q.x.arena.used_bytes + room;
            s.handler.on_request(s.handler.context, &q.x);
            wait_for(&s, &q);
            CHECK(q.x.response.status >= 200);
        }
    }
}

TEST(a_role_that_there_is_no_memory_to_read_is_not_forgotten)
{
    SERVICE(s, standard_options());
    make_account(&s);
    struct login l;
    log_in_as_ann(&s, &l);
    char text[sizeof l.bearer + 1024];
    /* Longer than all that is taken from the arena after it, so that nothing else fails instead. */
    (void)snprintf(text, sizeof text, "GET /verify?role=%0300d HTTP/1.1\r\nHost: a\r\n%s\r\n", 0,
                   l.bearer);
    for (size_t room = 0; room < 6000; room += 16) {
        ASKED(q);
        CHECK_ERR(read_request(&s, &q, span_of(text)), ERR_OK);
        q.x.arena.max_bytes = q.x.arena.used_bytes + room;
        s.handler.on_request(s.handler.context, &q.x);
        CHECK(q.x.response.status == 503 || q.x.response.status == 403);
    }
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(an_account_is_made_logged_into_and_shown),
        cmocka_unit_test(a_taken_name_is_a_conflict_that_names_the_field),
        cmocka_unit_test(every_answer_carries_a_request_id_and_nosniff),
        cmocka_unit_test(what_the_parser_refuses_is_a_problem_too_and_closes),
        cmocka_unit_test(an_unknown_path_or_method_wins_over_a_body_that_the_parser_refuses),
        cmocka_unit_test(the_errors_come_in_the_order_of_the_contract),
        cmocka_unit_test(a_session_id_that_is_none_is_another_path),
        cmocka_unit_test(a_refused_password_request_says_when_and_the_next_one_waits),
        cmocka_unit_test(a_refusal_makes_only_its_own_client_wait_on_a_connection_of_many),
        cmocka_unit_test(a_wrong_body_is_never_overload),
        cmocka_unit_test(a_client_that_hangs_up_is_finished_exactly_once),
        cmocka_unit_test(verifying_tells_who_it_is_by_headers_whatever_the_method),
        cmocka_unit_test(a_preflight_opens_no_gateway),
        cmocka_unit_test(verifying_takes_a_cookie_where_one_is_configured),
        cmocka_unit_test(a_logout_ends_the_session_and_may_be_repeated),
        cmocka_unit_test(an_expired_bearer_is_told_and_not_logged_out),
        cmocka_unit_test(a_refresh_token_by_cookie_stays_out_of_the_body_and_counts_only_from_home),
        cmocka_unit_test(without_cookies_there_is_no_such_member_and_none_is_read),
        cmocka_unit_test(cookies_on_always_sets_one),
        cmocka_unit_test(classic_answers_are_those_of_the_older_api_to_the_byte),
        cmocka_unit_test(after_too_many_attempts_the_answer_says_how_long_to_wait),
        cmocka_unit_test(a_password_change_and_a_deletion_ask_for_the_password),
        cmocka_unit_test(documents_have_a_tag_and_are_not_sent_twice),
        cmocka_unit_test(readiness_follows_the_heartbeat_and_the_drain_and_liveness_neither),
        cmocka_unit_test(metrics_stand_alone),
        cmocka_unit_test(without_memory_every_request_is_answered_all_the_same),
        cmocka_unit_test(a_role_that_there_is_no_memory_to_read_is_not_forgotten));
}

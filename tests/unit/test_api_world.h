/* test_api_world.h - what every api test stands on: the whole service behind its handler, on a real
 * store, with real workers and a loop; requests go in as bytes through the real parser. */
#ifndef DOORWARD_TEST_API_WORLD_H
#define DOORWARD_TEST_API_WORLD_H

#include "api.h"
#include "test_auth_world.h"

#include <uv.h>

struct service {
    struct world world;
    struct door door;
    uv_loop_t loop;
    struct work_mailbox *mailbox;
    struct work_bulkhead *store_work, *password_work;
    struct api *api;
    struct http_handler handler, metrics;
    struct http_peer peer;
};

/* One request and its answer. */
struct asked {
    struct http_exchange x;
    int finished;
};

static inline struct work_bulkhead *open_bulkhead(const char *name)
{
    struct work_options options = {
        .name = name, .threads = 2, .queue_max = 16, .stack_bytes = (size_t)1024 * 1024
    };
    struct work_bulkhead *b = NULL;
    CHECK_ERR(work_bulkhead_new(&options, &b), ERR_OK);
    return b;
}

static inline struct api_options standard_options(void)
{
    return (struct api_options){ .login_cost = 16,
                                 .login_deadline_ms = 20000,
                                 .store_deadline_ms = 20000,
                                 .refusal_pause_ms = 200,
                                 .public_url = SPAN("https://auth.example.org"),
                                 .issuer = SPAN("https://auth.example.org"),
                                 .jwks_max_age_s = 600,
                                 .algorithm = SPAN("HS256"),
                                 .cors_origins =
                                     SPAN("https://app.example.org, https://b.example.org") };
}

static inline void service_open(struct service *s, struct api_options options)
{
    *s = (struct service){ .peer = { .address = "192.0.2.7", .loop = 0, .tls = true } };
    world_start(&s->world);
    door_open(&s->world, &s->door);
    CHECK(uv_loop_init(&s->loop) == 0);
    CHECK_ERR(work_mailbox_new(&s->loop, &s->mailbox), ERR_OK);
    s->store_work = open_bulkhead("store");
    s->password_work = open_bulkhead("password");
    options.auth = s->door.auth;
    options.mailboxes = &s->mailbox;
    options.store_work = s->store_work;
    options.password_work = s->password_work;
    CHECK_ERR(api_open(&options, &s->api), ERR_OK);
    s->handler = api_handler(s->api);
    s->metrics = api_metrics_handler(s->api);
}

static inline void service_auto(struct service *s)
{
    work_bulkhead_free(s->store_work);
    work_bulkhead_free(s->password_work);
    work_mailbox_close(s->mailbox);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&s->loop) == 0);
    api_close(s->api);
    door_close(&s->door);
    world_end(&s->world);
}
#define SERVICE(name, options)                                                                     \
    __attribute__((cleanup(service_auto))) struct service name;                                    \
    service_open(&(name), (options))

static inline void asked_auto(struct asked *q)
{
    arena_done(&q->x.arena);
}
#define ASKED(name) __attribute__((cleanup(asked_auto))) struct asked name = { 0 }

static inline void count_finish(struct http_exchange *x)
{
    ((struct asked *)x)->finished++;
}

/* Reads the request `text` into `q`; what the parser says of it. */
static inline enum err read_request(struct service *s, struct asked *q, struct span text)
{
    static const struct http_limits limits = {
        .max_header_bytes = 16384, .max_headers = 64, .max_body_bytes = 16384, .max_uri_bytes = 2048
    };
    AUTO(http_parser) struct http_parser *parser = NULL;
    enum http_progress progress = HTTP_MORE;
    size_t used = 0;
    *q = (struct asked){ .x = { .peer = &s->peer, .finish = count_finish, .started_us = 1 } };
    arena_init(&q->x.arena, ARENA_BYTES);
    CHECK_ERR(http_parser_new(&limits, &parser), ERR_OK);
    http_parser_begin(parser, &q->x);
    enum err why = http_parser_feed(parser, text, &used, &progress);
    CHECK(why != ERR_OK || progress == HTTP_REQUEST_DONE);
    return why;
}

static inline void wait_for(struct service *s, struct asked *q)
{
    while (q->finished == 0) {
        (void)uv_run(&s->loop, UV_RUN_ONCE);
    }
    CHECK_INT(q->finished, 1);
}

static inline void ask_of(struct service *s, struct http_handler handler, struct asked *q,
                          const char *text)
{
    enum err why = read_request(s, q, span_of(text));
    if (why == ERR_OK) {
        handler.on_request(handler.context, &q->x);
    } else {
        handler.on_refused(handler.context, &q->x, why);
    }
    wait_for(s, q);
}

/* `first`: method and target; `headers`: lines with CRLF; `body`: NULL for none. */
static inline int ask(struct service *s, struct asked *q, const char *first, const char *headers,
                      const char *body)
{
    char text[20000];
    int length =
        body != NULL
            ? snprintf(text, sizeof text,
                       "%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n%s\r\n%s", first,
                       strlen(body), headers, body)
            : snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", first, headers);
    CHECK(length > 0 && (size_t)length < sizeof text);
    asked_auto(q);
    ask_of(s, s->handler, q, text);
    return q->x.response.status;
}

#define JSON_TYPE "Content-Type: application/json\r\n"
static inline int post(struct service *s, struct asked *q, const char *path, const char *body)
{
    char first[256];
    (void)snprintf(first, sizeof first, "POST %s", path);
    return ask(s, q, first, JSON_TYPE, body);
}

static inline struct span answer_header(const struct asked *q, const char *name)
{
    const struct http_response *r = &q->x.response;
    for (size_t i = 0; i < r->header_count; i++) {
        if (span_equal_nocase(r->headers[i].name, span_of(name))) {
            return r->headers[i].value;
        }
    }
    return SPAN_NONE;
}

static inline bool body_has(const struct asked *q, const char *text)
{
    struct span body = q->x.response.body;
    return body.length > 0 && memmem(body.data, body.length, text, strlen(text)) != NULL;
}

/* The text of a member of the answer, by its quotes. */
static inline void body_text(const struct asked *q, const char *name, char *out, size_t size)
{
    char key[64];
    (void)snprintf(key, sizeof key, "\"%s\":\"", name);
    struct span body = q->x.response.body;
    const char *at = memmem(body.data, body.length, key, strlen(key));
    CHECK(at != NULL);
    at += strlen(key);
    struct span rest = { at, (size_t)(body.data + body.length - at) };
    size_t length = span_find(rest, '"');
    CHECK(length < size);
    memcpy(out, at, length);
    out[length] = '\0';
}

struct login {
    char bearer[4200]; /* a header line */
    char refresh_token[512], access_token[4096];
};

#define ACCOUNT "{\"username\":\"ann\",\"password\":\"" PASSWORD "\"}"
static inline void make_account(struct service *s)
{
    ASKED(q);
    CHECK_INT(post(s, &q, "/register", ACCOUNT), 201);
}

static inline void log_in_as_ann(struct service *s, struct login *l)
{
    ASKED(q);
    CHECK_INT(post(s, &q, "/login", ACCOUNT), 200);
    body_text(&q, "access_token", l->access_token, sizeof l->access_token);
    body_text(&q, "refresh_token", l->refresh_token, sizeof l->refresh_token);
    (void)snprintf(l->bearer, sizeof l->bearer, "Authorization: Bearer %s\r\n", l->access_token);
}

#endif

/* test_auth_world.h - what every auth test stands on: a real SQLite file in a directory of its own,
 * real tokens, a real engine at the lowest cost, and a clock that the test moves. A second `door`
 * on the same file is another process. */
#ifndef DOORWARD_TEST_AUTH_WORLD_H
#define DOORWARD_TEST_AUTH_WORLD_H

#include "auth.h"
#include "check.h"
#include "password.h"
#include "store.h"
#include "token.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define START_MS     INT64_C(1790000000000)
#define ARENA_BYTES  (256 * 1024)
#define MASTER       "0123456789abcdef0123456789abcdef"
#define OTHER_MASTER "fedcba9876543210fedcba9876543210"
#define PASSWORD     "correct horse battery"

struct world {
    char directory[64], uri[96];
    struct clock clock;
    int64_t busy_timeout_ms; /* how long a store waits for another process */
};
struct door {
    struct store *store;
    struct tokens *tokens;
    struct password_engine *engine;
    struct auth *auth;
};

static inline void world_start(struct world *w)
{
    *w = (struct world){ .directory = "/tmp/doorward-auth-XXXXXX", .busy_timeout_ms = 5000 };
    CHECK(mkdtemp(w->directory) != NULL);
    (void)snprintf(w->uri, sizeof(w->uri), "sqlite:%s/store.db", w->directory);
    atomic_store(&w->clock.frozen_ms, START_MS);
}

static inline void world_end(struct world *w)
{
    static const char *const names[] = { "store.db", "store.db-wal", "store.db-shm" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", w->directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(w->directory);
}

static inline void pass_ms(struct world *w, int64_t ms)
{
    atomic_fetch_add(&w->clock.frozen_ms, ms);
}

static inline struct store *open_store(struct world *w, const struct clock *clock)
{
    struct store_options options = {
        .uri = span_of(w->uri), .clock = clock, .readers = 4, .busy_timeout_ms = w->busy_timeout_ms
    };
    struct arena a;
    struct span why = SPAN_NONE;
    struct store *s = NULL;
    arena_init(&a, ARENA_BYTES);
    CHECK_ERR(store_open(&options, &a, &why, &s), ERR_OK);
    arena_done(&a);
    return s;
}

static inline struct tokens *open_tokens_of(const char *algorithm, const char *master,
                                            const char *older)
{
    struct token_options options = { .issuer = SPAN("doorward"),
                                     .audience = SPAN("doorward"),
                                     .algorithm = span_of(algorithm),
                                     .type = SPAN("at+jwt"),
                                     .expiry_s = 3600,
                                     .leeway_s = 30,
                                     .master = { span_of(master), span_of(older) },
                                     .master_count = older == NULL ? 1 : 2 };
    struct tokens *t = NULL;
    if (strcmp(algorithm, "HS256") == 0) {
        options.secret = SPAN("a secret of 32 bytes or some more");
    }
    CHECK_ERR(token_open(&options, &t), ERR_OK);
    return t;
}

static inline struct tokens *open_tokens(const char *algorithm, const char *master)
{
    return open_tokens_of(algorithm, master, NULL);
}

static inline struct auth_options door_options(const struct door *d, const struct clock *clock)
{
    return (struct auth_options){ .store = d->store,
                                  .tokens = d->tokens,
                                  .passwords = d->engine,
                                  .clock = clock,
                                  .loops = 2,
                                  .token_cache_bytes = (size_t)1024 * 1024,
                                  .password_min_length = 8,
                                  .max_sessions_per_user = 5,
                                  .access_expiry_s = 3600,
                                  .leeway_s = 30,
                                  .refresh_expiry_s = 1209600,
                                  .session_max_age_s = 7776000,
                                  .refresh_grace_s = 10,
                                  .login_attempts = 3,
                                  .login_max_wait_s = 60,
                                  .revocation_max_lag_s = 30 };
}

/* Everything but auth itself. */
static inline void door_parts(struct world *w, const struct clock *clock, struct door *d)
{
    struct password_options engine = { .threads = 1, .cost = 4, .queue_max = 64 };
    d->store = open_store(w, clock);
    d->tokens = open_tokens("HS256", MASTER);
    CHECK_ERR(password_engine_new(&engine, &d->engine), ERR_OK);
}

static inline void door_open_at(struct world *w, const struct clock *clock, struct door *d)
{
    door_parts(w, clock, d);
    struct auth_options options = door_options(d, clock);
    CHECK_ERR(auth_open(&options, &d->auth), ERR_OK);
    CHECK_ERR(auth_prepare(d->auth), ERR_OK);
}

static inline void door_open(struct world *w, struct door *d)
{
    door_open_at(w, &w->clock, d);
}

static inline void door_close(struct door *d)
{
    auth_close(d->auth);
    store_close(d->store);
    token_close(d->tokens);
    password_engine_free(d->engine);
    *d = (struct door){ 0 };
}

/* One request: an arena and its surroundings. */
struct request {
    struct arena arena;
    struct auth_call call;
};

static inline void request_start(struct request *r)
{
    arena_init(&r->arena, ARENA_BYTES);
    r->call = (struct auth_call){ .arena = &r->arena,
                                  .request_id = SPAN("request-1"),
                                  .ip = SPAN("192.0.2.1"),
                                  .agent = SPAN("curl/8") };
}
static inline void request_auto(struct request *r)
{
    arena_done(&r->arena);
}
#define REQUEST(name)                                                                              \
    __attribute__((cleanup(request_auto))) struct request name;                                    \
    request_start(&(name))

/* A world with one door, which end with their scope: WORLD(w, d); */
static inline void world_auto(struct world *w)
{
    world_end(w);
}
static inline void door_auto(struct door *d)
{
    door_close(d);
}
#define DOOR(name) __attribute__((cleanup(door_auto))) struct door name = { 0 }
#define EMPTY_WORLD(w)                                                                             \
    __attribute__((cleanup(world_auto))) struct world w;                                           \
    world_start(&(w))
#define WORLD(w, d)                                                                                \
    EMPTY_WORLD(w);                                                                                \
    DOOR(d);                                                                                       \
    door_open(&(w), &(d))

static inline struct auth_user register_user(struct door *d, struct request *r, const char *name)
{
    struct auth_registration in = { .username = span_of(name), .password = SPAN(PASSWORD) };
    struct auth_input_errors errors;
    struct auth_user user = { 0 };
    CHECK_ERR(auth_register(d->auth, &r->call, &in, &errors, &user), ERR_OK);
    return user;
}

static inline enum err try_login(struct door *d, struct request *r, const char *name,
                                 const char *password)
{
    struct auth_login_input in = { .identifier = span_of(name), .password = span_of(password) };
    struct auth_user user;
    struct auth_tokens tokens;
    bool known = false;
    return auth_login(d->auth, &r->call, &in, &user, &tokens, &known);
}

static inline struct auth_tokens log_in(struct door *d, struct request *r, const char *name)
{
    struct auth_login_input in = { .identifier = span_of(name), .password = SPAN(PASSWORD) };
    struct auth_user user;
    struct auth_tokens tokens = { 0 };
    bool known = false;
    CHECK_ERR(auth_login(d->auth, &r->call, &in, &user, &tokens, &known), ERR_OK);
    return tokens;
}

static inline struct auth_tokens register_and_log_in(struct door *d, struct request *r)
{
    (void)register_user(d, r, "ann");
    return log_in(d, r, "ann");
}

static inline enum err verify(struct door *d, struct request *r, struct auth_tokens tokens)
{
    struct auth_caller caller;
    return auth_verify(d->auth, 0, tokens.access_token, &r->arena, &caller);
}

static inline struct auth_caller caller_of(struct door *d, struct request *r,
                                           struct auth_tokens tokens)
{
    struct auth_caller caller = { 0 };
    CHECK_ERR(auth_verify(d->auth, 1, tokens.access_token, &r->arena, &caller), ERR_OK);
    return caller;
}

static inline enum err refresh(struct door *d, struct request *r, struct span token,
                               struct auth_tokens *ret_tokens)
{
    return auth_refresh(d->auth, &r->call, token, ret_tokens);
}

/* The child of a token that must still be good. */
static inline struct auth_tokens child_of(struct door *d, struct request *r, struct span token)
{
    struct auth_tokens tokens = { 0 };
    CHECK_ERR(refresh(d, r, token, &tokens), ERR_OK);
    return tokens;
}

static inline enum err refresh_result(struct door *d, struct request *r, struct span token)
{
    struct auth_tokens tokens;
    return refresh(d, r, token, &tokens);
}

#endif

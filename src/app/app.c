/* app.c - store, tokens, engine and domain from the settings. */
#include "files.h"
#include "parts.h"
#include "work.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLI_BUSY_MS 5000 /* a person waits longer than a client */

void parts_settle_process(void)
{
    (void)umask(S_IRWXG | S_IRWXO);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 }); /* a core holds keys and passwords */
    memory_settle();
}

bool parts_has_ring(const struct config *c)
{
    return !span_equal(c->jwt_alg, SPAN("HS256"));
}

static struct span master_span(const uint8_t *key)
{
    return (struct span){ .data = (const char *)key, .length = CONFIG_MASTER_BYTES };
}

/* Anything else is for the store to refuse. */
static bool is_database(const char *path)
{
    static const char magic[16] = "SQLite format 3";
    char head[sizeof(magic)] = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool is = read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
              memcmp(head, magic, sizeof(magic)) == 0;
    (void)close(fd);
    return is;
}

/* Makes the key in ./var where there is none, before the database is made: a new key beside a
 * database that was used with another would quietly end every session in it. */
static enum err make_master(const struct config *c, struct arena *a, struct span *ret_why)
{
    if (c->master_count > 0 || access(FILES_MASTER, F_OK) == 0) {
        return ERR_OK;
    }
    const char *database = c->db_uri.data + sizeof("sqlite:") - 1;
    if (is_database(database)) {
        return config_refuse(a, ret_why,
                             "MASTER_KEY: " FILES_MASTER " is missing, but the database %s was "
                             "used with one; bring the file back, or give MASTER_KEY",
                             database);
    }
    TRY(files_make_directory(FILES_VAR, a, ret_why));
    return files_make_key(FILES_MASTER, CONFIG_MASTER_BYTES, a, ret_why);
}

static enum err read_master(struct arena *a, struct span *ret_why, struct span *ret_key)
{
    struct span bytes;
    struct span line;
    size_t length = 0;
    TRY(files_read(FILES_MASTER, FILES_SECRET, a, &bytes, ret_why));
    TRY(files_one_line(FILES_MASTER, bytes, a, &line, ret_why));
    uint8_t *key = (uint8_t *)arena_get(a, CONFIG_MASTER_BYTES);
    if (key == NULL) {
        return ERR_NOMEM;
    }
    if (!span_from_base64(line, key, CONFIG_MASTER_BYTES, &length) ||
        length != CONFIG_MASTER_BYTES) {
        return config_refuse(a, ret_why,
                             FILES_MASTER ": is not 32 bytes in base64; bring the right file back, "
                                          "or give MASTER_KEY");
    }
    *ret_key = master_span(key);
    return ERR_OK;
}

static enum err find_masters(const struct config *c, struct arena *a, struct span *ret_why,
                             struct token_options *options)
{
    if (c->master_count == 0) {
        options->master_count = 1;
        return read_master(a, ret_why, &options->master[0]);
    }
    options->master_count = c->master_count;
    for (size_t i = 0; i < c->master_count; i++) {
        options->master[i] = master_span(c->master[i]);
    }
    return ERR_OK;
}

static enum err open_store(struct app *app, unsigned readers, int64_t busy_timeout_ms,
                           struct arena *a, struct span *ret_why)
{
    const struct config *c = app->config;
    struct store_options options = {
        .uri = c->db_uri,
        .clock = &app->clock,
        .readers = readers,
        .busy_timeout_ms = busy_timeout_ms,
        .meanwhile = work_meanwhile,
        .pool = (unsigned)c->mongo_pool,
        .pool_wait_ms = c->mongo_pool_wait_ms,
        .selection_timeout_ms = c->mongo_selection_ms,
        .socket_timeout_ms = c->mongo_socket_ms,
    };
    struct span why = SPAN_NONE;
    enum err e = store_open(&options, a, &why, &app->store);
    if (e != ERR_OK && why.length > 0) {
        TRY(arena_printf(a, ret_why, "DB_URI: %.*s", SPAN_FMT(why)));
    }
    return e;
}

static enum err open_tokens(struct app *app, struct arena *a, struct span *ret_why)
{
    const struct config *c = app->config;
    struct token_options options = {
        .issuer = c->jwt_issuer,
        .audience = c->jwt_audience,
        .algorithm = c->jwt_alg,
        .type = c->jwt_typ,
        .secret = c->jwt_secret,
        .secret_previous = c->jwt_secret_previous,
        .expiry_s = c->jwt_expiry,
        .leeway_s = c->jwt_leeway,
    };
    TRY(find_masters(c, a, ret_why, &options));
    enum err e = token_open(&options, &app->tokens);
    if (e == ERR_CONFIG) {
        *ret_why =
            SPAN("JWT_ALG, JWT_SECRET, MASTER_KEY: do not go together; is a key given twice?");
    }
    return e;
}

static enum err open_auth(struct app *app, unsigned loops)
{
    const struct config *c = app->config;
    struct auth_options options = {
        .store = app->store,
        .tokens = app->tokens,
        .passwords = app->engine,
        .clock = &app->clock,
        .loops = loops,
        .has_ring = parts_has_ring(c),
        .token_cache_bytes = (size_t)c->token_cache_bytes,
        .password_min_length = (size_t)c->password_min_length,
        .max_sessions_per_user = (size_t)c->max_sessions,
        .access_expiry_s = c->jwt_expiry,
        .leeway_s = c->jwt_leeway,
        .refresh_expiry_s = c->refresh_expiry,
        .session_max_age_s = c->session_max_age,
        .refresh_grace_s = c->refresh_grace,
        .login_attempts = c->login_attempts,
        .login_max_wait_s = c->login_max_wait,
        .revocation_max_lag_s = c->revocation_max_lag,
        .key_rotation_s = c->key_rotation,
        .jwks_max_age_s = c->jwks_max_age,
    };
    return auth_open(&options, &app->auth);
}

static struct password_options engine_options(const struct config *c, const struct sizes *sizes)
{
    return (struct password_options){
        .threads = sizes->engine_threads,
        /* A caller waits for its one job, so there are no more jobs than workers. */
        .queue_max = sizes->password_workers,
        .form = c->password_hash == 0 ? PASSWORD_BCRYPT : PASSWORD_ARGON2ID,
        .cost = (unsigned)c->bcrypt_cost,
        .argon2_memory_kib = (uint32_t)c->argon2_memory,
        .argon2_passes = (uint32_t)c->argon2_iterations,
        .memory_budget = (uint64_t)c->argon2_memory_budget,
        .kernel = c->password_kernel,
        .lanes = (unsigned)c->password_lanes,
    };
}

static enum err open_engine(const struct password_options *options, struct arena *a,
                            struct span *ret_why, struct password_engine **ret_engine)
{
    if (!password_kernel_fits(options->kernel, options->lanes)) {
        return config_refuse(a, ret_why,
                             "PASSWORD_KERNEL: this CPU does not run \"%.*s\", or not with "
                             "PASSWORD_LANES=%u; auto and 0 always fit",
                             SPAN_FMT(options->kernel), options->lanes);
    }
    enum err e = password_engine_new(options, ret_engine);
    if (e == ERR_CONFIG) {
        *ret_why = SPAN("ARGON2_MEMORY, ARGON2_ITERATIONS: are more together than a hash may cost; "
                        "lower one of them");
    }
    return e;
}

static enum err open_parts(struct app *app, const struct sizes *sizes, struct arena *a,
                           struct span *ret_why)
{
    const struct config *c = app->config;
    const struct password_options engine = engine_options(c, sizes);
    bool serves = sizes->loops > 0;
    if (span_starts(c->db_uri, SPAN("sqlite:" FILES_VAR "/"))) {
        TRY(files_make_directory(FILES_VAR, a, ret_why));
    }
    TRY(make_master(c, a, ret_why));
    TRY(open_store(app, sizes->readers, serves ? c->store_deadline_ms : CLI_BUSY_MS, a, ret_why));
    TRY(open_tokens(app, a, ret_why));
    TRY(open_engine(&engine, a, ret_why, &app->engine));
    return open_auth(app, serves ? sizes->loops : 1);
}

enum err parts_open(const struct config *c, const struct sizes *sizes, struct arena *a,
                    struct span *ret_why, struct app **ret_app)
{
    struct app *app = calloc(1, sizeof(*app));
    if (app == NULL) {
        return ERR_NOMEM;
    }
    app->config = c;
    enum err e = open_parts(app, sizes, a, ret_why);
    if (e != ERR_OK) {
        app_close(app);
        return e;
    }
    *ret_app = app;
    return ERR_OK;
}

enum err app_open(const struct config *c, struct arena *a, struct span *ret_why,
                  struct app **ret_app)
{
    struct sizes sizes = { .engine_threads = 1, .password_workers = 1, .readers = 1 };
    *ret_why = SPAN_NONE;
    parts_settle_process();
    enum err e = parts_open(c, &sizes, a, ret_why, ret_app);
    if (e != ERR_OK && ret_why->length == 0) {
        *ret_why = span_of(err_text(e));
    }
    return e;
}

enum err app_open_engine(const struct config *c, unsigned cost, struct arena *a,
                         struct span *ret_why, struct password_engine **ret_engine)
{
    unsigned cpus = c->machine.cpus;
    struct sizes sizes = { .engine_threads = cpus,
                           .password_workers = 2 * cpus * PASSWORD_LANES_MAX };
    struct password_options options = engine_options(c, &sizes);
    options.form = PASSWORD_BCRYPT;
    options.cost = cost;
    *ret_why = SPAN_NONE;
    enum err e = open_engine(&options, a, ret_why, ret_engine);
    if (e != ERR_OK && ret_why->length == 0) {
        *ret_why = span_of(err_text(e));
    }
    return e;
}

struct auth *app_auth(struct app *app)
{
    return app->auth;
}

void app_close(struct app *app)
{
    if (app != NULL) {
        auth_close(app->auth);
        password_engine_free(app->engine);
        token_close(app->tokens);
        store_close(app->store);
        free(app);
    }
}

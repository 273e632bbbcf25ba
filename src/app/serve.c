/* serve.c - builds the service, waits for signals, takes it down again in order.
 *
 *   config > log > ./var, keys > store > tokens > engine > workers > bind > mailboxes > domain >
 *   api > upkeep > accept ... signal: drain > stop > the same way back (serve_close) */
#include "api.h"
#include "banner.h"
#include "files.h"
#include "net.h"
#include "parts.h"
#include "tls.h"
#include "tuning.h"
#include "upkeep.h"
#include "work.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MAX_LOOPS      256
#define MAX_LISTENERS  (CONFIG_MAX_ADDRESS + 1) /* and metrics */
#define START_BYTES    ((size_t)1024 * 1024)
#define LOG_RING_BYTES ((size_t)1024 * 1024)
#define CERT_SPARE_MS  (INT64_C(7) * 24 * 3600 * 1000)
#define STORE_NESTED   8 /* requests that one worker begins while a refresh of its waits */
#define EXIT_WORLD     1
#define EXIT_CONFIG    2

struct serve {
    const struct config *config;
    struct arena *arena; /* of the start */
    struct span why;
    int64_t started_us;
    struct sizes sizes;
    struct app *app;
    struct tls_context *tls;
    struct http_networks *trusted;
    struct work_bulkhead *store_work, *password_work;
    struct net_listener listeners[MAX_LISTENERS];
    size_t listener_count;
    struct net *net;
    struct work_mailbox *mailboxes[MAX_LOOPS];
    struct api *api;
    struct http_handler service, metrics; /* known once the api is open */
    struct upkeep *upkeep;
    struct tuning *tuning;
    bool started;
};

/* ---- certificate ---- */

static struct span host_of(struct span url)
{
    struct span rest = span_from(url, span_find(url, ':') + sizeof("//"));
    struct span host = span_slice(rest, 0, span_find(rest, '/'));
    if (host.length > 0 && host.data[0] == '[') {
        return span_slice(host, 1, span_find(host, ']') - 1);
    }
    return span_slice(host, 0, span_find(host, ':'));
}

static enum err make_cert(struct serve *s)
{
    TRY(files_make_directory(FILES_VAR, s->arena, &s->why));
    return tls_self_signed(FILES_CERT, FILES_KEY, host_of(s->config->public_url), s->arena,
                           &s->why);
}

static enum err open_own_cert(struct serve *s)
{
    struct tls_options options = { .cert_path = FILES_CERT, .key_path = FILES_KEY };
    if (access(FILES_CERT, F_OK) != 0 || access(FILES_KEY, F_OK) != 0) {
        TRY(make_cert(s));
    }
    TRY(tls_context_new(&options, s->arena, &s->why, &s->tls));
    if (tls_context_expires_at(s->tls) > clock_now_ms(&s->app->clock) + CERT_SPARE_MS) {
        return ERR_OK;
    }
    TRY(make_cert(s));
    return tls_context_reload(s->tls, s->arena, &s->why);
}

static enum err open_tls(struct serve *s)
{
    const struct config *c = s->config;
    if (c->tls == 0) {
        return ERR_OK;
    }
    if (c->tls_cert.length == 0) {
        return open_own_cert(s);
    }
    struct tls_options options = { .cert_path = c->tls_cert.data, .key_path = c->tls_key.data };
    return tls_context_new(&options, s->arena, &s->why, &s->tls);
}

/* ---- workers ---- */

static int64_t estimate_us(void *context, uint64_t queued_cost)
{
    return password_expected_wait_us(context, queued_cost);
}

static enum err open_work(struct serve *s)
{
    const struct config *c = s->config;
    INVARIANT(s->app != NULL);
    struct work_options store = {
        .name = "store",
        .threads = s->sizes.store_workers,
        .queue_max = (unsigned)c->store_queue,
        .stack_bytes = s->sizes.worker_stack_bytes,
        .nested_max = config_uses_mongo(c) ? 0 : STORE_NESTED,
    };
    struct work_options password = {
        .name = "password",
        .threads = s->sizes.password_workers,
        .queue_max = (unsigned)c->password_queue,
        .stack_bytes = s->sizes.worker_stack_bytes,
        .share = { [WORK_LOGIN] = (unsigned)(100 - c->register_share - c->change_share),
                   [WORK_REGISTER] = (unsigned)c->register_share,
                   [WORK_PASSWORD] = (unsigned)c->change_share },
        .estimate_us = estimate_us,
        .context = s->app->engine,
    };
    TRY(work_bulkhead_new(&store, &s->store_work));
    return work_bulkhead_new(&password, &s->password_work);
}

/* ---- network ---- */

/* net/ wants its handlers before the api, which wants net/'s loops: the call goes through here. */
static void pass_request(void *context, struct http_exchange *x)
{
    const struct http_handler *h = context;
    h->on_request(h->context, x);
}

static void pass_refused(void *context, struct http_exchange *x, enum err why)
{
    const struct http_handler *h = context;
    h->on_refused(h->context, x, why);
}

static void add_listener(struct serve *s, const char *address, int64_t port,
                         struct tls_context *tls, struct http_handler *handler)
{
    s->listeners[s->listener_count++] = (struct net_listener){
        .address = address,
        .port = (uint16_t)port,
        .tls = tls,
        .one_loop = handler == &s->metrics,
        .handler = { .on_request = pass_request, .on_refused = pass_refused, .context = handler },
    };
}

/* One hash may take minutes, and nobody waits for it any more. */
static void end_hashing(void *engine)
{
    password_engine_stop(engine);
}

static struct net_options net_options_of(const struct serve *s)
{
    const struct config *c = s->config;
    return (struct net_options){
        .listeners = s->listeners,
        .listener_count = s->listener_count,
        .loops = s->sizes.loops,
        .limits = { .max_header_bytes = (size_t)c->max_header_bytes,
                    .max_headers = (size_t)c->max_headers,
                    .max_body_bytes = (size_t)c->max_body_bytes,
                    .max_uri_bytes = (size_t)c->max_uri_bytes },
        .max_connections = s->sizes.connections,
        .max_pipelined = (size_t)c->max_pipelined,
        .request_arena_bytes = s->sizes.arena_bytes,
        .handshake_timeout_ms = c->handshake_timeout * 1000,
        .header_timeout_ms = c->header_timeout * 1000,
        .body_timeout_ms = c->body_timeout * 1000,
        .idle_timeout_ms = c->idle_timeout * 1000,
        .write_timeout_ms = c->write_timeout * 1000,
        .on_time_up = end_hashing,
        .context = s->app->engine,
    };
}

static enum err open_net(struct serve *s)
{
    const struct config *c = s->config;
    for (size_t i = 0; i < c->address_count; i++) {
        add_listener(s, c->addresses[i].data, c->port, s->tls, &s->service);
    }
    if (c->metrics_port != 0) {
        add_listener(s, c->metrics_listen.data, c->metrics_port, NULL, &s->metrics);
    }
    struct net_options options = net_options_of(s);
    TRY(net_open(&options, s->arena, &s->why, &s->net));
    for (unsigned i = 0; i < s->sizes.loops; i++) {
        TRY(work_mailbox_new(net_loop(s->net, i), &s->mailboxes[i]));
    }
    return ERR_OK;
}

/* ---- api ---- */

static enum err public_url_of(struct serve *s, struct span *ret_url)
{
    const struct config *c = s->config;
    if (c->public_url.length > 0) {
        *ret_url = c->public_url;
        return ERR_OK;
    }
    struct buf url;
    buf_init(&url, 128);
    banner_url(c, c->addresses[0], net_port(s->net, 0), &url);
    enum err e = arena_copy(s->arena, buf_span(&url), ret_url);
    buf_done(&url);
    return e;
}

static enum err open_api(struct serve *s)
{
    const struct config *c = s->config;
    struct span url;
    struct span bad;
    TRY(public_url_of(s, &url));
    if (c->trusted_proxies.length > 0) {
        TRY(http_networks_parse(c->trusted_proxies, &s->trusted, &bad));
    }
    struct api_options options = {
        .auth = s->app->auth,
        .store_work = s->store_work,
        .password_work = s->password_work,
        .mailboxes = s->mailboxes,
        .login_cost = password_live_steps(s->app->engine),
        .login_deadline_ms = c->login_deadline_ms,
        .store_deadline_ms = c->store_deadline_ms,
        .refusal_pause_ms = c->refusal_pause_ms,
        .public_url = url,
        .issuer = c->jwt_issuer,
        .jwks_max_age_s = c->jwks_max_age,
        .algorithm = c->jwt_alg,
        .cors_origins = c->cors_origins,
        .verify_cookie = c->verify_cookie,
        .cookies = (enum api_cookies)c->cookies,
        .responses = (enum api_responses)c->responses,
        .pages = c->pages == 1,
        .hsts = c->tls != 0 && c->tls_cert.length > 0,
        .trusted_proxies = s->trusted,
    };
    TRY(api_open(&options, &s->api));
    s->service = api_handler(s->api);
    s->metrics = api_metrics_handler(s->api);
    return ERR_OK;
}

/* ---- from the first to the last ---- */

static enum err prepare_auth(struct serve *s)
{
    INVARIANT(s->app != NULL);
    enum err e = auth_prepare(s->app->auth);
    if (e == ERR_CONFIG) {
        TRY(arena_printf(s->arena, &s->why,
                         "MASTER_KEY: %s; bring that one back (" FILES_MASTER "?), behind the "
                         "first with a comma between",
                         auth_problem(s->app->auth)));
    } else if (e == ERR_UNAVAILABLE) {
        s->why = SPAN("DB_URI: the store cannot be written; see that its disk has room and that no "
                      "other program holds it");
    }
    return e;
}

static enum err serve_open(struct serve *s)
{
    const struct config *c = s->config;
    s->sizes = sizes_plan(c);
    if (s->sizes.connections == 0) {
        s->why = SPAN("MAX_CONNECTIONS: the limit on open files leaves none; raise it (ulimit -n)");
        return ERR_IO;
    }
    TRY(log_start((enum log_level)c->log_level, (enum log_format)c->log_format, LOG_RING_BYTES));
    TRY(parts_open(c, &s->sizes, s->arena, &s->why, &s->app));
    TRY(open_tls(s));
    TRY(open_work(s));
    TRY(open_net(s)); /* before anything is written: a port in use changes nothing */
    TRY(prepare_auth(s));
    TRY(open_api(s));
    TRY(upkeep_new(s->app->auth, s->tls, &s->upkeep));
    TRY(net_start(s->net));
    tuning_start(c, s->app->engine, &s->tuning);
    s->started = true;
    return ERR_OK;
}

static void close_mailbox(void *context, unsigned loop)
{
    struct serve *s = context;
    if (s->mailboxes[loop] != NULL) {
        work_mailbox_close(s->mailboxes[loop]);
        s->mailboxes[loop] = NULL;
    }
}

/* The one way down, also for what was only half built. */
static void serve_close(struct serve *s)
{
    if (s->net != NULL) {
        net_stop(s->net, s->config->drain_timeout * 1000, close_mailbox, s);
        password_engine_stop(s->app->engine); /* for who is tuning it */
    }
    tuning_finish(s->tuning);
    upkeep_free(s->upkeep);
    work_bulkhead_free(s->password_work);
    work_bulkhead_free(s->store_work);
    api_close(s->api);
    net_close(s->net);
    app_close(s->app);
    tls_context_free(s->tls);
    http_networks_free(s->trusted);
}

/* ---- signals ---- */

static void end_at_once(int number)
{
    (void)number;
    _exit(EXIT_WORLD);
}

/* Blocked before the first thread starts, so that every thread inherits it and only the main one
 * takes them. */
static void block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a failed write, not our end */
}

static int wait_for_end(struct serve *s, const sigset_t *set)
{
    for (;;) {
        int number = sigwaitinfo(set, NULL);
        if (number == SIGHUP) {
            upkeep_reload(s->upkeep);
        } else if (number > 0) {
            return number;
        }
    }
}

static void drain(struct serve *s, int number)
{
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGTERM, end_at_once);
    (void)signal(SIGINT, end_at_once);
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
    log_event(LOG_INFO, "draining", LOG_STR("signal", number == SIGINT ? "SIGINT" : "SIGTERM"),
              LOG_NUMBER("delay_s", s->config->drain_delay),
              LOG_NUMBER("timeout_s", s->config->drain_timeout),
              LOG_NUMBER("connections", net_connections(s->net)));
    api_drain(s->api);
    net_drain(s->net);
    struct timespec delay = { .tv_sec = s->config->drain_delay };
    while (nanosleep(&delay, &delay) != 0 && errno == EINTR) {
    }
}

/* ---- the process ---- */

static int run(struct serve *s, const sigset_t *signals)
{
    enum err e = serve_open(s);
    if (e != ERR_OK) {
        log_stop(); /* first, so that the line below is the last */
        struct span why = s->why.length > 0 ? s->why : span_of(err_text(e));
        (void)fprintf(stderr, "doorward: %.*s\n", SPAN_FMT(why));
        return e == ERR_CONFIG ? EXIT_CONFIG : EXIT_WORLD;
    }
    uint16_t port = net_port(s->net, 0);
    banner_print(s->config, &s->sizes, port);
    banner_log(s->config, &s->sizes, port, s->started_us);
    drain(s, wait_for_end(s, signals));
    return 0;
}

int app_serve(const struct config *c)
{
    sigset_t signals;
    struct arena arena;
    struct serve *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        (void)fprintf(stderr, "doorward: %s\n", err_text(ERR_NOMEM));
        return EXIT_WORLD;
    }
    parts_settle_process();
    block_signals(&signals);
    arena_init(&arena, START_BYTES);
    s->config = c;
    s->arena = &arena;
    s->started_us = clock_monotonic_us();
    int code = run(s, &signals);
    bool served = s->started;
    serve_close(s);
    if (served) {
        log_event(LOG_INFO, "stopped", LOG_NUMBER("code", code));
        log_stop();
    }
    free(s);
    arena_done(&arena);
    return code;
}

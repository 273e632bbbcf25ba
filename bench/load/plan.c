#include "plan.h"

#include "bench.h"
#include "words.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_USERS       32
#define DEFAULT_TOKENS      32
#define DEFAULT_CONNECTIONS 64

const char load_help[] =
    "what is asked\n"
    "  --mix LIST            weights: get, verify, profile, refresh, login, register; verify=1\n"
    "  --path PATH           what get asks for; /healthz\n"
    "  --users N             registered first, logged in by login; 32, or what --tokens needs\n"
    "  --users-file FILE     instead: NAME:PASSWORD a line, or {\"username\":..., "
    "\"password\":...}\n"
    "  --tokens N            sessions whose tokens verify, profile and refresh use; 32\n"
    "  --tokens-file FILE    instead, for verify and profile: an access token a line\n"
    "how often\n"
    "  --rate N              requests a second, due at fixed times whatever the answers do; 100\n"
    "  --rate max            as fast as the connections allow (then waiting is not seen)\n"
    "  --rate 100,200,400    steps, each as long as --duration, or 100,200,400:30s\n"
    "  --duration TIME       10s; us, ms, s, m, h\n"
    "  --warmup TIME         before it, at the first rate, not measured; 1s\n"
    "  --ramp TIME           before that, rising from 0; none\n"
    "  --timeout TIME        after which a request is given up; 10s\n"
    "by which connections\n"
    "  --connections N       64\n"
    "  --reconnect N         close each after N requests; never\n"
    "  --resume              new connections resume their last TLS session\n"
    "  --threads N           one a CPU\n"
    "  --cacert FILE         trust this certificate, or its authority\n"
    "  --insecure            trust any\n"
    "  --yes-i-own-it        the target may be another machine\n"
    "what comes of it\n"
    "  --json FILE           every figure; - is stdout\n"
    "  --hdr FILE            all latencies as HdrHistogram's text of percentiles\n"
    "  --html FILE           one page with charts; needs python3 with matplotlib\n"
    "  --slo LIST            \"verify:p99<5ms,errors<0.1%\"; exit code 1 when one does not hold\n";

enum option_code {
    OPTION_MIX = 256,
    OPTION_PATH,
    OPTION_USERS,
    OPTION_USERS_FILE,
    OPTION_TOKENS,
    OPTION_TOKENS_FILE,
    OPTION_RATE,
    OPTION_DURATION,
    OPTION_WARMUP,
    OPTION_RAMP,
    OPTION_TIMEOUT,
    OPTION_CONNECTIONS,
    OPTION_RECONNECT,
    OPTION_RESUME,
    OPTION_THREADS,
    OPTION_CACERT,
    OPTION_INSECURE,
    OPTION_OWNED,
    OPTION_JSON,
    OPTION_HDR,
    OPTION_HTML,
    OPTION_SLO,
};
static const struct option options[] = {
    { "mix", required_argument, NULL, OPTION_MIX },
    { "path", required_argument, NULL, OPTION_PATH },
    { "users", required_argument, NULL, OPTION_USERS },
    { "users-file", required_argument, NULL, OPTION_USERS_FILE },
    { "tokens", required_argument, NULL, OPTION_TOKENS },
    { "tokens-file", required_argument, NULL, OPTION_TOKENS_FILE },
    { "rate", required_argument, NULL, OPTION_RATE },
    { "steps", required_argument, NULL, OPTION_RATE },
    { "duration", required_argument, NULL, OPTION_DURATION },
    { "warmup", required_argument, NULL, OPTION_WARMUP },
    { "ramp", required_argument, NULL, OPTION_RAMP },
    { "timeout", required_argument, NULL, OPTION_TIMEOUT },
    { "connections", required_argument, NULL, OPTION_CONNECTIONS },
    { "reconnect", required_argument, NULL, OPTION_RECONNECT },
    { "resume", no_argument, NULL, OPTION_RESUME },
    { "threads", required_argument, NULL, OPTION_THREADS },
    { "cacert", required_argument, NULL, OPTION_CACERT },
    { "insecure", no_argument, NULL, OPTION_INSECURE },
    { "yes-i-own-it", no_argument, NULL, OPTION_OWNED },
    { "json", required_argument, NULL, OPTION_JSON },
    { "hdr", required_argument, NULL, OPTION_HDR },
    { "html", required_argument, NULL, OPTION_HTML },
    { "slo", required_argument, NULL, OPTION_SLO },
    { 0 },
};

/* What is put together only when every option is known. */
struct draft {
    struct plan *plan;
    struct schedule_lengths lengths;
    const char *slo_text;
};

unsigned plan_default_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus < 1 ? 1 : cpus > PLAN_MAX_THREADS ? PLAN_MAX_THREADS : (unsigned)cpus;
}

bool plan_path_is_good(const char *path)
{
    for (const char *c = path; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return false;
        }
    }
    return path[0] == '/';
}

/* ---- single options ---- */

static enum err refuse(const char *option, const char *value, const char *allowed)
{
    complain("load: --%s %s: %s", option, value, allowed);
    return ERR_CONFIG;
}

static enum err read_count(const char *option, uint64_t most, unsigned *ret_count)
{
    uint64_t number = 0;
    if (!span_to_u64(span_of(optarg), most, &number) || number == 0) {
        complain("load: --%s %s: a whole number from 1 to %llu", option, optarg,
                 (unsigned long long)most);
        return ERR_CONFIG;
    }
    *ret_count = (unsigned)number;
    return ERR_OK;
}

static enum err read_duration(const char *option, int64_t least_ns, int64_t *ret_ns)
{
    int64_t ns = 0;
    if (!words_duration(span_of(optarg), &ns) || ns < least_ns) {
        return refuse(option, optarg, "a duration such as 500ms, 10s, 2m");
    }
    *ret_ns = ns;
    return ERR_OK;
}

static enum err read_path(struct plan *p)
{
    if (!plan_path_is_good(optarg)) {
        return refuse("path", optarg, "it begins with / and has no spaces");
    }
    p->path = optarg;
    return ERR_OK;
}

/* The options with a value that has to be judged. */
static enum err read_number(int code, struct draft *d)
{
    struct plan *p = d->plan;
    switch (code) {
    case OPTION_USERS:
        return read_count("users", PLAN_MAX_USERS, &p->users);
    case OPTION_TOKENS:
        return read_count("tokens", PLAN_MAX_TOKENS, &p->tokens);
    case OPTION_CONNECTIONS:
        return read_count("connections", PLAN_MAX_CONNECTIONS, &p->connections);
    case OPTION_RECONNECT:
        return read_count("reconnect", UINT32_MAX, &p->reconnect);
    case OPTION_THREADS:
        return read_count("threads", PLAN_MAX_THREADS, &p->threads);
    case OPTION_DURATION:
        return read_duration("duration", 1, &d->lengths.step_ns);
    case OPTION_WARMUP:
        return read_duration("warmup", 0, &d->lengths.warmup_ns);
    case OPTION_RAMP:
        return read_duration("ramp", 0, &d->lengths.ramp_ns);
    case OPTION_TIMEOUT:
        return read_duration("timeout", NS_PER_S / 1000, &p->timeout_ns);
    default:
        return ERR_NOT_FOUND;
    }
}

static void read_text(int code, struct draft *d)
{
    struct plan *p = d->plan;
    const struct {
        int code;
        const char **value;
    } texts[] = {
        { OPTION_MIX, &p->mix_text },
        { OPTION_USERS_FILE, &p->users_file },
        { OPTION_TOKENS_FILE, &p->tokens_file },
        { OPTION_RATE, &p->rates },
        { OPTION_CACERT, &p->target.cacert },
        { OPTION_JSON, &p->json_path },
        { OPTION_HDR, &p->hdr_path },
        { OPTION_HTML, &p->html_path },
        { OPTION_SLO, &d->slo_text },
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].code == code) {
            *texts[i].value = optarg;
        }
    }
    p->resume = p->resume || code == OPTION_RESUME;
    p->target.insecure = p->target.insecure || code == OPTION_INSECURE;
    p->target.is_owned = p->target.is_owned || code == OPTION_OWNED;
}

static enum err read_options(int argc, char **argv, struct draft *d)
{
    int code = 0;
    while ((code = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (code == '?' || code == ':') {
            (void)complain_about_option(argv);
            return ERR_CONFIG;
        }
        enum err e = code == OPTION_PATH ? read_path(d->plan) : read_number(code, d);
        if (e == ERR_NOT_FOUND) {
            read_text(code, d);
        } else if (e != ERR_OK) {
            return e;
        }
    }
    if (argc - optind != 1) {
        complain(argc == optind ? "load: the target's URL is missing"
                                : "load: one URL, and options");
        return ERR_CONFIG;
    }
    d->plan->target.url = argv[optind];
    return ERR_OK;
}

/* ---- all together ---- */

bool plan_opens_sessions(const struct plan *p)
{
    const uint64_t *weight = p->mix.weight;
    bool reads = weight[ROUTE_VERIFY] > 0 || weight[ROUTE_PROFILE] > 0;
    return weight[ROUTE_REFRESH] > 0 || (reads && p->tokens_file == NULL);
}

static enum err settle_tokens(struct plan *p)
{
    bool refreshes = p->mix.weight[ROUTE_REFRESH] > 0;
    if (p->tokens_file != NULL && (refreshes || p->tokens > 0)) {
        complain("load: --tokens-file has access tokens only: without --tokens, and no refresh");
        return ERR_CONFIG;
    }
    if (!plan_opens_sessions(p)) {
        p->tokens = 0;
        return ERR_OK;
    }
    /* Each connection, and so each thread, may hold one; a refresh owns its session. */
    unsigned least = refreshes ? p->connections : p->threads;
    if (p->tokens == 0) {
        p->tokens = least > DEFAULT_TOKENS ? least : DEFAULT_TOKENS;
    }
    if (p->tokens < least) {
        complain("load: --tokens %u are too few: %u %s", p->tokens, least,
                 refreshes ? "connections may refresh at once" : "threads need one each");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

/* Logins open sessions, and a user's oldest session gives way: who holds ours does not log in. */
static enum err settle_users(struct plan *p)
{
    bool logs_in = p->mix.weight[ROUTE_LOGIN] > 0;
    unsigned holders = (p->tokens + PLAN_SESSIONS_PER_USER - 1) / PLAN_SESSIONS_PER_USER;
    unsigned least = holders + (logs_in ? 1 : 0);
    if (p->users_file == NULL) {
        if (p->users == 0 && least > 0) {
            p->users = 2 * holders > DEFAULT_USERS ? 2 * holders : DEFAULT_USERS;
        }
        p->users = least == 0 ? 0 : p->users;
    }
    if (p->users < least && p->users_file == NULL) {
        complain("load: --users %u are too few: %u for %u tokens%s", p->users, holders, p->tokens,
                 logs_in ? ", and one who logs in" : "");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static enum err settle_traffic(struct draft *d)
{
    struct plan *p = d->plan;
    struct span bad = SPAN_NONE;
    if (mix_parse(span_of(p->mix_text), &p->mix, &bad) != ERR_OK) {
        complain(
            "load: --mix %s: \"%.*s\" is no share; it has the form login=1,verify=99 with get, "
            "verify, profile, refresh, login, register",
            p->mix_text, SPAN_FMT(bad));
        return ERR_CONFIG;
    }
    if (schedule_parse(span_of(p->rates), d->lengths, &p->schedule, &bad) != ERR_OK) {
        complain("load: --rate %s: \"%.*s\" is no rate; up to %d steps of at most %.0f a second, "
                 "or max",
                 p->rates, SPAN_FMT(bad), SCHEDULE_MAX_STEPS, SCHEDULE_MAX_RATE);
        return ERR_CONFIG;
    }
    if (d->slo_text != NULL && slo_parse(span_of(d->slo_text), &p->slo, &bad) != ERR_OK) {
        complain("load: --slo %s: \"%.*s\" is no limit; it has the form verify:p99<5ms or "
                 "errors<0.1%%",
                 d->slo_text, SPAN_FMT(bad));
        return ERR_CONFIG;
    }
    return ERR_OK;
}

enum err plan_parse(int argc, char **argv, struct plan *ret_plan)
{
    *ret_plan = (struct plan){ .rates = "100",
                               .mix_text = "verify=1",
                               .path = "/healthz",
                               .threads = plan_default_threads(),
                               .connections = DEFAULT_CONNECTIONS,
                               .timeout_ns = 10 * NS_PER_S };
    struct draft d = { .plan = ret_plan,
                       .lengths = { .step_ns = 10 * NS_PER_S, .warmup_ns = NS_PER_S } };
    TRY(read_options(argc, argv, &d));
    TRY(settle_traffic(&d));
    if (ret_plan->threads > ret_plan->connections) {
        ret_plan->threads = ret_plan->connections;
    }
    TRY(settle_tokens(ret_plan));
    return settle_users(ret_plan);
}

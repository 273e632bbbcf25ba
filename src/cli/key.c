/* key.c - `doorward key ...`: the signing keys, beside a running service as well. */
#include "auth.h"
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RUN_BYTES ((size_t)8 * 1024 * 1024) /* the list several times over */

/* One run of a command. */
struct key_run {
    /* from the command line */
    const char *env_file;
    bool now, yes;
    const char *kid; /* NULL where the command takes none */
    /* while it runs */
    const struct config *config;
    struct auth *auth;
    struct auth_call call;
    struct arena arena;
};

static int verb_main(const struct command *self, int argc, char **argv);

#define KID_NOTE "  KID is as `doorward key list` shows it.\n\n"

const struct command key_commands[] = {
    { "list", "", "kid, algorithm, generation, state, times, master key; tabs between",
      HELP_ENV_FILE, verb_main },
    { "rotate", "[--now]", "add the next signing key; it signs after JWKS_MAX_AGE",
      "  --now             it signs within seconds: in an emergency\n" HELP_ENV_FILE, verb_main },
    { "retire", "KID [--yes]", "refuse a key, and every token it signed, at once",
      KID_NOTE "  --yes             do not ask\n" HELP_ENV_FILE, verb_main },
    { 0 },
};

static const char *const state_names[] = {
    [AUTH_KEY_PENDING] = "pending",     [AUTH_KEY_SIGNING] = "signing",
    [AUTH_KEY_VERIFYING] = "verifying", [AUTH_KEY_ENDED] = "ended",
    [AUTH_KEY_RETIRED] = "retired",
};

/* ---- verbs ---- */

static const char *time_or_dash(int64_t at, char out[static CLOCK_RFC3339_LENGTH + 1])
{
    if (at == 0) {
        return "-";
    }
    clock_rfc3339(at, out);
    return out;
}

static void print_key(const struct auth_key *k)
{
    char created[CLOCK_RFC3339_LENGTH + 1];
    char active[CLOCK_RFC3339_LENGTH + 1];
    char ends[CLOCK_RFC3339_LENGTH + 1];
    int64_t ends_at = k->retired_at != 0 ? k->retired_at : k->ends_at;
    (void)printf("%.*s\t%.*s\t%lld\t%s\tcreated %s\tsigns from %s\tends %s\tmaster %s%s\n",
                 SPAN_FMT(k->kid), SPAN_FMT(k->algorithm), (long long)k->generation,
                 state_names[k->state], time_or_dash(k->created_at, created),
                 time_or_dash(k->active_at, active), time_or_dash(ends_at, ends), k->master,
                 k->master_known ? "" : " (missing)");
}

static enum err list(struct key_run *run)
{
    struct auth_key *keys = NULL;
    size_t count = 0;
    TRY(auth_key_list(run->auth, &run->call, &keys, &count));
    for (size_t i = 0; i < count; i++) {
        print_key(&keys[i]);
    }
    return ERR_OK;
}

static enum err rotate(struct key_run *run)
{
    struct auth_key added = { 0 };
    TRY(auth_key_rotate(run->auth, &run->call, run->now, &added));
    print_key(&added);
    if (run->now) {
        complain("key rotate: services that verify by themselves refuse the new key's tokens until "
                 "they read the key set again, which may take JWKS_MAX_AGE seconds");
    }
    return ERR_OK;
}

static void wait_ms(int64_t ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000 };
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static enum err retire(struct key_run *run)
{
    struct auth_key made = { 0 };
    TRY(auth_key_stand_in(run->auth, &run->call, span_of(run->kid), &made));
    if (made.kid.data != NULL) {
        print_key(&made);
        (void)fflush(stdout);
    }
    /* Also where there was one already: it may be as new. */
    wait_ms(AUTH_KEY_SPREAD_MS);
    return auth_key_retire(run->auth, &run->call, span_of(run->kid));
}

static const struct {
    const char *options; /* the letters of those that it takes besides help and env-file */
    bool needs_kid;
    enum err (*run)(struct key_run *run);
} verbs[] = {
    { "", false, list },
    { "n", false, rotate },
    { "y", true, retire },
};

/* ---- a run ---- */

static int report(const struct key_run *run, const struct command *self, enum err e)
{
    switch ((int)e) {
    case ERR_OK:
        return EXIT_DONE;
    case ERR_CONFIG:
        complain("MASTER_KEY: %s", auth_problem(run->auth));
        return EXIT_USAGE;
    case ERR_NOT_FOUND:
        complain("%s: no such key", run->kid);
        return EXIT_WORLD;
    case ERR_BUSY:
        complain("key %s: there are too many keys that still verify; try again when some have "
                 "ended (doorward key list)",
                 self->name);
        return EXIT_WORLD;
    case ERR_CONFLICT:
        complain("key %s: another process added a key at this moment; see doorward key list",
                 self->name);
        return EXIT_WORLD;
    default:
        complain("%s", err_text(e));
        return EXIT_WORLD;
    }
}

static bool is_confirmed(const struct key_run *run)
{
    char answer[8] = { 0 };
    if (run->yes) {
        return true;
    }
    if (isatty(STDIN_FILENO) != 1) {
        complain("key retire: nobody is there to ask; give --yes");
        return false;
    }
    (void)fprintf(stderr,
                  "Every token that %s signed is refused from now on. Type yes: ", run->kid);
    bool confirmed = fgets(answer, sizeof(answer), stdin) != NULL && strcmp(answer, "yes\n") == 0;
    if (!confirmed) {
        complain("key retire: nothing was changed");
    }
    return confirmed;
}

static int run_open(struct key_run *run, const struct command *self)
{
    struct span why = SPAN_NONE;
    AUTO(app) struct app *app = NULL;
    enum err e = app_open(run->config, &run->arena, &why, &app);
    if (e != ERR_OK) {
        complain("%.*s", SPAN_FMT(why));
        return e == ERR_CONFIG ? EXIT_USAGE : EXIT_WORLD;
    }
    run->auth = app_auth(app);
    run->call = (struct auth_call){ .arena = &run->arena, .agent = SPAN("doorward key") };
    if (!auth_has_ring(run->auth)) {
        complain("key %s: with JWT_SECRET there is no key ring; set another JWT_SECRET and give "
                 "the present one as JWT_SECRET_PREVIOUS until its tokens have expired",
                 self->name);
        return EXIT_USAGE;
    }
    return report(run, self, verbs[self - key_commands].run(run));
}

static bool take_option(struct key_run *run, const char *options, int option)
{
    if (option == 'e') {
        run->env_file = optarg;
        return true;
    }
    if (option == '?' || option == ':' || strchr(options, option) == NULL) {
        return false;
    }
    run->now = run->now || option == 'n';
    run->yes = run->yes || option == 'y';
    return true;
}

static bool take_arguments(struct key_run *run, const struct command *self, int argc, char **argv)
{
    int next = optind;
    if (verbs[self - key_commands].needs_kid) {
        if (next == argc) {
            complain("key %s: KID is missing; see doorward key %s --help", self->name, self->name);
            return false;
        }
        run->kid = argv[next++];
    }
    if (next < argc) {
        complain("key %s: takes no \"%s\"; see doorward key %s --help", self->name, argv[next],
                 self->name);
    }
    return next == argc;
}

static int parse_and_run(struct key_run *run, const struct command *self, int argc, char **argv)
{
    static const struct option known[] = {
        OPTION_HELP,
        OPTION_ENV_FILE,
        { "now", no_argument, NULL, 'n' },
        { "yes", no_argument, NULL, 'y' },
        { 0 },
    };
    int option;
    int code = EXIT_DONE;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (option == 'h') {
            command_print_help(self, "key ");
            return EXIT_DONE;
        }
        if (!take_option(run, verbs[self - key_commands].options, option)) {
            char words[32];
            (void)snprintf(words, sizeof(words), "key %s", self->name);
            return complain_about_option(words, argv);
        }
    }
    if (!take_arguments(run, self, argc, argv) ||
        (verbs[self - key_commands].needs_kid && !is_confirmed(run))) {
        return EXIT_USAGE;
    }
    AUTO(config) struct config *config = load_settings(run->env_file, &code);
    run->config = config;
    return config != NULL ? run_open(run, self) : code;
}

static int verb_main(const struct command *self, int argc, char **argv)
{
    struct key_run run = { 0 };
    arena_init(&run.arena, RUN_BYTES);
    int code = parse_and_run(&run, self, argc, argv);
    arena_done(&run.arena);
    return code;
}

int key_main(const struct command *self, int argc, char **argv)
{
    return command_run_verb(self, key_commands, argc, argv);
}

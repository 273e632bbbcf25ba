/* test_config.c - settings: every default, every bad value, hostile .env files, secrets in files.
 */
#include "check.h"

#include "env_file.h"
#include "files.h"
#include "near.h"
#include "settings.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_BYTES ((size_t)1024 * 1024)
#define GOOD_KEY    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* One reading: what was said, and what came of it. */
struct reading {
    struct arena arena;
    struct span why;
    struct config *config;
    enum err result;
};

static struct reading read_both(const char *const *environment, struct span env_text)
{
    struct reading r = { .why = SPAN_NONE };
    arena_init(&r.arena, ARENA_BYTES);
    struct config_input in = {
        .environment = environment,
        .env_text = env_text,
        .env_name = SPAN(".env"),
        .machine = { .cpus = 3, .memory_bytes = 1 << 30 },
    };
    r.result = config_read(&in, &r.arena, &r.why, &r.config);
    return r;
}

static struct reading read_env(const char *first, const char *second, const char *third)
{
    const char *environment[] = { first, second, third, NULL };
    return read_both(environment, SPAN_NONE);
}

static struct reading read_file(const char *text)
{
    const char *environment[] = { NULL };
    return read_both(environment, span_of(text));
}

static void reading_done(struct reading *r)
{
    config_free(r->config);
    arena_done(&r->arena);
}

static bool contains(struct span text, const char *word)
{
    return memmem(text.data, text.length, word, strlen(word)) != NULL;
}

/* Refused in one line that holds these words. */
static void check_refused(struct reading *r, const char *first, const char *second)
{
    CHECK_ERR(r->result, ERR_CONFIG);
    CHECK(r->config == NULL);
    if (!contains(r->why, first) || (second != NULL && !contains(r->why, second))) {
        print_error("\"%.*s\" lacks \"%s\" or \"%s\"\n", SPAN_FMT(r->why), first,
                    second != NULL ? second : "");
        fail();
    }
    CHECK(span_find(r->why, '\n') == r->why.length);
    reading_done(r);
}

static void check_accepted(struct reading *r)
{
    if (r->result != ERR_OK) {
        print_error("refused: %.*s\n", SPAN_FMT(r->why));
    }
    CHECK_ERR(r->result, ERR_OK);
}

/* ---- values ---- */

TEST(with_nothing_set_everything_has_its_default)
{
    struct reading r = read_env(NULL, NULL, NULL);
    check_accepted(&r);
    const struct config *c = r.config;
    CHECK_SPAN(c->db_uri, "sqlite:./var/doorward.db");
    CHECK_SPAN(c->addresses[0], "127.0.0.1");
    CHECK_INT(c->port, 8443);
    CHECK_INT(c->tls, 1);
    CHECK_SPAN(c->jwt_alg, "ES256");
    CHECK_SPAN(c->jwt_typ, "at+jwt");
    CHECK_SPAN(c->jwt_issuer, "doorward");
    CHECK_SPAN(c->jwt_audience, "doorward");
    CHECK_INT(c->jwt_expiry, 3600);
    CHECK_INT(c->refresh_expiry, 1209600);
    CHECK_INT(c->session_max_age, 7776000);
    CHECK_INT(c->bcrypt_cost, 12);
    CHECK_INT(c->loops, 3);
    CHECK_INT(c->password_workers, 21);
    CHECK_INT(c->store_workers, 64);
    CHECK_INT(c->log_format, LOG_JSON);
    CHECK_INT(c->metrics_port, 0);
    CHECK(c->jwt_secret.length == 0 && c->master_count == 0);
    reading_done(&r);
}

TEST(no_two_settings_share_a_name_or_a_field)
{
    for (size_t i = 0; i < settings_count; i++) {
        CHECK(settings[i].help != NULL);
        for (size_t j = 0; j < i; j++) {
            CHECK(!span_equal(span_of(settings[i].name), span_of(settings[j].name)));
            CHECK(settings[i].offset != settings[j].offset);
        }
    }
}

/* NAME=text in the environment is refused by name. */
static void check_bad(const char *name, const char *text)
{
    char line[2048];
    (void)snprintf(line, sizeof(line), "%s=%s", name, text);
    struct reading r = read_env(line, NULL, NULL);
    check_refused(&r, name, "; give ");
}

TEST(a_number_that_is_none_or_out_of_bounds_is_refused_by_name)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        char over[32];
        char under[32];
        if (s->kind != SETTING_NUMBER) {
            continue;
        }
        (void)snprintf(over, sizeof(over), "%lld", (long long)s->max + 1);
        (void)snprintf(under, sizeof(under), "%lld", (long long)s->min - 1);
        const char *const bad[] = { over, under, "",    "-1",  "+5", " 5 6",
                                    "5s", "0x5", "1e3", "1.5", "५",  "99999999999999999999999" };
        for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
            check_bad(s->name, bad[n]);
        }
    }
}

TEST(a_choice_that_is_none_is_refused_with_the_choices)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (settings[i].choices != NULL) {
            check_bad(settings[i].name, "");
            check_bad(settings[i].name, "maybe");
            check_bad(settings[i].name, settings[i].choices);
        }
    }
}

TEST(a_text_over_its_length_or_with_control_characters_is_refused)
{
    char longer[8192];
    memset(longer, 'a', sizeof(longer));
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        if (s->kind == SETTING_TEXT && s->choices == NULL) {
            size_t length = (size_t)s->max + 1 < 2000 ? (size_t)s->max + 1 : 2000;
            longer[length] = '\0';
            if (length > (size_t)s->max) {
                check_bad(s->name, longer);
            }
            longer[length] = 'a';
            check_bad(s->name, "a\nb");
            check_bad(s->name, "a\x7f");
            check_bad(s->name, "\xff\xfe");
        }
    }
}

TEST(texts_with_a_form_of_their_own_are_judged_by_it)
{
    static const struct {
        const char *name, *bad;
    } cases[] = {
        { "DB_URI", "postgres://x" },
        { "DB_URI", "mongodb:db" },
        { "DB_URI", "mongodb://" },
        { "DB_URI", "sqlite:" },
        { "LISTEN", "" },
        { "LISTEN", "localhost" },
        { "LISTEN", "127.0.0.1," },
        { "LISTEN", "127.0.0.1:80" },
        { "LISTEN", "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1" },
        { "METRICS_LISTEN", "127.0.0.1,::1" },
        { "PUBLIC_URL", "ftp://x" },
        { "PUBLIC_URL", "https://" },
        { "PUBLIC_URL", "https://user@host" },
        { "PUBLIC_URL", "https://host:0" },
        { "PUBLIC_URL", "https://host:65536" },
        { "PUBLIC_URL", "https://host/a b" },
        { "PUBLIC_URL", "https://host?q=1" },
        { "PUBLIC_URL", "https://[::1" },
        { "TRUSTED_PROXIES", "10.0.0.0/99" },
        { "CORS_ORIGINS", "*" },
        { "CORS_ORIGINS", "null" },
        { "CORS_ORIGINS", "https://a.example/" },
        { "CORS_ORIGINS", "https://A.example" },
        { "CORS_ORIGINS", "https://a.example,,https://b.example" },
        { "VERIFY_COOKIE", "a=b" },
        { "VERIFY_COOKIE", "a b" },
        { "JWT_SECRET", "" },
        { "JWT_SECRET", "1234567890123456789012345678901" },
        { "MASTER_KEY", "c2hvcnQ=" },
        { "MASTER_KEY", GOOD_KEY "," },
        { "MASTER_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" },
        { "MASTER_KEY", "________________________________________________" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_bad(cases[i].name, cases[i].bad);
    }
}

TEST(good_values_of_each_form_are_taken)
{
    static const char *const good[] = {
        "DB_URI=sqlite:/tmp/x.db",
        "MONGO_SOCKET_TIMEOUT_MS=30000",
        "LISTEN=0.0.0.0, ::1",
        "PUBLIC_URL=https://auth.example.org/login",
        "PUBLIC_URL=http://[::1]:8443",
        "TRUSTED_PROXIES=10.0.0.0/8, ::1/128",
        "CORS_ORIGINS=https://a.example, http://localhost:3000",
        "VERIFY_COOKIE=__Host-access",
        "METRICS_LISTEN=::",
        "MASTER_KEY=" GOOD_KEY ", " GOOD_KEY,
        "PORT=0",
        "CORS_ORIGINS=",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct reading r = read_env(good[i], NULL, NULL);
        check_accepted(&r);
        reading_done(&r);
    }
}

TEST(a_refusal_names_what_came_and_where_from)
{
    struct reading r = read_file("# first\n\nPORT=70000\n");
    check_refused(
        &r, "PORT (.env:3): \"70000\" is not allowed; give a whole number from 0 to 65535", NULL);
}

TEST(a_refused_secret_is_not_shown)
{
    struct reading r = read_env("JWT_SECRET=hunter2", NULL, NULL);
    CHECK(!contains(r.why, "hunter2"));
    check_refused(&r, "JWT_SECRET", "32");
}

/* ---- several together ---- */

TEST(a_secret_means_hs256_and_no_other_algorithm)
{
    struct reading r = read_env("JWT_SECRET=0123456789abcdef0123456789abcdef", NULL, NULL);
    check_accepted(&r);
    CHECK_SPAN(r.config->jwt_alg, "HS256");
    reading_done(&r);
    r = read_env("JWT_SECRET=0123456789abcdef0123456789abcdef", "JWT_ALG=ES256", NULL);
    check_refused(&r, "JWT_ALG", "HS256");
    r = read_env("JWT_ALG=HS256", NULL, NULL);
    check_refused(&r, "JWT_ALG", "JWT_SECRET");
    r = read_env("JWT_SECRET_PREVIOUS=0123456789abcdef0123456789abcdef", NULL, NULL);
    check_refused(&r, "JWT_SECRET_PREVIOUS", "JWT_SECRET");
}

TEST(a_weak_cost_wants_development)
{
    struct reading r = read_env("BCRYPT_COST=9", NULL, NULL);
    check_refused(&r, "BCRYPT_COST", "DEVELOPMENT");
    r = read_env("BCRYPT_COST=9", "DEVELOPMENT=1", NULL);
    check_accepted(&r);
    reading_done(&r);
}

TEST(keys_that_change_more_often_than_each_hour_want_development)
{
    struct reading r = read_env("KEY_ROTATION=3599", NULL, NULL);
    check_refused(&r, "KEY_ROTATION", "DEVELOPMENT");
    r = read_env("KEY_ROTATION=3600", "JWKS_MAX_AGE=3600", NULL);
    check_refused(&r, "KEY_ROTATION", "JWKS_MAX_AGE");
    static const char *const good[][2] = { { "KEY_ROTATION=3599", "DEVELOPMENT=1" },
                                           { "KEY_ROTATION=3600", "JWKS_MAX_AGE=3599" },
                                           { "KEY_ROTATION=0", "JWKS_MAX_AGE=3600" } };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        r = read_env(good[i][0], good[i][1], NULL);
        check_accepted(&r);
        reading_done(&r);
    }
}

TEST(a_certificate_and_its_key_come_together)
{
    struct reading r = read_env("TLS_CERT=/a", NULL, NULL);
    check_refused(&r, "TLS_CERT", "TLS_KEY");
    r = read_env("TLS_KEY=/a", NULL, NULL);
    check_refused(&r, "TLS_KEY", "TLS_CERT");
}

TEST(the_public_url_is_the_issuer_and_has_no_slash_at_its_end)
{
    struct reading r = read_env("PUBLIC_URL=https://auth.example.org/", NULL, NULL);
    check_accepted(&r);
    CHECK_SPAN(r.config->public_url, "https://auth.example.org");
    CHECK_SPAN(r.config->jwt_issuer, "https://auth.example.org");
    reading_done(&r);
}

TEST(limits_that_contradict_each_other_are_refused)
{
    struct reading r = read_env("MAX_URI_BYTES=2048", "MAX_HEADER_BYTES=2048", NULL);
    check_refused(&r, "MAX_URI_BYTES", "MAX_HEADER_BYTES");
    r = read_env("METRICS_PORT=8443", NULL, NULL);
    check_refused(&r, "METRICS_PORT", "PORT");
}

/* ---- sources ---- */

TEST(the_environment_wins_over_the_file_and_the_file_over_the_default)
{
    const char *environment[] = { "PORT=1001", "HOME=/root", "LESSOPEN=| x %s", "odd", NULL };
    struct reading r = read_both(environment, SPAN("PORT=1002\nIDLE_TIMEOUT=33\n"));
    check_accepted(&r);
    CHECK_INT(r.config->port, 1001);
    CHECK_INT(r.config->idle_timeout, 33);
    CHECK_INT(r.config->body_timeout, 20);
    struct buf text;
    buf_init(&text, ARENA_BYTES);
    config_print(r.config, &text);
    CHECK_ERR(buf_result(&text), ERR_OK);
    CHECK(contains(buf_span(&text), "PORT=1001  # environment\n"));
    CHECK(contains(buf_span(&text), "IDLE_TIMEOUT=33  # .env:2\n"));
    CHECK(contains(buf_span(&text), "BODY_TIMEOUT=20  # default\n"));
    buf_done(&text);
    reading_done(&r);
}

TEST(mongodb_needs_a_master_key_and_says_how_to_make_one)
{
    struct reading r = read_env("DB_URI=mongodb://db1,db2/auth?replicaSet=rs0", NULL, NULL);
    check_refused(&r, "MASTER_KEY", "openssl rand -base64 32");
    r = read_env("DB_URI=mongodb+srv://db.example.org/", "MASTER_KEY=" GOOD_KEY, NULL);
    check_accepted(&r);
    CHECK(config_uses_mongo(r.config));
    reading_done(&r);
}

TEST(on_mongodb_failures_are_forgotten_before_the_session_that_tells_of_a_success)
{
    const char *mongo = "DB_URI=mongodb://db/\nMASTER_KEY=" GOOD_KEY "\n";
    static const struct {
        const char *settings, *most; /* NULL: they go together */
    } cases[] = {
        { "LOGIN_MAX_WAIT=25411\n", NULL }, /* 51 x 25411 <= 15 days */
        { "LOGIN_MAX_WAIT=25412\n", "give at most 25411" },
        { "LOGIN_MAX_WAIT=900\nREFRESH_TOKEN_EXPIRY=1\n", NULL },
        { "LOGIN_MAX_WAIT=1700\nREFRESH_TOKEN_EXPIRY=1\n", "give at most 1694" },
        { "LOGIN_MAX_WAIT=1700\nSESSION_MAX_AGE=1\n", "give at most 1694" },
        { "LOGIN_ATTEMPTS=1000\nLOGIN_MAX_WAIT=1300\n", "give at most 1244" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), "%s%s", mongo, cases[i].settings);
        struct reading r = read_file(text);
        if (cases[i].most != NULL) {
            check_refused(&r, "LOGIN_MAX_WAIT: is too long for MongoDB", cases[i].most);
        } else {
            check_accepted(&r);
            reading_done(&r);
        }
        r = read_file(cases[i].settings); /* SQLite writes a success into the user */
        check_accepted(&r);
        reading_done(&r);
    }
}

TEST(a_database_uri_is_shown_without_its_credentials)
{
    static const struct {
        const char *uri, *shown;
    } cases[] = {
        { "mongodb://h/", "mongodb://h/" },
        { "mongodb://ann:hunter2@h1,h2/auth?tls=true&replicaSet=rs0",
          "mongodb://********@h1,h2/auth?tls=true&replicaSet=rs0" },
        { "mongodb+srv://ann:hunter2@h/", "mongodb+srv://********@h/" },
        { "mongodb://ann:hun@te/r2?x@h/", "mongodb://********@h/" },
        { "mongodb://hunter2@/h", "mongodb://********@/h" },
        { "mongodb://h/?tlsCertificateKeyFilePassword=hunter2&tlsCAFile=/ca",
          "mongodb://h/?tlsCertificateKeyFilePassword=********&tlsCAFile=/ca" },
        { "mongodb://h/?authMechanismProperties=X:hunter2",
          "mongodb://h/?authMechanismProperties=********" },
        { "mongodb://h/?hunter", "mongodb://h/?hunter=********" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char setting[256];
        char line[256];
        (void)snprintf(setting, sizeof(setting), "DB_URI=%s", cases[i].uri);
        (void)snprintf(line, sizeof(line), "DB_URI=%s  # environment\n", cases[i].shown);
        struct reading r = read_env(setting, "MASTER_KEY=" GOOD_KEY, NULL);
        check_accepted(&r);
        struct buf text;
        buf_init(&text, ARENA_BYTES);
        config_print(r.config, &text);
        CHECK(contains(buf_span(&text), line));
        CHECK(!contains(buf_span(&text), "hunter2"));
        buf_done(&text);
        reading_done(&r);
    }
    struct reading r = read_env("DB_URI=mongodb:ann:hunter2@h", NULL, NULL);
    check_bad("DB_URI", "mongodb:ann:hunter2@h");
    CHECK(!contains(r.why, "hunter2"));
    reading_done(&r);
}

TEST(what_is_printed_can_be_read_again_and_shows_no_secret)
{
    struct reading r =
        read_env("MASTER_KEY=" GOOD_KEY, "TLS_CERT=/a b/#c.crt", "TLS_KEY=/it's \\.key");
    check_accepted(&r);
    struct buf text;
    buf_init(&text, ARENA_BYTES);
    config_print(r.config, &text);
    CHECK(contains(buf_span(&text), "MASTER_KEY=********  # environment\n"));
    CHECK(!contains(buf_span(&text), "AAECAw"));
    buf_add_char(&text, '\0'); /* strtok() wants it */
    CHECK_ERR(buf_result(&text), ERR_OK);
    /* Secrets are masked, so their lines say nothing that could be read. */
    for (char *line = strtok(text.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        struct env_reader reader = { .rest = span_of(line) };
        struct env_entry entry;
        const char *problem = NULL;
        bool more = false;
        CHECK_ERR(env_file_next(&reader, &entry, &more, &problem), ERR_OK);
        CHECK(more);
        if (span_equal(entry.name, SPAN("TLS_CERT"))) {
            CHECK_SPAN(entry.value, "/a b/#c.crt");
        }
        if (span_equal(entry.name, SPAN("TLS_KEY"))) {
            CHECK_SPAN(entry.value, "/it's \\.key");
        }
    }
    buf_done(&text);
    reading_done(&r);
}

TEST(an_unknown_name_in_the_file_stops_with_a_neighbour)
{
    struct reading r = read_file("JWT_EXPIRY=60\nJWT_EXPIRI=60\n");
    check_refused(&r, ".env:2: JWT_EXPIRI", "JWT_EXPIRY?");
    r = read_file("SOMETHING_ELSE_ALTOGETHER=1\n");
    check_refused(&r, ".env:1: SOMETHING_ELSE_ALTOGETHER", "doorward config");
    r = read_file("PORT_FILE=/x\n"); /* no secret: there is no such name */
    check_refused(&r, ".env:1: PORT_FILE", NULL);
}

TEST(a_setting_that_is_given_twice_is_refused)
{
    struct reading r = read_file("PORT=1\nPORT=1\n");
    check_refused(&r, "PORT", "twice");
    r = read_env("JWT_SECRET=0123456789abcdef0123456789abcdef", "JWT_SECRET_FILE=/x", NULL);
    check_refused(&r, "JWT_SECRET", "_FILE");
}

/* ---- the .env format ---- */

TEST(the_env_format_takes_comments_quotes_and_export)
{
    struct reading r = read_file("");
    check_accepted(&r);
    reading_done(&r);
    r = read_file("  # comment\r\n"
                  "export PORT = 1001 # why\r\n"
                  "\texport\tTLS='off' # why\n"
                  "PUBLIC_URL=\"https://a.example/#x\"");
    check_refused(&r, "PUBLIC_URL (.env:4)", NULL);
    r = read_file(
        "export PORT = 1001 # why\r\n\n\nTLS='off'# why\nVERIFY_COOKIE=a#b\nCOOKIES=\"on\"");
    check_accepted(&r);
    CHECK_INT(r.config->port, 1001);
    CHECK_INT(r.config->tls, 0);
    CHECK_SPAN(r.config->verify_cookie, "a#b");
    CHECK_INT(r.config->cookies, 1);
    reading_done(&r);
}

TEST(nothing_is_expanded)
{
    struct reading r = read_file("DB_URI=sqlite:$HOME/`id`/$(id)/~\n");
    check_accepted(&r);
    CHECK_SPAN(r.config->db_uri, "sqlite:$HOME/`id`/$(id)/~");
    reading_done(&r);
}

TEST(a_line_of_another_form_is_refused_with_its_number)
{
    static const char *const bad[] = {
        "\nPORT\n",       "\n=1\n",         "\nPO RT=1\n",
        "\n1PORT=1\n",    "\nPORT=\"1\n",   "\nPORT='1\"\n",
        "\nPORT='1' 2\n", "\nPORT=1\x01\n", "\n\xef\xbb\xbfPORT=1\n",
        "\nexport\n",     "\nset PORT=1\n", "\nPÖRT=1\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct reading r = read_file(bad[i]);
        check_refused(&r, ".env:2: ", NULL);
    }
    const char *environment[] = { NULL };
    struct reading r = read_both(environment, SPAN("\nPORT=1\0002\n"));
    check_refused(&r, ".env:2: ", NULL);
}

TEST(every_prefix_of_a_file_is_read_or_refused_and_never_more)
{
    static const char text[] = "# c\nexport PORT='1001' # x\r\nLISTEN=\"::1\"\nTLS=off\n";
    for (size_t length = 0; length < sizeof(text); length++) {
        /* A copy of its own, so that a read past the end is found. */
        char *prefix = malloc(length + 1);
        CHECK(prefix != NULL);
        memcpy(prefix, text, length);
        struct env_reader reader = { .rest = { .data = prefix, .length = length } };
        struct env_entry entry;
        const char *problem = NULL;
        bool more = true;
        while (more && env_file_next(&reader, &entry, &more, &problem) == ERR_OK) {
        }
        CHECK(reader.line <= 5);
        free(prefix);
    }
}

/* ---- files ---- */

struct place {
    char directory[64], path[96], setting[160];
};

static struct place make_place(void)
{
    struct place p = { .directory = "/tmp/doorward-config-XXXXXX" };
    CHECK(mkdtemp(p.directory) != NULL);
    (void)snprintf(p.path, sizeof(p.path), "%s/secret", p.directory);
    (void)snprintf(p.setting, sizeof(p.setting), "JWT_SECRET_FILE=%s", p.path);
    return p;
}

static void write_secret(const struct place *p, const char *text, size_t length, mode_t mode)
{
    int fd = open(p->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, text, length) == (ssize_t)length);
    CHECK(fchmod(fd, mode) == 0);
    CHECK(close(fd) == 0);
}

static void place_done(const struct place *p)
{
    (void)unlink(p->path);
    (void)rmdir(p->directory);
}

#define SECRET_TEXT "0123456789abcdef0123456789abcdef"

TEST(a_secret_comes_from_a_file_without_its_line_end)
{
    static const char *const forms[] = { SECRET_TEXT, SECRET_TEXT "\n", SECRET_TEXT "\r\n" };
    struct place p = make_place();
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        write_secret(&p, forms[i], strlen(forms[i]), 0600);
        struct reading r = read_env(p.setting, NULL, NULL);
        check_accepted(&r);
        CHECK_SPAN(r.config->jwt_secret, SECRET_TEXT);
        reading_done(&r);
    }
    place_done(&p);
}

TEST(a_secret_file_that_others_could_read_or_change_is_refused)
{
    static const mode_t modes[] = { 0604, 0602, 0620, 0640, 0644, 0666, 0777 };
    struct place p = make_place();
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_secret(&p, SECRET_TEXT, sizeof(SECRET_TEXT) - 1, modes[i]);
        struct reading r = read_env(p.setting, NULL, NULL);
        check_refused(&r, "JWT_SECRET_FILE", "chmod 600");
    }
    place_done(&p);
}

TEST(a_secret_file_that_is_none_is_refused_and_never_waited_for)
{
    struct place p = make_place();
    struct reading r = read_env(p.setting, NULL, NULL);
    check_refused(&r, p.path, "No such file");
    r = read_env("JWT_SECRET_FILE=/tmp", NULL, NULL);
    check_refused(&r, "JWT_SECRET_FILE", "regular");
    r = read_env("JWT_SECRET_FILE=/dev/zero", NULL, NULL);
    check_refused(&r, "JWT_SECRET_FILE", "regular");
    CHECK(mkfifo(p.path, 0600) == 0);
    r = read_env(p.setting, NULL, NULL);
    check_refused(&r, "JWT_SECRET_FILE", "regular");
    (void)unlink(p.path);
    write_secret(&p, SECRET_TEXT "\nmore\n", sizeof(SECRET_TEXT) + 5, 0600);
    r = read_env(p.setting, NULL, NULL);
    check_refused(&r, "JWT_SECRET_FILE", "one line");
    write_secret(&p, "", 0, 0600);
    r = read_env(p.setting, NULL, NULL);
    check_refused(&r, "JWT_SECRET (file", "32");
    place_done(&p);
}

TEST(a_file_over_64_kib_is_refused)
{
    struct place p = make_place();
    CHECK(truncate(p.path, 0) != 0);
    write_secret(&p, "x", 1, 0600);
    CHECK(truncate(p.path, (off_t)FILES_MAX_BYTES + 1) == 0);
    struct reading r = read_env(p.setting, NULL, NULL);
    check_refused(&r, "JWT_SECRET_FILE", "64 KiB");
    place_done(&p);
}

TEST(a_made_key_is_private_whole_and_stays_the_first_one)
{
    struct place p = make_place();
    struct arena a;
    struct span why = SPAN_NONE;
    struct span first;
    struct span second;
    struct stat st;
    uint8_t key[32];
    size_t length = 0;
    arena_init(&a, ARENA_BYTES);
    CHECK_ERR(files_make_key(p.path, 32, &a, &why), ERR_OK);
    CHECK_ERR(files_read(p.path, FILES_SECRET, &a, &first, &why), ERR_OK);
    CHECK_ERR(files_make_key(p.path, 32, &a, &why), ERR_OK);
    CHECK_ERR(files_read(p.path, FILES_SECRET, &a, &second, &why), ERR_OK);
    CHECK(span_equal(first, second));
    CHECK(stat(p.path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_ERR(files_one_line(p.path, first, &a, &first, &why), ERR_OK);
    CHECK(span_from_base64(first, key, sizeof(key), &length));
    CHECK_INT(length, 32);
    place_done(&p);
    CHECK_ERR(files_make_key(p.path, 32, &a, &why), ERR_IO); /* no such directory any more */
    CHECK(contains(why, p.path));
    arena_done(&a);
}

TEST(names_are_near_by_the_letters_that_differ)
{
    CHECK_INT(near_distance(SPAN("PORT"), SPAN("PORT")), 0);
    CHECK_INT(near_distance(SPAN("port"), SPAN("PORT")), 0);
    CHECK_INT(near_distance(SPAN("PROT"), SPAN("PORT")), 2);
    CHECK_INT(near_distance(SPAN("PORTS"), SPAN("PORT")), 1);
    CHECK_INT(near_distance(SPAN_NONE, SPAN("TLS")), 3);
    CHECK(near_distance(SPAN("X"), SPAN("PASSWORD")) > NEAR_MAX_DISTANCE);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(with_nothing_set_everything_has_its_default),
              cmocka_unit_test(no_two_settings_share_a_name_or_a_field),
              cmocka_unit_test(a_number_that_is_none_or_out_of_bounds_is_refused_by_name),
              cmocka_unit_test(a_choice_that_is_none_is_refused_with_the_choices),
              cmocka_unit_test(a_text_over_its_length_or_with_control_characters_is_refused),
              cmocka_unit_test(texts_with_a_form_of_their_own_are_judged_by_it),
              cmocka_unit_test(good_values_of_each_form_are_taken),
              cmocka_unit_test(a_refusal_names_what_came_and_where_from),
              cmocka_unit_test(a_refused_secret_is_not_shown),
              cmocka_unit_test(a_secret_means_hs256_and_no_other_algorithm),
              cmocka_unit_test(a_weak_cost_wants_development),
              cmocka_unit_test(keys_that_change_more_often_than_each_hour_want_development),
              cmocka_unit_test(a_certificate_and_its_key_come_together),
              cmocka_unit_test(the_public_url_is_the_issuer_and_has_no_slash_at_its_end),
              cmocka_unit_test(limits_that_contradict_each_other_are_refused),
              cmocka_unit_test(the_environment_wins_over_the_file_and_the_file_over_the_default),
              cmocka_unit_test(mongodb_needs_a_master_key_and_says_how_to_make_one),
              cmocka_unit_test(
                  on_mongodb_failures_are_forgotten_before_the_session_that_tells_of_a_success),
              cmocka_unit_test(a_database_uri_is_shown_without_its_credentials),
              cmocka_unit_test(what_is_printed_can_be_read_again_and_shows_no_secret),
              cmocka_unit_test(an_unknown_name_in_the_file_stops_with_a_neighbour),
              cmocka_unit_test(a_setting_that_is_given_twice_is_refused),
              cmocka_unit_test(the_env_format_takes_comments_quotes_and_export),
              cmocka_unit_test(nothing_is_expanded),
              cmocka_unit_test(a_line_of_another_form_is_refused_with_its_number),
              cmocka_unit_test(every_prefix_of_a_file_is_read_or_refused_and_never_more),
              cmocka_unit_test(a_secret_comes_from_a_file_without_its_line_end),
              cmocka_unit_test(a_secret_file_that_others_could_read_or_change_is_refused),
              cmocka_unit_test(a_secret_file_that_is_none_is_refused_and_never_waited_for),
              cmocka_unit_test(a_file_over_64_kib_is_refused),
              cmocka_unit_test(a_made_key_is_private_whole_and_stays_the_first_one),
              cmocka_unit_test(names_are_near_by_the_letters_that_differ));
}

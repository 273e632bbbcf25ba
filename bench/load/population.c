#include "population.h"

#include "bench.h"
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT_BYTES  ((size_t)1 << 30)
#define MAX_TOKEN_BYTES ((size_t)16 * 1024)
#define MAX_LINE_BYTES  ((size_t)16 * 1024) /* of a file */

/* ---- users ---- */

static void name_of(const struct population *p, uint64_t number, char out[POPULATION_NAME_BYTES])
{
    (void)snprintf(out, POPULATION_NAME_BYTES, "%s-%llu", p->prefix, (unsigned long long)number);
}

void population_register_body(const struct population *p, uint64_t number, struct buf *out)
{
    char name[POPULATION_NAME_BYTES];
    name_of(p, number, name);
    buf_printf(out, "{\"username\":\"%s\",\"password\":\"%s\"}", name, p->password);
}

static enum err add_user(struct population *p, const char *name, const char *password)
{
    json_t *body = json_pack("{s:s, s:s}", "identifier", name, "password", password);
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    enum err e = arena_copy(&p->texts, span_of(text), &p->logins[p->user_count]);
    OPENSSL_cleanse(text, strlen(text));
    free(text);
    p->user_count += e == ERR_OK ? 1 : 0;
    return e;
}

static enum err make_users(struct population *p, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[POPULATION_NAME_BYTES];
        name_of(p, i, name);
        TRY(add_user(p, name, p->password));
    }
    return ERR_OK;
}

static enum err add_object(struct population *p, json_t *object)
{
    const char *name = NULL;
    const char *password = json_string_value(json_object_get(object, "password"));
    static const char *const members[] = { "identifier", "username", "email" };
    for (size_t i = 0; i < 3 && name == NULL; i++) {
        name = json_string_value(json_object_get(object, members[i]));
    }
    return name == NULL || password == NULL ? ERR_INVALID_INPUT : add_user(p, name, password);
}

/* NAME:PASSWORD, or a JSON object; `line` is changed. */
static enum err add_line(struct population *p, char *line)
{
    char *colon = strchr(line, ':');
    if (line[0] == '{') {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        enum err e = add_object(p, object);
        json_decref(object);
        return e;
    }
    if (colon == NULL || colon == line || colon[1] == '\0') {
        return ERR_INVALID_INPUT;
    }
    *colon = '\0';
    return add_user(p, line, colon + 1);
}

/* ---- sessions ---- */

static enum err set_text(struct buf *b, const char *before, struct span text, const char *after)
{
    buf_reset(b);
    buf_add_text(b, before);
    buf_add(b, text);
    buf_add_text(b, after);
    return buf_result(b);
}

static void init_session(struct session *s)
{
    buf_init(&s->access, MAX_TOKEN_BYTES);
    buf_init(&s->refresh_body, MAX_TOKEN_BYTES);
}

enum err session_take_tokens(struct session *s, struct span body)
{
    json_t *answer = json_loadb(body.data != NULL ? body.data : "", body.length, 0, NULL);
    const char *access = json_string_value(json_object_get(answer, "access_token"));
    const char *refresh = json_string_value(json_object_get(answer, "refresh_token"));
    enum err e = ERR_NOT_FOUND;
    if (access != NULL && refresh != NULL) {
        e = set_text(&s->access, "", span_of(access), "");
        if (e == ERR_OK) {
            e = set_text(&s->refresh_body, "{\"refresh_token\":\"", span_of(refresh), "\"}");
        }
    }
    json_decref(answer);
    return e;
}

static enum err add_token(struct population *p, char *line)
{
    struct span token = span_of(line);
    for (size_t i = 0; i < token.length; i++) {
        if (line[i] <= ' ' || line[i] > '~') {
            return ERR_INVALID_INPUT;
        }
    }
    struct session *s = &p->sessions[p->session_count++];
    init_session(s);
    return set_text(&s->access, "", token, "");
}

/* ---- files ---- */

/* `most`, the line's end among them. Stops in the middle of a longer one. */
static size_t read_line(FILE *file, size_t most, char *line)
{
    size_t length = 0;
    int c = 0;
    while (length < most && c != '\n' && (c = getc_unlocked(file)) != EOF) {
        line[length++] = (char)c;
    }
    return length;
}

static enum err read_lines(struct population *p, FILE *file, size_t most, const char *path,
                           enum err (*add)(struct population *p, char *line))
{
    char line[MAX_LINE_BYTES + 1];
    size_t length = 0;
    size_t number = 0;
    size_t added = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && added < most && (length = read_line(file, MAX_LINE_BYTES, line)) > 0) {
        number++;
        line[length] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        if (length == MAX_LINE_BYTES) {
            e = ERR_NOMEM;
        } else if (line[0] != '\0') {
            e = add(p, line);
            added++;
        }
        if (e != ERR_OK) {
            complain("%s, line %zu: %s", path, number,
                     e == ERR_NOMEM ? "too long" : "not what is expected");
        }
    }
    OPENSSL_cleanse(line, sizeof(line));
    if (e == ERR_OK && added == 0) {
        complain("%s is empty", path);
        return ERR_CONFIG;
    }
    return e == ERR_OK ? ERR_OK : ERR_CONFIG;
}

static enum err read_file(struct population *p, const char *path, size_t most,
                          enum err (*add)(struct population *p, char *line))
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        complain("%s cannot be read: %s", path, strerror(errno));
        return ERR_CONFIG;
    }
    enum err e = read_lines(p, file, most, path, add);
    (void)fclose(file);
    return e;
}

/* ---- life ---- */

static enum err invent_names(struct population *p)
{
    unsigned char bytes[4 + 24];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return ERR_INTERNAL;
    }
    (void)snprintf(p->prefix, sizeof(p->prefix), "bench-%02x%02x%02x%02x", bytes[0], bytes[1],
                   bytes[2], bytes[3]);
    size_t length =
        span_base64url((struct span){ .data = (const char *)bytes + 4, .length = 24 }, p->password);
    p->password[length] = '\0';
    return ERR_OK;
}

/* How the users of the file are shared between holding sessions and logging in. */
static enum err settle_holders(struct population *p, const struct plan *plan)
{
    bool logs_in = plan->mix.weight[ROUTE_LOGIN] > 0;
    size_t tokens = plan_opens_sessions(plan) ? plan->tokens : 0;
    size_t least = (tokens + PLAN_SESSIONS_PER_USER - 1) / PLAN_SESSIONS_PER_USER;
    if (p->user_count < least + (logs_in ? 1 : 0)) {
        complain("%s has %zu users; %zu are needed", plan->users_file, p->user_count,
                 least + (logs_in ? 1 : 0));
        return ERR_CONFIG;
    }
    size_t half = p->user_count / 2 > least ? p->user_count / 2 : least;
    p->holders = tokens == 0 ? 0 : logs_in ? half : p->user_count;
    return ERR_OK;
}

static enum err fill(struct population *p, const struct plan *plan)
{
    size_t users = plan->users_file != NULL ? PLAN_MAX_USERS : plan->users;
    size_t sessions = plan->tokens_file != NULL ? PLAN_MAX_TOKENS : plan->tokens;
    p->logins = calloc(users + 1, sizeof(p->logins[0]));
    p->sessions = calloc(sessions + 1, sizeof(p->sessions[0]));
    if (p->logins == NULL || p->sessions == NULL) {
        return ERR_NOMEM;
    }
    TRY(invent_names(p));
    TRY(plan->users_file != NULL ? read_file(p, plan->users_file, users, add_line)
                                 : make_users(p, plan->users));
    if (plan->tokens_file != NULL) {
        TRY(read_file(p, plan->tokens_file, sessions, add_token));
    }
    while (plan->tokens_file == NULL && p->session_count < sessions) {
        init_session(&p->sessions[p->session_count++]);
    }
    return settle_holders(p, plan);
}

enum err population_new(const struct plan *plan, struct population **ret_population)
{
    struct population *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&p->texts, MAX_TEXT_BYTES);
    enum err e = fill(p, plan);
    if (e != ERR_OK) {
        population_free(p);
        return e;
    }
    *ret_population = p;
    return ERR_OK;
}

void population_free(struct population *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; p->sessions != NULL && i < p->session_count; i++) {
        buf_done(&p->sessions[i].access);
        buf_done(&p->sessions[i].refresh_body);
    }
    free(p->sessions);
    free(p->logins);
    arena_done(&p->texts);
    OPENSSL_cleanse(p, sizeof(*p));
    free(p);
}

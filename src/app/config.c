/* config.c - settings from the environment, over the .env file, over the defaults.
 *
 *   environ ----> take_environment --+
 *   .env -------> take_file ---------+--> values[] (text and source) --> apply (kind, bounds,
 *   settings[] -> the default -------+    check) --> the fields --> config_settle */
#include "env_file.h"
#include "files.h"
#include "near.h"
#include "settings.h"

#include <stdlib.h>
#include <unistd.h>

#define TEXTS_MAX_BYTES ((size_t)1024 * 1024)
#define FILE_SUFFIX     "_FILE"
#define ENV_FILE_NAME   ".env"
#define NOT_FOUND       ((size_t)-1)

/* One place that settings come from, while it is read. */
struct origin {
    enum setting_source source;
    struct span name; /* for messages: ".env", "environment" */
    unsigned line;
};

/* The setting that `name` is or, with _FILE behind it, whose secret it names the file of. */
static size_t find_setting(struct span name, bool *ret_is_file)
{
    struct span suffix = SPAN(FILE_SUFFIX);
    for (size_t i = 0; i < settings_count; i++) {
        struct span known = span_of(settings[i].name);
        *ret_is_file = (settings[i].secret || settings[i].has_credentials) &&
                       name.length == known.length + suffix.length && span_starts(name, known) &&
                       span_equal(span_from(name, known.length), suffix);
        if (*ret_is_file || span_equal(name, known)) {
            return i;
        }
    }
    return NOT_FOUND;
}

static enum err refuse_unknown(const struct origin *from, struct span name, struct arena *a,
                               struct span *ret_why)
{
    const char *best = NULL;
    unsigned best_distance = NEAR_MAX_DISTANCE + 1;
    for (size_t i = 0; i < settings_count; i++) {
        unsigned distance = near_distance(name, span_of(settings[i].name));
        if (distance < best_distance) {
            best_distance = distance;
            best = settings[i].name;
        }
    }
    if (best != NULL) {
        return config_refuse(a, ret_why, "%.*s:%u: %.*s is no setting; did you mean %s?",
                             SPAN_FMT(from->name), from->line, SPAN_FMT(span_slice(name, 0, 64)),
                             best);
    }
    return config_refuse(a, ret_why,
                         "%.*s:%u: %.*s is no setting; `doorward config` prints all there are",
                         SPAN_FMT(from->name), from->line, SPAN_FMT(span_slice(name, 0, 64)));
}

/* Keep what was said about setting `i`; the same source may say it only once. */
static enum err keep(struct config *c, size_t i, const struct origin *from, struct span text,
                     bool is_file, struct arena *a, struct span *ret_why)
{
    struct setting_value *v = &c->values[i];
    if (v->source == from->source) {
        bool both_ways = is_file != (v->file.data != NULL);
        return config_refuse(a, ret_why, "%s: is given twice%s; give it once", settings[i].name,
                             both_ways ? ", once by " FILE_SUFFIX : "");
    }
    *v = (struct setting_value){ .source = from->source, .line = from->line };
    return arena_copy(&c->texts, text, is_file ? &v->file : &v->text);
}

static enum err take_file(struct config *c, struct span text, struct arena *a, struct span *ret_why)
{
    struct env_reader reader = { .rest = text };
    struct env_entry entry;
    const char *problem = NULL;
    bool more = false;
    for (;;) {
        if (env_file_next(&reader, &entry, &more, &problem) != ERR_OK) {
            return config_refuse(a, ret_why, "%.*s:%u: %s", SPAN_FMT(c->env_name), reader.line,
                                 problem);
        }
        if (!more) {
            return ERR_OK;
        }
        struct origin from = { SOURCE_ENV_FILE, c->env_name, entry.line };
        bool is_file = false;
        size_t i = find_setting(entry.name, &is_file);
        if (i == NOT_FOUND) {
            return refuse_unknown(&from, entry.name, a, ret_why);
        }
        TRY(keep(c, i, &from, entry.value, is_file, a, ret_why));
    }
}

/* Unknown names are other programs' and are passed over. */
static enum err take_environment(struct config *c, const char *const *environment, struct arena *a,
                                 struct span *ret_why)
{
    struct origin from = { SOURCE_ENVIRONMENT, SPAN("environment"), 0 };
    for (size_t n = 0; environment[n] != NULL; n++) {
        struct span text = span_of(environment[n]);
        size_t equals = span_find(text, '=');
        bool is_file = false;
        size_t i = find_setting(span_slice(text, 0, equals), &is_file);
        if (i != NOT_FOUND) {
            TRY(keep(c, i, &from, span_from(text, equals + 1), is_file, a, ret_why));
        }
    }
    return ERR_OK;
}

/* The text of a NAME_FILE. */
static enum err read_secret(struct config *c, size_t i, struct arena *a, struct span *ret_why)
{
    struct setting_value *v = &c->values[i];
    struct span bytes;
    struct span line;
    struct span why = SPAN("out of memory");
    enum err e = files_read(v->file.data, FILES_SECRET, a, &bytes, &why);
    if (e == ERR_OK) {
        e = files_one_line(v->file.data, bytes, a, &line, &why);
    }
    if (e != ERR_OK) {
        return config_refuse(a, ret_why, "%s" FILE_SUFFIX ": %.*s", settings[i].name,
                             SPAN_FMT(why));
    }
    return arena_copy(&c->texts, line, &v->text);
}

static enum err take_value(struct config *c, size_t i, struct arena *a, struct span *ret_why)
{
    struct setting_value *v = &c->values[i];
    if (v->source == SOURCE_DEFAULT) {
        v->text = span_of(settings[i].standard);
    }
    if (v->file.data != NULL) {
        TRY(read_secret(c, i, a, ret_why));
    }
    return v->text.data != NULL ? config_apply(c, i, a, ret_why) : ERR_OK;
}

static enum err fill(struct config *c, const struct config_input *in, struct arena *a,
                     struct span *ret_why)
{
    c->machine = in->machine;
    TRY(arena_copy(&c->texts, in->env_name, &c->env_name));
    TRY(take_file(c, in->env_text, a, ret_why));
    TRY(take_environment(c, in->environment, a, ret_why));
    for (size_t i = 0; i < settings_count; i++) {
        TRY(take_value(c, i, a, ret_why));
    }
    return config_settle(c, in->terminal, a, ret_why);
}

enum err config_read(const struct config_input *in, struct arena *a, struct span *ret_why,
                     struct config **ret_config)
{
    AUTO(config) struct config *c = (struct config *)calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&c->texts, TEXTS_MAX_BYTES);
    TRY(fill(c, in, a, ret_why));
    *ret_config = c;
    c = NULL;
    return ERR_OK;
}

enum err config_load(const char *env_file, struct arena *a, struct span *ret_why,
                     struct config **ret_config)
{
    struct config_input in = {
        .environment = (const char *const *)environ,
        .machine = machine_look(),
        .terminal = isatty(STDERR_FILENO) == 1,
    };
    *ret_why = span_of(err_text(ERR_NOMEM));
    if (env_file != NULL || access(ENV_FILE_NAME, F_OK) == 0) {
        const char *path = env_file != NULL ? env_file : ENV_FILE_NAME;
        in.env_name = span_of(path);
        enum err e = files_read(path, FILES_ANY, a, &in.env_text, ret_why);
        if (e != ERR_OK) {
            return e == ERR_NOMEM ? e : ERR_CONFIG;
        }
    }
    return config_read(&in, a, ret_why, ret_config);
}

void config_free(struct config *c)
{
    if (c != NULL) {
        secret_wipe(c->master, sizeof(c->master));
        arena_done(&c->texts);
        free(c);
    }
}

/* config_apply.c - one setting: its text to its field and back to text, and how it is refused. */
#include "settings.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_WHY_BYTES 512
#define MAX_SHOWN     64 /* bytes of a bad value in a message */
#define MAX_ALLOWED   256
#define MAX_PROBLEM   1024

enum err config_refuse(struct arena *a, struct span *ret_why, const char *format, ...)
{
    char text[MAX_WHY_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++) { /* one line, whatever was quoted in it */
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
    }
    TRY(arena_copy(a, span_of(text), ret_why));
    return ERR_CONFIG;
}

struct setting_value *config_value(struct config *c, const void *field)
{
    size_t offset = (size_t)((const char *)field - (const char *)c);
    size_t i = 0;
    while (i < settings_count && settings[i].offset != offset) {
        i++;
    }
    INVARIANT(i < settings_count);
    return &c->values[i];
}

static void add_source(const struct config *c, size_t i, struct buf *out)
{
    const struct setting_value *v = &c->values[i];
    if (v->file.data != NULL) {
        buf_printf(out, "file %.*s", SPAN_FMT(v->file));
    } else if (v->source == SOURCE_ENV_FILE) {
        buf_printf(out, "%.*s:%u", SPAN_FMT(c->env_name), v->line);
    } else {
        buf_add_text(out, v->source == SOURCE_ENVIRONMENT ? "environment" : "default");
    }
}

static void add_allowed(const struct setting *s, struct buf *out)
{
    if (s->allowed != NULL) {
        buf_add_text(out, s->allowed);
    } else if (s->choices != NULL) {
        buf_printf(out, "one of %s", s->choices);
    } else {
        buf_printf(out, "a whole number from %lld to %lld", (long long)s->min, (long long)s->max);
    }
}

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char ch = (unsigned char)text.data[i];
        if (ch < ' ' || ch == 0x7f) {
            return false;
        }
    }
    return span_is_utf8(text);
}

static enum err refuse_value(const struct config *c, size_t i, struct arena *a,
                             struct span *ret_why)
{
    struct buf line;
    buf_init(&line, MAX_PROBLEM);
    struct span text = c->values[i].text;
    buf_printf(&line, "%s (", settings[i].name);
    add_source(c, i, &line);
    buf_add_text(&line, "): ");
    if (settings[i].secret || settings[i].has_credentials || !is_plain(text)) {
        buf_add_text(&line, "the value");
    } else if (text.length > MAX_SHOWN) {
        buf_printf(&line, "a value of %zu bytes", text.length);
    } else {
        buf_printf(&line, "\"%.*s\"", SPAN_FMT(text));
    }
    buf_add_text(&line, " is not allowed; give ");
    add_allowed(&settings[i], &line);
    enum err e = arena_copy(a, buf_span(&line), ret_why);
    buf_done(&line);
    return e == ERR_OK ? ERR_CONFIG : e;
}

static bool find_choice(const char *choices, struct span text, int64_t *ret_index)
{
    struct span rest = span_of(choices);
    struct span piece;
    for (int64_t i = 0; span_split(&rest, ',', &piece); i++) {
        if (span_equal(piece, text)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool apply_number(const struct setting *s, struct span text, int64_t *field)
{
    uint64_t number;
    if (!span_to_u64(text, (uint64_t)s->max, &number) || (int64_t)number < s->min) {
        return false;
    }
    *field = (int64_t)number;
    return true;
}

static bool apply_text(const struct setting *s, struct span text, struct span *field)
{
    int64_t index;
    *field = text;
    return text.length >= (size_t)s->min && text.length <= (size_t)s->max &&
           (s->choices == NULL || find_choice(s->choices, text, &index));
}

static bool apply(struct config *c, const struct setting *s, struct span text)
{
    void *field = (char *)c + s->offset;
    switch (s->kind) {
    case SETTING_TEXT:
        return apply_text(s, text, (struct span *)field);
    case SETTING_NUMBER:
        return apply_number(s, text, (int64_t *)field);
    case SETTING_CHOICE:
        return find_choice(s->choices, text, (int64_t *)field);
    }
    return false;
}

enum err config_apply(struct config *c, size_t i, struct arena *a, struct span *ret_why)
{
    const struct setting *s = &settings[i];
    struct span text = c->values[i].text;
    if (!is_plain(text) || !apply(c, s, text) || (s->check != NULL && !s->check(c, text))) {
        return refuse_value(c, i, a, ret_why);
    }
    return ERR_OK;
}

/* As the .env file would take it again. */
static void add_value(struct span text, struct buf *out)
{
    bool bare = true;
    char quote = '"';
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bare = bare && c != ' ' && c != '#' && c != '"' && c != '\'';
        quote = c == '"' ? '\'' : quote;
    }
    if (bare) {
        buf_add(out, text);
    } else {
        buf_printf(out, "%c%.*s%c", quote, SPAN_FMT(text), quote);
    }
}

/* Everything to the last @ behind the scheme, should a password have one unescaped. */
static struct span mask_user(struct span uri, struct buf *out)
{
    size_t at = uri.length;
    while (at > 0 && uri.data[at - 1] != '@') {
        at--;
    }
    if (at > 0) {
        size_t scheme = span_find(uri, '/') + 2;
        buf_add(out, span_slice(uri, 0, scheme < at ? scheme : 0));
        buf_add_text(out, "********@");
    }
    return span_from(uri, at);
}

/* Of the options some hold secrets as well, such as tlsCertificateKeyFilePassword: only those are
 * shown that are known to hold none. */
static bool is_open_option(struct span name)
{
    static const char *const open[] = { "replicaSet",
                                        "authSource",
                                        "authMechanism",
                                        "tls",
                                        "tlsCAFile",
                                        "tlsCertificateKeyFile",
                                        "retryWrites",
                                        "appName",
                                        "directConnection",
                                        "readConcernLevel",
                                        "w",
                                        "journal" };
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        if (span_equal_nocase(name, span_of(open[i]))) {
            return true;
        }
    }
    return false;
}

static void mask_options(struct span rest, struct buf *out)
{
    size_t query = span_find(rest, '?');
    char before = '?';
    struct span options = span_from(rest, query + 1);
    struct span option;
    buf_add(out, span_slice(rest, 0, query));
    while (options.length > 0 && span_split(&options, '&', &option)) {
        struct span name = span_slice(option, 0, span_find(option, '='));
        bool is_open = is_open_option(name);
        buf_add_char(out, before);
        buf_add(out, is_open ? option : name);
        buf_add_text(out, is_open ? "" : "=********");
        before = '&';
    }
}

void config_print(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < settings_count; i++) {
        struct span text = c->values[i].text;
        buf_printf(out, "%s=", settings[i].name);
        if (settings[i].secret && text.length > 0) {
            buf_add_text(out, "********");
        } else if (settings[i].has_credentials && config_uses_mongo(c)) {
            mask_options(mask_user(text, out), out);
        } else {
            add_value(text, out);
        }
        buf_add_text(out, "  # ");
        add_source(c, i, out);
        buf_add_char(out, '\n');
    }
}

#include "env_file.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name_char(char c, bool first)
{
    bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    return letter || (!first && c >= '0' && c <= '9');
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (!is_name_char(name.data[i], i == 0)) {
            return false;
        }
    }
    return name.length > 0;
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool is_comment_or_empty(struct span text)
{
    text = span_trim(text);
    return text.length == 0 || text.data[0] == '#';
}

/* A value in quotes ends at the next quote of its kind; only a comment may follow. */
static const char *read_quoted(struct span text, struct span *ret_value)
{
    char quote = text.data[0];
    struct span inside = span_from(text, 1);
    size_t end = span_find(inside, quote);
    if (end == inside.length) {
        return "the closing quote is missing";
    }
    if (!is_comment_or_empty(span_from(inside, end + 1))) {
        return "nothing but a comment may follow the closing quote";
    }
    *ret_value = span_slice(inside, 0, end);
    return NULL;
}

/* A bare value ends before a # that follows white space, so that one inside a URL belongs to it. */
static struct span read_bare(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '#' && (i == 0 || is_blank(text.data[i - 1]))) {
            return span_trim(span_slice(text, 0, i));
        }
    }
    return span_trim(text);
}

static const char *read_line(struct span line, struct env_entry *entry)
{
    if (span_starts(line, SPAN("export ")) || span_starts(line, SPAN("export\t"))) {
        line = span_trim(span_from(line, sizeof("export")));
    }
    size_t equals = span_find(line, '=');
    if (equals == line.length) {
        return "a line is NAME=value, or a comment that starts with #";
    }
    entry->name = span_trim(span_slice(line, 0, equals));
    if (!is_name(entry->name)) {
        return "a name is letters, digits and _, and stands before the =";
    }
    struct span value = span_trim(span_from(line, equals + 1));
    if (value.length > 0 && (value.data[0] == '"' || value.data[0] == '\'')) {
        return read_quoted(value, &entry->value);
    }
    entry->value = read_bare(value);
    return NULL;
}

static struct span next_line(struct env_reader *r)
{
    size_t end = span_find(r->rest, '\n');
    struct span line = span_slice(r->rest, 0, end);
    r->rest = span_from(r->rest, end + 1);
    r->line++;
    if (line.length > 0 && line.data[line.length - 1] == '\r') {
        line.length--;
    }
    return line;
}

enum err env_file_next(struct env_reader *r, struct env_entry *ret_entry, bool *ret_more,
                       const char **ret_problem)
{
    while (r->rest.length > 0) {
        struct span line = next_line(r);
        if (has_control(line)) {
            *ret_problem = "control characters are not allowed";
            return ERR_CONFIG;
        }
        if (is_comment_or_empty(line)) {
            continue;
        }
        struct env_entry entry = { .line = r->line };
        const char *problem = read_line(span_trim(line), &entry);
        if (problem != NULL) {
            *ret_problem = problem;
            return ERR_CONFIG;
        }
        *ret_entry = entry;
        *ret_more = true;
        return ERR_OK;
    }
    *ret_more = false;
    return ERR_OK;
}

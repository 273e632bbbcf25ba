#include "input.h"
#include "password.h"
#include "store.h"

void input_add(struct auth_input_errors *errors, const char *field, const char *code,
               const char *detail)
{
    if (errors->count < AUTH_MAX_INPUT_ERRORS) {
        errors->list[errors->count++] =
            (struct auth_input_error){ .field = field, .code = code, .detail = detail };
    }
}

enum err input_result(const struct auth_input_errors *errors)
{
    return errors->count == 0 ? ERR_OK : ERR_INVALID_INPUT;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Only ASCII letters, digits and `others`; the empty text as well. */
static bool is_made_of(struct span text, struct span others)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!is_alnum(text.data[i]) && span_find(others, text.data[i]) == others.length) {
            return false;
        }
    }
    return true;
}

static bool has_nul(struct span text)
{
    return span_find(text, '\0') < text.length;
}

void input_check_username(struct span username, struct auth_input_errors *errors)
{
    if (has_nul(username)) {
        input_add(errors, "username", "contains_nul", "must not contain a NUL character");
    } else if (username.length == 0) {
        input_add(errors, "username", "too_short", "must have at least 1 character");
    } else if (username.length > INPUT_MAX_USERNAME_BYTES) {
        input_add(errors, "username", "too_long", "must have at most 64 characters");
    } else if (!is_made_of(username, SPAN("._-"))) {
        input_add(errors, "username", "invalid_format",
                  "may hold ASCII letters, digits, '.', '_' and '-' only");
    }
}

/* Something on both sides of the one `@`, and nothing that could hide in a list or a header. */
static bool is_email(struct span email)
{
    size_t at = span_find(email, '@');
    struct span domain = span_from(email, at + 1);
    if (at == 0 || domain.length == 0 || span_find(domain, '@') < domain.length) {
        return false;
    }
    for (size_t i = 0; i < email.length; i++) {
        unsigned char c = (unsigned char)email.data[i];
        if (c <= ' ' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Beyond ASCII: controls (C1) and everything that a reader sees as space or not at all. */
static bool is_blank_code(uint32_t code)
{
    return (code >= 0x80 && code <= 0xa0) || code == 0xad || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200f) || (code >= 0x2028 && code <= 0x202f) ||
           (code >= 0x205f && code <= 0x206f) || code == 0x3000 || code == 0xfeff;
}

static bool has_blank_code(struct span text)
{
    uint32_t code = 0;
    while (text.length > 0) {
        size_t length = span_utf8_next(text, &code);
        if (length == 0 || is_blank_code(code)) {
            return true;
        }
        text = span_from(text, length);
    }
    return false;
}

void input_check_email(struct span email, struct auth_input_errors *errors)
{
    if (has_nul(email)) {
        input_add(errors, "email", "contains_nul", "must not contain a NUL character");
    } else if (email.length > INPUT_MAX_NAME_BYTES) {
        input_add(errors, "email", "too_long", "must have at most 254 bytes");
    } else if (!is_email(email) || has_blank_code(email)) {
        input_add(errors, "email", "invalid_format",
                  "must be one address with one '@' and without spaces");
    }
}

/* A line break in a name would be one in a header. */
static bool has_ascii_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < ' ' || c == 0x7f) {
            return true;
        }
    }
    return false;
}

void input_check_imported_username(struct span username, struct auth_input_errors *errors)
{
    if (username.length == 0) {
        input_add(errors, "username", "too_short", "must have at least 1 character");
    } else if (username.length > INPUT_MAX_USERNAME_BYTES) {
        input_add(errors, "username", "too_long", "must have at most 64 bytes");
    } else if (has_ascii_control(username) || has_blank_code(username) ||
               span_trim(username).length != username.length) {
        input_add(errors, "username", "invalid_format",
                  "must be UTF-8 without control and invisible characters, and without spaces at "
                  "its ends");
    }
}

void input_check_roles(struct span roles, struct auth_input_errors *errors)
{
    size_t count = 0;
    struct span role = SPAN_NONE;
    struct span rest = roles;
    while (rest.length > 0 && span_split(&rest, ' ', &role)) {
        bool ends_in_space = rest.data != NULL && rest.length == 0;
        if (role.length == 0 || role.length > INPUT_MAX_ROLE_BYTES || ends_in_space ||
            !is_made_of(role, SPAN("_.:-"))) {
            input_add(errors, "roles", "invalid_format",
                      "each has 1 to 64 ASCII letters, digits, '_', '.', ':' and '-'; one space "
                      "between them");
            return;
        }
        count++;
    }
    if (count > STORE_MAX_ROLES) {
        input_add(errors, "roles", "too_long", "at most 16 roles");
    }
}

void input_check_new_password(struct span password, size_t min_length, const char *field,
                              struct auth_input_errors *errors)
{
    switch (password_check(password, min_length)) {
    case PASSWORD_FITS:
        break;
    case PASSWORD_TOO_SHORT:
        input_add(errors, field, "too_short", "has too few characters");
        break;
    case PASSWORD_TOO_LONG:
        input_add(errors, field, "too_long", "must have at most 1024 bytes");
        break;
    case PASSWORD_HAS_NUL:
        input_add(errors, field, "contains_nul", "must not contain a NUL character");
        break;
    case PASSWORD_NOT_UTF8:
        input_add(errors, field, "invalid_format", "must be valid UTF-8");
        break;
    }
}

void input_check_old_password(struct span password, const char *field,
                              struct auth_input_errors *errors)
{
    if (password.data == NULL) {
        input_add(errors, field, "required", "is required");
    } else if (password.length > PASSWORD_MAX_BYTES) {
        input_add(errors, field, "too_long", "must have at most 1024 bytes");
    } else if (has_nul(password)) {
        input_add(errors, field, "contains_nul", "must not contain a NUL character");
    }
}

enum err input_lower(struct arena *a, struct span text, struct span *ret_lower)
{
    char *lower = arena_get(a, text.length + 1);
    if (lower == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    *ret_lower = (struct span){ .data = lower, .length = text.length };
    return ERR_OK;
}

enum err input_printable(struct arena *a, struct span text, size_t max, struct span *ret_text)
{
    struct span kept = span_slice(text, 0, max);
    char *copy = arena_get(a, kept.length + 1);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < kept.length; i++) {
        char c = kept.data[i];
        copy[i] = (char)(c >= ' ' && c <= '~' ? c : '?');
    }
    *ret_text = (struct span){ .data = copy, .length = kept.length };
    return ERR_OK;
}

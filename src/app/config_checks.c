/* config_checks.c - the rules of single values that kind and bounds do not say. */
#include "http.h"
#include "settings.h"

#include <arpa/inet.h>
#include <string.h>

bool check_db_uri(struct config *c, struct span value)
{
    (void)c;
    const struct span schemes[] = { SPAN("sqlite:"), SPAN("mongodb://"), SPAN("mongodb+srv://") };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (span_starts(value, schemes[i]) && value.length > schemes[i].length) {
            return true;
        }
    }
    return false;
}

bool config_uses_mongo(const struct config *c)
{
    return span_starts(c->db_uri, SPAN("mongodb"));
}

bool check_address(struct config *c, struct span value)
{
    (void)c;
    unsigned char raw[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];
    if (value.length == 0 || value.length >= sizeof(text)) {
        return false;
    }
    memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

bool check_addresses(struct config *c, struct span value)
{
    struct span piece;
    c->address_count = 0;
    while (span_split(&value, ',', &piece)) {
        piece = span_trim(piece);
        if (c->address_count == CONFIG_MAX_ADDRESS || !check_address(c, piece) ||
            arena_copy(&c->texts, piece, &c->addresses[c->address_count]) != ERR_OK) {
            return false;
        }
        c->address_count++;
    }
    return c->address_count > 0;
}

bool check_networks(struct config *c, struct span value)
{
    (void)c;
    struct http_networks *networks = NULL;
    struct span bad;
    if (value.length == 0) {
        return true;
    }
    enum err e = http_networks_parse(value, &networks, &bad);
    http_networks_free(networks);
    return e == ERR_OK;
}

static bool is_digit_text(struct span text)
{
    uint64_t port;
    return span_to_u64(text, 65535, &port) && port > 0;
}

static bool is_host(struct span host)
{
    for (size_t i = 0; i < host.length; i++) {
        char c = host.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.' || c == '_';
        if (!fine) {
            return false;
        }
    }
    return host.length > 0;
}

/* HOST, HOST:PORT, [IPV6] or [IPV6]:PORT. */
static bool is_authority(struct span text)
{
    struct span port;
    if (text.length > 0 && text.data[0] == '[') {
        size_t end = span_find(text, ']');
        if (end == text.length || !check_address(NULL, span_slice(text, 1, end - 1))) {
            return false;
        }
        port = span_from(text, end + 1);
        return port.length == 0 || (port.data[0] == ':' && is_digit_text(span_from(port, 1)));
    }
    size_t colon = span_find(text, ':');
    port = span_from(text, colon + 1);
    return is_host(span_slice(text, 0, colon)) && (colon == text.length || is_digit_text(port));
}

/* What is behind http:// or https://; data NULL for anything else. */
static struct span behind_scheme(struct span url)
{
    const struct span schemes[] = { SPAN("https://"), SPAN("http://") };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (span_starts(url, schemes[i])) {
            return span_from(url, schemes[i].length);
        }
    }
    return SPAN_NONE;
}

bool check_public_url(struct config *c, struct span value)
{
    (void)c;
    if (value.length == 0) {
        return true;
    }
    struct span rest = behind_scheme(value);
    for (size_t i = 0; i < rest.length; i++) {
        unsigned char ch = (unsigned char)rest.data[i];
        if (ch <= ' ' || ch >= 0x7f || strchr("?#\"'<>\\", ch) != NULL) {
            return false;
        }
    }
    return is_authority(span_slice(rest, 0, span_find(rest, '/')));
}

/* As browsers send it (RFC 6454, 6.2): lower case, nothing behind the authority. "*" and "null"
 * have no scheme and are refused with the rest. */
static bool is_origin(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] >= 'A' && text.data[i] <= 'Z') {
            return false;
        }
    }
    return is_authority(behind_scheme(text));
}

bool check_origins(struct config *c, struct span value)
{
    (void)c;
    struct span piece;
    while (value.length > 0 && span_split(&value, ',', &piece)) {
        if (!is_origin(span_trim(piece))) {
            return false;
        }
    }
    return true;
}

bool check_cookie_name(struct config *c, struct span value)
{
    (void)c;
    for (size_t i = 0; i < value.length; i++) { /* a token (RFC 9110, 5.6.2) */
        unsigned char ch = (unsigned char)value.data[i];
        if (ch <= ' ' || ch >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", ch) != NULL) {
            return false;
        }
    }
    return true;
}

bool check_master_keys(struct config *c, struct span value)
{
    struct span piece;
    c->master_count = 0;
    while (span_split(&value, ',', &piece)) {
        size_t length = 0;
        if (c->master_count == CONFIG_MASTER_MAX ||
            !span_from_base64(span_trim(piece), c->master[c->master_count], CONFIG_MASTER_BYTES,
                              &length) ||
            length != CONFIG_MASTER_BYTES) {
            return false;
        }
        c->master_count++;
    }
    return c->master_count > 0;
}

/* networks.c - addresses and networks, IPv4 and IPv6; an IPv4-mapped address is an IPv4 one. */
#include "http_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define IPV4_BYTES         4
#define IPV6_BYTES         16
#define IPV6_KEY_BYTES     8   /* a /64: what one customer usually has */
#define MAPPED_PREFIX_BITS 96U /* ::ffff:0:0/96 */

struct network {
    struct http_address first;
    unsigned prefix_bits;
};

struct http_networks {
    size_t count;
    struct network list[];
};

/* ---- addresses ---- */

static const uint8_t mapped_prefix[MAPPED_PREFIX_BITS / 8] = { 0, 0, 0, 0, 0,    0,
                                                               0, 0, 0, 0, 0xff, 0xff };

static bool is_mapped(const uint8_t *bytes)
{
    return memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void unmap(struct http_address *address)
{
    if (address->length == IPV6_BYTES && is_mapped(address->bytes)) {
        memmove(address->bytes, address->bytes + sizeof(mapped_prefix), IPV4_BYTES);
        address->length = IPV4_BYTES;
    }
}

static bool parse_unmapped(struct span text, struct http_address *ret_address)
{
    char copy[INET6_ADDRSTRLEN];
    struct http_address address = { 0 };
    if (text.length == 0 || text.length >= sizeof(copy) || span_find(text, '\0') < text.length) {
        return false;
    }
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    if (inet_pton(AF_INET, copy, address.bytes) == 1) {
        address.length = IPV4_BYTES;
    } else if (inet_pton(AF_INET6, copy, address.bytes) == 1) {
        address.length = IPV6_BYTES;
    } else {
        return false;
    }
    *ret_address = address;
    return true;
}

bool http_address_parse(struct span text, struct http_address *ret_address)
{
    if (!parse_unmapped(text, ret_address)) {
        return false;
    }
    unmap(ret_address);
    return true;
}

struct span http_address_text(const struct http_address *address, struct arena *a)
{
    char text[INET6_ADDRSTRLEN];
    struct span copy = SPAN_NONE;
    int family = address->length == IPV4_BYTES ? AF_INET : AF_INET6;
    if (inet_ntop(family, address->bytes, text, sizeof(text)) == NULL ||
        arena_copy(a, span_of(text), &copy) != ERR_OK) {
        return SPAN_NONE;
    }
    return copy;
}

struct span http_address_key(struct span address, struct arena *a)
{
    struct http_address parsed;
    struct span key = address;
    if (http_address_parse(address, &parsed)) {
        key = (struct span){ .data = (const char *)parsed.bytes,
                             .length = parsed.length == IPV4_BYTES ? IPV4_BYTES : IPV6_KEY_BYTES };
    }
    struct span copy = SPAN_NONE;
    return arena_copy(a, key, &copy) == ERR_OK ? copy : SPAN_NONE;
}

/* ---- networks ---- */

static unsigned bit_at(const struct http_address *address, unsigned position)
{
    return ((unsigned)address->bytes[position / 8] >> (7 - position % 8)) & 1U;
}

static bool has_host_bits(const struct network *n)
{
    for (unsigned i = n->prefix_bits; i < n->first.length * 8; i++) {
        if (bit_at(&n->first, i) != 0) {
            return true;
        }
    }
    return false;
}

static bool contains(const struct network *n, const struct http_address *address)
{
    if (n->first.length != address->length) {
        return false;
    }
    for (unsigned i = 0; i < n->prefix_bits; i++) {
        if (bit_at(&n->first, i) != bit_at(address, i)) {
            return false;
        }
    }
    return true;
}

/* "address/bits" or an address alone. A network with host bits set is a slip of its author's. */
static bool parse_network(struct span text, struct network *ret_network)
{
    struct network n = { 0 };
    size_t slash = span_find(text, '/');
    if (!parse_unmapped(span_slice(text, 0, slash), &n.first)) {
        return false;
    }
    uint64_t bits = n.first.length * 8;
    if (slash < text.length && !span_to_u64(span_from(text, slash + 1), bits, &bits)) {
        return false;
    }
    n.prefix_bits = (unsigned)bits;
    if (has_host_bits(&n)) {
        return false;
    }
    if (n.first.length == IPV6_BYTES && is_mapped(n.first.bytes)) {
        n.prefix_bits -= MAPPED_PREFIX_BITS; /* not negative: no host bits are set */
        unmap(&n.first);
    }
    *ret_network = n;
    return true;
}

static size_t count_pieces(struct span text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.length; i++) {
        count += text.data[i] == ',';
    }
    return count;
}

static enum err parse_all(struct span text, struct http_networks *n, struct span *ret_bad)
{
    struct span piece = SPAN_NONE;
    while (span_split(&text, ',', &piece)) {
        piece = span_trim(piece);
        if (!parse_network(piece, &n->list[n->count])) {
            *ret_bad = piece;
            return ERR_CONFIG;
        }
        n->count++;
    }
    return ERR_OK;
}

enum err http_networks_parse(struct span text, struct http_networks **ret_networks,
                             struct span *ret_bad)
{
    *ret_bad = SPAN_NONE;
    struct http_networks *n = calloc(1, sizeof(*n) + count_pieces(text) * sizeof(n->list[0]));
    if (n == NULL) {
        return ERR_NOMEM;
    }
    enum err e = span_trim(text).length == 0 ? ERR_OK : parse_all(text, n, ret_bad);
    if (e != ERR_OK) {
        free(n);
        return e;
    }
    *ret_networks = n;
    return ERR_OK;
}

void http_networks_free(struct http_networks *n)
{
    free(n);
}

bool http_networks_contain(const struct http_networks *n, const struct http_address *address)
{
    for (size_t i = 0; n != NULL && i < n->count; i++) {
        if (contains(&n->list[i], address)) {
            return true;
        }
    }
    return false;
}

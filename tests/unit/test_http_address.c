/* Networks, and the client's address behind proxies that are believed or not. */
#include "check.h"
#include "http.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

TEST(networks_are_read_strictly)
{
    static const char *const good[] = { "",           " ",
                                        "10.0.0.0/8", "10.0.0.1, ::1/128",
                                        "0.0.0.0/0",  "::/0",
                                        "fd00::/8",   "::ffff:10.0.0.0/104",
                                        "::1",        "1.2.3.4/32" };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct http_networks *n = NULL;
        struct span bad = SPAN_NONE;
        CHECK_ERR(http_networks_parse(span_of(good[i]), &n, &bad), ERR_OK);
        http_networks_free(n);
    }
}

static void check_bad(const char *text, const char *piece)
{
    struct http_networks *n = NULL;
    struct span bad = SPAN_NONE;
    CHECK_ERR(http_networks_parse(span_of(text), &n, &bad), ERR_CONFIG);
    CHECK_SPAN(bad, piece);
    CHECK(n == NULL);
}

TEST(bad_networks_are_named)
{
    check_bad("10.0.0.0/8, 10.0.0.1/8", "10.0.0.1/8");
    check_bad("fd00::1/64", "fd00::1/64");
    check_bad("10.0.0.0/33", "10.0.0.0/33");
    check_bad("::/129", "::/129");
    check_bad("10.0.0.0/", "10.0.0.0/");
    check_bad("10.0.0.0/-1", "10.0.0.0/-1");
    check_bad("10.0.0.0/8/8", "10.0.0.0/8/8");
    check_bad("10.0.0", "10.0.0");
    check_bad("010.0.0.0x/8", "010.0.0.0x/8");
    check_bad("10.0.0.0/8,", "");
    check_bad(",", "");
    check_bad("host", "host");
    check_bad("[::1]", "[::1]");
    check_bad("fe80::1%eth0", "fe80::1%eth0");
    check_bad("::ffff:10.0.0.0/90", "::ffff:10.0.0.0/90");
}

static void check_client(const char *peer, const char *trusted, struct http_header *headers,
                         size_t header_count, const char *expected)
{
    struct arena a;
    arena_init(&a, 4096);
    struct http_networks *networks = NULL;
    struct span bad = SPAN_NONE;
    CHECK_ERR(http_networks_parse(span_of(trusted), &networks, &bad), ERR_OK);
    struct http_peer p = { 0 };
    (void)snprintf(p.address, sizeof(p.address), "%s", peer);
    struct http_request r = { .headers = headers, .header_count = header_count };
    CHECK_SPAN(http_client_address(&r, &p, networks, &a), expected);
    http_networks_free(networks);
    arena_done(&a);
}

static void check_xff(const char *value, const char *expected)
{
    struct http_header h = { SPAN("X-Forwarded-For"), span_of(value) };
    check_client("10.0.0.1", "10.0.0.0/8, fd00::/8", &h, 1, expected);
}

TEST(a_peer_that_is_not_trusted_is_the_client)
{
    struct http_header h[] = { { SPAN("X-Forwarded-For"), SPAN("1.1.1.1") },
                               { SPAN("Forwarded"), SPAN("for=1.1.1.1") } };
    check_client("9.9.9.9", "10.0.0.0/8", h, 2, "9.9.9.9");
    check_client("10.0.0.1", "", h, 2, "10.0.0.1");
    check_client("10.0.0.1", "::/0", h, 2, "10.0.0.1");
    check_client("2001:db8::1", "0.0.0.0/0", h, 2, "2001:db8::1");
    check_client("", "10.0.0.0/8", h, 2, "");
    struct http_peer p = { .address = "10.0.0.1" };
    struct http_request r = { .headers = h, .header_count = 2 };
    struct arena a;
    arena_init(&a, 4096);
    CHECK_SPAN(http_client_address(&r, &p, NULL, &a), "10.0.0.1");
    arena_done(&a);
}

TEST(trusted_hops_are_skipped_from_the_right)
{
    check_xff("1.1.1.1", "1.1.1.1");
    check_xff("6.6.6.6, 1.1.1.1", "1.1.1.1");
    check_xff("6.6.6.6, 1.1.1.1, 10.9.9.9, fd00::7", "1.1.1.1");
    check_xff("10.0.0.3, 10.0.0.2", "10.0.0.3");
    check_xff("1.1.1.1:4711", "1.1.1.1");
    check_xff("[2001:db8::1]:4711", "2001:db8::1");
    check_xff("2001:DB8:0::1", "2001:db8::1");
    check_xff("::ffff:1.1.1.1", "1.1.1.1");
    check_xff("::ffff:10.1.1.1", "10.1.1.1");
}

TEST(a_mapped_peer_is_an_ipv4_peer)
{
    struct http_header h = { SPAN("X-Forwarded-For"), SPAN("1.1.1.1") };
    check_client("::ffff:10.0.0.1", "10.0.0.0/8", &h, 1, "1.1.1.1");
    check_client("::ffff:9.0.0.1", "10.0.0.0/8", &h, 1, "9.0.0.1");
    check_client("10.0.0.1", "::ffff:10.0.0.0/104", &h, 1, "1.1.1.1");
}

TEST(junk_ends_the_walk_at_the_last_good_address)
{
    check_xff("", "10.0.0.1");
    check_xff("junk", "10.0.0.1");
    check_xff("1.1.1.1, junk, 10.0.0.2", "10.0.0.2");
    check_xff("1.1.1.1,, 10.0.0.2", "10.0.0.2");
    check_xff("1.1.1.1, unknown", "10.0.0.1");
    check_xff("[::1", "10.0.0.1");
    check_xff("[::1]x", "10.0.0.1");
    check_xff("1.1.1.1 2.2.2.2", "10.0.0.1");
    check_xff("\"1.1.1.1\"", "10.0.0.1");
}

TEST(several_headers_are_one_list)
{
    struct http_header h[] = { { SPAN("X-Forwarded-For"), SPAN("6.6.6.6") },
                               { SPAN("x-forwarded-for"), SPAN("1.1.1.1, 10.0.0.2") } };
    check_client("10.0.0.1", "10.0.0.0/8", h, 2, "1.1.1.1");
}

TEST(no_more_than_32_hops_are_walked)
{
    struct arena a;
    arena_init(&a, 1 << 16);
    struct span list = SPAN("1.1.1.1");
    for (int i = 0; i < 31; i++) {
        CHECK_ERR(arena_printf(&a, &list, "%.*s, 10.0.1.%d", SPAN_FMT(list), i), ERR_OK);
    }
    check_xff(list.data, "1.1.1.1");
    CHECK_ERR(arena_printf(&a, &list, "%.*s, 10.0.2.2", SPAN_FMT(list)), ERR_OK);
    check_xff(list.data, "10.0.1.0");
    arena_done(&a);
}

static void check_forwarded(const char *value, const char *expected)
{
    struct http_header h = { SPAN("Forwarded"), span_of(value) };
    check_client("10.0.0.1", "10.0.0.0/8, fd00::/8", &h, 1, expected);
}

TEST(forwarded_is_read_when_alone)
{
    check_forwarded("for=1.1.1.1", "1.1.1.1");
    check_forwarded("for=6.6.6.6, FOR=\"1.1.1.1:80\";proto=https;by=10.0.0.9", "1.1.1.1");
    check_forwarded("proto=http;for=\"[2001:db8::1]:4711\"", "2001:db8::1");
    check_forwarded("for=1.1.1.1, for=10.0.0.5", "1.1.1.1");
    check_forwarded("for=1.1.1.1, for=_hidden", "10.0.0.1");
    check_forwarded("for=1.1.1.1, for=unknown", "10.0.0.1");
    check_forwarded("for=1.1.1.1, proto=https", "10.0.0.1");
    check_forwarded("for=1.1.1.1;for=2.2.2.2", "10.0.0.1");
    check_forwarded("for=\"1.1.1.1", "10.0.0.1");
    check_forwarded("for=6.6.6.6;x=\", for=7.7.7.7\", for=1.1.1.1", "1.1.1.1");
    check_forwarded("for=1.1.1.1;x=\"a\\\", for=6.6.6.6\"", "10.0.0.1");
    check_forwarded("for=6.6.6.6;x=\", for=1.1.1.1", "10.0.0.1");
    check_forwarded("for=6.6.6.6;x=\", for=\"[2001:db8::1]:80\"", "10.0.0.1");
    struct http_header both[] = { { SPAN("Forwarded"), SPAN("for=6.6.6.6") },
                                  { SPAN("X-Forwarded-For"), SPAN("1.1.1.1") } };
    check_client("10.0.0.1", "10.0.0.0/8", both, 2, "1.1.1.1");
}

static void check_same_key(const char *one, const char *other, bool same)
{
    struct arena a;
    arena_init(&a, 4096);
    struct span left = http_address_key(span_of(one), &a);
    struct span right = http_address_key(span_of(other), &a);
    CHECK(left.length > 0 && right.length > 0);
    CHECK(span_equal(left, right) == same);
    arena_done(&a);
}

TEST(the_key_of_fairness_is_an_ipv4_address_or_an_ipv6_64)
{
    check_same_key("1.2.3.4", "::ffff:1.2.3.4", true);
    check_same_key("1.2.3.4", "1.2.3.5", false);
    check_same_key("2001:db8::1", "2001:db8::ffff:1", true);
    check_same_key("2001:db8::1", "2001:db8:0:1::1", false);
    check_same_key("elsewhere", "nowhere", false);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(networks_are_read_strictly),
              cmocka_unit_test(bad_networks_are_named),
              cmocka_unit_test(a_peer_that_is_not_trusted_is_the_client),
              cmocka_unit_test(trusted_hops_are_skipped_from_the_right),
              cmocka_unit_test(a_mapped_peer_is_an_ipv4_peer),
              cmocka_unit_test(junk_ends_the_walk_at_the_last_good_address),
              cmocka_unit_test(several_headers_are_one_list),
              cmocka_unit_test(no_more_than_32_hops_are_walked),
              cmocka_unit_test(forwarded_is_read_when_alone),
              cmocka_unit_test(the_key_of_fairness_is_an_ipv4_address_or_an_ipv6_64));
}

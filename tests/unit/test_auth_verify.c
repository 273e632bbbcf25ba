/* Access tokens that each loop remembers, and the endings that must reach them all the same; what
 * strangers' tokens may cost; what is counted. */
#include "test_auth_world.h"

#include <stdlib.h>

#define LOOPS 2

/* Every loop has the token in its cache. */
static void warm(struct door *d, struct request *r, struct auth_tokens tokens)
{
    struct auth_caller caller;
    for (unsigned i = 0; i < 2 * LOOPS; i++) {
        CHECK_ERR(auth_verify(d->auth, i % LOOPS, tokens.access_token, &r->arena, &caller), ERR_OK);
    }
}

static void check_everywhere(struct door *d, struct request *r, struct auth_tokens tokens,
                             enum err expected)
{
    struct auth_caller caller;
    for (unsigned loop = 0; loop < LOOPS; loop++) {
        CHECK_ERR(auth_verify(d->auth, loop, tokens.access_token, &r->arena, &caller), expected);
    }
}

/* The sum of a metric's lines, as a scrape shows them. */
static double metric(const char *line_start)
{
    struct buf text;
    double sum = 0;
    buf_init(&text, (size_t)4 * 1024 * 1024);
    metrics_render(&text);
    CHECK_ERR(buf_result(&text), ERR_OK);
    struct span rest = buf_span(&text);
    struct span line;
    while (span_split(&rest, '\n', &line)) {
        if (span_starts(line, span_of(line_start))) {
            char number[64] = { 0 };
            struct span value = span_from(line, span_find(line, ' ') + 1);
            CHECK(value.length < sizeof(number));
            memcpy(number, value.data, value.length);
            sum += atof(number);
        }
    }
    buf_done(&text);
    return sum;
}

TEST(a_logout_ends_the_remembered_token_on_every_loop_and_no_other)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, mine);
    warm(&d, &r, mine);
    warm(&d, &r, other);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    check_everywhere(&d, &r, mine, ERR_TOKEN_REVOKED);
    check_everywhere(&d, &r, other, ERR_OK);
}

TEST(a_logout_of_others_and_of_all_ends_remembered_tokens)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens other = log_in(&d, &r, "ann");
    struct auth_caller caller = caller_of(&d, &r, mine);
    warm(&d, &r, mine);
    warm(&d, &r, other);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_OTHERS), ERR_OK);
    check_everywhere(&d, &r, other, ERR_TOKEN_REVOKED);
    check_everywhere(&d, &r, mine, ERR_OK);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_ALL), ERR_OK);
    check_everywhere(&d, &r, mine, ERR_TOKEN_REVOKED);
}

TEST(a_remembered_token_ends_when_another_process_s_logout_is_followed)
{
    WORLD(w, here);
    struct door there = { 0 };
    REQUEST(r);
    door_open(&w, &there);
    struct auth_tokens tokens = register_and_log_in(&here, &r);
    struct auth_caller caller = caller_of(&here, &r, tokens);
    warm(&there, &r, tokens);
    CHECK_ERR(auth_logout(here.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    CHECK_ERR(auth_follow(there.auth), ERR_OK);
    check_everywhere(&there, &r, tokens, ERR_TOKEN_REVOKED);
    door_close(&there);
}

/* Bad in every part that is looked at: with another secret's kid, with ours and another signature,
 * and no token at all. */
TEST(a_stranger_s_token_reaches_the_store_never)
{
    WORLD(w, d);
    REQUEST(r);
    AUTO(token) struct tokens *stranger = NULL;
    struct token_options options = { .issuer = SPAN("doorward"),
                                     .audience = SPAN("doorward"),
                                     .algorithm = SPAN("HS256"),
                                     .type = SPAN("at+jwt"),
                                     .secret = SPAN("another secret of 32 bytes or more"),
                                     .expiry_s = 3600,
                                     .leeway_s = 30,
                                     .master = { SPAN("0123456789abcdef0123456789abcdef") },
                                     .master_count = 1 };
    struct token_claims claims = { .username = SPAN("ann"), .roles = SPAN("admin") };
    struct auth_tokens mine = register_and_log_in(&d, &r);
    struct auth_tokens bad = { 0 };
    struct span broken = SPAN_NONE;
    CHECK_ERR(token_open(&options, &stranger), ERR_OK);
    CHECK_ERR(token_issue(stranger, &claims, clock_now_ms(&w.clock), &r.arena, &bad.access_token),
              ERR_OK);
    CHECK_ERR(arena_copy(&r.arena, mine.access_token, &broken), ERR_OK);
    ((char *)(uintptr_t)broken.data)[broken.length - 5] ^= 1;
    double calls = metric("doorward_store_seconds_count");
    double invalid = metric("doorward_token_checks_total{outcome=\"invalid\"}");
    for (int i = 0; i < 50; i++) {
        check_everywhere(&d, &r, bad, ERR_INVALID_TOKEN);
        check_everywhere(&d, &r, (struct auth_tokens){ .access_token = broken }, ERR_INVALID_TOKEN);
        check_everywhere(&d, &r, (struct auth_tokens){ .access_token = SPAN("a.b.c") },
                         ERR_INVALID_TOKEN);
    }
    check_everywhere(&d, &r, mine, ERR_OK);
    CHECK(metric("doorward_store_seconds_count") == calls);
    CHECK(metric("doorward_token_checks_total{outcome=\"invalid\"}") - invalid == 50 * 3 * LOOPS);
    (void)log_in(&d, &r, "ann"); /* the control: who has business there is counted */
    CHECK(metric("doorward_store_seconds_count") > calls);
}

TEST(hits_misses_and_outcomes_are_counted)
{
    WORLD(w, d);
    REQUEST(r);
    struct auth_tokens mine = register_and_log_in(&d, &r);
    double hits = metric("doorward_token_cache_total{outcome=\"hit\"}");
    double misses = metric("doorward_token_cache_total{outcome=\"miss\"}");
    double good = metric("doorward_token_checks_total{outcome=\"good\"}");
    double expired = metric("doorward_token_checks_total{outcome=\"expired\"}");
    double revoked = metric("doorward_token_checks_total{outcome=\"revoked\"}");
    warm(&d, &r, mine);
    CHECK(metric("doorward_token_cache_total{outcome=\"miss\"}") - misses == LOOPS);
    CHECK(metric("doorward_token_cache_total{outcome=\"hit\"}") - hits == LOOPS);
    CHECK(metric("doorward_token_checks_total{outcome=\"good\"}") - good == 2 * LOOPS);
    struct auth_caller caller = caller_of(&d, &r, mine);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    check_everywhere(&d, &r, mine, ERR_TOKEN_REVOKED);
    CHECK(metric("doorward_token_checks_total{outcome=\"revoked\"}") - revoked == LOOPS);
    pass_ms(&w, 7200000);
    check_everywhere(&d, &r, mine, ERR_TOKEN_EXPIRED);
    CHECK(metric("doorward_token_checks_total{outcome=\"expired\"}") - expired == LOOPS);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_logout_ends_the_remembered_token_on_every_loop_and_no_other),
              cmocka_unit_test(a_logout_of_others_and_of_all_ends_remembered_tokens),
              cmocka_unit_test(a_remembered_token_ends_when_another_process_s_logout_is_followed),
              cmocka_unit_test(a_stranger_s_token_reaches_the_store_never),
              cmocka_unit_test(hits_misses_and_outcomes_are_counted));
}

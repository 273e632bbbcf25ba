/* Tokens without memory, ours or OpenSSL's, at every single allocation: what could not be done for
 * want of it says so, since who is told 401 throws his token away, and who is told 500 has met a
 * bug. */
#include "failing_openssl.h"
#include "test_token_world.h"

#include <openssl/err.h>
#include <pthread.h>

static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256", "HS256" };
#define ALGORITHM_COUNT (sizeof(algorithms) / sizeof(algorithms[0]))

struct attempt {
    struct tokens *t;
    enum err (*act)(struct tokens *t, struct arena *a);
    int fails_at;
    enum err result;
    bool failed;
    unsigned long left; /* in OpenSSL's queue of errors */
};

/* On a thread of its own, for which OpenSSL makes its source of randomness anew. */
static void *run_attempt(void *argument)
{
    struct attempt *try = argument;
    struct arena a;
    arena_init(&a, 64 * 1024);
    fail_allocation(try->fails_at);
    try->result = try->act(try->t, &a);
    try->failed = allocation_failed();
    fail_allocation(0);
    try->left = ERR_peek_error();
    arena_done(&a);
    return NULL;
}

/* ERR_OK too, because OpenSSL can do without some of what it asks for. */
static void check_every_failure_says_so(struct tokens *t,
                                        enum err (*act)(struct tokens *t, struct arena *a))
{
    struct attempt try = { .t = t, .act = act, .failed = true };
    int refused = 0;
    while (try.failed) {
        pthread_t thread;
        try.fails_at++;
        CHECK_INT(pthread_create(&thread, NULL, run_attempt, &try), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        refused += try.result == ERR_NOMEM;
        CHECK_INT(try.left, 0);
        if (try.result != ERR_OK && !(try.failed && try.result == ERR_NOMEM)) {
            fail_msg("%s, allocation %d: ERR_%s", token_algorithm(t).data, try.fails_at,
                     err_name(try.result));
        }
    }
    CHECK_ERR(try.result, ERR_OK);
    CHECK(refused > 0);
}

static void check_with_every_algorithm(enum err (*act)(struct tokens *t, struct arena *a))
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        AUTO(token) struct tokens *t = open_with_key(algorithms[i]);
        check_every_failure_says_so(t, act);
    }
}

static enum err issue_one(struct tokens *t, struct arena *a)
{
    const struct token_claims claims = some_claims();
    struct span token;
    return token_issue(t, &claims, NOW_MS, a, &token);
}

TEST(a_token_that_memory_ran_out_for_is_no_bug_with_any_algorithm)
{
    check_with_every_algorithm(issue_one);
}

static struct text issued;

static enum err verify_issued(struct tokens *t, struct arena *a)
{
    struct token_claims claims;
    return token_verify(t, text_span(&issued), NOW_MS, a, &claims);
}

TEST(a_good_token_is_never_called_bad_for_want_of_memory)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        AUTO(token) struct tokens *t = open_with_key(algorithms[i]);
        issue(t, &issued);
        check_every_failure_says_so(t, verify_issued);
    }
}

/* A bad one is bad, whatever ran out of memory before it. */
TEST(want_of_memory_is_not_remembered)
{
    AUTO(token) struct tokens *t = open_with_key("ES256");
    issue(t, &issued);
    issued.data[issued.length - 5] = issued.data[issued.length - 5] == 'A' ? 'B' : 'A';
    errno = ENOMEM;
    CHECK_ERR(verify(t, text_span(&issued)), ERR_INVALID_TOKEN);
}

static enum err make_and_parse_refresh(struct tokens *t, struct arena *a)
{
    const struct token_refresh fields = { .counter = 1, .master_key = token_master_id(t) };
    struct token_refresh parsed;
    struct span token;
    TRY(token_refresh_make(t, &fields, a, &token));
    return token_refresh_parse(t, token, a, &parsed);
}

TEST(so_it_is_with_refresh_tokens)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    check_every_failure_says_so(t, make_and_parse_refresh);
}

static enum err hash_a_name(struct tokens *t, struct arena *a)
{
    uint8_t hash[TOKEN_NAME_HASH_BYTES];
    (void)a;
    return token_name_hash(t, SPAN("nobody"), hash);
}

TEST(so_it_is_with_names)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    check_every_failure_says_so(t, hash_a_name);
}

int main(void)
{
    if (!openssl_may_fail()) {
        return 1;
    }
    RUN_TESTS(cmocka_unit_test(a_token_that_memory_ran_out_for_is_no_bug_with_any_algorithm),
              cmocka_unit_test(a_good_token_is_never_called_bad_for_want_of_memory),
              cmocka_unit_test(want_of_memory_is_not_remembered),
              cmocka_unit_test(so_it_is_with_refresh_tokens),
              cmocka_unit_test(so_it_is_with_names));
}

/* The cache of verified tokens: what it remembers, for whom, how long, and what it costs.
 *
 * Whether an answer came from the cache is told by the memory that was asked for: a signature
 * cannot be checked without any, a hit takes none. OpenSSL's requests are counted as well. */
#include "failing_openssl.h"
#include "test_token_world.h"

#include "cache.h"

#include <unistd.h>

#define CACHE_BYTES (1024 * 1024)

/* ---- counting ---- */

/* One verification; *ret_requests: how often memory was asked for meanwhile. */
static enum err verify_counted(struct token_cache *c, struct span token, int64_t now_ms,
                               int *ret_requests)
{
    enum { MANY = 1000000 };
    struct arena a;
    struct token_claims claims;
    arena_init(&a, 16 * 1024);
    CHECK(arena_get(&a, 1) != NULL); /* a connection's arena keeps its first piece */
    arena_reset(&a);
    fail_allocation(MANY);
    enum err e = token_cache_verify(c, token, now_ms, &a, &claims);
    *ret_requests = MANY - atomic_load(&allocations_left_);
    fail_allocation(0);
    arena_done(&a);
    return e;
}

static bool is_hit(struct token_cache *c, struct span token)
{
    int requests = 0;
    CHECK_ERR(verify_counted(c, token, NOW_MS, &requests), ERR_OK);
    return requests == 0;
}

static enum err cached_at(struct token_cache *c, struct span token, int64_t now_ms)
{
    int requests = 0;
    return verify_counted(c, token, now_ms, &requests);
}

static struct token_cache *open_cache(struct tokens *t, size_t bytes)
{
    struct token_cache *c = NULL;
    CHECK_ERR(token_cache_new(t, bytes, &c), ERR_OK);
    return c;
}

/* ---- what a hit is ---- */

TEST(the_second_verification_of_a_token_takes_no_memory_and_says_the_same)
{
    static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256", "HS256" };
    for (size_t i = 0; i < 5; i++) {
        AUTO(token) struct tokens *t = open_with_key(algorithms[i]);
        AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
        struct text token;
        issue(t, &token);
        CHECK(!is_hit(c, text_span(&token)));
        CHECK(is_hit(c, text_span(&token)));
        CHECK(is_hit(c, text_span(&token)));
        CHECK_INT(cache_count(c), 1);
    }
}

static void check_claims(struct token_cache *c, struct tokens *t, const struct token_claims *in)
{
    struct arena a;
    struct span token;
    struct token_claims cold, warm;
    arena_init(&a, 16 * 1024);
    CHECK_ERR(token_issue(t, in, NOW_MS, &a, &token), ERR_OK);
    CHECK_ERR(token_cache_verify(c, token, NOW_MS, &a, &cold), ERR_OK);
    CHECK_ERR(token_cache_verify(c, token, NOW_MS, &a, &warm), ERR_OK);
    CHECK(uuid_equal(warm.user_id, in->user_id) && uuid_equal(warm.session_id, in->session_id));
    CHECK_INT(warm.epoch, in->epoch);
    CHECK_INT(warm.auth_time_s, in->auth_time_s);
    CHECK_INT(warm.issued_at_s, NOW_S);
    CHECK_INT(warm.expires_at_s, NOW_S + EXPIRY_S);
    CHECK((warm.username.data == NULL) == (in->username.data == NULL));
    CHECK(span_equal(warm.username, in->username) && span_equal(warm.roles, in->roles));
    CHECK(warm.roles.data != NULL && cold.roles.data != NULL);
    arena_done(&a);
}

TEST(a_hit_gives_every_claim_that_the_token_has)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
    struct token_claims in = some_claims();
    check_claims(c, t, &in);
    in.username = SPAN_NONE;
    check_claims(c, t, &in);
    in.roles = SPAN("");
    check_claims(c, t, &in);
    in.username = SPAN("\xc3\x84nn");
    check_claims(c, t, &in);
}

TEST(what_a_hit_gives_outlives_the_entry)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, TOKEN_CACHE_MIN_BYTES);
    struct arena a;
    struct text token;
    struct token_claims claims;
    arena_init(&a, 16 * 1024);
    issue(t, &token);
    for (int i = 0; i < 2; i++) {
        CHECK_ERR(token_cache_verify(c, text_span(&token), NOW_MS, &a, &claims), ERR_OK);
    }
    for (int i = 0; i < 500; i++) {
        struct text other;
        issue(t, &other);
        CHECK_ERR(cached_at(c, text_span(&other), NOW_MS), ERR_OK);
    }
    CHECK(!is_hit(c, text_span(&token)));
    CHECK_SPAN(claims.username, "Ann");
    CHECK_SPAN(claims.roles, "admin reader");
    arena_done(&a);
}

/* Its twin (r, n - s) is as good a signature, so it is accepted; it is another token to the cache,
 * and nobody can make a third. */
TEST(only_the_very_same_bytes_are_a_hit)
{
    AUTO(token) struct tokens *t = open_with_key("ES256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
    struct text token;
    issue(t, &token);
    CHECK(!is_hit(c, text_span(&token)));
    for (size_t i = 0; i < token.length; i++) {
        token.data[i] = (char)(token.data[i] ^ 1);
        CHECK_ERR(cached_at(c, text_span(&token), NOW_MS), ERR_INVALID_TOKEN);
        token.data[i] = (char)(token.data[i] ^ 1);
        CHECK_ERR(cached_at(c, span_slice(text_span(&token), 0, i), NOW_MS), ERR_INVALID_TOKEN);
        CHECK_ERR(cached_at(c, span_from(text_span(&token), i + 1), NOW_MS), ERR_INVALID_TOKEN);
    }
    struct text longer = token;
    text_add(&longer, SPAN("A"));
    CHECK_ERR(cached_at(c, text_span(&longer), NOW_MS), ERR_INVALID_TOKEN);
    /* The same end, which is all that is hashed, and so the same bucket. */
    longer.length = 0;
    text_add(&longer, SPAN("A"));
    text_add(&longer, text_span(&token));
    CHECK_ERR(cached_at(c, text_span(&longer), NOW_MS), ERR_INVALID_TOKEN);
    CHECK(is_hit(c, text_span(&token)));
    CHECK_INT(cache_count(c), 1);
}

TEST(caches_share_nothing_but_the_keys)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    AUTO(token_cache) struct token_cache *one = open_cache(t, CACHE_BYTES);
    AUTO(token_cache) struct token_cache *two = open_cache(t, CACHE_BYTES);
    struct text token;
    issue(t, &token);
    CHECK(!is_hit(one, text_span(&token)));
    CHECK(!is_hit(two, text_span(&token)));
    CHECK(is_hit(one, text_span(&token)));
    CHECK(is_hit(two, text_span(&token)));
}

/* ---- what a hit still asks ---- */

TEST(a_remembered_token_expires_to_the_second_and_is_good_again_when_the_clock_is_right_again)
{
    static const struct {
        int64_t now_ms;
        enum err expected;
    } table[] = {
        { NOW_MS, ERR_OK },
        { NOW_MS + (EXPIRY_S + LEEWAY_S) * INT64_C(1000) - 1, ERR_OK },
        { NOW_MS + (EXPIRY_S + LEEWAY_S) * INT64_C(1000), ERR_TOKEN_EXPIRED },
        { NOW_MS + INT64_C(7200000), ERR_TOKEN_EXPIRED },
        { INT64_C(2147483648000), ERR_TOKEN_EXPIRED },    /* 2038 */
        { INT64_C(4102444800000), ERR_TOKEN_EXPIRED },    /* 2100 */
        { NOW_MS - INT64_C(3600000), ERR_INVALID_TOKEN }, /* not issued yet */
        { NOW_MS - LEEWAY_S * INT64_C(1000), ERR_OK },
        { NOW_MS - LEEWAY_S * INT64_C(1000) - 1, ERR_INVALID_TOKEN },
        { 0, ERR_INVALID_TOKEN },
        { NOW_MS, ERR_OK },
    };
    AUTO(token) struct tokens *t = open_with_key("HS256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
    struct text token;
    issue(t, &token);
    CHECK(!is_hit(c, text_span(&token)));
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int requests = -1;
        CHECK_ERR(verify_at(t, text_span(&token), table[i].now_ms), table[i].expected);
        CHECK_ERR(verify_counted(c, text_span(&token), table[i].now_ms, &requests),
                  table[i].expected);
        CHECK_INT(requests, 0);
    }
}

TEST(an_expired_token_is_never_remembered)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
    struct text token;
    issue(t, &token);
    const int64_t late_ms = NOW_MS + INT64_C(7200000);
    CHECK_ERR(cached_at(c, text_span(&token), late_ms), ERR_TOKEN_EXPIRED);
    CHECK_ERR(cached_at(c, text_span(&token), NOW_MS - INT64_C(7200000)), ERR_INVALID_TOKEN);
    CHECK_INT(cache_count(c), 0);
    CHECK(!is_hit(c, text_span(&token)));
}

struct two_keys {
    struct arena a;
    struct token_key list[2];
};

static void make_two(struct tokens *t, struct two_keys *k)
{
    arena_init(&k->a, 64 * 1024);
    for (int i = 0; i < 2; i++) {
        CHECK_ERR(token_key_make(t, &k->a, &k->list[i]), ERR_OK);
        k->list[i].signs = true;
        k->list[i].active_at = 1 + i;
    }
}

TEST(a_retired_key_ends_its_remembered_tokens_at_once_and_no_others)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
    struct two_keys k;
    struct text old, new;
    make_two(t, &k);
    CHECK_ERR(token_ring_set(t, k.list, 1), ERR_OK);
    issue(t, &old);
    CHECK(!is_hit(c, text_span(&old)));
    CHECK_ERR(token_ring_set(t, k.list, 2), ERR_OK);
    issue(t, &new);
    CHECK(is_hit(c, text_span(&old))); /* a rotation costs the remembered ones nothing */
    CHECK(!is_hit(c, text_span(&new)));
    CHECK_ERR(token_ring_set(t, k.list + 1, 1), ERR_OK);
    CHECK_ERR(cached_at(c, text_span(&old), NOW_MS), ERR_INVALID_TOKEN);
    CHECK(is_hit(c, text_span(&new)));
    CHECK_ERR(cached_at(c, text_span(&old), NOW_MS), ERR_INVALID_TOKEN);
    arena_done(&k.a);
}

TEST(a_key_that_has_expired_ends_its_remembered_tokens_to_the_millisecond)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
    struct two_keys k;
    struct text token;
    make_two(t, &k);
    CHECK_ERR(token_ring_set(t, k.list, 1), ERR_OK);
    issue(t, &token);
    CHECK(!is_hit(c, text_span(&token)));
    k.list[0].expires_at = NOW_MS + 5;
    CHECK_ERR(token_ring_set(t, k.list, 2), ERR_OK);
    for (int round = 0; round < 2; round++) {
        CHECK_ERR(cached_at(c, text_span(&token), NOW_MS + 4), ERR_OK);
        CHECK_ERR(cached_at(c, text_span(&token), NOW_MS + 5), ERR_INVALID_TOKEN);
    }
    arena_done(&k.a);
}

TEST(without_a_key_that_signs_a_remembered_token_is_neither_good_nor_bad)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
    struct two_keys k;
    struct text token;
    make_two(t, &k);
    CHECK_ERR(token_ring_set(t, k.list, 1), ERR_OK);
    issue(t, &token);
    CHECK(!is_hit(c, text_span(&token)));
    CHECK_ERR(token_ring_set(t, NULL, 0), ERR_OK);
    CHECK_ERR(verify(t, text_span(&token)), ERR_UNAVAILABLE);
    CHECK_ERR(cached_at(c, text_span(&token), NOW_MS), ERR_UNAVAILABLE);
    arena_done(&k.a);
}

/* ---- strangers ---- */

TEST(a_flood_of_bad_tokens_leaves_every_good_one_in_its_place)
{
    enum { GOOD = 60, BAD = 3000 };
    AUTO(token) struct tokens *t = open_with_key("HS256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, TOKEN_CACHE_MIN_BYTES);
    static struct text good[GOOD];
    for (size_t i = 0; i < GOOD; i++) {
        issue(t, &good[i]);
        CHECK(!is_hit(c, text_span(&good[i])));
    }
    for (size_t i = 0; i < BAD; i++) {
        struct text bad = good[i % GOOD];
        size_t from_end = 2 + i / GOOD;
        bad.data[bad.length - from_end] = bad.data[bad.length - from_end] == 'x' ? 'y' : 'x';
        CHECK_ERR(cached_at(c, text_span(&bad), NOW_MS), ERR_INVALID_TOKEN);
    }
    CHECK_INT(cache_count(c), GOOD);
    for (size_t i = 0; i < GOOD; i++) {
        CHECK(is_hit(c, text_span(&good[i])));
    }
}

/* ---- the log and its chains, with texts that need no signature ---- */

struct log_world {
    struct tokens *tokens;
    struct token_cache *cache;
    const struct ring *ring;
    const struct ring_key *key;
};

static void log_open(struct log_world *w, size_t bytes)
{
    w->tokens = open_with_key("HS256");
    w->cache = open_cache(w->tokens, bytes);
    w->ring = ring_current(w->tokens);
    w->key = &w->ring->keys[0];
}

static void log_close(struct log_world *w)
{
    token_cache_free(w->cache);
    token_close(w->tokens);
}

/* The `number`th text; its length depends on the number. */
static struct span text_of(unsigned number, char *out, size_t max_length)
{
    size_t length = 64 + number * 2654435761U % (max_length - 63);
    memset(out, 'a' + (int)(number % 26), length);
    (void)snprintf(out + length - 12, 13, "%011u.", number);
    return (struct span){ out, length };
}

static void log_add(struct log_world *w, unsigned number, size_t max_length)
{
    char text[TOKEN_MAX_BYTES + 1];
    char names[32];
    struct span token = text_of(number, text, max_length);
    (void)snprintf(names, sizeof(names), "user-%u admin", number);
    struct token_claims claims = { .epoch = number };
    claims.username = span_slice(span_of(names), 0, span_find(span_of(names), ' '));
    claims.roles = SPAN("admin");
    CHECK(cache_find(w->cache, token) == NULL);
    cache_add(w->cache, token, w->ring, w->key, &claims);
}

static struct cached *log_find(struct log_world *w, unsigned number, size_t max_length)
{
    char text[TOKEN_MAX_BYTES + 1];
    char name[32];
    struct cached *e = cache_find(w->cache, text_of(number, text, max_length));
    if (e != NULL) {
        struct token_claims claims = cached_claims(e);
        (void)snprintf(name, sizeof(name), "user-%u", number);
        CHECK_INT(claims.epoch, number);
        CHECK_SPAN(claims.username, name);
        CHECK_SPAN(claims.roles, "admin");
    }
    return e;
}

TEST(the_newest_are_there_whatever_their_sizes_and_the_count_is_right)
{
    static const size_t max_lengths[] = { 64, 700, TOKEN_MAX_BYTES };
    for (size_t m = 0; m < 3; m++) {
        struct log_world w;
        log_open(&w, TOKEN_CACHE_MIN_BYTES + 16 * m);
        for (unsigned i = 0; i < 3000; i++) {
            log_add(&w, i, max_lengths[m]);
            for (unsigned back = 0; back < 5 && back <= i; back++) {
                CHECK(log_find(&w, i - back, max_lengths[m]) != NULL);
            }
        }
        size_t found = 0;
        for (unsigned i = 0; i < 3000; i++) {
            found += log_find(&w, i, max_lengths[m]) != NULL;
        }
        CHECK_INT(found, cache_count(w.cache));
        CHECK(found < 3000);
        log_close(&w);
    }
}

TEST(what_is_used_stays_while_unused_ones_come_and_go)
{
    enum { REGULAR = 20 };
    struct log_world w;
    log_open(&w, TOKEN_CACHE_MIN_BYTES);
    for (unsigned i = 0; i < REGULAR; i++) {
        log_add(&w, i, 700);
    }
    for (unsigned i = REGULAR; i < 5000; i++) {
        log_add(&w, i, 700);
        struct cached *e = log_find(&w, i % REGULAR, 700);
        CHECK(e != NULL);
        e->used = true;
    }
    log_close(&w);
}

TEST(when_all_are_used_the_oldest_give_way_all_the_same)
{
    struct log_world w;
    log_open(&w, TOKEN_CACHE_MIN_BYTES);
    for (unsigned i = 0; i < 5000; i++) {
        log_add(&w, i, 700);
        for (unsigned back = 0; back < 200 && back <= i; back++) {
            struct cached *e = log_find(&w, i - back, 700);
            if (e != NULL) {
                e->used = true;
            }
        }
    }
    CHECK(cache_count(w.cache) > 50);
    log_close(&w);
}

TEST(uses_at_random_never_lose_the_count_nor_mix_up_two_tokens)
{
    struct log_world w;
    uint32_t random = 1;
    log_open(&w, TOKEN_CACHE_MIN_BYTES);
    for (unsigned i = 0; i < 20000; i++) {
        random = random * 1664525U + 1013904223U;
        log_add(&w, i, 1500);
        struct cached *e = log_find(&w, i - random / 65536 % 64 % (i + 1), 1500);
        if (e != NULL) {
            e->used = true;
        }
    }
    size_t found = 0;
    for (unsigned i = 0; i < 20000; i++) {
        found += log_find(&w, i, 1500) != NULL;
    }
    CHECK_INT(found, cache_count(w.cache));
    log_close(&w);
}

/* ---- what it costs ---- */

static long resident_pages(void)
{
    long size = 0;
    long resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f != NULL);
    CHECK_INT(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident;
}

TEST(a_cache_that_nobody_uses_costs_no_memory)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    long before = resident_pages();
    AUTO(token_cache) struct token_cache *c = open_cache(t, (size_t)512 * 1024 * 1024);
    CHECK(c != NULL);
    CHECK(resident_pages() - before < 256);
}

TEST(below_the_least_size_nothing_is_remembered_and_tokens_are_judged_all_the_same)
{
    static const size_t sizes[] = { 0, 1, TOKEN_CACHE_MIN_BYTES - 1 };
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    issue(t, &token);
    for (size_t i = 0; i < 3; i++) {
        AUTO(token_cache) struct token_cache *c = open_cache(t, sizes[i]);
        CHECK(!is_hit(c, text_span(&token)));
        CHECK(!is_hit(c, text_span(&token)));
        token.data[0] = 'A';
        CHECK_ERR(cached_at(c, text_span(&token), NOW_MS), ERR_INVALID_TOKEN);
        token.data[0] = 'e';
        CHECK_INT(cache_count(c), 0);
    }
}

TEST(a_cache_without_memory_is_refused)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct token_cache *c = NULL;
    fail_allocation(1);
    CHECK_ERR(token_cache_new(t, CACHE_BYTES, &c), ERR_NOMEM);
    fail_allocation(0);
    CHECK_ERR(token_cache_new(t, SIZE_MAX / 2, &c), ERR_NOMEM);
    CHECK(c == NULL);
    token_cache_free(NULL);
}

/* The claims of a hit are copied into the caller's arena. */
TEST(a_hit_with_a_full_arena_is_refused_and_remembered_on)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    AUTO(token_cache) struct token_cache *c = open_cache(t, CACHE_BYTES);
    struct text token;
    struct arena a;
    struct token_claims claims;
    issue(t, &token);
    CHECK(!is_hit(c, text_span(&token)));
    arena_init(&a, 8);
    CHECK_ERR(token_cache_verify(c, text_span(&token), NOW_MS, &a, &claims), ERR_NOMEM);
    arena_done(&a);
    CHECK(is_hit(c, text_span(&token)));
}

int main(void)
{
    if (!openssl_may_fail()) {
        return 1;
    }
    RUN_TESTS(
        cmocka_unit_test(the_second_verification_of_a_token_takes_no_memory_and_says_the_same),
        cmocka_unit_test(a_hit_gives_every_claim_that_the_token_has),
        cmocka_unit_test(what_a_hit_gives_outlives_the_entry),
        cmocka_unit_test(only_the_very_same_bytes_are_a_hit),
        cmocka_unit_test(caches_share_nothing_but_the_keys),
        cmocka_unit_test(
            a_remembered_token_expires_to_the_second_and_is_good_again_when_the_clock_is_right_again),
        cmocka_unit_test(an_expired_token_is_never_remembered),
        cmocka_unit_test(a_retired_key_ends_its_remembered_tokens_at_once_and_no_others),
        cmocka_unit_test(a_key_that_has_expired_ends_its_remembered_tokens_to_the_millisecond),
        cmocka_unit_test(without_a_key_that_signs_a_remembered_token_is_neither_good_nor_bad),
        cmocka_unit_test(a_flood_of_bad_tokens_leaves_every_good_one_in_its_place),
        cmocka_unit_test(the_newest_are_there_whatever_their_sizes_and_the_count_is_right),
        cmocka_unit_test(what_is_used_stays_while_unused_ones_come_and_go),
        cmocka_unit_test(when_all_are_used_the_oldest_give_way_all_the_same),
        cmocka_unit_test(uses_at_random_never_lose_the_count_nor_mix_up_two_tokens),
        cmocka_unit_test(a_cache_that_nobody_uses_costs_no_memory),
        cmocka_unit_test(
            below_the_least_size_nothing_is_remembered_and_tokens_are_judged_all_the_same),
        cmocka_unit_test(a_cache_without_memory_is_refused),
        cmocka_unit_test(a_hit_with_a_full_arena_is_refused_and_remembered_on));
}

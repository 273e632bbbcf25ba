/* The key ring over time: rotation by schedule and by hand, retirement, clocks that step, several
 * processes, other master keys and another algorithm. */
#include "context.h"
#include "test_auth_world.h"

#define HOUR_MS      (INT64_C(3600) * 1000)
#define DAY_MS       (24 * HOUR_MS)
#define ROTATION_MS  (30 * DAY_MS)
#define MAX_AGE_MS   (INT64_C(600) * 1000) /* JWKS_MAX_AGE */
#define SPREAD_MS    INT64_C(2000)         /* until every process publishes a new key */
#define LEAD_MS      (MAX_AGE_MS + SPREAD_MS)
#define LIFE_MS      (INT64_C(3630) * 1000) /* of a key after its last token was signed */
#define YEAR_2038_MS INT64_C(2147483648000)
#define YEAR_2100_MS INT64_C(4102444800000)

static struct auth_options ring_options(const struct door *d, const struct clock *clock)
{
    struct auth_options options = door_options(d, clock);
    options.has_ring = true;
    options.max_sessions_per_user = 50;
    options.key_rotation_s = ROTATION_MS / 1000;
    options.jwks_max_age_s = MAX_AGE_MS / 1000;
    return options;
}

/* Another process on the same file, with master keys and an algorithm of its own. */
static enum err start_with(struct world *w, struct door *d, struct tokens *tokens,
                           const struct auth_options *like)
{
    door_parts(w, &w->clock, d);
    token_close(d->tokens);
    d->tokens = tokens;
    struct auth_options options = ring_options(d, &w->clock);
    if (like != NULL) {
        options.key_rotation_s = like->key_rotation_s;
        options.jwks_max_age_s = like->jwks_max_age_s;
    }
    CHECK_ERR(auth_open(&options, &d->auth), ERR_OK);
    return auth_prepare(d->auth);
}

static void start(struct world *w, struct door *d)
{
    CHECK_ERR(start_with(w, d, open_tokens("ES256", MASTER), NULL), ERR_OK);
}

/* What upkeep does all the time: one tends, all read what is there afterwards. */
static void tend_and_follow(struct door *d, struct door *other)
{
    CHECK_ERR(auth_tend(d->auth), ERR_OK);
    if (other != NULL) {
        CHECK_ERR(auth_tend(other->auth), ERR_OK);
        CHECK_ERR(auth_follow(other->auth), ERR_OK);
    }
    CHECK_ERR(auth_follow(d->auth), ERR_OK);
}

static void pass(struct world *w, int64_t ms, struct door *d, struct door *other)
{
    pass_ms(w, ms);
    tend_and_follow(d, other);
}

static struct auth_key *list(struct door *d, struct request *r, size_t expected)
{
    struct auth_key *keys = NULL;
    size_t count = 0;
    CHECK_ERR(auth_key_list(d->auth, &r->call, &keys, &count), ERR_OK);
    CHECK_INT(count, expected);
    return keys;
}

/* The states of all keys in the order of their generations, a letter each. */
static void check_states(struct door *d, struct request *r, const char *expected)
{
    static const char letters[] = { [AUTH_KEY_PENDING] = 'p',
                                    [AUTH_KEY_SIGNING] = 's',
                                    [AUTH_KEY_VERIFYING] = 'v',
                                    [AUTH_KEY_ENDED] = 'e',
                                    [AUTH_KEY_RETIRED] = 'r' };
    char found[64] = { 0 };
    struct auth_key *keys = NULL;
    size_t count = 0;
    CHECK_ERR(auth_key_list(d->auth, &r->call, &keys, &count), ERR_OK);
    CHECK(count < sizeof(found));
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(keys[i].generation, i + 1);
        found[i] = letters[keys[i].state];
    }
    assert_string_equal(found, expected);
}

static bool publishes(struct door *d, struct span kid)
{
    struct span json, etag;
    auth_jwks(d->auth, &json, &etag);
    return memmem(json.data, json.length, kid.data, kid.length) != NULL;
}

static void check_same_key_set(struct door *d, struct door *other)
{
    struct span json[2], etag[2];
    auth_jwks(d->auth, &json[0], &etag[0]);
    auth_jwks(other->auth, &json[1], &etag[1]);
    CHECK(span_equal(json[0], json[1]) && span_equal(etag[0], etag[1]));
}

static struct auth_key rotate(struct door *d, struct request *r, bool now)
{
    struct auth_key key = { 0 };
    CHECK_ERR(auth_key_rotate(d->auth, &r->call, now, &key), ERR_OK);
    return key;
}

/* ---- by schedule ---- */

TEST(the_next_key_is_published_for_the_max_age_before_it_signs)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(other);
    REQUEST(r);
    start(&w, &d);
    start(&w, &other);
    (void)register_user(&d, &r, "ann");
    check_states(&d, &r, "s");
    pass(&w, ROTATION_MS - LEAD_MS - 1, &d, &other);
    check_states(&d, &r, "s");
    pass(&w, 1, &d, &other);
    check_states(&d, &r, "sp");
    struct auth_key *keys = list(&d, &r, 2);
    CHECK_INT(keys[1].active_at - keys[1].created_at, LEAD_MS);
    CHECK(publishes(&d, keys[0].kid) && publishes(&d, keys[1].kid));
    check_same_key_set(&d, &other);
    struct auth_tokens before = log_in(&d, &r, "ann");
    pass(&w, LEAD_MS - 1, &d, &other);
    check_states(&d, &r, "sp");
    pass(&w, 1, &d, &other);
    check_states(&d, &r, "vs");
    struct auth_tokens after = log_in(&d, &r, "ann");
    CHECK_ERR(verify(&other, &r, before), ERR_OK);
    CHECK_ERR(verify(&other, &r, after), ERR_OK);
    pass(&w, LIFE_MS - 1, &d, &other);
    check_states(&d, &r, "vs");
    CHECK(publishes(&d, keys[0].kid));
    pass(&w, 1, &d, &other);
    check_states(&d, &r, "es");
    CHECK(!publishes(&d, keys[0].kid) && !publishes(&other, keys[0].kid));
    check_same_key_set(&d, &other);
}

TEST(many_periods_make_one_key_each_and_keep_few)
{
    enum { PERIODS = 40 };
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(other);
    REQUEST(r);
    start(&w, &d);
    start(&w, &other);
    for (int i = 0; i < PERIODS; i++) {
        pass(&w, ROTATION_MS / 2, &d, &other);
        pass(&w, ROTATION_MS / 2, &d, &other);
        pass(&w, LEAD_MS, &d, &other);
    }
    struct auth_key *keys = NULL;
    size_t count = 0;
    CHECK_ERR(auth_key_list(d.auth, &r.call, &keys, &count), ERR_OK);
    CHECK(count >= 16 && count <= 18);
    CHECK_INT(keys[count - 1].generation, PERIODS + 1);
    CHECK_INT(keys[count - 1].state, AUTH_KEY_SIGNING);
}

TEST(without_a_schedule_only_the_hand_rotates)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    const struct auth_options by_hand = { .key_rotation_s = 0, .jwks_max_age_s = 600 };
    CHECK_ERR(start_with(&w, &d, open_tokens("ES256", MASTER), &by_hand), ERR_OK);
    pass(&w, 10 * ROTATION_MS, &d, NULL);
    check_states(&d, &r, "s");
    struct auth_key key = rotate(&d, &r, false);
    CHECK_INT(key.generation, 2);
    CHECK_INT(key.state, AUTH_KEY_PENDING);
    CHECK_INT(key.active_at - key.created_at, LEAD_MS);
}

TEST(with_a_max_age_of_nothing_others_still_have_the_time_to_read_the_next_key)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    const struct auth_options fast = { .key_rotation_s = 1, .jwks_max_age_s = 0 };
    CHECK_ERR(start_with(&w, &d, open_tokens("ES256", MASTER), &fast), ERR_OK);
    pass(&w, 1000, &d, NULL);
    struct auth_key *keys = list(&d, &r, 2);
    CHECK_INT(keys[1].active_at - keys[1].created_at, 5000);
    /* A pending one is waited for. */
    pass(&w, 1000, &d, NULL);
    pass(&w, 3000, &d, NULL);
    check_states(&d, &r, "sp");
}

TEST(a_process_that_was_away_for_long_rotates_once)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    door_close(&d);
    pass_ms(&w, 7 * ROTATION_MS);
    start(&w, &d);
    tend_and_follow(&d, NULL);
    tend_and_follow(&d, NULL);
    check_states(&d, &r, "sp");
    pass(&w, LEAD_MS, &d, NULL);
    check_states(&d, &r, "vs");
}

/* ---- by hand ---- */

TEST(a_rotation_at_once_waits_until_every_process_has_read_the_key)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(cli);
    REQUEST(r);
    start(&w, &d);
    (void)register_user(&d, &r, "ann");
    start(&w, &cli);
    struct auth_key key = rotate(&cli, &r, true);
    CHECK_INT(key.active_at - key.created_at, 2000);
    pass(&w, 2000, &d, NULL);
    check_states(&d, &r, "vs");
    CHECK_ERR(verify(&d, &r, log_in(&d, &r, "ann")), ERR_OK);
}

TEST(an_earlier_pending_key_is_passed_over_by_a_later_one_that_is_active)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    (void)rotate(&d, &r, false);
    (void)rotate(&d, &r, true);
    check_states(&d, &r, "spp");
    pass(&w, 2000, &d, NULL);
    check_states(&d, &r, "vvs");
    pass(&w, LIFE_MS, &d, NULL);
    check_states(&d, &r, "ees");
}

TEST(so_many_keys_that_all_verify_refuse_another_by_hand)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    enum err last = ERR_OK;
    int made = 0;
    for (; last == ERR_OK && made < 1000; made++) {
        struct auth_key key;
        arena_reset(&r.arena);
        arena_done(&r.arena);
        arena_init(&r.arena, 4 * 1024 * 1024);
        last = auth_key_rotate(d.auth, &r.call, true, &key);
    }
    CHECK_ERR(last, ERR_BUSY);
    CHECK_INT(made, 300);
    /* An emergency still gets its key. */
    pass(&w, 2000, &d, NULL);
    struct auth_key *keys = list(&d, &r, 300);
    CHECK_INT(keys[299].state, AUTH_KEY_SIGNING);
    CHECK_ERR(auth_key_retire(d.auth, &r.call, keys[299].kid), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    CHECK_INT(list(&d, &r, 301)[300].state, AUTH_KEY_SIGNING);
}

/* ---- retirement ---- */

TEST(a_retired_signing_key_is_refused_at_once_and_another_signs)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(cli);
    REQUEST(r);
    start(&w, &d);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct span kid = list(&d, &r, 1)[0].kid;
    CHECK_ERR(start_with(&w, &cli, open_tokens("ES256", MASTER), NULL), ERR_OK);
    CHECK_ERR(auth_key_retire(cli.auth, &r.call, kid), ERR_OK);
    CHECK_ERR(auth_key_retire(cli.auth, &r.call, kid), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    check_states(&d, &r, "rs");
    CHECK_ERR(verify(&d, &r, tokens), ERR_INVALID_TOKEN);
    CHECK(!publishes(&d, kid));
    /* Nobody is signed out: the session goes on with the new key. */
    struct auth_tokens next = child_of(&d, &r, tokens.refresh_token);
    CHECK_ERR(verify(&d, &r, next), ERR_OK);
    CHECK_ERR(auth_key_retire(cli.auth, &r.call, SPAN("nobody")), ERR_NOT_FOUND);
}

TEST(a_retired_verifying_key_takes_nothing_else_with_it)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    struct auth_tokens old = register_and_log_in(&d, &r);
    (void)rotate(&d, &r, true);
    pass(&w, 2000, &d, NULL);
    struct auth_tokens young = log_in(&d, &r, "ann");
    CHECK_ERR(auth_key_retire(d.auth, &r.call, list(&d, &r, 2)[0].kid), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    check_states(&d, &r, "rs");
    CHECK_ERR(verify(&d, &r, old), ERR_INVALID_TOKEN);
    CHECK_ERR(verify(&d, &r, young), ERR_OK);
}

TEST(a_retired_pending_key_never_signs_and_the_present_one_goes_on)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    struct auth_key key = rotate(&d, &r, false);
    CHECK_ERR(auth_key_retire(d.auth, &r.call, key.kid), ERR_OK);
    pass(&w, LEAD_MS, &d, NULL);
    check_states(&d, &r, "sr");
    pass(&w, DAY_MS, &d, NULL);
    check_states(&d, &r, "sr");
    CHECK_INT(rotate(&d, &r, true).generation, 3);
}

/* The former key's tokens may be dead already: it must not come back. */
TEST(when_the_signing_key_is_retired_an_earlier_one_does_not_come_back)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    (void)rotate(&d, &r, true);
    pass(&w, 2000, &d, NULL);
    check_states(&d, &r, "vs");
    /* As after a command that was killed between its two writes, in the wrong order. */
    CHECK_ERR(store_key_retire(d.store, list(&d, &r, 2)[1].kid), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    check_states(&d, &r, "vr");
    CHECK(!auth_health(d.auth).keys_ok);
    tend_and_follow(&d, NULL);
    check_states(&d, &r, "vrs");
    CHECK(auth_health(d.auth).keys_ok);
}

TEST(a_stand_in_is_made_only_where_nobody_else_can_sign)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    struct auth_key made;
    start(&w, &d);
    struct span first = list(&d, &r, 1)[0].kid;
    struct auth_key pending = rotate(&d, &r, false);
    CHECK_ERR(auth_key_stand_in(d.auth, &r.call, pending.kid, &made), ERR_OK);
    CHECK(made.kid.data == NULL);
    CHECK_ERR(auth_key_stand_in(d.auth, &r.call, first, &made), ERR_OK);
    CHECK(made.kid.data == NULL);
    CHECK_ERR(auth_key_retire(d.auth, &r.call, pending.kid), ERR_OK);
    CHECK_ERR(auth_key_stand_in(d.auth, &r.call, first, &made), ERR_OK);
    CHECK(made.kid.data != NULL);
    CHECK_ERR(auth_key_stand_in(d.auth, &r.call, SPAN("nobody"), &made), ERR_NOT_FOUND);
    check_states(&d, &r, "srp");
    pass(&w, AUTH_KEY_SPREAD_MS, &d, NULL);
    check_states(&d, &r, "vrs");
}

/* As the command line does it, with processes that read the store by turns. */
TEST(no_process_meets_a_token_of_a_stand_in_before_it_has_read_that)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(other);
    REQUEST(r);
    struct auth_key made;
    start(&w, &d);
    start(&w, &other);
    struct auth_tokens before = register_and_log_in(&d, &r);
    struct span kid = list(&d, &r, 1)[0].kid;
    CHECK_ERR(auth_key_stand_in(d.auth, &r.call, kid, &made), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    CHECK_ERR(verify(&other, &r, log_in(&d, &r, "ann")), ERR_OK);
    CHECK_ERR(auth_follow(other.auth), ERR_OK);
    pass_ms(&w, AUTH_KEY_SPREAD_MS);
    CHECK_ERR(auth_key_retire(d.auth, &r.call, kid), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    CHECK_ERR(verify(&other, &r, log_in(&d, &r, "ann")), ERR_OK);
    CHECK_ERR(verify(&d, &r, before), ERR_INVALID_TOKEN);
}

/* ---- several processes ---- */

struct starter {
    struct world *w;
    struct door door;
    pthread_barrier_t *barrier;
    pthread_t thread;
    enum err result;
};

static void *start_together(void *argument)
{
    struct starter *s = argument;
    (void)pthread_barrier_wait(s->barrier);
    s->result = auth_prepare(s->door.auth);
    return NULL;
}

TEST(processes_that_start_together_on_an_empty_store_agree_on_one_ring)
{
    enum { STARTERS = 4 };
    EMPTY_WORLD(w);
    REQUEST(r);
    struct starter starters[STARTERS];
    pthread_barrier_t barrier;
    CHECK_INT(pthread_barrier_init(&barrier, NULL, STARTERS), 0);
    for (size_t i = 0; i < STARTERS; i++) {
        starters[i] = (struct starter){ .w = &w, .barrier = &barrier };
        door_parts(&w, &w.clock, &starters[i].door);
        token_close(starters[i].door.tokens);
        starters[i].door.tokens = open_tokens("ES256", MASTER);
        struct auth_options options = ring_options(&starters[i].door, &w.clock);
        CHECK_ERR(auth_open(&options, &starters[i].door.auth), ERR_OK);
    }
    for (size_t i = 0; i < STARTERS; i++) {
        CHECK_INT(pthread_create(&starters[i].thread, NULL, start_together, &starters[i]), 0);
    }
    for (size_t i = 0; i < STARTERS; i++) {
        CHECK_INT(pthread_join(starters[i].thread, NULL), 0);
        CHECK_ERR(starters[i].result, ERR_OK);
        check_same_key_set(&starters[0].door, &starters[i].door);
    }
    check_states(&starters[0].door, &r, "s");
    for (size_t i = 0; i < STARTERS; i++) {
        door_close(&starters[i].door);
    }
    (void)pthread_barrier_destroy(&barrier);
}

/* ---- clocks that step ---- */

static void check_issues_and_verifies(struct door *d, struct door *other, struct request *r)
{
    struct auth_tokens tokens = log_in(d, r, "ann");
    CHECK_ERR(verify(d, r, tokens), ERR_OK);
    CHECK_ERR(verify(other, r, tokens), ERR_OK);
}

TEST(a_clock_that_steps_makes_at_most_one_key_and_never_leaves_none)
{
    static const int64_t steps[] = { -HOUR_MS, HOUR_MS, -DAY_MS, DAY_MS };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        EMPTY_WORLD(w);
        DOOR(d);
        DOOR(other);
        REQUEST(r);
        start(&w, &d);
        start(&w, &other);
        struct auth_tokens before = register_and_log_in(&d, &r);
        for (int again = 0; again < 5; again++) {
            pass(&w, steps[i], &d, &other);
            check_issues_and_verifies(&d, &other, &r);
            pass(&w, -steps[i], &d, &other);
            check_issues_and_verifies(&d, &other, &r);
            CHECK_ERR(verify(&other, &r, before), ERR_OK);
        }
        check_states(&d, &r, "s");
    }
}

/* Just after a rotation, when the new key's time lies ahead again. */
TEST(a_clock_that_steps_back_over_a_rotation_gives_no_false_refusal)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(other);
    REQUEST(r);
    start(&w, &d);
    start(&w, &other);
    (void)register_user(&d, &r, "ann");
    pass(&w, ROTATION_MS, &d, &other);
    struct auth_tokens old = log_in(&d, &r, "ann");
    pass(&w, LEAD_MS + 1000, &d, &other);
    check_states(&d, &r, "vs");
    struct auth_tokens young = log_in(&d, &r, "ann");
    pass(&w, -HOUR_MS, &d, &other);
    check_states(&d, &r, "sp");
    struct auth_tokens between = log_in(&d, &r, "ann");
    CHECK_ERR(verify(&other, &r, between), ERR_OK);
    pass(&w, HOUR_MS, &d, &other);
    check_states(&d, &r, "vs");
    CHECK_ERR(verify(&other, &r, old), ERR_OK);
    CHECK_ERR(verify(&other, &r, young), ERR_OK);
    CHECK_ERR(verify(&other, &r, between), ERR_OK);
}

TEST(a_time_in_the_far_future_makes_one_key_and_is_recovered_from)
{
    static const int64_t futures[] = { YEAR_2038_MS, YEAR_2100_MS };
    for (size_t i = 0; i < 2; i++) {
        EMPTY_WORLD(w);
        DOOR(d);
        DOOR(other);
        REQUEST(r);
        start(&w, &d);
        start(&w, &other);
        struct auth_tokens before = register_and_log_in(&d, &r);
        int64_t step = futures[i] - START_MS;
        pass(&w, step, &d, &other);
        CHECK_ERR(verify(&d, &r, before), ERR_TOKEN_EXPIRED);
        for (int again = 0; again < 5; again++) {
            tend_and_follow(&d, &other);
            check_issues_and_verifies(&d, &other, &r);
        }
        check_states(&d, &r, "sp");
        pass(&w, 2 * HOUR_MS, &d, &other);
        check_states(&d, &r, "es");
        /* The clock is right again: the first signs until one that was made with the right clock
         * does, and that is made once. */
        pass(&w, -step - 2 * HOUR_MS, &d, &other);
        CHECK_ERR(verify(&other, &r, before), ERR_OK);
        check_issues_and_verifies(&d, &other, &r);
        tend_and_follow(&d, &other);
        check_states(&d, &r, "spp");
        pass(&w, LEAD_MS, &d, &other);
        check_states(&d, &r, "vvs");
        pass(&w, LIFE_MS, &d, &other);
        check_states(&d, &r, "ees");
        check_issues_and_verifies(&d, &other, &r);
    }
}

TEST(a_first_key_that_was_made_with_a_clock_far_ahead_signs_and_is_replaced)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(other);
    REQUEST(r);
    atomic_store(&w.clock.frozen_ms, YEAR_2038_MS);
    start(&w, &d);
    atomic_store(&w.clock.frozen_ms, START_MS);
    start(&w, &other);
    tend_and_follow(&d, &other);
    (void)register_user(&d, &r, "ann");
    check_issues_and_verifies(&d, &other, &r);
    check_states(&d, &r, "sp");
    pass(&w, LEAD_MS, &d, &other);
    check_issues_and_verifies(&d, &other, &r);
    check_states(&d, &r, "vs");
}

/* What a clock does to sessions: refused while it says so, good again with the right time. */
TEST(a_clock_that_was_far_ahead_costs_nobody_his_session)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    pass(&w, YEAR_2100_MS - START_MS, &d, NULL);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_REFRESH_EXPIRED);
    tend_and_follow(&d, NULL);
    pass(&w, START_MS - YEAR_2100_MS, &d, NULL);
    tokens = child_of(&d, &r, tokens.refresh_token);
    CHECK_ERR(verify(&d, &r, tokens), ERR_OK);
    /* With a clock that has gone evenly for an hour what is over is deleted. */
    pass(&w, YEAR_2100_MS - START_MS, &d, NULL);
    d.auth->clock_even_since_us -= INT64_C(3601) * 1000000;
    tend_and_follow(&d, NULL);
    pass(&w, START_MS - YEAR_2100_MS, &d, NULL);
    CHECK_ERR(refresh_result(&d, &r, tokens.refresh_token), ERR_INVALID_REFRESH);
}

/* A machine without a clock of its own boots at the beginning of time. */
TEST(a_clock_that_is_far_behind_ends_no_key_that_signs_elsewhere)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(late);
    REQUEST(r);
    struct clock behind = { 0 };
    start(&w, &d);
    (void)register_user(&d, &r, "ann");
    pass(&w, 20 * DAY_MS, &d, NULL);
    struct auth_tokens before = log_in(&d, &r, "ann");
    atomic_store(&behind.frozen_ms, 1000);
    door_parts(&w, &behind, &late);
    token_close(late.tokens);
    late.tokens = open_tokens("ES256", MASTER);
    struct auth_options options = ring_options(&late, &behind);
    CHECK_ERR(auth_open(&options, &late.auth), ERR_OK);
    CHECK_ERR(auth_prepare(late.auth), ERR_OK);
    tend_and_follow(&late, NULL);
    atomic_store(&behind.frozen_ms, atomic_load(&w.clock.frozen_ms));
    tend_and_follow(&d, &late);
    CHECK_ERR(verify(&d, &r, before), ERR_OK);
    CHECK_ERR(verify(&late, &r, before), ERR_OK);
    check_issues_and_verifies(&d, &late, &r);
    /* The next key that is made with a right clock ends them all. */
    pass(&w, LEAD_MS, &d, NULL);
    pass(&w, LIFE_MS, &d, NULL);
    check_states(&d, &r, "ees");
}

TEST(a_clock_past_the_end_of_time_writes_no_key_that_nobody_can_read)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    struct auth_tokens before = register_and_log_in(&d, &r);
    atomic_store(&w.clock.frozen_ms, INT64_C(253402300799999));
    CHECK(auth_tend(d.auth) != ERR_OK);
    atomic_store(&w.clock.frozen_ms, START_MS);
    tend_and_follow(&d, NULL);
    CHECK_ERR(verify(&d, &r, before), ERR_OK);
}

/* The follower may have slept meanwhile. */
TEST(a_logout_holds_when_only_the_one_who_forgets_has_seen_the_clock_ahead)
{
    EMPTY_WORLD(w);
    DOOR(d);
    REQUEST(r);
    start(&w, &d);
    struct auth_tokens tokens = register_and_log_in(&d, &r);
    struct auth_caller caller = caller_of(&d, &r, tokens);
    CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    pass_ms(&w, DAY_MS);
    CHECK_ERR(auth_tend(d.auth), ERR_OK);
    pass_ms(&w, -DAY_MS + 500);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
}

TEST(a_logout_holds_over_clocks_that_step_forward_and_back)
{
    static const int64_t steps[] = { HOUR_MS, 2 * HOUR_MS, YEAR_2038_MS - START_MS };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        EMPTY_WORLD(w);
        DOOR(d);
        DOOR(other);
        REQUEST(r);
        start(&w, &d);
        start(&w, &other);
        struct auth_tokens tokens = register_and_log_in(&d, &r);
        struct auth_caller caller = caller_of(&d, &r, tokens);
        CHECK_ERR(auth_logout(d.auth, &r.call, &caller, AUTH_THIS), ERR_OK);
        pass(&w, 100 * 1000, &d, &other);
        pass(&w, steps[i], &d, &other);
        CHECK(verify(&d, &r, tokens) != ERR_OK);
        pass(&w, -steps[i], &d, &other);
        CHECK_ERR(verify(&d, &r, tokens), ERR_TOKEN_REVOKED);
        CHECK_ERR(verify(&other, &r, tokens), ERR_TOKEN_REVOKED);
    }
}

/* ---- master keys ---- */

TEST(the_order_of_the_master_keys_may_change_with_sessions_alive)
{
    static const char *const orders[][2] = { { MASTER, OTHER_MASTER },
                                             { OTHER_MASTER, MASTER },
                                             { MASTER, OTHER_MASTER } };
    EMPTY_WORLD(w);
    REQUEST(r);
    struct auth_tokens tokens[4];
    {
        DOOR(d);
        start(&w, &d);
        tokens[0] = register_and_log_in(&d, &r);
    }
    for (size_t i = 0; i < 3; i++) {
        DOOR(d);
        CHECK_ERR(start_with(&w, &d, open_tokens_of("ES256", orders[i][0], orders[i][1]), NULL),
                  ERR_OK);
        for (size_t k = 0; k <= i; k++) {
            CHECK_ERR(verify(&d, &r, tokens[k]), ERR_OK);
            tokens[k] = child_of(&d, &r, tokens[k].refresh_token);
            CHECK_ERR(verify(&d, &r, tokens[k]), ERR_OK);
        }
        tokens[i + 1] = log_in(&d, &r, "ann");
        (void)rotate(&d, &r, true);
        pass(&w, 3000, &d, NULL);
    }
}

TEST(a_master_key_that_is_missing_is_named_and_nothing_is_written)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(stranger);
    REQUEST(r);
    start(&w, &d);
    struct auth_key *before = list(&d, &r, 1);
    CHECK_ERR(start_with(&w, &stranger, open_tokens("ES256", OTHER_MASTER), NULL), ERR_CONFIG);
    CHECK(strstr(auth_problem(stranger.auth), before[0].master) != NULL);
    CHECK(memmem(auth_problem(stranger.auth), 256, before[0].kid.data, before[0].kid.length) !=
          NULL);
    CHECK(!list(&stranger, &r, 1)[0].master_known && before[0].master_known);
    struct auth_key made;
    CHECK_ERR(auth_key_rotate(stranger.auth, &r.call, true, &made), ERR_CONFIG);
    CHECK_ERR(auth_tend(stranger.auth), ERR_OK);
    (void)list(&d, &r, 1);
}

/* With a secret there is no ring that would tell. */
static enum err start_with_secret(struct world *w, struct door *d, const char *first,
                                  const char *second)
{
    door_parts(w, &w->clock, d);
    token_close(d->tokens);
    d->tokens = open_tokens_of("HS256", first, second);
    struct auth_options options = door_options(d, &w->clock);
    CHECK_ERR(auth_open(&options, &d->auth), ERR_OK);
    return auth_prepare(d->auth);
}

TEST(with_a_secret_a_wrong_master_key_is_found_out_as_well)
{
    static const struct {
        const char *first, *second;
        enum err expected;
    } starts[] = {
        { MASTER, NULL, ERR_OK },         { OTHER_MASTER, NULL, ERR_CONFIG },
        { MASTER, NULL, ERR_OK },         { MASTER, OTHER_MASTER, ERR_OK },
        { OTHER_MASTER, MASTER, ERR_OK }, { MASTER, NULL, ERR_CONFIG },
        { OTHER_MASTER, NULL, ERR_OK },
    };
    EMPTY_WORLD(w);
    REQUEST(r);
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        DOOR(d);
        struct store_key *keys = NULL;
        size_t count = 0;
        CHECK_ERR(start_with_secret(&w, &d, starts[i].first, starts[i].second), starts[i].expected);
        if (starts[i].expected == ERR_CONFIG) {
            CHECK(strstr(auth_problem(d.auth), "master key") != NULL);
        }
        CHECK_ERR(store_key_list(d.store, &r.arena, &keys, &count), ERR_OK);
        CHECK_INT(count, 1);
        CHECK(!auth_has_ring(d.auth) && !publishes(&d, keys[0].kid));
    }
}

TEST(what_a_secret_left_behind_is_no_key)
{
    EMPTY_WORLD(w);
    REQUEST(r);
    {
        DOOR(hs);
        CHECK_ERR(start_with_secret(&w, &hs, MASTER, NULL), ERR_OK);
    }
    DOOR(d);
    start(&w, &d);
    check_states(&d, &r, "s");
    pass(&w, ROTATION_MS, &d, NULL);
    pass(&w, LEAD_MS, &d, NULL);
    check_states(&d, &r, "vs");
}

/* A process with another first master key rotated: who cannot read that says so. */
TEST(a_process_that_cannot_read_a_new_key_is_not_ready)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(other);
    REQUEST(r);
    start(&w, &d);
    CHECK_ERR(start_with(&w, &other, open_tokens_of("ES256", OTHER_MASTER, MASTER), NULL), ERR_OK);
    (void)rotate(&other, &r, true);
    CHECK_ERR(auth_follow(d.auth), ERR_CONFIG);
    CHECK(!auth_health(d.auth).keys_ok);
    CHECK_ERR(auth_key_retire(other.auth, &r.call, list(&other, &r, 2)[1].kid), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_OK);
    CHECK(auth_health(d.auth).keys_ok);
}

/* And it goes on with the others that it has. */
TEST(a_key_is_retired_also_where_another_one_cannot_be_read)
{
    EMPTY_WORLD(w);
    DOOR(d);
    DOOR(other);
    REQUEST(r);
    start(&w, &d);
    struct auth_tokens leaked = register_and_log_in(&d, &r);
    (void)rotate(&d, &r, true);
    pass(&w, SPREAD_MS, &d, NULL);
    struct auth_tokens good = log_in(&d, &r, "ann");
    CHECK_ERR(start_with(&w, &other, open_tokens_of("ES256", OTHER_MASTER, MASTER), NULL), ERR_OK);
    (void)rotate(&other, &r, true);
    struct auth_key *keys = list(&other, &r, 3);
    CHECK_ERR(auth_follow(d.auth), ERR_CONFIG);
    CHECK_ERR(verify(&d, &r, leaked), ERR_OK);
    CHECK_ERR(auth_key_retire(other.auth, &r.call, keys[0].kid), ERR_OK);
    for (int again = 0; again < 2; again++) {
        CHECK_ERR(auth_follow(d.auth), ERR_CONFIG);
        CHECK_ERR(verify(&d, &r, leaked), ERR_INVALID_TOKEN);
        CHECK_ERR(verify(&d, &r, good), ERR_OK);
        CHECK(!publishes(&d, keys[0].kid) && publishes(&d, keys[1].kid));
    }
    CHECK(!auth_health(d.auth).keys_ok);
    CHECK_ERR(auth_key_retire(other.auth, &r.call, keys[1].kid), ERR_OK);
    CHECK_ERR(auth_follow(d.auth), ERR_CONFIG);
    CHECK(verify(&d, &r, good) != ERR_OK);
}

/* ---- another algorithm ---- */

TEST(a_new_algorithm_takes_over_once_its_key_was_published_for_long_enough)
{
    EMPTY_WORLD(w);
    DOOR(es);
    DOOR(ed);
    REQUEST(r);
    start(&w, &es);
    struct auth_tokens old = register_and_log_in(&es, &r);
    CHECK_ERR(start_with(&w, &ed, open_tokens("EdDSA", MASTER), NULL), ERR_OK);
    CHECK_ERR(auth_follow(es.auth), ERR_OK);
    struct auth_key *keys = list(&ed, &r, 2);
    CHECK_SPAN(keys[1].algorithm, "EdDSA");
    check_states(&ed, &r, "sp");
    check_issues_and_verifies(&ed, &es, &r);
    pass(&w, LEAD_MS, &ed, &es);
    check_states(&ed, &r, "vs");
    check_issues_and_verifies(&ed, &es, &r);
    check_issues_and_verifies(&es, &ed, &r);
    check_same_key_set(&es, &ed);
    CHECK_ERR(verify(&ed, &r, old), ERR_OK);
    /* Neither of them insists: no key more is made while both run. */
    pass(&w, LIFE_MS, &ed, &es);
    check_states(&ed, &r, "es");
    CHECK(!publishes(&ed, keys[0].kid));
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(the_next_key_is_published_for_the_max_age_before_it_signs),
        cmocka_unit_test(many_periods_make_one_key_each_and_keep_few),
        cmocka_unit_test(without_a_schedule_only_the_hand_rotates),
        cmocka_unit_test(with_a_max_age_of_nothing_others_still_have_the_time_to_read_the_next_key),
        cmocka_unit_test(a_process_that_was_away_for_long_rotates_once),
        cmocka_unit_test(a_rotation_at_once_waits_until_every_process_has_read_the_key),
        cmocka_unit_test(an_earlier_pending_key_is_passed_over_by_a_later_one_that_is_active),
        cmocka_unit_test(so_many_keys_that_all_verify_refuse_another_by_hand),
        cmocka_unit_test(a_retired_signing_key_is_refused_at_once_and_another_signs),
        cmocka_unit_test(a_retired_verifying_key_takes_nothing_else_with_it),
        cmocka_unit_test(a_retired_pending_key_never_signs_and_the_present_one_goes_on),
        cmocka_unit_test(when_the_signing_key_is_retired_an_earlier_one_does_not_come_back),
        cmocka_unit_test(a_stand_in_is_made_only_where_nobody_else_can_sign),
        cmocka_unit_test(no_process_meets_a_token_of_a_stand_in_before_it_has_read_that),
        cmocka_unit_test(processes_that_start_together_on_an_empty_store_agree_on_one_ring),
        cmocka_unit_test(a_clock_that_steps_makes_at_most_one_key_and_never_leaves_none),
        cmocka_unit_test(a_clock_that_steps_back_over_a_rotation_gives_no_false_refusal),
        cmocka_unit_test(a_time_in_the_far_future_makes_one_key_and_is_recovered_from),
        cmocka_unit_test(a_first_key_that_was_made_with_a_clock_far_ahead_signs_and_is_replaced),
        cmocka_unit_test(a_clock_that_was_far_ahead_costs_nobody_his_session),
        cmocka_unit_test(a_clock_that_is_far_behind_ends_no_key_that_signs_elsewhere),
        cmocka_unit_test(a_clock_past_the_end_of_time_writes_no_key_that_nobody_can_read),
        cmocka_unit_test(a_logout_holds_when_only_the_one_who_forgets_has_seen_the_clock_ahead),
        cmocka_unit_test(a_logout_holds_over_clocks_that_step_forward_and_back),
        cmocka_unit_test(the_order_of_the_master_keys_may_change_with_sessions_alive),
        cmocka_unit_test(a_master_key_that_is_missing_is_named_and_nothing_is_written),
        cmocka_unit_test(with_a_secret_a_wrong_master_key_is_found_out_as_well),
        cmocka_unit_test(what_a_secret_left_behind_is_no_key),
        cmocka_unit_test(a_process_that_cannot_read_a_new_key_is_not_ready),
        cmocka_unit_test(a_key_is_retired_also_where_another_one_cannot_be_read),
        cmocka_unit_test(a_new_algorithm_takes_over_once_its_key_was_published_for_long_enough));
}

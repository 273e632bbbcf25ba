/* contract_races.c - many at once, through two handles: one wins, and nothing is lost. */
#include "contract.h"

#include <stdatomic.h>

#define RACERS 16

struct world {
    struct store *stores[2];
    atomic_int outcomes[ERR_COUNT];
    atomic_int rotated, not_rotated, ahead;
    atomic_bool stop;
};

static void open_world(struct world *w)
{
    *w = (struct world){ .stores = { contract_open_empty(), NULL } };
    w->stores[1] = contract_open_again();
}

static void close_world(struct world *w)
{
    store_close(w->stores[1]);
    store_close(w->stores[0]);
}

static void note(struct world *w, enum err e)
{
    atomic_fetch_add(&w->outcomes[e], 1);
}

static void rotate(struct world *w, size_t index, int64_t counter)
{
    struct store_rotation rotation = { .id = contract_id(1),
                                       .master_key = contract_session(1, contract_id(1)).master_key,
                                       .counter = counter,
                                       .idle_ttl_ms = 1000 };
    struct store_rotated found = { 0 };
    struct arena a;
    arena_init(&a, 64 * 1024);
    note(w, store_session_rotate(w->stores[index % 2], &rotation, &a, &found));
    atomic_fetch_add(found.rotated ? &w->rotated : &w->not_rotated, 1);
    atomic_fetch_add(&w->ahead, found.session.counter == counter + 1 ? 1 : 0);
    arena_done(&a);
}

static void rotate_zero(void *argument, size_t index)
{
    rotate(argument, index, 0);
}

TEST(of_many_rotations_of_one_counter_exactly_one_rotates_and_all_see_it)
{
    struct world w;
    open_world(&w);
    struct store_session session = contract_session(1, contract_id(2));
    CHECK_ERR(store_session_add(w.stores[0], &session, 10, NULL), ERR_OK);
    contract_race(RACERS, rotate_zero, &w);
    CHECK_INT(w.outcomes[ERR_OK], RACERS);
    CHECK_INT(w.rotated, 1);
    CHECK_INT(w.ahead, RACERS);
    close_world(&w);
}

static void add_same_name(void *argument, size_t index)
{
    struct world *w = argument;
    struct store_user user = { .id = contract_id(index + 1),
                               .username = SPAN("ann"),
                               .password_hash = SPAN("x"),
                               .roles = SPAN("") };
    note(w, store_user_add(w->stores[index % 2], &user));
}

TEST(of_many_who_take_one_username_exactly_one_gets_it)
{
    struct world w;
    open_world(&w);
    contract_race(RACERS, add_same_name, &w);
    CHECK_INT(w.outcomes[ERR_OK], 1);
    CHECK_INT(w.outcomes[ERR_CONFLICT_USERNAME], RACERS - 1);
    close_world(&w);
}

#define FREE_ATTEMPTS 5

static void attempt(void *argument, size_t index)
{
    struct world *w = argument;
    struct store_attempt attempt;
    note(w,
         store_user_attempt(w->stores[index % 2], contract_id(1), FREE_ATTEMPTS, 60000, &attempt));
}

/* The free ones, the one that begins the wait, and those whose wait (1 s, 2 s ...) has ended since
 * then, where the clock runs. */
static void check_passed(struct world *w, int64_t began_us)
{
    int64_t left_ms = contract_clock_runs() ? (clock_monotonic_us() - began_us) / 1000 + 1 : 0;
    int most = FREE_ATTEMPTS + 1;
    for (int64_t wait_ms = 1000; left_ms >= wait_ms; wait_ms *= 2) {
        left_ms -= wait_ms;
        most++;
    }
    CHECK(w->outcomes[ERR_OK] > FREE_ATTEMPTS && w->outcomes[ERR_OK] <= most);
    CHECK_INT(w->outcomes[ERR_OK] + w->outcomes[ERR_TOO_MANY_ATTEMPTS], RACERS);
}

TEST(of_many_attempts_at_once_only_the_free_ones_and_one_more_pass)
{
    struct world w;
    open_world(&w);
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(w.stores[0], &ann), ERR_OK);
    int64_t began_us = clock_monotonic_us();
    contract_race(RACERS, attempt, &w);
    check_passed(&w, began_us);
    close_world(&w);
}

static void attempt_stranger(void *argument, size_t index)
{
    struct world *w = argument;
    uint8_t name[STORE_STRANGER_BYTES] = { 1, 2, 3 };
    struct store_attempt attempt;
    note(w, store_stranger_attempt(w->stores[index % 2], name, FREE_ATTEMPTS, 60000, &attempt));
}

TEST(of_many_attempts_at_a_stranger_at_once_no_more_pass)
{
    struct world w;
    open_world(&w);
    int64_t began_us = clock_monotonic_us();
    contract_race(RACERS, attempt_stranger, &w);
    check_passed(&w, began_us);
    close_world(&w);
}

static void change_password(void *argument, size_t index)
{
    struct world *w = argument;
    struct store_user_change change = { .if_password_hash = SPAN("$2b$12$hash-1"),
                                        .password_hash = SPAN("new"),
                                        .raise_epoch = 1 };
    note(w, store_user_change(w->stores[index % 2], contract_id(1), &change, NULL));
}

TEST(of_many_changes_on_condition_of_one_hash_exactly_one_is_made)
{
    struct world w;
    open_world(&w);
    CONTRACT_ARENA(a);
    struct store_user ann = contract_user(1);
    CHECK_ERR(store_user_add(w.stores[0], &ann), ERR_OK);
    contract_race(RACERS, change_password, &w);
    CHECK_INT(w.outcomes[ERR_OK], 1);
    CHECK_INT(w.outcomes[ERR_CONFLICT], RACERS - 1);
    CHECK_ERR(store_user_by_id(w.stores[1], ann.id, &a, &ann), ERR_OK);
    CHECK_INT(ann.session_epoch, 4);
    close_world(&w);
}

static void add_key(void *argument, size_t index)
{
    struct world *w = argument;
    char kid[2] = { (char)('a' + index), '\0' };
    struct store_key key = { .kid = span_of(kid), .algorithm = SPAN("ES256"), .generation = 1 };
    note(w, store_key_add(w->stores[index % 2], &key));
}

TEST(of_many_who_make_the_next_key_exactly_one_does)
{
    struct world w;
    open_world(&w);
    contract_race(RACERS, add_key, &w);
    CHECK_INT(w.outcomes[ERR_OK], 1);
    CHECK_INT(w.outcomes[ERR_CONFLICT], RACERS - 1);
    close_world(&w);
}

/* One revokes; the others rotate along for as long as it goes. */
static void rotate_until_refused(void *argument, size_t index)
{
    struct world *w = argument;
    if (index == 0) {
        note(w, store_session_revoke(w->stores[0], contract_id(1)));
        atomic_store(&w->stop, true);
        return;
    }
    struct arena a;
    arena_init(&a, 1024 * 1024);
    struct store_session found = { 0 };
    while (store_session_get(w->stores[1], contract_id(1), &a, &found) == ERR_OK &&
           found.revoked_at == 0) {
        bool stopped = atomic_load(&w->stop);
        int before = atomic_load(&w->rotated);
        rotate(w, index, found.counter);
        /* A rotation that began after the revocation was acknowledged must not succeed. */
        if (stopped && atomic_load(&w->rotated) != before) {
            note(w, ERR_INTERNAL);
        }
        arena_reset(&a);
    }
    arena_done(&a);
}

TEST(a_revocation_that_was_acknowledged_ends_rotating)
{
    struct world w;
    open_world(&w);
    struct store_session session = contract_session(1, contract_id(2));
    CHECK_ERR(store_session_add(w.stores[0], &session, 10, NULL), ERR_OK);
    contract_race(2, rotate_until_refused, &w);
    CHECK_INT(w.outcomes[ERR_INTERNAL], 0);
    close_world(&w);
}

#define FOLLOWED_PER_WRITER 40
#define WRITERS             4
#define NUMBERS_PER_WRITER  1000

/* What a follower has met, by the numbers in the ids. */
struct followed {
    bool seen[WRITERS * NUMBERS_PER_WRITER];
    int count;
    int64_t highest;
};

static void meet(struct followed *f, const struct store_revocation *r)
{
    size_t number = (size_t)r->id.bytes[14] << 8 | r->id.bytes[15];
    f->count += f->seen[number] ? 0 : 1;
    f->seen[number] = true;
    f->highest = r->sequence > f->highest ? r->sequence : f->highest;
}

/* Once to the end, in small pages, from as far back as store.h says. */
static enum err follow_once(struct store *s, struct followed *f)
{
    int64_t back = f->highest - store_revocation_overlap(s);
    int64_t after = back > 0 ? back : 0;
    size_t count = 1;
    while (count > 0) {
        CONTRACT_ARENA(a);
        struct store_revocation *list = NULL;
        TRY(store_revocation_since(s, after, 7, &a, &list, &count));
        for (size_t i = 0; i < count; i++) {
            meet(f, &list[i]);
            after = list[i].sequence;
        }
    }
    return ERR_OK;
}

static void write_or_follow(void *argument, size_t index)
{
    struct world *w = argument;
    for (uint64_t i = 0; index < WRITERS && i < FOLLOWED_PER_WRITER; i++) {
        struct store_revocation r = { .id = contract_id(index * NUMBERS_PER_WRITER + i),
                                      .expires_at = CONTRACT_START_MS };
        note(w, store_revocation_put(w->stores[index % 2], &r));
    }
    static struct followed followed;
    if (index == WRITERS) {
        followed = (struct followed){ .count = 0 };
        bool ended = false;
        enum err e = ERR_OK;
        while (e == ERR_OK && !ended) {
            ended = atomic_load(&w->outcomes[ERR_OK]) == WRITERS * FOLLOWED_PER_WRITER;
            e = follow_once(w->stores[0], &followed);
        }
        atomic_store(&w->ahead, followed.count);
    }
}

TEST(who_follows_by_sequence_misses_nothing_while_many_write)
{
    struct world w;
    open_world(&w);
    contract_race(WRITERS + 1, write_or_follow, &w);
    CHECK_INT(w.outcomes[ERR_OK], WRITERS * FOLLOWED_PER_WRITER);
    CHECK_INT(w.ahead, WRITERS * FOLLOWED_PER_WRITER);
    close_world(&w);
}

static void add_session(void *argument, size_t index)
{
    struct world *w = argument;
    struct store_session session = contract_session(index + 1, contract_id(2));
    note(w, store_session_add(w->stores[index % 2], &session, 5, NULL));
}

TEST(many_logins_at_once_leave_no_more_sessions_than_allowed)
{
    struct world w;
    open_world(&w);
    CONTRACT_ARENA(a);
    contract_race(RACERS, add_session, &w);
    CHECK_INT(w.outcomes[ERR_OK], RACERS);
    struct store_session *list = NULL;
    size_t count = 0;
    CHECK_ERR(store_session_list(w.stores[0], contract_id(2), 100, &a, &list, &count), ERR_OK);
    CHECK(contract_backend.evicts_later ? count >= 1 && count <= 5 : count == 5);
    close_world(&w);
}

CONTRACT_GROUP(
    contract_races,
    cmocka_unit_test(of_many_rotations_of_one_counter_exactly_one_rotates_and_all_see_it),
    cmocka_unit_test(of_many_who_take_one_username_exactly_one_gets_it),
    cmocka_unit_test(of_many_attempts_at_once_only_the_free_ones_and_one_more_pass),
    cmocka_unit_test(of_many_attempts_at_a_stranger_at_once_no_more_pass),
    cmocka_unit_test(of_many_changes_on_condition_of_one_hash_exactly_one_is_made),
    cmocka_unit_test(of_many_who_make_the_next_key_exactly_one_does),
    cmocka_unit_test(a_revocation_that_was_acknowledged_ends_rotating),
    cmocka_unit_test(who_follows_by_sequence_misses_nothing_while_many_write),
    cmocka_unit_test(many_logins_at_once_leave_no_more_sessions_than_allowed));

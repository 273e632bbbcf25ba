/* The table of what has ended, the counters of strangers, and the hash below both. */
#include "check.h"
#include "revocation.h"

#include <pthread.h>

#define END_MS 1000000

static struct revocations *open_table(unsigned loops)
{
    struct revocations *r = NULL;
    CHECK_ERR(revocations_new(loops, &r), ERR_OK);
    revocations_complete(r, revocations_failures(r));
    return r;
}

static struct uuid id_of(uint64_t number)
{
    struct uuid id = { .bytes = { 1 } };
    memcpy(id.bytes + 8, &number, sizeof(number));
    return id;
}

static enum err ask(struct revocations *r, uint64_t user, uint64_t session, int64_t epoch)
{
    struct revocation_subject subject = { .user_id = id_of(user),
                                          .session_id = id_of(session),
                                          .epoch = epoch };
    return revocations_refuse(r, 0, &subject);
}

static void end_session(struct revocations *r, uint64_t session, int64_t expires_at)
{
    struct revocation v = { .id = id_of(session), .expires_at = expires_at };
    CHECK_ERR(revocations_add(r, &v), ERR_OK);
}

static void raise_user(struct revocations *r, uint64_t user, int64_t epoch, uint64_t keep)
{
    struct revocation v = {
        .id = id_of(user), .is_user = true, .epoch = epoch, .expires_at = END_MS
    };
    v.keep = keep == 0 ? (struct uuid){ 0 } : id_of(keep);
    CHECK_ERR(revocations_add(r, &v), ERR_OK);
}

TEST(before_it_is_complete_a_table_lets_nobody_pass)
{
    struct revocations *r = NULL;
    CHECK_ERR(revocations_new(1, &r), ERR_OK);
    CHECK_ERR(ask(r, 1, 2, 0), ERR_UNAVAILABLE);
    revocations_complete(r, revocations_failures(r) + 1); /* another addition failed meanwhile */
    CHECK_ERR(ask(r, 1, 2, 0), ERR_UNAVAILABLE);
    revocations_complete(r, revocations_failures(r));
    CHECK_ERR(ask(r, 1, 2, 0), ERR_OK);
    revocations_free(r);
}

TEST(an_ended_session_is_refused_and_its_neighbours_are_not)
{
    struct revocations *r = open_table(1);
    end_session(r, 7, END_MS);
    CHECK_ERR(ask(r, 1, 7, 5), ERR_TOKEN_REVOKED);
    CHECK_ERR(ask(r, 1, 8, 0), ERR_OK);
    CHECK_ERR(ask(r, 7, 8, 0), ERR_OK); /* a user of that number is somebody else */
    revocations_free(r);
}

TEST(a_raised_epoch_refuses_lower_tokens_but_the_kept_session)
{
    struct revocations *r = open_table(1);
    raise_user(r, 1, 3, 7);
    CHECK_ERR(ask(r, 1, 6, 2), ERR_TOKEN_REVOKED);
    CHECK_ERR(ask(r, 1, 6, 3), ERR_OK);
    CHECK_ERR(ask(r, 1, 7, 0), ERR_OK);
    CHECK_ERR(ask(r, 2, 6, 0), ERR_OK);
    raise_user(r, 1, 4, 0);
    CHECK_ERR(ask(r, 1, 7, 3), ERR_TOKEN_REVOKED);
    revocations_free(r);
}

TEST(a_lower_epoch_that_comes_late_changes_nothing)
{
    struct revocations *r = open_table(1);
    raise_user(r, 1, 4, 0);
    raise_user(r, 1, 3, 7);
    CHECK_ERR(ask(r, 1, 7, 3), ERR_TOKEN_REVOKED);
    CHECK_INT(revocations_count(r), 1);
    revocations_free(r);
}

TEST(both_kinds_hold_at_once)
{
    struct revocations *r = open_table(1);
    raise_user(r, 1, 3, 7);
    end_session(r, 7, END_MS);
    CHECK_ERR(ask(r, 1, 7, 9), ERR_TOKEN_REVOKED);
    CHECK_ERR(ask(r, 1, 8, 2), ERR_TOKEN_REVOKED);
    revocations_free(r);
}

TEST(thousands_are_held_and_forgotten_at_their_time_only)
{
    struct revocations *r = open_table(1);
    for (uint64_t i = 1; i <= 5000; i++) {
        end_session(r, i, i % 2 == 0 ? 100 : 200);
    }
    end_session(r, 2, 200); /* the latest expiry wins */
    end_session(r, 3, 100);
    CHECK_INT(revocations_count(r), 5000);
    CHECK_ERR(revocations_forget(r, 99), ERR_OK);
    CHECK_INT(revocations_count(r), 5000);
    CHECK_ERR(revocations_forget(r, 100), ERR_OK);
    CHECK_INT(revocations_count(r), 2501);
    CHECK_ERR(ask(r, 9999, 2, 0), ERR_TOKEN_REVOKED);
    CHECK_ERR(ask(r, 9999, 3, 0), ERR_TOKEN_REVOKED);
    CHECK_ERR(ask(r, 9999, 4, 0), ERR_OK);
    CHECK_ERR(revocations_forget(r, 200), ERR_OK);
    CHECK_INT(revocations_count(r), 0);
    revocations_free(r);
}

#define READERS    3
#define ENDINGS    4000
#define NEIGHBOURS 100
#define ROUNDS     600
struct crowd {
    struct revocations *r;
    _Atomic uint64_t ended; /* sessions up to here have been ended */
    unsigned missed[READERS], wrong[READERS];
};
struct reader {
    struct crowd *crowd;
    unsigned loop;
};

/* What was ended before the question is refused; what never ends is not. */
/* The figure of docs/keys.md: all of them alive at one moment, which is more than a day brings. */
TEST(a_million_revocations_fit_in_101_megabytes_and_are_freed_at_their_expiry)
{
    enum { MILLION = 1000000 };
    struct revocations *r = open_table(1);
    for (uint64_t i = 1; i <= MILLION; i++) {
        end_session(r, i * UINT64_C(0x9e3779b97f4a7c15), END_MS);
    }
    CHECK_INT(revocations_count(r), MILLION);
    CHECK(revocations_bytes(r) <= (size_t)101 * MILLION);
    CHECK_ERR(ask(r, 1, 7 * UINT64_C(0x9e3779b97f4a7c15), 0), ERR_TOKEN_REVOKED);
    CHECK_ERR(ask(r, 1, 7, 0), ERR_OK);
    CHECK_ERR(revocations_forget(r, END_MS), ERR_OK);
    CHECK_INT(revocations_count(r), 0);
    CHECK(revocations_bytes(r) <= 64 * (size_t)1024);
    revocations_free(r);
}

static void *read_on(void *argument)
{
    struct reader *me = argument;
    struct crowd *c = me->crowd;
    uint64_t ended = 0;
    while (ended < ENDINGS) {
        ended = atomic_load(&c->ended);
        struct revocation_subject dead = { .session_id = id_of(ended), .user_id = id_of(1 << 20) };
        struct revocation_subject kept = { .session_id = id_of(1 << 21),
                                           .user_id = id_of(1 << 22) };
        c->missed[me->loop] += ended > 0 && revocations_refuse(c->r, me->loop, &dead) == ERR_OK;
        c->wrong[me->loop] += revocations_refuse(c->r, me->loop, &kept) != ERR_OK;
    }
    return NULL;
}

TEST(readers_see_every_ending_while_tables_grow_are_raised_and_replaced)
{
    struct crowd c = { .r = open_table(READERS) };
    struct reader readers[READERS];
    pthread_t threads[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){ .crowd = &c, .loop = i };
        CHECK(pthread_create(&threads[i], NULL, read_on, &readers[i]) == 0);
    }
    for (uint64_t i = 1; i <= ENDINGS; i++) {
        end_session(c.r, i, END_MS);
        end_session(c.r, i + (1 << 23), 1);
        raise_user(c.r, 1 << 22, (int64_t)i, 1 << 21); /* keeps the one that never ends */
        atomic_store(&c.ended, i);
        if (i % 100 == 0) {
            CHECK_ERR(revocations_forget(c.r, 1), ERR_OK);
        }
    }
    for (unsigned i = 0; i < READERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK_INT(c.missed[i], 0);
        CHECK_INT(c.wrong[i], 0);
    }
    revocations_free(c.r);
}

/* Sessions of one half have the same first slot: every one that ends takes the slot at which a
 * reader, who asks after another one of them, has just come to the end of his search. */
static struct uuid neighbour(uint64_t number)
{
    struct uuid id = id_of(7);
    memcpy(id.bytes, &number, sizeof(number));
    return id;
}

static void *ask_after_a_neighbour(void *argument)
{
    struct crowd *c = argument;
    struct revocation_subject lives = { .session_id = neighbour(1 << 20),
                                        .user_id = neighbour(1 << 21) };
    while (atomic_load(&c->ended) < NEIGHBOURS) {
        c->wrong[0] += revocations_refuse(c->r, 0, &lives) != ERR_OK;
    }
    return NULL;
}

TEST(what_ends_meanwhile_is_not_taken_for_what_was_asked_after)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct crowd c = { .r = open_table(1) };
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, ask_after_a_neighbour, &c) == 0);
        for (uint64_t i = 1; i <= NEIGHBOURS; i++) {
            struct revocation v = { .id = neighbour(i), .expires_at = END_MS };
            CHECK_ERR(revocations_add(c.r, &v), ERR_OK);
            atomic_store(&c.ended, i);
        }
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_INT(c.wrong[0], 0);
        revocations_free(c.r);
    }
}

/* The first outputs of the authors' own test: key 00..0f, data of length n is 00..n-1. */
TEST(siphash_is_siphash)
{
    static const uint64_t expected[] = { UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
                                         UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d),
                                         UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
                                         UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
                                         UINT64_C(0x93f5f5799a932462) };
    uint8_t key[SIPHASH_KEY_BYTES];
    char data[16];
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)i;
        data[i] = (char)i;
    }
    for (size_t n = 0; n < sizeof(expected) / sizeof(expected[0]); n++) {
        CHECK(siphash(key, (struct span){ data, n }) == expected[n]);
    }
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(before_it_is_complete_a_table_lets_nobody_pass),
        cmocka_unit_test(an_ended_session_is_refused_and_its_neighbours_are_not),
        cmocka_unit_test(a_raised_epoch_refuses_lower_tokens_but_the_kept_session),
        cmocka_unit_test(a_lower_epoch_that_comes_late_changes_nothing),
        cmocka_unit_test(both_kinds_hold_at_once),
        cmocka_unit_test(thousands_are_held_and_forgotten_at_their_time_only),
        cmocka_unit_test(a_million_revocations_fit_in_101_megabytes_and_are_freed_at_their_expiry),
        cmocka_unit_test(what_ends_meanwhile_is_not_taken_for_what_was_asked_after),
        cmocka_unit_test(readers_see_every_ending_while_tables_grow_are_raised_and_replaced),
        cmocka_unit_test(siphash_is_siphash));
}

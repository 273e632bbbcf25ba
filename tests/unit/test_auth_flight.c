/* Logins of one name and one password at the same time: who waits for whose verdict. */
#include "check.h"
#include "flight.h"

#include <pthread.h>

#define NAME  SPAN("ann")
#define GUESS SPAN("correct horse battery")

struct waiter {
    struct flights *flights;
    struct flight flight;
    bool again;
    pthread_t thread;
};

static void *wait_for_verdict(void *argument)
{
    struct waiter *w = argument;
    w->again = flights_wait(w->flights, &w->flight);
    flights_end(w->flights, &w->flight, FLIGHT_UNTRIED);
    return NULL;
}

/* As of a login whose attempt was refused; whether it counts again is known after join(). */
static void wait_aside(struct waiter *w, struct flights *f)
{
    *w = (struct waiter){ .flights = f, .flight = flights_begin(f, NAME, GUESS) };
    (void)flights_allowance(f, &w->flight);
    CHECK_INT(pthread_create(&w->thread, NULL, wait_for_verdict, w), 0);
}

static bool join(struct waiter *w)
{
    CHECK_INT(pthread_join(w->thread, NULL), 0);
    return w->again;
}

static struct flights *open_flights(void)
{
    struct flights *f = NULL;
    CHECK_ERR(flights_new(&f), ERR_OK);
    return f;
}

TEST(who_is_alone_waits_for_nobody)
{
    struct flights *f = open_flights();
    struct flight alone = flights_begin(f, NAME, GUESS);
    CHECK_INT(flights_allowance(f, &alone), 0);
    CHECK(!flights_wait(f, &alone));
    flights_end(f, &alone, FLIGHT_UNTRIED);
    flights_free(f);
}

TEST(another_password_is_another_group)
{
    struct flights *f = open_flights();
    struct flight one = flights_begin(f, NAME, GUESS);
    struct flight other = flights_begin(f, NAME, SPAN("another"));
    flights_end(f, &one, FLIGHT_RIGHT);
    CHECK_INT(flights_allowance(f, &other), 0);
    CHECK(!flights_wait(f, &other));
    flights_end(f, &other, FLIGHT_UNTRIED);
    flights_free(f);
}

TEST(all_who_wait_hear_the_verdict_of_the_one_that_was_tried)
{
    static const enum flight_verdict verdicts[] = { FLIGHT_RIGHT, FLIGHT_WRONG, FLIGHT_UNTRIED };
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        enum { WAITERS = 8 };
        struct flights *f = open_flights();
        struct waiter waiters[WAITERS];
        struct flight tried = flights_begin(f, NAME, GUESS);
        for (size_t k = 0; k < WAITERS; k++) {
            wait_aside(&waiters[k], f);
        }
        flights_end(f, &tried, verdicts[i]);
        for (size_t k = 0; k < WAITERS; k++) {
            CHECK(join(&waiters[k]) == (verdicts[i] == FLIGHT_RIGHT));
        }
        flights_free(f);
    }
}

TEST(a_verdict_between_the_refusal_and_the_wait_is_not_lost)
{
    struct flights *f = open_flights();
    struct flight tried = flights_begin(f, NAME, GUESS);
    struct flight slow = flights_begin(f, NAME, GUESS);
    struct flight third = flights_begin(f, NAME, GUESS);
    CHECK_INT(flights_allowance(f, &slow), 0);
    flights_end(f, &tried, FLIGHT_RIGHT);
    CHECK(flights_wait(f, &slow));
    CHECK_INT(flights_allowance(f, &slow), 1);
    flights_end(f, &third, FLIGHT_WRONG);
    CHECK_INT(flights_allowance(f, &slow), 0);
    flights_end(f, &slow, FLIGHT_UNTRIED);
    flights_free(f);
}

TEST(a_group_forgets_its_verdict_when_the_last_has_gone)
{
    struct flights *f = open_flights();
    struct flight first = flights_begin(f, NAME, GUESS);
    flights_end(f, &first, FLIGHT_RIGHT);
    struct flight one = flights_begin(f, NAME, GUESS);
    struct flight other = flights_begin(f, NAME, GUESS);
    CHECK_INT(flights_allowance(f, &other), 0);
    flights_end(f, &one, FLIGHT_UNTRIED);
    flights_end(f, &other, FLIGHT_UNTRIED);
    flights_free(f);
}

/* More groups than places: those without one are counted like anybody, and wait for nobody. */
TEST(groups_without_a_place_do_without)
{
    enum { MANY = 2 * FLIGHT_GROUPS };
    static struct flight flights[MANY];
    struct flights *f = open_flights();
    size_t without = 0;
    for (size_t i = 0; i < MANY; i++) {
        struct span name = { (const char *)&i, sizeof(i) };
        flights[i] = flights_begin(f, name, GUESS);
        without += flights[i].group == NULL;
        CHECK_INT(flights_allowance(f, &flights[i]), 0);
        CHECK(!flights_wait(f, &flights[i]));
    }
    CHECK(without >= MANY - FLIGHT_GROUPS && without < MANY);
    for (size_t i = 0; i < MANY; i++) {
        flights_end(f, &flights[i], FLIGHT_RIGHT);
    }
    flights_free(f);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(who_is_alone_waits_for_nobody),
              cmocka_unit_test(another_password_is_another_group),
              cmocka_unit_test(all_who_wait_hear_the_verdict_of_the_one_that_was_tried),
              cmocka_unit_test(a_verdict_between_the_refusal_and_the_wait_is_not_lost),
              cmocka_unit_test(a_group_forgets_its_verdict_when_the_last_has_gone),
              cmocka_unit_test(groups_without_a_place_do_without));
}

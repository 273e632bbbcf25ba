/* population.h - who asks: users who log in, sessions whose tokens are in play.
 *
 * Threads:   filled by one; then a session belongs to the thread that uses it, the rest is read.
 * Ownership: population_free() takes NULL and wipes passwords and tokens.
 * Failure:   ERR_NOMEM; ERR_CONFIG has been said with complain(). */
#ifndef DOORWARD_BENCH_POPULATION_H
#define DOORWARD_BENCH_POPULATION_H

#include "plan.h"

#define POPULATION_NAME_BYTES 64

struct session {
    struct buf access;
    struct buf refresh_body; /* {"refresh_token":"..."}, ready to be sent; empty: none */
};
struct population {
    struct arena texts;
    struct span *logins; /* bodies of POST /login, one a user */
    size_t user_count;
    size_t holders; /* the first so many users hold the sessions, all others log in */
    struct session *sessions;
    size_t session_count;
    char prefix[16];   /* of the names that this run registers */
    char password[44]; /* theirs: random, and nowhere else */
};
/* The users: those of the file, or names for users who are still to be registered; the sessions:
 * tokens of the file, or empty. */
MUST_CHECK enum err population_new(const struct plan *plan, struct population **ret_population);
void population_free(struct population *p);
AUTO_DEFINE(population, struct population, population_free);

/* The body that registers the user of that number; numbers past the users' are free. */
void population_register_body(const struct population *p, uint64_t number, struct buf *out);
/* The tokens of an answer to login or refresh. ERR_NOT_FOUND: there are none in it. */
MUST_CHECK enum err session_take_tokens(struct session *s, struct span body);

#endif

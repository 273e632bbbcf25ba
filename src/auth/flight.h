/* flight.h - logins that are under way in this process, in groups of one name and one password.
 * Private to auth.
 *
 * An attempt counts as failed before its password is tried, so that a client which logs in many
 * times at once looks like a guesser. But a group is one guess: what one of it shows holds for all.
 * So who is refused while another of the group is being tried waits for its verdict:
 *
 *   begin -> counted -> tried -> end
 *         -> refused -> wait -> right: counted again, with as many free as are under way
 *                            -> wrong, or nobody is left to be tried: refused
 *
 * Different guesses gain nothing by coming together, and neither do repeats of a wrong one.
 *
 * Threads:   workers; a mutex held for a few comparisons. flights_wait() blocks for at most one
 * login of somebody else.
 * Memory:    FLIGHT_GROUPS * 32 bytes. A group whose place is taken does without: its members are
 * counted like anybody's. */
#ifndef DOORWARD_AUTH_FLIGHT_H
#define DOORWARD_AUTH_FLIGHT_H

#include "base.h"

#define FLIGHT_GROUPS 4096

struct flights;
MUST_CHECK enum err flights_new(struct flights **ret_flights);
void flights_free(struct flights *f); /* NULL is fine; nobody may be under way */

struct flight {
    struct flight_group *group;
    uint64_t seen; /* verdicts of the group when this one was counted last */
};
enum flight_verdict { FLIGHT_UNTRIED, FLIGHT_WRONG, FLIGHT_RIGHT };

/* `name` and `password` are not kept, only a keyed hash of both. */
struct flight flights_begin(struct flights *f, struct span name, struct span password);
/* Before counting: how many attempts more are free, the others of a group whose password is right.
 */
int64_t flights_allowance(struct flights *f, struct flight *flight);
/* After a refusal: waits for a verdict later than that; whether to count again. */
bool flights_wait(struct flights *f, const struct flight *flight);
void flights_end(struct flights *f, const struct flight *flight, enum flight_verdict verdict);

#endif

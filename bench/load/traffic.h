/* traffic.h - what is asked, by which weights, and how an answer counts.
 *
 * Threads:   pure functions.
 * Failure:   parsing gives ERR_CONFIG with the bad piece in *ret_bad. */
#ifndef DOORWARD_BENCH_TRAFFIC_H
#define DOORWARD_BENCH_TRAFFIC_H

#include "base.h"

enum route {
    ROUTE_GET, /* of --path */
    ROUTE_VERIFY,
    ROUTE_PROFILE,
    ROUTE_REFRESH,
    ROUTE_LOGIN,
    ROUTE_REGISTER,
    ROUTE_COUNT
};
const char *route_name(enum route r);
bool route_find(struct span name, enum route *ret_route);

enum outcome {
    OUTCOME_OK,   /* 2xx and 3xx */
    OUTCOME_SHED, /* 503 with Retry-After: refused in good order */
    OUTCOME_4XX,  /* the target's verdict on a request that is right: an error */
    OUTCOME_5XX,
    OUTCOME_TIMEOUT, /* no answer, or no free connection, in time */
    OUTCOME_BROKEN,  /* the connection broke, or what came is not HTTP */
    OUTCOME_UNSENT,  /* due, but no connection was free before the end */
    OUTCOME_COUNT
};
const char *outcome_name(enum outcome o);
enum outcome outcome_of_status(int status, bool has_retry_after);
/* All but OK; shed logins and registrations are what the service promises under a flood. */
bool outcome_is_error(enum route r, enum outcome o);
/* Does its time count in percentiles? Of OK, and of what waited in vain: the time until it was
 * given up. A quick refusal must not make them look better. */
bool outcome_is_timed(enum outcome o);

struct mix {
    uint64_t weight[ROUTE_COUNT];
    uint64_t total; /* > 0 */
};
/* "login=1,refresh=10,verify=89" */
MUST_CHECK enum err mix_parse(struct span text, struct mix *ret_mix, struct span *ret_bad);
/* The route that a number below `total` falls on. */
enum route mix_pick(const struct mix *m, uint64_t number);

#endif

/* slo.h - limits that a run must hold: "verify:p99<5ms,errors<0.1%".
 *
 * A clause is [ROUTE:]WHAT, one of < <= > >=, and a limit. WHAT is pNN (p50, p99.9), mean or max
 * with a duration; errors or shed with a percentage of the requests; rate with answers of 2xx and
 * 3xx a second. Without a route it is about all requests.
 *
 * Threads:   pure functions.
 * Ownership: clauses borrow the text.
 * Failure:   ERR_CONFIG with the bad clause in *ret_bad; ERR_NOMEM. */
#ifndef DOORWARD_BENCH_SLO_H
#define DOORWARD_BENCH_SLO_H

#include "tally.h"

#define SLO_MAX_CLAUSES 32

enum slo_measure { SLO_PERCENTILE, SLO_MEAN, SLO_ERRORS, SLO_SHED, SLO_RATE };
struct slo_clause {
    struct span text;
    enum route route; /* ROUTE_COUNT: all */
    enum slo_measure measure;
    double percent; /* of SLO_PERCENTILE */
    bool below, or_equal;
    double limit; /* milliseconds, percent, or a second */
};
struct slo {
    struct slo_clause clauses[SLO_MAX_CLAUSES];
    size_t count;
};
struct slo_verdict {
    bool holds; /* nothing was measured: it does not */
    bool is_measured;
    double actual; /* in the limit's unit */
};

MUST_CHECK enum err slo_parse(struct span text, struct slo *ret_slo, struct span *ret_bad);
/* `seconds` is the measured time. */
MUST_CHECK enum err slo_judge(const struct slo_clause *c, const struct tally *t, double seconds,
                              struct slo_verdict *ret_verdict);
const char *slo_unit(const struct slo_clause *c); /* "ms", "%", "/s" */

#endif

/* report.h - what a run has shown: the table, the file of every figure, the page, the verdicts.
 *
 * Threads:   the main thread.
 * Failure:   ERR_NOMEM; ERR_CONFIG has been said with complain(). */
#ifndef DOORWARD_BENCH_REPORT_H
#define DOORWARD_BENCH_REPORT_H

#include "worker.h"
#include <jansson.h>

/* How much of it was the generator's own doing. */
struct generator {
    double processor; /* share of the time that its busiest thread ran, 0 to 1 */
    double starved;   /* share for which its most delayed thread waited for a processor */
    double lag_p99_ms;
    const char *limit; /* a sentence: it was the limit, and why; NULL: it was not */
};
struct report {
    const struct plan *plan;
    const struct tally *tally;
    int64_t started_ms; /* Unix */
    double seconds;     /* measured */
    bool is_interrupted;
    struct generator generator;
    const char *trouble; /* why a connection was lost; NULL: none was */
    struct slo_verdict verdicts[SLO_MAX_CLAUSES];
    bool slo_holds;
};
/* The generator's part, and the verdicts, from what was measured. */
MUST_CHECK enum err report_judge(struct report *r, const struct worker_use *uses, size_t count);
MUST_CHECK enum err report_print(const struct report *r, FILE *file);
MUST_CHECK enum err report_json(const struct report *r, json_t **ret_json);

/* Can the page be drawn: is the script there, and what it needs? Asked before the run. */
MUST_CHECK enum err report_page_check(void);
/* Writes the page from the figures. */
MUST_CHECK enum err report_page(const json_t *figures, const char *path);

#endif

/* prepare.h - what must be there before anything is measured: users registered, sessions opened,
 * and one answer of each kind seen that is as it should be.
 *
 * Threads:   the main thread, with a loop of its own.
 * Failure:   the first answer that is not as it should be, or none in time, said with complain();
 * ERR_CONFIG. Refusals with a Retry-After are waited for. */
#ifndef DOORWARD_BENCH_PREPARE_H
#define DOORWARD_BENCH_PREPARE_H

#include "population.h"

MUST_CHECK enum err prepare(const struct plan *plan, const struct target *target,
                            struct population *population);

#endif

/* near.h - how alike two names are, for "did you mean".
 *
 * Threads: pure functions. */
#ifndef DOORWARD_NEAR_H
#define DOORWARD_NEAR_H

#include "base.h"

#define NEAR_MAX_DISTANCE 3 /* more than that is another word */
/* Letters to insert, leave out or change, in any case (Levenshtein); NEAR_MAX_DISTANCE + 1 for
 * names that are longer than any of ours, or too different in length. */
unsigned near_distance(struct span a, struct span b);

#endif

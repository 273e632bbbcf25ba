/* follow.h - takes over what other processes wrote to the store. Private to auth.
 *
 * Threads:   follow_revocations from the upkeep thread, or before it starts. */
#ifndef DOORWARD_AUTH_FOLLOW_H
#define DOORWARD_AUTH_FOLLOW_H

#include "context.h"

/* All revocations since the last call; at first all that there are. */
MUST_CHECK enum err follow_revocations(struct auth *au);
/* Milliseconds since they were last read to the end; since the machine's start when never. Any
 * thread. */
int64_t follow_lag_ms(const struct auth *au);

#endif

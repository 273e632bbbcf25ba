/* tuning.h - the kernel and the number of lanes that hash passwords fastest here: from ./var, or
 * measured beside the first requests and kept there.
 *
 * Threads:   the main thread; one of its own for the time of the measurement.
 * Ownership: config and engine are borrowed until tuning_finish().
 * Failure:   logged; the engine goes on with what it has. */
#ifndef DOORWARD_TUNING_H
#define DOORWARD_TUNING_H

#include "app.h"
#include "password.h"

struct tuning;
/* Once the service listens. *ret_tuning is NULL when it could not begin. */
void tuning_start(const struct config *c, struct password_engine *engine,
                  struct tuning **ret_tuning);
/* Waits for the measurement, which takes half a second at most. NULL is fine. */
void tuning_finish(struct tuning *t);

/* ---- for tests ---- */

/* The file's text for what was measured under `key`, and back; false: made for another machine,
 * build or pinning, or not ours. */
void tuning_write(struct span key, const struct password_tuning *tuning, struct buf *out);
bool tuning_read(struct span text, struct span key, struct password_tuning *ret_tuning);

#endif

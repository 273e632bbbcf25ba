/* upkeep.h - what goes on beside the requests: following others' revocations, heartbeat and
 * sweeping, the certificate.
 *
 * Threads:   new, reload and free on the main thread; two threads of its own.
 * Ownership: the parts are borrowed until upkeep_free().
 * Failure:   logged where something begins to fail and where it works again; it goes on trying. */
#ifndef DOORWARD_UPKEEP_H
#define DOORWARD_UPKEEP_H

#include "auth.h"
#include "tls.h"

struct upkeep;
/* `tls` may be NULL. */
MUST_CHECK enum err upkeep_new(struct auth *auth, struct tls_context *tls,
                               struct upkeep **ret_upkeep);
/* Read the certificate again, as SIGHUP asks. */
void upkeep_reload(struct upkeep *u);
/* Ends at once what waits; NULL is fine. */
void upkeep_free(struct upkeep *u);

#endif

/* parts.h - store, tokens, engine and domain put together: what serve and the command line share.
 *
 * Threads:   the main thread.
 * Ownership: struct app owns its parts; the config is borrowed.
 * Failure:   with one line in *ret_why (in `a`). */
#ifndef DOORWARD_PARTS_H
#define DOORWARD_PARTS_H

#include "app.h"
#include "auth.h"
#include "password.h"
#include "settings.h"
#include "sizes.h"
#include "store.h"
#include "token.h"

struct app {
    const struct config *config;
    struct clock clock;
    struct store *store;
    struct tokens *tokens;
    struct password_engine *engine;
    struct auth *auth;
};
/* What a process that holds secrets begins with, before its first thread. */
void parts_settle_process(void);
/* Makes ./var and the master key where they are needed and missing. */
MUST_CHECK enum err parts_open(const struct config *c, const struct sizes *sizes, struct arena *a,
                               struct span *ret_why, struct app **ret_app);
bool parts_has_ring(const struct config *c);

#endif

/* app.h - the settings, and the building and tearing down of everything.
 *
 * Threads:   the main thread.
 * Ownership: a struct config owns its texts.
 * Failure:   ERR_CONFIG (exit code 2) or another (exit code 1), with one line in *ret_why (in `a`)
 * that says what to mend. */
#ifndef DOORWARD_APP_H
#define DOORWARD_APP_H

#include "base.h"

struct config; /* every setting of DESIGN 8 */
/* From the environment, over the .env file (`env_file`, NULL: ./.env when it is there), over the
 * defaults. */
MUST_CHECK enum err config_load(const char *env_file, struct arena *a, struct span *ret_why,
                                struct config **ret_config);
void config_free(struct config *c);
AUTO_DEFINE(config, struct config, config_free);
/* Every effective value and where it came from, a line each, secrets masked. */
void config_print(const struct config *c, struct buf *out);

/* Runs until a signal ends it; the exit code. Prints where it listens and the arithmetic of its
 * sizes. */
int app_serve(const struct config *c);

/* Asks the service that runs with these settings for `path`, at its first address. *ret_why (in
 * `a`) says what was asked and what came, also on success. ERR_UNAVAILABLE: not 200. */
MUST_CHECK enum err app_health(const struct config *c, const char *path, unsigned timeout_s,
                               struct arena *a, struct span *ret_why);

/* What the command line's verbs on users stand on: the store, the tokens and the engine, without
 * loops. */
struct app;
struct auth;
MUST_CHECK enum err app_open(const struct config *c, struct arena *a, struct span *ret_why,
                             struct app **ret_app);
struct auth *app_auth(struct app *app);
void app_close(struct app *app);
AUTO_DEFINE(app, struct app, app_close);

/* The engine alone, with a thread on each CPU and room for two jobs a lane, for measuring: kernel
 * and lanes as the settings pin them, the live form bcrypt of that cost. Touches no file. */
struct password_engine;
MUST_CHECK enum err app_open_engine(const struct config *c, unsigned cost, struct arena *a,
                                    struct span *ret_why, struct password_engine **ret_engine);

#endif

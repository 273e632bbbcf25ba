/* password.h - the only place that hashes: formats, policy and the engine.
 *
 * Threads:   password_hash() and password_verify() block until an engine thread has done the work;
 * worker threads only, many at once. The rest from anywhere.
 * Ownership: arguments are borrowed; texts come in the caller's arena. Copies of passwords are
 * wiped.
 * Failure:   ERR_INTERNAL for a stored hash that is malformed or over the declared bounds (never a
 * match), ERR_INVALID_INPUT for a password with NUL or over PASSWORD_MAX_BYTES, ERR_NOMEM, ERR_BUSY
 * when the queue is full or the engine stops.
 * Units:     a step is one round of bcrypt's cost loop: cost c takes 2^c steps. */
#ifndef DOORWARD_PASSWORD_H
#define DOORWARD_PASSWORD_H

#include "base.h"

#define PASSWORD_MAX_BYTES 1024

/* What a new password must be: `min_length` code points, at most PASSWORD_MAX_BYTES bytes, valid
 * UTF-8, no NUL. PASSWORD_FITS or what is wrong with it. */
enum password_fit {
    PASSWORD_FITS,
    PASSWORD_TOO_SHORT,
    PASSWORD_TOO_LONG,
    PASSWORD_HAS_NUL,
    PASSWORD_NOT_UTF8
};
enum password_fit password_check(struct span password, size_t min_length);

struct password_engine;
struct password_options {
    unsigned threads; /* one a core; at lower scheduling priority than everything else */
    unsigned cost;    /* bcrypt cost of new hashes, 4 to 31: the live cost */
    unsigned
        queue_max; /* jobs waiting; callers block, so the number of workers bounds it as well */
};
/* Start-up only; hashes nothing. */
MUST_CHECK enum err password_engine_new(const struct password_options *options,
                                        struct password_engine **ret_engine);
/* Waits for jobs under way; no caller may be inside. NULL is fine. */
void password_engine_free(struct password_engine *e);
AUTO_DEFINE(password_engine, struct password_engine, password_engine_free);

/* A new hash of the configured form: $2b$, or $bcrypt-sha256$v=2 for passwords over 72 bytes. */
MUST_CHECK enum err password_hash(struct password_engine *e, struct span password, struct arena *a,
                                  struct span *ret_hash);
/* Compare with a stored hash ($2a$ $2b$ $2y$ $bcrypt-sha256$v=2), in constant time. A failed check
 * of a hash cheaper than the live cost is topped up to it, so that time does not tell. A password
 * over 72 bytes never matches a plain bcrypt hash, which would ignore its end. *ret_rehash: the
 * match is to be stored anew, since its form or cost is not the configured one. */
MUST_CHECK enum err password_verify(struct password_engine *e, struct span password,
                                    struct span hash, bool *ret_match, bool *ret_rehash);
/* The hash to verify against for an account that does not exist: live cost, never a match. */
struct span password_decoy(const struct password_engine *e);
/* Could this text be a stored hash (for imports and the command line)? */
bool password_is_hash(struct span hash);

/* Steps of one login at the live cost. */
uint64_t password_live_steps(const struct password_engine *e);
/* Microseconds until `queued_steps` more than now waits would be done, from the measured rate;
 * never blocks. */
int64_t password_expected_wait_us(const struct password_engine *e, uint64_t queued_steps);

#endif

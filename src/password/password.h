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

#define PASSWORD_LANES_MAX 8

/* The form of new hashes: the live form. */
enum password_form { PASSWORD_BCRYPT, PASSWORD_ARGON2ID };

struct password_engine;
struct password_options {
    unsigned threads;   /* one a core; at lower scheduling priority than everything else */
    unsigned queue_max; /* jobs waiting; callers block: the number of workers bounds it as well */
    enum password_form form;
    unsigned cost;                             /* bcrypt: 4 to 31 */
    uint32_t argon2_memory_kib, argon2_passes; /* argon2id */
    uint64_t memory_budget; /* bytes that hashes other than bcrypt may use together */
    struct span kernel;     /* a kernel's name; empty or "auto": see password_tune() */
    unsigned lanes;         /* of each thread, at most PASSWORD_LANES_MAX; 0 likewise */
};
/* Start-up only; hashes nothing. ERR_CONFIG: this CPU does not run that kernel, or not with so many
 * lanes, or new hashes would be over the bounds of stored ones (formats.h). */
MUST_CHECK enum err password_engine_new(const struct password_options *options,
                                        struct password_engine **ret_engine);
/* Jobs under way are finished, or given up (ERR_BUSY) when they would take seconds; all others get
 * ERR_BUSY from now on. Any thread, as often as it likes; waits for nothing. */
void password_engine_stop(struct password_engine *e);
/* password_engine_stop(), and wait. NULL is fine. */
void password_engine_free(struct password_engine *e);
AUTO_DEFINE(password_engine, struct password_engine, password_engine_free);

/* A new hash of the live form: $2b$, or $bcrypt-sha256$v=2 for passwords over 72 bytes; or
 * $argon2id$. */
MUST_CHECK enum err password_hash(struct password_engine *e, struct span password, struct arena *a,
                                  struct span *ret_hash);
/* Compare with a stored hash of any form that formats.h lists, in constant time. A failed check of
 * a hash cheaper than the live form is topped up to it, so that time does not tell: by exactly the
 * missing steps from bcrypt to bcrypt, by the measured time where a library's call is one of the
 * two. A password over 72 bytes never matches a plain bcrypt hash, which would ignore its end.
 * *ret_rehash: the match is to be stored anew, since it is not of the live form. */
MUST_CHECK enum err password_verify(struct password_engine *e, struct span password,
                                    struct span hash, bool *ret_match, bool *ret_rehash);
/* The hash to verify against for an account that does not exist: live form, never a match. */
struct span password_decoy(const struct password_engine *e);
/* Could this text be a stored hash (for imports and the command line)? */
bool password_is_hash(struct span hash);

/* Steps of one login in the live form. */
uint64_t password_live_steps(const struct password_engine *e);
/* Microseconds until a login would begin that has what waits now and `queued_steps` more before it,
 * from the measured rate; never blocks. */
int64_t password_expected_wait_us(const struct password_engine *e, uint64_t queued_steps);

/* ---- which kernel, and how many lanes ---- */

struct password_tuning {
    char kernel[16];
    unsigned lanes;
    /* By number of lanes, all threads together; 0: not measured. */
    uint64_t steps_per_second[PASSWORD_LANES_MAX + 1];
};
/* Measure, with all threads at once, whatever the options leave open; under half a second, in which
 * jobs are served in between. One caller at a time, before password_engine_free(). ERR_BUSY: the
 * machine was too busy to tell. Nothing is changed. */
MUST_CHECK enum err password_tune(struct password_engine *e, struct password_tuning *ret_tuning);
/* From the next step on. ERR_INVALID_INPUT: not for this build, CPU or options. */
MUST_CHECK enum err password_use(struct password_engine *e, const struct password_tuning *tuning);
/* Has this build that kernel, and does this CPU run it with so many lanes? "auto" and 0 always fit.
 */
bool password_kernel_fits(struct span name, unsigned lanes);
/* The name of kernel `i` of this build, NULL past the last. */
const char *password_kernel_name(size_t i);

struct password_info {
    const char *kernel;
    unsigned lanes, threads;
    uint64_t steps_per_second; /* of all threads with full lanes; assumed low until measured */
};
struct password_info password_engine_info(const struct password_engine *e);

/* ---- how fast: for processes that do nothing else ---- */

enum password_load {
    PASSWORD_ALONE,   /* one check at a time */
    PASSWORD_FULL,    /* in every lane of every thread */
    PASSWORD_LIBRARY, /* libxcrypt's, on as many threads and at the same priority */
};
struct password_pace {
    uint64_t hashes;
    int64_t cpu_us; /* of the whole process; what other programs took is not in it */
    int64_t elapsed_us;
};
/* Checks of $2b$ hashes of that cost, which the live form must not exceed, for `least_us` and until
 * a batch is whole. Of queue_max it needs twice the lanes of all threads. ERR_INTERNAL: libxcrypt
 * refuses. */
MUST_CHECK enum err password_measure(struct password_engine *e, enum password_load load,
                                     unsigned cost, int64_t least_us,
                                     struct password_pace *ret_pace);
/* bcrypt hashes a second of one core. */
double password_pace_rate(const struct password_pace *pace);

#endif

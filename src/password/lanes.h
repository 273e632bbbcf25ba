/* lanes.h - the bcrypt kernel: independent computations, advanced in lock step on one thread.
 *
 * One bcrypt is a chain of dependent loads and leaves most of a core idle; several side by side
 * fill it. A computation lives in one struct lane:
 *
 *   lane_start(key, salt) -> advance ... 2^cost steps in all ... -> lane_finish(digest)
 *
 * lane_finish() leaves the lane as it is, so it may be advanced further (topping up). Between two
 * calls a lane may be moved with memcpy: nothing points into it.
 *
 * Threads:   pure functions of their arguments; one thread for one set of lanes at a time.
 * Ownership: everything is the caller's. A lane is as secret as its password: wipe it.
 * Failure:   none.
 * Units:     a step is one round of bcrypt's cost loop (two key schedules): cost c takes 2^c steps.
 *
 * Provos and Mazières, "A Future-Adaptable Password Scheme", USENIX 1999; the $2a$ rule is
 * crypt_blowfish's, as in libxcrypt. */
#ifndef DOORWARD_LANES_H
#define DOORWARD_LANES_H

#include "base.h"

#define LANES_MAX         8
#define LANE_KEY_MAX      72 /* bytes; bcrypt reads no more */
#define LANE_SALT_BYTES   16
#define LANE_DIGEST_BYTES 23
#define LANES_ALIGNMENT   64

/* $2a$ carries crypt_blowfish's countermeasure against its old sign-extension bug; $2b$ and $2y$
 * are one thing. */
enum lane_minor { LANE_2A, LANE_2B };

struct lane {
    uint32_t s[4][256];
    uint32_t p[18];
    uint32_t key[18];
    uint32_t salt[4];
    uint32_t pad[24]; /* to whole cache lines, and neighbours' P words into other sets */
};

/* `key` without NUL inside; the NUL that ends it is part of what bcrypt reads when it is shorter
 * than LANE_KEY_MAX. */
void lane_start(struct lane *l, enum lane_minor minor, struct span key,
                const uint8_t salt[static LANE_SALT_BYTES]);
void lane_finish(const struct lane *l, uint8_t ret_digest[static LANE_DIGEST_BYTES]);

/* Ways to advance lanes, the portable one first. */
struct lanes_kernel {
    const char *name;   /* PASSWORD_KERNEL's word for it */
    unsigned lanes_max; /* at most LANES_MAX */
    bool (*is_usable)(void);
    /* lanes[0 .. count-1], count 1 to lanes_max, by `steps` each. `lanes` is aligned to
     * LANES_ALIGNMENT. */
    void (*advance)(struct lane *lanes, unsigned count, unsigned steps);
};
extern const struct lanes_kernel lanes_kernels[];
extern const size_t lanes_kernel_count;

/* The kernel and the number of lanes to work with as long as nobody has measured this machine. */
const struct lanes_kernel *lanes_kernel_default(unsigned *ret_count);

#endif

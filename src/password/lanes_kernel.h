/* lanes_kernel.h - what a kernel must bring, and what all of them share; private to lanes*.c.
 *
 * A kernel is a function for each number of lanes that runs one key schedule: Blowfish over its own
 * output, 521 times, until P and S are all new. It is nearly all of bcrypt's work. */
#ifndef DOORWARD_PASSWORD_LANES_KERNEL_H
#define DOORWARD_PASSWORD_LANES_KERNEL_H

#include "lanes.h"

enum { LANES_P_COUNT = 18, LANES_S_COUNT = 4 * 256 };

typedef void lanes_schedule(struct lane *lanes);

/* What lanes_kernel.advance does, with the `schedule` for `count` lanes. */
void lanes_advance(struct lane *lanes, unsigned count, unsigned steps, lanes_schedule *schedule);

enum { LANES_C_MAX = 8 };
bool lanes_c_is_usable(void);
void lanes_c_advance(struct lane *lanes, unsigned count, unsigned steps);

#ifdef __x86_64__
enum { LANES_X86_MAX = 5 };
bool lanes_x86_is_usable(void);
bool lanes_x86_is_intel(void);
void lanes_x86_advance(struct lane *lanes, unsigned count, unsigned steps);
void lanes_x86_pext_advance(struct lane *lanes, unsigned count, unsigned steps);
#endif

#endif

/* lanes_x86.c - the kernels of lanes_x86.S: which processor may run them, and how they are called.
 */
#include "lanes_kernel.h"

#include <assert.h>

static_assert(sizeof(struct lane) == 4352 && offsetof(struct lane, s) == 0 &&
                  offsetof(struct lane, p) == 4096 && LANES_ALIGNMENT % 32 == 0,
              "lanes_x86.S was written for another struct lane");

lanes_schedule lanes_x86_bextr_1, lanes_x86_bextr_2, lanes_x86_bextr_3, lanes_x86_bextr_4,
    lanes_x86_bextr_5;
lanes_schedule lanes_x86_pext_1, lanes_x86_pext_2, lanes_x86_pext_3, lanes_x86_pext_4,
    lanes_x86_pext_5;

bool lanes_x86_is_usable(void)
{
    return __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

bool lanes_x86_is_intel(void)
{
    return __builtin_cpu_is("intel");
}

void lanes_x86_advance(struct lane *lanes, unsigned count, unsigned steps)
{
    static lanes_schedule *const schedules[LANES_X86_MAX] = {
        lanes_x86_bextr_1, lanes_x86_bextr_2, lanes_x86_bextr_3,
        lanes_x86_bextr_4, lanes_x86_bextr_5,
    };
    INVARIANT(count >= 1 && count <= LANES_X86_MAX);
    lanes_advance(lanes, count, steps, schedules[count - 1]);
}

void lanes_x86_pext_advance(struct lane *lanes, unsigned count, unsigned steps)
{
    static lanes_schedule *const schedules[LANES_X86_MAX] = {
        lanes_x86_pext_1, lanes_x86_pext_2, lanes_x86_pext_3, lanes_x86_pext_4, lanes_x86_pext_5,
    };
    INVARIANT(count >= 1 && count <= LANES_X86_MAX);
    lanes_advance(lanes, count, steps, schedules[count - 1]);
}

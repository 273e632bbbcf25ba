/* lanes_kernels.c - the kernels that there are, and which to begin with. */
#include "lanes_kernel.h"

enum {
    KERNEL_C,
#ifdef __x86_64__
    KERNEL_X86,
    KERNEL_X86_PEXT,
#endif
};

const struct lanes_kernel lanes_kernels[] = {
    [KERNEL_C] = { "c", LANES_C_MAX, lanes_c_is_usable, lanes_c_advance },
#ifdef __x86_64__
    [KERNEL_X86] = { "x86", LANES_X86_MAX, lanes_x86_is_usable, lanes_x86_advance },
    [KERNEL_X86_PEXT] = { "x86-pext", LANES_X86_MAX, lanes_x86_is_usable, lanes_x86_pext_advance },
#endif
};
const size_t lanes_kernel_count = sizeof(lanes_kernels) / sizeof(lanes_kernels[0]);

/* As many as were never slower than fewer, where it was measured: their boxes leave a third of the
 * smallest usual L1d, 32 kB, to everything else. */
#define DEFAULT_COUNT 5

const struct lanes_kernel *lanes_kernel_default(unsigned *ret_count)
{
    *ret_count = DEFAULT_COUNT;
#ifdef __x86_64__
    if (lanes_x86_is_usable()) {
        return &lanes_kernels[lanes_x86_is_intel() ? KERNEL_X86_PEXT : KERNEL_X86];
    }
#endif
    return &lanes_kernels[KERNEL_C];
}

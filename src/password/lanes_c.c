/* lanes_c.c - the portable kernel: lanes in lock step, in plain C. */
#include "lanes_encrypt.h"

/* The order in which a schedule replaces a lane's words: P, then S. */
static const struct {
    unsigned begin, end;
} parts[] = {
    { offsetof(struct lane, p) / 4, offsetof(struct lane, p) / 4 + LANES_P_COUNT },
    { offsetof(struct lane, s) / 4, offsetof(struct lane, s) / 4 + LANES_S_COUNT },
};

LANES_INLINE void run_schedule(struct lane *lanes, unsigned count)
{
    uint32_t left[LANES_MAX] = { 0 };
    uint32_t right[LANES_MAX] = { 0 };
    for (unsigned part = 0; part < 2; part++) {
        for (unsigned i = parts[part].begin; i < parts[part].end; i += 2) {
            lanes_encrypt(lanes, count, left, right);
            LANES_EACH(count)
            {
                uint32_t *words = (uint32_t *)&lanes[k];
                words[i] = left[k];
                words[i + 1] = right[k];
            }
        }
    }
}

/* One function a number of lanes, each with that number as a constant. */
#define SCHEDULE(n)                                                                                \
    static void schedule_##n(struct lane *lanes)                                                   \
    {                                                                                              \
        run_schedule(lanes, n);                                                                    \
    }
SCHEDULE(1)
SCHEDULE(2)
SCHEDULE(3)
SCHEDULE(4)
SCHEDULE(5)
SCHEDULE(6)
SCHEDULE(7)
SCHEDULE(8)

bool lanes_c_is_usable(void)
{
    return true;
}

void lanes_c_advance(struct lane *lanes, unsigned count, unsigned steps)
{
    static lanes_schedule *const schedules[] = { schedule_1, schedule_2, schedule_3, schedule_4,
                                                 schedule_5, schedule_6, schedule_7, schedule_8 };
    INVARIANT(count >= 1 && count <= sizeof(schedules) / sizeof(schedules[0]));
    lanes_advance(lanes, count, steps, schedules[count - 1]);
}

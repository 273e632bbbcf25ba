/* clock.c - preloaded into a service, moves its wall clock by the seconds in the file CLOCK_FILE,
 * whenever a test writes others there; all else is as it was. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const int64_t none;
static const volatile int64_t *offset_s = &none;

__attribute__((constructor)) static void map_offset(void)
{
    const char *path = getenv("CLOCK_FILE");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        return;
    }
    void *mapped = mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, file, 0);
    (void)close(file);
    if (mapped != MAP_FAILED) {
        offset_s = mapped;
    }
}

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, ret_time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        ret_time->tv_sec += *offset_s;
    }
    return result;
}

time_t time(time_t *ret_seconds)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret_seconds != NULL) {
        *ret_seconds = now.tv_sec;
    }
    return now.tv_sec;
}

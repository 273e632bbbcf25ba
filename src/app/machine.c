/* machine.c - the CPUs and the memory that this process may use. */
#include "sizes.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define MAX_PATH    512

/* One small file of numbers; the words that are none ("max") count as 0. */
static bool read_numbers(const char *path, uint64_t *first, uint64_t *second)
{
    char line[128] = "";
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    bool read = fgets(line, sizeof(line), f) != NULL;
    (void)fclose(f);
    struct span rest = span_of(line);
    rest.length = span_find(rest, '\n');
    struct span piece = SPAN_NONE;
    *first = 0;
    *second = 0;
    (void)(span_split(&rest, ' ', &piece) && span_to_u64(piece, INT64_MAX, first));
    (void)(span_split(&rest, ' ', &piece) && span_to_u64(piece, INT64_MAX, second));
    return read;
}

static void limit_cpus(struct machine *m, uint64_t quota, uint64_t period)
{
    if (quota > 0 && period > 0) {
        uint64_t cpus = (quota + period - 1) / period;
        m->cpus = cpus < m->cpus ? (unsigned)cpus : m->cpus;
    }
}

static void limit_memory(struct machine *m, uint64_t bytes)
{
    if (bytes > 0 && (m->memory_bytes == 0 || bytes < m->memory_bytes)) {
        m->memory_bytes = bytes;
    }
}

/* Version 2: one tree. */
static void look_unified(struct machine *m, const char *group)
{
    char path[MAX_PATH];
    uint64_t first;
    uint64_t second;
    (void)snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpu.max", group);
    if (read_numbers(path, &first, &second)) {
        limit_cpus(m, first, second);
    }
    (void)snprintf(path, sizeof(path), CGROUP_ROOT "%s/memory.max", group);
    if (read_numbers(path, &first, &second)) {
        limit_memory(m, first);
    }
}

/* Version 1: a tree for each controller. */
static void look_cpu(struct machine *m, const char *group)
{
    char path[MAX_PATH];
    uint64_t quota = 0;
    uint64_t period = 0;
    uint64_t unused;
    (void)snprintf(path, sizeof(path), CGROUP_ROOT "/cpu%s/cpu.cfs_quota_us", group);
    bool has_quota = read_numbers(path, &quota, &unused);
    (void)snprintf(path, sizeof(path), CGROUP_ROOT "/cpu%s/cpu.cfs_period_us", group);
    if (has_quota && read_numbers(path, &period, &unused)) {
        limit_cpus(m, quota, period);
    }
}

static void look_memory(struct machine *m, const char *group)
{
    char path[MAX_PATH];
    uint64_t bytes;
    uint64_t unused;
    (void)snprintf(path, sizeof(path), CGROUP_ROOT "/memory%s/memory.limit_in_bytes", group);
    if (read_numbers(path, &bytes, &unused)) {
        limit_memory(m, bytes);
    }
}

/* A limit of any group above holds as well; the root itself is asked last, which is all there is
 * to see inside a container. */
static void look_upwards(struct machine *m, char *group,
                         void (*look)(struct machine *m, const char *group))
{
    for (;;) {
        look(m, group);
        char *slash = strrchr(group, '/');
        if (slash == NULL) {
            return;
        }
        *slash = '\0';
    }
}

/* A line is ID:CONTROLLERS:/GROUP; version 2 has none named (cgroups(7)). */
static void look_at_line(struct machine *m, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) {
        return;
    }
    *group++ = '\0';
    controllers++;
    if (*controllers == '\0') {
        look_upwards(m, group, look_unified);
    } else if (strcmp(controllers, "cpu,cpuacct") == 0 || strcmp(controllers, "cpu") == 0) {
        look_upwards(m, group, look_cpu);
    } else if (strcmp(controllers, "memory") == 0) {
        look_upwards(m, group, look_memory);
    }
}

struct machine machine_look(void)
{
    struct machine m = { .cpus = 1 };
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        m.cpus = (unsigned)CPU_COUNT(&set);
    }
    struct sysinfo info;
    if (sysinfo(&info) == 0) {
        m.memory_bytes = (uint64_t)info.totalram * info.mem_unit;
    }
    char line[MAX_PATH];
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        look_at_line(&m, line);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    m.cpus = m.cpus > 256 ? 256 : m.cpus;
    return m;
}

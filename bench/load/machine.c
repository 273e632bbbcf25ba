#include "machine.h"

#include "bench.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SPARE_DESCRIPTORS 64
#define MOMENT_NS         (50L * 1000 * 1000)
#define LINE_BYTES        256
#define NAME_BYTES        288 /* of a file of a thread */
#define PATH_BYTES        (NAME_BYTES + 32)

enum err machine_raise_descriptors(unsigned connections)
{
    struct rlimit limit = { 0 };
    rlim_t wanted = (rlim_t)connections + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return ERR_OK;
    }
    rlim_t most = limit.rlim_max;
    limit.rlim_cur = wanted;
    if (wanted > most || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        complain("%u connections need %llu file descriptors, allowed are %llu: ulimit -n",
                 connections, (unsigned long long)wanted, (unsigned long long)most);
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static void end_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

void machine_hold_signals(void)
{
    sigset_t set;
    end_signals(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

bool machine_wait_for_signal(void)
{
    const struct timespec moment = { .tv_nsec = MOMENT_NS };
    sigset_t set;
    end_signals(&set);
    return sigtimedwait(&set, NULL, &moment) > 0;
}

static FILE *open_of(int pid, const char *name)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return fopen(path, "re");
}

static bool read_pss(int pid, int64_t *ret_bytes)
{
    char line[LINE_BYTES];
    bool found = false;
    FILE *file = open_of(pid, "smaps_rollup");
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        found = strncmp(line, "Pss:", 4) == 0;
    }
    if (found) {
        *ret_bytes = strtoll(line + 4, NULL, 10) * 1024;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

static struct machine_turns read_turns(FILE *file)
{
    struct machine_turns turns = { 0 };
    char line[LINE_BYTES];
    if (file != NULL) {
        if (fgets(line, sizeof(line), file) != NULL) {
            char *end = NULL;
            turns.ran_ns = strtoll(line, &end, 10);
            turns.starved_ns = strtoll(end, NULL, 10);
        }
        (void)fclose(file);
    }
    return turns;
}

struct machine_turns machine_own_turns(void)
{
    return read_turns(fopen("/proc/thread-self/schedstat", "re"));
}

/* 0 when it has ended meanwhile. */
static int64_t read_thread(int pid, const char *thread)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof(name), "task/%s/schedstat", thread);
    return read_turns(open_of(pid, name)).ran_ns;
}

static bool read_cpu(int pid, int64_t *ret_ns)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (threads == NULL) {
        return false;
    }
    const struct dirent *entry = NULL;
    *ret_ns = 0;
    while ((entry = readdir(threads)) != NULL) {
        if (entry->d_name[0] != '.') {
            *ret_ns += read_thread(pid, entry->d_name);
        }
    }
    (void)closedir(threads);
    return true;
}

enum err machine_look_at(int pid, struct machine_process *ret_process)
{
    struct machine_process process = { 0 };
    if (!read_pss(pid, &process.pss_bytes) || !read_cpu(pid, &process.cpu_ns)) {
        complain("the memory of process %d cannot be read: %s", pid, strerror(errno));
        return ERR_CONFIG;
    }
    *ret_process = process;
    return ERR_OK;
}

enum err machine_check_file(const char *path)
{
    if (path == NULL || strcmp(path, "-") == 0) {
        return ERR_OK;
    }
    bool was_there = access(path, F_OK) == 0;
    FILE *file = fopen(path, "ae");
    if (file == NULL) {
        complain("%s cannot be written: %s", path, strerror(errno));
        return ERR_CONFIG;
    }
    (void)fclose(file);
    if (!was_there) { /* what comes to nothing leaves nothing behind */
        (void)unlink(path);
    }
    return ERR_OK;
}

enum err machine_open_file(const char *path, FILE **ret_file)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (file == NULL) {
        complain("%s cannot be written: %s", path, strerror(errno));
        return ERR_CONFIG;
    }
    *ret_file = file;
    return ERR_OK;
}

enum err machine_close_file(FILE *file, const char *path)
{
    bool failed = fflush(file) != 0 || ferror(file) != 0;
    if (file != stdout) {
        (void)fclose(file);
    }
    if (failed) {
        complain("%s cannot be written: %s", path, strerror(errno));
        return ERR_CONFIG;
    }
    return ERR_OK;
}

enum err machine_write_json(const char *path, const json_t *figures)
{
    FILE *file = NULL;
    TRY(machine_open_file(path, &file));
    (void)json_dumpf(figures, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    (void)fputc('\n', file);
    return machine_close_file(file, path);
}

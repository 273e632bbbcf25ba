/* report_page.c - the page with charts is drawn by a Python script with matplotlib, which is
 * installed with this program: it gets the figures on its standard input. */
#include "report.h"

#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Beside the program: where it was built, where it was installed. */
static const char *const places[] = { "bench/load/page.py", "../share/doorward/bench-page.py" };

static bool find_script(char path[static PATH_MAX])
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0) {
        return false;
    }
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int written = snprintf(path, PATH_MAX, "%s/%s", program, places[i]);
        if (written > 0 && written < PATH_MAX && access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* Runs python3 SCRIPT ARGUMENT with the read end of `input` as its standard input; -1: not run. */
static pid_t start_script(const char *script, const char *argument, const int input[2])
{
    char *const argv[] = { (char *)(uintptr_t) "python3", (char *)(uintptr_t)script,
                           (char *)(uintptr_t)argument, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t child = -1;
    (void)sigemptyset(&none);
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return -1;
    }
    if (posix_spawnattr_init(&attributes) == 0) {
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        (void)posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
        if (posix_spawnp(&child, "python3", &actions, &attributes, argv, environ) != 0) {
            child = -1;
        }
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return child;
}

static bool write_all(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(fd, text, left);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text += written > 0 ? written : 0;
        left -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* The script says itself what it lacks. */
static enum err run_script(const char *argument, const char *input)
{
    char script[PATH_MAX];
    int ends[2];
    int status = -1;
    if (!find_script(script)) {
        complain("--html: bench-page.py is not beside this program");
        return ERR_CONFIG;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return ERR_NOMEM;
    }
    pid_t child = start_script(script, argument, ends);
    (void)close(ends[0]);
    bool written = child > 0 && write_all(ends[1], input);
    (void)close(ends[1]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (child <= 0) {
        complain("--html: there is no python3, which draws it");
        return ERR_CONFIG;
    }
    return written && status == 0 ? ERR_OK : ERR_CONFIG;
}

enum err report_page_check(void)
{
    return run_script("--check", "");
}

enum err report_page(const json_t *figures, const char *path)
{
    char *text = json_dumps(figures, JSON_COMPACT);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    enum err e = run_script(path, text);
    free(text);
    return e;
}

#include "prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define MAX_LINE 2048 /* well over what a password may be: the rule is auth's, not ours */

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define ENDING_COUNT (sizeof(ending) / sizeof(ending[0]))

/* For the signal handler: the terminal as it was. */
static struct termios as_it_was;

static void restore_and_end(int number)
{
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &as_it_was);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static enum err read_line(struct arena *a, struct span *ret_line, const char **ret_why)
{
    char line[MAX_LINE];
    size_t length = 0;
    ssize_t got = 0;
    /* Byte by byte, so that what follows stays in the pipe, unread. */
    while (length < sizeof(line)) {
        got = read(STDIN_FILENO, line + length, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || line[length] == '\n') {
            break;
        }
        length++;
    }
    enum err e = ERR_OK;
    if (got < 0 || (got == 0 && length == 0)) {
        *ret_why = "there is no password on stdin";
        e = ERR_IO;
    } else if (length == sizeof(line)) {
        *ret_why = "the password is too long";
        e = ERR_INVALID_INPUT;
    } else {
        e = arena_copy(a, (struct span){ .data = line, .length = length }, ret_line);
    }
    secret_wipe(line, sizeof(line));
    return e;
}

static enum err ask(const char *question, struct arena *a, struct span *ret_line,
                    const char **ret_why)
{
    (void)fputs(question, stderr);
    enum err e = read_line(a, ret_line, ret_why);
    (void)fputc('\n', stderr);
    return e;
}

static enum err ask_twice(struct arena *a, struct span *ret_password, const char **ret_why)
{
    struct span first;
    struct span again;
    TRY(ask("Password: ", a, &first, ret_why));
    TRY(ask("The same again: ", a, &again, ret_why));
    if (!secret_equal(first, again)) {
        *ret_why = "the two passwords differ";
        return ERR_INVALID_INPUT;
    }
    *ret_password = first;
    return ERR_OK;
}

enum err prompt_password(struct arena *a, struct span *ret_password, const char **ret_why)
{
    *ret_why = err_text(ERR_NOMEM);
    if (isatty(STDIN_FILENO) != 1 || tcgetattr(STDIN_FILENO, &as_it_was) != 0) {
        return read_line(a, ret_password, ret_why);
    }
    struct sigaction before[ENDING_COUNT];
    struct sigaction action = { .sa_handler = restore_and_end };
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        (void)sigaction(ending[i], &action, &before[i]);
    }
    struct termios silent = as_it_was;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    enum err e = ERR_IO;
    *ret_why = "the terminal cannot be kept from showing the password";
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0) {
        e = ask_twice(a, ret_password, ret_why);
    }
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_it_was);
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        (void)sigaction(ending[i], &before[i], NULL);
    }
    return e;
}

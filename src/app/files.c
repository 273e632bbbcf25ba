#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAX_BYTES 64

static enum err say(enum err e, struct arena *a, struct span *ret_why, const char *path,
                    const char *problem)
{
    struct span why;
    if (arena_printf(a, &why, "%s: %s", path, problem) == ERR_OK) {
        *ret_why = why;
    }
    return e;
}

static void close_file(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static const char *judge(const struct stat *st, enum files_privacy privacy)
{
    if (!S_ISREG(st->st_mode)) {
        return "is not a regular file";
    }
    if (privacy == FILES_SECRET && !secret_file_is_private(st)) {
        return "holds a secret that others can read or change; chmod 600 it, as its owner";
    }
    if (st->st_size < 0 || (size_t)st->st_size > FILES_MAX_BYTES) {
        return "is larger than 64 KiB";
    }
    return NULL;
}

static ssize_t read_fully(int fd, char *out, size_t capacity)
{
    size_t used = 0;
    while (used < capacity) {
        ssize_t got = read(fd, out + used, capacity - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
    }
    return (ssize_t)used;
}

enum err files_read(const char *path, enum files_privacy privacy, struct arena *a,
                    struct span *ret_bytes, struct span *ret_why)
{
    /* Not blocking, so that a pipe in the file's place cannot hold up the start. */
    __attribute__((cleanup(close_file))) int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return say(ERR_IO, a, ret_why, path, strerror(errno));
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return say(ERR_IO, a, ret_why, path, strerror(errno));
    }
    const char *problem = judge(&st, privacy);
    if (problem != NULL) {
        return say(ERR_CONFIG, a, ret_why, path, problem);
    }
    size_t size = (size_t)st.st_size;
    char *bytes = (char *)arena_get(a, size + 1);
    if (bytes == NULL) {
        return ERR_NOMEM;
    }
    ssize_t got = read_fully(fd, bytes, size);
    if (got < 0) {
        return say(ERR_IO, a, ret_why, path, strerror(errno));
    }
    *ret_bytes = (struct span){ .data = bytes, .length = (size_t)got };
    return ERR_OK;
}

enum err files_one_line(const char *path, struct span bytes, struct arena *a, struct span *ret_line,
                        struct span *ret_why)
{
    size_t end = span_find(bytes, '\n');
    if (end + 1 < bytes.length) {
        return say(ERR_CONFIG, a, ret_why, path, "must be one line");
    }
    if (end > 0 && bytes.data[end - 1] == '\r') {
        end--;
    }
    *ret_line = span_slice(bytes, 0, end);
    return ERR_OK;
}

enum err files_make_directory(const char *path, struct arena *a, struct span *ret_why)
{
    struct stat st;
    if (mkdir(path, S_IRWXU) == 0) {
        return ERR_OK;
    }
    if (errno != EEXIST) {
        return say(ERR_IO, a, ret_why, path, strerror(errno));
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return say(ERR_IO, a, ret_why, path, "is not a directory");
    }
    /* Who may write to it may put another key in the place of ours. */
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return say(ERR_CONFIG, a, ret_why, path,
                   "can be changed by others; chmod 700 it, as its owner");
    }
    return ERR_OK;
}

/* base.h writes the URL alphabet without padding; the file is what `openssl rand -base64` prints.
 */
static size_t base64_line(struct span bytes, char *out)
{
    size_t length = span_base64url(bytes, out);
    for (size_t i = 0; i < length; i++) {
        out[i] = out[i] == '-' ? '+' : out[i] == '_' ? '/' : out[i];
    }
    while (length % 4 != 0) {
        out[length++] = '=';
    }
    out[length++] = '\n';
    return length;
}

static bool write_durably(int fd, const char *text, size_t length)
{
    ssize_t wrote = write(fd, text, length);
    if (wrote >= 0 && (size_t)wrote < length) {
        errno = ENOSPC;
    }
    return wrote == (ssize_t)length && fsync(fd) == 0;
}

static void sync_directory_of(const char *path)
{
    char directory[256];
    const char *slash = strrchr(path, '/');
    int length = slash != NULL ? (int)(slash - path) : 0;
    (void)snprintf(directory, sizeof(directory), "%.*s/", length, length > 0 ? path : ".");
    __attribute__((cleanup(close_file))) int fd = open(directory, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
    }
}

/* link() makes the finished file appear under its name, and fails where another process was first:
 * neither half a key nor two keys can be seen. */
static int publish(char *temporary, const char *path, const char *text, size_t length)
{
    __attribute__((cleanup(close_file))) int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int failure = 0;
    if (!write_durably(fd, text, length) || (link(temporary, path) != 0 && errno != EEXIST)) {
        failure = errno;
    }
    (void)unlink(temporary);
    return failure;
}

enum err files_replace(const char *path, struct span text, struct arena *a, struct span *ret_why)
{
    char temporary[256];
    (void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    __attribute__((cleanup(close_file))) int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return say(ERR_IO, a, ret_why, path, strerror(errno));
    }
    if (!write_durably(fd, text.data, text.length) || rename(temporary, path) != 0) {
        int failure = errno;
        (void)unlink(temporary);
        return say(ERR_IO, a, ret_why, path, strerror(failure));
    }
    return ERR_OK;
}

enum err files_make_key(const char *path, size_t length, struct arena *a, struct span *ret_why)
{
    uint8_t key[KEY_MAX_BYTES];
    char text[KEY_MAX_BYTES * 2];
    INVARIANT(length <= sizeof(key));
    TRY(secret_random(key, length));
    size_t text_length =
        base64_line((struct span){ .data = (const char *)key, .length = length }, text);
    char temporary[256];
    (void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    int failure = publish(temporary, path, text, text_length);
    sync_directory_of(path);
    secret_wipe(key, sizeof(key));
    secret_wipe(text, sizeof(text));
    if (failure != 0) {
        return say(ERR_IO, a, ret_why, path, strerror(failure));
    }
    return ERR_OK;
}

/* sqlite_file.c - the file and its directory: made private, checked, and every refusal explained.
 */
#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY(...)                                                                                   \
    do {                                                                                           \
        TRY(arena_printf(a, ret_why, __VA_ARGS__));                                                \
        return ERR_IO;                                                                             \
    } while (0)

static const char *errno_text(int error, char *room, size_t length)
{
    return strerror_r(error, room, length);
}

static enum err make_directory(const char *directory, struct arena *a, struct span *ret_why)
{
    char room[128];
    if (mkdir(directory, 0700) == 0 || errno == EEXIST) {
        return ERR_OK;
    }
    if (errno == ENOENT) {
        WHY("the directory %s does not exist and neither does the one above it: make it first",
            directory);
    }
    WHY("the directory %s cannot be made: %s", directory, errno_text(errno, room, sizeof(room)));
}

/* The directory matters as much as the file: SQLite keeps -wal and -shm files beside it. */
static enum err check_directory(const char *directory, struct arena *a, struct span *ret_why)
{
    char room[128];
    struct stat st = { 0 };
    if (stat(directory, &st) != 0 && errno == ENOENT) {
        TRY(make_directory(directory, a, ret_why));
    }
    if (stat(directory, &st) != 0) {
        WHY("the directory %s cannot be used: %s", directory,
            errno_text(errno, room, sizeof(room)));
    }
    if (!S_ISDIR(st.st_mode)) {
        WHY("%s is not a directory, so the database cannot be in it", directory);
    }
    if ((st.st_mode & S_IWOTH) != 0) {
        WHY("the directory %s is writable for everybody: choose another or take that right away",
            directory);
    }
    if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0) {
        WHY("the directory %s is not writable for this user", directory);
    }
    return ERR_OK;
}

static enum err make_file(const char *path, struct arena *a, struct span *ret_why)
{
    char room[128];
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)close(fd);
        return ERR_OK;
    }
    if (errno == EEXIST) {
        return ERR_OK;
    }
    WHY("the database %s cannot be made: %s", path, errno_text(errno, room, sizeof(room)));
}

/* An existing file is looked at by name only: closing a descriptor of it would drop the locks that
 * this process may hold on it through another connection (POSIX). */
static enum err check_file(const char *path, struct arena *a, struct span *ret_why)
{
    char room[128];
    struct stat st = { 0 };
    if (stat(path, &st) != 0) {
        WHY("the database %s cannot be used: %s", path, errno_text(errno, room, sizeof(room)));
    }
    if (!S_ISREG(st.st_mode)) {
        WHY("the database %s is not a regular file", path);
    }
    bool is_private = (st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    if (!is_private && st.st_uid == geteuid() && chmod(path, 0600) != 0) {
        WHY("the database %s cannot be made private to this user: %s", path,
            errno_text(errno, room, sizeof(room)));
    }
    if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0) {
        WHY("the database %s is not readable and writable for this user", path);
    }
    return ERR_OK;
}

enum err sqlite_file_prepare(const char *path, struct arena *a, struct span *ret_why)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    INVARIANT(slash != NULL && (size_t)(slash - path) < sizeof(directory));
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    memcpy(directory, path, length);
    directory[length] = '\0';

    TRY(check_directory(directory, a, ret_why));
    struct stat st = { 0 };
    if (stat(path, &st) != 0 && errno == ENOENT) {
        TRY(make_file(path, a, ret_why));
    }
    return check_file(path, a, ret_why);
}

enum err sqlite_file_why(struct sqlite_conn *c, int code, const char *path, struct arena *a,
                         struct span *ret_why)
{
    char room[128];
    int error = c->db != NULL ? sqlite3_system_errno(c->db) : 0;
    if ((code & 0xff) == SQLITE_FULL || error == ENOSPC || error == EDQUOT || error == EFBIG) {
        WHY("no space is left on the disk of the database %s", path);
    }
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_NOTADB:
        WHY("%s is not a database", path);
    case SQLITE_CORRUPT:
        WHY("the database %s is damaged: restore it from a backup", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        WHY("the database %s is locked by another process", path);
    case SQLITE_READONLY:
        WHY("the database %s is not writable", path);
    default:
        WHY("the database %s cannot be used: %s%s%s", path, sqlite3_errstr(code),
            error != 0 ? ": " : "", error != 0 ? errno_text(error, room, sizeof(room)) : "");
    }
}

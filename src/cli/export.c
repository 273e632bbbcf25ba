/* export.c - `doorward export`: the store as lines of JSON, on stdout or into a new file. */
#include "command.h"
#include "progress.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every living revocation at once, to put them in order: room for about a million. */
#define RUN_BYTES ((size_t)512 * 1024 * 1024)

struct export_run {
    /* from the command line */
    const char *env_file, *output;
    bool force;
    /* while it runs */
    char place[PATH_MAX]; /* of the file that is written */
    struct auth_export walk;
    struct auth_call call;
    struct arena arena;
    struct progress progress;
    FILE *out;
    int64_t records;
    struct uuid safe_after; /* all of this user and of those before is written */
};

/* ---- writing ---- */

static enum err write_line(struct export_run *run, struct span line)
{
    return fwrite(line.data, 1, line.length, run->out) == line.length ? ERR_OK : ERR_IO;
}

static enum err write_header(struct export_run *run)
{
    const struct clock clock = { 0 };
    struct span line = SPAN_NONE;
    struct record_header header = { .with_sessions = run->walk.with_sessions,
                                    .with_keys = run->walk.with_keys,
                                    .after = run->walk.after,
                                    .now_ms = clock_now_ms(&clock) };
    TRY(record_write_header(&header, &run->arena, &line));
    return write_line(run, line);
}

static enum err write_page(struct export_run *run, const struct auth_record *records, size_t count)
{
    struct arena line_arena;
    enum err e = ERR_OK;
    arena_init(&line_arena, 4 * RECORD_MAX_LINE_BYTES);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        struct span line = SPAN_NONE;
        e = record_write(&records[i], &line_arena, &line);
        e = e == ERR_OK ? write_line(run, line) : e;
        arena_reset(&line_arena);
    }
    arena_done(&line_arena);
    return e;
}

static enum err write_records(struct export_run *run, struct auth *auth)
{
    struct auth_record *records = NULL;
    size_t count = 0;
    do {
        arena_reset(&run->arena);
        TRY(auth_export_next(auth, &run->call, &run->walk, &records, &count));
        TRY(write_page(run, records, count));
        run->records += (int64_t)count;
        if (run->walk.next == EXPORT_USERS) {
            run->safe_after = run->walk.after;
        }
        progress_show(&run->progress, "export: %lld records", (long long)run->records);
    } while (count > 0);
    return ERR_OK;
}

/* Done is what is on the disk; a pipe has none. */
static enum err write_end(struct export_run *run)
{
    struct span line = SPAN_NONE;
    TRY(record_write_end(run->records, &run->arena, &line));
    TRY(write_line(run, line));
    if (fflush(run->out) != 0) {
        return ERR_IO;
    }
    bool is_synced = fsync(fileno(run->out)) == 0 || errno == EINVAL || errno == EROFS;
    return is_synced ? ERR_OK : ERR_IO;
}

static enum err write_all(struct export_run *run, struct auth *auth)
{
    TRY(write_header(run));
    TRY(write_records(run, auth));
    return write_end(run);
}

/* ---- a run ---- */

static int stop(struct export_run *run, enum err e)
{
    char after[UUID_TEXT_LENGTH + 1];
    int why = errno;
    progress_clear(&run->progress);
    if (e == ERR_IO) {
        complain("export: cannot write: %s; what is there is cut off", strerror(why));
        return EXIT_STOPPED;
    }
    uuid_text(run->safe_after, after);
    bool is_resumable = fflush(run->out) == 0 && !uuid_is_nil(run->safe_after);
    complain("export: %s; what is there is cut off%s%s", err_text(e),
             is_resumable ? ", go on with --after " : "", is_resumable ? after : "");
    return EXIT_STOPPED;
}

/* A file that is to be replaced goes when the new one beside it is whole. A link is not followed.
 */
static FILE *open_output(struct export_run *run)
{
    int length =
        snprintf(run->place, sizeof(run->place), "%s%s", run->output, run->force ? ".part" : "");
    if (length < 0 || (size_t)length >= sizeof(run->place)) {
        complain("export: --output is a path of at most %zu bytes", sizeof(run->place) - 6);
        return NULL;
    }
    if (run->force) {
        (void)unlink(run->place);
    }
    int fd =
        open(run->place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out == NULL) {
        complain("export: cannot make %s: %s%s", run->place, strerror(errno),
                 errno == EEXIST ? "; --force replaces it" : "");
    }
    return out;
}

static bool close_output(struct export_run *run, bool is_whole)
{
    return fclose(run->out) == 0 &&
           (!is_whole || !run->force || rename(run->place, run->output) == 0);
}

static int run_into(void *argument, struct auth *auth)
{
    struct export_run *run = argument;
    run->call = (struct auth_call){ .arena = &run->arena, .agent = SPAN("doorward export") };
    run->out = run->output != NULL ? open_output(run) : stdout;
    if (run->out == NULL) {
        return EXIT_STOPPED;
    }
    progress_begin(&run->progress);
    enum err e = write_all(run, auth);
    int code = e == ERR_OK ? EXIT_DONE : stop(run, e);
    if (run->output != NULL && !close_output(run, code == EXIT_DONE) && code == EXIT_DONE) {
        code = stop(run, ERR_IO);
    }
    progress_clear(&run->progress);
    if (code == EXIT_DONE) {
        complain("export: %lld records", (long long)run->records);
    }
    return code;
}

static bool take_option(struct export_run *run, int option)
{
    switch (option) {
    case 'e':
        run->env_file = optarg;
        return true;
    case 's':
        run->walk.with_sessions = true;
        return true;
    case 'k':
        run->walk.with_keys = true;
        return true;
    case 'o':
        run->output = optarg;
        return true;
    case 'f':
        run->force = true;
        return true;
    case 'a':
        return uuid_parse(span_of(optarg), &run->walk.after);
    default:
        return false;
    }
}

static int parse_and_run(struct export_run *run, const struct command *self, int argc, char **argv)
{
    static const struct option known[] = {
        OPTION_HELP,
        OPTION_ENV_FILE,
        { "sessions", no_argument, NULL, 's' },
        { "keys", no_argument, NULL, 'k' },
        { "after", required_argument, NULL, 'a' },
        { "output", required_argument, NULL, 'o' },
        { "force", no_argument, NULL, 'f' },
        { 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (option == 'h') {
            command_print_help(self, "");
            return EXIT_DONE;
        }
        if (!take_option(run, option)) {
            return complain_about_option(self->name, argv);
        }
    }
    if (optind < argc) {
        complain("export: takes no \"%s\"; see doorward export --help", argv[optind]);
        return EXIT_STOPPED;
    }
    if (run->output == NULL && isatty(STDOUT_FILENO) == 1) {
        complain("export: password hashes do not belong on a terminal; give --output FILE");
        return EXIT_STOPPED;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that has gone is a failed write */
    return run_with_auth(run->env_file, &run->arena, run_into, run);
}

int export_main(const struct command *self, int argc, char **argv)
{
    struct export_run run = { 0 };
    arena_init(&run.arena, RUN_BYTES);
    int code = parse_and_run(&run, self, argc, argv);
    arena_done(&run.arena);
    return code;
}

/* import.c - `doorward import`: lines of JSON from stdin into the store.
 *
 *   HEADER --header--> RECORDS --end--> ENDED        anything else in HEADER or ENDED stops it
 *
 * Lines are taken in batches. A refused one is reported, in the order of lines, and the rest goes
 * on; what is there already is not written again, so that the same file can be tried again. */
#include "command.h"
#include "progress.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_BYTES    ((size_t)128 * 1024 * 1024) /* a batch of longest lines, several times over */
#define MOST_REFUSED 20                          /* that are told on stderr */

enum state { HEADER, RECORDS, ENDED };

/* A line of the batch: a record, or why it is none. */
struct slot {
    int64_t line;
    bool is_refused;
    struct auth_input_error why;
};

struct import_run {
    /* from the command line */
    const char *env_file, *rejects_name;
    bool dry_run;
    /* while it runs */
    struct auth *auth;
    struct auth_call call;
    struct arena arena; /* of the batch */
    struct progress progress;
    FILE *rejects;
    enum state state;
    char text[RECORD_MAX_LINE_BYTES + 1]; /* of the line */
    struct slot slots[AUTH_MAX_IMPORT];
    struct auth_record records[AUTH_MAX_IMPORT]; /* of those slots that are not refused */
    size_t slot_count, record_count;
    int64_t line, lines_of_records;
    int64_t added[AUTH_RECORD_REVOCATION + 1], there, refused;
};

/* ---- reports ---- */

static enum err write_reject(struct import_run *run, int64_t line,
                             const struct auth_input_error *why, struct uuid other)
{
    struct json_out j;
    struct span text = SPAN_NONE;
    json_out_begin(&j, &run->arena, 256);
    json_out_object(&j, NULL);
    json_out_number(&j, "line", line);
    json_out_text(&j, "field", span_of(why->field));
    json_out_text(&j, "code", span_of(why->code));
    json_out_text(&j, "detail", span_of(why->detail));
    if (!uuid_is_nil(other)) {
        json_out_uuid(&j, "other", other);
    }
    json_out_object_end(&j);
    TRY(json_out_result(&j, &text));
    return fprintf(run->rejects, "%.*s\n", SPAN_FMT(text)) > 0 ? ERR_OK : ERR_IO;
}

static enum err report(struct import_run *run, int64_t line, const struct auth_input_error *why,
                       struct uuid other)
{
    char id[UUID_TEXT_LENGTH + 1];
    run->refused++;
    if (run->rejects != NULL) {
        return write_reject(run, line, why, other);
    }
    if (run->refused > MOST_REFUSED) {
        return ERR_OK;
    }
    uuid_text(other, id);
    progress_clear(&run->progress);
    complain("import: line %lld: %s%s%s%s%s", (long long)line, why->field,
             why->field[0] != '\0' ? ": " : "", why->detail, uuid_is_nil(other) ? "" : ": ",
             uuid_is_nil(other) ? "" : id);
    return ERR_OK;
}

static void sum_up(struct import_run *run)
{
    const char *verb = run->dry_run ? "would add" : "added";
    progress_clear(&run->progress);
    if (run->rejects == NULL && run->refused > MOST_REFUSED) {
        complain("import: and %lld other refused lines; --rejects FILE has all of them",
                 (long long)(run->refused - MOST_REFUSED));
    }
    complain("import: %s users %lld, sessions %lld, revocations %lld, keys %lld; there already "
             "%lld; refused %lld",
             verb, (long long)run->added[AUTH_RECORD_USER],
             (long long)run->added[AUTH_RECORD_SESSION],
             (long long)run->added[AUTH_RECORD_REVOCATION], (long long)run->added[AUTH_RECORD_KEY],
             (long long)run->there, (long long)run->refused);
}

/* ---- batches ---- */

static enum err note_result(struct import_run *run, int64_t line, enum auth_record_type type,
                            const struct auth_import_result *result)
{
    switch (result->outcome) {
    case AUTH_IMPORT_ADDED:
        run->added[type]++;
        break;
    case AUTH_IMPORT_THERE:
        run->there++;
        break;
    case AUTH_IMPORT_REFUSED:
        return report(run, line, &result->why, result->other);
    }
    return ERR_OK;
}

static enum err flush(struct import_run *run)
{
    struct auth_import_result results[AUTH_MAX_IMPORT];
    TRY(auth_import(run->auth, &run->call, run->records, run->record_count, run->dry_run, results));
    for (size_t i = 0, next = 0; i < run->slot_count; i++) {
        const struct slot *slot = &run->slots[i];
        if (slot->is_refused) {
            TRY(report(run, slot->line, &slot->why, (struct uuid){ 0 }));
            continue;
        }
        TRY(note_result(run, slot->line, run->records[next].type, &results[next]));
        next++;
    }
    run->slot_count = 0;
    run->record_count = 0;
    arena_reset(&run->arena);
    progress_show(&run->progress, "import: line %lld, %lld refused", (long long)run->line,
                  (long long)run->refused);
    return ERR_OK;
}

static enum err take_slot(struct import_run *run, const struct record_read *read,
                          const struct auth_input_error *why)
{
    struct slot *slot = &run->slots[run->slot_count++];
    *slot = (struct slot){ .line = run->line, .is_refused = read == NULL };
    run->lines_of_records++;
    if (read == NULL) {
        slot->why = *why;
    } else {
        run->records[run->record_count++] = read->item;
    }
    return run->slot_count == AUTH_MAX_IMPORT ? flush(run) : ERR_OK;
}

/* ---- lines ---- */

/* ERR_CONFIG: it cannot go on, and the complaint is made. */
static enum err stop(struct import_run *run, const char *why)
{
    progress_clear(&run->progress);
    complain("import: line %lld: %s", (long long)run->line, why);
    return ERR_CONFIG;
}

static enum err take_header(struct import_run *run, enum err e, const struct record_read *read)
{
    if (e != ERR_OK || read->line != RECORD_HEADER) {
        return stop(run, "is not the header of an export: "
                         "{\"type\":\"header\",\"format\":\"doorward\",\"version\":1}");
    }
    if (read->version != RECORD_VERSION) {
        return stop(run, "the file has another version than 1, the one that this Doorward reads");
    }
    run->state = RECORDS;
    return ERR_OK;
}

static enum err take_end(struct import_run *run, const struct record_read *read)
{
    TRY(flush(run));
    if (read->records >= 0 && read->records != run->lines_of_records) {
        return stop(run, "the end tells of another number of records than came before it: lines "
                         "are missing or twice there");
    }
    run->state = ENDED;
    return ERR_OK;
}

static enum err take_line(struct import_run *run, struct span line)
{
    static const struct auth_input_error second_header = { "type", "unexpected",
                                                           "a header belongs into the first line" };
    struct record_read read = { 0 };
    struct auth_input_error why = { 0 };
    enum err e = record_read(line, &run->arena, &read, &why);
    if (e != ERR_OK && e != ERR_INVALID_INPUT) {
        return e;
    }
    switch (run->state) {
    case HEADER:
        return take_header(run, e, &read);
    case RECORDS:
        if (e == ERR_OK && read.line == RECORD_END) {
            return take_end(run, &read);
        }
        if (e == ERR_OK && read.line == RECORD_HEADER) {
            return take_slot(run, NULL, &second_header);
        }
        return take_slot(run, e == ERR_OK ? &read : NULL, &why);
    case ENDED:
        break;
    }
    return stop(run, "something stands behind the end");
}

/* One byte more than is allowed is kept of a line that is too long, for record_read() to see. False
 * at the end of the input. */
static bool next_line(struct import_run *run, struct span *ret_line)
{
    size_t length = 0;
    int c;
    while ((c = getc_unlocked(stdin)) != EOF && c != '\n') {
        if (length < sizeof(run->text)) {
            run->text[length++] = (char)c;
        }
    }
    *ret_line = (struct span){ run->text, length };
    bool is_there = c != EOF || length > 0;
    run->line += is_there;
    return is_there;
}

/* Of one that is too long only the beginning is known. */
static bool is_blank(struct span line)
{
    struct span rest = span_trim(line);
    bool is_empty = rest.length == 0 || (rest.length == 1 && rest.data[0] == '\r');
    return is_empty && line.length <= RECORD_MAX_LINE_BYTES;
}

static enum err take_all(struct import_run *run)
{
    struct span line = SPAN_NONE;
    while (next_line(run, &line)) {
        if (!is_blank(line)) {
            TRY(take_line(run, line));
        }
    }
    TRY(flush(run));
    if (ferror(stdin) != 0) {
        return stop(run, strerror(errno));
    }
    return run->state == ENDED
               ? ERR_OK
               : stop(run, "the input ends behind this without an end record: it is cut "
                           "off; import the whole, what came is there already");
}

/* ---- a run ---- */

static int run_import(struct import_run *run)
{
    progress_begin(&run->progress);
    enum err e = take_all(run);
    if (run->rejects != NULL && (fflush(run->rejects) != 0 || ferror(run->rejects) != 0)) {
        e = ERR_IO;
    }
    progress_clear(&run->progress);
    if (e == ERR_IO) {
        complain("import: cannot write %s: %s", run->rejects_name, strerror(errno));
    } else if (e != ERR_OK && e != ERR_CONFIG) {
        complain("import: stopped at line %lld: %s; try the same again, what came is there already",
                 (long long)run->line, err_text(e));
    }
    sum_up(run);
    if (e != ERR_OK) {
        return EXIT_STOPPED;
    }
    return run->refused > 0 ? EXIT_SOME_REFUSED : EXIT_DONE;
}

static FILE *open_rejects(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    FILE *rejects = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (rejects == NULL) {
        complain("import: cannot make %s: %s", name, strerror(errno));
    }
    return rejects;
}

static int run_from_stdin(void *argument, struct auth *auth)
{
    struct import_run *run = argument;
    run->auth = auth;
    run->call = (struct auth_call){ .arena = &run->arena, .agent = SPAN("doorward import") };
    if (run->rejects_name != NULL && (run->rejects = open_rejects(run->rejects_name)) == NULL) {
        return EXIT_STOPPED;
    }
    int code = run_import(run);
    if (run->rejects != NULL) {
        (void)fclose(run->rejects);
    }
    return code;
}

static int parse_and_run(struct import_run *run, const struct command *self, int argc, char **argv)
{
    static const struct option known[] = {
        OPTION_HELP,
        OPTION_ENV_FILE,
        { "dry-run", no_argument, NULL, 'd' },
        { "rejects", required_argument, NULL, 'r' },
        { 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        switch (option) {
        case 'h':
            command_print_help(self, "");
            return EXIT_DONE;
        case 'e':
            run->env_file = optarg;
            break;
        case 'd':
            run->dry_run = true;
            break;
        case 'r':
            run->rejects_name = optarg;
            break;
        default:
            return complain_about_option(self->name, argv);
        }
    }
    if (optind < argc) {
        complain("import: takes no \"%s\", it reads stdin; see doorward import --help",
                 argv[optind]);
        return EXIT_STOPPED;
    }
    return run_with_auth(run->env_file, &run->arena, run_from_stdin, run);
}

int import_main(const struct command *self, int argc, char **argv)
{
    static struct import_run run;
    arena_init(&run.arena, RUN_BYTES);
    int code = parse_and_run(&run, self, argc, argv);
    arena_done(&run.arena);
    secret_wipe(run.text, sizeof(run.text));
    return code;
}

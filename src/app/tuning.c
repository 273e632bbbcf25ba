#include "tuning.h"

#include "files.h"
#include "settings.h"
#include "version.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TUNING_BYTES ((size_t)192 * 1024) /* of the arena: a file and two texts */
#define TEXT_BYTES   ((size_t)2048)
#define TRIES        4

struct tuning {
    const struct config *config;
    struct password_engine *engine;
    pthread_t thread;
};

/* ---- what a measurement is good for ---- */

/* The CPU's name as the kernel shows it; architectures that show none are told apart by the rest.
 */
static void add_cpu(struct buf *out)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");
    bool found = false;
    while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
        struct span text = span_of(line);
        found = span_starts(text, SPAN("model name")) || span_starts(text, SPAN("CPU part"));
        if (found) {
            struct span name = span_from(text, span_find(text, ':') + 1);
            buf_add(out, span_trim(span_slice(name, 0, span_find(name, '\n'))));
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

static void add_key(const struct tuning *t, struct buf *out)
{
    const struct config *c = t->config;
    buf_add_text(out, "doorward " DOORWARD_VERSION " password tuning 1\ncpu ");
    add_cpu(out);
    buf_printf(out, "\nthreads %u\nkernels", password_engine_info(t->engine).threads);
    const char *name = NULL;
    for (size_t i = 0; (name = password_kernel_name(i)) != NULL; i++) {
        buf_printf(out, " %s", name);
    }
    buf_printf(out, "\npinned %.*s %lld\n", SPAN_FMT(c->password_kernel),
               (long long)c->password_lanes);
}

/* ---- the file ---- */

void tuning_write(struct span key, const struct password_tuning *tuning, struct buf *out)
{
    buf_add(out, key);
    buf_printf(out, "best %s %u\nrates", tuning->kernel, tuning->lanes);
    for (unsigned n = 1; n <= PASSWORD_LANES_MAX; n++) {
        buf_printf(out, " %llu", (unsigned long long)tuning->steps_per_second[n]);
    }
    buf_add_char(out, '\n');
}

static bool read_rates(struct span line, struct password_tuning *t)
{
    struct span word;
    for (unsigned n = 1; n <= PASSWORD_LANES_MAX; n++) {
        if (!span_split(&line, ' ', &word) ||
            !span_to_u64(word, UINT32_MAX, &t->steps_per_second[n])) {
            return false;
        }
    }
    return line.data == NULL;
}

static bool read_best(struct span line, struct password_tuning *t)
{
    struct span kernel;
    uint64_t lanes = 0;
    if (!span_split(&line, ' ', &kernel) || kernel.length == 0 ||
        kernel.length >= sizeof(t->kernel) || !span_to_u64(line, PASSWORD_LANES_MAX, &lanes)) {
        return false;
    }
    memcpy(t->kernel, kernel.data, kernel.length);
    t->lanes = (unsigned)lanes;
    return true;
}

bool tuning_read(struct span text, struct span key, struct password_tuning *ret_tuning)
{
    const struct span best = SPAN("best ");
    const struct span rates = SPAN("rates ");
    struct password_tuning t = { 0 };
    struct span line;
    if (!span_starts(text, key)) {
        return false;
    }
    struct span rest = span_from(text, key.length);
    if (!span_split(&rest, '\n', &line) || !span_starts(line, best) ||
        !read_best(span_from(line, best.length), &t)) {
        return false;
    }
    if (!span_split(&rest, '\n', &line) || !span_starts(line, rates) ||
        !read_rates(span_from(line, rates.length), &t) || rest.length > 0) {
        return false;
    }
    *ret_tuning = t;
    return true;
}

/* ---- the measurement ---- */

static void log_choice(const struct tuning *t, const char *source)
{
    struct password_info info = password_engine_info(t->engine);
    bool bcrypt = t->config->password_hash == 0;
    uint64_t hashes = info.steps_per_second / password_live_steps(t->engine);
    log_event(LOG_INFO, "password_kernel", LOG_STR("kernel", info.kernel),
              LOG_NUMBER("lanes", info.lanes), LOG_NUMBER("threads", info.threads),
              LOG_STR("source", source), LOG_NUMBER("steps_per_second", info.steps_per_second),
              bcrypt ? LOG_NUMBER("hashes_per_second", hashes) : LOG_STR("form", "argon2id"));
}

static bool use_kept(const struct tuning *t, struct span key, struct arena *a)
{
    struct password_tuning kept;
    struct span text;
    struct span why;
    return files_read(FILES_TUNING, FILES_ANY, a, &text, &why) == ERR_OK &&
           tuning_read(text, key, &kept) && password_use(t->engine, &kept) == ERR_OK;
}

/* A file system that cannot be written means a measurement at every start, no more. */
static void keep(struct span key, const struct password_tuning *measured, struct arena *a)
{
    struct span why = SPAN("no memory");
    struct buf text;
    buf_init(&text, TEXT_BYTES);
    tuning_write(key, measured, &text);
    enum err e = files_make_directory(FILES_VAR, a, &why);
    e = e != ERR_OK ? e : files_replace(FILES_TUNING, buf_span(&text), a, &why);
    if (e != ERR_OK) {
        log_event(LOG_INFO, "password_tuning_not_kept", LOG_SPAN("reason", why));
    }
    buf_done(&text);
}

/* The first two that agree: one alone may have met another program's work, and what is kept is used
 * for as long as the machine lives. */
static enum err measure(struct tuning *t, struct password_tuning *ret_tuning)
{
    struct password_tuning last = { 0 };
    struct password_tuning now;
    for (int i = 0; i < TRIES; i++) {
        enum err e = password_tune(t->engine, &now);
        if (e != ERR_OK && e != ERR_BUSY) {
            return e;
        }
        if (e == ERR_OK && now.lanes == last.lanes && strcmp(now.kernel, last.kernel) == 0) {
            *ret_tuning = now;
            return ERR_OK;
        }
        last = e == ERR_OK ? now : last;
    }
    return ERR_BUSY;
}

static void tune(struct tuning *t, struct span key, struct arena *a)
{
    bool pinned =
        t->config->password_lanes > 0 && !span_equal(t->config->password_kernel, SPAN("auto"));
    if (use_kept(t, key, a)) {
        log_choice(t, pinned ? "pinned" : "kept");
        return;
    }
    struct password_tuning measured;
    enum err e = measure(t, &measured);
    e = e != ERR_OK ? e : password_use(t->engine, &measured);
    if (e == ERR_OK) {
        keep(key, &measured, a);
    }
    log_choice(t, pinned ? "pinned" : e == ERR_OK ? "measured" : "default");
}

static void *tuning_main(void *argument)
{
    struct tuning *t = argument;
    struct arena a;
    struct buf key;
    arena_init(&a, TUNING_BYTES);
    buf_init(&key, TEXT_BYTES);
    add_key(t, &key);
    tune(t, buf_span(&key), &a);
    buf_done(&key);
    arena_done(&a);
    return NULL;
}

void tuning_start(const struct config *c, struct password_engine *engine,
                  struct tuning **ret_tuning)
{
    struct tuning *t = malloc(sizeof(*t));
    if (t == NULL) {
        return;
    }
    *t = (struct tuning){ .config = c, .engine = engine };
    if (thread_start(&t->thread, "tuning", 0, tuning_main, t) != ERR_OK) {
        free(t);
        return;
    }
    *ret_tuning = t;
}

void tuning_finish(struct tuning *t)
{
    if (t != NULL) {
        (void)pthread_join(t->thread, NULL);
        free(t);
    }
}

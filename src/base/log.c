/* Lines on their way to stderr:
 *
 *   log_write() --memcpy--> ring --writer thread--> batch --poll, write--> stderr
 *
 * The lock is held for the two copies only, never while the file is touched. */
#include "log.h"

#include "clock.h"
#include "log_line.h"
#include "metrics.h"
#include "thread.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WRITE_BYTES  4096 /* at most PIPE_BUF: a pipe that polls as writable takes it at once */
#define STOP_WAIT_US 1000000
#define BATCH_BYTES  (8 * LOG_LINE_MAX)
#define STACK_BYTES  (256 * 1024)
#define NO_FORMAT    (-1)

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    /* Under the lock. */
    bool running;
    bool stopping;
    char *ring;
    size_t size;
    size_t head; /* the oldest byte */
    size_t used;
    /* Of log_start() and log_stop(). */
    pthread_t writer;
    /* Of all. */
    atomic_int least;
    atomic_int format;
    _Atomic uint64_t dropped;
    _Atomic int64_t give_up_us; /* monotonic; set by log_stop() */
} logger = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .filled = PTHREAD_COND_INITIALIZER,
    .least = LOG_INFO,
    .format = NO_FORMAT,
    .give_up_us = INT64_MAX,
};

static void count_dropped(uint64_t lines)
{
    atomic_fetch_add_explicit(&logger.dropped, lines, memory_order_relaxed);
    metrics_add(METRIC_LOG_DROPPED, 0, lines);
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&logger.dropped, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&logger.least, memory_order_relaxed);
}

static enum log_format format_now(void)
{
    int format = atomic_load_explicit(&logger.format, memory_order_relaxed);
    if (format != NO_FORMAT) {
        return (enum log_format)format;
    }
    return isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON;
}

/* Wait until stderr takes bytes; false when it is gone or `give_up_us` has come. Woken every 100
 * ms, because log_stop() moves the time. */
static bool wait_writable(const _Atomic int64_t *give_up_us)
{
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
    while (clock_monotonic_us() < atomic_load(give_up_us)) {
        int ready = poll(&p, 1, 100);
        if (ready > 0) {
            return (p.revents & POLLOUT) != 0;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    }
    return false;
}

static void write_out(struct span bytes, const _Atomic int64_t *give_up_us)
{
    while (bytes.length > 0) {
        if (!wait_writable(give_up_us)) {
            break;
        }
        size_t part = bytes.length < WRITE_BYTES ? bytes.length : WRITE_BYTES;
        ssize_t written = write(STDERR_FILENO, bytes.data, part);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            break;
        }
        bytes = span_from(bytes, written < 0 ? 0 : (size_t)written);
    }
    uint64_t lost = 0;
    for (struct span line; bytes.length > 0 && span_split(&bytes, '\n', &line);) {
        lost++;
    }
    if (lost > 0) {
        count_dropped(lost);
    }
}

/* For the time without a writer. SIGPIPE must not end the process, whatever its handling is. */
static void write_directly(struct span bytes)
{
    const _Atomic int64_t give_up_us = clock_monotonic_us() + STOP_WAIT_US;
    sigset_t pipe_only;
    sigset_t before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    write_out(bytes, &give_up_us);
    if (!sigismember(&before, SIGPIPE)) {
        (void)sigtimedwait(&pipe_only, NULL, &(struct timespec){ 0 });
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
}

/* Under the lock. */
static bool ring_put(struct span bytes)
{
    if (bytes.length > logger.size - logger.used) {
        return false;
    }
    size_t tail = (logger.head + logger.used) % logger.size;
    size_t first = logger.size - tail < bytes.length ? logger.size - tail : bytes.length;
    memcpy(logger.ring + tail, bytes.data, first);
    memcpy(logger.ring, bytes.data + first, bytes.length - first);
    logger.used += bytes.length;
    return true;
}

/* Under the lock: whole lines only, so that lost ones can be counted. */
static struct span ring_take(char batch[static BATCH_BYTES])
{
    size_t length = logger.used < BATCH_BYTES ? logger.used : BATCH_BYTES;
    size_t first = logger.size - logger.head < length ? logger.size - logger.head : length;
    memcpy(batch, logger.ring + logger.head, first);
    memcpy(batch + first, logger.ring, length - first);
    const char *last = memrchr(batch, '\n', length);
    INVARIANT(last != NULL);
    length = (size_t)(last - batch) + 1;
    logger.head = (logger.head + length) % logger.size;
    logger.used -= length;
    return (struct span){ .data = batch, .length = length };
}

static void *writer_main(void *unused)
{
    static char batch[BATCH_BYTES];
    (void)unused;
    pthread_mutex_lock(&logger.lock);
    for (;;) {
        while (logger.used == 0 && !logger.stopping) {
            pthread_cond_wait(&logger.filled, &logger.lock);
        }
        if (logger.used == 0) {
            break;
        }
        struct span lines = ring_take(batch);
        pthread_mutex_unlock(&logger.lock);
        write_out(lines, &logger.give_up_us);
        pthread_mutex_lock(&logger.lock);
    }
    pthread_mutex_unlock(&logger.lock);
    return NULL;
}

static void ring_free(void)
{
    free(logger.ring);
    logger.ring = NULL;
    logger.size = 0;
    logger.head = 0;
}

enum err log_start(enum log_level least, enum log_format format, size_t ring_bytes)
{
    INVARIANT(!logger.running && logger.ring == NULL);
    logger.size = ring_bytes < BATCH_BYTES ? BATCH_BYTES : ring_bytes;
    logger.ring = malloc(logger.size);
    if (logger.ring == NULL) {
        return ERR_NOMEM;
    }
    logger.stopping = false;
    atomic_store(&logger.least, (int)least);
    atomic_store(&logger.format, (int)format);
    atomic_store(&logger.give_up_us, INT64_MAX);
    enum err started = thread_start(&logger.writer, "log", STACK_BYTES, writer_main, NULL);
    if (started != ERR_OK) {
        ring_free();
        return started;
    }
    pthread_mutex_lock(&logger.lock);
    logger.running = true;
    pthread_mutex_unlock(&logger.lock);
    return ERR_OK;
}

void log_stop(void)
{
    pthread_mutex_lock(&logger.lock);
    bool was_running = logger.running;
    logger.running = false;
    logger.stopping = true;
    atomic_store(&logger.give_up_us, clock_monotonic_us() + STOP_WAIT_US);
    pthread_cond_signal(&logger.filled);
    pthread_mutex_unlock(&logger.lock);
    if (!was_running) {
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    if (pthread_timedjoin_np(logger.writer, NULL, &until) == 0) {
        ring_free();
    } else {
        /* Stuck in a terminal that polls as writable and blocks all the same: the process ends. */
        pthread_detach(logger.writer);
    }
}

static void queue_line(struct span line)
{
    pthread_mutex_lock(&logger.lock);
    bool running = logger.running;
    bool was_empty = logger.used == 0;
    bool taken = running && ring_put(line);
    if (taken && was_empty) {
        pthread_cond_signal(&logger.filled);
    }
    pthread_mutex_unlock(&logger.lock);
    if (!running) {
        write_directly(line);
    } else if (!taken) {
        count_dropped(1);
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (!log_enabled(level)) {
        return;
    }
    static const struct clock real = { 0 };
    struct log_line line;
    struct log_event_parts parts = { .unix_ms = clock_now_ms(&real),
                                     .level = level,
                                     .event = event,
                                     .fields = fields,
                                     .count = count };
    log_line_make(&line, format_now(), &parts);
    queue_line((struct span){ .data = line.data, .length = line.length });
}

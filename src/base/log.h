/* log.h - one event a line on stderr: JSON, or readable text on a terminal.
 *
 * A closed, full or slow log never stops the service: lines go through a bounded ring to a thread
 * of their own; what does not fit is dropped and counted (log_dropped, metric
 * doorward_log_dropped_total).
 *
 * Threads:   any; a caller never waits for the file.
 * Ownership: fields are borrowed for the call.
 * Never give it a password, token, hash, key or body. Control characters are escaped, so that one
 * event is always one line. */
#ifndef DOORWARD_LOG_H
#define DOORWARD_LOG_H

#include "errors.h"
#include "span.h"
#include "uuid.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_TEXT };

enum log_field_kind { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_UUID };
struct log_field {
    const char *name;
    enum log_field_kind kind;
    union {
        struct span text; /* an empty one is left out */
        int64_t number;
        struct uuid uuid; /* a nil one is left out */
    };
};
#define LOG_SPAN(n, v) ((struct log_field){ .name = (n), .kind = LOG_FIELD_TEXT, .text = (v) })
#define LOG_STR(n, v)  LOG_SPAN(n, span_of(v))
#define LOG_NUMBER(n, v)                                                                           \
    ((struct log_field){ .name = (n), .kind = LOG_FIELD_NUMBER, .number = (int64_t)(v) })
#define LOG_UUID(n, v) ((struct log_field){ .name = (n), .kind = LOG_FIELD_UUID, .uuid = (v) })

/* Start the writer. Before log_start() and after log_stop() lines are written directly. */
MUST_CHECK enum err log_start(enum log_level least, enum log_format format, size_t ring_bytes);
/* Writes out what waits, for at most one second. */
void log_stop(void);
bool log_enabled(enum log_level level);
uint64_t log_dropped(void);

/* log_event(LOG_INFO, "login", LOG_UUID("user_id", id), LOG_NUMBER("status", 200)); */
#define log_event(level, event, ...)                                                               \
    log_write((level), (event), (const struct log_field[]){ __VA_ARGS__ },                         \
              sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

#endif

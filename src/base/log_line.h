/* log_line.h - one event as one line of bounded length. Private to base.
 *
 * Threads:   pure functions over the caller's line.
 * Failure:   none; a field that does not fit is left out, and the line says so. */
#ifndef DOORWARD_LOG_LINE_H
#define DOORWARD_LOG_LINE_H

#include "log.h"

#define LOG_LINE_MAX 2048 /* bytes, line feed included */
#define LOG_TEXT_MAX 256  /* bytes of a text field before escaping; the rest is cut off */

struct log_line {
    char data[LOG_LINE_MAX];
    size_t length;
    bool full; /* the last write did not fit */
};

struct log_event_parts {
    int64_t unix_ms;
    enum log_level level;
    const char *event;
    const struct log_field *fields;
    size_t count;
};

void log_line_make(struct log_line *line, enum log_format format,
                   const struct log_event_parts *parts);

#endif

/* env_file.h - the .env format: NAME=value lines, comments, optional quotes, nothing expanded.
 *
 *   # a comment
 *   export NAME=value     # `export ` may stand before it, a comment after white space behind it
 *   NAME="a # value"      # in either quotes: taken as it is; there are no escapes
 *
 * Threads:   pure functions.
 * Ownership: entries point into the text.
 * Failure:   *ret_problem is static and says what the line is to look like. */
#ifndef DOORWARD_ENV_FILE_H
#define DOORWARD_ENV_FILE_H

#include "base.h"

#define ENV_FILE_MAX_BYTES ((size_t)64 * 1024)

struct env_entry {
    struct span name, value;
    unsigned line; /* from 1 */
};
struct env_reader {
    struct span rest;
    unsigned line;
};
/* The next entry; *ret_more is false at the end, without an entry. ERR_CONFIG with *ret_problem:
 * the line r->line is not acceptable. */
MUST_CHECK enum err env_file_next(struct env_reader *r, struct env_entry *ret_entry, bool *ret_more,
                                  const char **ret_problem);

#endif

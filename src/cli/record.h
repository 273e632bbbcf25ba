/* record.h - the lines of an export: JSON objects, each with a "type". docs/moving.md is their
 * contract.
 *
 *   {"type":"header","format":"doorward","version":1,...}     the first line
 *   {"type":"user",...}  session, revocation, key              the records
 *   {"type":"end","records":N}                                 the last line: the file is whole
 *
 * Threads:   the main thread.
 * Ownership: what is read is in the arena.
 * Failure:   ERR_INVALID_INPUT with what is wrong in *ret_why, ERR_NOMEM. */
#ifndef DOORWARD_CLI_RECORD_H
#define DOORWARD_CLI_RECORD_H

#include "auth.h"

#define RECORD_FORMAT         "doorward"
#define RECORD_VERSION        1
#define RECORD_MAX_LINE_BYTES ((size_t)64 * 1024)

enum record_line { RECORD_HEADER, RECORD_ITEM, RECORD_END };
struct record_read {
    enum record_line line;
    struct auth_record item; /* of RECORD_ITEM */
    int64_t version;         /* of RECORD_HEADER; another format is refused */
    int64_t records;         /* of RECORD_END; -1: does not say */
};
/* A line without its end. Strict: known members, each once, of their types; null is absent. */
MUST_CHECK enum err record_read(struct span line, struct arena *a, struct record_read *ret_read,
                                struct auth_input_error *ret_why);

/* The line for a record, with its end. */
MUST_CHECK enum err record_write(const struct auth_record *record, struct arena *a,
                                 struct span *ret_line);
struct record_header {
    bool with_sessions, with_keys;
    struct uuid after; /* nil: from the first */
    int64_t now_ms;
};
MUST_CHECK enum err record_write_header(const struct record_header *header, struct arena *a,
                                        struct span *ret_line);
MUST_CHECK enum err record_write_end(int64_t records, struct arena *a, struct span *ret_line);

#endif

/* uuid.h - the ids of users and sessions: UUID version 7 (RFC 9562, 5.7), in time order.
 *
 * Threads:   any.
 * Failure:   uuid_new() gives what secret_random() does when there is no randomness. */
#ifndef DOORWARD_UUID_H
#define DOORWARD_UUID_H

#include "errors.h"
#include "span.h"

#define UUID_BYTES       16
#define UUID_TEXT_LENGTH 36

struct uuid {
    uint8_t bytes[UUID_BYTES];
};

/* 48 bits of time, 74 of randomness. Not a secret. */
MUST_CHECK enum err uuid_new(int64_t now_ms, struct uuid *ret_id);
bool uuid_equal(struct uuid a, struct uuid b);
bool uuid_is_nil(struct uuid id); /* all zero: stands for "none" */
/* Lower case, with a NUL behind. */
void uuid_text(struct uuid id, char out[static UUID_TEXT_LENGTH + 1]);
/* The 36 character form in either case; false for anything else. */
bool uuid_parse(struct span text, struct uuid *ret_id);

#endif

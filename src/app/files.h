/* files.h - the files that the service reads and makes at start, all private to its user.
 *
 * Threads:   the main thread, at start.
 * Failure:   ERR_CONFIG or ERR_IO with one line in *ret_why (in `a`) that says what to mend. */
#ifndef DOORWARD_FILES_H
#define DOORWARD_FILES_H

#include "base.h"

#define FILES_VAR       "./var"
#define FILES_MASTER    FILES_VAR "/master.key"
#define FILES_CERT      FILES_VAR "/tls.crt"
#define FILES_KEY       FILES_VAR "/tls.key"
#define FILES_TUNING    FILES_VAR "/password.tuning"
#define FILES_MAX_BYTES ((size_t)64 * 1024) /* of a file that is read whole */

enum files_privacy { FILES_ANY, FILES_SECRET };
/* A regular file, whole; a FILES_SECRET one is refused when others could read or change it.
 * *ret_bytes is in `a`. */
MUST_CHECK enum err files_read(const char *path, enum files_privacy privacy, struct arena *a,
                               struct span *ret_bytes, struct span *ret_why);
/* The first line without its end, since editors and `echo` add one; ERR_CONFIG: there are more. */
MUST_CHECK enum err files_one_line(const char *path, struct span bytes, struct arena *a,
                                   struct span *ret_line, struct span *ret_why);
/* Make `path` with mode 0700 where it is missing. */
MUST_CHECK enum err files_make_directory(const char *path, struct arena *a, struct span *ret_why);
/* `length` random bytes as base64 in a new file of mode 0600, whole or not at all. Somebody else
 * having made the file meanwhile is ERR_OK too: read it. */
MUST_CHECK enum err files_make_key(const char *path, size_t length, struct arena *a,
                                   struct span *ret_why);
/* `text` as the whole of a file of mode 0600, new or in the place of an old one, whole or not at
 * all. */
MUST_CHECK enum err files_replace(const char *path, struct span text, struct arena *a,
                                  struct span *ret_why);

#endif

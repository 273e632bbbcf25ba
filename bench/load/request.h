/* request.h - the bytes of the requests that are sent.
 *
 * Threads:   pure functions.
 * Failure:   as a buf's: it says it when it is asked. */
#ifndef DOORWARD_BENCH_REQUEST_H
#define DOORWARD_BENCH_REQUEST_H

#include "target.h"
#include "traffic.h"

#define REQUEST_MAX_BYTES ((size_t)64 * 1024)

/* GET of the route, or of `path` for ROUTE_GET, with a bearer token where the route wants one. */
void request_get(struct buf *out, const struct target *t, enum route route, const char *path,
                 struct span token);
/* POST of a JSON body: refresh, login, register. */
void request_post(struct buf *out, const struct target *t, enum route route, struct span body);
const char *request_line(enum route route); /* "POST /login", for people */

#endif

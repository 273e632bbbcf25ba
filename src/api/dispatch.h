/* dispatch.h - the way of a request from net to its handler and back. Private to api.
 *
 *   on_request -> admit: 404, 405, 413, 415, 401, 400 and 422 --> refuse -----------------> answer
 *                   |                                             ^                           ^
 *                   +-- LANE_INLINE ------------------------------|--------------- reply -----+
 *                   +-- submit: 503 ------------------------------+                 ^
 *                         '-- worker: run -- done: 429, 503, the handler's own -----'
 *
 * Threads:   loop threads; the handler's run on a worker. */
#ifndef DOORWARD_API_DISPATCH_H
#define DOORWARD_API_DISPATCH_H

#include "request.h"

/* For struct http_handler; `context` is a struct api_listener. */
void api_dispatch(void *context, struct http_exchange *x);
void api_dispatch_refused(void *context, struct http_exchange *x, enum err why);

#endif

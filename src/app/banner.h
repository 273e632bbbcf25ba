/* banner.h - what a start says: where it listens, what to try, the arithmetic of its sizes.
 *
 * Threads: the main thread. */
#ifndef DOORWARD_BANNER_H
#define DOORWARD_BANNER_H

#include "settings.h"
#include "sizes.h"

/* "https://127.0.0.1:8443": where clients on this machine reach listener `address`. */
void banner_url(const struct config *c, struct span address, uint16_t port, struct buf *out);
/* Text on stdout for people. */
void banner_print(const struct config *c, const struct sizes *s, uint16_t port);
/* The same as events, and warnings of what is allowed but not safe everywhere. */
void banner_log(const struct config *c, const struct sizes *s, uint16_t port, int64_t started_us);

#endif

/* listener.h - listening sockets, one for each loop (SO_REUSEPORT), and what they accept.
 *
 * Threads:   opened on the main thread, then the loop's.
 * Ownership: a listener owns its socket. */
#ifndef DOORWARD_NET_LISTENER_H
#define DOORWARD_NET_LISTENER_H

#include "loop.h"

struct listener {
    uv_poll_t poll;
    struct loop *loop;
    const struct net_listener *options;
    int fd;      /* -1: none */
    bool inited; /* `poll` is to be closed */
    bool paused; /* no descriptors left: tried again at the next tick */
};

/* Fail with a line in *ret_why when somebody else has the port. Port 0 is always free. */
MUST_CHECK enum err listener_probe(const struct net_listener *options, struct arena *a,
                                   struct span *ret_why);
/* Bind to *port; 0 is replaced by the one that was bound. */
MUST_CHECK enum err listener_open(struct listener *ln, struct loop *l,
                                  const struct net_listener *options, uint16_t *port,
                                  struct arena *a, struct span *ret_why);
MUST_CHECK enum err listener_start(struct listener *ln);
void listener_resume(struct listener *ln);
/* Accept what waits, then close. May be called twice. */
void listener_finish(struct listener *ln);
void listener_close(struct listener *ln);

#endif

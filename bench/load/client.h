/* client.h - one connection to the target, with one request at a time.
 *
 *   closed --open--> connecting --> handshaking --> idle <--> busy
 *      ^                 \               \            \        /
 *      '------ on_closed ----------------- closing <----------'
 *
 * Threads:   one loop's.
 * Ownership: the loop's shared part and the target outlive the clients; client_free() only when
 * closed. Failure:   client_open() and client_send() report everything through on_closed, which
 * comes once for every client_open(), never from inside a call. Units:     nanoseconds of
 * uv_hrtime(). */
#ifndef DOORWARD_BENCH_CLIENT_H
#define DOORWARD_BENCH_CLIENT_H

#include "answer.h"
#include "target.h"
#include <uv.h>

#define CLIENT_BUFFER_BYTES 65536
#define CLIENT_WHY_BYTES    240

/* What the clients of a loop share. */
struct client_loop {
    uv_loop_t *uv;
    const struct target *target;
    bool resume; /* new connections resume their client's last session */
    char cipher[CLIENT_BUFFER_BYTES];
    char plain[CLIENT_BUFFER_BYTES];
};

struct client;
/* `owner` is what client_new() was given. */
struct client_events {
    void (*on_ready)(struct client *c, void *owner); /* connected, handshake done: it is idle */
    /* It is idle again, or will close (keep_alive false). */
    void (*on_answer)(struct client *c, void *owner, const struct answer *answer);
    /* `why` is one line; NULL: by client_close(), or announced by the last answer. */
    void (*on_closed)(struct client *c, void *owner, const char *why);
};
MUST_CHECK enum err client_new(struct client_loop *l, const struct client_events *events,
                               void *owner, struct client **ret_client);
void client_free(struct client *c);

/* `source` NULL: the system chooses the address from which it connects. */
void client_open(struct client *c, const struct sockaddr *source);
void client_send(struct client *c, struct span request); /* when idle */
void client_close(struct client *c);                     /* at any time */
bool client_is_idle(const struct client *c);
bool client_is_closed(const struct client *c);
bool client_is_resumed(const struct client *c);    /* since on_ready */
int64_t client_opening_ns(const struct client *c); /* from open to on_ready */

#endif

/* rounds.h - what a loop does of itself: deadlines, turns of those who wait, its thread, its end.
 *
 * Above connections and listeners, which only ask for a tick or a turn: loop.h.
 *
 * Threads:   rounds_open and rounds_close on the main thread, while the loop's own does not run. */
#ifndef DOORWARD_NET_ROUNDS_H
#define DOORWARD_NET_ROUNDS_H

#include "loop.h"

/* libuv's loop and its handles, after loop_init(). */
MUST_CHECK enum err rounds_open(struct loop *l);
void rounds_close(struct loop *l); /* and the listeners, if it never ran */
void rounds_main(void *loop);      /* the thread: names itself, then */
void rounds_run(struct loop *l);   /* until net_stop() */

#endif

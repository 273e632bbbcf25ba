/* mailbox.h - what a bulkhead does with a mailbox. Private to work.
 *
 * Threads: mailbox_lend() on the mailbox's loop thread; mailbox_post() on any. */
#ifndef DOORWARD_WORK_MAILBOX_H
#define DOORWARD_WORK_MAILBOX_H

#include "work.h"

/* One more, or with -1 one less, item is out that will come back through `m`. */
void mailbox_lend(struct work_mailbox *m, int change);
/* Give an item back to its loop: done() will be called there. */
void mailbox_post(struct work_mailbox *m, struct work_item *item);

#endif

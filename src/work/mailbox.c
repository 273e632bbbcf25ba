#include "mailbox.h"

#include <pthread.h>
#include <stdlib.h>

struct work_mailbox {
    uv_async_t wake;
    /* Under the lock. */
    pthread_mutex_t lock;
    struct work_item *first;
    struct work_item *last;
    /* Of the loop. */
    int out; /* items lent and not yet given to done() */
};

/* Takes all at once; done() may lend again, and the last one may close the mailbox. */
static void on_wake(uv_async_t *wake)
{
    struct work_mailbox *m = wake->data;
    pthread_mutex_lock(&m->lock);
    struct work_item *item = m->first;
    m->first = NULL;
    m->last = NULL;
    pthread_mutex_unlock(&m->lock);
    while (item != NULL) {
        struct work_item *next = item->next;
        item->next = NULL;
        mailbox_lend(m, -1);
        item->done(item);
        item = next;
    }
}

enum err work_mailbox_new(uv_loop_t *loop, struct work_mailbox **ret_mailbox)
{
    struct work_mailbox *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return ERR_NOMEM;
    }
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        return ERR_NOMEM;
    }
    if (uv_async_init(loop, &m->wake, on_wake) != 0) {
        pthread_mutex_destroy(&m->lock);
        free(m);
        return ERR_IO;
    }
    m->wake.data = m;
    *ret_mailbox = m;
    return ERR_OK;
}

static void on_closed(uv_handle_t *wake)
{
    struct work_mailbox *m = wake->data;
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void work_mailbox_close(struct work_mailbox *m)
{
    INVARIANT(m->out == 0);
    uv_close((uv_handle_t *)&m->wake, on_closed);
}

void mailbox_lend(struct work_mailbox *m, int change)
{
    m->out += change;
    INVARIANT(m->out >= 0);
}

void mailbox_post(struct work_mailbox *m, struct work_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&m->lock);
    bool was_empty = m->first == NULL;
    if (was_empty) {
        m->first = item;
    } else {
        m->last->next = item;
    }
    m->last = item;
    if (was_empty) {
        /* Under the lock: once the loop has seen this item it may close the mailbox. */
        (void)uv_async_send(&m->wake);
    }
    pthread_mutex_unlock(&m->lock);
}

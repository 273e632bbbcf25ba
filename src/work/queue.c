#include "queue.h"

void queue_push(struct queue *q, struct work_item *item, int64_t now_us)
{
    struct queue_list *list = &q->classes[item->class];
    q->last_us = now_us > q->last_us ? now_us : q->last_us + 1;
    item->submitted_us = q->last_us;
    item->next = NULL;
    if (list->last == NULL) {
        list->first = item;
    } else {
        list->last->next = item;
    }
    list->last = item;
    list->count++;
    q->count++;
    q->cost += item->cost;
}

/* The oldest of all classes. */
static struct queue_list *next_list(struct queue *q)
{
    struct queue_list *oldest = NULL;
    for (int i = 0; i < WORK_CLASS_COUNT; i++) {
        struct queue_list *list = &q->classes[i];
        if (list->first == NULL) {
            continue;
        }
        if (oldest == NULL || list->first->submitted_us < oldest->first->submitted_us) {
            oldest = list;
        }
    }
    return oldest;
}

struct work_item *queue_pop(struct queue *q)
{
    struct queue_list *list = next_list(q);
    if (list == NULL) {
        return NULL;
    }
    struct work_item *item = list->first;
    list->first = item->next;
    if (list->first == NULL) {
        list->last = NULL;
    }
    list->count--;
    q->count--;
    q->cost -= item->cost;
    item->next = NULL;
    return item;
}

#include "thread.h"

#include <signal.h>
#include <stdbool.h>

static enum err start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                      void *argument)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, attributes, run, argument);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 ? ERR_OK : ERR_NOMEM;
}

enum err thread_start(pthread_t *ret_thread, const char *name, size_t stack_bytes,
                      void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return ERR_NOMEM;
    }
    bool fits = stack_bytes == 0 || pthread_attr_setstacksize(&attributes, stack_bytes) == 0;
    enum err e = fits ? start(ret_thread, &attributes, run, argument) : ERR_CONFIG;
    (void)pthread_attr_destroy(&attributes);
    if (e == ERR_OK) {
        (void)pthread_setname_np(*ret_thread, name);
    }
    return e;
}

/* module.c - finds the MongoDB backend, which brings 20 libraries along that only its users carry.
 *
 * The build says how: as a module that is loaded when it is asked for, linked in, or not at all. */
#include "backend.h"

#if STORE_MONGO == STORE_MONGO_OFF

enum err store_mongo_find(struct arena *a, struct span *ret_why,
                          const struct store_backend **ret_backend)
{
    (void)a;
    (void)ret_backend;
    *ret_why = SPAN("this build has no MongoDB backend; build with -Dmongo=module, or use sqlite:");
    return ERR_CONFIG;
}

#else

static const struct store_host host = { .log = log_write };

#if STORE_MONGO == STORE_MONGO_LINKED

enum err store_mongo_find(struct arena *a, struct span *ret_why,
                          const struct store_backend **ret_backend)
{
    (void)a;
    (void)ret_why;
    *ret_backend = store_mongo_entry(&host);
    return ERR_OK;
}

#else

#include <dlfcn.h>

/* By its bare name: the program's run path leads to it, in the build tree as when installed. */
enum err store_mongo_find(struct arena *a, struct span *ret_why,
                          const struct store_backend **ret_backend)
{
    void *module = dlopen(STORE_MODULE_FILE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == NULL) {
        TRY(arena_printf(a, ret_why,
                         "the MongoDB backend could not be loaded; install " STORE_MODULE_FILE
                         " and the library libmongoc (%s)",
                         dlerror()));
        return ERR_CONFIG;
    }
    const struct store_backend *(*entry)(const struct store_host *host) = NULL;
    *(void **)&entry = dlsym(module, STORE_MODULE_ENTRY);
    if (entry == NULL) {
        *ret_why = SPAN(STORE_MODULE_FILE " is not of this Doorward; install both together");
        return ERR_CONFIG;
    }
    *ret_backend = entry(&host);
    return ERR_OK;
}

#endif
#endif

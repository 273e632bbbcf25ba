/* backend_sqlite.c - the SQLite backend, on a file in a directory of its own. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/doorward-contract-XXXXXX";
static char path[sizeof(directory) + 16];

static void remove_files(void)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char name[sizeof(path) + 8];
        (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

static struct store *open_again(const struct clock *clock)
{
    char uri[sizeof(path) + 16];
    (void)snprintf(uri, sizeof(uri), "sqlite:%s", path);
    struct store_options options = {
        .uri = span_of(uri), .clock = clock, .readers = 4, .busy_timeout_ms = 5000
    };
    struct arena a;
    arena_init(&a, 64 * 1024);
    struct span why = SPAN_NONE;
    struct store *s = NULL;
    enum err e = store_open(&options, &a, &why, &s);
    if (e != ERR_OK) {
        print_error("%.*s\n", SPAN_FMT(why));
    }
    arena_done(&a);
    CHECK_ERR(e, ERR_OK);
    return s;
}

static struct store *open_empty(const struct clock *clock)
{
    if (path[0] == '\0') {
        CHECK(mkdtemp(directory) != NULL);
        (void)snprintf(path, sizeof(path), "%s/store.db", directory);
    }
    remove_files();
    return open_again(clock);
}

static void clean(void)
{
    remove_files();
    (void)rmdir(directory);
}

const struct contract_backend contract_backend = {
    .name = "sqlite",
    .open_empty = open_empty,
    .open_again = open_again,
    .clean = clean,
};

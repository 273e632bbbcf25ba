/* fuzz_config.c - any .env file is read, or refused in one line; never more. */
#include "settings.h"

#define ARENA_BYTES ((size_t)2 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const environment[] = { NULL };
    struct config_input in = {
        .environment = environment,
        .env_text = { .data = (const char *)data, .length = size },
        .env_name = SPAN(".env"),
        .machine = { .cpus = 2 },
    };
    struct arena a;
    struct span why = SPAN_NONE;
    struct config *config = NULL;
    arena_init(&a, ARENA_BYTES);
    enum err e = config_read(&in, &a, &why, &config);
    if (e == ERR_OK) {
        struct buf text;
        buf_init(&text, ARENA_BYTES);
        config_print(config, &text);
        INVARIANT(buf_result(&text) == ERR_OK);
        buf_done(&text);
    } else {
        INVARIANT(e == ERR_CONFIG && why.length > 0);
        INVARIANT(span_find(why, '\n') == why.length);
    }
    config_free(config);
    arena_done(&a);
    return 0;
}

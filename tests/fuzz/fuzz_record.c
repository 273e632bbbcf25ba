/* fuzz_record.c - any line of an import is a header, a record or an end, or refused with a reason;
 * and what was read as a record is written and read again as the same. */
#include "record.h"

#define ARENA_BYTES ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct auth_record *record, struct arena *a)
{
    struct span first = SPAN_NONE;
    struct span second = SPAN_NONE;
    struct record_read again = { 0 };
    struct auth_input_error why = { 0 };
    INVARIANT(record_write(record, a, &first) == ERR_OK);
    INVARIANT(span_is_utf8(first));
    INVARIANT(span_find(first, '\n') == first.length - 1);
    if (first.length > RECORD_MAX_LINE_BYTES) {
        return; /* what was escaped takes more room */
    }
    INVARIANT(record_read(first, a, &again, &why) == ERR_OK);
    INVARIANT(again.line == RECORD_ITEM && again.item.type == record->type);
    INVARIANT(record_write(&again.item, a, &second) == ERR_OK);
    INVARIANT(span_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct record_read read = { 0 };
    struct auth_input_error why = { 0 };
    arena_init(&a, ARENA_BYTES);
    enum err e = record_read((struct span){ (const char *)data, size }, &a, &read, &why);
    if (e == ERR_OK && read.line == RECORD_ITEM) {
        check_again(&read.item, &a);
    } else if (e != ERR_OK) {
        INVARIANT(e == ERR_INVALID_INPUT);
        INVARIANT(why.field != NULL && why.code != NULL && why.detail != NULL);
        INVARIANT(span_is_utf8(span_of(why.field)));
    }
    arena_done(&a);
    return 0;
}

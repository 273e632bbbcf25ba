/* fuzz_hash.c - stored hashes out of anything.
 *
 * What parses is within its bounds, has one text, and is something that its library computes: one
 * that the library refuses should have been refused by the parser. Only cheap ones are computed. */
#include "foreign.h"

#define STEPS_MAX  20
#define MEMORY_MAX (UINT64_C(1) << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct format_hash *h)
{
    INVARIANT(format_steps(h) >= 1 && format_memory_bytes(h) <= FORMAT_MEMORY_MAX);
    INVARIANT(format_is_lanes(h) || format_steps(h) <= FORMAT_FOREIGN_STEPS_MAX);
    INVARIANT(h->salt_length <= sizeof(h->salt) && h->digest_length <= sizeof(h->digest));
    if (format_is_lanes(h)) {
        INVARIANT(h->salt_length == LANE_SALT_BYTES && h->digest_length == LANE_DIGEST_BYTES);
    }
}

/* A plain bcrypt's salt may have stray bits, which are not written again. */
static void check_text(const struct format_hash *h, struct span text)
{
    char again[FORMAT_TEXT_MAX];
    if (h->scheme == FORMAT_BCRYPT_SHA256 || h->scheme == FORMAT_ARGON2ID) {
        size_t length = format_text(h, again);
        INVARIANT(span_equal((struct span){ again, length }, text));
    } else if (h->scheme == FORMAT_BCRYPT) {
        INVARIANT(format_text(h, again) == text.length);
    }
}

static void compute(const struct format_hash *h, struct span text)
{
    bool match = false;
    if (format_is_lanes(h) || format_steps(h) > STEPS_MAX || format_memory_bytes(h) > MEMORY_MAX) {
        return;
    }
    INVARIANT(foreign_verify(h, text, SPAN("password"), &match) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_limits limits = { .bcrypt_steps = UINT64_C(1) << FORMAT_COST_MAX,
                                          .memory_bytes = UINT64_MAX };
    const struct span text = { (const char *)data, size };
    struct format_hash h = { 0 };
    if (format_parse(text, &limits, &h)) {
        check_bounds(&h);
        check_text(&h, text);
        compute(&h, text);
    }
    return 0;
}

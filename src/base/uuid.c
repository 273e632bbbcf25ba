#include "uuid.h"

#include "secret.h"
#include <string.h>

#define TIME_BYTES   6
#define RANDOM_BYTES (UUID_BYTES - TIME_BYTES)

enum err uuid_new(int64_t now_ms, struct uuid *ret_id)
{
    struct uuid id;
    TRY(secret_random_ahead(id.bytes + TIME_BYTES, RANDOM_BYTES));
    uint64_t time = now_ms < 0 ? 0 : (uint64_t)now_ms;
    for (int i = 0; i < TIME_BYTES; i++) {
        id.bytes[i] = (uint8_t)(time >> (40 - 8 * i));
    }
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f)); /* version 7 */
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f)); /* variant 10 */
    *ret_id = id;
    return ERR_OK;
}

bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, UUID_BYTES) == 0;
}

bool uuid_is_nil(struct uuid id)
{
    return uuid_equal(id, (struct uuid){ 0 });
}

/* A dash stands before these bytes. */
static bool dash_before(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void uuid_text(struct uuid id, char out[static UUID_TEXT_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (dash_before(i)) {
            *at++ = '-';
        }
        *at++ = digits[id.bytes[i] >> 4];
        *at++ = digits[id.bytes[i] & 0x0f];
    }
    *at = '\0';
}

bool uuid_parse(struct span text, struct uuid *ret_id)
{
    if (text.length != UUID_TEXT_LENGTH) {
        return false;
    }
    struct uuid id;
    const char *at = text.data;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (dash_before(i) && *at++ != '-') {
            return false;
        }
        int high = span_hex_value(*at++);
        int low = span_hex_value(*at++);
        if (high < 0 || low < 0) {
            return false;
        }
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_id = id;
    return true;
}

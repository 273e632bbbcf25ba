#include "words.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NUMBER_BYTES   18
#define MAX_DURATION_HOURS 1000

bool words_number(struct span text, double *ret_number)
{
    char copy[MAX_NUMBER_BYTES + 1] = { 0 };
    if (text.length == 0 || text.length > MAX_NUMBER_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (strchr("0123456789.", text.data[i]) == NULL || text.data[i] == '\0') {
            return false;
        }
    }
    memcpy(copy, text.data, text.length);
    char *end = NULL;
    double number = strtod(copy, &end);
    if (*end != '\0' || end == copy) {
        return false;
    }
    *ret_number = number;
    return true;
}

bool words_duration(struct span text, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "", 1e9 },  { "us", 1e3 },     { "ms", 1e6 },
                  { "s", 1e9 }, { "m", 60 * 1e9 }, { "h", 3600 * 1e9 } };
    size_t digits = 0;
    while (digits < text.length && strchr("0123456789.", text.data[digits]) != NULL) {
        digits++;
    }
    double number = 0;
    struct span unit = span_from(text, digits);
    if (!words_number(span_slice(text, 0, digits), &number)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (span_equal(unit, span_of(units[i].name))) {
            double ns = number * units[i].ns;
            if (ns > MAX_DURATION_HOURS * 3600 * 1e9) {
                return false;
            }
            *ret_ns = (int64_t)ns;
            return true;
        }
    }
    return false;
}

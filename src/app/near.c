#include "near.h"

#define MAX_NAME 40

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

unsigned near_distance(struct span a, struct span b)
{
    unsigned row[MAX_NAME + 1]; /* of the table a x b; the one above is overwritten from the left */
    size_t apart = a.length > b.length ? a.length - b.length : b.length - a.length;
    if (a.length > MAX_NAME || b.length > MAX_NAME || apart > NEAR_MAX_DISTANCE) {
        return NEAR_MAX_DISTANCE + 1;
    }
    for (unsigned j = 0; j <= b.length; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.length; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            unsigned change = diagonal + (upper(a.data[i - 1]) != upper(b.data[j - 1]) ? 1U : 0U);
            diagonal = row[j];
            row[j] = least(change, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b.length];
}

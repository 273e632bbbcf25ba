/* bcrypt_cases.h - what the tests of lanes share: cases as text, and a run of many side by side.
 *
 * A case is a line "HASH HEX", the password's bytes in hexadecimal, or - for none. */
#ifndef DOORWARD_BCRYPT_CASES_H
#define DOORWARD_BCRYPT_CASES_H

#include "lanes.h"
#include "radix64.h"
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_KEY_MAX = 300, CASE_HASH_LENGTH = 60, CASE_SETTING_LENGTH = 29, CASE_SALT_AT = 7 };

struct bcrypt_case {
    char hash[CASE_HASH_LENGTH + 1];
    char key[CASE_KEY_MAX + 1];
    size_t length;
};

static inline uint64_t case_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline unsigned case_random_below(uint64_t *state, unsigned limit)
{
    return (unsigned)(case_random(state) % limit);
}

static inline unsigned case_cost(const struct bcrypt_case *c)
{
    return (unsigned)(c->hash[4] - '0') * 10 + (unsigned)(c->hash[5] - '0');
}

/* False for a line without a case: empty, or a comment. */
static inline bool case_parse(const char *line, struct bcrypt_case *ret_case)
{
    char hex[2 * CASE_KEY_MAX + 1];
    if (sscanf(line, "%60s %600s", ret_case->hash, hex) != 2 || ret_case->hash[0] != '$') {
        return false;
    }
    ret_case->length = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    for (size_t i = 0; i < ret_case->length; i++) {
        ret_case->key[i] = (char)(span_hex_value(hex[2 * i]) << 4 | span_hex_value(hex[2 * i + 1]));
    }
    ret_case->key[ret_case->length] = '\0';
    return true;
}

static inline void case_write(const struct bcrypt_case *c, FILE *out)
{
    fprintf(out, "%s %s", c->hash, c->length == 0 ? "-" : "");
    for (size_t i = 0; i < c->length; i++) {
        fprintf(out, "%02x", (unsigned)(uint8_t)c->key[i]);
    }
    fputc('\n', out);
}

/* Every case of a file of lines, to be freed. NULL when it has none. */
static inline struct bcrypt_case *cases_read(FILE *file, size_t *ret_count)
{
    char line[1024];
    struct bcrypt_case *cases = NULL;
    size_t count = 0;
    struct bcrypt_case one;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (case_parse(line, &one)) {
            struct bcrypt_case *more = realloc(cases, (count + 1) * sizeof(*cases));
            if (more == NULL) {
                abort();
            }
            cases = more;
            cases[count++] = one;
        }
    }
    *ret_count = count;
    return cases;
}

static inline void case_start(const struct bcrypt_case *c, struct lane *l)
{
    uint8_t salt[LANE_SALT_BYTES];
    size_t length = 0;
    struct span text = { c->hash + CASE_SALT_AT, CASE_SETTING_LENGTH - CASE_SALT_AT };
    if (!radix64_decode(radix64_bcrypt, text, salt, sizeof(salt), &length)) {
        abort();
    }
    lane_start(l, c->hash[2] == 'a' ? LANE_2A : LANE_2B, (struct span){ c->key, c->length }, salt);
}

static inline bool case_matches(const struct bcrypt_case *c, const struct lane *l)
{
    uint8_t digest[LANE_DIGEST_BYTES];
    char text[RADIX64_LENGTH(LANE_DIGEST_BYTES) + 1];
    lane_finish(l, digest);
    radix64_encode(radix64_bcrypt, digest, sizeof(digest), text);
    return strcmp(text, c->hash + CASE_SETTING_LENGTH) == 0;
}

/* Lanes at work, as in the engine: a finished one takes the next case at once. */
struct case_run {
    alignas(LANES_ALIGNMENT) struct lane lanes[LANES_MAX];
    const struct bcrypt_case *cases[LANES_MAX];
    unsigned left[LANES_MAX]; /* steps */
    unsigned count;
};

static inline void case_run_move(struct case_run *r, unsigned to, unsigned from)
{
    memcpy(&r->lanes[to], &r->lanes[from], sizeof(r->lanes[to]));
    r->cases[to] = r->cases[from];
    r->left[to] = r->left[from];
}

static inline void case_run_swap(struct case_run *r, unsigned a, unsigned b)
{
    struct lane l = r->lanes[a];
    const struct bcrypt_case *c = r->cases[a];
    unsigned left = r->left[a];
    case_run_move(r, a, b);
    r->lanes[b] = l;
    r->cases[b] = c;
    r->left[b] = left;
}

/* Some of the lanes, some of the steps that the shortest of them has left. */
static inline void case_run_advance(struct case_run *r, const struct lanes_kernel *kernel,
                                    uint64_t *random)
{
    unsigned some = r->count;
    if (case_random_below(random, 4) == 0) {
        some = 1 + case_random_below(random, r->count);
    }
    unsigned steps = r->left[0];
    for (unsigned i = 1; i < some; i++) {
        steps = r->left[i] < steps ? r->left[i] : steps;
    }
    if (case_random_below(random, 2) == 0) {
        steps = 1 + case_random_below(random, steps);
    }
    kernel->advance(r->lanes, some, steps);
    for (unsigned i = 0; i < some; i++) {
        r->left[i] -= steps;
    }
}

/* All cases through `kernel`, at most `width` side by side. Gives the count of wrong digests, each
 * of which it tells. */
static inline size_t cases_run(const struct lanes_kernel *kernel, unsigned width,
                               const struct bcrypt_case *cases, size_t count, uint64_t *random)
{
    static struct case_run r;
    size_t wrong = 0;
    size_t next = 0;
    r.count = 0;
    while (r.count > 0 || next < count) {
        for (; r.count < width && next < count; r.count++, next++) {
            case_start(&cases[next], &r.lanes[r.count]);
            r.cases[r.count] = &cases[next];
            r.left[r.count] = 1u << case_cost(&cases[next]);
        }
        case_run_advance(&r, kernel, random);
        for (unsigned i = r.count; i-- > 0;) {
            if (r.left[i] == 0) {
                if (!case_matches(r.cases[i], &r.lanes[i])) {
                    wrong++;
                    fprintf(stderr, "%s, %u lanes, is wrong about: ", kernel->name, width);
                    case_write(r.cases[i], stderr);
                }
                case_run_move(&r, i, --r.count);
            }
        }
        if (r.count > 1) {
            case_run_swap(&r, case_random_below(random, r.count), 0);
        }
    }
    return wrong;
}

/* Each case through `kernel` once; each number of lanes gets its share of them. */
static inline size_t cases_spread(const struct lanes_kernel *kernel,
                                  const struct bcrypt_case *cases, size_t count, uint64_t *random)
{
    size_t wrong = 0;
    for (unsigned width = 1; width <= kernel->lanes_max; width++) {
        size_t from = count * (width - 1) / kernel->lanes_max;
        size_t to = count * width / kernel->lanes_max;
        wrong += cases_run(kernel, width, cases + from, to - from, random);
    }
    return wrong;
}

#endif

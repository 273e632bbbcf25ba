/* Bcrypt in lanes: every kernel and every number of lanes against published hashes and against
 * libxcrypt. LANES_CASES=N compares N random cases instead of a few, LANES_SEED=N others, and
 * LANES_WRITE=PATH keeps them for tests/cross. */
#include "bcrypt_cases.h"
#include "check.h"

#include <crypt.h>

enum { CHEAP_COST = 5, FEW_CASES = 720, MANY_CASES = 20000 };

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- published hashes ---- */

static struct bcrypt_case *published(size_t *ret_count)
{
    FILE *file = fopen(TEST_DATA_DIR "/bcrypt.txt", "r");
    CHECK(file != NULL);
    struct bcrypt_case *cases = cases_read(file, ret_count);
    fclose(file);
    CHECK(*ret_count >= 70);
    return cases;
}

/* Moves the cases of up to `cost` to the front; gives their count. */
static size_t cheap_first(struct bcrypt_case *cases, size_t count, unsigned cost)
{
    size_t cheap = 0;
    for (size_t i = 0; i < count; i++) {
        if (case_cost(&cases[i]) <= cost) {
            struct bcrypt_case c = cases[cheap];
            cases[cheap++] = cases[i];
            cases[i] = c;
        }
    }
    return cheap;
}

TEST(the_cheap_published_hashes_match_with_every_kernel)
{
    uint64_t random = 1;
    size_t count = 0;
    struct bcrypt_case *cases = published(&count);
    count = cheap_first(cases, count, CHEAP_COST);
    CHECK(count >= 50);
    for (size_t k = 0; k < lanes_kernel_count; k++) {
        if (lanes_kernels[k].is_usable()) {
            CHECK_INT(cases_spread(&lanes_kernels[k], cases, count, &random), 0);
        }
    }
    free(cases);
}

TEST(the_expensive_published_hashes_match)
{
    uint64_t random = 1;
    unsigned width = 0;
    size_t count = 0;
    const struct lanes_kernel *kernel = lanes_kernel_default(&width);
    struct bcrypt_case *cases = published(&count);
    size_t cheap = cheap_first(cases, count, CHEAP_COST);
    CHECK_INT(cases_run(kernel, width, cases + cheap, count - cheap, &random), 0);
    free(cases);
}

TEST(a_wrong_hash_is_found)
{
    uint64_t random = 1;
    struct bcrypt_case c;
    CHECK(case_parse("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW 552a55", &c));
    CHECK_INT(cases_run(&lanes_kernels[0], 1, &c, 1, &random), 0);
    c.key[0] ^= 1;
    CHECK_INT(cases_run(&lanes_kernels[0], 1, &c, 1, &random), 1);
}

/* ---- libxcrypt ---- */

/* `hash` holds the setting, and becomes whole. */
static void ask_libxcrypt(struct bcrypt_case *c)
{
    static struct crypt_data data;
    c->key[c->length] = '\0';
    const char *text = crypt_rn(c->key, c->hash, &data, sizeof(data));
    CHECK(text != NULL && strlen(text) == CASE_HASH_LENGTH);
    memcpy(c->hash, text, CASE_HASH_LENGTH + 1);
}

/* Each byte but NUL. A third of them mostly 0xff and other bytes with a sign: only there do $2a$
 * and $2b$ differ. */
static void random_key(struct bcrypt_case *c, uint64_t *random)
{
    bool signs = case_random_below(random, 3) == 0;
    c->length = case_random_below(random, LANE_KEY_MAX + 1);
    for (size_t i = 0; i < c->length; i++) {
        bool all_ones = signs && case_random_below(random, 8) != 0;
        c->key[i] = (char)(all_ones ? 0xff : 1 + case_random_below(random, 255));
    }
}

static void random_case(struct bcrypt_case *c, uint64_t *random)
{
    uint8_t salt[LANE_SALT_BYTES];
    for (size_t i = 0; i < sizeof(salt); i++) {
        salt[i] = (uint8_t)case_random(random);
    }
    /* Cheap ones are the most: a case of cost 6 takes the time of four. */
    static const unsigned costs[] = { 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 6 };
    unsigned cost = costs[case_random_below(random, 12)];
    char minor = "aby"[case_random_below(random, 3)];
    snprintf(c->hash, sizeof(c->hash), "$2%c$%02u$", minor, cost);
    radix64_encode(radix64_bcrypt, salt, sizeof(salt), c->hash + CASE_SALT_AT);
    random_key(c, random);
    ask_libxcrypt(c);
}

/* In turn every kernel with every number of lanes. */
static void next_way(size_t *kernel, unsigned *width)
{
    *width += 1;
    while (*width > lanes_kernels[*kernel].lanes_max || !lanes_kernels[*kernel].is_usable()) {
        *kernel = (*kernel + 1) % lanes_kernel_count;
        *width = 1;
    }
}

TEST(random_cases_hash_as_libxcrypt_hashes_them)
{
    uint64_t total = number_from("LANES_CASES", FEW_CASES);
    uint64_t random = number_from("LANES_SEED", 1);
    const char *path = getenv("LANES_WRITE");
    FILE *out = path != NULL ? fopen(path, "w") : NULL;
    static struct bcrypt_case cases[120];
    size_t kernel = 0;
    unsigned width = 0;
    size_t wrong = 0;
    uint64_t done = 0;
    while (done < total) {
        /* Short batches where there are few cases, so that every way gets some. */
        size_t batch = total < MANY_CASES ? 30 : sizeof(cases) / sizeof(cases[0]);
        batch = total - done < batch ? (size_t)(total - done) : batch;
        for (size_t i = 0; i < batch; i++) {
            random_case(&cases[i], &random);
            if (out != NULL) {
                case_write(&cases[i], out);
            }
        }
        next_way(&kernel, &width);
        wrong += cases_run(&lanes_kernels[kernel], width, cases, batch, &random);
        done += batch;
    }
    if (out != NULL) {
        CHECK_INT(fclose(out), 0);
    }
    print_message("%zu random cases, %zu wrong\n", (size_t)done, wrong);
    CHECK_INT(wrong, 0);
}

/* OpenBSD's first $2a$ kept the length in 8 bits: 255 bytes and the NUL were none. */
TEST(of_a_long_key_72_bytes_count_whatever_its_length)
{
    static const size_t lengths[] = { 71, 72, 73, 127, 128, 254, 255, 256, 257, CASE_KEY_MAX };
    uint64_t random = 1;
    struct bcrypt_case c;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t minor = 0; minor < 3; minor++) {
            c.length = lengths[i];
            memset(c.key, 'k', c.length);
            snprintf(c.hash, sizeof(c.hash), "$2%c$04$abcdefghijklmnopqrstuu", "aby"[minor]);
            ask_libxcrypt(&c);
            CHECK_INT(cases_run(&lanes_kernels[0], 1, &c, 1, &random), 0);
        }
    }
}

/* ---- what the engine relies on ---- */

static alignas(LANES_ALIGNMENT) struct lane lanes[LANES_MAX + 1];

static void start_all(struct lane *l, size_t count)
{
    const uint8_t salt[LANE_SALT_BYTES] = { 1, 2, 3 };
    for (size_t i = 0; i < count; i++) {
        lane_start(&l[i], LANE_2B, SPAN("key"), salt);
    }
}

TEST(a_digest_leaves_the_lane_as_it_is_and_more_steps_give_the_digest_of_a_higher_cost)
{
    struct bcrypt_case cheap = { .hash = "$2b$04$abcdefghijklmnopqrstuu", .key = "top", 3 };
    struct bcrypt_case dear = { .hash = "$2b$05$abcdefghijklmnopqrstuu", .key = "top", 3 };
    ask_libxcrypt(&cheap);
    ask_libxcrypt(&dear);
    case_start(&cheap, &lanes[0]);
    lanes_kernels[0].advance(lanes, 1, 1 << 4);
    struct lane before = lanes[0];
    CHECK(case_matches(&cheap, &lanes[0]));
    CHECK(memcmp(&before, &lanes[0], sizeof(before)) == 0);
    CHECK(!case_matches(&dear, &lanes[0]));
    lanes_kernels[0].advance(lanes, 1, 1 << 4);
    CHECK(case_matches(&dear, &lanes[0]));
    CHECK(!case_matches(&cheap, &lanes[0]));
}

TEST(only_the_lanes_that_are_counted_move_and_none_without_steps)
{
    for (size_t k = 0; k < lanes_kernel_count; k++) {
        const struct lanes_kernel *kernel = &lanes_kernels[k];
        for (unsigned width = 1; kernel->is_usable() && width <= kernel->lanes_max; width++) {
            start_all(lanes, LANES_MAX + 1);
            struct lane before = lanes[0];
            kernel->advance(lanes, width, 0);
            CHECK(memcmp(&lanes[0], &before, sizeof(before)) == 0);
            kernel->advance(lanes, width, 1);
            for (size_t i = 0; i <= LANES_MAX; i++) {
                CHECK((memcmp(&lanes[i], &before, sizeof(before)) == 0) == (i >= width));
                CHECK(i >= width || memcmp(&lanes[i], &lanes[0], sizeof(before)) == 0);
            }
        }
    }
}

TEST(there_is_a_portable_kernel_and_the_default_is_one_that_runs_here)
{
    unsigned count = 0;
    const struct lanes_kernel *kernel = lanes_kernel_default(&count);
    CHECK(kernel->is_usable());
    CHECK(count >= 1 && count <= kernel->lanes_max);
    CHECK_SPAN(span_of(lanes_kernels[0].name), "c");
    CHECK(lanes_kernels[0].is_usable());
    for (size_t i = 0; i < lanes_kernel_count; i++) {
        CHECK(lanes_kernels[i].lanes_max >= 1 && lanes_kernels[i].lanes_max <= LANES_MAX);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(lanes_kernels[i].name, lanes_kernels[j].name) != 0);
        }
    }
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(the_cheap_published_hashes_match_with_every_kernel),
        cmocka_unit_test(the_expensive_published_hashes_match),
        cmocka_unit_test(a_wrong_hash_is_found),
        cmocka_unit_test(random_cases_hash_as_libxcrypt_hashes_them),
        cmocka_unit_test(of_a_long_key_72_bytes_count_whatever_its_length),
        cmocka_unit_test(
            a_digest_leaves_the_lane_as_it_is_and_more_steps_give_the_digest_of_a_higher_cost),
        cmocka_unit_test(only_the_lanes_that_are_counted_move_and_none_without_steps),
        cmocka_unit_test(there_is_a_portable_kernel_and_the_default_is_one_that_runs_here));
}

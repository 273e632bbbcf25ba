/* Hash formats, verification, rehashing and the rules for new passwords. */
#include "check.h"
#include "password.h"

#include <crypt.h>
#include <stdio.h>

enum { LIVE_COST = 5, ARENA_BYTES = 4096 };

static struct password_engine *engine_of_cost(unsigned cost)
{
    const struct password_options options = { .threads = 1, .cost = cost, .queue_max = 8 };
    struct password_engine *e = NULL;
    CHECK_ERR(password_engine_new(&options, &e), ERR_OK);
    return e;
}

static bool matches(struct password_engine *e, struct span password, struct span hash)
{
    bool match = false;
    bool rehash = false;
    CHECK_ERR(password_verify(e, password, hash, &match, &rehash), ERR_OK);
    return match;
}

/* The hash of `password`, copied out of the arena. */
static void hash_of(struct password_engine *e, struct span password, char text[static 128])
{
    struct arena a;
    struct span hash;
    arena_init(&a, ARENA_BYTES);
    CHECK_ERR(password_hash(e, password, &a, &hash), ERR_OK);
    CHECK(hash.length < 128);
    memcpy(text, hash.data, hash.length);
    text[hash.length] = '\0';
    arena_done(&a);
}

/* ---- published vectors ---- */

struct vector {
    const char *hash, *password;
};

#define REPEAT_8(s) s s s s s s s s

/* Openwall's for crypt_blowfish; those of $2x$, which we refuse, are below as refused. */
static const struct vector openwall[] = {
    { "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U" },
    { "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*" },
    { "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U" },
    { "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", "" },
    { "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" },
    { "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3" },
    { "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3" },
    { "$2a$05$/OK.fbVrR/bpIqNJ5ianF.nqd1wy.pTMdcvrRWxyiGL2eMz.2a85.", "\xff\xff\xa3" },
    { "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3" },
    { "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3" },
    { "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3" },
    { "$2y$05$/OK.fbVrR/bpIqNJ5ianF.o./n25XVfn6oAPaUvHe.Csk4zRfsYPi", "\xff\xa3"
                                                                      "34\xff\xff\xff\xa3"
                                                                      "345" },
    { "$2a$05$/OK.fbVrR/bpIqNJ5ianF.ZC1JEJ8Z4gPfpe1JOr/oyPXTWl9EFd.", "\xff\xa3"
                                                                      "34\xff\xff\xff\xa3"
                                                                      "345" },
    { "$2y$05$/OK.fbVrR/bpIqNJ5ianF.nRht2l/HRhr6zmCp9vYUvvsqynflf9e", "\xff\xa3"
                                                                      "345" },
    { "$2a$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS", "\xa3"
                                                                      "ab" },
    { "$2y$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS", "\xa3"
                                                                      "ab" },
    { "$2a$05$/OK.fbVrR/bpIqNJ5ianF.swQOIzjOiJ9GHEPuhEkvqrUyvWhEMx6",
      REPEAT_8("\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa") },
    { "$2a$05$/OK.fbVrR/bpIqNJ5ianF.R9xrDjiycxMbQE2bp.vgqlYpW5wx2yy",
      REPEAT_8("\xaa\x55\xaa\x55\xaa\x55\xaa\x55") "\xaa\x55\xaa\x55\xaa\x55\xaa\x55" },
    { "$2a$05$/OK.fbVrR/bpIqNJ5ianF.9tQZzcJfm3uj2NvJ/n5xkhpqLrMpWCe",
      REPEAT_8("\x55\xaa\xff\x55\xaa\xff\x55\xaa\xff") },
};

TEST(the_published_bcrypt_vectors_match)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(LIVE_COST);
    for (size_t i = 0; i < sizeof(openwall) / sizeof(openwall[0]); i++) {
        CHECK(matches(e, span_of(openwall[i].password), span_of(openwall[i].hash)));
        CHECK(!matches(e, SPAN("another"), span_of(openwall[i].hash)));
    }
}

#define SALT "0123456789abcdefghijke"
/* Made with Python's passlib 1.7.4, bcrypt_sha256.using(rounds=5, salt=...). */
TEST(hashes_made_by_passlib_match)
{
    static const char long_part[] = "correct horse battery staple ";
    static char long_password[30 * (sizeof(long_part) - 1) + 1];
    for (size_t i = 0; i < 30; i++) {
        memcpy(long_password + i * (sizeof(long_part) - 1), long_part, sizeof(long_part));
    }
#define X_72 REPEAT_8("xxxxxxxxx")
    const struct vector vectors[] = {
        { "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$wnPDJBk/5rp25Mpc4v0QSHx42ZDbtZS", "" },
        { "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly", "password" },
        { "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$WpkHb2OBpgJspPAd0GnA1dMLVdQb2s2", X_72 },
        { "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$yRi8nXxFtcQPrgdt2oh6rOct5wMHMXC", X_72 "x" },
        { "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$ToYrAa7QwwcqFaNOtRjRts4Md.GQovy",
          "p\xc3\xa4ssw\xc3\xb6rd \xe2\x82\xac" },
        { "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$cYnVuHNC7mqopSFAt8i1iJ9TshFlgcO", long_password },
        { "$bcrypt-sha256$v=2,t=2b,r=12$" SALT "$LnwosN5E7rHZXRsNPWiXLBrUc3uhgRu", "password" },
    };
    AUTO(password_engine) struct password_engine *e = engine_of_cost(LIVE_COST);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        CHECK(matches(e, span_of(vectors[i].password), span_of(vectors[i].hash)));
    }
    CHECK(!matches(e, SPAN("Password"), span_of(vectors[1].hash)));
}

/* libxcrypt is the reference, whatever computes the hashes. */
TEST(random_passwords_hash_as_libxcrypt_does)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(4);
    static struct crypt_data data;
    for (size_t i = 0; i < 73; i++) {
        uint8_t password[73];
        char text[128];
        CHECK_ERR(secret_random(password, i), ERR_OK);
        for (size_t j = 0; j < i; j++) {
            password[j] |= password[j] == 0;
        }
        password[i] = '\0';
        hash_of(e, (struct span){ (const char *)password, i }, text);
        CHECK_SPAN(span_of(crypt_rn((const char *)password, text, &data, sizeof(data))), text);
    }
}

/* ---- what is refused ---- */

TEST(a_malformed_or_unknown_hash_is_an_error_and_never_a_match)
{
    static const char *const bad[] = {
        "",
        "$2b$",
        "password",
        "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e",
        "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2c$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2B$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$32$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$ 5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe:",
        "$2a$05$CCCCCCCCCCC$CCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n",
        "$bcrypt-sha256$v=1,t=2b,r=5$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly",
        "$bcrypt-sha256$2b,5$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly",
        "$bcrypt-sha256$v=2,t=2a,r=5$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly",
        "$bcrypt-sha256$v=2,t=2b,r=05$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly",
        "$bcrypt-sha256$v=2,t=2b,r=3$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly",
        "$bcrypt-sha256$v=2,t=2b,r=$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly",
        "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "La8tDoK4PKbdOJk1thP1onTaFAWigly",
        "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly$",
        "$bcrypt-sha256$v=2,t=2b,r=5$0123456789abcdefghijkf$La8tDoK4PKbdOJk1thP1onTaFAWigly",
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
    };
    AUTO(password_engine) struct password_engine *e = engine_of_cost(LIVE_COST);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bool match = false;
        bool rehash = false;
        CHECK(!password_is_hash(span_of(bad[i])));
        CHECK_ERR(password_verify(e, SPAN("U*U"), span_of(bad[i]), &match, &rehash), ERR_INTERNAL);
        CHECK(!match && !rehash);
    }
}

TEST(no_prefix_of_a_hash_is_a_hash)
{
    static const char *const good[] = {
        "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq",
        "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly",
    };
    for (size_t i = 0; i < 2; i++) {
        struct span whole = span_of(good[i]);
        CHECK(password_is_hash(whole));
        for (size_t length = 0; length < whole.length; length++) {
            CHECK(!password_is_hash(span_slice(whole, 0, length)));
        }
    }
    CHECK(!password_is_hash((struct span){ good[0], strlen(good[0]) + 1 }));
    CHECK(!password_is_hash(SPAN_NONE));
}

TEST(a_stored_hash_that_would_take_hours_is_refused_at_once)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(LIVE_COST);
    bool match = false;
    bool rehash = false;
    struct span dear = SPAN("$2b$21$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq");
    CHECK_ERR(password_verify(e, SPAN("x"), dear, &match, &rehash), ERR_INTERNAL);
    dear = SPAN("$2b$31$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq");
    CHECK_ERR(password_verify(e, SPAN("x"), dear, &match, &rehash), ERR_INTERNAL);
    CHECK(!password_is_hash(dear));
    CHECK_INT(password_expected_wait_us(e, 0), 0);
}

TEST(a_password_with_nul_or_over_the_limit_is_refused_before_hashing)
{
    static char long_password[PASSWORD_MAX_BYTES + 1];
    memset(long_password, 'a', sizeof(long_password));
    struct span bad[] = { SPAN("a\0b"), SPAN("\0"), { long_password, sizeof(long_password) } };
    AUTO(password_engine) struct password_engine *e = engine_of_cost(LIVE_COST);
    for (size_t i = 0; i < 3; i++) {
        struct arena a;
        struct span hash = SPAN_NONE;
        bool match = false;
        bool rehash = false;
        arena_init(&a, ARENA_BYTES);
        CHECK_ERR(password_hash(e, bad[i], &a, &hash), ERR_INVALID_INPUT);
        CHECK_ERR(password_verify(e, bad[i], span_of(openwall[0].hash), &match, &rehash),
                  ERR_INVALID_INPUT);
        CHECK(hash.data == NULL && !match);
        arena_done(&a);
    }
}

TEST(a_hash_that_does_not_fit_the_arena_is_reported)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(4);
    struct arena a;
    struct span hash;
    arena_init(&a, 16);
    CHECK_ERR(password_hash(e, SPAN("password"), &a, &hash), ERR_NOMEM);
    arena_done(&a);
}

/* ---- what is made ---- */

TEST(passwords_up_to_72_bytes_become_2b_and_longer_ones_bcrypt_sha256)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(LIVE_COST);
    static char password[PASSWORD_MAX_BYTES];
    memset(password, 'p', sizeof(password));
    const size_t lengths[] = { 0, 1, 71, 72, 73, PASSWORD_MAX_BYTES };
    for (size_t i = 0; i < 6; i++) {
        struct span whole = { password, lengths[i] };
        char text[128];
        hash_of(e, whole, text);
        CHECK(span_starts(span_of(text), lengths[i] <= 72 ? SPAN("$2b$05$")
                                                          : SPAN("$bcrypt-sha256$v=2,t=2b,r=5$")));
        CHECK(password_is_hash(span_of(text)));
        CHECK(matches(e, whole, span_of(text)));
        CHECK(lengths[i] == 0 || !matches(e, span_from(whole, 1), span_of(text)));
    }
}

TEST(two_hashes_of_one_password_differ)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(4);
    char first[128];
    char second[128];
    hash_of(e, SPAN("password"), first);
    hash_of(e, SPAN("password"), second);
    CHECK(strcmp(first, second) != 0);
}

/* bcrypt reads 72 bytes, so the plain form would take any tail for the right one. */
TEST(nothing_that_was_cut_off_matches)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(4);
    static const char full[] = X_72 "tail";
    struct span exact = { full, 72 };
    struct span longer = { full, 76 };
    char text[128];
    hash_of(e, exact, text);
    CHECK(matches(e, exact, span_of(text)));
    CHECK(!matches(e, longer, span_of(text)));
    CHECK(!matches(e, span_slice(longer, 0, 73), span_of(text)));
    hash_of(e, longer, text);
    CHECK(matches(e, longer, span_of(text)));
    CHECK(!matches(e, exact, span_of(text)));
    CHECK(!matches(e, SPAN(X_72 "tale"), span_of(text)));
}

TEST(case_spaces_and_one_changed_character_of_the_digest_matter)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(4);
    char text[128];
    hash_of(e, SPAN("Password 1"), text);
    CHECK(!matches(e, SPAN("password 1"), span_of(text)));
    CHECK(!matches(e, SPAN("Password 1 "), span_of(text)));
    CHECK(!matches(e, SPAN("Password1"), span_of(text)));
    for (size_t i = 29; i < 60; i++) {
        char before = text[i];
        text[i] = before == 'C' ? '.' : 'C'; /* both good at the end, where bits must be zero */
        CHECK(!matches(e, SPAN("Password 1"), span_of(text)));
        text[i] = before;
    }
    CHECK(matches(e, SPAN("Password 1"), span_of(text)));
}

/* ---- rehashing ---- */

TEST(a_match_is_to_be_rehashed_unless_it_has_the_configured_form_and_cost)
{
    static const struct {
        const char *hash, *password;
        unsigned live;
        bool match, rehash;
    } table[] = {
        { "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", 5, true, false },
        { "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", 4, true, true },
        { "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", 6, true, true },
        { "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", 5, true, true },
        { "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa3", 5, true, true },
        { "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", "\xa2", 6, false, false },
        { "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$La8tDoK4PKbdOJk1thP1onTaFAWigly", "password", 5,
          true, true },
        { "$bcrypt-sha256$v=2,t=2b,r=5$" SALT "$yRi8nXxFtcQPrgdt2oh6rOct5wMHMXC", X_72 "x", 5, true,
          false },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        AUTO(password_engine) struct password_engine *e = engine_of_cost(table[i].live);
        bool match = false;
        bool rehash = false;
        CHECK_ERR(
            password_verify(e, span_of(table[i].password), span_of(table[i].hash), &match, &rehash),
            ERR_OK);
        CHECK_INT(match, table[i].match);
        CHECK_INT(rehash, table[i].rehash);
    }
}

static const struct password_options argon2id = { .threads = 1,
                                                  .queue_max = 8,
                                                  .form = PASSWORD_ARGON2ID,
                                                  .argon2_memory_kib = 64,
                                                  .argon2_passes = 2,
                                                  .memory_budget = 1 << 20 };

static bool is_rehashed(const struct password_options *options, struct span hash)
{
    struct password_engine *e = NULL;
    bool match = false;
    bool rehash = false;
    CHECK_ERR(password_engine_new(options, &e), ERR_OK);
    CHECK_ERR(password_verify(e, SPAN("password"), hash, &match, &rehash), ERR_OK);
    CHECK(match);
    password_engine_free(e);
    return rehash;
}

TEST(with_argon2id_as_the_live_form_new_hashes_are_that_and_others_are_rehashed)
{
    struct password_engine *e = NULL;
    char text[128];
    char bcrypt[128];
    CHECK_ERR(password_engine_new(&argon2id, &e), ERR_OK);
    CHECK(password_live_steps(e) > 0);
    hash_of(e, SPAN("password"), text);
    CHECK(span_starts(span_of(text), SPAN("$argon2id$v=19$m=64,t=2,p=1$")));
    CHECK(matches(e, SPAN("password"), span_of(text)));
    CHECK(!matches(e, SPAN("passwort"), span_of(text)));
    CHECK(span_starts(password_decoy(e), SPAN("$argon2id$v=19$m=64,t=2,p=1$")));
    CHECK(!matches(e, SPAN("password"), password_decoy(e)));
    CHECK_INT(password_expected_wait_us(e, 0), 0);
    password_engine_free(e);

    AUTO(password_engine) struct password_engine *other = engine_of_cost(4);
    hash_of(other, SPAN("password"), bcrypt);
    struct password_options to_bcrypt = argon2id;
    to_bcrypt.form = PASSWORD_BCRYPT;
    to_bcrypt.cost = 4;
    struct password_options more = argon2id;
    more.argon2_passes = 3;
    CHECK(!is_rehashed(&argon2id, span_of(text)));
    CHECK(is_rehashed(&more, span_of(text)));
    CHECK(is_rehashed(&to_bcrypt, span_of(text)));
    CHECK(is_rehashed(&argon2id, span_of(bcrypt)));
    CHECK(!is_rehashed(&to_bcrypt, span_of(bcrypt)));
}

TEST(a_hash_that_needs_more_memory_than_the_budget_is_refused)
{
    struct password_engine *e = NULL;
    bool match = false;
    bool rehash = false;
    struct span dear = SPAN("$argon2id$v=19$m=1025,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
                            "RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs");
    CHECK(password_is_hash(dear));
    CHECK_ERR(password_engine_new(&argon2id, &e), ERR_OK);
    CHECK_ERR(password_verify(e, SPAN("x"), dear, &match, &rehash), ERR_INTERNAL);
    password_engine_free(e);
}

/* ---- kernels ---- */

TEST(a_kernel_or_a_number_of_lanes_that_cannot_be_is_refused)
{
    struct password_options options = { .threads = 1, .queue_max = 1, .cost = 4 };
    struct password_engine *e = NULL;
    CHECK(password_kernel_fits(SPAN("auto"), 0));
    CHECK(password_kernel_fits(SPAN("c"), PASSWORD_LANES_MAX));
    CHECK(!password_kernel_fits(SPAN("c"), PASSWORD_LANES_MAX + 1));
    CHECK(!password_kernel_fits(SPAN("d"), 0));
    options.kernel = SPAN("d");
    CHECK_ERR(password_engine_new(&options, &e), ERR_CONFIG);
    options.kernel = SPAN_NONE;
    options.lanes = PASSWORD_LANES_MAX + 1;
    CHECK_ERR(password_engine_new(&options, &e), ERR_CONFIG);
    CHECK(e == NULL);
}

TEST(a_tuning_is_used_where_it_fits_the_build_and_what_is_pinned)
{
    struct password_options options = {
        .threads = 1, .queue_max = 1, .cost = 4, .kernel = SPAN("c")
    };
    struct password_engine *e = NULL;
    CHECK_ERR(password_engine_new(&options, &e), ERR_OK);
    struct password_tuning t = { .kernel = "c", .lanes = 3, .steps_per_second = { [3] = 16000 } };
    CHECK_ERR(password_use(e, &t), ERR_OK);
    CHECK_INT(password_engine_info(e).lanes, 3);
    CHECK_INT(password_engine_info(e).steps_per_second, 16000);
    CHECK_INT(password_expected_wait_us(e, 15984), 999000); /* of 999 others, in three lanes */
    t.lanes = 0;
    CHECK_ERR(password_use(e, &t), ERR_INVALID_INPUT);
    t.lanes = PASSWORD_LANES_MAX + 1;
    CHECK_ERR(password_use(e, &t), ERR_INVALID_INPUT);
    t = (struct password_tuning){ .kernel = "d", .lanes = 3 };
    CHECK_ERR(password_use(e, &t), ERR_INVALID_INPUT);
    for (size_t i = 1; password_kernel_name(i) != NULL; i++) { /* "c" is pinned */
        memcpy(t.kernel, password_kernel_name(i), strlen(password_kernel_name(i)) + 1);
        CHECK_ERR(password_use(e, &t), ERR_INVALID_INPUT);
    }
    CHECK_INT(password_engine_info(e).lanes, 3);
    CHECK_SPAN(span_of(password_engine_info(e).kernel), "c");
    password_engine_free(e);
}

/* ---- the decoy ---- */

TEST(the_decoy_looks_like_a_hash_of_the_live_cost_and_is_each_engine_s_own)
{
    AUTO(password_engine) struct password_engine *e = engine_of_cost(LIVE_COST);
    AUTO(password_engine) struct password_engine *other = engine_of_cost(LIVE_COST);
    struct span decoy = password_decoy(e);
    CHECK(password_is_hash(decoy));
    CHECK(span_starts(decoy, SPAN("$2b$05$")));
    CHECK(!span_equal(decoy, password_decoy(other)));
    CHECK(!matches(e, SPAN(""), decoy));
    CHECK(!matches(e, SPAN("password"), decoy));
}

/* ---- the rules for new passwords ---- */

TEST(new_passwords_are_measured_in_characters_and_bounded_in_bytes)
{
    static char text[PASSWORD_MAX_BYTES + 1];
    memset(text, 'a', sizeof(text));
    CHECK_INT(password_check(SPAN("1234567"), 8), PASSWORD_TOO_SHORT);
    CHECK_INT(password_check(SPAN("12345678"), 8), PASSWORD_FITS);
    CHECK_INT(password_check(SPAN("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"), 8), PASSWORD_TOO_SHORT);
    CHECK_INT(password_check(SPAN("        "), 8), PASSWORD_FITS);
    CHECK_INT(password_check((struct span){ text, PASSWORD_MAX_BYTES }, 8), PASSWORD_FITS);
    CHECK_INT(password_check((struct span){ text, PASSWORD_MAX_BYTES + 1 }, 8), PASSWORD_TOO_LONG);
    CHECK_INT(password_check(SPAN("1234567\0"), 8), PASSWORD_HAS_NUL);
    CHECK_INT(password_check(SPAN("12345678\xff"), 8), PASSWORD_NOT_UTF8);
    CHECK_INT(password_check(SPAN("12345678\xed\xa0\x80"), 8), PASSWORD_NOT_UTF8);
    CHECK_INT(password_check(SPAN_NONE, 8), PASSWORD_TOO_SHORT);
    CHECK_INT(password_check(SPAN_NONE, 0), PASSWORD_FITS);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(the_published_bcrypt_vectors_match),
        cmocka_unit_test(hashes_made_by_passlib_match),
        cmocka_unit_test(random_passwords_hash_as_libxcrypt_does),
        cmocka_unit_test(a_malformed_or_unknown_hash_is_an_error_and_never_a_match),
        cmocka_unit_test(no_prefix_of_a_hash_is_a_hash),
        cmocka_unit_test(a_stored_hash_that_would_take_hours_is_refused_at_once),
        cmocka_unit_test(a_password_with_nul_or_over_the_limit_is_refused_before_hashing),
        cmocka_unit_test(a_hash_that_does_not_fit_the_arena_is_reported),
        cmocka_unit_test(passwords_up_to_72_bytes_become_2b_and_longer_ones_bcrypt_sha256),
        cmocka_unit_test(two_hashes_of_one_password_differ),
        cmocka_unit_test(nothing_that_was_cut_off_matches),
        cmocka_unit_test(case_spaces_and_one_changed_character_of_the_digest_matter),
        cmocka_unit_test(a_match_is_to_be_rehashed_unless_it_has_the_configured_form_and_cost),
        cmocka_unit_test(
            with_argon2id_as_the_live_form_new_hashes_are_that_and_others_are_rehashed),
        cmocka_unit_test(a_hash_that_needs_more_memory_than_the_budget_is_refused),
        cmocka_unit_test(a_kernel_or_a_number_of_lanes_that_cannot_be_is_refused),
        cmocka_unit_test(a_tuning_is_used_where_it_fits_the_build_and_what_is_pinned),
        cmocka_unit_test(the_decoy_looks_like_a_hash_of_the_live_cost_and_is_each_engine_s_own),
        cmocka_unit_test(new_passwords_are_measured_in_characters_and_bounded_in_bytes));
}

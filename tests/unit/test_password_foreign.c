/* Hashes that other software made: verified by one library call, and honest when that fails. */
#include "check.h"
#include "failing_malloc.h"
#include "foreign.h"
#include "password.h"

#include <argon2.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static const struct format_limits limits = { .bcrypt_steps = 1 << 20,
                                             .memory_bytes = FORMAT_MEMORY_MAX };

static struct format_hash parsed(struct span text)
{
    struct format_hash h = { 0 };
    if (!format_parse(text, &limits, &h)) {
        print_error("\"%.*s\" does not parse\n", SPAN_FMT(text));
        fail();
    }
    return h;
}

static bool matches(const char *text, struct span password)
{
    const struct format_hash h = parsed(span_of(text));
    bool match = false;
    CHECK_ERR(foreign_verify(&h, span_of(text), password, &match), ERR_OK);
    return match;
}

/* ---- what others made ---- */

struct vector {
    const char *hash, *password;
};

#define UMLAUTS "p\xc3\xa4ssw\xc3\xb6rd \xe2\x82\xac"
#define X_100                                                                                      \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxx"                                                                                         \
    "xxxx"

/* By argon2-cffi 25.1, passlib 1.7.4, Django 5.2 and libxcrypt 4.4.33 (but the one of $7$ that its
 * authors published). */
static const struct vector vectors[] = {
    { "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$+4O1cR/ZHfYwtjZ33uYszRPubwxIl9hWt"
      "JVCubHpl1s",
      "password" },
    { "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$4aHoBpfpRSYZi1zLSqUWpXu0P9bi+hd8M"
      "Pm/ep0d1e0",
      "" },
    { "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$Gs+S6Inpvp+vE8YpXw+qrC35xPFCE0IkF"
      "TRALkAXDYc",
      UMLAUTS },
    { "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$U+HjBfCoj4Lft1/y3R1A74WYDKOm6Hdpd"
      "jfppAF2ylU",
      X_100 },
    { "$scrypt$ln=4,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$GPNriWuOuBdpnCDS05RyNh8Bg2oS62hE6gWKqbnh"
      "0mU",
      "password" },
    { "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$hRRjgXWkW8ResfIvBP99J/T4vkgEmMRV/0tJTOjR5"
      "9I",
      "password" },
    { "$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$38DzhdBT7fPaUGBlsh42VTuuKSFAIYGZJ7l6feCDL"
      "Il.K3hdPFgxxu7xuUi4gIuH6cEIoODn18xH9Ig2ryNgUw",
      "password" },
    { "pbkdf2_sha256$1000$seasalt22characters012$Z4GPdLbwlV+9fIPhVualFpo5uloxiA2ahRPNyb6ux0"
      "M=",
      "password" },
    { "$6$rounds=1000$saltstring0123./$y48Bb7nF1sRMiGeaFvbjgu4vY62KaISa1uW/eBTptVBZ29RvAW2O"
      "Elug0Jw7LO9yuzSfMnAcY9bMovKHAEq4h0",
      "password" },
    { "$7$26..../....SodiumChloride$QCXypikOdrGUuQTbSEJ5PInpJbIxJiy9TRvuJ0MqLsA", "password" },
    { "$y$j75$LdJMENpBABJJ3hIHjB1Bi.$AwSWBvo9otG8BLH4EfD1adasacj5dqew9dxGW5j5f24", "password" },
    { "$scrypt$ln=4,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$lxmrLt7nqjKSzyWk16xsaQ7j4KR4L/lwO18OGYNj"
      "xXM",
      "" },
    { "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$1SowFvcyM8WmWKE5mw1mE6SzWhTrQkI1ozLfFjQpv"
      "Y4",
      "" },
    { "$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$f3Ttdh1SsBtygvpzHqkH2YIfvdS.JnUxSiq7pPo7Q"
      "DkSrdhje/hPRPtBitUZXvWkUHPdz0qc8jNU62IIpMBXxA",
      "" },
    { "pbkdf2_sha256$1000$seasalt22characters012$SA7oh+JOaVFmt8pE0EyQZKK4jrIwgI1ShhNRdD1jQj"
      "4=",
      "" },
    { "$6$rounds=1000$saltstring0123./$NWj1i.8Nd7WekgGBCvfhU7Vc4zYFAhPT8JpoSMBCdr6L7S9QrF.B"
      "Isog3hrFgYc4lYwhvVnhQDHzsgAOtKjra0",
      "" },
    { "$7$26..../....SodiumChloride$urYfwSyPTqJK.GR6OCEbXfH3TYFoLiPHgF3VZFUhRF/", "" },
    { "$y$j75$LdJMENpBABJJ3hIHjB1Bi.$tUlUF19mIl6XpRTpX7LBp5ABKS8KSmDfP1gXFrZ6Sy8", "" },
    { "$scrypt$ln=4,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$QF4QyER1QCVuu2Rm1/ooMCd002h4tBb5BTVMUj2j"
      "gYY",
      UMLAUTS },
    { "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$YpWiKE40QDEtW4Vy/xKi8NEHW6h/9XB/BbcLhQYXx"
      "dA",
      UMLAUTS },
    { "$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$gU7w34h57aTJ9pLFDS/8rkFgbFnhUFk9pARJyHENs"
      "vBpu07fuCK5kzG9Sg.kHiWR5hz4yhYqchdDdpY2LOEIxg",
      UMLAUTS },
    { "pbkdf2_sha256$1000$seasalt22characters012$FoQsx5W7kw42licICnDoT28x6R/PJDojGQ59pjHsrz"
      "U=",
      UMLAUTS },
    { "$6$rounds=1000$saltstring0123./$UqBDHVDW3x.0K3LSnSc7SNzx5gpqdT4xfnvE4caShQ05dH9L8xVk"
      "PE6ky3nXL84wtP4VLiCg8.nuYdQb0743i0",
      UMLAUTS },
    { "$7$26..../....SodiumChloride$L5O/3bPcZOr8zKsRet0QBkP1I4Ch6pVX0eMAu0mp4.2", UMLAUTS },
    { "$y$j75$LdJMENpBABJJ3hIHjB1Bi.$rHdbXAz36S4eMv1UZjj19uqt/p/CL6gp4IXsJuLXYV2", UMLAUTS },
    { "$scrypt$ln=4,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$EIBjiD3oMT1HXzUcF8dNcQ5TSAW4oYiXqgeF0haV"
      "kw4",
      X_100 },
    { "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$FdR8B2jAgYuPbQFgt6Xw9pclYACJBXPfPfim3hBg/"
      "lE",
      X_100 },
    { "$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$vk97BxGv1DQqIPInDU2xcnpwdBe28qY1fis.FXBNP"
      "OafKUMiliBCrpiWVQJ9bAr3EsSxaSQiUg5nveqXsOQmDg",
      X_100 },
    { "pbkdf2_sha256$1000$seasalt22characters012$jsgsz08l6RkZXuPkgyZ/Q6VnZZ/0qqVYJUMzwjROWz"
      "Y=",
      X_100 },
    { "$6$rounds=1000$saltstring0123./$IJ8f2y9XPuF6gtj6GAqadplz1HA5xfAc88Rg5BqSTbyi7/E4V5lO"
      "XRjyDxIv/3PEAEaIx82tXblCcmX7G0iIA/",
      X_100 },
    { "$7$26..../....SodiumChloride$9NY621ioV1/tYyrcvbjLju.l2Y/Z06HIN1DIJSqeL07", X_100 },
    { "$y$j75$LdJMENpBABJJ3hIHjB1Bi.$P84q6fp0SQqmQK3.3KeX4Rfqhn5lfdkGCcheex0V8CC", X_100 },
    { "$argon2i$v=19$m=256,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$vnYJBUxMgPtjKeKnoysMQHbxujFYGE+2m"
      "ZvmCgY2otU",
      "password" },
    { "$argon2id$v=19$m=128,t=1,p=16$MDEyMzQ1Njc4OWFiY2RlZg$VA0xPbA7vocJmqKwoCI7qefcGEmpLJp"
      "ozAoox3FHJWzYjY//mrbJaGgDxMq5/JpmGc2XgwydUhf0KffWHjCjXw",
      "password" },
    { "$argon2id$v=19$m=8,t=1,p=1$MTIzNDU2Nzg$kPBENgpXJKzHoJWlSIT3JQ", "password" },
    { "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRb"
      "LCelDCy.g.",
      "password" },
    { "$6$rounds=5000$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aC"
      "I6WouIL9AjRbLCelDCy.g.",
      "password" },
    { "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM"
      "0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
      "Hello world!" },
    { "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D", "pleaseletmein" },
    { "$y$j9T$LdJMENpBABJJ3hIHjB1Bi.$u2OTvjfFNnWXgGAOFvgB1vH5NgjtzZuf1aX1t4YvTE.", "password" },
};
enum { VECTOR_COUNT = sizeof(vectors) / sizeof(vectors[0]) };

TEST(hashes_that_other_software_made_match_their_password_and_no_other)
{
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        CHECK(matches(vectors[i].hash, span_of(vectors[i].password)));
        CHECK(!matches(vectors[i].hash, SPAN("Password")));
        CHECK(!matches(vectors[i].hash, SPAN("password ")));
    }
    CHECK(matches(vectors[1].hash, SPAN_NONE));
}

/* Another salt, another digest, another parameter; dear ones are left out. */
TEST(a_hash_with_a_changed_byte_never_matches)
{
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        char text[FORMAT_TEXT_MAX];
        const struct span whole = { text, strlen(vectors[i].hash) };
        memcpy(text, vectors[i].hash, whole.length);
        for (size_t at = 0; at < whole.length; at++) {
            struct format_hash h = { 0 };
            bool match = false;
            text[at] ^= 1;
            if (format_parse(whole, &limits, &h) && format_steps(&h) < 100) {
                CHECK_ERR(foreign_verify(&h, whole, span_of(vectors[i].password), &match), ERR_OK);
                CHECK(!match);
            }
            text[at] ^= 1;
        }
    }
}

TEST(nothing_that_crypt_would_cut_off_matches)
{
    static const char *const texts[] = {
        ("$6$rounds=1000$saltstring$vQjXEJHaGPzJz71w1jhzh4XGrCvDb4uQ8lF4pnjzWGpDU6t1Vb0BYF4nTz"
         "JXaGauko.tLhbrpezVS1uppJsS4."),
        "$7$26..../....SodiumChloride$iu2alaFw4TWDJ4hgbNSgrmHg8nerz/sp6FxOZ3MlqLA",
        "$y$j75$LdJMENpBABJJ3hIHjB1Bi.$TB8arKqiCAdfUUbjP1ArSvZ2zNUSvCvr96rBB9ocOS1",
    };
    char password[FORMAT_CRYPT_PASSWORD_MAX + 1];
    memset(password, 'x', sizeof(password));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(matches(texts[i], (struct span){ password, FORMAT_CRYPT_PASSWORD_MAX }));
        CHECK(!matches(texts[i], (struct span){ password, FORMAT_CRYPT_PASSWORD_MAX + 1 }));
    }
}

TEST(a_password_with_nul_is_refused)
{
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        const struct format_hash h = parsed(span_of(vectors[i].hash));
        bool match = false;
        CHECK_ERR(foreign_verify(&h, span_of(vectors[i].hash), SPAN("password\0"), &match),
                  ERR_INVALID_INPUT);
        CHECK(!match);
    }
}

/* ---- what we make ---- */

static const struct format_policy policy = { .scheme = FORMAT_ARGON2ID,
                                             .memory_kib = 64,
                                             .passes = 2 };
static const uint8_t salt[FORMAT_SALT_BYTES] = "0123456789abcde";

TEST(an_argon2id_hash_of_ours_is_one_to_libargon2)
{
    static char letters[1024];
    char text[FORMAT_TEXT_MAX];
    memset(letters, 'x', sizeof(letters));
    const struct span passwords[] = { SPAN("password"), SPAN(""), { letters, sizeof(letters) } };
    for (size_t i = 0; i < 3; i++) {
        struct format_hash h = { 0 };
        format_make(passwords[i], &policy, salt, &h);
        CHECK(h.scheme == FORMAT_ARGON2ID && !format_is_lanes(&h));
        CHECK_ERR(foreign_make(&h, passwords[i]), ERR_OK);
        size_t length = format_text(&h, text);
        CHECK_INT(length, strlen(text));
        CHECK(span_starts(span_of(text), SPAN("$argon2id$v=19$m=64,t=2,p=1$")));
        CHECK_INT(argon2id_verify(text, passwords[i].data, passwords[i].length), ARGON2_OK);
        CHECK(matches(text, passwords[i]));
        CHECK(!matches(text, SPAN("Password")));
        h = parsed(span_of(text));
        CHECK(format_is_current(&h, passwords[i], &policy));
    }
    struct format_hash h = { 0 };
    format_make(SPAN("a"), &policy, salt, &h);
    CHECK_ERR(foreign_make(&h, SPAN("a\0b")), ERR_INVALID_INPUT);
}

TEST(an_engine_whose_own_hashes_would_be_over_the_bounds_does_not_start)
{
    static const struct {
        uint32_t memory_kib, passes;
        enum err started;
    } table[] = {
        { 16384, 2, ERR_OK },
        { 16385, 2, ERR_CONFIG },
        { 8192, FORMAT_ARGON2_PASSES_MAX, ERR_OK },
        { 8192, FORMAT_ARGON2_PASSES_MAX + 1, ERR_CONFIG },
        { 7, 1, ERR_CONFIG },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        AUTO(password_engine) struct password_engine *e = NULL;
        const struct password_options options = { .threads = 1,
                                                  .queue_max = 1,
                                                  .form = PASSWORD_ARGON2ID,
                                                  .cost = 4,
                                                  .argon2_memory_kib = table[i].memory_kib,
                                                  .argon2_passes = table[i].passes,
                                                  .memory_budget = 16 << 20 };
        CHECK_ERR(password_engine_new(&options, &e), table[i].started);
    }
}

/* ---- memory that runs out ---- */

TEST(without_memory_a_check_is_neither_a_match_nor_none)
{
    int failures = 0;
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        const struct format_hash h = parsed(span_of(vectors[i].hash));
        bool failed = true;
        for (int n = 1; failed; n++) {
            bool match = false;
            fail_allocation(n);
            enum err verified =
                foreign_verify(&h, span_of(vectors[i].hash), span_of(vectors[i].password), &match);
            failed = allocation_failed();
            fail_allocation(0);
            failures += failed;
            CHECK_ERR(verified, failed ? ERR_NOMEM : ERR_OK);
            CHECK(match != failed);
        }
    }
    CHECK(failures > 0);
}

TEST(without_memory_nothing_is_made)
{
    struct format_hash h = { 0 };
    format_make(SPAN("password"), &policy, salt, &h);
    fail_allocation(1);
    CHECK_ERR(foreign_make(&h, SPAN("password")), ERR_NOMEM);
    CHECK(allocation_failed());
    fail_allocation(0);
    CHECK_ERR(foreign_make(&h, SPAN("password")), ERR_OK);
}

/* libxcrypt takes it from the system itself, and says EINVAL. The others' is more than the heap
 * ever keeps for later. */
TEST(libraries_without_memory_give_neither_a_match_nor_none)
{
    static const char *const texts[] = {
        "$7$A6..../....SodiumChloride$X/P8AEWr71zGvFvEVLzpqwhRM07b/QsLKqrolH/tNJ3",
        "$y$j9T$LdJMENpBABJJ3hIHjB1Bi.$u2OTvjfFNnWXgGAOFvgB1vH5NgjtzZuf1aX1t4YvTE.",
        "$scrypt$ln=15,r=16,p=1$MDEyMzQ1Njc4OWFiY2RlZg$QbWh/Zk2zk6DeLfHwmjGy+Vi9Voxtn6D/MPqyKIAaHQ",
        ("$argon2id$v=19$m=65536,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$iVsgHs"
         "qKpzg7U6dDlcqPnhT79YcNJyKhj4VsTp7tFMk"),
    };
    struct rlimit before;
    if (SANITIZED) {
        skip(); /* they need address space without end */
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct format_hash h = parsed(span_of(texts[i]));
        bool match = false;
        CHECK(matches(texts[i], SPAN("password"))); /* the heap now has what the next call takes */
        getrlimit(RLIMIT_AS, &before);
        const struct rlimit none = { .rlim_cur = 1, .rlim_max = before.rlim_max };
        setrlimit(RLIMIT_AS, &none);
        enum err verified = foreign_verify(&h, span_of(texts[i]), SPAN("password"), &match);
        setrlimit(RLIMIT_AS, &before);
        CHECK_ERR(verified, ERR_NOMEM);
        CHECK(!match);
        CHECK(matches(texts[i], SPAN("password")));
    }
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(hashes_that_other_software_made_match_their_password_and_no_other),
              cmocka_unit_test(a_hash_with_a_changed_byte_never_matches),
              cmocka_unit_test(nothing_that_crypt_would_cut_off_matches),
              cmocka_unit_test(a_password_with_nul_is_refused),
              cmocka_unit_test(an_argon2id_hash_of_ours_is_one_to_libargon2),
              cmocka_unit_test(an_engine_whose_own_hashes_would_be_over_the_bounds_does_not_start),
              cmocka_unit_test(without_memory_a_check_is_neither_a_match_nor_none),
              cmocka_unit_test(without_memory_nothing_is_made),
              cmocka_unit_test(libraries_without_memory_give_neither_a_match_nor_none));
}

/* The texts of stored hashes: what is read, what is refused unseen, what is written. */
#include "check.h"
#include "formats.h"

static const struct format_limits widest = { .bcrypt_steps = UINT64_C(1) << FORMAT_COST_MAX,
                                             .memory_bytes = UINT64_MAX };

#define SALT    "MDEyMzQ1Njc4OWFiY2RlZg"
#define DIGEST  "+4O1cR/ZHfYwtjZ33uYszRPubwxIl9hWtJVCubHpl1s"
#define ADAPTED "hRRjgXWkW8ResfIvBP99J/T4vkgEmMRV/0tJTOjR59I"
#define LONG_ADAPTED                                                                               \
    "38DzhdBT7fPaUGBlsh42VTuuKSFAIYGZJ7l6feCDLIl.K3hdPFgxxu7xuUi4gIuH6cEIoODn18xH9Ig2ryNgUw"
#define DJANGO       "Z4GPdLbwlV+9fIPhVualFpo5uloxiA2ahRPNyb6ux0M="
#define CRYPT_SALT   "LdJMENpBABJJ3hIHjB1Bi."
#define CRYPT_DIGEST "kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D"
#define SHA512_DIGEST                                                                              \
    "y48Bb7nF1sRMiGeaFvbjgu4vY62KaISa1uW/eBTptVBZ29RvAW2OElug0Jw7LO9yuzSfMnAcY9bMovKHAEq4h0"
#define BCRYPT_END   "/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"
#define PASSLIB_END  "0123456789abcdefghijke$La8tDoK4PKbdOJk1thP1onTaFAWigly"
#define PASSLIB_BASE "$bcrypt-sha256$v=2,t=2b,r="

static const char *const good[] = {
    "$2b$05$" BCRYPT_END,
    "$2a$31$" BCRYPT_END,
    "$2y$04$" BCRYPT_END,
    PASSLIB_BASE "5$" PASSLIB_END,
    PASSLIB_BASE "31$" PASSLIB_END,
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" DIGEST,
    "$argon2i$v=19$m=256,t=3,p=4$" SALT "$" DIGEST,
    "$scrypt$ln=16,r=8,p=1$" SALT "$" DIGEST,
    "$7$C6..../....SodiumChloride$" CRYPT_DIGEST,
    "$pbkdf2-sha256$29000$" SALT "$" ADAPTED,
    "$pbkdf2-sha512$25000$" SALT "$" LONG_ADAPTED,
    "pbkdf2_sha256$600000$seasalt$" DJANGO,
    "$y$j9T$" CRYPT_SALT "$" CRYPT_DIGEST,
    "$6$saltstring$" SHA512_DIGEST,
    "$6$rounds=656000$saltstring$" SHA512_DIGEST,
};
enum { GOOD_COUNT = sizeof(good) / sizeof(good[0]) };

static bool parses(struct span text)
{
    struct format_hash h = { 0 };
    return format_parse(text, &widest, &h);
}

static struct format_hash parsed(const char *text)
{
    struct format_hash h = { 0 };
    if (!format_parse(span_of(text), &widest, &h)) {
        print_error("\"%s\" does not parse\n", text);
        fail();
    }
    return h;
}

static void check_all(const char *const *texts, size_t count, bool expected)
{
    for (size_t i = 0; i < count; i++) {
        if (parses(span_of(texts[i])) != expected) {
            print_error("\"%s\"\n", texts[i]);
            fail();
        }
    }
}
#define CHECK_REFUSED(texts)  check_all((texts), sizeof(texts) / sizeof((texts)[0]), false)
#define CHECK_ACCEPTED(texts) check_all((texts), sizeof(texts) / sizeof((texts)[0]), true)

/* ---- what is read ---- */

TEST(every_form_is_read)
{
    CHECK_ACCEPTED(good);
}

TEST(parameters_are_what_the_text_says)
{
    struct format_hash h = parsed("$argon2id$v=19$m=19456,t=2,p=3$" SALT "$" DIGEST);
    CHECK(h.scheme == FORMAT_ARGON2ID && !format_is_lanes(&h));
    CHECK(h.memory_kib == 19456 && h.rounds == 2 && h.lanes == 3);
    CHECK(h.salt_length == 16 && memcmp(h.salt, "0123456789abcdef", 16) == 0);
    CHECK(h.digest_length == 32 && h.digest[0] == 0xfb && h.digest[31] == 0x5b);
    h = parsed("$7$C6..../....SodiumChloride$" CRYPT_DIGEST);
    CHECK(h.scheme == FORMAT_SCRYPT_CRYPT && h.cost == 14 && h.block == 8 && h.lanes == 1);
    h = parsed("$y$j9T$" CRYPT_SALT "$" CRYPT_DIGEST);
    CHECK(h.scheme == FORMAT_YESCRYPT && h.cost == 12 && h.block == 32);
    h = parsed("$6$saltstring$" SHA512_DIGEST);
    CHECK(h.scheme == FORMAT_SHA512_CRYPT && h.rounds == 5000);
    h = parsed("pbkdf2_sha256$600000$seasalt$" DJANGO);
    CHECK(h.rounds == 600000 && h.salt_length == 7 && memcmp(h.salt, "seasalt", 7) == 0);
    h = parsed("$2a$12$" BCRYPT_END);
    CHECK(format_is_lanes(&h) && h.cost == 12 && format_minor(&h) == LANE_2A);
    CHECK(h.salt_length == LANE_SALT_BYTES && h.digest_length == LANE_DIGEST_BYTES);
    h = parsed("$2y$12$" BCRYPT_END);
    CHECK(h.letter == 'y' && format_minor(&h) == LANE_2B);
}

TEST(what_is_read_is_written_the_same)
{
    static const char *const texts[] = {
        "$2b$05$" BCRYPT_END,           "$2a$31$" BCRYPT_END,
        "$2y$04$" BCRYPT_END,           PASSLIB_BASE "5$" PASSLIB_END,
        PASSLIB_BASE "12$" PASSLIB_END, "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" DIGEST,
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[FORMAT_TEXT_MAX];
        struct format_hash h = parsed(texts[i]);
        CHECK_INT(format_text(&h, text), strlen(texts[i]));
        CHECK_SPAN(span_of(text), texts[i]);
    }
}

/* bcrypt never looks at them, and old libraries left them in. */
TEST(the_four_bits_after_a_bcrypt_salt_mean_nothing)
{
    const struct format_hash clean = parsed("$2b$05$CCCCCCCCCCCCCCCCCCCCC.S"
                                            "a7shbm4.OzKpvFnX1pQLmQW96oUlCq");
    const struct format_hash stray = parsed("$2b$05$CCCCCCCCCCCCCCCCCCCCC/S"
                                            "a7shbm4.OzKpvFnX1pQLmQW96oUlCq");
    CHECK(memcmp(clean.salt, stray.salt, LANE_SALT_BYTES) == 0);
}

/* ---- what is refused ---- */

TEST(no_prefix_of_a_hash_is_a_hash_and_nothing_may_follow_one)
{
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        struct span whole = span_of(good[i]);
        for (size_t length = 0; length < whole.length; length++) {
            CHECK(!parses(span_slice(whole, 0, length)));
        }
        static const char tails[] = { '\0', '\n', '$', ' ', '=', '.', 'A' };
        for (size_t j = 0; j < sizeof(tails); j++) {
            char longer[FORMAT_TEXT_MAX + 1];
            memcpy(longer, whole.data, whole.length);
            longer[whole.length] = tails[j];
            CHECK(!parses((struct span){ longer, whole.length + 1 }));
        }
    }
    CHECK(!parses(SPAN_NONE));
}

/* Whatever a byte becomes: what still parses stays within every bound. */
TEST(a_changed_byte_is_refused_or_within_the_bounds)
{
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        char text[FORMAT_TEXT_MAX];
        const size_t length = strlen(good[i]);
        memcpy(text, good[i], length);
        for (size_t at = 0; at < length; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                struct format_hash h = { 0 };
                text[at] = (char)byte;
                if (!format_parse((struct span){ text, length }, &widest, &h)) {
                    continue;
                }
                CHECK(byte > ' ' && byte <= '~');
                CHECK(format_is_lanes(&h) || format_steps(&h) <= FORMAT_FOREIGN_STEPS_MAX);
                CHECK(format_memory_bytes(&h) <= FORMAT_MEMORY_MAX);
            }
            text[at] = good[i][at];
        }
    }
}

TEST(unknown_and_weak_forms_are_refused)
{
    static const char *const bad[] = {
        "password",
        "$2x$05$" BCRYPT_END,
        "$2$05$" BCRYPT_END,
        "$2B$05$" BCRYPT_END,
        "$bcrypt-sha256$v=1,t=2b,r=5$" PASSLIB_END,
        "$bcrypt-sha256$v=2,t=2a,r=5$" PASSLIB_END,
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
        "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
        "$argon2d$v=19$m=64,t=2,p=1$" SALT "$" DIGEST,
        "$pbkdf2$29000$" SALT "$hRRjgXWkW8ResfIvBP99J/T4vkg",
        "pbkdf2_sha1$600000$seasalt$MZh7RIXqRLtUkAfoZtkBP1ZVjKo=",
        "$gy$j9T$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$Y$j9T$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$ARGON2ID$v=19$m=64,t=2,p=1$" SALT "$" DIGEST,
        "*0",
        "!$6$saltstring$" SHA512_DIGEST,
        "$\xc3\xa4",
    };
    CHECK_REFUSED(bad);
}

TEST(numbers_have_one_spelling_and_parameters_one_order)
{
    static const char *const bad[] = {
        "$2a$5$" BCRYPT_END,
        "$2a$ 5$" BCRYPT_END,
        "$2a$+5$" BCRYPT_END,
        PASSLIB_BASE "05$" PASSLIB_END,
        PASSLIB_BASE "$" PASSLIB_END,
        PASSLIB_BASE "5,r=6$" PASSLIB_END,
        "$argon2id$m=64,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=16$m=64,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=019$m=64,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$v=19$m=64,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=064,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=+64,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=-64,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m= 64,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=0x40,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=2$" SALT "$" DIGEST,
        "$argon2id$v=19$t=2,m=64,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,m=64,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=2,p=1,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=2,p=1,keyid=AAAA$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=2,p=1$" DIGEST,
        "$scrypt$ln=04,r=8,p=1$" SALT "$" DIGEST,
        "$scrypt$r=8,ln=4,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=4,r=8$" SALT "$" DIGEST,
        "$scrypt$ln=-4,r=8,p=1$" SALT "$" DIGEST,
        "$pbkdf2-sha256$029000$" SALT "$" ADAPTED,
        "$pbkdf2-sha256$-1$" SALT "$" ADAPTED,
        "$pbkdf2-sha256$$" SALT "$" ADAPTED,
        "pbkdf2_sha256$0600000$seasalt$" DJANGO,
        "pbkdf2_sha256$6e5$seasalt$" DJANGO,
        "$6$rounds=05000$saltstring$" SHA512_DIGEST,
        "$6$rounds=$saltstring$" SHA512_DIGEST,
        "$6$rounds=5000$rounds=5000$saltstring$" SHA512_DIGEST,
        "$6$rounds=-5000$saltstring$" SHA512_DIGEST,
    };
    CHECK_REFUSED(bad);
}

TEST(a_salt_or_a_digest_that_is_not_what_its_bytes_encode_to_is_refused)
{
    static const char *const bad[] = {
        "$2a$05$CCCCCCCCCCC$CCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe:",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeX",
        PASSLIB_BASE "5$0123456789abcdefghijkf$La8tDoK4PKbdOJk1thP1onTaFAWigly",
        PASSLIB_BASE "5$0123456789abcdefghijke$La8tDoK4PKbdOJk1thP1onTaFAWiglz",
        "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZh$" DIGEST,
        "$argon2id$v=19$m=64,t=2,p=1$" SALT "==$" DIGEST,
        "$argon2id$v=19$m=64,t=2,p=1$" SALT "$" DIGEST "=",
        "$argon2id$v=19$m=64,t=2,p=1$" SALT "$-4O1cR_ZHfYwtjZ33uYszRPubwxIl9hWtJVCubHpl1s",
        "$argon2id$v=19$m=64,t=2,p=1$" SALT "$" DIGEST "A",
        "$argon2id$v=19$m=64,t=2,p=1$$" DIGEST,
        "$argon2id$v=19$m=64,t=2,p=1$MTIzNDU2Nw$" DIGEST,            /* a salt of 7 bytes */
        "$argon2id$v=19$m=64,t=2,p=1$" SALT "$AAAAAAAAAAAAAAAAAAAA", /* a digest of 15 */
        "$argon2id$v=19$m=64,t=2,p=1$" SALT "$" DIGEST DIGEST,
        "$argon2id$v=19$m=64,t=2,p=1$" DIGEST DIGEST "$" DIGEST,
        "$scrypt$ln=4,r=8,p=1$$" DIGEST,
        "$scrypt$ln=4,r=8,p=1$" SALT "$" SALT,
        "$pbkdf2-sha256$29000$" SALT "$" DIGEST, /* + is not in passlib's alphabet */
        "$pbkdf2-sha256$29000$" SALT "$" LONG_ADAPTED,
        "$pbkdf2-sha512$29000$" SALT "$" ADAPTED,
        "$pbkdf2-sha256$29000$$" ADAPTED,
        "pbkdf2_sha256$600000$$" DJANGO,
        "pbkdf2_sha256$600000$sea salt$" DJANGO,
        "pbkdf2_sha256$600000$sea\xc3\xa4$" DJANGO,
        "pbkdf2_sha256$600000$seasalt$Z4GPdLbwlV+9fIPhVualFpo5uloxiA2ahRPNyb6ux0M",
        "pbkdf2_sha256$600000$seasalt$Z4GPdLbwlV+9fIPhVualFpo5uloxiA2ahRPNyb6ux0N=",
        "pbkdf2_sha256$600000$" SALT SALT SALT "$" DJANGO,
        "$7$C6..../....Sodium$Chloride$" CRYPT_DIGEST,
        "$7$C6..../....Sodium:Chloride$" CRYPT_DIGEST,
        "$7$C6..../....$" CRYPT_DIGEST,
        "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8E",
        "$y$j9T$$" CRYPT_DIGEST,
        "$y$j9T$a$" CRYPT_DIGEST,
        "$y$j9T$a2$" CRYPT_DIGEST,
        "$y$j9T$aaE$" CRYPT_DIGEST,
        "$y$j9T$" CRYPT_DIGEST CRYPT_DIGEST CRYPT_DIGEST "$" CRYPT_DIGEST,
        "$6$$" SHA512_DIGEST,
        "$6$saltstring0123456$" SHA512_DIGEST,
        "$6$salt:string$" SHA512_DIGEST,
        "$6$saltstring$y48Bb7nF1sRMiGeaFvbjgu4vY62KaISa1uW/eBTptVBZ29RvAW2OElug0Jw7LO9yuzSfMnAcY9"
        "bMovKHAEq4h2",
    };
    CHECK_REFUSED(bad);
    CHECK(!parses(SPAN("$6$salt\0string$" SHA512_DIGEST)));
    CHECK(!parses(SPAN("$argon2id$v=19$m=64\0,t=2,p=1$" SALT "$" DIGEST)));
    CHECK(!parses(SPAN("pbkdf2_sha256$600000$sea\0salt$" DJANGO)));
}

TEST(each_parameter_is_accepted_at_its_bound_and_refused_one_past_it)
{
    static const char *const at[] = {
        "$2b$04$" BCRYPT_END,
        "$2b$31$" BCRYPT_END,
        "$argon2id$v=19$m=8,t=1,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=1048576,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=100,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=128,t=1,p=16$" SALT "$" DIGEST,
        "$scrypt$ln=1,r=1,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=20,r=8,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=15,r=1,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=4,r=32,p=16$" SALT "$" DIGEST,
        "$7$I6..../....SodiumChloride$" CRYPT_DIGEST,
        "$7$/U..../....SodiumChloride$" CRYPT_DIGEST,
        "$7$C6....E....SodiumChloride$" CRYPT_DIGEST,
        "$pbkdf2-sha256$1$" SALT "$" ADAPTED,
        "$pbkdf2-sha256$10000000$" SALT "$" ADAPTED,
        "$pbkdf2-sha512$10000000$" SALT "$" LONG_ADAPTED,
        "pbkdf2_sha256$10000000$seasalt$" DJANGO,
        "$y$j7T$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$jFT$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$j7.$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$6$rounds=1000$saltstring$" SHA512_DIGEST,
        "$6$rounds=2000000$saltstring$" SHA512_DIGEST,
    };
    static const char *const past[] = {
        "$2b$00$" BCRYPT_END,
        "$2b$03$" BCRYPT_END,
        "$2b$32$" BCRYPT_END,
        PASSLIB_BASE "3$" PASSLIB_END,
        PASSLIB_BASE "32$" PASSLIB_END,
        "$argon2id$v=19$m=7,t=1,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=1048577,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=0,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=101,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=1,p=0$" SALT "$" DIGEST,
        "$argon2id$v=19$m=127,t=1,p=16$" SALT "$" DIGEST,
        "$argon2id$v=19$m=256,t=1,p=17$" SALT "$" DIGEST,
        "$scrypt$ln=0,r=8,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=21,r=4,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=16,r=1,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=4,r=33,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=4,r=0,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=4,r=8,p=17$" SALT "$" DIGEST,
        "$scrypt$ln=4,r=8,p=0$" SALT "$" DIGEST,
        "$7$.6..../....SodiumChloride$" CRYPT_DIGEST,
        "$7$J2..../....SodiumChloride$" CRYPT_DIGEST,
        "$7$/V..../....SodiumChloride$" CRYPT_DIGEST,
        "$7$C...../....SodiumChloride$" CRYPT_DIGEST,
        "$7$C6.........SodiumChloride$" CRYPT_DIGEST,
        "$7$C6....F....SodiumChloride$" CRYPT_DIGEST,
        "$pbkdf2-sha256$0$" SALT "$" ADAPTED,
        "$pbkdf2-sha256$10000001$" SALT "$" ADAPTED,
        "$pbkdf2-sha512$10000001$" SALT "$" LONG_ADAPTED,
        "pbkdf2_sha256$0$seasalt$" DJANGO,
        "pbkdf2_sha256$10000001$seasalt$" DJANGO,
        "$y$j6T$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$jGT$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$j9U$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$6$rounds=999$saltstring$" SHA512_DIGEST,
        "$6$rounds=2000001$saltstring$" SHA512_DIGEST,
    };
    CHECK_ACCEPTED(at);
    CHECK_REFUSED(past);
}

TEST(what_would_take_hours_or_all_memory_is_refused)
{
    static const char *const bad[] = {
        "$argon2id$v=19$m=4194304,t=1,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=4294967295,t=1,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=4294967304,t=1,p=1$" SALT "$" DIGEST, /* 8, in 32 bits */
        "$argon2id$v=19$m=18446744073709551624,t=1,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=99999999999999999999999,t=1,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=4294967295,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=64,t=4294967297,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=1048576,t=100,p=1$" SALT "$" DIGEST, /* each within, not together */
        "$scrypt$ln=63,r=8,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=20,r=9,p=1$" SALT "$" DIGEST,
        "$scrypt$ln=20,r=8,p=16$" SALT "$" DIGEST,
        "$scrypt$ln=4,r=4294967304,p=1$" SALT "$" DIGEST,
        "$7$zzzzzzzzzzzSodiumChloride$" CRYPT_DIGEST,
        "$7$I6....E....SodiumChloride$" CRYPT_DIGEST,
        "$7$I7..../....SodiumChloride$" CRYPT_DIGEST,
        "$y$jzT$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$j9zzz$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$j9T/z$" CRYPT_SALT "$" CRYPT_DIGEST, /* p; then t, g, and a ROM */
        "$y$j9T0z$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$j9T2z$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$j9T6z$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$.9T$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$/9T$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$k9T$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$y$jHT$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$6$rounds=999999999$saltstring$" SHA512_DIGEST,
        "$6$rounds=18446744073709552616$saltstring$" SHA512_DIGEST,
        "$pbkdf2-sha256$4294967297$" SALT "$" ADAPTED,
    };
    CHECK_REFUSED(bad);
}

TEST(the_limits_of_here_and_now_count_as_well)
{
    const struct format_limits tight = { .bcrypt_steps = 1 << 12, .memory_bytes = 16 << 20 };
    static const struct {
        const char *text;
        bool fits;
    } table[] = {
        { "$2b$12$" BCRYPT_END, true },
        { "$2b$13$" BCRYPT_END, false },
        { PASSLIB_BASE "12$" PASSLIB_END, true },
        { PASSLIB_BASE "13$" PASSLIB_END, false },
        { "$argon2id$v=19$m=16384,t=2,p=1$" SALT "$" DIGEST, true },
        { "$argon2id$v=19$m=16385,t=2,p=1$" SALT "$" DIGEST, false },
        { "$scrypt$ln=14,r=8,p=1$" SALT "$" DIGEST, true },
        { "$scrypt$ln=15,r=8,p=1$" SALT "$" DIGEST, false },
        { "$y$j9T$" CRYPT_SALT "$" CRYPT_DIGEST, true },
        { "$y$jAT$" CRYPT_SALT "$" CRYPT_DIGEST, false },
        { "$pbkdf2-sha256$10000000$" SALT "$" ADAPTED, true },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct format_hash h = { 0 };
        CHECK_INT(format_parse(span_of(table[i].text), &tight, &h), table[i].fits);
        CHECK(table[i].fits || h.digest_length == 0);
    }
}

/* ---- what is made, and what it takes ---- */

TEST(a_hash_is_current_only_in_the_configured_form)
{
    static char letters[LANE_KEY_MAX + 1];
    memset(letters, 'a', sizeof(letters));
    const struct format_policy bcrypt = { .scheme = FORMAT_BCRYPT, .cost = 12 };
    const struct format_policy argon2 = { .scheme = FORMAT_ARGON2ID,
                                          .memory_kib = 19456,
                                          .passes = 2 };
    static const struct {
        const char *text;
        bool bcrypt, bcrypt_long, argon2;
    } table[] = {
        { "$2b$12$" BCRYPT_END, true, false, false },
        { "$2b$11$" BCRYPT_END, false, false, false },
        { "$2a$12$" BCRYPT_END, false, false, false },
        { "$2y$12$" BCRYPT_END, false, false, false },
        { PASSLIB_BASE "12$" PASSLIB_END, false, true, false },
        { PASSLIB_BASE "13$" PASSLIB_END, false, false, false },
        { "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" DIGEST, false, false, true },
        { "$argon2id$v=19$m=19455,t=2,p=1$" SALT "$" DIGEST, false, false, false },
        { "$argon2id$v=19$m=19456,t=3,p=1$" SALT "$" DIGEST, false, false, false },
        { "$argon2id$v=19$m=19456,t=2,p=2$" SALT "$" DIGEST, false, false, false },
        { "$argon2id$v=19$m=19456,t=2,p=1$MTIzNDU2Nzg$" DIGEST, false, false, false },
        { "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" SALT, false, false, false },
        { "$argon2i$v=19$m=19456,t=2,p=1$" SALT "$" DIGEST, false, false, false },
        { "$6$saltstring$" SHA512_DIGEST, false, false, false },
    };
    const struct span longest = { letters, LANE_KEY_MAX };
    const struct span longer = { letters, LANE_KEY_MAX + 1 };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct format_hash h = parsed(table[i].text);
        CHECK_INT(format_is_current(&h, longest, &bcrypt), table[i].bcrypt);
        CHECK_INT(format_is_current(&h, longer, &bcrypt), table[i].bcrypt_long);
        CHECK_INT(format_is_current(&h, longer, &argon2), table[i].argon2);
    }
}

TEST(a_scheme_covers_no_more_of_a_password_than_it_reads)
{
    static char letters[1024];
    static const struct {
        const char *text;
        size_t most;
    } table[] = {
        { "$2b$12$" BCRYPT_END, 72 },
        { "$7$C6..../....SodiumChloride$" CRYPT_DIGEST, 511 },
        { "$y$j9T$" CRYPT_SALT "$" CRYPT_DIGEST, 511 },
        { "$6$saltstring$" SHA512_DIGEST, 511 },
        { PASSLIB_BASE "12$" PASSLIB_END, 1023 },
        { "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" DIGEST, 1023 },
        { "pbkdf2_sha256$1$seasalt$" DJANGO, 1023 },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct format_hash h = parsed(table[i].text);
        CHECK(format_covers(&h, (struct span){ letters, table[i].most }));
        CHECK(table[i].most == 1023 ||
              !format_covers(&h, (struct span){ letters, table[i].most + 1 }));
    }
}

TEST(a_bcrypt_key_is_the_password_cut_to_72_bytes)
{
    char key[LANE_KEY_MAX + 1];
    char letters[LANE_KEY_MAX + 1];
    memset(letters, 'k', sizeof(letters));
    const struct format_hash h = parsed("$2b$12$" BCRYPT_END);
    CHECK_ERR(format_key(&h, SPAN_NONE, key), ERR_OK);
    CHECK_SPAN(span_of(key), "");
    CHECK_ERR(format_key(&h, SPAN("password"), key), ERR_OK);
    CHECK_SPAN(span_of(key), "password");
    CHECK_ERR(format_key(&h, (struct span){ letters, sizeof(letters) }, key), ERR_OK);
    CHECK_INT(strlen(key), LANE_KEY_MAX);
    const struct format_hash sha256 = parsed(PASSLIB_BASE "12$" PASSLIB_END);
    CHECK_ERR(format_key(&sha256, SPAN_NONE, key), ERR_OK);
    CHECK_INT(strlen(key), 44);
}

TEST(dearer_parameters_are_more_steps_and_more_memory)
{
    static const char *const by_steps[] = {
        "pbkdf2_sha256$1$seasalt$" DJANGO,
        "$2b$05$" BCRYPT_END,
        "$y$j9T$" CRYPT_SALT "$" CRYPT_DIGEST,
        "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" DIGEST,
        "$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" DIGEST,
        "pbkdf2_sha256$600000$seasalt$" DJANGO,
        "$2b$12$" BCRYPT_END,
        "$6$rounds=656000$saltstring$" SHA512_DIGEST,
    };
    uint64_t last = 0;
    for (size_t i = 0; i < sizeof(by_steps) / sizeof(by_steps[0]); i++) {
        const struct format_hash h = parsed(by_steps[i]);
        CHECK(format_steps(&h) > last);
        last = format_steps(&h);
    }
    struct format_hash h = parsed("$2b$12$" BCRYPT_END);
    CHECK(format_steps(&h) == 4096 && format_memory_bytes(&h) == 0);
    h = parsed("$argon2i$v=19$m=19456,t=2,p=1$" SALT "$" DIGEST);
    CHECK_INT(format_memory_bytes(&h), 19456 * 1024);
    h = parsed("$y$j9T$" CRYPT_SALT "$" CRYPT_DIGEST);
    CHECK_INT(format_memory_bytes(&h), 16 * 1024 * 1024);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(every_form_is_read),
              cmocka_unit_test(parameters_are_what_the_text_says),
              cmocka_unit_test(what_is_read_is_written_the_same),
              cmocka_unit_test(the_four_bits_after_a_bcrypt_salt_mean_nothing),
              cmocka_unit_test(no_prefix_of_a_hash_is_a_hash_and_nothing_may_follow_one),
              cmocka_unit_test(a_changed_byte_is_refused_or_within_the_bounds),
              cmocka_unit_test(unknown_and_weak_forms_are_refused),
              cmocka_unit_test(numbers_have_one_spelling_and_parameters_one_order),
              cmocka_unit_test(a_salt_or_a_digest_that_is_not_what_its_bytes_encode_to_is_refused),
              cmocka_unit_test(each_parameter_is_accepted_at_its_bound_and_refused_one_past_it),
              cmocka_unit_test(what_would_take_hours_or_all_memory_is_refused),
              cmocka_unit_test(the_limits_of_here_and_now_count_as_well),
              cmocka_unit_test(a_hash_is_current_only_in_the_configured_form),
              cmocka_unit_test(a_scheme_covers_no_more_of_a_password_than_it_reads),
              cmocka_unit_test(a_bcrypt_key_is_the_password_cut_to_72_bytes),
              cmocka_unit_test(dearer_parameters_are_more_steps_and_more_memory));
}

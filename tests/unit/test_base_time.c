#include "check.h"

#include <time.h>

static void check_rfc3339(int64_t unix_ms, const char *expected)
{
    char text[CLOCK_RFC3339_LENGTH + 1];
    memset(text, 'x', sizeof(text));
    clock_rfc3339(unix_ms, text);
    CHECK_SPAN(span_of(text), expected);
}

TEST(instants_are_rfc_3339_with_milliseconds)
{
    check_rfc3339(0, "1970-01-01T00:00:00.000Z");
    check_rfc3339(1, "1970-01-01T00:00:00.001Z");
    check_rfc3339(951782399999, "2000-02-28T23:59:59.999Z");
    check_rfc3339(951782400000, "2000-02-29T00:00:00.000Z");
    check_rfc3339(1795237443123, "2026-11-21T05:04:03.123Z");
    check_rfc3339(4107542400000, "2100-03-01T00:00:00.000Z");
}

TEST(instants_outside_the_years_1970_to_9999_are_clipped)
{
    check_rfc3339(-1, "1970-01-01T00:00:00.000Z");
    check_rfc3339(INT64_MIN, "1970-01-01T00:00:00.000Z");
    check_rfc3339(253402300799999, "9999-12-31T23:59:59.999Z");
    check_rfc3339(253402300800000, "9999-12-31T23:59:59.999Z");
    check_rfc3339(INT64_MAX, "9999-12-31T23:59:59.999Z");
}

static void check_read(const char *text, int64_t expected)
{
    int64_t read = -1;
    CHECK(clock_from_rfc3339(span_of(text), &read));
    CHECK_INT(read, expected);
}

TEST(what_was_written_as_rfc_3339_is_read_again_with_or_without_milliseconds)
{
    check_read("1970-01-01T00:00:00.000Z", 0);
    check_read("2000-02-29T00:00:00.000Z", 951782400000);
    check_read("2026-11-21T05:04:03.123Z", 1795237443123);
    check_read("2026-11-21T05:04:03Z", 1795237443000);
    check_read("2016-12-31T23:59:60Z", 1483228800000);
    check_read("9999-12-31T23:59:59.999Z", 253402300799999);
}

TEST(an_instant_of_another_form_or_a_day_that_never_was_is_refused)
{
    static const char *const wrong[] = {
        "",
        "Z",
        "2026-11-21",
        "2026-11-21T05:04:03",
        "2026-11-21T05:04:03.1Z",
        "2026-11-21T05:04:03+00:00",
        "2026-11-21 05:04:03Z",
        "2026-11-21t05:04:03z",
        "2026-11-21T05:04:03.123Z ",
        " 2026-11-21T05:04:03Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-04-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "1969-12-31T23:59:59Z",
        "-026-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t read = 77;
        CHECK(!clock_from_rfc3339(span_of(wrong[i]), &read));
        CHECK_INT(read, 77);
    }
}

TEST(a_clock_can_be_shifted_and_frozen)
{
    struct clock real = { 0 };
    struct clock ahead = { .offset_ms = 3600000 };
    int64_t before = (int64_t)time(NULL) * 1000;
    int64_t now = clock_now_ms(&real);
    CHECK(now >= before - 1000 && now < before + 60000);
    CHECK(clock_now_ms(&ahead) >= now + 3600000);
    struct clock frozen = { .frozen_ms = 42 };
    CHECK_INT(clock_now_ms(&frozen), 42);
    atomic_store(&frozen.frozen_ms, 43);
    CHECK_INT(clock_now_ms(&frozen), 43);
}

TEST(the_monotonic_clock_never_goes_back)
{
    int64_t last = clock_monotonic_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_us();
        CHECK(now >= last);
        last = now;
    }
}

TEST(a_new_id_is_a_version_7_uuid_of_its_millisecond)
{
    struct uuid id;
    char text[UUID_TEXT_LENGTH + 1];
    CHECK_ERR(uuid_new(0x0123456789ab, &id), ERR_OK);
    uuid_text(id, text);
    CHECK_SPAN(span_slice(span_of(text), 0, 15), "01234567-89ab-7");
    CHECK(strchr("89ab", text[19]) != NULL);
    CHECK_INT(strlen(text), UUID_TEXT_LENGTH);
}

TEST(ids_of_later_milliseconds_sort_behind_and_of_the_same_differ)
{
    struct uuid first;
    struct uuid same;
    struct uuid later;
    CHECK_ERR(uuid_new(1795237443123, &first), ERR_OK);
    CHECK_ERR(uuid_new(1795237443123, &same), ERR_OK);
    CHECK_ERR(uuid_new(1795237443124, &later), ERR_OK);
    CHECK(!uuid_equal(first, same));
    CHECK(memcmp(first.bytes, later.bytes, UUID_BYTES) < 0);
    CHECK(memcmp(same.bytes, later.bytes, UUID_BYTES) < 0);
}

TEST(bytes_that_are_drawn_ahead_are_given_once_whatever_their_lengths)
{
    uint8_t ids[100][16] = { 0 };
    for (size_t i = 0; i < 100; i++) {
        CHECK_ERR(secret_random_ahead(ids[i], i % 2 == 0 ? 16 : 10), ERR_OK);
        for (size_t earlier = 0; earlier < i; earlier++) {
            CHECK(memcmp(ids[earlier], ids[i], 10) != 0);
        }
    }
}

TEST(an_id_is_read_back_in_either_case)
{
    struct uuid id;
    char text[UUID_TEXT_LENGTH + 1];
    CHECK(uuid_parse(SPAN("018BCFE5-6800-7B0A-BE41-84e41f0d759b"), &id));
    uuid_text(id, text);
    CHECK_SPAN(span_of(text), "018bcfe5-6800-7b0a-be41-84e41f0d759b");
    CHECK(!uuid_is_nil(id));
    CHECK(uuid_parse(SPAN("00000000-0000-0000-0000-000000000000"), &id));
    CHECK(uuid_is_nil(id));
}

TEST(every_prefix_of_an_id_and_every_wrong_character_is_refused)
{
    static const char good[] = "018bcfe5-6800-7b0a-be41-84e41f0d759b";
    struct uuid id = { { 7 } };
    for (size_t n = 0; n < UUID_TEXT_LENGTH; n++) {
        CHECK(!uuid_parse((struct span){ .data = good, .length = n }, &id));
        char wrong[UUID_TEXT_LENGTH];
        memcpy(wrong, good, sizeof(wrong));
        wrong[n] = wrong[n] == '-' ? '0' : 'g';
        CHECK(!uuid_parse((struct span){ .data = wrong, .length = sizeof(wrong) }, &id));
    }
    CHECK(!uuid_parse(SPAN("018bcfe5-6800-7b0a-be41-84e41f0d759b0"), &id));
    CHECK(!uuid_parse(SPAN("{18bcfe5-6800-7b0a-be41-84e41f0d759b"), &id));
    CHECK_INT(id.bytes[0], 7);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(instants_are_rfc_3339_with_milliseconds),
        cmocka_unit_test(instants_outside_the_years_1970_to_9999_are_clipped),
        cmocka_unit_test(what_was_written_as_rfc_3339_is_read_again_with_or_without_milliseconds),
        cmocka_unit_test(an_instant_of_another_form_or_a_day_that_never_was_is_refused),
        cmocka_unit_test(a_clock_can_be_shifted_and_frozen),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(a_new_id_is_a_version_7_uuid_of_its_millisecond),
        cmocka_unit_test(ids_of_later_milliseconds_sort_behind_and_of_the_same_differ),
        cmocka_unit_test(bytes_that_are_drawn_ahead_are_given_once_whatever_their_lengths),
        cmocka_unit_test(bytes_that_are_drawn_ahead_are_given_once_whatever_their_lengths),
        cmocka_unit_test(an_id_is_read_back_in_either_case),
        cmocka_unit_test(every_prefix_of_an_id_and_every_wrong_character_is_refused));
}

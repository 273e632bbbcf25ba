#include "check.h"

TEST(a_null_c_string_is_the_empty_span)
{
    CHECK_INT(span_of(NULL).length, 0);
    CHECK(span_of(NULL).data == NULL);
    CHECK(span_equal(span_of(NULL), SPAN("")));
}

TEST(equality_looks_at_every_byte_and_the_length)
{
    CHECK(span_equal(SPAN("a\0b"), SPAN("a\0b")));
    CHECK(!span_equal(SPAN("a\0b"), SPAN("a\0c")));
    CHECK(!span_equal(SPAN("ab"), SPAN("abc")));
    CHECK(span_equal_nocase(SPAN("Content-LENGTH"), SPAN("content-length")));
    CHECK(!span_equal_nocase(SPAN("@[`{"), SPAN("`{@[")));
    CHECK(!span_equal_nocase(SPAN("\xc3\x84"), SPAN("\xc3\xa4")));
}

TEST(a_prefix_longer_than_the_text_is_no_prefix)
{
    CHECK(span_starts(SPAN("abc"), SPAN("abc")));
    CHECK(span_starts(SPAN("abc"), SPAN("")));
    CHECK(span_starts(SPAN_NONE, SPAN("")));
    CHECK(!span_starts(SPAN("ab"), SPAN("abc")));
    CHECK(!span_starts(SPAN("abc"), SPAN("b")));
}

TEST(find_gives_the_length_when_there_is_no_such_character)
{
    CHECK_INT(span_find(SPAN("a:b:c"), ':'), 1);
    CHECK_INT(span_find(SPAN("abc"), ':'), 3);
    CHECK_INT(span_find(SPAN_NONE, ':'), 0);
    CHECK_INT(span_find(SPAN("ab"), '\0'), 2);
}

TEST(slices_are_clipped_to_the_text)
{
    CHECK_SPAN(span_slice(SPAN("hello"), 1, 3), "ell");
    CHECK_SPAN(span_slice(SPAN("hello"), 3, SIZE_MAX), "lo");
    CHECK_SPAN(span_slice(SPAN("hello"), 6, 1), "");
    CHECK_SPAN(span_from(SPAN("hello"), 2), "llo");
    CHECK_SPAN(span_from(SPAN("hello"), SIZE_MAX), "");
    CHECK_SPAN(span_from(SPAN_NONE, 1), "");
}

TEST(trim_takes_spaces_and_tabs_and_nothing_else)
{
    CHECK_SPAN(span_trim(SPAN(" \t a b\t ")), "a b");
    CHECK_SPAN(span_trim(SPAN(" \t ")), "");
    CHECK_SPAN(span_trim(SPAN_NONE), "");
    CHECK_SPAN(span_trim(SPAN("\r\na\v")), "\r\na\v");
}

TEST(split_gives_empty_pieces_and_ends_after_the_last)
{
    struct span rest = SPAN(",a,,bc,");
    const char *const expected[] = { "", "a", "", "bc", "" };
    struct span piece;
    for (size_t i = 0; i < 5; i++) {
        CHECK(span_split(&rest, ',', &piece));
        CHECK_SPAN(piece, expected[i]);
    }
    CHECK(!span_split(&rest, ',', &piece));
    CHECK(!span_split(&rest, ',', &piece));
}

TEST(numbers_are_digits_only_and_at_most_the_maximum)
{
    uint64_t value = 7;
    CHECK(span_to_u64(SPAN("0"), 0, &value));
    CHECK_INT(value, 0);
    CHECK(span_to_u64(SPAN("007"), 10, &value));
    CHECK_INT(value, 7);
    CHECK(span_to_u64(SPAN("18446744073709551615"), UINT64_MAX, &value));
    CHECK(value == UINT64_MAX);
    value = 7;
    CHECK(!span_to_u64(SPAN("18446744073709551616"), UINT64_MAX, &value));
    CHECK(!span_to_u64(SPAN("99999999999999999999999"), UINT64_MAX, &value));
    CHECK(!span_to_u64(SPAN("101"), 100, &value));
    CHECK(!span_to_u64(SPAN("9"), 8, &value));
    const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "\xd9\xa1" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!span_to_u64(span_of(bad[i]), UINT64_MAX, &value));
    }
    CHECK_INT(value, 7);
}

TEST(the_first_and_last_code_point_of_each_length_is_utf8)
{
    CHECK(span_is_utf8(SPAN("")));
    CHECK(span_is_utf8(SPAN("\0 \x7f")));
    CHECK(span_is_utf8(SPAN("\xc2\x80 \xdf\xbf")));
    CHECK(span_is_utf8(SPAN("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf")));
    CHECK(span_is_utf8(SPAN("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
    CHECK_INT(span_utf8_length(SPAN("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

TEST(overlong_forms_surrogates_and_strangers_are_not_utf8)
{
    const struct span bad[] = {
        SPAN("\x80"),         SPAN("\xbf"),
        SPAN("\xc0\x80"),     SPAN("\xc1\xbf"),
        SPAN("\xe0\x9f\xbf"), SPAN("\xf0\x8f\xbf\xbf"),
        SPAN("\xed\xa0\x80"), SPAN("\xed\xbf\xbf"),
        SPAN("\xf5\x80\x80"), SPAN("\xf4\x90\x80\x80"),
        SPAN("\xfe"),         SPAN("\xff"),
        SPAN("a\xc3"),        SPAN("\xc3(\xa4"),
        SPAN("\xe2\x82"),     SPAN("\xf8\x88\x80\x80\x80"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!span_is_utf8(bad[i]));
    }
}

TEST(every_proper_prefix_of_a_long_code_point_is_refused)
{
    const struct span whole = SPAN("\xf0\x9f\x98\x80");
    uint32_t code = 1;
    for (size_t n = 0; n < whole.length; n++) {
        CHECK_INT(span_utf8_next(span_slice(whole, 0, n), &code), 0);
    }
    CHECK_INT(code, 1);
    CHECK_INT(span_utf8_next(whole, &code), 4);
    CHECK_INT(code, 0x1f600);
}

static struct span encode(struct span bytes, char *out)
{
    return (struct span){ .data = out, .length = span_base64url(bytes, out) };
}

TEST(base64url_prints_the_vectors_of_rfc_4648_without_padding)
{
    static const char *const vectors[][2] = {
        { "", "" },           { "f", "Zg" },          { "fo", "Zm8" },          { "foo", "Zm9v" },
        { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" },
    };
    char text[16];
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        CHECK_SPAN(encode(span_of(vectors[i][0]), text), vectors[i][1]);
    }
    CHECK_SPAN(encode(SPAN("\xfb\xff\xbf"), text), "-_-_");
}

TEST(what_base64url_prints_is_read_back_for_every_length)
{
    char bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(i * 37 + 11);
    }
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        char text[88];
        uint8_t back[64];
        size_t length = 99;
        struct span in = { .data = bytes, .length = n };
        struct span encoded = encode(in, text);
        CHECK_INT(encoded.length, (n * 4 + 2) / 3);
        CHECK(span_from_base64url(encoded, back, n, &length));
        CHECK(span_equal((struct span){ .data = (char *)back, .length = length }, in));
        CHECK(n == 0 || !span_from_base64url(encoded, back, n - 1, &length));
    }
}

TEST(base64url_takes_one_text_for_a_value_and_writes_nothing_otherwise)
{
    const struct span bad[] = {
        SPAN("Z"),     SPAN("Zh"),   SPAN("Zm9"),  SPAN("Zg=="),  SPAN("Zg="),   SPAN("Zm9v\n"),
        SPAN(" Zm9v"), SPAN("Zm+v"), SPAN("Zm/v"), SPAN("Zm\0v"), SPAN("Zm9vY"), SPAN("Zm\xc3v"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t out[8] = { 0xaa, 0xaa };
        size_t length = 99;
        CHECK(!span_from_base64url(bad[i], out, sizeof(out), &length));
        CHECK_INT(length, 99);
        CHECK_INT(out[0], 0xaa);
    }
}

TEST(of_all_texts_of_two_digits_only_one_a_byte_is_taken)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned taken = 0;
    for (size_t i = 0; i < 64; i++) {
        for (size_t j = 0; j < 64; j++) {
            char text[2] = { digits[i], digits[j] };
            uint8_t byte = 0;
            size_t length = 0;
            struct span s = { .data = text, .length = 2 };
            taken += span_from_base64url(s, &byte, 1, &length);
        }
    }
    CHECK_INT(taken, 256);
}

TEST(padded_base64_is_read_strictly)
{
    uint8_t out[8];
    size_t length = 0;
    CHECK(span_from_base64(SPAN(""), out, 8, &length));
    CHECK_INT(length, 0);
    CHECK(span_from_base64(SPAN("Zm9vYg=="), out, 4, &length));
    CHECK_INT(length, 4);
    CHECK(span_from_base64(SPAN("+/+/"), out, 3, &length));
    CHECK_INT(out[0], 0xfb);
    static const char *const bad[] = { "Zg",   "Zg=",  "Zh==", "Zg===",  "=",
                                       "==",   "====", "Z===", "Zm9vZg", "Zg==Zm9v",
                                       "Zm9-", "Zm9_", "Zm9\n" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!span_from_base64(span_of(bad[i]), out, sizeof(out), &length));
    }
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_null_c_string_is_the_empty_span),
              cmocka_unit_test(equality_looks_at_every_byte_and_the_length),
              cmocka_unit_test(a_prefix_longer_than_the_text_is_no_prefix),
              cmocka_unit_test(find_gives_the_length_when_there_is_no_such_character),
              cmocka_unit_test(slices_are_clipped_to_the_text),
              cmocka_unit_test(trim_takes_spaces_and_tabs_and_nothing_else),
              cmocka_unit_test(split_gives_empty_pieces_and_ends_after_the_last),
              cmocka_unit_test(numbers_are_digits_only_and_at_most_the_maximum),
              cmocka_unit_test(the_first_and_last_code_point_of_each_length_is_utf8),
              cmocka_unit_test(overlong_forms_surrogates_and_strangers_are_not_utf8),
              cmocka_unit_test(every_proper_prefix_of_a_long_code_point_is_refused),
              cmocka_unit_test(base64url_prints_the_vectors_of_rfc_4648_without_padding),
              cmocka_unit_test(what_base64url_prints_is_read_back_for_every_length),
              cmocka_unit_test(base64url_takes_one_text_for_a_value_and_writes_nothing_otherwise),
              cmocka_unit_test(of_all_texts_of_two_digits_only_one_a_byte_is_taken),
              cmocka_unit_test(padded_base64_is_read_strictly));
}

#include "check.h"

#include <stdalign.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- buf ---- */

TEST(a_buffer_takes_exactly_its_ceiling_and_refuses_one_byte_more)
{
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++) {
        buf_add_char(&b, 'x');
    }
    CHECK_ERR(buf_result(&b), ERR_OK);
    CHECK_INT(buf_span(&b).length, 1000);
    buf_add_char(&b, 'y');
    CHECK_ERR(buf_result(&b), ERR_NOMEM);
    CHECK_INT(buf_span(&b).length, 1000);
    buf_done(&b);
}

TEST(a_failed_buffer_refuses_every_later_write_until_it_is_reset)
{
    struct buf b;
    buf_init(&b, 4);
    buf_add_text(&b, "12345");
    buf_add_text(&b, "1");
    buf_printf(&b, "%d", 1);
    CHECK(buf_room(&b, 0) == NULL);
    CHECK_ERR(buf_result(&b), ERR_NOMEM);
    CHECK_INT(buf_span(&b).length, 0);
    buf_reset(&b);
    buf_add_text(&b, "1234");
    CHECK_ERR(buf_result(&b), ERR_OK);
    CHECK_SPAN(buf_span(&b), "1234");
    buf_done(&b);
}

TEST(printing_may_fill_a_buffer_to_the_last_byte)
{
    struct buf b;
    buf_init(&b, 6);
    buf_printf(&b, "%s", "abc");
    buf_printf(&b, "%03d", 7);
    CHECK_ERR(buf_result(&b), ERR_OK);
    CHECK_SPAN(buf_span(&b), "abc007");
    buf_printf(&b, "%s", "");
    CHECK_ERR(buf_result(&b), ERR_OK);
    buf_printf(&b, "%c", 'x');
    CHECK_ERR(buf_result(&b), ERR_NOMEM);
    buf_done(&b);
}

TEST(a_buffer_prints_numbers_up_to_the_largest)
{
    struct buf b;
    buf_init(&b, 100);
    buf_add_u64(&b, 0);
    buf_add_char(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    CHECK_SPAN(buf_span(&b), "0 18446744073709551615");
    buf_done(&b);
}

TEST(dropping_from_the_front_keeps_the_rest_and_wipes_behind_it)
{
    struct buf b;
    buf_init(&b, 100);
    buf_add_text(&b, "head,tail");
    buf_drop(&b, 5);
    CHECK_SPAN(buf_span(&b), "tail");
    CHECK(memcmp(b.data + 4, "\0\0\0\0\0", 5) == 0);
    buf_drop(&b, 4);
    CHECK_INT(buf_span(&b).length, 0);
    buf_drop(&b, 0);
    buf_done(&b);
}

TEST(a_reset_wipes_what_the_buffer_held)
{
    struct buf b;
    buf_init(&b, 100);
    buf_add_text(&b, "password");
    buf_reset(&b);
    CHECK(memcmp(b.data, "\0\0\0\0\0\0\0\0", 8) == 0);
    buf_done(&b);
}

TEST(room_can_be_written_and_then_counted)
{
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 3; i++) {
        char *room = buf_room(&b, 300);
        CHECK(room != NULL);
        memset(room, 'a' + i, 300);
        buf_used(&b, 200);
    }
    CHECK_INT(buf_span(&b).length, 600);
    CHECK_INT(b.data[199], 'a');
    CHECK_INT(b.data[200], 'b');
    CHECK_INT(b.data[599], 'c');
    CHECK(buf_room(&b, 401) == NULL);
    CHECK_ERR(buf_result(&b), ERR_NOMEM);
    buf_done(&b);
    buf_done(&b);
}

TEST(an_untouched_buffer_is_empty_and_costs_nothing)
{
    struct buf b;
    buf_init(&b, 0);
    buf_add(&b, SPAN_NONE);
    buf_add_text(&b, NULL);
    CHECK_ERR(buf_result(&b), ERR_OK);
    CHECK_INT(buf_span(&b).length, 0);
    buf_reset(&b);
    buf_done(&b);
}

/* ---- arena ---- */

TEST(an_arena_gives_zeroed_aligned_pieces_that_do_not_overlap)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    char *before = NULL;
    for (size_t size = 0; size < 300; size++) {
        char *piece = arena_get(&a, size);
        CHECK(piece != NULL && piece != before);
        CHECK_INT((uintptr_t)piece % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            CHECK_INT(piece[i], 0);
        }
        memset(piece, 0xff, size);
        before = piece;
    }
    arena_done(&a);
}

TEST(an_arena_gives_nothing_past_its_ceiling_and_goes_on_below_it)
{
    struct arena a;
    arena_init(&a, 1024);
    CHECK(arena_get(&a, 1025) == NULL);
    CHECK(arena_get(&a, SIZE_MAX) == NULL);
    CHECK(arena_get(&a, 1000) != NULL);
    CHECK(arena_get(&a, 32) == NULL);
    CHECK(arena_get(&a, 16) != NULL);
    CHECK(arena_get(&a, 1) == NULL);
    arena_reset(&a);
    CHECK(arena_get(&a, 1024) != NULL);
    arena_done(&a);
}

TEST(a_product_that_overflows_is_refused)
{
    struct arena a;
    arena_init(&a, SIZE_MAX);
    CHECK(arena_get_array(&a, SIZE_MAX / 2, 3) == NULL);
    CHECK(ARENA_ARRAY(&a, uint64_t, SIZE_MAX / 8 + 2) == NULL);
    CHECK(arena_get_array(&a, SIZE_MAX, 0) != NULL);
    CHECK(ARENA_ARRAY(&a, uint64_t, 4) != NULL);
    arena_done(&a);
}

TEST(a_reset_arena_keeps_one_chunk_and_gives_it_out_wiped)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    char *first = arena_get(&a, 64);
    CHECK(first != NULL);
    memcpy(first, "password", 8);
    for (int i = 0; i < 10; i++) {
        CHECK(arena_get(&a, 5000) != NULL);
    }
    arena_reset(&a);
    CHECK_INT(a.used_bytes, 0);
    CHECK(memcmp(first, "\0\0\0\0\0\0\0\0", 8) == 0);
    CHECK(arena_get(&a, 64) == first);
    arena_done(&a);
    arena_done(&a);
}

TEST(a_reset_arena_does_not_keep_a_large_chunk)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    CHECK(arena_get(&a, 100000) != NULL);
    CHECK(arena_get(&a, 64) != NULL);
    arena_reset(&a);
    CHECK(a.chunks == NULL);
    CHECK(arena_get(&a, 64) != NULL);
    arena_done(&a);
}

TEST(a_copy_in_an_arena_is_whole_and_has_a_nul_behind)
{
    struct arena a;
    struct span copy;
    arena_init(&a, 64);
    CHECK_ERR(arena_copy(&a, SPAN("a\0b"), &copy), ERR_OK);
    CHECK(span_equal(copy, SPAN("a\0b")));
    CHECK_INT(copy.data[3], 0);
    CHECK_ERR(arena_copy(&a, SPAN_NONE, &copy), ERR_OK);
    CHECK(copy.data != NULL && copy.length == 0);
    CHECK_ERR(arena_copy(&a, (struct span){ .data = "", .length = 64 }, &copy), ERR_NOMEM);
    CHECK(copy.data == NULL && copy.length == 0);
    arena_done(&a);
}

TEST(printing_into_an_arena_that_is_full_writes_no_result)
{
    struct arena a;
    struct span text = SPAN("before");
    arena_init(&a, 16);
    CHECK_ERR(arena_printf(&a, &text, "%016d", 1), ERR_NOMEM);
    CHECK_SPAN(text, "before");
    CHECK_ERR(arena_printf(&a, &text, "%015d", 1), ERR_OK);
    CHECK_SPAN(text, "000000000000001");
    arena_done(&a);
}

/* ---- secret ---- */

TEST(a_secret_is_a_copy_of_its_own)
{
    char bytes[] = "key";
    AUTO(secret) struct secret *s = secret_copy(span_of(bytes));
    bytes[0] = 'x';
    CHECK_SPAN(secret_span(s), "key");
    AUTO(secret) struct secret *empty = secret_copy(SPAN_NONE);
    CHECK_INT(secret_span(empty).length, 0);
    CHECK(secret_new(SIZE_MAX) == NULL);
    secret_free(NULL);
}

TEST(secrets_compare_by_all_bytes_and_the_length)
{
    CHECK(secret_equal(SPAN("abc"), SPAN("abc")));
    CHECK(secret_equal(SPAN_NONE, SPAN("")));
    CHECK(!secret_equal(SPAN("abc"), SPAN("abd")));
    CHECK(!secret_equal(SPAN("abc"), SPAN("bbc")));
    CHECK(!secret_equal(SPAN("abc"), SPAN("ab")));
}

TEST(random_bytes_differ_and_a_wipe_leaves_zeros)
{
    uint8_t a[32] = { 0 };
    uint8_t b[32] = { 0 };
    static const uint8_t zeros[32];
    CHECK_ERR(secret_random(a, sizeof(a)), ERR_OK);
    CHECK_ERR(secret_random(b, sizeof(b)), ERR_OK);
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK(memcmp(a, zeros, sizeof(a)) != 0);
    secret_wipe(a, sizeof(a));
    CHECK(memcmp(a, zeros, sizeof(a)) == 0);
    secret_wipe(NULL, 0);
}

TEST(a_secret_file_is_private_when_only_we_or_root_may_read_it)
{
    struct stat own = { .st_uid = geteuid(), .st_mode = S_IFREG | 0600 };
    CHECK(secret_file_is_private(&own));
    own.st_mode = S_IFREG | 0604;
    CHECK(!secret_file_is_private(&own));
    own.st_mode = S_IFREG | 0620;
    CHECK(!secret_file_is_private(&own));
    struct stat strangers = { .st_uid = geteuid() + 1, .st_mode = S_IFREG | 0600 };
    CHECK(!secret_file_is_private(&strangers));
    struct stat mounted = { .st_uid = 0, .st_mode = S_IFREG | 0440 };
    CHECK(secret_file_is_private(&mounted) == (geteuid() != 0));
}

/* ---- memory that goes back ---- */

TEST(memory_goes_back_when_a_quarter_of_many_things_has_gone)
{
    size_t most = 0;
    CHECK(!memory_has_gone(&most, 1000));
    CHECK(!memory_has_gone(&most, 751));
    CHECK(memory_has_gone(&most, 750));
    CHECK(!memory_has_gone(&most, 750));
    CHECK(!memory_has_gone(&most, 900));
    CHECK(memory_has_gone(&most, 600));
}

TEST(memory_of_few_things_stays_but_for_the_last_of_many)
{
    size_t most = 0;
    CHECK(!memory_has_gone(&most, 63));
    CHECK(!memory_has_gone(&most, 0));
    CHECK(!memory_has_gone(&most, 64));
    CHECK(memory_has_gone(&most, 0));
    CHECK(!memory_has_gone(&most, 0));
    CHECK(!memory_has_gone(&most, 100));
    CHECK(memory_has_gone(&most, 20));
    CHECK(!memory_has_gone(&most, 10));
    CHECK(memory_has_gone(&most, 0));
    CHECK(!memory_has_gone(&most, 0));
}

TEST(giving_memory_back_harms_none_that_is_in_use)
{
    enum { PIECES = 2000, BYTES = 600 };
    char *pieces[PIECES];
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = malloc(BYTES);
        CHECK(pieces[i] != NULL);
        memset(pieces[i], i % 128, BYTES);
    }
    for (int i = 0; i < PIECES; i += 2) {
        free(pieces[i]);
    }
    memory_give_back();
    for (int i = 1; i < PIECES; i += 2) {
        CHECK(pieces[i][0] == i % 128 && pieces[i][BYTES - 1] == i % 128);
        free(pieces[i]);
    }
    memory_give_back();
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_buffer_takes_exactly_its_ceiling_and_refuses_one_byte_more),
              cmocka_unit_test(a_failed_buffer_refuses_every_later_write_until_it_is_reset),
              cmocka_unit_test(printing_may_fill_a_buffer_to_the_last_byte),
              cmocka_unit_test(a_buffer_prints_numbers_up_to_the_largest),
              cmocka_unit_test(dropping_from_the_front_keeps_the_rest_and_wipes_behind_it),
              cmocka_unit_test(a_reset_wipes_what_the_buffer_held),
              cmocka_unit_test(room_can_be_written_and_then_counted),
              cmocka_unit_test(an_untouched_buffer_is_empty_and_costs_nothing),
              cmocka_unit_test(an_arena_gives_zeroed_aligned_pieces_that_do_not_overlap),
              cmocka_unit_test(an_arena_gives_nothing_past_its_ceiling_and_goes_on_below_it),
              cmocka_unit_test(a_product_that_overflows_is_refused),
              cmocka_unit_test(a_reset_arena_keeps_one_chunk_and_gives_it_out_wiped),
              cmocka_unit_test(a_reset_arena_does_not_keep_a_large_chunk),
              cmocka_unit_test(a_copy_in_an_arena_is_whole_and_has_a_nul_behind),
              cmocka_unit_test(printing_into_an_arena_that_is_full_writes_no_result),
              cmocka_unit_test(a_secret_is_a_copy_of_its_own),
              cmocka_unit_test(secrets_compare_by_all_bytes_and_the_length),
              cmocka_unit_test(random_bytes_differ_and_a_wipe_leaves_zeros),
              cmocka_unit_test(a_secret_file_is_private_when_only_we_or_root_may_read_it),
              cmocka_unit_test(memory_goes_back_when_a_quarter_of_many_things_has_gone),
              cmocka_unit_test(memory_of_few_things_stays_but_for_the_last_of_many),
              cmocka_unit_test(giving_memory_back_harms_none_that_is_in_use));
}

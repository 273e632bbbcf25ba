/* Refresh tokens: the same fields give the same token, and nothing else is one. */
#include "test_token_world.h"

#define LENGTH 82

struct world {
    struct tokens *t;
    struct arena a;
    struct span token;
};

static void open_world(struct world *w)
{
    struct token_refresh fields = { .counter = 0x0102030405060708 };
    w->t = open_tokens("HS256");
    arena_init(&w->a, 256 * 1024);
    memset(fields.session_id.bytes, 0x33, UUID_BYTES);
    fields.master_key = token_master_id(w->t);
    CHECK_ERR(token_refresh_make(w->t, &fields, &w->a, &w->token), ERR_OK);
}
static void close_world(struct world *w)
{
    arena_done(&w->a);
    token_close(w->t);
}

TEST(a_refresh_token_says_what_it_was_made_of)
{
    struct world w;
    struct token_refresh fields;
    open_world(&w);
    CHECK_INT(w.token.length, LENGTH);
    CHECK_ERR(token_refresh_parse(w.t, w.token, &w.a, &fields), ERR_OK);
    CHECK_INT(fields.counter, 0x0102030405060708);
    CHECK_INT(fields.session_id.bytes[0], 0x33);
    CHECK_INT(fields.session_id.bytes[UUID_BYTES - 1], 0x33);
    CHECK(span_equal(fields.master_key, token_master_id(w.t)));
    close_world(&w);
}

TEST(the_same_fields_give_the_same_token_and_other_fields_another)
{
    struct world w;
    struct token_refresh fields;
    struct span other;
    open_world(&w);
    CHECK_ERR(token_refresh_parse(w.t, w.token, &w.a, &fields), ERR_OK);
    CHECK_ERR(token_refresh_make(w.t, &fields, &w.a, &other), ERR_OK);
    CHECK(span_equal(w.token, other));
    fields.counter++;
    CHECK_ERR(token_refresh_make(w.t, &fields, &w.a, &other), ERR_OK);
    CHECK(!span_equal(w.token, other));
    fields.counter = INT64_MAX;
    CHECK_ERR(token_refresh_make(w.t, &fields, &w.a, &other), ERR_OK);
    CHECK_ERR(token_refresh_parse(w.t, other, &w.a, &fields), ERR_OK);
    CHECK_INT(fields.counter, INT64_MAX);
    close_world(&w);
}

/* Made with Python's hmac and hashlib: a later version must still make and take the same text. */
TEST(the_form_is_the_documented_one)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct token_refresh fields = { .counter = 7, .master_key = token_master_id(t) };
    struct arena a;
    struct span token;
    memset(fields.session_id.bytes, 0x33, UUID_BYTES);
    arena_init(&a, 1024);
    CHECK_ERR(token_refresh_make(t, &fields, &a, &token), ERR_OK);
    CHECK_SPAN(token, "AcWvCnAzMzMzMzMzMzMzMzMzMzMzAAAAAAAAAAd4BoYCEEFlLqnEt8qO_x-yD0vwF5VGEVvrOJIm"
                      "2f5nzg");
    CHECK_SPAN(token_master_id(t), "c5af0a70");
    arena_done(&a);
}

static void check_name_hash(const struct tokens *t, struct span name, const char *expected)
{
    uint8_t hash[TOKEN_NAME_HASH_BYTES];
    char text[2 * sizeof(hash) + 1];
    CHECK_ERR(token_name_hash(t, name, hash), ERR_OK);
    for (size_t i = 0; i < sizeof(hash); i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal(text, expected);
}

/* Made with Python's hmac and hashlib: what is counted must go on in a later version. */
TEST(the_hash_of_a_name_is_the_documented_one)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    AUTO(token) struct tokens *other = open_tokens("HS256");
    check_name_hash(t, SPAN("username:ann"), "4cf984c0d63524d9303e47130e6a3133");
    check_name_hash(other, SPAN("username:ann"), "4cf984c0d63524d9303e47130e6a3133");
    check_name_hash(t, SPAN("email:ann"), "6924697c7c93f8aa492396cefdd052d2");
    check_name_hash(t, SPAN(""), "ff960b114884f509fb2fe6796956b941");
}

static void check_junk(struct world *w, struct span token)
{
    struct token_refresh fields = { .counter = -1 };
    CHECK_ERR(token_refresh_parse(w->t, token, &w->a, &fields), ERR_INVALID_REFRESH);
    CHECK_INT(fields.counter, -1);
}

TEST(every_single_bit_flip_is_refused)
{
    struct world w;
    struct text token = { .length = 0 };
    open_world(&w);
    text_add(&token, w.token);
    for (size_t bit = 0; bit < 8 * token.length; bit++) {
        token.data[bit / 8] = (char)(token.data[bit / 8] ^ (1 << bit % 8));
        check_junk(&w, text_span(&token));
        token.data[bit / 8] = (char)(token.data[bit / 8] ^ (1 << bit % 8));
    }
    close_world(&w);
}

TEST(every_prefix_longer_text_and_other_spelling_is_refused)
{
    static const char *const tails[] = { "=", "==", "A", "\n", " ", "." };
    struct world w;
    open_world(&w);
    for (size_t length = 0; length < w.token.length; length++) {
        check_junk(&w, span_slice(w.token, 0, length));
    }
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        struct text token = { .length = 0 };
        text_add(&token, w.token);
        text_add(&token, span_of(tails[i]));
        check_junk(&w, text_span(&token));
    }
    check_junk(&w, SPAN_NONE);
    close_world(&w);
}

TEST(random_bytes_in_the_right_form_are_refused)
{
    struct world w;
    open_world(&w);
    for (int i = 0; i < 200; i++) {
        uint8_t bytes[61];
        struct text token = { .length = 0 };
        CHECK_ERR(secret_random(bytes, sizeof(bytes)), ERR_OK);
        bytes[0] = 1;
        memcpy(bytes + 1, w.t->masters.list[0].id, MASTER_ID_BYTES);
        text_add_base64url(&token, (struct span){ (const char *)bytes, sizeof(bytes) });
        CHECK_INT(token.length, LENGTH);
        check_junk(&w, text_span(&token));
    }
    close_world(&w);
}

TEST(a_token_of_another_master_key_is_refused_and_one_of_an_old_key_still_served)
{
    struct world w;
    struct token_refresh fields;
    struct span again;
    struct token_options o = options_for("HS256");
    AUTO(token) struct tokens *other = NULL;
    AUTO(token) struct tokens *rotated = NULL;
    open_world(&w);
    o.master[0] = SPAN(MASTER_2);
    CHECK_ERR(token_open(&o, &other), ERR_OK);
    CHECK_ERR(token_refresh_parse(other, w.token, &w.a, &fields), ERR_INVALID_REFRESH);
    o.master[1] = SPAN(MASTER_1);
    o.master_count = 2;
    CHECK_ERR(token_open(&o, &rotated), ERR_OK);
    CHECK(span_equal(token_master_id(rotated), token_master_id(other)));
    CHECK_ERR(token_refresh_parse(rotated, w.token, &w.a, &fields), ERR_OK);
    CHECK(span_equal(fields.master_key, token_master_id(w.t)));
    CHECK_ERR(token_refresh_make(rotated, &fields, &w.a, &again), ERR_OK);
    CHECK(span_equal(again, w.token));
    CHECK_ERR(token_refresh_make(other, &fields, &w.a, &again), ERR_INVALID_REFRESH);
    close_world(&w);
}

TEST(the_signing_algorithm_has_no_part_in_refresh_tokens)
{
    struct world w;
    struct token_refresh fields;
    AUTO(token) struct tokens *es = open_tokens("ES256");
    open_world(&w);
    CHECK_ERR(token_refresh_parse(es, w.token, &w.a, &fields), ERR_OK);
    close_world(&w);
}

TEST(an_arena_that_is_too_small_is_reported)
{
    struct world w;
    struct arena tiny;
    struct token_refresh fields = { .counter = 1 };
    struct span token;
    open_world(&w);
    fields.master_key = token_master_id(w.t);
    arena_init(&tiny, 4);
    CHECK_ERR(token_refresh_make(w.t, &fields, &tiny, &token), ERR_NOMEM);
    CHECK_ERR(token_refresh_parse(w.t, w.token, &tiny, &fields), ERR_NOMEM);
    arena_done(&tiny);
    close_world(&w);
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(a_refresh_token_says_what_it_was_made_of),
              cmocka_unit_test(the_same_fields_give_the_same_token_and_other_fields_another),
              cmocka_unit_test(the_form_is_the_documented_one),
              cmocka_unit_test(the_hash_of_a_name_is_the_documented_one),
              cmocka_unit_test(every_single_bit_flip_is_refused),
              cmocka_unit_test(every_prefix_longer_text_and_other_spelling_is_refused),
              cmocka_unit_test(random_bytes_in_the_right_form_are_refused),
              cmocka_unit_test(
                  a_token_of_another_master_key_is_refused_and_one_of_an_old_key_still_served),
              cmocka_unit_test(the_signing_algorithm_has_no_part_in_refresh_tokens),
              cmocka_unit_test(an_arena_that_is_too_small_is_reported));
}

/* Access tokens: what is issued, and which claims are accepted. The forger here holds the secret,
 * so every refusal is of the claims and not of the signature. */
#include "test_token_world.h"

#include <openssl/err.h>

static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256", "HS256" };
#define ALGORITHM_COUNT (sizeof(algorithms) / sizeof(algorithms[0]))

static void check_claims(const struct token_claims *c)
{
    const struct token_claims expected = some_claims();
    CHECK(uuid_equal(c->user_id, expected.user_id));
    CHECK(uuid_equal(c->session_id, expected.session_id));
    CHECK_INT(c->epoch, 3);
    CHECK_INT(c->auth_time_s, NOW_S - 100);
    CHECK_INT(c->issued_at_s, NOW_S);
    CHECK_INT(c->expires_at_s, NOW_S + EXPIRY_S);
    CHECK_SPAN(c->username, "Ann");
    CHECK_SPAN(c->roles, "admin reader");
}

TEST(what_is_issued_verifies_and_says_the_same_with_every_algorithm)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        AUTO(token) struct tokens *t = open_with_key(algorithms[i]);
        struct text token;
        struct arena a;
        struct token_claims c;
        issue(t, &token);
        arena_init(&a, 1024);
        CHECK_ERR(token_verify(t, text_span(&token), NOW_MS, &a, &c), ERR_OK);
        check_claims(&c);
        arena_done(&a);
    }
}

/* An implementation that shares no code with ours but OpenSSL's. */
static bool libjwt_takes(const struct tokens *t, const char *algorithm, struct span token)
{
    const struct ring_key *k = ring_signer(ring_current(t), NOW_MS);
    json_t *jwk = NULL;
    struct jwk_open open;
    if (k->public_jwk == NULL) {
        CHECK_ERR(jwk_from_secret(SPAN(SECRET), &jwk), ERR_OK);
    } else {
        jwk = json_incref(k->public_jwk);
    }
    CHECK_ERR(jwk_open(jwk, &open), ERR_OK);
    jwt_checker_t *checker = jwt_checker_new();
    CHECK(checker != NULL);
    CHECK_INT(jwt_checker_setkey(checker, jwt_str_alg(algorithm), open.item), 0);
    CHECK_INT(jwt_checker_time_leeway(checker, JWT_CLAIM_EXP, -1), 0);
    bool taken = jwt_checker_verify(checker, token.data) == 0;
    jwt_checker_free(checker);
    jwk_close(&open);
    json_decref(jwk);
    return taken;
}

TEST(libjwt_verifies_what_is_issued_with_every_algorithm)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        AUTO(token) struct tokens *t = open_with_key(algorithms[i]);
        struct text token;
        issue(t, &token);
        CHECK(libjwt_takes(t, algorithms[i], text_span(&token)));
        token.data[token.length - 5] = token.data[token.length - 5] == 'A' ? 'B' : 'A';
        CHECK(!libjwt_takes(t, algorithms[i], text_span(&token)));
    }
}

static json_t *part_of(const struct text *token, int index)
{
    struct span rest = text_span(token);
    struct span part = SPAN_NONE;
    uint8_t bytes[4096];
    size_t length = 0;
    for (int i = 0; i <= index; i++) {
        CHECK(span_split(&rest, '.', &part));
    }
    CHECK(span_from_base64url(part, bytes, sizeof(bytes), &length));
    return json_loadb((const char *)bytes, length, JSON_REJECT_DUPLICATES, NULL);
}

TEST(an_issued_token_has_exactly_the_declared_header_and_claims)
{
    static const char *const names[] = { "iss",   "aud",      "client_id", "sub",       "sid",
                                         "jti",   "iat",      "exp",       "auth_time", "amr",
                                         "epoch", "username", "roles" };
    AUTO(token) struct tokens *t = open_with_key("ES256");
    struct text token;
    issue(t, &token);
    json_t *header = part_of(&token, 0);
    CHECK_INT(json_object_size(header), 3);
    CHECK_SPAN(span_of(json_string_value(json_object_get(header, "alg"))), "ES256");
    CHECK_SPAN(span_of(json_string_value(json_object_get(header, "typ"))), "at+jwt");
    CHECK_SPAN(span_of(json_string_value(json_object_get(header, "kid"))), kid_of(t));
    json_decref(header);
    json_t *payload = part_of(&token, 1);
    CHECK_INT(json_object_size(payload), sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CHECK(json_object_get(payload, names[i]) != NULL);
    }
    CHECK_INT(json_string_length(json_object_get(payload, "jti")), 22);
    json_decref(payload);
}

TEST(a_user_without_name_or_roles_gets_a_token_too)
{
    AUTO(token) struct tokens *t = open_with_key("EdDSA");
    struct token_claims in = some_claims();
    struct token_claims out;
    struct arena a;
    struct span token;
    in.username = SPAN_NONE;
    in.roles = SPAN_NONE;
    arena_init(&a, 4096);
    CHECK_ERR(token_issue(t, &in, NOW_MS, &a, &token), ERR_OK);
    CHECK_ERR(token_verify(t, token, NOW_MS, &a, &out), ERR_OK);
    CHECK(out.username.data == NULL);
    CHECK_INT(out.roles.length, 0);
    arena_done(&a);
}

TEST(names_and_roles_with_characters_that_json_escapes_come_back_as_they_were)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct token_claims in = some_claims();
    struct token_claims out;
    struct arena a;
    struct span token;
    in.username = SPAN("\"\\/\x01\n\x7f \xc3\xa4\xf0\x9f\x9a\xaa");
    in.roles = SPAN("a\"b  \\ \xe2\x82\xac");
    arena_init(&a, 8192);
    CHECK_ERR(token_issue(t, &in, NOW_MS, &a, &token), ERR_OK);
    CHECK_ERR(token_verify(t, token, NOW_MS, &a, &out), ERR_OK);
    CHECK(span_equal(out.username, in.username));
    CHECK_SPAN(out.roles, "a\"b \\ \xe2\x82\xac");
    arena_done(&a);
}

TEST(two_tokens_for_the_same_claims_differ)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text first;
    struct text second;
    issue(t, &first);
    issue(t, &second);
    CHECK(!span_equal(text_span(&first), text_span(&second)));
}

TEST(a_token_that_would_be_refused_for_its_length_is_not_issued)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    static char roles[4000];
    struct token_claims c = some_claims();
    struct arena a;
    struct span token = SPAN_NONE;
    memset(roles, 'r', sizeof(roles));
    c.roles = (struct span){ roles, sizeof(roles) };
    arena_init(&a, 64 * 1024);
    CHECK_ERR(token_issue(t, &c, NOW_MS, &a, &token), ERR_INTERNAL);
    c.roles = SPAN("r");
    c.username = SPAN("\xff\xfe");
    CHECK_ERR(token_issue(t, &c, NOW_MS, &a, &token), ERR_INTERNAL);
    CHECK(token.data == NULL);
    arena_done(&a);
}

TEST(an_arena_that_is_too_small_is_reported_and_lets_nobody_in)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    const struct token_claims in = some_claims();
    struct token_claims out;
    struct text token;
    struct span made;
    issue(t, &token);
    for (size_t size = 0; size < 32; size++) {
        struct arena a;
        arena_init(&a, size);
        enum err e = token_verify(t, text_span(&token), NOW_MS, &a, &out);
        CHECK(e == ERR_NOMEM || (e == ERR_OK && size >= 16));
        CHECK_ERR(token_issue(t, &in, NOW_MS, &a, &made), ERR_NOMEM);
        arena_done(&a);
    }
}

TEST(a_token_of_a_longer_expiry_ends_with_the_present_one)
{
    struct token_options o = options_for("HS256");
    AUTO(token) struct tokens *longer = NULL;
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    o.expiry_s = TOKEN_MAX_EXPIRY_S;
    CHECK_ERR(token_open(&o, &longer), ERR_OK);
    issue(longer, &token);
    const int64_t end_ms = NOW_MS + (EXPIRY_S + LEEWAY_S) * INT64_C(1000);
    CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
    CHECK_ERR(verify_at(t, text_span(&token), end_ms - 1), ERR_OK);
    CHECK_ERR(verify_at(t, text_span(&token), end_ms), ERR_TOKEN_EXPIRED);
    CHECK_ERR(verify_at(longer, text_span(&token), end_ms), ERR_OK);
}

TEST(the_leeway_counts_at_both_ends_and_not_a_second_longer)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    issue(t, &token);
    struct span s = text_span(&token);
    int64_t end_ms = NOW_MS + (EXPIRY_S + LEEWAY_S) * 1000;
    CHECK_ERR(verify_at(t, s, NOW_MS - LEEWAY_S * 1000), ERR_OK);
    CHECK_ERR(verify_at(t, s, NOW_MS - LEEWAY_S * 1000 - 1000), ERR_INVALID_TOKEN);
    CHECK_ERR(verify_at(t, s, end_ms - 1), ERR_OK);
    CHECK_ERR(verify_at(t, s, end_ms), ERR_TOKEN_EXPIRED);
    CHECK_ERR(verify_at(t, s, end_ms + INT64_C(1000000000000)), ERR_TOKEN_EXPIRED);
}

TEST(only_a_token_that_is_otherwise_ours_is_called_expired)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    struct text payload;
    int64_t late_ms = NOW_MS + 10 * EXPIRY_S * 1000;
    payload_with(&payload, (struct claim){ "aud", "\"another\"" });
    forge(t, SPAN_NONE, text_span(&payload), &token);
    CHECK_ERR(verify_at(t, text_span(&token), late_ms), ERR_INVALID_TOKEN);
    issue(t, &token);
    CHECK_ERR(verify_at(t, text_span(&token), late_ms), ERR_TOKEN_EXPIRED);
    token.data[token.length - 2] ^= 1;
    CHECK_ERR(verify_at(t, text_span(&token), late_ms), ERR_INVALID_TOKEN);
}

/* The control of the tables below: unchanged, the forger's token is good. */
TEST(a_token_with_the_right_claims_in_any_order_is_accepted)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text token;
    struct text payload;
    struct arena a;
    struct token_claims c;
    payload_with(&payload, (struct claim){ "later", "{\"version\":[1]}" });
    forge(t, SPAN_NONE, text_span(&payload), &token);
    arena_init(&a, 1024);
    CHECK_ERR(token_verify(t, text_span(&token), NOW_MS, &a, &c), ERR_OK);
    check_claims(&c);
    arena_done(&a);
}

TEST(every_claim_but_the_name_is_required)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    for (size_t i = 0; i < GOOD_CLAIM_COUNT; i++) {
        struct text token;
        struct text payload;
        bool optional = strcmp(good_claims[i].name, "username") == 0;
        payload_with(&payload, (struct claim){ good_claims[i].name, NULL });
        forge(t, SPAN_NONE, text_span(&payload), &token);
        CHECK_ERR(verify(t, text_span(&token)), optional ? ERR_OK : ERR_INVALID_TOKEN);
        payload_with(&payload, (struct claim){ good_claims[i].name, "null" });
        forge(t, SPAN_NONE, text_span(&payload), &token);
        CHECK_ERR(verify(t, text_span(&token)), ERR_INVALID_TOKEN);
    }
}

TEST(a_claim_of_another_type_or_value_is_refused)
{
    static const struct claim bad[] = {
        { "iss", "\"https://door.example/\"" },
        { "iss", "\"https://DOOR.example\"" },
        { "iss", "[\"https://door.example\"]" },
        { "iss", "\"\"" },
        { "aud", "[\"doorward\"]" },
        { "aud", "\"doorward2\"" },
        { "aud", "\"doorwar\"" },
        { "aud", "\"doorward\\u0000\"" },
        { "client_id", "\"another\"" },
        { "sub", "\"11111111111111111111111111111111\"" },
        { "sub", "\"11111111-1111-1111-1111-11111111111\"" },
        { "sub", "\"ann\"" },
        { "sub", "1" },
        { "sid", "\"\"" },
        { "sid", "\"{22222222-2222-2222-2222-222222222222}\"" },
        { "jti", "\"\"" },
        { "jti", "7" },
        { "iat", "\"1800000000\"" },
        { "iat", "1800000000.0" },
        { "iat", "-1" },
        { "iat", "1800000031" },
        { "iat", "1800003600" },
        { "exp", "\"1800003600\"" },
        { "exp", "1800003600.0" },
        { "exp", "1800003600.5" },
        { "exp", "-1" },
        { "exp", "0" },
        { "exp", "1e308" },
        { "exp", "1e999" },
        { "exp", "1.8e9" },
        { "exp", "true" },
        { "exp", "[1800003600]" },
        { "exp", "9223372036854775807" },
        { "exp", "9223372036854775808" },
        { "exp", "253402300799" },
        { "exp", "253402300800" },
        { "exp", "1802592001" },
        { "exp", "1800000000" },
        { "auth_time", "\"1\"" },
        { "auth_time", "-1" },
        { "amr", "\"pwd\"" },
        { "nbf", "1700000000" },
        { "nbf", "1900000000" },
        { "epoch", "\"3\"" },
        { "epoch", "3.0" },
        { "epoch", "-1" },
        { "username", "7" },
        { "username", "\"\"" },
        { "username", "\"a\\u0000b\"" },
        { "username", "\"\\ud800\"" },
        { "roles", "\"admin\"" },
        { "roles", "[\"admin\", 1]" },
        { "roles", "[\"admin reader\"]" },
        { "roles", "[\"\"]" },
        { "roles", "{\"admin\":true}" },
    };
    AUTO(token) struct tokens *t = open_with_key("HS256");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct text token;
        struct text payload;
        payload_with(&payload, bad[i]);
        forge(t, SPAN_NONE, text_span(&payload), &token);
        if (verify(t, text_span(&token)) != ERR_INVALID_TOKEN) {
            fail_msg("%s %s was not refused", bad[i].name, bad[i].json);
        }
    }
}

TEST(a_payload_that_is_not_one_plain_object_is_refused)
{
    AUTO(token) struct tokens *t = open_with_key("HS256");
    struct text good;
    struct text token;
    static char deep[3000];
    payload_with(&good, (struct claim){ "later", NULL });
    memset(deep, '[', sizeof(deep));
    struct text doubled = good;
    doubled.length--;
    text_add(&doubled, SPAN(",\"exp\":1800003600}"));
    struct text trailing = good;
    text_add(&trailing, SPAN("{}"));
    struct text with_nul = good;
    text_add(&with_nul, SPAN("\0"));
    const struct span bad[] = { SPAN("{}"),
                                SPAN("[]"),
                                SPAN("null"),
                                SPAN("\"text\""),
                                SPAN("{"),
                                SPAN("{\"iss\":\"\xff\"}"),
                                SPAN("\xef\xbb\xbf{}"),
                                { deep, sizeof(deep) },
                                text_span(&doubled),
                                text_span(&trailing),
                                text_span(&with_nul) };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        forge(t, SPAN_NONE, bad[i], &token);
        CHECK_ERR(verify(t, text_span(&token)), ERR_INVALID_TOKEN);
    }
    forge(t, SPAN_NONE, text_span(&good), &token);
    CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
}

TEST(the_type_is_the_configured_one)
{
    struct token_options o = options_for("HS256");
    struct tokens *as_jwt = NULL;
    AUTO(token) struct tokens *t = open_with_key("HS256");
    o.type = SPAN("JWT");
    CHECK_ERR(token_open(&o, &as_jwt), ERR_OK);
    struct text token;
    issue(t, &token);
    CHECK_ERR(verify(as_jwt, text_span(&token)), ERR_INVALID_TOKEN);
    issue(as_jwt, &token);
    CHECK_ERR(verify(as_jwt, text_span(&token)), ERR_OK);
    CHECK_ERR(verify(t, text_span(&token)), ERR_INVALID_TOKEN);
    token_close(as_jwt);
}

/* A loop thread verifies between two calls into TLS, which asks the queue how it went. */
TEST(a_refused_token_leaves_nothing_in_openssl_s_error_queue)
{
    AUTO(token) struct tokens *t = open_with_key("ES256");
    struct text token;
    issue(t, &token);
    token.data[token.length - 10] ^= 1;
    CHECK_ERR(verify(t, text_span(&token)), ERR_INVALID_TOKEN);
    CHECK_INT(ERR_peek_error(), 0);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(what_is_issued_verifies_and_says_the_same_with_every_algorithm),
        cmocka_unit_test(libjwt_verifies_what_is_issued_with_every_algorithm),
        cmocka_unit_test(an_issued_token_has_exactly_the_declared_header_and_claims),
        cmocka_unit_test(a_user_without_name_or_roles_gets_a_token_too),
        cmocka_unit_test(names_and_roles_with_characters_that_json_escapes_come_back_as_they_were),
        cmocka_unit_test(two_tokens_for_the_same_claims_differ),
        cmocka_unit_test(a_token_that_would_be_refused_for_its_length_is_not_issued),
        cmocka_unit_test(an_arena_that_is_too_small_is_reported_and_lets_nobody_in),
        cmocka_unit_test(a_token_of_a_longer_expiry_ends_with_the_present_one),
        cmocka_unit_test(the_leeway_counts_at_both_ends_and_not_a_second_longer),
        cmocka_unit_test(only_a_token_that_is_otherwise_ours_is_called_expired),
        cmocka_unit_test(a_token_with_the_right_claims_in_any_order_is_accepted),
        cmocka_unit_test(every_claim_but_the_name_is_required),
        cmocka_unit_test(a_claim_of_another_type_or_value_is_refused),
        cmocka_unit_test(a_payload_that_is_not_one_plain_object_is_refused),
        cmocka_unit_test(the_type_is_the_configured_one),
        cmocka_unit_test(a_refused_token_leaves_nothing_in_openssl_s_error_queue));
}

/* The key ring: made, wrapped, published, exchanged while others verify. */
#include "test_token_world.h"

#include <pthread.h>

enum { ARENA_BYTES = 256 * 1024 };

static struct token_key make_key(struct tokens *t, struct arena *a, int64_t active_at)
{
    struct token_key key = { 0 };
    CHECK_ERR(token_key_make(t, a, &key), ERR_OK);
    key.signs = true;
    key.active_at = active_at;
    return key;
}

static struct span jwks_of(const struct tokens *t)
{
    struct span json, etag;
    token_jwks(t, &json, &etag);
    return json;
}
static struct span etag_of(const struct tokens *t)
{
    struct span json, etag;
    token_jwks(t, &json, &etag);
    return etag;
}

/* ---- options ---- */

TEST(options_that_do_not_fit_each_other_are_refused)
{
    struct token_options bad[14];
    for (size_t i = 0; i < 14; i++) {
        bad[i] = options_for(i < 10 ? "ES256" : "HS256");
    }
    bad[0].issuer = SPAN("");
    bad[1].audience = SPAN_NONE;
    bad[2].algorithm = SPAN("none");
    bad[3].algorithm = SPAN("RS512");
    bad[4].type = SPAN("");
    bad[5].expiry_s = 0;
    bad[6].master_count = 0;
    bad[7].master[0] = SPAN("too short");
    bad[8].secret = SPAN(SECRET);
    bad[9].issuer = SPAN("\xff");
    bad[10].secret = SPAN_NONE;
    bad[11].secret = SPAN("31 bytes are one byte too short");
    bad[12].secret_previous = SPAN("short");
    bad[13].master[1] = SPAN(MASTER_1);
    bad[13].master_count = 2;
    for (size_t i = 0; i < 14; i++) {
        struct tokens *t = NULL;
        CHECK_ERR(token_open(&bad[i], &t), ERR_CONFIG);
        CHECK(t == NULL);
    }
}

/* ---- one key ---- */

TEST(a_made_key_names_its_algorithm_and_publishes_no_private_member)
{
    static const char *const algorithms[] = { "ES256", "EdDSA", "RS256", "PS256" };
    static const char *const secret_members[] = { "d", "p", "q", "dp", "dq", "qi", "k", "oth" };
    for (size_t i = 0; i < 4; i++) {
        AUTO(token) struct tokens *t = open_tokens(algorithms[i]);
        struct arena a;
        arena_init(&a, ARENA_BYTES);
        struct token_key key = make_key(t, &a, 1);
        CHECK_SPAN(key.algorithm, algorithms[i]);
        CHECK_INT(key.kid.length, JWK_THUMBPRINT_LENGTH);
        CHECK_ERR(token_ring_set(t, &key, 1), ERR_OK);
        json_t *set = json_loadb(jwks_of(t).data, jwks_of(t).length, 0, NULL);
        const json_t *jwk = json_array_get(json_object_get(set, "keys"), 0);
        const bool rsa = i >= 2;
        CHECK_INT(json_object_size(jwk), rsa ? 6 : i == 0 ? 7 : 6);
        CHECK_SPAN(span_of(json_string_value(json_object_get(jwk, "alg"))), algorithms[i]);
        CHECK_SPAN(span_of(json_string_value(json_object_get(jwk, "use"))), "sig");
        CHECK(span_equal(span_of(json_string_value(json_object_get(jwk, "kid"))), key.kid));
        for (size_t m = 0; m < sizeof(secret_members) / sizeof(secret_members[0]); m++) {
            CHECK(json_object_get(jwk, secret_members[m]) == NULL);
        }
        /* 3072 bits are 384 bytes are 512 characters. */
        CHECK(!rsa || json_string_length(json_object_get(jwk, "n")) == 512);
        json_decref(set);
        arena_done(&a);
    }
}

/* One of 64 would. */
TEST(no_kid_looks_like_an_option)
{
    enum { KEYS = 300 };
    AUTO(token) struct tokens *t = open_tokens("EdDSA");
    for (int i = 0; i < KEYS; i++) {
        struct arena a;
        arena_init(&a, ARENA_BYTES);
        CHECK(make_key(t, &a, 1).kid.data[0] != '-');
        arena_done(&a);
    }
}

/* The example of RFC 7638, 3.1. */
TEST(a_kid_is_the_thumbprint_of_rfc_7638)
{
    static const char jwk_text_of_rfc[] =
        "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"d\":\"secret\","
        "\"kid\":\"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\",\"n\":\""
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
        "BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
        "FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
        "bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}";
    json_t *jwk = json_loads(jwk_text_of_rfc, 0, NULL);
    json_t *published = NULL;
    const struct jwk_kind *kind = jwk_kind_of(SPAN("RS256"));
    CHECK(jwk != NULL);
    CHECK_ERR(jwk_public(kind, jwk, &published), ERR_OK);
    CHECK(json_object_get(published, "d") == NULL);
    json_decref(published);
    json_object_set_new(jwk, "e", json_string("AQAC"));
    CHECK_ERR(jwk_public(kind, jwk, &published), ERR_CONFIG);
    json_object_del(jwk, "n");
    CHECK_ERR(jwk_public(kind, jwk, &published), ERR_CONFIG);
    json_decref(jwk);
}

/* ---- wrapping ---- */

TEST(a_ring_that_does_not_open_leaves_the_present_one_in_place)
{
    AUTO(token) struct tokens *t = open_with_key("ES256");
    struct token_options o = options_for("ES256");
    AUTO(token) struct tokens *stranger = NULL;
    struct text token;
    struct arena a;
    issue(t, &token);
    struct span before = jwks_of(t);
    arena_init(&a, ARENA_BYTES);
    o.master[0] = SPAN(MASTER_2);
    CHECK_ERR(token_open(&o, &stranger), ERR_OK);
    struct token_key foreign = make_key(stranger, &a, 1);
    struct token_key own = make_key(t, &a, 1);
    struct token_key both[] = { own, foreign };
    CHECK_ERR(token_ring_set(t, both, 2), ERR_CONFIG);
    struct token_key twice[] = { own, own };
    CHECK_ERR(token_ring_set(t, twice, 2), ERR_CONFIG);
    CHECK(jwks_of(t).data == before.data);
    CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
    CHECK(token_ring_ready(t));
    CHECK(!token_ring_ready(stranger));
    arena_done(&a);
}

TEST(a_changed_record_does_not_open)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    struct token_key first = make_key(t, &a, 1);
    struct token_key second = make_key(t, &a, 1);
    struct token_key changed = first;
    changed.wrapped = second.wrapped;
    CHECK_ERR(token_ring_set(t, &changed, 1), ERR_CONFIG);
    changed = first;
    changed.kid = second.kid;
    CHECK_ERR(token_ring_set(t, &changed, 1), ERR_CONFIG);
    changed = first;
    changed.algorithm = SPAN("EdDSA");
    CHECK_ERR(token_ring_set(t, &changed, 1), ERR_CONFIG);
    changed.algorithm = SPAN("HS256");
    CHECK_ERR(token_ring_set(t, &changed, 1), ERR_CONFIG);
    changed.algorithm = SPAN("none");
    CHECK_ERR(token_ring_set(t, &changed, 1), ERR_CONFIG);
    CHECK(!token_ring_ready(t));
    CHECK_ERR(token_ring_set(t, &first, 1), ERR_OK);
    arena_done(&a);
}

TEST(no_bit_flip_and_no_prefix_of_a_wrapped_key_opens)
{
    AUTO(token) struct tokens *t = open_tokens("EdDSA");
    struct arena a;
    struct text wrapped = { .length = 0 };
    arena_init(&a, ARENA_BYTES);
    struct token_key key = make_key(t, &a, 1);
    text_add(&wrapped, key.wrapped);
    struct token_key changed = key;
    for (size_t bit = 0; bit < 8 * wrapped.length; bit++) {
        wrapped.data[bit / 8] = (char)(wrapped.data[bit / 8] ^ (1 << bit % 8));
        changed.wrapped = text_span(&wrapped);
        CHECK_ERR(token_ring_set(t, &changed, 1), ERR_CONFIG);
        wrapped.data[bit / 8] = (char)(wrapped.data[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t length = 0; length < key.wrapped.length; length++) {
        changed.wrapped = span_slice(key.wrapped, 0, length);
        CHECK_ERR(token_ring_set(t, &changed, 1), ERR_CONFIG);
    }
    static char giant[20000];
    memset(giant, 'A', sizeof(giant));
    changed.wrapped = (struct span){ giant, sizeof(giant) };
    CHECK_ERR(token_ring_set(t, &changed, 1), ERR_CONFIG);
    arena_done(&a);
}

TEST(a_wrapped_key_does_not_show_the_key)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    uint8_t bytes[8192];
    size_t length = 0;
    arena_init(&a, ARENA_BYTES);
    struct token_key key = make_key(t, &a, 1);
    CHECK(span_from_base64url(key.wrapped, bytes, sizeof(bytes), &length));
    /* With their signs, since three letters may be in random bytes. */
    CHECK(memmem(bytes, length, "\"kty\":\"", 7) == NULL);
    CHECK(memmem(bytes, length, "\"d\":\"", 5) == NULL);
    arena_done(&a);
}

TEST(a_key_wrapped_by_the_old_master_key_opens_beside_a_new_one)
{
    AUTO(token) struct tokens *before = open_tokens("ES256");
    struct token_options o = options_for("ES256");
    AUTO(token) struct tokens *after = NULL;
    struct arena a;
    struct text token;
    arena_init(&a, ARENA_BYTES);
    struct token_key key = make_key(before, &a, 1);
    CHECK_ERR(token_ring_set(before, &key, 1), ERR_OK);
    o.master[0] = SPAN(MASTER_2);
    o.master[1] = SPAN(MASTER_1);
    o.master_count = 2;
    CHECK_ERR(token_open(&o, &after), ERR_OK);
    CHECK_ERR(token_ring_set(after, &key, 1), ERR_OK);
    issue(before, &token);
    CHECK_ERR(verify(after, text_span(&token)), ERR_OK);
    CHECK(!span_equal(token_master_id(before), token_master_id(after)));
    arena_done(&a);
}

TEST(a_planted_public_key_is_not_believed)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    struct token_key key = make_key(t, &a, 1);
    struct token_key attacker = make_key(t, &a, 1);
    struct span own = key.public_jwk;
    key.public_jwk = attacker.public_jwk;
    CHECK_ERR(token_ring_set(t, &key, 1), ERR_OK);
    CHECK(memmem(jwks_of(t).data, jwks_of(t).length, own.data, own.length) != NULL);
    CHECK(memmem(jwks_of(t).data, jwks_of(t).length, attacker.kid.data, attacker.kid.length) ==
          NULL);
    arena_done(&a);
}

/* ---- the ring ---- */

TEST(without_a_key_nothing_is_issued_or_judged)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    struct span token;
    const struct token_claims claims = some_claims();
    arena_init(&a, ARENA_BYTES);
    CHECK(!token_ring_ready(t));
    CHECK_SPAN(jwks_of(t), "{\"keys\":[]}");
    CHECK_ERR(token_issue(t, &claims, NOW_MS, &a, &token), ERR_UNAVAILABLE);
    CHECK_ERR(verify(t, SPAN("a.b.c")), ERR_UNAVAILABLE);
    struct token_key key = make_key(t, &a, 1);
    key.signs = false;
    CHECK_ERR(token_ring_set(t, &key, 1), ERR_OK);
    CHECK(!token_ring_ready(t));
    arena_done(&a);
}

TEST(the_youngest_active_key_signs_and_the_others_verify_until_they_expire)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    struct text token;
    arena_init(&a, ARENA_BYTES);
    struct token_key keys[3];
    keys[0] = make_key(t, &a, NOW_MS - 2000);
    CHECK_ERR(token_ring_set(t, keys, 1), ERR_OK);
    issue(t, &token);
    keys[1] = make_key(t, &a, NOW_MS - 1000);
    keys[2] = make_key(t, &a, NOW_MS + 1000);
    keys[0].signs = false;
    keys[0].expires_at = NOW_MS + 5000;
    CHECK_ERR(token_ring_set(t, keys, 3), ERR_OK);
    CHECK_SPAN(keys[1].kid, ring_signer(ring_current(t), NOW_MS)->kid);
    CHECK_SPAN(keys[2].kid, ring_signer(ring_current(t), NOW_MS + 1000)->kid);
    CHECK_SPAN(keys[1].kid, ring_signer(ring_current(t), 1)->kid);
    CHECK_ERR(verify_at(t, text_span(&token), NOW_MS + 4999), ERR_OK);
    CHECK_ERR(verify_at(t, text_span(&token), NOW_MS + 5000), ERR_INVALID_TOKEN);
    CHECK_ERR(token_ring_set(t, keys + 1, 2), ERR_OK);
    CHECK_ERR(verify(t, text_span(&token)), ERR_INVALID_TOKEN);
    arena_done(&a);
}

TEST(keys_of_an_earlier_algorithm_still_verify)
{
    AUTO(token) struct tokens *es = open_tokens("ES256");
    AUTO(token) struct tokens *ed = open_tokens("EdDSA");
    struct arena a;
    struct text token;
    arena_init(&a, ARENA_BYTES);
    struct token_key keys[2];
    keys[0] = make_key(es, &a, 1);
    keys[1] = make_key(ed, &a, 2);
    CHECK_ERR(token_ring_set(es, keys, 1), ERR_OK);
    issue(es, &token);
    keys[0].signs = false;
    CHECK_ERR(token_ring_set(ed, keys, 2), ERR_OK);
    CHECK_ERR(verify(ed, text_span(&token)), ERR_OK);
    issue(ed, &token);
    CHECK_ERR(verify(ed, text_span(&token)), ERR_OK);
    CHECK_ERR(verify(es, text_span(&token)), ERR_INVALID_TOKEN);
    arena_done(&a);
}

TEST(the_key_set_is_byte_equal_on_every_replica_whatever_the_order)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    AUTO(token) struct tokens *replica = open_tokens("ES256");
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    struct token_key keys[] = { make_key(t, &a, 1), make_key(t, &a, 2), make_key(t, &a, 3) };
    struct token_key reverse[] = { keys[2], keys[1], keys[0] };
    CHECK_ERR(token_ring_set(t, keys, 3), ERR_OK);
    CHECK_ERR(token_ring_set(replica, reverse, 3), ERR_OK);
    CHECK(span_equal(jwks_of(t), jwks_of(replica)));
    CHECK(span_equal(etag_of(t), etag_of(replica)));
    CHECK(etag_of(t).length > 10 && etag_of(t).data[0] == '"' &&
          etag_of(t).data[etag_of(t).length - 1] == '"');
    const struct ring *r = ring_current(t);
    CHECK(strcmp(r->keys[0].kid, r->keys[1].kid) < 0 && strcmp(r->keys[1].kid, r->keys[2].kid) < 0);
    struct span old_etag = etag_of(t);
    struct span old_json = jwks_of(t);
    CHECK_ERR(token_ring_set(t, keys, 2), ERR_OK);
    CHECK(!span_equal(old_etag, etag_of(t)));
    /* Readers of the old one are not disturbed. */
    CHECK(span_equal(old_json, jwks_of(replica)));
    arena_done(&a);
}

TEST(the_same_keys_again_make_no_new_snapshot)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    struct token_key keys[] = { make_key(t, &a, 1), make_key(t, &a, 2) };
    CHECK_ERR(token_ring_set(t, keys, 2), ERR_OK);
    const struct ring *r = ring_current(t);
    struct token_key reverse[] = { keys[1], keys[0] };
    CHECK_ERR(token_ring_set(t, keys, 2), ERR_OK);
    CHECK_ERR(token_ring_set(t, reverse, 2), ERR_OK);
    CHECK(ring_current(t) == r);
    keys[0].expires_at = NOW_MS;
    CHECK_ERR(token_ring_set(t, keys, 2), ERR_OK);
    CHECK(ring_current(t) != r);
    arena_done(&a);
}

TEST(the_ring_has_what_was_published_last)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    struct token_key keys[] = { make_key(t, &a, 1), make_key(t, &a, 2) };
    CHECK(!token_ring_has(t, keys[0].kid));
    CHECK_ERR(token_ring_set(t, keys, 2), ERR_OK);
    CHECK(token_ring_has(t, keys[0].kid) && token_ring_has(t, keys[1].kid));
    CHECK(!token_ring_has(t, SPAN("")) && !token_ring_has(t, SPAN("another")));
    struct token_key broken = keys[1];
    broken.wrapped = SPAN("AAAA");
    broken.kid = SPAN("another");
    CHECK_ERR(token_ring_set(t, &broken, 1), ERR_CONFIG);
    CHECK(token_ring_has(t, keys[0].kid) && !token_ring_has(t, broken.kid));
    CHECK_ERR(token_ring_set(t, keys, 1), ERR_OK);
    CHECK(token_ring_has(t, keys[0].kid) && !token_ring_has(t, keys[1].kid));
    arena_done(&a);
}

TEST(the_higher_generation_signs_whatever_the_times)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    struct token_key keys[] = { make_key(t, &a, NOW_MS), make_key(t, &a, NOW_MS - 5000),
                                make_key(t, &a, NOW_MS + 5000) };
    for (size_t i = 0; i < 3; i++) {
        keys[i].generation = (int64_t)i + 1;
    }
    CHECK_ERR(token_ring_set(t, keys, 3), ERR_OK);
    CHECK_SPAN(keys[1].kid, ring_signer(ring_current(t), NOW_MS)->kid);
    CHECK_SPAN(keys[2].kid, ring_signer(ring_current(t), NOW_MS + 5000)->kid);
    /* None is active: the first of them. */
    CHECK_SPAN(keys[0].kid, ring_signer(ring_current(t), 1)->kid);
    arena_done(&a);
}

/* A key is opened once: snapshots that have it in common share it, also when it begins to sign. */
TEST(snapshots_share_the_keys_that_they_have_in_common)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    struct text token;
    arena_init(&a, ARENA_BYTES);
    struct token_key keys[] = { make_key(t, &a, 1), make_key(t, &a, 2) };
    keys[1].signs = false;
    CHECK_ERR(token_ring_set(t, keys, 2), ERR_OK);
    issue(t, &token);
    const struct ring_key *first = ring_find(ring_current(t), keys[0].kid, NOW_MS);
    keys[1].signs = true;
    CHECK_ERR(token_ring_set(t, keys, 2), ERR_OK);
    const struct ring_key *again = ring_find(ring_current(t), keys[0].kid, NOW_MS);
    CHECK(again != first && again->sign.ready == first->sign.ready);
    CHECK(again->verify.ready == first->verify.ready);
    CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
    CHECK_SPAN(keys[1].kid, kid_of(t));
    issue(t, &token);
    CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
    CHECK_ERR(token_ring_set(t, keys + 1, 1), ERR_OK);
    CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
    arena_done(&a);
}

TEST(a_wrapped_key_tells_which_master_key_opens_it)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct token_options o = options_for("ES256");
    AUTO(token) struct tokens *stranger = NULL;
    struct arena a;
    char id[TOKEN_MASTER_ID_LENGTH + 1] = "x";
    arena_init(&a, ARENA_BYTES);
    o.master[0] = SPAN(MASTER_2);
    CHECK_ERR(token_open(&o, &stranger), ERR_OK);
    struct token_key key = make_key(t, &a, 1);
    CHECK(token_wrapped_by(t, key.wrapped, id));
    CHECK_SPAN(token_master_id(t), id);
    CHECK(!token_wrapped_by(stranger, key.wrapped, id));
    CHECK_SPAN(token_master_id(t), id);
    const struct span none[] = { SPAN_NONE, SPAN(""), SPAN("!"), SPAN("AAAA") };
    for (size_t i = 0; i < 4; i++) {
        CHECK(!token_wrapped_by(t, none[i], id));
        CHECK_INT(strlen(id), 0);
    }
    arena_done(&a);
}

TEST(more_keys_than_the_ceiling_are_refused)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    static struct token_key keys[RING_KEYS_MAX + 1];
    CHECK_ERR(token_ring_set(t, keys, RING_KEYS_MAX + 1), ERR_CONFIG);
}

/* ---- HS256 ---- */

TEST(a_secret_publishes_nothing_and_takes_no_keys)
{
    AUTO(token) struct tokens *t = open_tokens("HS256");
    struct arena a;
    struct token_key key = { 0 };
    arena_init(&a, ARENA_BYTES);
    CHECK(token_ring_ready(t));
    CHECK_SPAN(jwks_of(t), "{\"keys\":[]}");
    CHECK_ERR(token_key_make(t, &a, &key), ERR_CONFIG);
    CHECK_ERR(token_ring_set(t, &key, 1), ERR_CONFIG);
    CHECK_ERR(token_ring_set(t, NULL, 0), ERR_OK);
    CHECK(token_ring_ready(t));
    arena_done(&a);
}

TEST(the_previous_secret_verifies_and_does_not_sign)
{
    struct token_options o = options_for("HS256");
    AUTO(token) struct tokens *before = open_tokens("HS256");
    AUTO(token) struct tokens *after = NULL;
    AUTO(token) struct tokens *later = NULL;
    struct text token;
    issue(before, &token);
    o.secret = SPAN("another secret of at least 32 bytes");
    o.secret_previous = SPAN(SECRET);
    CHECK_ERR(token_open(&o, &after), ERR_OK);
    CHECK_ERR(verify(after, text_span(&token)), ERR_OK);
    o.secret_previous = SPAN_NONE;
    CHECK_ERR(token_open(&o, &later), ERR_OK);
    CHECK_ERR(verify(later, text_span(&token)), ERR_INVALID_TOKEN);
    issue(after, &token);
    CHECK_ERR(verify(later, text_span(&token)), ERR_OK);
    CHECK_ERR(verify(before, text_span(&token)), ERR_INVALID_TOKEN);
}

TEST(the_same_secret_twice_is_one_key)
{
    struct token_options o = options_for("HS256");
    AUTO(token) struct tokens *t = NULL;
    o.secret_previous = SPAN(SECRET);
    CHECK_ERR(token_open(&o, &t), ERR_OK);
    CHECK_INT(ring_current(t)->count, 1);
}

/* ---- threads ---- */

enum { VERIFIERS = 3, EXCHANGES = 20 };
struct watcher {
    struct tokens *t;
    const struct text *token;
    _Atomic bool *stop;
    pthread_t thread;
    unsigned wrong;
};

static void *verify_until_told(void *arg)
{
    struct watcher *v = arg;
    while (!*v->stop) {
        struct text own;
        v->wrong += verify(v->t, text_span(v->token)) != ERR_OK;
        issue(v->t, &own);
        v->wrong += verify(v->t, text_span(&own)) != ERR_OK;
        v->wrong += jwks_of(v->t).length == 0;
    }
    return NULL;
}

TEST(tokens_verify_while_the_ring_is_exchanged)
{
    AUTO(token) struct tokens *t = open_tokens("ES256");
    struct arena a;
    struct text token;
    _Atomic bool stop = false;
    struct watcher watchers[VERIFIERS];
    arena_init(&a, ARENA_BYTES);
    struct token_key keys[] = { make_key(t, &a, 1), make_key(t, &a, 2) };
    /* Comes and goes without ever signing, so that every token is good at every moment. */
    keys[1].signs = false;
    CHECK_ERR(token_ring_set(t, keys, 1), ERR_OK);
    issue(t, &token);
    for (size_t i = 0; i < VERIFIERS; i++) {
        watchers[i] = (struct watcher){ .t = t, .token = &token, .stop = &stop };
        CHECK_INT(pthread_create(&watchers[i].thread, NULL, verify_until_told, &watchers[i]), 0);
    }
    for (int i = 0; i < EXCHANGES; i++) {
        CHECK_ERR(token_ring_set(t, keys, 1 + (size_t)(i % 2 == 0)), ERR_OK);
        CHECK_ERR(verify(t, text_span(&token)), ERR_OK);
    }
    stop = true;
    for (size_t i = 0; i < VERIFIERS; i++) {
        pthread_join(watchers[i].thread, NULL);
        CHECK_INT(watchers[i].wrong, 0);
    }
    arena_done(&a);
}

int main(void)
{
    RUN_TESTS(
        cmocka_unit_test(options_that_do_not_fit_each_other_are_refused),
        cmocka_unit_test(a_made_key_names_its_algorithm_and_publishes_no_private_member),
        cmocka_unit_test(no_kid_looks_like_an_option),
        cmocka_unit_test(a_kid_is_the_thumbprint_of_rfc_7638),
        cmocka_unit_test(a_ring_that_does_not_open_leaves_the_present_one_in_place),
        cmocka_unit_test(a_changed_record_does_not_open),
        cmocka_unit_test(no_bit_flip_and_no_prefix_of_a_wrapped_key_opens),
        cmocka_unit_test(a_wrapped_key_does_not_show_the_key),
        cmocka_unit_test(a_key_wrapped_by_the_old_master_key_opens_beside_a_new_one),
        cmocka_unit_test(a_planted_public_key_is_not_believed),
        cmocka_unit_test(without_a_key_nothing_is_issued_or_judged),
        cmocka_unit_test(the_youngest_active_key_signs_and_the_others_verify_until_they_expire),
        cmocka_unit_test(keys_of_an_earlier_algorithm_still_verify),
        cmocka_unit_test(the_key_set_is_byte_equal_on_every_replica_whatever_the_order),
        cmocka_unit_test(the_same_keys_again_make_no_new_snapshot),
        cmocka_unit_test(the_ring_has_what_was_published_last),
        cmocka_unit_test(the_higher_generation_signs_whatever_the_times),
        cmocka_unit_test(snapshots_share_the_keys_that_they_have_in_common),
        cmocka_unit_test(a_wrapped_key_tells_which_master_key_opens_it),
        cmocka_unit_test(more_keys_than_the_ceiling_are_refused),
        cmocka_unit_test(a_secret_publishes_nothing_and_takes_no_keys),
        cmocka_unit_test(the_previous_secret_verifies_and_does_not_sign),
        cmocka_unit_test(the_same_secret_twice_is_one_key),
        cmocka_unit_test(tokens_verify_while_the_ring_is_exchanged));
}

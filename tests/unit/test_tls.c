/* TLS against OpenSSL's own client in the same process: good, odd and hostile handshakes, the
 * certificate's files and their reload. */
#include "check.h"
#include "tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)

/* ---- the world: a directory with files, a context, a server's stream and a client ---- */

struct world {
    char directory[64];
    char cert[96];
    char key[96];
    struct arena a;
    struct clock clock;
    struct tls_context *context;
    struct tls_stream *server;
    SSL_CTX *client_context;
    SSL *client;
    SSL_SESSION *session; /* the latest that the client was given */
    struct buf plain, out;
    size_t step; /* bytes fed at once */
    char heard[BUFFER_BYTES];
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct world *w = SSL_get_app_data(ssl);
    SSL_SESSION_free(w->session);
    w->session = session;
    return 1;
}

static void make_files(struct world *w, const char *host)
{
    struct span why = SPAN_NONE;
    CHECK_ERR(tls_self_signed(w->cert, w->key, span_of(host), &w->a, &why), ERR_OK);
}

static enum err open_context(struct world *w, size_t session_cache, struct span *ret_why)
{
    struct tls_options options = {
        .cert_path = w->cert, .key_path = w->key, .session_cache = session_cache, .clock = &w->clock
    };
    return tls_context_new(&options, &w->a, ret_why, &w->context);
}

static void open_directory(struct world *w)
{
    *w = (struct world){ .directory = "/tmp/doorward-tls-XXXXXX", .step = SIZE_MAX };
    arena_init(&w->a, 1 << 20);
    buf_init(&w->plain, BUFFER_BYTES);
    buf_init(&w->out, BUFFER_BYTES);
    CHECK(mkdtemp(w->directory) != NULL);
    (void)snprintf(w->cert, sizeof(w->cert), "%s/cert.pem", w->directory);
    (void)snprintf(w->key, sizeof(w->key), "%s/key.pem", w->directory);
}

static void open_world(struct world *w)
{
    struct span why = SPAN_NONE;
    open_directory(w);
    make_files(w, "");
    CHECK_ERR(open_context(w, 0, &why), ERR_OK);
    w->client_context = SSL_CTX_new(TLS_client_method());
    CHECK(w->client_context != NULL);
    (void)SSL_CTX_set_session_cache_mode(w->client_context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(w->client_context, keep_session);
}

static void connect_client(struct world *w)
{
    CHECK_ERR(tls_stream_new(w->context, &w->server), ERR_OK);
    w->client = SSL_new(w->client_context);
    CHECK(w->client != NULL);
    SSL_set_app_data(w->client, w);
    SSL_set_bio(w->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(w->client);
    buf_reset(&w->plain);
    buf_reset(&w->out);
}

static void disconnect(struct world *w)
{
    tls_stream_free(w->server);
    if (w->client != NULL) { /* else OpenSSL takes it for cut off and forgets its session */
        SSL_set_shutdown(w->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(w->client);
    w->server = NULL;
    w->client = NULL;
    ERR_clear_error();
}

static void close_world(struct world *w)
{
    disconnect(w);
    SSL_SESSION_free(w->session);
    SSL_CTX_free(w->client_context);
    tls_context_free(w->context);
    (void)unlink(w->cert);
    (void)unlink(w->key);
    CHECK_INT(rmdir(w->directory), 0);
    buf_done(&w->plain);
    buf_done(&w->out);
    arena_done(&w->a);
}

/* ---- bytes to and fro ---- */

static enum err feed(struct world *w, struct span cipher)
{
    while (cipher.length > 0) {
        bool more = false;
        TRY(tls_stream_feed(w->server, span_slice(cipher, 0, w->step), &w->plain, &w->out, &more));
        CHECK(!more);
        cipher = span_from(cipher, w->step < cipher.length ? w->step : cipher.length);
    }
    return ERR_OK;
}

static struct span client_bytes(struct world *w)
{
    char *data = NULL;
    long length = BIO_get_mem_data(SSL_get_wbio(w->client), &data);
    struct span copy = SPAN_NONE;
    CHECK_ERR(arena_copy(&w->a, (struct span){ .data = data, .length = (size_t)length }, &copy),
              ERR_OK);
    (void)BIO_reset(SSL_get_wbio(w->client));
    return copy;
}

static void to_client(struct world *w)
{
    if (w->out.length > 0) {
        CHECK(BIO_write(SSL_get_rbio(w->client), w->out.data, (int)w->out.length) > 0);
        buf_reset(&w->out);
    }
}

/* Until neither side has more to say; the server's verdict. */
static enum err shake_hands(struct world *w)
{
    for (int i = 0; i < 8; i++) {
        (void)SSL_do_handshake(w->client);
        enum err e = feed(w, client_bytes(w));
        to_client(w);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

static void connect_and_shake(struct world *w)
{
    connect_client(w);
    CHECK_ERR(shake_hands(w), ERR_OK);
    CHECK(tls_stream_is_ready(w->server));
    CHECK_INT(SSL_is_init_finished(w->client), 1);
}

static void client_says(struct world *w, struct span text)
{
    size_t written = 0;
    CHECK_INT(SSL_write_ex(w->client, text.data, text.length, &written), 1);
    CHECK_ERR(feed(w, client_bytes(w)), ERR_OK);
}

static struct span client_hears(struct world *w)
{
    size_t length = 0;
    size_t got = 0;
    to_client(w);
    while (SSL_read_ex(w->client, w->heard + length, BUFFER_BYTES - length, &got) == 1) {
        length += got;
    }
    return (struct span){ .data = w->heard, .length = length };
}

/* ---- good connections ---- */

static void check_conversation(struct world *w, int version)
{
    CHECK_INT(SSL_CTX_set_min_proto_version(w->client_context, version), 1);
    CHECK_INT(SSL_CTX_set_max_proto_version(w->client_context, version), 1);
    connect_and_shake(w);
    CHECK_INT(SSL_version(w->client), version);
    client_says(w, SPAN("hello"));
    CHECK_SPAN(buf_span(&w->plain), "hello");
    CHECK_ERR(tls_stream_write(w->server, SPAN("world"), &w->out), ERR_OK);
    CHECK_SPAN(client_hears(w), "world");
    CHECK(!tls_stream_is_ended(w->server));
    (void)SSL_shutdown(w->client);
    CHECK_ERR(feed(w, client_bytes(w)), ERR_OK);
    CHECK(tls_stream_is_ended(w->server));
    tls_stream_end(w->server, &w->out);
    (void)client_hears(w);
    CHECK((SSL_get_shutdown(w->client) & SSL_RECEIVED_SHUTDOWN) != 0);
    disconnect(w);
}

TEST(both_versions_talk_whole_and_byte_by_byte)
{
    static const size_t steps[] = { SIZE_MAX, 1 };
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        open_world(&w);
        w.step = steps[i];
        check_conversation(&w, TLS1_2_VERSION);
        check_conversation(&w, TLS1_3_VERSION);
        close_world(&w);
    }
}

TEST(large_answers_arrive_whole)
{
    struct world w;
    open_world(&w);
    connect_and_shake(&w);
    char *text = arena_get(&w.a, 100000);
    memset(text, 'x', 100000);
    struct span large = { .data = text, .length = 100000 };
    CHECK_ERR(tls_stream_write(w.server, large, &w.out), ERR_OK);
    CHECK(span_equal(client_hears(&w), large));
    client_says(&w, large);
    CHECK(span_equal(buf_span(&w.plain), large));
    CHECK_ERR(tls_stream_write(w.server, SPAN_NONE, &w.out), ERR_OK);
    CHECK_INT(w.out.length, 0);
    close_world(&w);
}

TEST(a_full_plain_buffer_makes_the_stream_wait)
{
    struct world w;
    open_world(&w);
    connect_and_shake(&w);
    char *text = arena_get(&w.a, 50000);
    memset(text, 'x', 50000);
    size_t written = 0;
    CHECK_INT(SSL_write_ex(w.client, text, 50000, &written), 1);
    struct span cipher = client_bytes(&w);
    struct buf small;
    buf_init(&small, 1000);
    size_t total = 0;
    bool more = false;
    do {
        CHECK_ERR(tls_stream_feed(w.server, cipher, &small, &w.out, &more), ERR_OK);
        total += small.length;
        buf_reset(&small);
        cipher = SPAN_NONE;
    } while (more);
    CHECK_INT(total, 50000);
    buf_done(&small);
    close_world(&w);
}

TEST(sessions_resume_also_after_a_reload)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct span why = SPAN_NONE;
        open_world(&w);
        CHECK_INT(SSL_CTX_set_max_proto_version(w.client_context, versions[i]), 1);
        connect_and_shake(&w);
        CHECK(!tls_stream_is_resumed(w.server));
        (void)client_hears(&w); /* TLS 1.3's ticket comes after the handshake */
        CHECK(w.session != NULL);
        disconnect(&w);

        make_files(&w, "");
        CHECK_ERR(tls_context_reload(w.context, &w.a, &why), ERR_OK);
        connect_client(&w);
        CHECK_INT(SSL_set_session(w.client, w.session), 1);
        CHECK_ERR(shake_hands(&w), ERR_OK);
        CHECK(tls_stream_is_resumed(w.server));
        close_world(&w);
    }
}

TEST(a_client_that_uses_each_ticket_once_resumes_every_time)
{
    struct world w;
    open_world(&w);
    CHECK_INT(SSL_CTX_set_min_proto_version(w.client_context, TLS1_3_VERSION), 1);
    connect_and_shake(&w);
    (void)client_hears(&w);
    disconnect(&w);
    for (int i = 0; i < 3; i++) {
        SSL_SESSION *used = w.session;
        w.session = NULL;
        connect_client(&w);
        CHECK_INT(SSL_set_session(w.client, used), 1);
        SSL_SESSION_free(used);
        CHECK_ERR(shake_hands(&w), ERR_OK);
        CHECK(tls_stream_is_resumed(w.server));
        (void)client_hears(&w);
        CHECK(w.session != NULL);
        disconnect(&w);
    }
    close_world(&w);
}

/* ---- what a client may ask for ---- */

static void set_alpn(struct world *w, const char *list)
{
    CHECK_INT(SSL_CTX_set_alpn_protos(w->client_context, (const unsigned char *)list,
                                      (unsigned)strlen(list)),
              0);
}

/* Is a session of now resumed when so much time has passed? */
static void check_resumption(struct world *w, int64_t passed_ms, bool expected)
{
    connect_and_shake(w);
    (void)client_hears(w);
    disconnect(w);
    SSL_SESSION *session = w->session;
    CHECK(session != NULL);
    w->session = NULL;
    atomic_fetch_add(&w->clock.offset_ms, passed_ms);
    connect_client(w);
    CHECK_INT(SSL_set_session(w->client, session), 1);
    CHECK_ERR(shake_hands(w), ERR_OK);
    CHECK_INT(tls_stream_is_resumed(w->server), expected);
    (void)client_hears(w);
    disconnect(w);
    SSL_SESSION_free(session);
}

/* A session of now is not resumed after two rounds in which others came, each a key's life. */
static void check_two_lives_later(struct world *w, int64_t life_ms)
{
    connect_and_shake(w);
    (void)client_hears(w);
    disconnect(w);
    SSL_SESSION *old = w->session;
    w->session = NULL;
    for (int rounds = 0; rounds < 2; rounds++) {
        atomic_fetch_add(&w->clock.offset_ms, life_ms);
        connect_and_shake(w);
        disconnect(w);
    }
    connect_client(w);
    CHECK_INT(SSL_set_session(w->client, old), 1);
    CHECK_ERR(shake_hands(w), ERR_OK);
    CHECK(!tls_stream_is_resumed(w->server));
    disconnect(w);
    SSL_SESSION_free(old);
}

TEST(a_ticket_is_good_under_its_key_and_the_next_and_then_no_more)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    const int64_t life_ms = INT64_C(1000) * TLS_TICKET_KEY_S;
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        open_world(&w);
        CHECK_INT(SSL_CTX_set_max_proto_version(w.client_context, versions[i]), 1);
        check_resumption(&w, life_ms / 2, true);    /* half way in the key's life */
        check_resumption(&w, life_ms - 1000, true); /* the key before */
        check_resumption(&w, 2 * life_ms, false);   /* two lives later, nobody came */
        check_resumption(&w, life_ms, true);
        check_two_lives_later(&w, life_ms); /* and others came */
        close_world(&w);
    }
}

TEST(a_clock_that_goes_back_does_not_keep_a_ticket_key_alive)
{
    const int64_t life_ms = INT64_C(1000) * TLS_TICKET_KEY_S;
    struct world w;
    open_world(&w);
    check_resumption(&w, -100 * life_ms, true);
    check_two_lives_later(&w, life_ms);
    check_resumption(&w, -life_ms / 2, true);
    atomic_fetch_add(&w.clock.offset_ms, -100 * life_ms);
    check_two_lives_later(&w, life_ms);
    close_world(&w);
}

TEST(a_ticket_that_was_changed_or_invented_is_not_resumed)
{
    struct world w;
    open_world(&w);
    CHECK_INT(SSL_CTX_set_max_proto_version(w.client_context, TLS1_2_VERSION), 1);
    connect_and_shake(&w);
    disconnect(&w);
    unsigned char *coded = NULL;
    const unsigned char *ticket = NULL;
    size_t length = 0;
    int coded_length = i2d_SSL_SESSION(w.session, &coded);
    SSL_SESSION_get0_ticket(w.session, &ticket, &length);
    CHECK(coded_length > 0 && length > 64);
    const unsigned char *start = memmem(coded, (size_t)coded_length, ticket, length);
    CHECK(start != NULL);
    const size_t places[] = { 0, 15, 16, 40, length - 1 }; /* name, IV, sealed bytes, MAC */
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        unsigned char *byte = coded + (start - coded) + places[i];
        *byte ^= 1;
        const unsigned char *from = coded;
        SSL_SESSION *changed = d2i_SSL_SESSION(NULL, &from, coded_length);
        CHECK(changed != NULL);
        connect_client(&w);
        CHECK_INT(SSL_set_session(w.client, changed), 1);
        CHECK_ERR(shake_hands(&w), ERR_OK);
        CHECK(!tls_stream_is_resumed(w.server));
        disconnect(&w);
        SSL_SESSION_free(changed);
        *byte ^= 1;
    }
    OPENSSL_free(coded);
    close_world(&w);
}

TEST(http_1_1_is_chosen_and_an_offer_without_it_refused)
{
    struct world w;
    open_world(&w);
    set_alpn(&w, "\x02h2\x08http/1.1");
    connect_and_shake(&w);
    const unsigned char *chosen = NULL;
    unsigned length = 0;
    SSL_get0_alpn_selected(w.client, &chosen, &length);
    CHECK_SPAN(((struct span){ .data = (const char *)chosen, .length = length }), "http/1.1");
    disconnect(&w);
    set_alpn(&w, "\x02h2");
    connect_client(&w);
    CHECK_ERR(shake_hands(&w), ERR_IO);
    close_world(&w);
}

static void check_refused(struct world *w)
{
    connect_client(w);
    CHECK_ERR(shake_hands(w), ERR_IO);
    CHECK(!tls_stream_is_ready(w->server));
    CHECK_ERR(tls_stream_write(w->server, SPAN("x"), &w->out), ERR_IO);
    disconnect(w);
}

TEST(old_versions_and_weak_ciphers_are_refused)
{
    struct world w;
    open_world(&w);
    SSL_CTX_set_security_level(w.client_context, 0);
    CHECK_INT(SSL_CTX_set_max_proto_version(w.client_context, TLS1_1_VERSION), 1);
    check_refused(&w);
    CHECK_INT(SSL_CTX_set_max_proto_version(w.client_context, TLS1_2_VERSION), 1);
    static const char *const weak[] = { "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
                                        "ECDHE-ECDSA-AES128-CCM", "aNULL", "eNULL" };
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        CHECK_INT(SSL_CTX_set_cipher_list(w.client_context, weak[i]), 1);
        check_refused(&w);
    }
    CHECK_INT(SSL_CTX_set_cipher_list(w.client_context, "ECDHE-ECDSA-CHACHA20-POLY1305"), 1);
    connect_and_shake(&w);
    close_world(&w);
}

static void check_chosen(struct world *w, int version, const char *offered, const char *chosen)
{
    CHECK_INT(SSL_CTX_set_max_proto_version(w->client_context, version), 1);
    CHECK_INT(version == TLS1_2_VERSION ? SSL_CTX_set_cipher_list(w->client_context, offered)
                                        : SSL_CTX_set_ciphersuites(w->client_context, offered),
              1);
    connect_and_shake(w);
    CHECK_SPAN(span_of(SSL_get_cipher_name(w->client)), chosen);
    disconnect(w);
}

TEST(aes_128_is_chosen_unless_the_client_would_rather_have_chacha)
{
    struct world w;
    open_world(&w);
    check_chosen(&w, TLS1_2_VERSION, "DEFAULT", "ECDHE-ECDSA-AES128-GCM-SHA256");
    check_chosen(&w, TLS1_2_VERSION, "ECDHE+CHACHA20:ECDHE+AESGCM",
                 "ECDHE-ECDSA-CHACHA20-POLY1305");
    check_chosen(&w, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384",
                 "ECDHE-ECDSA-AES256-GCM-SHA384");
    check_chosen(&w, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
                 "TLS_AES_128_GCM_SHA256");
    check_chosen(&w, TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
                 "TLS_CHACHA20_POLY1305_SHA256");
    check_chosen(&w, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384");
    close_world(&w);
}

TEST(renegotiation_is_refused_and_asking_on_and_on_ends_the_stream)
{
    struct world w;
    open_world(&w);
    CHECK_INT(SSL_CTX_set_max_proto_version(w.client_context, TLS1_2_VERSION), 1);
    connect_and_shake(&w);
    enum err e = ERR_OK;
    int asked = 0;
    while (e == ERR_OK && asked < 1000) {
        if (SSL_renegotiate(w.client) != 1) {
            break;
        }
        (void)SSL_do_handshake(w.client);
        e = feed(&w, client_bytes(&w));
        to_client(&w);
        asked++;
        if (SSL_do_handshake(w.client) != 1 && SSL_get_error(w.client, -1) == SSL_ERROR_SSL) {
            break; /* the client takes the refusal for an end */
        }
    }
    CHECK(asked < 200);
    CHECK(buf_span(&w.plain).length == 0);
    close_world(&w);
}

TEST(key_updates_are_served_but_a_flood_of_them_ends_the_stream)
{
    struct world w;
    open_world(&w);
    CHECK_INT(SSL_CTX_set_min_proto_version(w.client_context, TLS1_3_VERSION), 1);
    connect_and_shake(&w);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(SSL_key_update(w.client, SSL_KEY_UPDATE_REQUESTED), 1);
        client_says(&w, SPAN("x"));
        CHECK_ERR(tls_stream_write(w.server, SPAN("y"), &w.out), ERR_OK);
        CHECK_SPAN(client_hears(&w), "y");
    }
    enum err e = ERR_OK;
    int sent = 0;
    while (e == ERR_OK && sent < 1000) {
        CHECK_INT(SSL_key_update(w.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        CHECK_INT(SSL_do_handshake(w.client), 1);
        e = feed(&w, client_bytes(&w));
        sent++;
    }
    CHECK_ERR(e, ERR_IO);
    CHECK(sent > 30 && sent < 200);
    close_world(&w);
}

/* ---- what is no TLS at all ---- */

TEST(plain_http_and_garbage_end_the_stream)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x80\x2e\x01",
        "\x16\x03\x01\xff\xff\x01",          "\x15\x03\x03",
        "\x17\x03\x03\x40\x00xxxxxxxx",      "POST / HTTP/1.1\r\n"
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t step = 0; step < 2; step++) {
            struct world w;
            open_world(&w);
            w.step = step == 0 ? SIZE_MAX : 1;
            connect_client(&w);
            enum err e = feed(&w, span_of(texts[i]));
            char zeros[20000] = { 0 };
            e = e != ERR_OK ? e : feed(&w, (struct span){ .data = zeros, .length = sizeof(zeros) });
            CHECK_ERR(e, ERR_IO);
            CHECK_ERR(feed(&w, SPAN("more")), ERR_IO);
            CHECK_INT(w.plain.length, 0);
            close_world(&w);
        }
    }
}

TEST(a_damaged_record_ends_the_stream)
{
    struct world w;
    open_world(&w);
    connect_and_shake(&w);
    size_t written = 0;
    CHECK_INT(SSL_write_ex(w.client, "hello", 5, &written), 1);
    struct span cipher = client_bytes(&w);
    ((char *)(uintptr_t)cipher.data)[cipher.length - 1] ^= 1;
    CHECK_ERR(feed(&w, cipher), ERR_IO);
    CHECK_INT(w.plain.length, 0);
    CHECK(w.out.length > 0); /* the alert */
    close_world(&w);
}

TEST(every_beginning_of_a_handshake_can_be_dropped)
{
    struct world w;
    open_world(&w);
    connect_client(&w);
    (void)SSL_do_handshake(w.client);
    struct span hello = client_bytes(&w);
    for (size_t length = 0; length < hello.length; length += 7) {
        disconnect(&w);
        connect_client(&w);
        CHECK_ERR(feed(&w, span_slice(hello, 0, length)), ERR_OK);
        CHECK(!tls_stream_is_ready(w.server));
        tls_stream_end(w.server, &w.out);
    }
    close_world(&w);
}

TEST(an_output_buffer_that_is_too_small_ends_the_stream)
{
    struct world w;
    open_world(&w);
    connect_client(&w);
    (void)SSL_do_handshake(w.client);
    buf_done(&w.out);
    buf_init(&w.out, 100);
    CHECK_ERR(feed(&w, client_bytes(&w)), ERR_IO);
    close_world(&w);
}

/* ---- files ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
    CHECK_INT(chmod(path, 0600), 0);
}

static void check_why(struct world *w, const char *part)
{
    struct span why = SPAN_NONE;
    CHECK_ERR(open_context(w, 0, &why), ERR_CONFIG);
    CHECK(why.length > 0 && span_find(why, '\n') == why.length);
    if (memmem(why.data, why.length, part, strlen(part)) == NULL) {
        CHECK_SPAN(why, part);
    }
}

TEST(bad_files_are_refused_with_a_reason)
{
    struct world w;
    open_directory(&w);
    check_why(&w, "cert.pem cannot be used: No such file or directory");
    make_files(&w, "");
    CHECK_INT(chmod(w.key, 0640), 0);
    check_why(&w, "chmod 600");
    CHECK_INT(chmod(w.key, 0604), 0);
    check_why(&w, "chmod 600");
    write_file(w.key, "no key");
    check_why(&w, "no private key");
    write_file(w.key, "");
    check_why(&w, "no private key");
    CHECK_INT(unlink(w.key), 0);
    check_why(&w, "cannot be read");
    CHECK_INT(mkfifo(w.key, 0600), 0);
    check_why(&w, "not a regular file");
    CHECK_INT(unlink(w.key), 0);

    make_files(&w, "");
    char other[96];
    (void)snprintf(other, sizeof(other), "%s/other", w.directory);
    CHECK_INT(rename(w.key, other), 0);
    make_files(&w, "");
    CHECK_INT(rename(other, w.key), 0);
    check_why(&w, "does not fit");
    write_file(w.cert, "no certificate");
    check_why(&w, "cert.pem cannot be used: no start line");
    close_world(&w);
}

TEST(a_reload_takes_new_files_and_keeps_the_old_ones_when_they_are_bad)
{
    struct world w;
    struct span why = SPAN_NONE;
    open_world(&w);
    CHECK(!tls_context_is_stale(w.context));
    write_file(w.cert, "broken");
    CHECK(tls_context_is_stale(w.context));
    CHECK_ERR(tls_context_reload(w.context, &w.a, &why), ERR_CONFIG);
    CHECK(why.length > 0);
    CHECK(!tls_context_is_stale(w.context));
    connect_and_shake(&w);
    X509 *before = SSL_get1_peer_certificate(w.client);
    make_files(&w, "");
    CHECK(tls_context_is_stale(w.context));
    CHECK_ERR(tls_context_reload(w.context, &w.a, &why), ERR_OK);
    client_says(&w, SPAN("still here"));
    CHECK_SPAN(buf_span(&w.plain), "still here");
    disconnect(&w);
    connect_and_shake(&w);
    X509 *after = SSL_get1_peer_certificate(w.client);
    CHECK(X509_cmp(before, after) != 0);
    X509_free(before);
    X509_free(after);
    close_world(&w);
}

/* ---- the self-made certificate ---- */

static X509 *read_cert(const struct world *w)
{
    BIO *bio = BIO_new_file(w->cert, "r");
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    CHECK(cert != NULL);
    BIO_free(bio);
    return cert;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    CHECK_INT(stat(path, &st), 0);
    return st.st_mode & 07777;
}

TEST(the_self_made_certificate_is_for_us_and_private)
{
    struct world w;
    struct span why = SPAN_NONE;
    open_directory(&w);
    make_files(&w, "door.example");
    CHECK_INT(mode_of(w.cert), 0600);
    CHECK_INT(mode_of(w.key), 0600);
    X509 *cert = read_cert(&w);
    static const char *const hosts[] = { "localhost", "door.example" };
    static const char *const addresses[] = { "127.0.0.1", "::1" };
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(X509_check_host(cert, hosts[i], 0, 0, NULL), 1);
        CHECK_INT(X509_check_ip_asc(cert, addresses[i], 0), 1);
    }
    CHECK_INT(X509_check_host(cert, "other.example", 0, 0, NULL), 0);
    CHECK_INT(X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0), 1);
    CHECK_INT(X509_self_signed(cert, 1), 1);
    CHECK(X509_get_extension_flags(cert) & EXFLAG_XKUSAGE);
    int days = 0;
    int seconds = 0;
    CHECK_INT(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert), X509_get0_notAfter(cert)),
              1);
    CHECK(days >= 800 && days < 825);
    X509_free(cert);
    CHECK_ERR(open_context(&w, 16, &why), ERR_OK);
    struct clock now = { 0 };
    int64_t left_ms = tls_context_expires_at(w.context) - clock_now_ms(&now);
    CHECK(left_ms > (int64_t)800 * 86400000 && left_ms < (int64_t)825 * 86400000);
    close_world(&w);
}

TEST(the_self_made_certificate_takes_addresses_and_no_nonsense)
{
    struct world w;
    struct span why = SPAN_NONE;
    open_directory(&w);
    make_files(&w, "192.0.2.7");
    X509 *cert = read_cert(&w);
    CHECK_INT(X509_check_ip_asc(cert, "192.0.2.7", 0), 1);
    X509_free(cert);
    make_files(&w, "localhost");
    static const char *const bad[] = { "a b", "a,DNS:b", "a\nb", "\xc3\xa4", "a/b" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_ERR(tls_self_signed(w.cert, w.key, span_of(bad[i]), &w.a, &why), ERR_CONFIG);
        CHECK(why.length > 0);
    }
    close_world(&w);
}

TEST(certificate_files_are_written_whole_or_not_at_all)
{
    struct world w;
    struct span why = SPAN_NONE;
    open_directory(&w);
    char nowhere[96];
    (void)snprintf(nowhere, sizeof(nowhere), "%s/no/key.pem", w.directory);
    CHECK_ERR(tls_self_signed(w.cert, nowhere, SPAN_NONE, &w.a, &why), ERR_IO);
    CHECK(memmem(why.data, why.length, nowhere, strlen(nowhere)) != NULL);
    CHECK(access(w.cert, F_OK) != 0);
    /* A directory in the certificate's place: its temporary file can be written, not renamed. */
    CHECK_INT(mkdir(w.cert, 0700), 0);
    CHECK_ERR(tls_self_signed(w.cert, w.key, SPAN_NONE, &w.a, &why), ERR_IO);
    CHECK_INT(rmdir(w.cert), 0);
    CHECK(access(w.key, F_OK) != 0);
    close_world(&w); /* also sees that nothing was left behind */
}

int main(void)
{
    RUN_TESTS(cmocka_unit_test(both_versions_talk_whole_and_byte_by_byte),
              cmocka_unit_test(large_answers_arrive_whole),
              cmocka_unit_test(a_full_plain_buffer_makes_the_stream_wait),
              cmocka_unit_test(sessions_resume_also_after_a_reload),
              cmocka_unit_test(a_client_that_uses_each_ticket_once_resumes_every_time),
              cmocka_unit_test(a_ticket_is_good_under_its_key_and_the_next_and_then_no_more),
              cmocka_unit_test(a_clock_that_goes_back_does_not_keep_a_ticket_key_alive),
              cmocka_unit_test(a_ticket_that_was_changed_or_invented_is_not_resumed),
              cmocka_unit_test(http_1_1_is_chosen_and_an_offer_without_it_refused),
              cmocka_unit_test(old_versions_and_weak_ciphers_are_refused),
              cmocka_unit_test(aes_128_is_chosen_unless_the_client_would_rather_have_chacha),
              cmocka_unit_test(renegotiation_is_refused_and_asking_on_and_on_ends_the_stream),
              cmocka_unit_test(key_updates_are_served_but_a_flood_of_them_ends_the_stream),
              cmocka_unit_test(plain_http_and_garbage_end_the_stream),
              cmocka_unit_test(a_damaged_record_ends_the_stream),
              cmocka_unit_test(every_beginning_of_a_handshake_can_be_dropped),
              cmocka_unit_test(an_output_buffer_that_is_too_small_ends_the_stream),
              cmocka_unit_test(bad_files_are_refused_with_a_reason),
              cmocka_unit_test(a_reload_takes_new_files_and_keeps_the_old_ones_when_they_are_bad),
              cmocka_unit_test(the_self_made_certificate_is_for_us_and_private),
              cmocka_unit_test(the_self_made_certificate_takes_addresses_and_no_nonsense),
              cmocka_unit_test(certificate_files_are_written_whole_or_not_at_all));
}

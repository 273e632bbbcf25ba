#include "banner.h"

#include "files.h"
#include <stdio.h>

#define MAX_BANNER ((size_t)8 * 1024)

static bool is_loopback(struct span address)
{
    return span_starts(address, SPAN("127.")) || span_equal(address, SPAN("::1"));
}

void banner_url(const struct config *c, struct span address, uint16_t port, struct buf *out)
{
    buf_add_text(out, c->tls != 0 ? "https://" : "http://");
    if (span_equal(address, SPAN("0.0.0.0")) || span_equal(address, SPAN("::"))) {
        buf_add_text(out, "127.0.0.1"); /* every address: this one answers as well */
    } else if (span_find(address, ':') < address.length) {
        buf_printf(out, "[%.*s]", SPAN_FMT(address));
    } else {
        buf_add(out, address);
    }
    buf_printf(out, ":%u", port);
}

static void add_try(const struct config *c, uint16_t port, struct buf *out)
{
    buf_add_text(out, "\nTry it:\n  curl ");
    if (c->tls != 0 && c->tls_cert.length == 0) {
        buf_add_text(out, "--cacert " FILES_CERT " ");
    }
    banner_url(c, c->addresses[0], port, out);
    buf_add_text(out, "/register \\\n    -H 'Content-Type: application/json' \\\n"
                      "    -d '{\"username\":\"ann\",\"password\":\"correct horse battery\"}'\n");
}

void banner_print(const struct config *c, const struct sizes *s, uint16_t port)
{
    struct buf text;
    buf_init(&text, MAX_BANNER);
    buf_add_text(&text, "Doorward listens on\n");
    for (size_t i = 0; i < c->address_count; i++) {
        buf_add_text(&text, "  ");
        banner_url(c, c->addresses[i], port, &text);
        buf_add_char(&text, '\n');
    }
    buf_add_text(&text, "\nSizes:\n");
    sizes_print(s, c, &text);
    add_try(c, port, &text);
    /* Whoever started it may have closed stdout: nothing depends on it. */
    (void)fwrite(text.data, 1, text.length, stdout);
    (void)fflush(stdout);
    buf_done(&text);
}

static void log_warnings(const struct config *c, const struct sizes *s)
{
    bool open_to_others = false;
    for (size_t i = 0; i < c->address_count; i++) {
        open_to_others = open_to_others || !is_loopback(c->addresses[i]);
    }
    if (c->tls == 0) {
        log_event(LOG_WARN, "tls_off",
                  LOG_STR("detail", open_to_others
                                        ? "TLS=off: passwords and tokens cross the network in the "
                                          "clear, unless the mesh encrypts"
                                        : "TLS=off: for a loopback or mesh-encrypted hop only"));
    }
    if (c->development != 0) {
        log_event(LOG_WARN, "development", LOG_STR("detail", "DEVELOPMENT=1: not for real users"));
    }
    if (s->connections < (size_t)c->max_connections) {
        log_event(LOG_WARN, "files_short",
                  LOG_STR("detail", "MAX_CONNECTIONS was lowered: raise the limit on open files "
                                    "(ulimit -n, LimitNOFILE)"),
                  LOG_NUMBER("files_needed", s->files_needed),
                  LOG_NUMBER("files_allowed", s->files_allowed),
                  LOG_NUMBER("connections", s->connections));
    }
}

void banner_log(const struct config *c, const struct sizes *s, uint16_t port, int64_t started_us)
{
    log_event(
        LOG_INFO, "sizes", LOG_NUMBER("cpus", c->machine.cpus), LOG_NUMBER("loops", s->loops),
        LOG_NUMBER("engine_threads", s->engine_threads),
        LOG_NUMBER("store_workers", s->store_workers),
        LOG_NUMBER("password_workers", s->password_workers),
        LOG_NUMBER("store_connections", s->store_connections),
        LOG_NUMBER("connections", s->connections), LOG_NUMBER("request_bytes", s->arena_bytes),
        LOG_NUMBER("idle_bytes", s->idle_bytes), LOG_NUMBER("worst_bytes", s->worst_bytes),
        LOG_NUMBER("machine_bytes", c->machine.memory_bytes),
        LOG_NUMBER("files_needed", s->files_needed), LOG_NUMBER("files_allowed", s->files_allowed));
    log_warnings(c, s);
    log_event(LOG_INFO, "listening", LOG_SPAN("addresses", c->listen), LOG_NUMBER("port", port),
              LOG_STR("tls", c->tls != 0 ? "on" : "off"),
              LOG_NUMBER("start_ms", (clock_monotonic_us() - started_us) / 1000));
}

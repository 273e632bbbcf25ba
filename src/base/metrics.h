/* metrics.h - counters, gauges and histograms, declared in one list, shown as Prometheus text.
 *
 * Threads:   any. Each thread counts in a shard of its own, so that loops share no cache line; a
 * scrape adds the shards up. Gauges are one shared value, set or moved by any thread. Failure:
 * none; a thread past the last shard shares one. Units:     as in the name: _seconds, _bytes,
 * _total. */
#ifndef DOORWARD_METRICS_H
#define DOORWARD_METRICS_H

#include "buf.h"
#include "span.h"

/* X(id, kind, "name", "label name or empty", "label values by comma", "help") */
#define METRICS_LIST(X)                                                                            \
    X(LOG_DROPPED, COUNTER, "doorward_log_dropped_total", "", "", "Log lines dropped.")            \
    X(CONNECTIONS, GAUGE, "doorward_connections", "", "", "Open client connections.")              \
    X(CONNECTIONS_TOTAL, COUNTER, "doorward_connections_total", "outcome",                         \
      "accepted,refused,evicted,failed", "Connections taken, and why others were not kept.")       \
    X(HANDSHAKES, COUNTER, "doorward_tls_handshakes_total", "outcome", "full,resumed,failed",      \
      "TLS handshakes.")                                                                           \
    X(QUEUE_DEPTH, GAUGE, "doorward_queue_depth", "class", "store,login,register,password",        \
      "Requests waiting for a worker.")                                                            \
    X(QUEUE_WAIT, HISTOGRAM, "doorward_queue_wait_seconds", "class",                               \
      "store,login,register,password", "Time between admission and start.")                        \
    X(REFUSED, COUNTER, "doorward_refused_total", "cause",                                         \
      "queue_full,deadline,late,gone,pause,share", "Requests refused or dropped, by cause.")       \
    X(REFRESH, COUNTER, "doorward_refresh_total", "outcome",                                       \
      "rotated,repeated,reused,expired,revoked,ahead,junk,unavailable", "Refreshes by outcome.")   \
    X(STORE_SECONDS, HISTOGRAM, "doorward_store_seconds", "operation", "read,write,heartbeat",     \
      "Time of a store call, waiting included.")                                                   \
    X(STORE_ERRORS, COUNTER, "doorward_store_errors_total", "", "", "Store calls that failed.")    \
    X(STORE_BATCH, HISTOGRAM, "doorward_store_batch_writes", "", "", "Writes in one commit.")      \
    X(HASHES, COUNTER, "doorward_password_hashes_total", "", "", "Password hashes computed.")      \
    X(HASH_SECONDS, HISTOGRAM, "doorward_password_hash_seconds", "", "", "Time of one hash.")      \
    X(PASSWORD_STEPS, COUNTER, "doorward_password_steps_total", "", "",                            \
      "Steps of bcrypt, over all lanes; a hash of cost c takes 2^c.")                              \
    X(PASSWORD_LANES, GAUGE, "doorward_password_lanes", "", "", "Lanes in use.")                   \
    X(TOKEN_CHECKS, COUNTER, "doorward_token_checks_total", "outcome",                             \
      "good,invalid,expired,revoked,unavailable", "Access tokens judged, by outcome.")             \
    X(TOKEN_CACHE, COUNTER, "doorward_token_cache_total", "outcome", "hit,miss",                   \
      "Access tokens looked for among those verified before.")                                     \
    X(REVOCATION_LAG, GAUGE, "doorward_revocation_lag_ms", "", "",                                 \
      "Milliseconds since the revocations were last read from the store.")                         \
    X(REVOCATIONS, GAUGE, "doorward_revocations", "", "", "Revocations held in memory.")

enum metric {
#define X(id, kind, name, label, values, help) METRIC_##id,
    METRICS_LIST(X)
#undef X
        METRIC_COUNT
};

/* In the order of the label values of METRIC_REFUSED. */
enum metrics_refused {
    METRICS_REFUSED_QUEUE_FULL,
    METRICS_REFUSED_DEADLINE, /* the expected wait was over it */
    METRICS_REFUSED_LATE,     /* taken, but it passed before the turn came */
    METRICS_REFUSED_GONE,     /* the client has hung up */
    METRICS_REFUSED_PAUSE,    /* back before its Retry-After */
    METRICS_REFUSED_SHARE,    /* taken, but gave way in a full queue to a client with less in it */
};

/* `label` is the index among the label values of the list; 0 where there is none. */
void metrics_add(enum metric m, unsigned label, uint64_t amount);
void metrics_gauge_set(enum metric m, unsigned label, int64_t value);
void metrics_gauge_move(enum metric m, unsigned label, int64_t change);
/* A histogram's value in the metric's unit (seconds as microseconds: metrics_observe_us). */
void metrics_observe(enum metric m, unsigned label, double value);
void metrics_observe_us(enum metric m, unsigned label, int64_t microseconds);

/* The request histogram: route and status. Names are given once at start, before any thread counts.
 */
#define METRICS_MAX_ROUTES 48
void metrics_routes(const char *const *names, size_t count);
void metrics_request(size_t route, int status, int64_t microseconds);

/* The Prometheus text format, version 0.0.4. */
void metrics_render(struct buf *out);

#endif

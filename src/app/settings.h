/* settings.h - every setting of DESIGN 8: one table, and the struct that it fills.
 *
 * Threads:   written by the main thread at start, read-only afterwards.
 * Ownership: texts live in the config's own arena, each with a NUL behind it.
 * Failure:   one line that names the setting, where it came from, and what is allowed.
 * Units:     seconds, unless the name says otherwise. */
#ifndef DOORWARD_SETTINGS_H
#define DOORWARD_SETTINGS_H

#include "app.h"
#include "base.h"
#include "sizes.h"

#define CONFIG_MASTER_BYTES 32
#define CONFIG_MASTER_MAX   8
#define CONFIG_MAX_ADDRESS  8 /* LISTEN */
#define CONFIG_MAX_SETTINGS 80

enum setting_source {
    SOURCE_DEFAULT,
    SOURCE_ENV_FILE, /* the later wins over the earlier */
    SOURCE_ENVIRONMENT,
};
/* What was said about one setting, and where. */
struct setting_value {
    struct span text; /* data NULL: nothing said, no default */
    enum setting_source source;
    unsigned line;    /* of the .env file */
    struct span file; /* NAME_FILE's path; data NULL when the value was given directly */
};

struct config {
    struct arena texts;
    struct setting_value values[CONFIG_MAX_SETTINGS]; /* by index in `settings` */
    struct span env_name;                             /* the .env file's, for messages */
    struct machine machine;                           /* what the sizes were computed from */

    struct span db_uri, listen, public_url, trusted_proxies, tls_cert, tls_key;
    struct span jwt_secret, jwt_secret_previous, jwt_alg, jwt_typ, jwt_issuer, jwt_audience;
    struct span master_key, cors_origins, verify_cookie, metrics_listen, password_kernel;
    uint8_t master[CONFIG_MASTER_MAX][CONFIG_MASTER_BYTES]; /* MASTER_KEY, decoded */
    size_t master_count;
    struct span addresses[CONFIG_MAX_ADDRESS]; /* LISTEN, cut up */
    size_t address_count;

    int64_t development, tls, port, metrics_port;
    int64_t mongo_pool, mongo_pool_wait_ms, mongo_selection_ms, mongo_socket_ms;
    int64_t jwt_expiry, jwt_leeway, refresh_expiry, session_max_age, refresh_grace;
    int64_t jwks_max_age, key_rotation, revocation_max_lag;
    int64_t password_hash, argon2_memory, argon2_iterations, argon2_memory_budget;
    int64_t password_lanes, token_cache_bytes;
    int64_t bcrypt_cost, password_min_length, login_attempts, login_max_wait;
    int64_t cookies, responses, pages, max_sessions, log_level, log_format;
    int64_t loops, store_workers, password_workers;
    int64_t max_connections, max_header_bytes, max_headers, max_body_bytes, max_uri_bytes;
    int64_t max_pipelined;
    int64_t handshake_timeout, header_timeout, body_timeout, idle_timeout, write_timeout;
    int64_t login_deadline_ms, store_deadline_ms, store_queue, password_queue;
    int64_t register_share, change_share, refusal_pause_ms, drain_delay, drain_timeout;
};

enum setting_kind {
    SETTING_TEXT,   /* span; min and max are its length in bytes */
    SETTING_NUMBER, /* int64_t; min and max are its value */
    SETTING_CHOICE, /* int64_t; the index among `choices` */
};
struct setting {
    const char *name;
    enum setting_kind kind;
    const char *standard; /* the default; NULL: none, or computed */
    int64_t min, max;
    const char *choices; /* by comma; TEXT may have them as well */
    const char *allowed; /* for messages; NULL: made from the kind and the bounds */
    const char *help;
    bool secret;          /* never shown; may be given as NAME_FILE */
    bool has_credentials; /* a URI that is shown without them; may be given as NAME_FILE */
    size_t offset;
    /* What kind and bounds do not say; may keep what it took apart. */
    bool (*check)(struct config *c, struct span value);
};
extern const struct setting settings[];
extern const size_t settings_count;

/* ---- for config.c: the rules of one value, and of several together ---- */
bool check_addresses(struct config *c, struct span value);
bool check_public_url(struct config *c, struct span value);
bool check_networks(struct config *c, struct span value);
bool check_master_keys(struct config *c, struct span value);
bool check_origins(struct config *c, struct span value);
bool check_cookie_name(struct config *c, struct span value);
bool check_address(struct config *c, struct span value);
bool check_db_uri(struct config *c, struct span value);
bool config_uses_mongo(const struct config *c);
MUST_CHECK PRINTF_LIKE(3, 4) enum err
    config_refuse(struct arena *a, struct span *ret_why, const char *format, ...);
/* What was said about the setting whose field is `field`, a member of *c. */
struct setting_value *config_value(struct config *c, const void *field);
/* Judge the text of setting `i` by kind, bounds and check, and put it into its field. */
MUST_CHECK enum err config_apply(struct config *c, size_t i, struct arena *a, struct span *ret_why);
/* What depends on other settings: computed defaults, and what does not go together. */
MUST_CHECK enum err config_settle(struct config *c, bool terminal, struct arena *a,
                                  struct span *ret_why);

/* What config_load() reads, for tests and fuzzing. */
struct config_input {
    const char *const *environment; /* NAME=value; NULL at the end */
    struct span env_text, env_name; /* the .env file; empty for none */
    struct machine machine;
    bool terminal; /* stderr is one */
};
MUST_CHECK enum err config_read(const struct config_input *in, struct arena *a,
                                struct span *ret_why, struct config **ret_config);

#endif

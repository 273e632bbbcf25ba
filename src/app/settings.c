#include "settings.h"

#define TEXT(field, low, high)                                                                     \
    .kind = SETTING_TEXT, .offset = offsetof(struct config, field), .min = (low), .max = (high)
#define NUMBER(field, low, high)                                                                   \
    .kind = SETTING_NUMBER, .offset = offsetof(struct config, field), .min = (low), .max = (high)
#define CHOICE(field, list)                                                                        \
    .kind = SETTING_CHOICE, .offset = offsetof(struct config, field), .choices = (list)
#define MAX_TEXT 1024
#define MAX_PATH 4000
#define DAY      INT64_C(86400)
#define MIB      (INT64_C(1024) * 1024)

/* clang-format off */
const struct setting settings[] = {
    { "DB_URI", TEXT(db_uri, 8, MAX_PATH), .standard = "sqlite:./var/doorward.db", .check = check_db_uri,
      .has_credentials = true, .allowed = "sqlite:PATH, mongodb://... or mongodb+srv://...", .help = "where users and sessions are kept" },
    { "MONGO_POOL", NUMBER(mongo_pool, 1, 1000), .standard = "32", .help = "connections to a MongoDB server" },
    { "MONGO_POOL_WAIT_MS", NUMBER(mongo_pool_wait_ms, 10, 10000), .standard = "500", .help = "longest wait for one of them before 503" },
    { "MONGO_SELECTION_TIMEOUT_MS", NUMBER(mongo_selection_ms, 100, 10000), .standard = "2000", .help = "longest wait for a primary, and how long a write whose fate is unknown is tried again" },
    { "MONGO_SOCKET_TIMEOUT_MS", NUMBER(mongo_socket_ms, 100, 30000), .standard = "2000", .help = "longest wait for an answer, and for a connection; an operation waits twice at most" },
    { "LISTEN", TEXT(listen, 1, MAX_TEXT), .standard = "127.0.0.1", .check = check_addresses,
      .allowed = "one to eight numeric addresses, separated by commas", .help = "addresses to listen on" },
    { "PORT", NUMBER(port, 0, 65535), .standard = "8443", .help = "port to listen on; 0: any free one" },
    { "PUBLIC_URL", TEXT(public_url, 0, MAX_TEXT), .standard = "", .check = check_public_url,
      .allowed = "https:// or http://, then HOST[:PORT][/PATH] without query", .help = "what clients call" },
    { "TRUSTED_PROXIES", TEXT(trusted_proxies, 0, MAX_TEXT), .standard = "", .check = check_networks,
      .allowed = "networks such as 10.0.0.0/8, ::1/128, separated by commas",
      .help = "proxies whose X-Forwarded-For and Forwarded are believed" },
    { "TLS", CHOICE(tls, "off,on"), .standard = "on", .help = "off: plain HTTP, for a loopback or mesh-encrypted hop" },
    { "TLS_CERT", TEXT(tls_cert, 0, MAX_PATH), .standard = "", .allowed = "the path of a PEM file", .help = "certificate chain; none: self-signed in ./var" },
    { "TLS_KEY", TEXT(tls_key, 0, MAX_PATH), .standard = "", .allowed = "the path of a PEM file", .help = "its private key" },

    { "JWT_SECRET", TEXT(jwt_secret, 32, MAX_TEXT), .secret = true,
      .allowed = "32 to 1024 bytes, as `openssl rand -base64 48` makes them", .help = "signs access tokens with HS256" },
    { "JWT_SECRET_PREVIOUS", TEXT(jwt_secret_previous, 32, MAX_TEXT), .secret = true,
      .allowed = "32 to 1024 bytes", .help = "still verifies, does not sign" },
    { "JWT_ALG", TEXT(jwt_alg, 1, 16), .standard = "ES256", .choices = "ES256,EdDSA,RS256,PS256,HS256", .help = "signature of access tokens" },
    { "JWT_TYP", TEXT(jwt_typ, 1, 16), .standard = "at+jwt", .choices = "at+jwt,JWT", .help = "the token header's typ" },
    { "JWT_EXPIRY", NUMBER(jwt_expiry, 1, 30 * DAY), .standard = "3600", .help = "seconds an access token lives" },
    { "JWT_LEEWAY", NUMBER(jwt_leeway, 0, 300), .standard = "30", .help = "seconds of clock difference allowed" },
    { "REFRESH_TOKEN_EXPIRY", NUMBER(refresh_expiry, 1, 3650 * DAY), .standard = "1209600", .help = "seconds a session lives unused" },
    { "SESSION_MAX_AGE", NUMBER(session_max_age, 1, 3650 * DAY), .standard = "7776000", .help = "seconds a session lives at most" },
    { "REFRESH_GRACE", NUMBER(refresh_grace, 0, 300), .standard = "10", .help = "seconds in which a repeated refresh gets the same answer" },
    { "JWT_ISSUER", TEXT(jwt_issuer, 1, 255), .allowed = "1 to 255 bytes", .help = "the claim iss" },
    { "JWT_AUDIENCE", TEXT(jwt_audience, 1, 255), .standard = "doorward", .allowed = "1 to 255 bytes", .help = "the claim aud" },
    { "JWKS_MAX_AGE", NUMBER(jwks_max_age, 0, DAY), .standard = "600", .help = "seconds that others may keep the key set" },
    { "KEY_ROTATION", NUMBER(key_rotation, 0, 3650 * DAY), .standard = "2592000", .help = "seconds after which a new signing key follows; 0: only by hand" },
    { "REVOCATION_MAX_LAG", NUMBER(revocation_max_lag, 2, 3600), .standard = "30", .help = "seconds behind after which readiness fails" },
    { "MASTER_KEY", TEXT(master_key, 44, MAX_TEXT), .secret = true, .check = check_master_keys,
      .allowed = "one to eight keys of 32 bytes in base64 (`openssl rand -base64 32`), separated by commas",
      .help = "wraps the signing keys; none: made in ./var" },

    { "BCRYPT_COST", NUMBER(bcrypt_cost, 4, 31), .standard = "12", .help = "cost of new password hashes" },
    { "PASSWORD_HASH", CHOICE(password_hash, "bcrypt,argon2id"), .standard = "bcrypt", .help = "form of new password hashes; the others still verify" },
    { "ARGON2_MEMORY", NUMBER(argon2_memory, 8192, 4 * MIB), .standard = "19456", .help = "KiB of memory of a new argon2id hash" },
    { "ARGON2_ITERATIONS", NUMBER(argon2_iterations, 1, 100), .standard = "2", .help = "passes of a new argon2id hash" },
    { "ARGON2_MEMORY_BUDGET", NUMBER(argon2_memory_budget, 16 * MIB, 1024 * MIB), .standard = "268435456", .help = "bytes that hashes which need memory may use together" },
    { "PASSWORD_MIN_LENGTH", NUMBER(password_min_length, 1, 128), .standard = "8", .help = "characters a new password has at least" },
    { "LOGIN_ATTEMPTS", NUMBER(login_attempts, 1, 1000), .standard = "10", .help = "failures before an account's wait starts to double" },
    { "LOGIN_MAX_WAIT", NUMBER(login_max_wait, 1, DAY), .standard = "900", .help = "seconds that wait is at most" },

    { "CORS_ORIGINS", TEXT(cors_origins, 0, 4 * MAX_TEXT), .standard = "", .check = check_origins,
      .allowed = "origins such as https://app.example.org in lower case, separated by commas", .help = "origins that browsers may call from" },
    { "COOKIES", CHOICE(cookies, "optional,on,off"), .standard = "optional", .help = "refresh token as a cookie" },
    { "RESPONSES", CHOICE(responses, "standard,classic"), .standard = "standard", .help = "classic: answers of the older API" },
    { "PAGES", CHOICE(pages, "off,on"), .standard = "on", .help = "the web client at /app and the live documentation at /docs" },
    { "VERIFY_COOKIE", TEXT(verify_cookie, 0, 64), .standard = "", .check = check_cookie_name,
      .allowed = "a cookie's name", .help = "cookie that /verify takes a token from" },
    { "MAX_SESSIONS_PER_USER", NUMBER(max_sessions, 1, 1000), .standard = "50", .help = "the oldest gives way" },
    { "TOKEN_CACHE_BYTES", NUMBER(token_cache_bytes, 0, 1024 * MIB), .standard = "16777216", .help = "for verified access tokens, all loops together; under 65536 a loop: none" },

    { "LOG_LEVEL", CHOICE(log_level, "debug,info,warn,error"), .standard = "info", .help = "least level that is logged" },
    { "LOG_FORMAT", CHOICE(log_format, "json,text"), .help = "json, or text on a terminal" },
    { "METRICS_LISTEN", TEXT(metrics_listen, 1, 64), .standard = "127.0.0.1", .check = check_address,
      .allowed = "a numeric IPv4 or IPv6 address", .help = "address of /metrics" },
    { "METRICS_PORT", NUMBER(metrics_port, 0, 65535), .standard = "0", .help = "port of /metrics; 0: none" },

    { "LOOPS", NUMBER(loops, 1, 256), .help = "network threads; one a CPU" },
    { "STORE_WORKERS", NUMBER(store_workers, 1, 1024), .standard = "64", .help = "threads for requests on the store; a commit is as large as those that wait" },
    { "PASSWORD_WORKERS", NUMBER(password_workers, 1, 1024), .help = "threads for requests with a password; two a CPU more than lanes" },
    { "PASSWORD_LANES", NUMBER(password_lanes, 0, 8), .standard = "0", .help = "password hashes that a core advances together; 0: the best by a short measurement" },
    { "PASSWORD_KERNEL", TEXT(password_kernel, 1, 16), .standard = "auto", .choices = "auto,c,x86,x86-pext", .help = "how they are computed; auto: the best by a short measurement" },

    { "MAX_CONNECTIONS", NUMBER(max_connections, 1, 1000000), .standard = "10000", .help = "open at once" },
    { "MAX_HEADER_BYTES", NUMBER(max_header_bytes, 1024, MIB), .standard = "16384", .help = "request line and header section" },
    { "MAX_HEADERS", NUMBER(max_headers, 8, 1000), .standard = "64", .help = "of a request" },
    { "MAX_BODY_BYTES", NUMBER(max_body_bytes, 1024, 16 * MIB), .standard = "16384", .help = "of a request" },
    { "MAX_URI_BYTES", NUMBER(max_uri_bytes, 128, 65536), .standard = "2048", .help = "of a request" },
    { "MAX_PIPELINED", NUMBER(max_pipelined, 1, 1000), .standard = "16", .help = "requests of a connection under way before reading pauses" },
    { "HANDSHAKE_TIMEOUT", NUMBER(handshake_timeout, 1, 3600), .standard = "10", .help = "seconds for the TLS handshake" },
    { "HEADER_TIMEOUT", NUMBER(header_timeout, 1, 3600), .standard = "10", .help = "seconds for a header section" },
    { "BODY_TIMEOUT", NUMBER(body_timeout, 1, 3600), .standard = "20", .help = "seconds for a body" },
    { "IDLE_TIMEOUT", NUMBER(idle_timeout, 1, 3600), .standard = "60", .help = "seconds between requests" },
    { "WRITE_TIMEOUT", NUMBER(write_timeout, 1, 3600), .standard = "20", .help = "seconds for a client to take an answer" },
    { "LOGIN_DEADLINE_MS", NUMBER(login_deadline_ms, 10, 60000), .standard = "2000", .help = "longest expected wait of a password request before 503" },
    { "STORE_DEADLINE_MS", NUMBER(store_deadline_ms, 10, 60000), .standard = "1000", .help = "longest expected wait of another request before 503" },
    { "STORE_QUEUE", NUMBER(store_queue, 1, 1000000), .standard = "4096", .help = "requests waiting for the store" },
    { "PASSWORD_QUEUE", NUMBER(password_queue, 1, 1000000), .standard = "4096", .help = "password requests waiting" },
    { "REGISTER_SHARE", NUMBER(register_share, 1, 98), .standard = "25", .help = "percent of the hashing that registrations get while others wait" },
    { "PASSWORD_CHANGE_SHARE", NUMBER(change_share, 1, 98), .standard = "25", .help = "percent that password changes and deletions of accounts get then; logins get the rest" },
    { "REFUSAL_PAUSE_MS", NUMBER(refusal_pause_ms, 0, 5000), .standard = "250", .help = "before a client that retries too early hears the same refusal" },
    { "DRAIN_DELAY", NUMBER(drain_delay, 0, 300), .standard = "0", .help = "seconds that listeners stay open after a signal to end" },
    { "DRAIN_TIMEOUT", NUMBER(drain_timeout, 0, 3600), .standard = "25", .help = "seconds for what is under way then" },
    { "DEVELOPMENT", CHOICE(development, "0,1"), .standard = "0", .help = "1: allow BCRYPT_COST under 10" },
};
/* clang-format on */
const size_t settings_count = sizeof(settings) / sizeof(settings[0]);
_Static_assert(sizeof(settings) / sizeof(settings[0]) <= CONFIG_MAX_SETTINGS,
               "a config has a place for every setting");

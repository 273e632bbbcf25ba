/* sqlite_attempts.c - what failed attempts cost, for users and for names that no user has: one rule
 * and one write for both, so that neither the answer nor its time tells them apart. */
#include "sqlite.h"

/* The rule, for a record's failures and not_before: ?2 free attempts, ?3 longest wait, ?4 now, ?6
 * the silence after which failures are forgotten. A wait that lies further ahead than any that is
 * given now comes from another setting or from a clock that was wrong, and counts as over. The
 * shift is bounded, so that nothing overflows. */
#define KNOWN                                                                                      \
    "CASE WHEN not_before > 0 AND not_before < ?4 - ?6 THEN 0"                                     \
    " ELSE min(failures, 1000000000) END"
#define NOT_BEFORE                                                                                 \
    "?4 + CASE WHEN " KNOWN " < ?2 THEN 0 ELSE min(?3, 1000 << min(" KNOWN " - ?2, 40)) END"
#define IS_OVER "(not_before <= ?4 OR not_before > ?4 + ?3)"

static const char sql_user[] =
    "UPDATE users SET failures = " KNOWN " + 1, not_before = " NOT_BEFORE
    " WHERE id = ?1 AND deleted_at = 0 AND " IS_OVER " RETURNING failures";
static const char sql_user_wait[] = "SELECT not_before FROM users WHERE id = ?1 AND deleted_at = 0";

/* A name that is not in its place begins without failures, whoever was there. */
static const char sql_stranger[] =
    "INSERT OR REPLACE INTO strangers (slot, name, failures, not_before)"
    " SELECT ?5, ?1, " KNOWN " + 1, " NOT_BEFORE
    " FROM (SELECT coalesce(max(failures), 0) AS failures,"
    "   coalesce(max(not_before), 0) AS not_before"
    "   FROM strangers WHERE slot = ?5 AND name = ?1)"
    " WHERE " IS_OVER " RETURNING failures";
static const char sql_stranger_wait[] = "SELECT not_before FROM strangers WHERE name = ?1 AND"
                                        " slot = ?2";

struct attempt {
    struct span key; /* a user's id, or a stranger's name */
    bool is_stranger;
    int64_t slot; /* a stranger's */
    int64_t free_attempts, max_wait_ms;
    struct store_attempt result;
};

static enum err read_wait(struct sqlite_conn *c, int64_t now_ms, struct attempt *attempt)
{
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, attempt->is_stranger ? sql_stranger_wait : sql_user_wait, &q));
    sqlite_bind_bytes(&q, attempt->key);
    if (attempt->is_stranger) {
        sqlite_bind_int(&q, attempt->slot);
    }
    TRY(sqlite_row(&q));
    int64_t not_before = sqlite_read_int(&q);
    TRY(sqlite_read_end(&q));
    attempt->result.wait_ms = not_before - now_ms;
    return ERR_TOO_MANY_ATTEMPTS;
}

static enum err count_attempt(struct sqlite_conn *c, int64_t now_ms, void *argument)
{
    struct attempt *attempt = argument;
    AUTO(sqlite_query) struct sqlite_query q = { 0 };
    TRY(sqlite_query_open(c, attempt->is_stranger ? sql_stranger : sql_user, &q));
    sqlite_bind_bytes(&q, attempt->key);
    sqlite_bind_int(&q, attempt->free_attempts);
    sqlite_bind_int(&q, attempt->max_wait_ms);
    sqlite_bind_int(&q, now_ms);
    sqlite_bind_int(&q, attempt->slot);
    sqlite_bind_int(&q, STORE_FORGET_WAITS(attempt->free_attempts) * attempt->max_wait_ms);
    enum err e = sqlite_row(&q);
    if (e == ERR_NOT_FOUND) {
        return read_wait(c, now_ms, attempt);
    }
    TRY(e);
    attempt->result.number = sqlite_read_int(&q);
    return sqlite_read_end(&q);
}

static enum err run_attempt(struct store *s, struct attempt *attempt,
                            struct store_attempt *ret_attempt)
{
    enum err e = sqlite_write(&sqlite_of(s)->writer, count_attempt, attempt);
    if (e == ERR_OK || e == ERR_TOO_MANY_ATTEMPTS) {
        *ret_attempt = attempt->result;
    }
    return e;
}

enum err sqlite_user_attempt(struct store *s, struct uuid id, int64_t free_attempts,
                             int64_t max_wait_ms, struct store_attempt *ret_attempt)
{
    struct attempt attempt = { .key = { (const char *)id.bytes, UUID_BYTES },
                               .free_attempts = free_attempts,
                               .max_wait_ms = max_wait_ms };
    return run_attempt(s, &attempt, ret_attempt);
}

enum err sqlite_stranger_attempt(struct store *s, const uint8_t name[static STORE_STRANGER_BYTES],
                                 int64_t free_attempts, int64_t max_wait_ms,
                                 struct store_attempt *ret_attempt)
{
    struct attempt attempt = { .key = { (const char *)name, STORE_STRANGER_BYTES },
                               .is_stranger = true,
                               .slot = (name[0] << 8 | name[1]) % STORE_STRANGERS,
                               .free_attempts = free_attempts,
                               .max_wait_ms = max_wait_ms };
    return run_attempt(s, &attempt, ret_attempt);
}

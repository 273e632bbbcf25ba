/* Sessions, and the revocations that end them here as well. */
#include "audit.h"
#include "import.h"
#include "input.h"

/* Of a revocation: an access token's longest, and a day, since clocks differ. */
#define MAX_LIFE_MS ((TOKEN_MAX_EXPIRY_S + INT64_C(24) * 3600) * SECOND_MS)

/* Of what was there: a service of this store may have given out access tokens for it, which outlive
 * the revocation that came. Not session.h's publishing: that leaves out what the table has, which
 * here may be the same with an earlier end. */
static enum err publish(const struct import_run *run, struct store_revocation end)
{
    end.expires_at = auth_revocation_end_ms(run->au);
    return store_revocation_put(run->au->options.store, &end);
}

static enum err end_session(const struct import_run *run, struct uuid session)
{
    enum err e = store_session_revoke(run->au->options.store, session);
    if (e == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(e);
    return publish(run, (struct store_revocation){ .id = session });
}

/* ---- sessions ---- */

static void check_session(const struct import_run *run, const struct store_session *s,
                          struct auth_import_result *result)
{
    if (!token_has_master(run->au->options.tokens, s->master_key)) {
        import_refuse(result, "master_key", "unknown_master_key",
                      "was opened with a master key that is not among MASTER_KEY here");
    } else if (s->ip.length > INPUT_MAX_IP_BYTES) {
        import_refuse(result, "ip", "too_long", "must have at most 64 bytes");
    } else if (s->agent.length > INPUT_MAX_AGENT_BYTES) {
        import_refuse(result, "user_agent", "too_long", "must have at most 256 bytes");
    }
}

static enum err check_owners(const struct import_run *run)
{
    struct import_people people = { .count = 0 };
    for (size_t i = 0; i < run->count; i++) {
        struct uuid user = run->records[i].session->user_id;
        bool is_last = people.id_count > 0 && uuid_equal(people.ids[people.id_count - 1], user);
        if (!is_last) { /* a user's sessions stand together */
            people.ids[people.id_count++] = user;
        }
    }
    TRY(import_look_up(run, &people));
    for (size_t i = 0; i < run->count; i++) {
        const struct store_session *s = run->records[i].session;
        const struct store_user *owner = import_find_person(&people, s->user_id);
        if (!import_is_open(&run->results[i])) {
            continue;
        }
        if (owner == NULL) {
            import_refuse(&run->results[i], "user_id", "no_such_user",
                          "is not the id of a user here");
        } else if (s->epoch > owner->session_epoch) { /* else it would live when that is reached */
            import_refuse(&run->results[i], "epoch", "user_outdated",
                          "is of a later epoch than the user here");
        }
    }
    return ERR_OK;
}

/* Sessions go on while they are moved: the same one is there, however far it has come. */
static enum err judge_session(const struct import_run *run, size_t i, enum err added)
{
    const struct store_session *s = run->records[i].session;
    struct store_session other = { 0 };
    if (added != ERR_CONFLICT) {
        return added;
    }
    TRY(store_session_get(run->au->options.store, s->id, run->arena, &other));
    if (uuid_equal(s->user_id, other.user_id) && s->created_at == other.created_at) {
        run->results[i].outcome = AUTH_IMPORT_THERE;
    } else {
        import_refuse(&run->results[i], "id", "session_exists",
                      "is the id of another session here");
    }
    return ERR_OK;
}

static enum err add_sessions(const struct import_run *run)
{
    struct store_session *sessions = ARENA_ARRAY(run->arena, struct store_session, run->count);
    enum err results[AUTH_MAX_IMPORT] = { ERR_OK };
    size_t count = 0;
    if (sessions == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < run->count; i++) {
        if (import_is_open(&run->results[i])) {
            sessions[count++] = *run->records[i].session;
        }
    }
    TRY(store_sessions_add(run->au->options.store, sessions, count, results));
    for (size_t i = 0, next = 0; i < run->count; i++) {
        if (import_is_open(&run->results[i])) {
            TRY(judge_session(run, i, results[next++]));
        }
    }
    return ERR_OK;
}

/* What is known here to have ended, be it that its session had not come yet. After the adding: who
 * logs out meanwhile is met by this look, or finds the session (session_end). */
static enum err end_known(const struct import_run *run)
{
    struct auth *au = run->au;
    TRY(follow_revocations(au, 0));
    for (size_t i = 0; i < run->count; i++) {
        const struct store_session *s = run->records[i].session;
        const struct revocation_subject subject = { s->id, s->user_id, s->epoch };
        if (run->results[i].outcome == AUTH_IMPORT_REFUSED) {
            continue;
        }
        enum err e = revocations_refuse(au->revocations, 0, &subject);
        if (e == ERR_TOKEN_REVOKED) {
            e = end_session(run, s->id);
            run->results[i].outcome = AUTH_IMPORT_THERE;
        }
        TRY(e);
    }
    return ERR_OK;
}

enum err import_sessions(const struct import_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        check_session(run, run->records[i].session, &run->results[i]);
    }
    if (run->dry_run) {
        return ERR_OK;
    }
    TRY(check_owners(run));
    TRY(add_sessions(run));
    return end_known(run);
}

/* ---- revocations ---- */

static enum err delete_account(const struct import_run *run, const struct store_revocation *r)
{
    int64_t epoch = 0;
    enum err e = store_user_delete(run->au->options.store, r->id, SPAN_NONE, &epoch);
    if (e == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(e);
    struct auth_call call = *run->call;
    call.user_id = r->id;
    audit(&call, LOG_INFO, "user_delete", "import");
    return publish(run, *r);
}

/* Up to that epoch; a later one stays. After a conflict, with a user who ends sessions himself, it
 * is nearer. *ret_raised: the user came with an older record. */
static enum err raise_epoch(const struct import_run *run, const struct store_revocation *r,
                            bool *ret_raised)
{
    struct store *store = run->au->options.store;
    enum err e = ERR_OK;
    do {
        struct store_user user = { 0 };
        e = store_user_by_id(store, r->id, run->arena, &user);
        *ret_raised = e == ERR_OK && user.session_epoch < r->epoch;
        if (*ret_raised) {
            struct store_user_change change = { .if_session_epoch = &user.session_epoch,
                                                .raise_epoch = r->epoch - user.session_epoch,
                                                .keep = r->keep };
            e = store_user_change(store, user.id, &change, NULL);
        }
    } while (e == ERR_CONFLICT);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* First the record itself: a revocation is forgotten when no access token is left. */
static enum err end_named(const struct import_run *run, size_t i)
{
    const struct store_revocation *r = run->records[i].revocation;
    bool is_outdated = false;
    if (!r->is_user) {
        return end_session(run, r->id);
    }
    if (r->epoch == INT64_MAX) {
        return delete_account(run, r);
    }
    TRY(raise_epoch(run, r, &is_outdated));
    if (is_outdated) {
        TRY(publish(run, *r));
        import_refuse(&run->results[i], "user_id", "user_outdated",
                      "the user has changed since the line that came for him: his sessions are "
                      "ended, but password, roles and state may be old ones");
    }
    return ERR_OK;
}

/* One that outlived every access token would lie in the store, and in the memory of each service,
 * for nothing. */
static void check_revocation(const struct import_run *run, const struct store_revocation *r,
                             struct auth_import_result *result)
{
    if (r->expires_at - auth_now_ms(run->au) > MAX_LIFE_MS) {
        import_refuse(result, "expires_at", "invalid_format",
                      "is over 31 days away, beyond what any access token lives");
    }
}

enum err import_revocations(const struct import_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct store_revocation *r = run->records[i].revocation;
        check_revocation(run, r, &run->results[i]);
        if (!run->dry_run && import_is_open(&run->results[i])) {
            TRY(end_named(run, i));
            TRY(store_revocation_put(run->au->options.store, r));
        }
    }
    return ERR_OK;
}

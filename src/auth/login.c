#include "audit.h"
#include "input.h"
#include "session.h"

/* Whom a login names, in the form in which accounts are looked up. */
struct login_name {
    struct span text;
    bool is_email;
};

/* One name and one password, to be tried. */
struct guess {
    struct store_user *user; /* NULL: a stranger's */
    uint8_t name[STORE_STRANGER_BYTES];
    struct span password;
    struct store_attempt attempt; /* as it was counted */
};

static bool is_too_long(struct span name)
{
    return name.length > INPUT_MAX_NAME_BYTES || span_find(name, '\0') < name.length;
}

static enum err read_name(const struct auth_login_input *in, struct arena *a,
                          struct login_name *ret_name)
{
    const struct span given[] = { in->username, in->email, in->identifier };
    struct span name = SPAN_NONE;
    size_t count = 0;
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        if (given[i].data != NULL) {
            name = given[i];
            count++;
        }
    }
    struct auth_input_errors errors = { .count = 0 };
    input_check_old_password(in->password, "password", &errors);
    if (count != 1 || is_too_long(name) || errors.count > 0) {
        return ERR_INVALID_INPUT;
    }
    ret_name->is_email = in->email.data != NULL ||
                         (in->identifier.data != NULL && span_find(name, '@') < name.length);
    return input_lower(a, name, &ret_name->text);
}

/* Of a name of its kind: a username that no user has may be another's e-mail, or the reverse, and
 * what is counted for the one must not show with the other. */
static enum err hash_name(struct auth *au, struct arena *a, const struct login_name *name,
                          uint8_t ret_hash[static STORE_STRANGER_BYTES])
{
    struct span text = SPAN_NONE;
    TRY(arena_printf(a, &text, "%s:%.*s", name->is_email ? "email" : "username",
                     SPAN_FMT(name->text)));
    return token_name_hash(au->options.tokens, text, ret_hash);
}

static enum err find_user(struct auth *au, struct arena *a, const struct login_name *name,
                          struct store_user *user, bool *ret_known)
{
    enum err found = name->is_email
                         ? store_user_by_email(au->options.store, name->text, a, user)
                         : store_user_by_username(au->options.store, name->text, a, user);
    if (found != ERR_OK && found != ERR_NOT_FOUND) {
        return found;
    }
    *ret_known = found == ERR_OK;
    return ERR_OK;
}

static enum err refuse(const struct auth_call *call, const char *reason)
{
    audit(call, LOG_INFO, "login_failed", reason);
    return ERR_BAD_CREDENTIALS;
}

static enum err count_once(struct auth *au, struct guess *g, int64_t more_free)
{
    int64_t free_attempts = au->options.login_attempts + more_free;
    int64_t max_wait_ms = au->options.login_max_wait_s * SECOND_MS;
    if (g->user == NULL) {
        return store_stranger_attempt(au->options.store, g->name, free_attempts, max_wait_ms,
                                      &g->attempt);
    }
    return store_user_attempt(au->options.store, g->user->id, free_attempts, max_wait_ms,
                              &g->attempt);
}

/* The attempt counts as failed before the password is tried, so that parallel guesses and a crash
 * count as well; flight.h tells why a client that logs in many times at once is no guesser. */
static enum err count_attempt(struct auth *au, struct auth_call *call, struct guess *g,
                              struct flight *flight)
{
    enum err e = ERR_OK;
    do {
        e = count_once(au, g, flights_allowance(au->flights, flight));
    } while (e == ERR_TOO_MANY_ATTEMPTS && flights_wait(au->flights, flight));
    if (e == ERR_TOO_MANY_ATTEMPTS) {
        call->retry_after_s = (g->attempt.wait_ms + SECOND_MS - 1) / SECOND_MS;
        audit(call, LOG_WARN, "login_failed", "throttled");
    }
    return e == ERR_NOT_FOUND ? refuse(call, "deleted") : e; /* since it was read */
}

/* Brings the hash to the configured form. */
static enum err renew_hash(struct auth *au, struct auth_call *call, const struct guess *g)
{
    struct store_user_change change = { .if_password_hash = g->user->password_hash };
    TRY(password_hash(au->options.passwords, g->password, call->arena, &change.password_hash));
    return store_user_change(au->options.store, g->user->id, &change, NULL);
}

/* What was verified is of a while ago. A changed password has raised the epoch, and its old one
 * opens nothing any more; a logout has raised it too, but who logs in anew may. */
static enum err look_again(struct auth *au, struct auth_call *call, struct store_user *user)
{
    struct store_user fresh = { 0 };
    enum err e = store_user_by_id(au->options.store, user->id, call->arena, &fresh);
    if (e == ERR_NOT_FOUND) {
        return refuse(call, "deleted");
    }
    TRY(e);
    bool is_same_password = fresh.session_epoch == user->session_epoch ||
                            span_equal(fresh.password_hash, user->password_hash);
    if (fresh.disabled || !is_same_password) {
        return refuse(call, "changed");
    }
    *user = fresh;
    return ERR_OK;
}

/* The same hashing for everybody: a stranger, a disabled account, a wrong password. A disabled
 * account's own hash is left alone, since a match is not topped up to the live cost and would tell
 * by its time that the password is right. */
static enum err check_password(struct auth *au, struct auth_call *call, const struct guess *g)
{
    struct store_user *user = g->user;
    bool match = false;
    bool rehash = false;
    bool disabled = user != NULL && user->disabled;
    struct span hash =
        user == NULL || disabled ? password_decoy(au->options.passwords) : user->password_hash;
    enum err e = password_verify(au->options.passwords, g->password, hash, &match, &rehash);
    if (e == ERR_INTERNAL) {
        audit(call, LOG_ERROR, "login_failed", "stored_hash");
    }
    TRY(e);
    if (disabled) {
        return refuse(call, "disabled");
    }
    if (user == NULL || !match) {
        return refuse(call, "credentials");
    }
    if (rehash) {
        /* What cannot be made or stored now, or was just renewed by another, the next login sees.
         */
        (void)renew_hash(au, call, g);
    }
    return look_again(au, call, user);
}

/* The verdict that others wait for comes after the session, which forgets the failures. */
static enum err try_guess(struct auth *au, struct auth_call *call, struct guess *g,
                          struct store_session *session)
{
    struct span name = { (const char *)g->name, sizeof(g->name) };
    struct flight flight = flights_begin(au->flights, name, g->password);
    enum flight_verdict verdict = FLIGHT_UNTRIED;
    enum err e = count_attempt(au, call, g, &flight);
    if (e == ERR_OK) {
        e = check_password(au, call, g);
        session->attempt = g->attempt.number;
        e = e == ERR_OK ? session_open(au, call, g->user, session) : e;
        verdict = e == ERR_OK                ? FLIGHT_RIGHT
                  : e == ERR_BAD_CREDENTIALS ? FLIGHT_WRONG
                                             : FLIGHT_UNTRIED;
    }
    flights_end(au->flights, &flight, verdict);
    return e;
}

enum err auth_login(struct auth *au, struct auth_call *call, const struct auth_login_input *in,
                    struct auth_user *ret_user, struct auth_tokens *ret_tokens, bool *ret_known)
{
    struct login_name name = { 0 };
    struct store_user user = { 0 };
    struct store_session session = { .created_at = auth_now_ms(au) };
    struct guess guess = { .password = in->password };
    struct session_moment moment = { .issued_ms = session.created_at };
    bool known = false;

    *ret_known = false;
    TRY(read_name(in, call->arena, &name));
    TRY(hash_name(au, call->arena, &name, guess.name));
    TRY(find_user(au, call->arena, &name, &user, &known));
    *ret_known = known;
    call->user_id = user.id;
    guess.user = known ? &user : NULL;
    TRY(try_guess(au, call, &guess, &session));
    moment.now_ms = auth_now_ms(au);
    TRY(session_tokens(au, call, &user, &session, moment, ret_tokens));
    audit(call, LOG_INFO, "login", NULL);
    *ret_user = session_user_view(&user);
    return ERR_OK;
}

/* errors.h - the one list of error codes, and the macros that keep them from being lost.
 *
 * A code is either an answer (wrong password, conflict), which nobody logs as an error, or the
 * world (store gone, no memory), which the edge logs once. Our own bugs are no codes: INVARIANT()
 * aborts. `api/problem.c` turns a code into HTTP in one switch without default, so that a new line
 * here does not compile until it is mapped.
 *
 * Threads: everything here may be called from anywhere. */
#ifndef DOORWARD_ERRORS_H
#define DOORWARD_ERRORS_H

#include <stdnoreturn.h>

#define ERR_LIST(X)                                                                                \
    X(OK, "no error")                                                                              \
    /* the world */                                                                                \
    X(NOMEM, "out of memory, or over a declared ceiling")                                          \
    X(UNAVAILABLE, "the store cannot be used now")                                                 \
    X(INTERNAL, "something inside is not as it must be")                                           \
    X(BUSY, "no capacity within the deadline")                                                     \
    X(CANCELLED, "the client has gone")                                                            \
    X(IO, "a file or a socket could not be used")                                                  \
    X(CONFIG, "a setting is not acceptable")                                                       \
    /* answers of the store */                                                                     \
    X(NOT_FOUND, "no such record")                                                                 \
    X(CONFLICT, "a unique name is taken, or the record changed meanwhile")                         \
    X(CONFLICT_USERNAME, "the user name is taken")                                                 \
    X(CONFLICT_EMAIL, "the e-mail is taken")                                                       \
    /* answers of the domain */                                                                    \
    X(BAD_CREDENTIALS, "unknown user, wrong password or disabled account")                         \
    X(WRONG_PASSWORD, "the current password is wrong")                                             \
    X(TOO_MANY_ATTEMPTS, "too many failed attempts")                                               \
    X(MISSING_TOKEN, "no bearer token")                                                            \
    X(INVALID_TOKEN, "not an acceptable access token")                                             \
    X(TOKEN_EXPIRED, "the access token has expired")                                               \
    X(TOKEN_REVOKED, "the access token's session has ended")                                       \
    X(INVALID_REFRESH, "not an acceptable refresh token")                                          \
    X(REFRESH_EXPIRED, "the refresh token has expired")                                            \
    X(REFRESH_REUSED, "the refresh token was used before")                                         \
    X(FORBIDDEN, "not allowed for this caller")                                                    \
    X(INVALID_INPUT, "a member is missing, unknown, or of the wrong type or length")               \
    /* answers of HTTP */                                                                          \
    X(BAD_REQUEST, "not an acceptable HTTP request")                                               \
    X(INVALID_JSON, "the body is not acceptable JSON")                                             \
    X(NO_ROUTE, "no such resource")                                                                \
    X(METHOD, "the resource does not know the method")                                             \
    X(ORIGIN, "the origin is not allowed")                                                         \
    X(BODY_TOO_LARGE, "the body is too large")                                                     \
    X(URI_TOO_LONG, "the request target is too long")                                              \
    X(HEADERS_TOO_LARGE, "the header section is too large")                                        \
    X(MEDIA_TYPE, "the body must be application/json")                                             \
    X(EXPECTATION, "the expectation cannot be met")                                                \
    X(TIMEOUT, "the request did not arrive in time")

enum err {
#define X(name, text) ERR_##name,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

/* The code's sentence; static storage. Never shown to clients. */
const char *err_text(enum err e);
/* The code's name without its prefix, e.g. "UNAVAILABLE"; static storage. */
const char *err_name(enum err e);

#define MUST_CHECK           __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, args) __attribute__((format(printf, f, args)))

/* Return the error of `call` to our caller: the only macro with control flow. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum err try_result_ = (call);                                                             \
        if (try_result_ != ERR_OK) {                                                               \
            return try_result_;                                                                    \
        }                                                                                          \
    } while (0)

/* Free a local at scope exit: AUTO(store) struct store *s = NULL; needs store_auto(struct store
 * **). */
#define AUTO(type) __attribute__((cleanup(type##_auto)))
/* Defines the function that AUTO(type) calls, from the type's free or close function. */
#define AUTO_DEFINE(type, pointee, free_function)                                                  \
    static inline void type##_auto(__typeof__(pointee) **p)                                        \
    {                                                                                              \
        free_function(*p);                                                                         \
    }                                                                                              \
    struct type##_auto_needs_semicolon_

/* Always on: a broken invariant is our bug, and going on could let someone in. */
#define INVARIANT(condition) ((condition) ? (void)0 : err_invariant(#condition, __FILE__, __LINE__))
noreturn void err_invariant(const char *condition, const char *file, int line);

#endif

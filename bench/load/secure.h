/* secure.h - the client's side of one TLS connection. No sockets.
 *
 * Threads:   one loop's.
 * Ownership: the span of secure_output() lives until the next call. secure_free() takes NULL.
 * Failure:   ERR_IO, with *ret_why in words; send what is in the output, then close. */
#ifndef DOORWARD_BENCH_SECURE_H
#define DOORWARD_BENCH_SECURE_H

#include "target.h"

struct secure;
/* Begins the handshake. With a session (may be NULL) it tries to resume that. */
MUST_CHECK enum err secure_new(const struct target *t, SSL_SESSION *session,
                               struct secure **ret_secure);
void secure_free(struct secure *s);
/* Cipher bytes that came. */
MUST_CHECK enum err secure_feed(struct secure *s, struct span cipher);
/* Goes on with the handshake: *ret_done. */
MUST_CHECK enum err secure_handshake(struct secure *s, bool *ret_done, char *ret_why,
                                     size_t why_bytes);
/* Plain bytes; 0: no more for now. ERR_CANCELLED: the other side has ended it in good order. */
MUST_CHECK enum err secure_read(struct secure *s, char *plain, size_t capacity, size_t *ret_length);
/* Is there anything left to read? Asking by reading costs as much as a small record. */
bool secure_has_more(const struct secure *s);
MUST_CHECK enum err secure_write(struct secure *s, struct span plain);
void secure_end(struct secure *s);
struct span secure_output(struct secure *s); /* cipher bytes to be sent */
void secure_sent(struct secure *s);          /* all of them were */
bool secure_is_resumed(const struct secure *s);
/* The session to resume next time, or NULL; SSL_SESSION_free(). TLS 1.3 sends it after the
 * handshake. */
SSL_SESSION *secure_take_session(const struct secure *s);

#endif

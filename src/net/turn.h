/* turn.h - a turn of a connection: what came is read, served, answered and sent.
 *
 *   bytes -> wire.c -> serve.c -> handler    read, decrypted; parsed; lent
 *   bytes <- wire.c <- serve.c <- answer     encrypted, sent; serialised
 *
 * The two call each other, because the end of a turn decides whether to read, and what is read
 * begins the next one.
 *
 * Threads:   the connection's loop.
 * Ownership: the loop's buffers are the connection's from conn_turn_begin() to conn_turn_end(). */
#ifndef DOORWARD_NET_TURN_H
#define DOORWARD_NET_TURN_H

#include "conn.h"

/* ---- serve.c: requests and answers; all between conn_turn_begin() and conn_turn_end() ---- */
void conn_turn_begin(struct conn *c);
/* Send what was written, decide the next state. */
void conn_turn_end(struct conn *c);
void conn_serve(struct conn *c, struct span plain); /* parse and answer; keep what is left */
void conn_refuse(struct conn *c, enum err why);
/* A turn of its own: an answer that has come, pending bytes. */
void conn_resume(struct conn *c);

/* ---- wire.c: the socket and TLS ---- */
void conn_read_update(struct conn *c);      /* start or stop reading, as the state wants */
void conn_give_step(struct conn *c);        /* one that yields may read */
bool conn_has_unread(const struct conn *c); /* bytes in the socket */
void conn_flush(struct conn *c);            /* the loop's plain_out and cipher_out to the client */
void conn_settle(struct conn *c); /* after a flush: where to go from IDLE, HEAD and BODY */

#endif

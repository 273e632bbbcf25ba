/* bearer.h - the access token of a request (RFC 6750). Private to api.
 *
 * Threads:   loop threads; nothing blocks. */
#ifndef DOORWARD_API_BEARER_H
#define DOORWARD_API_BEARER_H

#include "request.h"

/* The token of the Authorization header, never one of the query. ERR_MISSING_TOKEN: none, or
 * another scheme; ERR_INVALID_TOKEN: an empty one. */
MUST_CHECK enum err api_bearer_token(const struct http_request *request, struct span *ret_token);
/* Whom `token` speaks for, into r->caller and the log. Errors of auth_verify(). */
MUST_CHECK enum err api_bearer_verify(struct api_request *r, struct span token);
/* WWW-Authenticate for the answer `why`. */
void api_bearer_challenge(struct api_request *r, enum err why);

#endif

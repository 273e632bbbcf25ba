/* answer.h - what every answer has in common, and its line in the log. Private to api.
 *
 * Threads:   loop threads. */
#ifndef DOORWARD_API_ANSWER_H
#define DOORWARD_API_ANSWER_H

#include "request.h"

/* The client's X-Request-Id when it is a sane one, else a new UUID; empty when neither is to be
 * had. */
struct span api_request_id(const struct http_request *request, struct arena *a);
/* Add the headers of every answer, write the access log and the metrics, finish the exchange.
 * Afterwards `r` is gone. */
void api_answer(struct api_request *r);

#endif

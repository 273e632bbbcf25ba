/* problem.h - every error as an answer: RFC 9457 problem details. Private to api.
 *
 * Threads:   loop threads. */
#ifndef DOORWARD_API_PROBLEM_H
#define DOORWARD_API_PROBLEM_H

#include "request.h"

struct api_problem {
    int status;
    const char *code, *detail; /* static; what is inside is never told */
    int64_t retry_after_s;     /* 0: no Retry-After */
};
/* For every code but ERR_OK and ERR_CANCELLED, which are no answers. */
struct api_problem api_problem_of(enum err why);
/* Write the response for `why`: status, body and the headers that belong to it. */
void api_problem_answer(struct api_request *r, enum err why);

#endif

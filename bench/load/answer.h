/* answer.h - bytes to one HTTP answer, by llhttp.
 *
 * Threads:   one loop's.
 * Ownership: the body lives until the next answer_begin().
 * Failure:   ANSWER_BAD: the connection is of no use any more; answer_why() says it. */
#ifndef DOORWARD_BENCH_ANSWER_H
#define DOORWARD_BENCH_ANSWER_H

#include "base.h"

#define ANSWER_MAX_BODY ((size_t)64 * 1024) /* what is longer is not kept: the body is empty */

struct answer {
    int status;
    bool has_retry_after;
    uint64_t retry_after_s;
    bool keep_alive;
    struct span body;
};
enum answer_progress { ANSWER_MORE, ANSWER_DONE, ANSWER_BAD };

struct answer_parser;
MUST_CHECK enum err answer_parser_new(struct answer_parser **ret_parser);
void answer_parser_free(struct answer_parser *p);
/* A request was sent: one answer is expected. */
void answer_begin(struct answer_parser *p);
enum answer_progress answer_feed(struct answer_parser *p, struct span bytes);
/* The connection has ended: that may be the answer's end. */
enum answer_progress answer_finish(struct answer_parser *p);
struct answer answer_get(const struct answer_parser *p); /* after ANSWER_DONE */
const char *answer_why(const struct answer_parser *p);   /* after ANSWER_BAD */

#endif

/* documents.h - answers that are the same for everyone. Private to api.
 *
 * Threads:   loop threads; nothing blocks. */
#ifndef DOORWARD_API_DOCUMENTS_H
#define DOORWARD_API_DOCUMENTS_H

#include "request.h"

#define API_DOCUMENT_YEAR_S 31536000

struct api_document {
    struct span content_type, text, etag; /* etag with its quotes */
    struct span gzip, gzip_etag;          /* the text compressed; empty: it is not */
    int64_t max_age_s;
};
/* 200, or 304 when the client has it (RFC 9110, 13.1.2). Compressed for who accepts that. */
MUST_CHECK enum err api_document_answer(struct api_request *r, const struct api_document *document);
/* 200 or another status with a JSON body. */
MUST_CHECK enum err api_json_answer(struct api_request *r, int status, const struct json_out *j);

#endif

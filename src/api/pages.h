/* pages.h - files that are parts of the program: the contract, and where they are built in the web
 * client and the live documentation. The table is made by embed.py. Private to api.
 *
 * Threads:   const data. */
#ifndef DOORWARD_API_PAGES_H
#define DOORWARD_API_PAGES_H

#include "base.h"

struct api_page {
    struct span path; /* of the request; that of a folder's index ends in a slash */
    struct span content_type;
    struct span text, gzip; /* gzip: empty where it would not be smaller */
    struct span etag, gzip_etag;
    bool lasts; /* its name changes with its content */
};
extern const struct api_page api_pages[];
extern const size_t api_page_count;

#endif

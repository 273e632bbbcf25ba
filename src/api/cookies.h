/* cookies.h - the refresh token as a cookie that no script can read. Private to api.
 *
 * Threads:   loop threads. */
#ifndef DOORWARD_API_COOKIES_H
#define DOORWARD_API_COOKIES_H

#include "request.h"

/* The refresh token that came by cookie; data NULL: none, or COOKIES=off. ERR_ORIGIN: one came from
 * where cookies do not count. */
MUST_CHECK enum err api_cookie_get(const struct api_request *r, struct span *ret_token);
bool api_cookie_came(const struct api_request *r);
MUST_CHECK enum err api_cookie_set(struct api_request *r, struct span token, int64_t max_age_s);
void api_cookie_clear(struct api_request *r);

#endif

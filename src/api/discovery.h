/* discovery.h - /.well-known/openid-configuration, made once. Private to api.
 *
 * Threads:   the main thread. */
#ifndef DOORWARD_API_DISCOVERY_H
#define DOORWARD_API_DISCOVERY_H

#include "request.h"

MUST_CHECK enum err api_discovery_make(struct api *api);

#endif

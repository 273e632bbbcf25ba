/* openapi.h - openapi.yaml as a part of the program; openapi_text.c is made by embed.py. Private to
 * api. */
#ifndef DOORWARD_API_OPENAPI_H
#define DOORWARD_API_OPENAPI_H

#include "base.h"

extern const struct span api_openapi_text, api_openapi_etag;

#endif

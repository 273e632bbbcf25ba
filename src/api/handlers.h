/* handlers.h - what serves each route; one file a handler. Private to api. */
#ifndef DOORWARD_API_HANDLERS_H
#define DOORWARD_API_HANDLERS_H

#include "request.h"

extern const struct api_handler api_register;       /* register.c */
extern const struct api_handler api_login;          /* login.c */
extern const struct api_handler api_refresh;        /* refresh.c */
extern const struct api_handler api_logout;         /* logout.c */
extern const struct api_handler api_profile;        /* profile.c */
extern const struct api_handler api_profile_delete; /* profile.c */
extern const struct api_handler api_password;       /* password.c */
extern const struct api_handler api_sessions;       /* sessions.c */
extern const struct api_handler api_session_end;    /* sessions.c */
extern const struct api_handler api_verify;         /* verify.c */
extern const struct api_handler api_jwks;           /* discovery.c */
extern const struct api_handler api_discovery;      /* discovery.c */
extern const struct api_handler api_healthz;        /* health.c */
extern const struct api_handler api_readyz;         /* health.c */
extern const struct api_handler api_startupz;       /* health.c */
extern const struct api_handler api_contract;       /* pages.c */
extern const struct api_handler api_app;            /* pages.c */
extern const struct api_handler api_docs;           /* pages.c */
extern const struct api_handler api_metrics;        /* metrics.c */

#endif

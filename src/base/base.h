/* base.h - what every layer stands on: errors, text, memory, secrets, hashes, time, ids,
 * threads, log, metrics.
 *
 * The folder's one public header; the parts below are never included by name from outside. */
#ifndef DOORWARD_BASE_H
#define DOORWARD_BASE_H

#include "arena.h"    /* IWYU pragma: export */
#include "buf.h"      /* IWYU pragma: export */
#include "clock.h"    /* IWYU pragma: export */
#include "crypto.h"   /* IWYU pragma: export */
#include "errors.h"   /* IWYU pragma: export */
#include "json_out.h" /* IWYU pragma: export */
#include "log.h"      /* IWYU pragma: export */
#include "memory.h"   /* IWYU pragma: export */
#include "metrics.h"  /* IWYU pragma: export */
#include "secret.h"   /* IWYU pragma: export */
#include "siphash.h"  /* IWYU pragma: export */
#include "span.h"     /* IWYU pragma: export */
#include "thread.h"   /* IWYU pragma: export */
#include "uuid.h"     /* IWYU pragma: export */

#endif

/* crypto.h - what became of a call of OpenSSL: done, no memory for it, or failed.
 *
 *   crypto_begin();
 *   return crypto_result(EVP_MAC_update(...) == 1);
 *
 * Threads:   any, both on the same one. */
#ifndef DOORWARD_CRYPTO_H
#define DOORWARD_CRYPTO_H

#include "errors.h"

#include <stdbool.h>

/* Before the first of the calls that are judged together. */
void crypto_begin(void);
/* ERR_OK when done; else ERR_NOMEM or ERR_INTERNAL. Nothing stays in OpenSSL's queue of errors,
 * where it would be read as the fate of this thread's next TLS call. */
MUST_CHECK enum err crypto_result(bool done);

#endif

#include "crypto.h"

#include <errno.h>
#include <openssl/err.h>

void crypto_begin(void)
{
    errno = 0;
}

enum err crypto_result(bool done)
{
    /* OpenSSL 3.0 does not always note want of memory, malloc() does. And it notes what it could do
     * without. */
    enum err failure = errno == ENOMEM ? ERR_NOMEM : ERR_INTERNAL;
    ERR_clear_error();
    return done ? ERR_OK : failure;
}

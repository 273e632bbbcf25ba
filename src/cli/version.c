/* version.c - what this program is made of. Shared libraries are asked, since they may be newer
 * than those that it was built with. */
#include "command.h"

#include "version.h"
#include <jansson.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <uv.h>

void version_print(void)
{
    (void)printf("doorward %s\n", DOORWARD_VERSION);
    (void)printf("  libuv      %s\n", uv_version_string());
    (void)printf("  llhttp     %s\n", LLHTTP_VERSION);
    (void)printf("  libjwt     %s\n", LIBJWT_VERSION);
    (void)printf("  OpenSSL    %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
    (void)printf("  SQLite     %s\n", sqlite3_libversion());
    (void)printf("  jansson    %s\n", jansson_version_str());
    (void)printf("  libxcrypt  %s\n", LIBXCRYPT_VERSION);
    (void)printf("  libargon2  %s\n", LIBARGON2_VERSION);
    (void)printf("  pages      %s\n", DOORWARD_PAGES);
}

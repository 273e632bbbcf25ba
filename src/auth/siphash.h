/* siphash.h - a keyed hash for tables that strangers choose the keys of (SipHash-2-4, Aumasson and
 * Bernstein 2012). Private to auth.
 *
 * Threads:   pure function. */
#ifndef DOORWARD_AUTH_SIPHASH_H
#define DOORWARD_AUTH_SIPHASH_H

#include "base.h"

#define SIPHASH_KEY_BYTES 16

uint64_t siphash(const uint8_t key[static SIPHASH_KEY_BYTES], struct span data);

#endif

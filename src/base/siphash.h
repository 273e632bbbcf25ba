/* siphash.h - a keyed hash for tables that strangers choose the keys of (SipHash-2-4, Aumasson and
 * Bernstein 2012).
 *
 * Threads:   pure function. The caller keeps the key, made by secret_random(), to himself. */
#ifndef DOORWARD_SIPHASH_H
#define DOORWARD_SIPHASH_H

#include "span.h"

#define SIPHASH_KEY_BYTES 16

uint64_t siphash(const uint8_t key[static SIPHASH_KEY_BYTES], struct span data);

#endif

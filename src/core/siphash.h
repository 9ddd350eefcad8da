/*
 * siphash.h - SipHash-1-3: 64-bit hashes under a secret key, for tables whose
 * keys are chosen by others.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF"; one round
 * a word and three at the end, as the standard libraries of Rust and Python
 * use it for their tables.
 */
#ifndef OB_SIPHASH_H
#define OB_SIPHASH_H

#include "base/base.h"

/* The secret; 16 random bytes, read as two little-endian words. */
typedef struct ob_siphash_key {
    uint64_t words[2];
} ob_siphash_key;

/* A hash under way; may be copied to go on in two ways. */
typedef struct ob_siphash {
    uint64_t v[4];
    uint64_t tail; /* bytes that do not fill a word yet */
    uint64_t len;
} ob_siphash;

void ob_siphash_init(ob_siphash *hash, const ob_siphash_key *key);
void ob_siphash_add(ob_siphash *hash, ob_slice bytes);
/* Adds the number as eight bytes. */
void ob_siphash_add_u64(ob_siphash *hash, uint64_t value);
uint64_t ob_siphash_end(const ob_siphash *hash);

#endif

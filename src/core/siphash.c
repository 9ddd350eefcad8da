#include "siphash.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void take_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
}

/* Written out, compilers make one load of it where bytes are in that order;
 * of a loop they make shuffles. */
static uint64_t read_le64(const char *bytes)
{
    const uint8_t *b = (const uint8_t *)bytes;
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 |
           (uint64_t)b[3] << 24 | (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 |
           (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

void ob_siphash_init(ob_siphash *hash, const ob_siphash_key *key)
{
    const uint64_t *k = key->words;
    *hash = (ob_siphash){
        .v = {k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
              k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573}};
}

/* One byte; the tail is a word every eighth time. */
static void add_byte(ob_siphash *hash, char byte)
{
    hash->tail |= (uint64_t)(uint8_t)byte << 8 * (hash->len % 8);
    if (++hash->len % 8)
        return;
    take_word(hash->v, hash->tail);
    hash->tail = 0;
}

void ob_siphash_add(ob_siphash *hash, ob_slice bytes)
{
    if (!bytes.len)
        return; /* its pointer may be NULL */
    const char *at = bytes.ptr, *end = at + bytes.len;
    unsigned shift = 8 * (unsigned)(hash->len % 8);
    uint64_t v[4] = {hash->v[0], hash->v[1], hash->v[2], hash->v[3]};
    uint64_t tail = hash->tail;
    for (; end - at >= 8; at += 8, hash->len += 8) {
        uint64_t word = read_le64(at);
        take_word(v, tail | word << shift);
        tail = shift ? word >> (64 - shift) : 0;
    }
    for (unsigned i = 0; i < 4; i++)
        hash->v[i] = v[i];
    hash->tail = tail;
    while (at < end)
        add_byte(hash, *at++);
}

void ob_siphash_add_u64(ob_siphash *hash, uint64_t value)
{
    char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (char)(value >> 8 * i);
    ob_siphash_add(hash, ob_slice_make(bytes, sizeof(bytes)));
}

uint64_t ob_siphash_end(const ob_siphash *hash)
{
    uint64_t v[4] = {hash->v[0], hash->v[1], hash->v[2], hash->v[3]};
    take_word(v, hash->tail | hash->len << 56);
    v[2] ^= 0xff;
    mix(v);
    mix(v);
    mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

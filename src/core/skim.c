#include "skim.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Compilers turn the loops over a block into vector instructions. */
#define BLOCK_BYTES 32

/* Reads one byte more than the block. */
static bool holds_pair(const char *at, char a, char b, char c)
{
    uint8_t any = 0;
    for (int i = 0; i < BLOCK_BYTES; i++)
        any |= (uint8_t)((at[i] == a) & ((at[i + 1] == b) | (at[i + 1] == c)));
    return any;
}

static size_t find_pair(ob_slice s, size_t from, size_t to, char a, char b,
                        char c)
{
    for (size_t i = from; i < to; i++)
        if (s.ptr[i] == a && (s.ptr[i + 1] == b || s.ptr[i + 1] == c))
            return i;
    return OB_NOWHERE;
}

size_t ob_skim_pair(ob_slice s, size_t from, char a, char b, char c)
{
    if (s.len < 2 || from >= s.len - 1)
        return OB_NOWHERE;
    size_t places = s.len - 1;
    while (places - from >= BLOCK_BYTES) {
        if (holds_pair(s.ptr + from, a, b, c))
            return find_pair(s, from, from + BLOCK_BYTES, a, b, c);
        from += BLOCK_BYTES;
    }
    /* A last block that overlaps the one before spares the bytes one by one. */
    if (places >= BLOCK_BYTES &&
        !holds_pair(s.ptr + places - BLOCK_BYTES, a, b, c))
        return OB_NOWHERE;
    return find_pair(s, from, places, a, b, c);
}

static bool is_bracket(char c)
{
    return c == '"' || (c | 0x20) == '{' || (c | 0x20) == '}';
}

static bool holds_bracket(const char *at)
{
    uint8_t any = 0;
    for (int i = 0; i < BLOCK_BYTES; i++) {
        char c = at[i];
        any |=
            (uint8_t)((c == '"') | ((c | 0x20) == '{') | ((c | 0x20) == '}'));
    }
    return any;
}

const char *ob_skim_bracket(const char *at, const char *end)
{
    /* Most are near; blocks are for lists of numbers. */
    const char *near = end - at > 16 ? at + 16 : end;
    while (at < near && !is_bracket(*at))
        at++;
    if (at < near)
        return at;
    while (end - at >= BLOCK_BYTES && !holds_bracket(at))
        at += BLOCK_BYTES;
    while (at < end && !is_bracket(*at))
        at++;
    return at;
}

#ifdef __SSE2__

/* The bytes of a block, one bit each, the first one lowest. */
typedef struct block {
    uint64_t quotes;
    uint64_t slashes;
    uint64_t opens;
    uint64_t closes;
} block;

static uint64_t match(__m128i bytes, char c, int place)
{
    __m128i same = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
    return (uint64_t)(uint32_t)_mm_movemask_epi8(same) << place;
}

static block read_block(const char *at)
{
    block b = {0};
    for (int i = 0; i < OB_SKIM_NESTED_BYTES; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(at + i));
        b.quotes |= match(bytes, '"', i);
        b.slashes |= match(bytes, '\\', i);
        bytes = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        b.opens |= match(bytes, '{', i); /* and '[' */
        b.closes |= match(bytes, '}', i);
    }
    return b;
}

/* Each bit becomes the parity of itself and those below: where quotes were,
 * strings are. */
static uint64_t fill_between(uint64_t quotes)
{
    for (int shift = 1; shift < 64; shift *= 2)
        quotes ^= quotes << shift;
    return quotes;
}

static uint32_t count_bits(uint64_t bits)
{
    uint32_t count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

/* Is the last of `open` brackets closed in the block? */
static bool closes_last(const block *b, uint32_t open)
{
    uint32_t closed = 0;
    if (open > OB_SKIM_NESTED_BYTES)
        return false;
    for (uint64_t rest = b->closes; rest; rest &= rest - 1) {
        uint64_t before = (rest & -rest) - 1;
        if (++closed == open + count_bits(b->opens & before))
            return true;
    }
    return false;
}

const char *ob_skim_nested(const char *at, const char *end, uint32_t *open,
                           bool *in_string)
{
    *in_string = false;
    for (; end - at >= OB_SKIM_NESTED_BYTES; at += OB_SKIM_NESTED_BYTES) {
        block b = read_block(at);
        if (b.slashes || (*in_string && !b.quotes))
            break;
        uint64_t strings = fill_between(b.quotes) ^ (0 - (uint64_t)*in_string);
        b.opens &= ~strings;
        b.closes &= ~strings;
        if (closes_last(&b, *open))
            break;
        *open += count_bits(b.opens) - count_bits(b.closes);
        *in_string = strings >> 63;
    }
    return at;
}

#else

const char *ob_skim_nested(const char *at, const char *end, uint32_t *open,
                           bool *in_string)
{
    *in_string = false;
    return at;
}

#endif

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static bool holds_line_end(const char *at)
{
    uint8_t any = 0;
    for (int i = 0; i < BLOCK_BYTES; i++)
        any |= (uint8_t)((at[i] == '\n') | (at[i] == '\r'));
    return any;
}

const char *ob_skim_line(const char *at, const char *end)
{
    while (end - at >= BLOCK_BYTES && !holds_line_end(at))
        at += BLOCK_BYTES;
    while (at < end && !is_line_end(*at))
        at++;
    return at;
}

const char *ob_skim_last_line(const char *at, const char *end)
{
    if (end > at && is_line_end(end[-1]))
        return end;
    while (end - at >= BLOCK_BYTES && !holds_line_end(end - BLOCK_BYTES))
        end -= BLOCK_BYTES;
    while (end > at && !is_line_end(end[-1]))
        end--;
    return end;
}

/* Looks at two bytes before the block. A backslash before the one before the
 * quote leaves it open whether that one is escaped itself. */
static bool may_close(const char *at)
{
    uint8_t any = 0;
    for (int i = 0; i < BLOCK_BYTES; i++)
        any |= (uint8_t)((at[i] == '"') &
                         ((at[i - 1] != '\\') | (at[i - 2] == '\\')));
    return any;
}

/* Goes on behind an escaped quote, over blocks whose quotes are escaped. */
static const char *pass_escaped(const char *at, const char *end)
{
    if (end - at <= BLOCK_BYTES || *at == '"')
        return at;
    /* From the next byte on two bytes before are there. */
    const char *from = at + 1;
    while (end - from >= BLOCK_BYTES && !may_close(from))
        from += BLOCK_BYTES;
    /* Backslashes at the end of what was passed must be counted with what
     * follows. */
    while (from > at && from[-1] == '\\')
        from--;
    return from;
}

const char *ob_skim_string(const char *at, const char *end, size_t *quotes,
                           bool *odd, bool *closed)
{
    for (;;) {
        const char *quote =
            at < end ? memchr(at, '"', (size_t)(end - at)) : NULL;
        const char *stop = quote ? quote : end, *slash = stop;
        while (slash > at && slash[-1] == '\\')
            slash--;
        bool escaped = ((stop - slash) & 1) != 0;
        if (slash == at)
            escaped ^= *odd;
        *odd = !quote && escaped;
        *closed = quote && !escaped;
        if (!quote || !escaped)
            return quote ? quote + 1 : end;
        at = quote + 1;
        if (!quotes) {
            at = pass_escaped(at, end);
        } else if ((*quotes)-- == 0) {
            *quotes = 0;
            return end;
        }
    }
}

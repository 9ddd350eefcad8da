#include "skim.h"

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

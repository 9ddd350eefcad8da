/*
 * base.h - what every file of the core may use: slices, statuses,
 * assertions and the compiler's help.
 *
 * The core is compiled natively and to wasm32 without any import, so it may
 * call memory and string functions only: no stdio, no time, no threads.
 */
#ifndef OB_BASE_H
#define OB_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OB_MUST_USE    __attribute__((warn_unused_result))
#define OB_LEN(array)  (sizeof(array) / sizeof((array)[0]))
#define OB_LIKELY(x)   __builtin_expect(!!(x), 1)
#define OB_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Our own mistakes only, never input. On in release builds too: a wrong
 * answer costs more than a restart. */
#define OB_ASSERT(x)                                                           \
    do {                                                                       \
        if (OB_UNLIKELY(!(x)))                                                 \
            __builtin_trap();                                                  \
    } while (0)

/* How a call ended. OB_OK is 0, failures are negative; the table is
 * tbl/status.def. */
typedef enum ob_status {
#define OB_STATUS(name, value, text) OB_##name = value,
#include "../tbl/status.def"
#undef OB_STATUS
} ob_status;

/* A static English text for `status`, without a final full stop. */
const char *ob_status_text(ob_status status);

/*
 * A borrowed view of bytes, not terminated by NUL. {NULL, 0} is the empty
 * slice. Whoever hands a slice out says how long it stays valid.
 */
typedef struct ob_slice {
    const char *ptr;
    size_t len;
} ob_slice;

#define OB_S(literal) ((ob_slice){(literal), sizeof(literal) - 1})
/* For initialisers of static tables. */
#define OB_S_INIT(literal)                                                     \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

static inline ob_slice ob_slice_make(const char *ptr, size_t len)
{
    return (ob_slice){ptr, len};
}

static inline ob_slice ob_slice_str(const char *text)
{
    return (ob_slice){text, text ? strlen(text) : 0};
}

static inline bool ob_slice_eq(ob_slice a, ob_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char ob_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The rest of `s` from byte `from` on; empty when `from` is past its end. */
static inline ob_slice ob_slice_from(ob_slice s, size_t from)
{
    return from >= s.len ? (ob_slice){s.ptr + s.len, 0}
                         : (ob_slice){s.ptr + from, s.len - from};
}

/* The first `len` bytes of `s`, or all of it when it is shorter. */
static inline ob_slice ob_slice_head(ob_slice s, size_t len)
{
    return (ob_slice){s.ptr, len < s.len ? len : s.len};
}

#define OB_NOWHERE ((size_t)-1)

static inline bool ob_slice_starts(ob_slice s, ob_slice prefix)
{
    return s.len >= prefix.len &&
           ob_slice_eq(ob_slice_head(s, prefix.len), prefix);
}

/* ASCII only: case folding of anything else would depend on a locale. */
bool ob_slice_starts_nocase(ob_slice s, ob_slice prefix);

/* Most names differ in their length, which costs no call. */
static inline bool ob_slice_eq_nocase(ob_slice a, ob_slice b)
{
    return a.len == b.len && ob_slice_starts_nocase(a, b);
}

bool ob_slice_ends(ob_slice s, ob_slice suffix);

/* Index of the first `c` in `s`, or OB_NOWHERE. */
size_t ob_slice_index(ob_slice s, char c);

/* Index of the first `needle` in `s`, or OB_NOWHERE. An empty needle is
 * found at 0. */
size_t ob_slice_find(ob_slice s, ob_slice needle);
size_t ob_slice_find_nocase(ob_slice s, ob_slice needle);

/* `s` without leading and trailing spaces, tabs, CR and LF. */
ob_slice ob_slice_trim(ob_slice s);

/*
 * Cuts `*rest` at the first `separator`: returns what stands before it and
 * leaves in `*rest` what follows. Without a separator it returns all and
 * leaves {NULL, 0}, so `while (rest.ptr)` walks all parts, empty ones too.
 */
ob_slice ob_slice_cut(ob_slice *rest, char separator);

/* Is `item` one of the comma-separated parts of `list`, as HTTP writes lists?
 * Blanks around the parts and letter case do not count. */
bool ob_slice_lists(ob_slice list, ob_slice item);

/* Reads an unsigned decimal number that is the whole of `s`. OB_INVALID when
 * it is empty, has another character or does not fit; *value is then left as
 * it was. */
OB_MUST_USE ob_status ob_slice_u64(ob_slice s, uint64_t *value);

/* FNV-1a with `seed` mixed in: for tables of our own names, not for input
 * that an attacker chooses. */
uint64_t ob_slice_hash(ob_slice s, uint64_t seed);

/* One header field of HTTP. Names compare without regard to case. */
typedef struct ob_header {
    ob_slice name;
    ob_slice value;
} ob_header;

/* The value of the first header `name`; {NULL, 0} when there is none. */
ob_slice ob_headers_get(const ob_header *headers, size_t count, ob_slice name);

/* Writes 1 to 20 digits of `value` at `out`, without a NUL; returns how
 * many. */
size_t ob_write_u64(char *out, uint64_t value);

#endif

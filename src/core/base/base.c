#include "base.h"

const char *ob_status_text(ob_status status)
{
    switch (status) {
#define OB_STATUS(name, value, text)                                           \
    case OB_##name:                                                            \
        return text;
#include "../tbl/status.def"
#undef OB_STATUS
    }
    return "unknown status";
}

bool ob_slice_starts_nocase(ob_slice s, ob_slice prefix)
{
    if (s.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (s.ptr[i] != prefix.ptr[i] &&
            ob_lower(s.ptr[i]) != ob_lower(prefix.ptr[i]))
            return false;
    return true;
}

bool ob_slice_ends(ob_slice s, ob_slice suffix)
{
    return s.len >= suffix.len &&
           ob_slice_eq(ob_slice_from(s, s.len - suffix.len), suffix);
}

size_t ob_slice_index(ob_slice s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : OB_NOWHERE;
}

size_t ob_slice_find(ob_slice s, ob_slice needle)
{
    if (needle.len == 0)
        return 0;
    const char *at =
        s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at ? (size_t)(at - s.ptr) : OB_NOWHERE;
}

size_t ob_slice_find_nocase(ob_slice s, ob_slice needle)
{
    for (size_t at = 0; at + needle.len <= s.len; at++)
        if (ob_slice_starts_nocase(ob_slice_from(s, at), needle))
            return at;
    return OB_NOWHERE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

ob_slice ob_slice_trim(ob_slice s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = ob_slice_from(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

ob_slice ob_slice_cut(ob_slice *rest, char separator)
{
    ob_slice all = *rest;
    size_t at = ob_slice_index(all, separator);
    if (at == OB_NOWHERE) {
        *rest = (ob_slice){NULL, 0};
        return all;
    }
    *rest = ob_slice_from(all, at + 1);
    return ob_slice_head(all, at);
}

bool ob_slice_lists(ob_slice list, ob_slice item)
{
    while (list.ptr)
        if (ob_slice_eq_nocase(ob_slice_trim(ob_slice_cut(&list, ',')), item))
            return true;
    return false;
}

ob_status ob_slice_u64(ob_slice s, uint64_t *value)
{
    uint64_t sum = 0;
    if (s.len == 0)
        return OB_INVALID;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return OB_INVALID;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return OB_INVALID;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return OB_OK;
}

uint64_t ob_slice_hash(ob_slice s, uint64_t seed)
{
    uint64_t hash = 14695981039346656037ULL ^ seed;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (uint8_t)s.ptr[i]) * 1099511628211ULL;
    return hash ^ (hash >> 32);
}

ob_slice ob_headers_get(const ob_header *headers, size_t count, ob_slice name)
{
    for (size_t i = 0; i < count; i++)
        if (ob_slice_eq_nocase(headers[i].name, name))
            return headers[i].value;
    return (ob_slice){NULL, 0};
}

size_t ob_write_u64(char *out, uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

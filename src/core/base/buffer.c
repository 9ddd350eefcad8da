#include "buffer.h"

/* Most messages of a chat fit, so that they are allocated once. */
#define CAPACITY_MIN 1024

void ob_buffer_deinit(ob_buffer *buffer)
{
    free(buffer->data);
    *buffer = (ob_buffer){0};
}

void ob_buffer_clear(ob_buffer *buffer)
{
    buffer->start = buffer->end = 0;
    buffer->failed = false;
}

ob_status ob_buffer_reserve(ob_buffer *buffer, size_t size)
{
    size_t readable = buffer->end - buffer->start;
    if (size <= buffer->capacity - buffer->end)
        return OB_OK;
    if (buffer->start && size <= buffer->capacity - readable) {
        memmove(buffer->data, buffer->data + buffer->start, readable);
        buffer->start = 0;
        buffer->end = readable;
        return OB_OK;
    }
    if (size > SIZE_MAX / 4 - readable) {
        buffer->failed = true;
        return OB_NO_MEMORY;
    }
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : CAPACITY_MIN;
    while (capacity - readable < size)
        capacity *= 2;
    char *data = malloc(capacity);
    if (!data) {
        buffer->failed = true;
        return OB_NO_MEMORY;
    }
    if (readable)
        memcpy(data, buffer->data + buffer->start, readable);
    free(buffer->data);
    buffer->data = data;
    buffer->start = 0;
    buffer->end = readable;
    buffer->capacity = capacity;
    return OB_OK;
}

void ob_buffer_append_str(ob_buffer *buffer, const char *text)
{
    ob_buffer_append(buffer, ob_slice_str(text));
}

void ob_buffer_append_char(ob_buffer *buffer, char c)
{
    ob_buffer_append(buffer, (ob_slice){&c, 1});
}

void ob_buffer_append_u64(ob_buffer *buffer, uint64_t value)
{
    char digits[20];
    ob_buffer_append(buffer, (ob_slice){digits, ob_write_u64(digits, value)});
}

void ob_buffer_append_i64(ob_buffer *buffer, int64_t value)
{
    if (value < 0)
        ob_buffer_append_char(buffer, '-');
    ob_buffer_append_u64(buffer,
                         value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* Length of the well-formed UTF-8 sequence at the start of `s` (RFC 3629, so
 * no surrogates and no overlong forms), or 0. */
static size_t utf8_length(ob_slice s)
{
    uint8_t first = (uint8_t)s.ptr[0];
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || s.len < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (((uint8_t)s.ptr[i] & 0xc0) != 0x80)
            return 0;
    uint8_t second = (uint8_t)s.ptr[1];
    bool bad =
        (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    return bad ? 0 : length;
}

static void append_escape(ob_buffer *buffer, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    char name = c == '\n'   ? 'n'
                : c == '\r' ? 'r'
                : c == '\t' ? 't'
                : c >= 0x20 ? (char)c
                            : 0;
    if (name) {
        escape[1] = name;
        ob_buffer_append(buffer, (ob_slice){escape, 2});
        return;
    }
    ob_buffer_append(buffer, (ob_slice){escape, sizeof(escape)});
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* How many of the next eight bytes are plain, up to the first that is not.
 * Each of the terms sets the top bit of the bytes that are odd; one that is set
 * in vain stands behind such a byte. */
static size_t plain_of_eight(const char *at)
{
    const uint64_t ones = 0x0101010101010101, tops = ones << 7;
    uint64_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
    uint64_t del = word ^ (ones * 0x7f);
    uint64_t odd = ((word - ones * 0x20) | (quote - ones) | (slash - ones) |
                    (del - ones) | word) &
                   tops;
    return odd ? (size_t)__builtin_ctzll(odd) / 8 : 8;
}

/* U+2028 and U+2029 */
static bool is_line_end(ob_slice s)
{
    return ob_slice_starts(s, OB_S("\xe2\x80\xa8")) ||
           ob_slice_starts(s, OB_S("\xe2\x80\xa9"));
}

/* How many bytes at the start of `s` stand in JSON as they are. */
static size_t plain_length(ob_slice s)
{
    size_t at = 0;
    while (at < s.len) {
        size_t plain = s.len - at >= 8 ? plain_of_eight(s.ptr + at)
                                       : is_plain((uint8_t)s.ptr[at]);
        if (plain) {
            at += plain;
            continue;
        }
        ob_slice rest = ob_slice_from(s, at);
        size_t length = (uint8_t)s.ptr[at] < 0x80 ? 0 : utf8_length(rest);
        if (length == 0 || (length == 3 && is_line_end(rest)))
            break;
        at += length;
    }
    return at;
}

void ob_buffer_append_json(ob_buffer *buffer, ob_slice s)
{
    ob_buffer_append_char(buffer, '"');
    while (s.len) {
        size_t plain = plain_length(s);
        ob_buffer_append(buffer, ob_slice_head(s, plain));
        s = ob_slice_from(s, plain);
        if (!s.len)
            break;
        uint8_t c = (uint8_t)s.ptr[0];
        size_t length = 1;
        if (c == 0x7f) {
            ob_buffer_append_str(buffer, "\\u007f");
        } else if (c < 0x80) {
            append_escape(buffer, c);
        } else if (is_line_end(s)) {
            ob_buffer_append_str(buffer,
                                 s.ptr[2] == '\xa8' ? "\\u2028" : "\\u2029");
            length = 3;
        } else {
            ob_buffer_append_str(buffer, "\xef\xbf\xbd");
        }
        s = ob_slice_from(s, length);
    }
    ob_buffer_append_char(buffer, '"');
}

void ob_buffer_take(ob_buffer *buffer, size_t size)
{
    OB_ASSERT(size <= buffer->end - buffer->start);
    buffer->start += size;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

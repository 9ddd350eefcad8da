/*
 * buffer.h - bytes that grow at the end and are taken from the front.
 *
 *   data ─▶ [ taken | readable ......... | room ]
 *             0      start             end       capacity
 */
#ifndef OB_BUFFER_H
#define OB_BUFFER_H

#include "base.h"

typedef struct ob_buffer {
    char *data;
    size_t start;
    size_t end;
    size_t capacity;
    bool failed; /* an append found no memory; the buffer holds what fitted */
} ob_buffer;

void ob_buffer_deinit(ob_buffer *buffer);
/* Empties it and keeps the memory. */
void ob_buffer_clear(ob_buffer *buffer);

/* Room for `size` more bytes at data + end. OB_NO_MEMORY sets `failed`. */
OB_MUST_USE ob_status ob_buffer_reserve(ob_buffer *buffer, size_t size);

/* Appends; on OB_NO_MEMORY nothing is appended and `failed` is set, so that a
 * chain of appends may be checked once at its end. */
static inline void ob_buffer_append(ob_buffer *buffer, ob_slice s)
{
    /* Heads are written in many small parts: where there is room, each is no
     * more than its copy. */
    if (s.len == 0 || (s.len > buffer->capacity - buffer->end &&
                       ob_buffer_reserve(buffer, s.len) != OB_OK))
        return;
    memcpy(buffer->data + buffer->end, s.ptr, s.len);
    buffer->end += s.len;
}
void ob_buffer_append_str(ob_buffer *buffer, const char *text);
void ob_buffer_append_char(ob_buffer *buffer, char c);
void ob_buffer_append_u64(ob_buffer *buffer, uint64_t value);
void ob_buffer_append_i64(ob_buffer *buffer, int64_t value);
/* Appends `s` as a JSON string with its quotes. Bytes that are not UTF-8
 * become U+FFFD; U+2028 and U+2029 are escaped, since some clients split
 * lines there. */
void ob_buffer_append_json(ob_buffer *buffer, ob_slice s);

/* Forgets the first `size` readable bytes. */
void ob_buffer_take(ob_buffer *buffer, size_t size);

/* What is readable; valid until the buffer is changed. */
static inline ob_slice ob_buffer_slice(const ob_buffer *buffer)
{
    return (ob_slice){buffer->data ? buffer->data + buffer->start : "",
                      buffer->end - buffer->start};
}

#endif

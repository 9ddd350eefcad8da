/* A message must be read alike in one piece and in any other pieces. */
#include <stdlib.h>

#include "../../src/core/base/buffer.h"
#include "../../src/gateway/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct result {
    ob_parse parse;
    ob_head head;
    ob_buffer bytes; /* fed so far, as the reader of a head keeps them */
    ob_buffer body;
    size_t used;
    ob_status status;
} result;

/* Feeds one piece as the connections do: a head from its first byte on, a
 * chunked body in whatever room its bytes were read into. */
static bool feed(result *r, const uint8_t *piece, size_t len)
{
    const char *why = "";
    size_t used = 0;
    bool in_head = !r->head.complete;
    size_t before = ob_buffer_slice(&r->bytes).len;
    ob_buffer_append(&r->bytes, ob_slice_make((const char *)piece, len));
    char *base = in_head ? r->bytes.data : NULL;
    r->status = ob_parse_feed(&r->parse, base, r->bytes.data + before, len,
                              &used, &why);
    OB_ASSERT(used <= len && (why || r->status == OB_OK));
    if (r->status != OB_OK)
        return false;
    r->used += used;
    ob_buffer_append(&r->body, ob_slice_make(r->parse.body, r->parse.body_len));
    bool goes_on = !r->head.complete || r->head.framing == OB_FRAMING_CHUNKED;
    return goes_on && !r->parse.message_end;
}

static void begin(result *r, uint8_t kind)
{
    memset(r, 0, sizeof(*r));
    ob_parse_init(&r->parse, kind & 1 ? HTTP_RESPONSE : HTTP_REQUEST);
    ob_parse_begin(&r->parse, &r->head, kind & 2);
}

static void end(result *r)
{
    ob_buffer_deinit(&r->bytes);
    ob_buffer_deinit(&r->body);
}

static void compare_heads(const result *a, const result *b)
{
    ob_header x[OB_HEADERS_MAX], y[OB_HEADERS_MAX];
    ob_head_fields(&a->head, a->bytes.data, x);
    ob_head_fields(&b->head, b->bytes.data, y);
    OB_ASSERT(a->head.count == b->head.count);
    for (size_t i = 0; i < a->head.count; i++)
        OB_ASSERT(ob_slice_eq(x[i].name, y[i].name) &&
                  ob_slice_eq(x[i].value, y[i].value));
    OB_ASSERT(a->head.target_at == b->head.target_at &&
              a->head.target_len == b->head.target_len &&
              a->head.status == b->head.status &&
              a->head.method == b->head.method &&
              a->head.minor == b->head.minor &&
              a->head.keep_alive == b->head.keep_alive &&
              a->head.upgrade == b->head.upgrade &&
              a->head.expects_continue == b->head.expects_continue &&
              a->head.framing == b->head.framing &&
              a->head.content_length == b->head.content_length);
}

/* What goes upstream is written from these: they must never break a line. */
static void check_fields(const result *r)
{
    ob_header fields[OB_HEADERS_MAX];
    ob_head_fields(&r->head, r->bytes.data, fields);
    ob_slice target =
        ob_slice_make(r->bytes.data + r->head.target_at, r->head.target_len);
    for (size_t i = 0; i < target.len; i++)
        OB_ASSERT((uint8_t)target.ptr[i] > 0x20 && target.ptr[i] != 0x7f);
    for (size_t i = 0; i < r->head.count; i++) {
        ob_slice value = fields[i].value;
        OB_ASSERT(fields[i].name.len > 0);
        for (size_t k = 0; k < value.len; k++)
            OB_ASSERT(value.ptr[k] == '\t' || (uint8_t)value.ptr[k] >= 0x20);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    uint8_t kind = data[0];
    uint32_t cuts = data[1];
    data += 2;
    size -= 2;
    result whole, split;
    begin(&whole, kind);
    begin(&split, kind);
    (void)feed(&whole, data, size);
    for (size_t at = 0; at < size;) {
        cuts = cuts * 1103515245 + 12345;
        size_t len = kind & 4 ? 1 : 1 + (cuts >> 16) % 32;
        if (len > size - at)
            len = size - at;
        if (!feed(&split, data + at, len))
            break;
        at += len;
    }
    OB_ASSERT(whole.status == split.status);
    if (whole.status == OB_OK) {
        OB_ASSERT(whole.head.complete == split.head.complete &&
                  whole.parse.message_end == split.parse.message_end &&
                  whole.used == split.used);
        OB_ASSERT(ob_slice_eq(ob_buffer_slice(&whole.body),
                              ob_buffer_slice(&split.body)));
        if (whole.head.complete) {
            compare_heads(&whole, &split);
            check_fields(&whole);
        }
    }
    end(&whole);
    end(&split);
    return 0;
}

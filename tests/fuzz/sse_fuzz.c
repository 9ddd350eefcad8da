/*
 * sse_fuzz.c - libFuzzer target: what is found in a stream does not depend on
 * the pieces that it comes in. Input: a byte for their size, then the stream.
 */
#include "../../src/core/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096)
        return 0;
    size_t step = 1 + data[0] % 64;
    ob_slice text = ob_slice_make((const char *)data + 1, size - 1);
    ob_sse_peek at_once = {0};
    ob_sse_found all = ob_sse_look(&at_once, text);
    ob_sse_peek peek = {0};
    ob_sse_found found = OB_SSE_NOTHING;
    for (size_t to = step; found == OB_SSE_NOTHING; to += step) {
        size_t before = peek.at;
        found = ob_sse_look(&peek, ob_slice_head(text, to));
        OB_ASSERT(peek.at >= before && peek.at <= text.len);
        if (to >= text.len)
            break;
    }
    OB_ASSERT(found == all);
    OB_ASSERT(peek.preamble == at_once.preamble);
    ob_sse_peek ended = {0};
    ob_sse_found last = ob_sse_finish(&ended, text);
    OB_ASSERT(all == OB_SSE_NOTHING || last == all);
    OB_ASSERT(ob_sse_tells_error(text) == (ob_sse_scan(text) == OB_SSE_ERROR));
    return 0;
}

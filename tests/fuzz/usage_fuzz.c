/*
 * usage_fuzz.c - libFuzzer target: what an answer tells does not depend on the
 * pieces that it comes in, and nothing that stands in a string of it is told.
 * Input: a byte (bit 0: an event stream; the rest: the size of the pieces),
 * then the answer.
 */
#include "../../src/core/base/buffer.h"
#include "../../src/core/usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ob_usage read_pieces(ob_slice text, bool is_stream, size_t step)
{
    ob_usage_watch watch;
    ob_usage_watch_init(&watch, is_stream);
    while (text.len) {
        ob_usage_watch_feed(&watch, ob_slice_head(text, step));
        text = ob_slice_from(text, step);
    }
    return ob_usage_watch_end(&watch);
}

static void check_same(ob_usage a, ob_usage b)
{
    OB_ASSERT(a.input == b.input && a.output == b.output);
    OB_ASSERT(a.cached == b.cached && a.cache_written == b.cache_written);
    OB_ASSERT(a.reasoning == b.reasoning && a.known == b.known);
}

/* The model wrote the text, as one string and as a string in other things. */
static void check_written(ob_slice text, bool is_stream, size_t step)
{
    ob_buffer body = {0};
    if (is_stream)
        ob_buffer_append(&body, OB_S("data: "));
    ob_buffer_append(&body, OB_S("{\"choices\":[{\"message\":["));
    ob_buffer_append_json(&body, text);
    ob_buffer_append(&body, OB_S(",[{\"usage\":"));
    ob_buffer_append_json(&body, text);
    ob_buffer_append(&body, OB_S("}]]}],\"usage\":{\"prompt_tokens\":7}}\n\n"));
    OB_ASSERT(!body.failed);
    ob_slice all = ob_buffer_slice(&body);
    const ob_usage seven = {7, -1, -1, -1, -1, true};
    check_same(seven, read_pieces(all, is_stream, all.len));
    check_same(seven, read_pieces(all, is_stream, step));
    ob_buffer_deinit(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    bool is_stream = data[0] & 1;
    ob_slice text = {(const char *)data + 1, size - 1};
    ob_usage whole = read_pieces(text, is_stream, size);
    check_same(whole, read_pieces(text, is_stream, 1));
    check_same(whole, read_pieces(text, is_stream, 1 + data[0] / 2));
    check_written(text, is_stream, 1 + data[0] / 2);
    OB_ASSERT(whole.input >= -1 && whole.output >= -1);
    OB_ASSERT(whole.known == (whole.input >= 0 || whole.output >= 0));
    return 0;
}

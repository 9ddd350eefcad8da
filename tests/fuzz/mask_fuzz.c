/*
 * mask_fuzz.c - libFuzzer target: what is masked does not depend on the pieces
 * that the text comes in. Input: a byte for their size, a byte for the
 * secret's length, the secret, the text.
 */
#include "../../src/core/base/buffer.h"
#include "../../src/core/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_all(ob_mask *mask, ob_buffer *out)
{
    ob_slice bytes;
    while (ob_mask_take(mask, &bytes))
        ob_buffer_append(out, bytes);
}

static void mask_in_pieces(ob_slice secret, ob_slice text, size_t step,
                           ob_buffer *out)
{
    ob_mask mask = {.secret = secret};
    char piece[64];
    while (text.len) {
        ob_slice part = ob_slice_head(text, step);
        memcpy(piece, part.ptr, part.len);
        ob_mask_feed(&mask, piece, part.len);
        OB_ASSERT(mask.held < secret.len || !mask.held);
        take_all(&mask, out);
        text = ob_slice_from(text, part.len);
    }
    ob_mask_end(&mask);
    take_all(&mask, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096 || memchr(data + 2, '*', size - 2))
        return 0;
    size_t step = 1 + data[0] % 64;
    ob_slice text = ob_slice_make((const char *)data + 2, size - 2);
    ob_slice secret = ob_slice_head(text, data[1] % 64);
    text = ob_slice_from(text, secret.len);
    ob_buffer pieces = {0};
    ob_buffer whole = {0};
    mask_in_pieces(secret, text, step, &pieces);
    ob_buffer_append(&whole, text);
    ob_mask_whole(secret, whole.data, whole.end);
    /* A secret that is not there to its end is masked in the pieces alone. */
    ob_slice found = ob_buffer_slice(&pieces);
    OB_ASSERT(found.len == text.len);
    size_t same = 0;
    while (same < found.len && found.ptr[same] == whole.data[same])
        same++;
    OB_ASSERT(found.len - same < secret.len || same == found.len);
    for (size_t i = same; i < found.len; i++)
        OB_ASSERT(found.ptr[i] == '*');
    ob_buffer_deinit(&pieces);
    ob_buffer_deinit(&whole);
    return 0;
}

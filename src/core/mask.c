#include "mask.h"

void ob_mask_whole(ob_slice secret, char *bytes, size_t len)
{
    if (secret.len < OB_MASKED_BYTES_MIN)
        return;
    ob_slice rest = ob_slice_make(bytes, len);
    for (;;) {
        size_t at = ob_slice_find(rest, secret);
        if (at == OB_NOWHERE)
            return;
        memset((char *)rest.ptr + at, '*', secret.len);
        rest = ob_slice_from(rest, at + secret.len);
    }
}

/* How many first bytes of the secret stand at the end of `text`; not all. */
static size_t begun_at_end(ob_slice text, ob_slice secret)
{
    if (text.len >= secret.len)
        text = ob_slice_from(text, text.len - secret.len + 1);
    for (;;) {
        size_t at = ob_slice_index(text, secret.ptr[0]);
        if (at == OB_NOWHERE)
            return 0;
        text = ob_slice_from(text, at);
        if (ob_slice_starts(secret, text))
            return text.len;
        text = ob_slice_from(text, 1);
    }
}

/* Puts the piece behind what is held. Returns how many bytes of it belong
 * there: they make the secret whole, or are held too. */
static size_t go_on(ob_mask *mask, char *bytes, size_t len)
{
    ob_slice secret = mask->secret;
    while (mask->held) {
        size_t missing = secret.len - mask->held;
        size_t here = missing < len ? missing : len;
        if (memcmp(secret.ptr + mask->held, bytes, here) == 0) {
            mask->held += here;
            if (here == missing) {
                mask->stars = mask->held;
                mask->held = 0;
            }
            return here;
        }
        /* The secret may yet begin later in what is held. */
        size_t later =
            begun_at_end(ob_slice_make(secret.ptr + 1, mask->held - 1), secret);
        mask->plain += mask->held - later;
        mask->held = later;
    }
    return 0;
}

void ob_mask_feed(ob_mask *mask, char *bytes, size_t len)
{
    OB_ASSERT(!mask->plain && !mask->stars && !mask->piece.len);
    if (len && mask->held) {
        size_t done = go_on(mask, bytes, len);
        bytes += done;
        len -= done;
    }
    mask->piece = ob_slice_make(bytes, len);
    if (mask->secret.len < OB_MASKED_BYTES_MIN || !len)
        return;
    ob_mask_whole(mask->secret, bytes, len);
    mask->held = begun_at_end(mask->piece, mask->secret);
    mask->piece.len -= mask->held;
}

void ob_mask_end(ob_mask *mask)
{
    bool telling = mask->held > mask->secret.len / 2;
    *(telling ? &mask->stars : &mask->plain) = mask->held;
    mask->held = 0;
}

bool ob_mask_take(ob_mask *mask, ob_slice *bytes)
{
    static const char stars[] = "****************************************";
    if (mask->plain) {
        *bytes = ob_slice_head(mask->secret, mask->plain);
        mask->plain = 0;
    } else if (mask->stars) {
        *bytes = ob_slice_head(ob_slice_str(stars), mask->stars);
        mask->stars -= bytes->len;
    } else {
        *bytes = mask->piece;
        mask->piece = ob_slice_make(NULL, 0);
    }
    return bytes->len > 0;
}

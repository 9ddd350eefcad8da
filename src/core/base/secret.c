#include "secret.h"

void ob_wipe(void *memory, size_t len)
{
    if (!len)
        return;
    memset(memory, 0, len);
    /* The compiler must believe that somebody reads the zeros. */
    __asm__ volatile("" : : "r"(memory) : "memory");
}

ob_status ob_secret_init(ob_secret *secret, ob_slice s)
{
    char *bytes = malloc(s.len + 1);
    if (!bytes)
        return OB_NO_MEMORY;
    if (s.len)
        memcpy(bytes, s.ptr, s.len);
    bytes[s.len] = 0;
    *secret = (ob_secret){bytes, s.len};
    return OB_OK;
}

void ob_secret_deinit(ob_secret *secret)
{
    if (secret->bytes)
        ob_wipe(secret->bytes, secret->len);
    free(secret->bytes);
    *secret = (ob_secret){0};
}

bool ob_equal_constant_time(ob_slice a, ob_slice b)
{
    if (a.len != b.len)
        return false;
    uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference |= (uint8_t)(a.ptr[i] ^ b.ptr[i]);
    return difference == 0;
}

static char printable(char c)
{
    return c > 0x20 && c < 0x7f ? c : '?';
}

void ob_secret_mask(ob_slice secret, char out[OB_MASK_MAX])
{
    /* Never more than half of a secret. */
    size_t shown = secret.len >= 16 ? 4 : secret.len / 4;
    size_t at = 0;
    for (size_t i = 0; i < shown; i++)
        out[at++] = printable(secret.ptr[i]);
    memcpy(out + at, "\xe2\x80\xa6", 3);
    at += 3;
    for (size_t i = 0; secret.len >= 16 && i < shown; i++)
        out[at++] = printable(secret.ptr[secret.len - shown + i]);
    out[at] = 0;
}

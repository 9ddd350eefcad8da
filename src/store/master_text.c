/* master_text.c - the master key as people write it. */
#include "seal.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ob_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static ob_status parse_hex(ob_slice text, uint8_t *out)
{
    for (size_t i = 0; i < OB_MASTER_BYTES; i++) {
        int high = hex_digit(text.ptr[2 * i]);
        int low = hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return OB_INVALID;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return OB_OK;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static ob_status parse_base64(ob_slice text, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < 43; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return OB_INVALID;
        bits = (bits << 6 | (uint32_t)digit) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *out++ = (uint8_t)(bits >> have);
        }
    }
    /* 43 digits are 258 bits: the last two say nothing and must be 0. */
    return text.ptr[43] == '=' && (bits & 3) == 0 ? OB_OK : OB_INVALID;
}

ob_status ob_master_parse(ob_slice text, uint8_t master[OB_MASTER_BYTES])
{
    text = ob_slice_trim(text);
    if (text.len == 2 * OB_MASTER_BYTES)
        return parse_hex(text, master);
    if (text.len == 44)
        return parse_base64(text, master);
    return OB_INVALID;
}

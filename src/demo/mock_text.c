/* mock_text.c - JSON by templates, and what the mock has to say. */
#include "mock_answer.h"

#define PARTS_MAX  24
#define ECHO_BYTES 400

void ob_mock_put(ob_buffer *out, const char *form, const ob_slice *values,
                 size_t count)
{
    size_t used = 0;
    for (const char *at = form; *at; at++) {
        size_t plain = strcspn(at, "'$#");
        ob_buffer_append(out, ob_slice_make(at, plain));
        at += plain;
        if (*at == 0)
            break;
        if (*at == '\'') {
            ob_buffer_append_char(out, '"');
            continue;
        }
        OB_ASSERT(used < count);
        if (*at == '$')
            ob_buffer_append_json(out, values[used]);
        else
            ob_buffer_append(out, values[used]);
        used++;
    }
    OB_ASSERT(used == count);
}

ob_slice ob_mock_number(ob_mock_digits *digits, uint64_t value)
{
    return ob_slice_make(digits->text, ob_write_u64(digits->text, value));
}

ob_slice ob_mock_tokens(ob_mock_digits *digits, ob_slice text)
{
    return ob_mock_number(digits, text.len / 4 + 1);
}

void ob_mock_piece_end(ob_mock_answer *answer)
{
    if (answer->piece_count == OB_MOCK_PIECES_MAX)
        answer->piece_count--;
    answer->ends[answer->piece_count++] = ob_buffer_slice(&answer->body).len;
}

/* ---- reading ---- */

static ob_slice text_of(yyjson_val *value)
{
    const char *text = yyjson_get_str(value);
    return text ? ob_slice_make(text, yyjson_get_len(value)) : OB_S("");
}

ob_slice ob_mock_string(yyjson_val *object, const char *name)
{
    return text_of(yyjson_obj_get(object, name));
}

ob_slice ob_mock_content(yyjson_val *content)
{
    if (yyjson_is_str(content))
        return text_of(content);
    ob_slice last = OB_S("");
    size_t index, count;
    yyjson_val *part;
    yyjson_arr_foreach(content, index, count, part)
    {
        ob_slice text = ob_mock_string(part, "text");
        if (text.len)
            last = text;
    }
    return last;
}

ob_slice ob_mock_last_said(yyjson_val *messages, const char *role,
                           const char *parts)
{
    ob_slice said = OB_S("");
    size_t index, count;
    yyjson_val *message;
    yyjson_arr_foreach(messages, index, count, message)
    {
        ob_slice speaker = ob_mock_string(message, "role");
        ob_slice text = ob_mock_content(yyjson_obj_get(message, parts));
        if (text.len &&
            (!speaker.len || ob_slice_eq(speaker, ob_slice_str(role))))
            said = text;
    }
    return said;
}

/* ---- speaking ---- */

/* The beginning of a text, not cut inside a character. */
static ob_slice beginning(ob_slice text)
{
    if (text.len <= ECHO_BYTES)
        return text;
    size_t len = ECHO_BYTES;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    return ob_slice_head(text, len);
}

void ob_mock_speak(const ob_mock_call *call, ob_slice said, ob_buffer *out)
{
    char masked[OB_MASK_MAX];
    ob_secret_mask(call->key, masked);
    ob_slice heard = beginning(said);
    ob_buffer_append_str(out, "Hello from the mock provider. The key ");
    ob_buffer_append_str(out, masked);
    ob_buffer_append_str(out, " answered. You said: ");
    ob_buffer_append(out, heard.len ? heard : OB_S("nothing"));
    if (heard.len < said.len)
        ob_buffer_append_str(out, "\xe2\x80\xa6");
}

size_t ob_mock_words(ob_slice text)
{
    size_t words = 1;
    for (size_t i = 0; i < text.len; i++)
        words += text.ptr[i] == ' ';
    return words;
}

ob_slice ob_mock_next_part(ob_slice *rest, size_t words)
{
    size_t wanted = (words + PARTS_MAX - 1) / PARTS_MAX;
    size_t len = 0;
    for (; len < rest->len && wanted; len++)
        wanted -= rest->ptr[len] == ' ';
    ob_slice part = ob_slice_head(*rest, len);
    *rest = ob_slice_from(*rest, len);
    return part;
}

ob_slice ob_mock_next_bytes(ob_slice *rest)
{
    size_t len = rest->len < 12 ? rest->len : 12;
    while (len < rest->len && ((unsigned char)rest->ptr[len] & 0xc0) == 0x80)
        len++;
    ob_slice bytes = ob_slice_head(*rest, len);
    *rest = ob_slice_from(*rest, len);
    return bytes;
}

/* ---- vectors ---- */

static void append_base64(ob_buffer *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (i + 1 < count)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < count)
            group |= bytes[i + 2];
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        i + 1 < count ? digits[group >> 6 & 63] : '=',
                        i + 2 < count ? digits[group & 63] : '='};
        ob_buffer_append(out, ob_slice_make(four, sizeof(four)));
    }
}

/* Ten-thousandths from -9999 to 9999. */
static int next_coordinate(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (int)(*state % 19999) - 9999;
}

static void append_coordinate(ob_buffer *out, int value)
{
    unsigned size = (unsigned)(value < 0 ? -value : value);
    char text[] = "-0.0000";
    for (size_t i = 6; i > 2; i--, size /= 10)
        text[i] = (char)('0' + size % 10);
    ob_buffer_append_str(out, value < 0 ? text : text + 1);
}

static void put_float(uint8_t *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    for (size_t i = 0; i < 4; i++)
        out[i] = (uint8_t)(bits >> 8 * i);
}

void ob_mock_vector(ob_buffer *out, ob_slice text, size_t count, bool base64)
{
    static const float unit = 10000;
    uint8_t floats[OB_MOCK_DIMENSIONS_MAX * 4];
    uint64_t state = ob_slice_hash(text, 1) | 1; /* never zero */
    OB_ASSERT(count <= OB_MOCK_DIMENSIONS_MAX);
    if (!base64)
        ob_buffer_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        int value = next_coordinate(&state);
        if (base64) {
            put_float(floats + 4 * i, (float)value / unit);
            continue;
        }
        if (i)
            ob_buffer_append_char(out, ',');
        append_coordinate(out, value);
    }
    if (base64)
        append_base64(out, floats, count * 4);
    else
        ob_buffer_append_char(out, ']');
}

size_t ob_mock_dimensions(yyjson_val *object, const char *name,
                          size_t otherwise)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    if (!value || yyjson_is_null(value))
        return otherwise;
    uint64_t count = yyjson_is_uint(value) ? yyjson_get_uint(value) : 0;
    return count <= OB_MOCK_DIMENSIONS_MAX ? (size_t)count : 0;
}

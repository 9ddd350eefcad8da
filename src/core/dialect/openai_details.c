/*
 * openai_details.c - `reasoning_details`, as OpenRouter and others tell what a
 * model thought: texts and summaries, which may be signed, and data that is
 * encrypted. They go back as they came.
 *
 * A detail that is signed becomes a thought whose signature is the detail
 * itself without its text, as JSON in base64 of URLs' letters, so that every
 * caller's dialect can carry it:
 *
 *   {"type":"reasoning.text","text":"Hm","signature":"s","format":"f"}
 *     ◀─▶ "Hm", base64({"type":"reasoning.text","signature":"s","format":"f"})
 */
#include "openai.h"

/* ---- base64 ---- */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
                              "wxyz0123456789-_";

static void append_base64(ob_buffer *out, ob_slice data)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < data.len; i++) {
        bits = bits << 8 | (unsigned char)data.ptr[i];
        for (have += 8; have >= 6; have -= 6)
            ob_buffer_append_char(out, letters[bits >> (have - 6) & 63]);
    }
    if (have)
        ob_buffer_append_char(out, letters[bits << (6 - have) & 63]);
}

/* Empty: it is none, or memory is out. */
static ob_slice decode_base64(ob_arena *arena, ob_slice text)
{
    char *out = ob_arena_alloc(arena, text.len + 1);
    uint32_t bits = 0;
    unsigned have = 0;
    size_t len = 0;
    for (size_t i = 0; out && i < text.len; i++) {
        const char *letter = memchr(letters, text.ptr[i], sizeof(letters) - 1);
        if (!letter)
            return OB_S("");
        bits = bits << 6 | (uint32_t)(letter - letters);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        out[len++] = (char)(bits >> have & 255);
    }
    return ob_slice_make(out, out ? len : 0);
}

/* ---- reading ---- */

static bool is_words(yyjson_val *name)
{
    return ob_json_is(name, "text") || ob_json_is(name, "summary");
}

ob_slice ob_openai_detail_text(yyjson_val *detail)
{
    ob_slice text = ob_json_get_text(detail, "text");
    return text.len ? text : ob_json_get_text(detail, "summary");
}

bool ob_openai_detail_sign(yyjson_val *detail, ob_buffer *out)
{
    ob_buffer text = {0};
    ob_json json = {.out = &text};
    yyjson_val *name, *value;
    size_t i, max;
    if (!ob_json_get_text(detail, "signature").len &&
        !ob_json_get_text(detail, "data").len)
        return false;
    ob_json_open(&json, '{');
    yyjson_obj_foreach(detail, i, max, name, value)
    {
        if (is_words(name) || yyjson_is_null(value))
            continue;
        ob_json_string(&json, ob_json_text(name));
        ob_buffer_append_char(&text, ':');
        json.comma = false;
        ob_json_value(&json, value);
    }
    ob_json_close(&json, '}');
    append_base64(out, ob_buffer_slice(&text));
    out->failed |= text.failed;
    ob_buffer_deinit(&text);
    return !out->failed;
}

bool ob_openai_details_say(yyjson_val *message)
{
    yyjson_val *detail;
    size_t i, max;
    yyjson_arr_foreach(ob_json_get(message, "reasoning_details"), i, max,
                       detail)
    {
        if (ob_openai_detail_text(detail).len)
            return true;
    }
    return false;
}

/* ---- writing ---- */

static yyjson_val *find_detail(ob_form *form, const ob_part *part)
{
    if (part->kind != OB_PART_THINKING || part->signed_by != OB_DIALECT_OPENAI)
        return NULL;
    yyjson_val *detail =
        ob_json_parse(form->arena, decode_base64(form->arena, part->signature));
    return yyjson_is_obj(detail) ? detail : NULL;
}

static void write_detail(ob_json *json, yyjson_val *detail, ob_slice text)
{
    yyjson_val *name, *value, *type = ob_json_get(detail, "type");
    size_t i, max;
    ob_json_open(json, '{');
    yyjson_obj_foreach(detail, i, max, name, value)
    {
        ob_json_string(json, ob_json_text(name));
        ob_buffer_append_char(json->out, ':');
        json->comma = false;
        ob_json_value(json, value);
    }
    if (ob_json_is(type, "reasoning.summary"))
        ob_json_member(json, "summary", text);
    else if (ob_json_is(type, "reasoning.text"))
        ob_json_member(json, "text", text);
    ob_json_close(json, '}');
}

bool ob_openai_write_details(ob_form *form, ob_json *json, const ob_part *parts)
{
    bool any = false;
    for (; parts; parts = parts->next) {
        yyjson_val *detail = find_detail(form, parts);
        if (!detail)
            continue;
        if (!any) {
            ob_json_name(json, "reasoning_details");
            ob_json_open(json, '[');
        }
        any = true;
        write_detail(json, detail, parts->text);
    }
    if (any)
        ob_json_close(json, ']');
    return any;
}

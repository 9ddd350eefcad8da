/* gemini.c - names, places and signatures of the generateContent dialect. */
#include "gemini.h"

const ob_codec ob_codec_gemini = {
    .read_request = ob_gemini_read_request,
    .write_request = ob_gemini_write_request,
    .read_answer = ob_gemini_read_answer,
    .write_answer = ob_gemini_write_answer,
    .read_event = ob_gemini_read_event,
    .read_end = ob_gemini_read_end,
    .write_event = ob_gemini_write_event,
};

/* ---- names ---- */

bool ob_gemini_named(ob_slice name, const char *camel)
{
    size_t at = 0;
    for (; *camel; camel++, at++) {
        if (at >= name.len)
            return false;
        if (name.ptr[at] == *camel)
            continue;
        if (name.ptr[at] != '_' || at + 1 >= name.len ||
            name.ptr[at + 1] != ob_lower(*camel) || *camel == ob_lower(*camel))
            return false;
        at++;
    }
    return at == name.len;
}

yyjson_val *ob_gemini_get(yyjson_val *object, const char *camel)
{
    yyjson_val *key;
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    while ((key = yyjson_obj_iter_next(&members))) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_null(value) && ob_gemini_named(ob_json_text(key), camel))
            return value;
    }
    return NULL;
}

ob_slice ob_gemini_get_text(yyjson_val *object, const char *camel)
{
    return ob_json_text(ob_gemini_get(object, camel));
}

int64_t ob_gemini_get_i64(yyjson_val *object, const char *camel, int64_t none)
{
    yyjson_val *value = ob_gemini_get(object, camel);
    uint64_t number;
    if (yyjson_is_str(value))
        return ob_slice_u64(ob_json_text(value), &number) == OB_OK &&
                       number <= INT64_MAX
                   ? (int64_t)number
                   : none;
    if (yyjson_is_uint(value))
        return yyjson_get_uint(value) > INT64_MAX
                   ? INT64_MAX
                   : (int64_t)yyjson_get_uint(value);
    return yyjson_is_int(value) ? yyjson_get_sint(value) : none;
}

/* ---- refusals ---- */

static void put(char *text, size_t room, size_t *len, const char *more)
{
    for (; *more && *len < room; more++)
        text[(*len)++] = *more;
}

ob_status ob_gemini_refuse(const ob_gemini_at *at, const char *member,
                           const char *behind)
{
    char path[128], digits[24];
    size_t len = 0;
    for (size_t i = 0; i < OB_LEN(at->steps); i++) {
        if (!at->steps[i].name)
            continue;
        if (len)
            put(path, sizeof(path), &len, ".");
        put(path, sizeof(path), &len, at->steps[i].name);
        if (at->steps[i].index < 0)
            continue;
        digits[ob_write_u64(digits, (uint64_t)at->steps[i].index)] = 0;
        put(path, sizeof(path), &len, "[");
        put(path, sizeof(path), &len, digits);
        put(path, sizeof(path), &len, "]");
    }
    if (len && *member)
        put(path, sizeof(path), &len, ".");
    put(path, sizeof(path), &len, member);
    return ob_form_refuse(at->form, "", ob_slice_make(path, len), behind);
}

void ob_gemini_drop(ob_form *form, const char *front, ob_slice name)
{
    size_t len = strlen(front);
    char *text = ob_arena_alloc(form->arena, len + name.len + 1);
    if (!text) {
        form->failed = true;
        return;
    }
    memcpy(text, front, len);
    memcpy(text + len, name.ptr, name.len);
    ob_form_drop(form, ob_slice_make(text, len + name.len));
}

ob_status ob_gemini_read_text(const ob_gemini_at *at, yyjson_val *object,
                              const char *member, ob_slice *text)
{
    yyjson_val *value = ob_gemini_get(object, member);
    if (value && !yyjson_is_str(value))
        return ob_gemini_refuse(at, member, " must be a string");
    if (value)
        *text = ob_json_text(value);
    return OB_OK;
}

/* ---- objects in texts ---- */

bool ob_gemini_write_object(ob_json *json, ob_slice text)
{
    yyjson_doc *doc = NULL;
    text = ob_slice_trim(text);
    /* Numbers stay as they are written. */
    if (text.len && text.ptr[0] == '{')
        doc = yyjson_read(text.ptr, text.len, YYJSON_READ_NUMBER_AS_RAW);
    bool is = yyjson_is_obj(yyjson_doc_get_root(doc));
    if (is)
        ob_json_value(json, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return is;
}

void ob_gemini_write_args(ob_json *json, ob_slice text)
{
    if (ob_gemini_write_object(json, text))
        return;
    ob_json_open(json, '{');
    ob_json_member_told(json, "arguments", ob_slice_trim(text));
    ob_json_close(json, '}');
}

/* ---- base64 ---- */

static bool has(ob_slice text, char a, char b)
{
    return ob_slice_index(text, a) != OB_NOWHERE ||
           ob_slice_index(text, b) != OB_NOWHERE;
}

static void swap(char *text, size_t len, const char *from, const char *to)
{
    for (size_t i = 0; i < len; i++)
        text[i] = text[i] == from[0]   ? to[0]
                  : text[i] == from[1] ? to[1]
                                       : text[i];
}

ob_slice ob_gemini_base64(ob_arena *arena, ob_slice data, bool *failed)
{
    if (!has(data, '-', '_'))
        return data;
    ob_slice copy = ob_arena_dup(arena, data);
    if (!copy.ptr)
        *failed = true;
    else
        swap((char *)copy.ptr, copy.len, "-_", "+/");
    return copy;
}

static bool is_base64(ob_slice text)
{
    while (text.len && text.ptr[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], lower = ob_lower(c);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') &&
            !(c == '+' || c == '/' || c == '-' || c == '_'))
            return false;
    }
    return text.len > 0 && text.len % 4 != 1;
}

/* ---- signatures ---- */

#define MARK     "OBsig"
#define MARK_LEN (sizeof(MARK) - 1 + 3)

static char letter_of(ob_dialect dialect, bool redacted)
{
    char letter = dialect == OB_DIALECT_ANTHROPIC   ? 'a'
                  : dialect == OB_DIALECT_RESPONSES ? 'r'
                                                    : 'o';
    return redacted ? (char)(letter - 'a' + 'A') : letter;
}

ob_slice ob_gemini_carry(ob_arena *arena, ob_slice signature,
                         ob_dialect signed_by, bool redacted)
{
    if (signed_by == OB_DIALECT_GEMINI || !signature.len)
        return signature;
    bool url = has(signature, '-', '_');
    size_t pads = (4 - signature.len % 4) % 4;
    if (!is_base64(signature) || pads > 2 || (url && has(signature, '+', '/')))
        return OB_S("");
    size_t len = MARK_LEN + signature.len + pads;
    char *out = ob_arena_alloc(arena, len + 1);
    if (!out)
        return OB_S("");
    memcpy(out, MARK, sizeof(MARK) - 1);
    out[MARK_LEN - 3] = letter_of(signed_by, redacted);
    out[MARK_LEN - 2] = url ? 'u' : 's';
    out[MARK_LEN - 1] = (char)('0' + pads);
    memcpy(out + MARK_LEN, signature.ptr, signature.len);
    memset(out + MARK_LEN + signature.len, '=', pads);
    swap(out + MARK_LEN, signature.len, "-_", "+/");
    return ob_slice_make(out, len);
}

void ob_gemini_carry_split(ob_arena *arena, ob_part *part, ob_slice signature)
{
    part->signature = signature;
    part->signed_by = OB_DIALECT_GEMINI;
    if (signature.len <= MARK_LEN || !ob_slice_starts(signature, OB_S(MARK)))
        return;
    char letter = signature.ptr[MARK_LEN - 3];
    char letters = signature.ptr[MARK_LEN - 2];
    size_t pads = (size_t)(unsigned char)signature.ptr[MARK_LEN - 1] - '0';
    ob_slice rest = ob_slice_from(signature, MARK_LEN);
    if (pads > 2 || pads >= rest.len)
        return;
    ob_slice copy = ob_arena_dup(arena, ob_slice_head(rest, rest.len - pads));
    if (!copy.ptr)
        return;
    if (letters == 'u')
        swap((char *)copy.ptr, copy.len, "+/", "-_");
    else
        swap((char *)copy.ptr, copy.len, "-_", "+/");
    part->signature = copy;
    part->redacted = letter != ob_lower(letter);
    part->signed_by = ob_lower(letter) == 'a'   ? OB_DIALECT_ANTHROPIC
                      : ob_lower(letter) == 'r' ? OB_DIALECT_RESPONSES
                                                : OB_DIALECT_OPENAI;
}

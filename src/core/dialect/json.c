#include "json.h"

#include <math.h>
#include <stdlib.h>

static void begin(ob_json *json)
{
    if (json->comma)
        ob_buffer_append_char(json->out, ',');
    json->comma = true;
}

void ob_json_open(ob_json *json, char bracket)
{
    begin(json);
    ob_buffer_append_char(json->out, bracket);
    json->comma = false;
}

void ob_json_close(ob_json *json, char bracket)
{
    ob_buffer_append_char(json->out, bracket);
    json->comma = true;
}

void ob_json_name(ob_json *json, const char *name)
{
    begin(json);
    ob_buffer_append_char(json->out, '"');
    ob_buffer_append_str(json->out, name);
    ob_buffer_append_str(json->out, "\":");
    json->comma = false;
}

void ob_json_string(ob_json *json, ob_slice text)
{
    begin(json);
    ob_buffer_append_json(json->out, text);
}

void ob_json_i64(ob_json *json, int64_t number)
{
    begin(json);
    ob_buffer_append_i64(json->out, number);
}

void ob_json_double(ob_json *json, double number)
{
    yyjson_val value = {0};
    yyjson_set_real(&value, isfinite(number) ? number : 0);
    ob_json_value(json, &value);
}

void ob_json_bool(ob_json *json, bool value)
{
    begin(json);
    ob_buffer_append_str(json->out, value ? "true" : "false");
}

void ob_json_null(ob_json *json)
{
    begin(json);
    ob_buffer_append_str(json->out, "null");
}

/* U+2028 and U+2029, which are line ends to some clients, are written as
 * escapes, as in strings: in JSON they stand nowhere else. */
static void append_escaped(ob_buffer *out, ob_slice text)
{
    size_t from = 0, at = 0;
    const char *found;
    while (at < text.len &&
           (found = memchr(text.ptr + at, 0xe2, text.len - at))) {
        at = (size_t)(found - text.ptr) + 1;
        if (text.len - at < 2 || found[1] != '\x80' ||
            (found[2] != '\xa8' && found[2] != '\xa9'))
            continue;
        ob_buffer_append(out, ob_slice_make(text.ptr + from, at - 1 - from));
        ob_buffer_append_str(out, found[2] == '\xa8' ? "\\u2028" : "\\u2029");
        from = at = at + 2;
    }
    ob_buffer_append(out, ob_slice_from(text, from));
}

void ob_json_raw(ob_json *json, ob_slice text)
{
    begin(json);
    append_escaped(json->out, text);
}

void ob_json_value(ob_json *json, yyjson_val *value)
{
    size_t len = 0;
    char *text = value ? yyjson_val_write(value, 0, &len) : NULL;
    if (value && !text)
        json->out->failed = true;
    ob_json_raw(json, text ? ob_slice_make(text, len) : OB_S("null"));
    free(text);
}

void ob_json_member(ob_json *json, const char *name, ob_slice text)
{
    ob_json_name(json, name);
    ob_json_string(json, text);
}

void ob_json_member_i64(ob_json *json, const char *name, int64_t number)
{
    ob_json_name(json, name);
    ob_json_i64(json, number);
}

void ob_json_member_told(ob_json *json, const char *name, ob_slice text)
{
    if (text.len)
        ob_json_member(json, name, text);
}

ob_json ob_json_event_begin(ob_buffer *out, const char *type)
{
    ob_json json = {.out = out};
    ob_buffer_append_str(out, "event: ");
    ob_buffer_append_str(out, type);
    ob_buffer_append_str(out, "\ndata: ");
    ob_json_open(&json, '{');
    ob_json_member(&json, "type", ob_slice_str(type));
    return json;
}

void ob_json_event_end(ob_json *json)
{
    ob_json_close(json, '}');
    ob_buffer_append_str(json->out, "\n\n");
}

void ob_json_cache_control(ob_json *json, ob_slice ttl)
{
    ob_json_name(json, "cache_control");
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("ephemeral"));
    ob_json_member_told(json, "ttl", ttl);
    ob_json_close(json, '}');
}

yyjson_val *ob_json_get(yyjson_val *object, const char *name)
{
    return yyjson_obj_get(object, name);
}

ob_slice ob_json_text(yyjson_val *value)
{
    const char *text = yyjson_get_str(value);
    return text ? ob_slice_make(text, yyjson_get_len(value)) : OB_S("");
}

ob_slice ob_json_get_text(yyjson_val *object, const char *name)
{
    return ob_json_text(ob_json_get(object, name));
}

int64_t ob_json_get_i64(yyjson_val *object, const char *name, int64_t none)
{
    yyjson_val *value = ob_json_get(object, name);
    if (yyjson_is_uint(value))
        return yyjson_get_uint(value) > INT64_MAX
                   ? INT64_MAX
                   : (int64_t)yyjson_get_uint(value);
    return yyjson_is_int(value) ? yyjson_get_sint(value) : none;
}

double ob_json_get_double(yyjson_val *object, const char *name)
{
    yyjson_val *value = ob_json_get(object, name);
    return yyjson_is_num(value) ? yyjson_get_num(value) : (double)NAN;
}

bool ob_json_get_bool(yyjson_val *object, const char *name)
{
    return yyjson_get_bool(ob_json_get(object, name));
}

bool ob_json_is(yyjson_val *value, const char *text)
{
    return yyjson_is_str(value) && yyjson_equals_str(value, text);
}

ob_slice ob_json_print(ob_arena *arena, yyjson_val *value)
{
    size_t len = 0;
    char *text = yyjson_val_write(value, 0, &len);
    ob_slice copy = {NULL, 0};
    if (text)
        copy = ob_arena_dup(arena, ob_slice_make(text, len));
    free(text);
    return copy;
}

/* ---- memory of the arena's for yyjson ---- */

static void *take(void *arena, size_t size)
{
    return ob_arena_alloc(arena, size);
}

static void *grow(void *arena, void *old, size_t old_size, size_t size)
{
    if (size <= old_size)
        return old;
    void *more = ob_arena_alloc(arena, size);
    if (more)
        memcpy(more, old, old_size);
    return more;
}

static void give_back(void *arena, void *memory)
{
}

yyjson_val *ob_json_parse(ob_arena *arena, ob_slice text)
{
    yyjson_alc memory = {take, grow, give_back, arena};
    if (!text.len)
        return NULL;
    return yyjson_doc_get_root(yyjson_read_opts((char *)(uintptr_t)text.ptr,
                                                text.len, 0, &memory, NULL));
}

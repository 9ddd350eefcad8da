/*
 * anthropic_schema.c - the schema of an answer, as Anthropic takes it: each
 * object says that it has no members beside those named, which it refuses to
 * assume. An answer by it satisfies the caller's schema as well.
 *
 * Source: Anthropic's page "Structured outputs", JSON Schema limitations.
 */
#include "anthropic.h"

/* Deeper than any schema of use, and no more than the stack takes. What is
 * deeper stays as it is. */
#define DEPTH_MAX 64

static void write_closed(ob_json *json, yyjson_val *schema, int depth);

static void write_key(ob_json *json, yyjson_val *key)
{
    ob_json_string(json, ob_json_text(key));
    ob_buffer_append_char(json->out, ':');
    json->comma = false;
}

static bool is_one_of(yyjson_val *key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ob_json_is(key, names[i]))
            return true;
    return false;
}

/* Their values are objects of schemas, by names of the caller's own. */
static bool has_names(yyjson_val *key)
{
    static const char *const names[] = {"properties", "$defs", "definitions",
                                        "patternProperties"};
    return is_one_of(key, names, OB_LEN(names));
}

/* Their values are a schema, or a list of them. */
static bool has_schemas(yyjson_val *key)
{
    static const char *const names[] = {"items", "anyOf", "oneOf", "allOf",
                                        "prefixItems"};
    return is_one_of(key, names, OB_LEN(names));
}

static void write_list(ob_json *json, yyjson_val *list, int depth)
{
    size_t i, count;
    yyjson_val *item;
    ob_json_open(json, '[');
    yyjson_arr_foreach(list, i, count, item) write_closed(json, item, depth);
    ob_json_close(json, ']');
}

static void write_named(ob_json *json, yyjson_val *object, int depth)
{
    size_t i, count;
    yyjson_val *key, *value;
    ob_json_open(json, '{');
    yyjson_obj_foreach(object, i, count, key, value)
    {
        write_key(json, key);
        write_closed(json, value, depth);
    }
    ob_json_close(json, '}');
}

static void write_value(ob_json *json, yyjson_val *key, yyjson_val *value,
                        int depth)
{
    write_key(json, key);
    if (has_names(key) && yyjson_is_obj(value))
        write_named(json, value, depth);
    else if (has_schemas(key) && yyjson_is_arr(value))
        write_list(json, value, depth);
    else if (has_schemas(key))
        write_closed(json, value, depth);
    else
        ob_json_value(json, value);
}

static bool is_object(yyjson_val *schema)
{
    size_t i, count;
    yyjson_val *item, *type = ob_json_get(schema, "type");
    yyjson_arr_foreach(type, i, count, item)
    {
        if (ob_json_is(item, "object"))
            return true;
    }
    return ob_json_is(type, "object") ||
           (!type && ob_json_get(schema, "properties"));
}

static void write_closed(ob_json *json, yyjson_val *schema, int depth)
{
    size_t i, count;
    yyjson_val *key, *value;
    if (depth == DEPTH_MAX || !yyjson_is_obj(schema)) {
        ob_json_value(json, schema);
        return;
    }
    ob_json_open(json, '{');
    yyjson_obj_foreach(schema, i, count, key, value)
        write_value(json, key, value, depth + 1);
    if (is_object(schema) && !ob_json_get(schema, "additionalProperties")) {
        ob_json_name(json, "additionalProperties");
        ob_json_bool(json, false);
    }
    ob_json_close(json, '}');
}

void ob_anthropic_write_schema(ob_json *json, yyjson_val *schema)
{
    write_closed(json, schema, 0);
}

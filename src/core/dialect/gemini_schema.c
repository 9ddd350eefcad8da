/*
 * gemini_schema.c - Google's Schema (OpenAPI 3.0, types in capitals, int64 as
 * strings) as JSON Schema.
 */
#include "gemini.h"

/* Deeper than any schema of use, and no more than the stack takes. */
#define DEPTH_MAX 64

typedef enum keyword {
    KEEP,     /* its value as it is */
    TYPE,     /* a name in capitals, or a list of names */
    COUNT,    /* a number, maybe as a string */
    SCHEMA,   /* one, or a truth value */
    SCHEMAS,  /* a list */
    BY_NAME,  /* an object of them */
    NOT_SAID, /* has no meaning to others, or is said with the type */
} keyword;

static const struct {
    const char *name;
    keyword keyword;
} keywords[] = {
    {"type", TYPE},
    {"nullable", NOT_SAID},
    {"propertyOrdering", NOT_SAID},
    {"example", NOT_SAID},
    {"minItems", COUNT},
    {"maxItems", COUNT},
    {"minLength", COUNT},
    {"maxLength", COUNT},
    {"minProperties", COUNT},
    {"maxProperties", COUNT},
    {"items", SCHEMA},
    {"additionalProperties", SCHEMA},
    {"not", SCHEMA},
    {"anyOf", SCHEMAS},
    {"oneOf", SCHEMAS},
    {"allOf", SCHEMAS},
    {"prefixItems", SCHEMAS},
    {"properties", BY_NAME},
    {"patternProperties", BY_NAME},
    {"$defs", BY_NAME},
    {"defs", BY_NAME},
    {"definitions", BY_NAME},
};

static bool convert(ob_json *json, yyjson_val *schema, int depth);

static void write_lower(ob_json *json, ob_slice name)
{
    char lower[32];
    name = ob_slice_head(name, sizeof(lower));
    for (size_t i = 0; i < name.len; i++)
        lower[i] = ob_lower(name.ptr[i]);
    ob_json_string(json, ob_slice_make(lower, name.len));
}

static void write_type(ob_json *json, yyjson_val *type, bool nullable)
{
    size_t i, count;
    yyjson_val *item;
    ob_json_name(json, "type");
    if (yyjson_is_str(type) && !nullable) {
        write_lower(json, ob_json_text(type));
        return;
    }
    if (!yyjson_is_str(type) && !yyjson_is_arr(type)) {
        ob_json_value(json, type);
        return;
    }
    ob_json_open(json, '[');
    if (yyjson_is_str(type))
        write_lower(json, ob_json_text(type));
    yyjson_arr_foreach(type, i, count, item)
        write_lower(json, ob_json_text(item));
    if (nullable)
        ob_json_string(json, OB_S("null"));
    ob_json_close(json, ']');
}

static void write_count(ob_json *json, yyjson_val *value)
{
    uint64_t number;
    if (yyjson_is_str(value) &&
        ob_slice_u64(ob_json_text(value), &number) == OB_OK)
        ob_json_raw(json, ob_json_text(value));
    else
        ob_json_value(json, value);
}

static bool convert_all(ob_json *json, yyjson_val *list, int depth)
{
    size_t i, count;
    yyjson_val *item;
    bool ok = true;
    ob_json_open(json, '[');
    yyjson_arr_foreach(list, i, count, item) ok =
        ok && convert(json, item, depth);
    ob_json_close(json, ']');
    return ok;
}

static void write_key(ob_json *json, ob_slice name)
{
    ob_json_string(json, name);
    ob_buffer_append_char(json->out, ':');
    json->comma = false;
}

static bool convert_named(ob_json *json, yyjson_val *object, int depth)
{
    size_t i, count;
    yyjson_val *key, *value;
    bool ok = true;
    ob_json_open(json, '{');
    yyjson_obj_foreach(object, i, count, key, value)
    {
        write_key(json, ob_json_text(key));
        ok = ok && convert(json, value, depth);
    }
    ob_json_close(json, '}');
    return ok;
}

static bool convert_member(ob_json *json, yyjson_val *schema, ob_slice name,
                           yyjson_val *value, int depth)
{
    size_t found = 0;
    while (found < OB_LEN(keywords) &&
           !ob_gemini_named(name, keywords[found].name))
        found++;
    if (found == OB_LEN(keywords)) {
        /* Values of a list, which JSON Schema has `enum` alone for. */
        if (ob_slice_eq(name, OB_S("format")) && ob_json_is(value, "enum"))
            return true;
        write_key(json, name);
        ob_json_value(json, value);
        return true;
    }
    keyword kind = keywords[found].keyword;
    if (kind == NOT_SAID)
        return true;
    if (kind == TYPE) {
        if (!ob_json_is(value, "TYPE_UNSPECIFIED"))
            write_type(json, value,
                       yyjson_is_true(ob_gemini_get(schema, "nullable")));
        return true;
    }
    ob_json_name(json, strcmp(keywords[found].name, "defs") == 0
                           ? "$defs"
                           : keywords[found].name);
    if (kind == COUNT)
        write_count(json, value);
    else if (kind == SCHEMAS && yyjson_is_arr(value))
        return convert_all(json, value, depth + 1);
    else if (kind == BY_NAME && yyjson_is_obj(value))
        return convert_named(json, value, depth + 1);
    else if (kind == SCHEMA && yyjson_is_arr(value))
        return convert_all(json, value, depth + 1);
    else
        return convert(json, value, depth + 1);
    return true;
}

static bool convert(ob_json *json, yyjson_val *schema, int depth)
{
    size_t i, count;
    yyjson_val *key, *value;
    bool ok = depth < DEPTH_MAX;
    if (!ok || !yyjson_is_obj(schema)) {
        ob_json_value(json, schema);
        return ok;
    }
    ob_json_open(json, '{');
    yyjson_obj_foreach(schema, i, count, key, value)
    {
        if (ok && !yyjson_is_null(value))
            ok = convert_member(json, schema, ob_json_text(key), value, depth);
    }
    ob_json_close(json, '}');
    return ok;
}

yyjson_val *ob_gemini_json_schema(ob_form *form, yyjson_val *schema)
{
    ob_buffer text = {0};
    ob_json json = {&text, false};
    bool ok = convert(&json, schema, 0);
    yyjson_val *made = NULL;
    if (ok && !text.failed)
        made = ob_json_parse(form->arena, ob_buffer_slice(&text));
    ob_buffer_deinit(&text);
    if (ok && !made)
        form->failed = true;
    return made;
}

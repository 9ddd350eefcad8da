/* mock_tools.c - which tool the mock calls, and with what. */
#include "mock_answer.h"

#define WORD_BYTES_MIN      4
#define TOOLS_MAX           128
#define SAID_BYTES_MAX      ((size_t)4096)
#define DEPTH_MAX           4
#define MEMBERS_MAX         256
#define ARGUMENTS_BYTES_MAX ((size_t)32 * 1024)

static ob_mock_tool read_tool(yyjson_val *tool, const char *function,
                              const char *schema)
{
    yyjson_val *holder = function ? yyjson_obj_get(tool, function) : tool;
    return (ob_mock_tool){ob_mock_string(holder, "name"),
                          yyjson_obj_get(holder, schema)};
}

/* Is a word of the name, as of "get_weather", in the text? Short ones ("get")
 * are in any text. */
static bool shares_word(ob_slice name, ob_slice said)
{
    ob_slice rest = name;
    while (rest.ptr) {
        ob_slice word = ob_slice_cut(&rest, '_');
        if (word.len >= WORD_BYTES_MIN &&
            ob_slice_find_nocase(said, word) != OB_NOWHERE)
            return true;
    }
    return false;
}

ob_mock_tool ob_mock_choose_tool(yyjson_val *tools, const char *function,
                                 const char *schema, ob_slice said, bool forced)
{
    ob_mock_tool first = {OB_S(""), NULL};
    size_t index, count;
    yyjson_val *tool;
    said = ob_slice_head(said, SAID_BYTES_MAX);
    yyjson_arr_foreach(tools, index, count, tool)
    {
        if (index == TOOLS_MAX)
            break;
        ob_mock_tool read = read_tool(tool, function, schema);
        if (!read.name.len)
            continue;
        if (shares_word(read.name, said))
            return read;
        if (!first.name.len)
            first = read;
    }
    if (forced || ob_slice_find_nocase(said, OB_S("tool")) != OB_NOWHERE)
        return first;
    return (ob_mock_tool){OB_S(""), NULL};
}

/* ---- arguments ---- */

/* The schema's type in lower case; of several the first. */
static ob_slice type_of(yyjson_val *schema)
{
    yyjson_val *type = yyjson_obj_get(schema, "type");
    if (yyjson_is_arr(type))
        type = yyjson_arr_get_first(type);
    return ob_slice_make(yyjson_get_str(type), yyjson_get_len(type));
}

static bool is_type(yyjson_val *schema, ob_slice type)
{
    return ob_slice_eq_nocase(type_of(schema), type);
}

static void append_scalar(ob_buffer *out, yyjson_val *schema)
{
    yyjson_val *fixed = yyjson_arr_get_first(yyjson_obj_get(schema, "enum"));
    if (yyjson_is_str(fixed))
        OB_MOCK_PUT(
            out, "$",
            ob_slice_make(yyjson_get_str(fixed), yyjson_get_len(fixed)));
    else if (is_type(schema, OB_S("integer")) ||
             is_type(schema, OB_S("number")))
        ob_buffer_append_str(out, "1");
    else if (is_type(schema, OB_S("boolean")))
        ob_buffer_append_str(out, "true");
    else
        ob_buffer_append_str(out, "\"demo\"");
}

/* A member that is required a thousand times, in objects within each other,
 * would make a short schema into endless arguments. */
static bool is_full(const ob_buffer *out)
{
    return ob_buffer_slice(out).len >= ARGUMENTS_BYTES_MAX;
}

static void append_value(ob_buffer *out, yyjson_val *schema, unsigned depth);

static void append_object(ob_buffer *out, yyjson_val *schema, unsigned depth)
{
    yyjson_val *properties = yyjson_obj_get(schema, "properties");
    size_t index, count;
    yyjson_val *name;
    bool first = true;
    ob_buffer_append_char(out, '{');
    yyjson_arr_foreach(yyjson_obj_get(schema, "required"), index, count, name)
    {
        if (index == MEMBERS_MAX || is_full(out))
            break;
        if (!yyjson_is_str(name))
            continue;
        if (!first)
            ob_buffer_append_char(out, ',');
        first = false;
        OB_MOCK_PUT(out, "$:",
                    ob_slice_make(yyjson_get_str(name), yyjson_get_len(name)));
        append_value(out, yyjson_obj_get(properties, yyjson_get_str(name)),
                     depth + 1);
    }
    ob_buffer_append_char(out, '}');
}

static void append_value(ob_buffer *out, yyjson_val *schema, unsigned depth)
{
    bool deep = depth >= DEPTH_MAX;
    if (is_type(schema, OB_S("object")) && deep) {
        ob_buffer_append_str(out, "{}");
    } else if (is_type(schema, OB_S("object"))) {
        append_object(out, schema, depth);
    } else if (is_type(schema, OB_S("array"))) {
        ob_buffer_append_char(out, '[');
        if (!deep)
            append_value(out, yyjson_obj_get(schema, "items"), depth + 1);
        ob_buffer_append_char(out, ']');
    } else {
        append_scalar(out, schema);
    }
}

void ob_mock_arguments(ob_buffer *out, yyjson_val *schema)
{
    append_object(out, schema, 0);
}

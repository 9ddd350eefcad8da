#include "openai_custom.h"

#include "../uri.h"
#include "json.h"

/* ---- as functions ---- */

/* What the format asks for, told to the model. Chat completions have the
 * grammar one level deeper. */
static void write_grammar(ob_json *json, yyjson_val *format)
{
    yyjson_val *inner = ob_json_get(format, "grammar");
    yyjson_val *grammar = inner ? inner : format;
    ob_buffer *out = json->out;
    ob_json_name(json, "description");
    ob_buffer_append_str(out,
                         "\"The tool's input as plain text. It must follow "
                         "this grammar (");
    ob_slice syntax = ob_json_get_text(grammar, "syntax");
    ob_buffer_append(out, ob_slice_eq(syntax, OB_S("regex")) ? OB_S("regex")
                                                             : OB_S("lark"));
    ob_buffer_append_str(out, "):\\n");
    /* Its text as JSON has it, without the quote in front. */
    size_t at = out->end - out->start;
    ob_buffer_append_json(out, ob_json_get_text(grammar, "definition"));
    if (!out->failed) {
        char *quote = out->data + out->start + at;
        memmove(quote, quote + 1, out->end - out->start - at - 1);
        out->end--;
    }
    json->comma = true;
}

static yyjson_val *make_schema(ob_form *form, yyjson_val *format, bool grammar)
{
    ob_buffer text = {0};
    ob_json json = {.out = &text};
    ob_json_open(&json, '{');
    ob_json_member(&json, "type", OB_S("object"));
    ob_json_name(&json, "properties");
    ob_json_open(&json, '{');
    ob_json_name(&json, "input");
    ob_json_open(&json, '{');
    ob_json_member(&json, "type", OB_S("string"));
    if (grammar)
        write_grammar(&json, format);
    else
        ob_json_member(&json, "description",
                       OB_S("The tool's input as plain text."));
    ob_json_close(&json, '}');
    ob_json_close(&json, '}');
    ob_json_raw(&json, OB_S("\"required\":[\"input\"],"
                            "\"additionalProperties\":false"));
    ob_json_close(&json, '}');
    yyjson_val *schema =
        text.failed ? NULL : ob_json_parse(form->arena, ob_buffer_slice(&text));
    ob_buffer_deinit(&text);
    form->failed |= !schema;
    return schema;
}

void ob_custom_tool(ob_form *form, ob_slice name, ob_slice description,
                    yyjson_val *format)
{
    bool grammar = ob_json_is(ob_json_get(format, "type"), "grammar");
    ob_tool *tool = ob_form_tool(form, name);
    if (!tool)
        return;
    tool->description = description;
    tool->schema = make_schema(form, format, grammar);
    if (grammar)
        ob_form_drop(form, OB_S("tools.format"));
}

/* ---- their input ---- */

ob_slice ob_custom_arguments(ob_form *form, ob_slice input)
{
    ob_buffer text = {0};
    ob_json json = {.out = &text};
    ob_json_open(&json, '{');
    ob_json_member(&json, "input", input);
    ob_json_close(&json, '}');
    ob_slice copy = {NULL, 0};
    if (!text.failed)
        copy = ob_arena_dup(form->arena, ob_buffer_slice(&text));
    ob_buffer_deinit(&text);
    form->failed |= !copy.ptr;
    return copy;
}

ob_slice ob_custom_input(ob_arena *arena, ob_slice arguments)
{
    yyjson_val *root = ob_json_parse(arena, arguments);
    yyjson_val *input = ob_json_get(root, "input");
    if (yyjson_is_str(input))
        return ob_json_text(input);
    /* A call without arguments has an empty input. */
    return yyjson_is_obj(root) && !yyjson_obj_size(root) ? OB_S("") : arguments;
}

/* ---- namespaces ---- */

#define JOINT "__"

/* Names of namespaces may end with the joint already. */
static ob_slice joint_of(ob_slice space)
{
    return ob_slice_ends(space, OB_S(JOINT)) ? OB_S("") : OB_S(JOINT);
}

ob_slice ob_custom_join(ob_form *form, ob_slice space, ob_slice name)
{
    const ob_slice pieces[] = {space, joint_of(space), name};
    ob_slice joined;
    if (!space.len)
        return name;
    if (ob_slice_join(pieces, OB_LEN(pieces), form->arena, &joined) == OB_OK)
        return joined;
    form->failed = true;
    return name;
}

static bool is_joined(ob_slice name, ob_slice space, ob_slice inner)
{
    ob_slice joint = joint_of(space);
    if (name.len != space.len + joint.len + inner.len)
        return false;
    ob_slice rest = ob_slice_from(name, space.len);
    return ob_slice_starts(name, space) && ob_slice_starts(rest, joint) &&
           ob_slice_eq(ob_slice_from(rest, joint.len), inner);
}

/* ---- what they were ---- */

static bool find_in(yyjson_val *tools, ob_slice space, ob_slice name,
                    ob_asked_tool *found)
{
    yyjson_val *tool;
    size_t i, max;
    yyjson_arr_foreach(tools, i, max, tool)
    {
        yyjson_val *type = ob_json_get(tool, "type");
        yyjson_val *custom = ob_json_get(tool, "custom");
        ob_slice own = ob_json_get_text(custom ? custom : tool, "name");
        if (!space.len && ob_json_is(type, "namespace") &&
            find_in(ob_json_get(tool, "tools"), own, name, found))
            return true;
        bool is_custom = ob_json_is(type, "custom");
        if (!(space.len ? is_joined(name, space, own)
                        : is_custom && ob_slice_eq(name, own)))
            continue;
        *found = (ob_asked_tool){own, space, is_custom};
        return true;
    }
    return false;
}

ob_asked_tool ob_custom_find(yyjson_val *request, ob_slice name)
{
    ob_asked_tool found = {.name = name};
    (void)find_in(ob_json_get(request, "tools"), OB_S(""), name, &found);
    return found;
}

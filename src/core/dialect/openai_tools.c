/* openai_tools.c - the tools of a request, read, and how to choose of them. */
#include "openai.h"
#include "openai_custom.h"

typedef ob_openai_place place;

static bool refuse(ob_form *form, const char *text, ob_slice word,
                   const char *behind)
{
    (void)ob_form_refuse(form, text, word, behind);
    return false;
}

/* ---- tools ---- */

/* Tools are appended at their end, which is kept. */
static bool add_function(const place *at, yyjson_val *function, ob_tool ***end)
{
    yyjson_val *schema = ob_json_get(function, "parameters");
    yyjson_val *strict = ob_json_get(function, "strict");
    ob_slice name = ob_json_get_text(function, "name");
    bool older = at->list[0] == 'f';
    if (!name.len)
        return ob_openai_wrong(at, older ? "name" : "function.name",
                               " must be a string");
    if (ob_json_told(schema) && !yyjson_is_obj(schema))
        return ob_openai_wrong(at, older ? "parameters" : "function.parameters",
                               " must be an object");
    ob_tool *tool = ob_arena_alloc(at->form->arena, sizeof(*tool));
    if (!tool) {
        at->form->failed = true;
        return false;
    }
    tool->name = name;
    tool->description = ob_json_get_text(function, "description");
    tool->schema = yyjson_is_obj(schema) ? schema : NULL;
    if (yyjson_is_bool(strict))
        tool->strict = yyjson_get_bool(strict) ? OB_YES : OB_NO;
    **end = tool;
    *end = &tool->next;
    return true;
}

static bool add_custom(const place *at, yyjson_val *custom, ob_tool ***end)
{
    ob_slice name = ob_json_get_text(custom, "name");
    if (!name.len)
        return ob_openai_wrong(at, "custom.name", " must be a string");
    ob_custom_tool(at->form, name, ob_json_get_text(custom, "description"),
                   ob_json_get(custom, "format"));
    while (**end)
        *end = &(**end)->next;
    return !at->form->failed;
}

/* "tools.web_search" */
static void drop_tool(ob_form *form, ob_slice type)
{
    char name[64] = "tools.";
    ob_slice head = ob_slice_head(type, sizeof(name) - 6);
    memcpy(name + 6, head.ptr, head.len);
    ob_form_drop(form, ob_slice_make(name, 6 + head.len));
}

static bool read_tool(const place *at, yyjson_val *item, ob_tool ***end)
{
    yyjson_val *type = ob_json_get(item, "type");
    yyjson_val *mark = ob_json_get(item, "cache_control");
    ob_tool **added = *end;
    if (!yyjson_is_obj(item))
        return ob_openai_wrong(at, NULL, " must be an object");
    if (ob_json_told(type) && !yyjson_is_str(type))
        return ob_openai_wrong(at, "type", " must be a string");
    if (ob_json_is(type, "custom"))
        return add_custom(at, ob_json_get(item, "custom"), end);
    if (ob_json_told(type) && !ob_json_is(type, "function")) {
        drop_tool(at->form, ob_json_text(type));
        return true;
    }
    if (!yyjson_is_obj(ob_json_get(item, "function")))
        return ob_openai_wrong(at, "function", " must be an object");
    if (!add_function(at, ob_json_get(item, "function"), end))
        return false;
    (*added)->cached = yyjson_is_obj(mark);
    (*added)->cache_ttl = ob_json_get_text(mark, "ttl");
    return true;
}

typedef bool (*item_reader)(const place *at, yyjson_val *item, ob_tool ***end);

static bool read_list(ob_form *form, yyjson_val *root, const char *name,
                      item_reader read)
{
    yyjson_val *list = ob_json_get(root, name);
    place at = {.form = form, .list = name};
    ob_tool **end = &form->tools;
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!ob_json_told(list))
        return true;
    if (!yyjson_is_arr(list))
        return refuse(form, "", ob_slice_str(name), " must be an array");
    while (*end)
        end = &(*end)->next;
    yyjson_arr_iter_init(list, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        if (!read(&at, item, &end))
            return false;
        at.index++;
    }
    return true;
}

/* ---- the choice ---- */

static bool has_tool(const ob_form *form, ob_slice name)
{
    for (const ob_tool *tool = form->tools; tool; tool = tool->next)
        if (ob_slice_eq(tool->name, name))
            return true;
    return false;
}

static bool choose_named(ob_form *form, ob_slice name)
{
    if (!name.len || !has_tool(form, name))
        return refuse(form, "tool_choice names \"", name,
                      "\", which is no function of the request");
    form->choose = OB_CHOOSE_NAMED;
    form->chosen = name;
    return true;
}

static bool choose_word(ob_form *form, yyjson_val *word)
{
    static const struct {
        const char *word;
        ob_choose choose;
    } words[] = {{"auto", OB_CHOOSE_AUTO},
                 {"none", OB_CHOOSE_NONE},
                 {"required", OB_CHOOSE_REQUIRED},
                 {"any", OB_CHOOSE_REQUIRED}}; /* Mistral's */
    for (size_t i = 0; i < OB_LEN(words); i++)
        if (ob_json_is(word, words[i].word)) {
            form->choose = words[i].choose;
            return true;
        }
    return refuse(form,
                  "tool_choice must be none, auto, required or name a "
                  "function",
                  OB_S(""), "");
}

static bool is_allowed(yyjson_val *tools, ob_slice name)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    yyjson_arr_iter_init(tools, &items);
    while ((item = yyjson_arr_iter_next(&items)))
        if (ob_slice_eq(ob_json_get_text(ob_json_get(item, "function"), "name"),
                        name) ||
            ob_slice_eq(ob_json_get_text(ob_json_get(item, "custom"), "name"),
                        name))
            return true;
    return false;
}

#define ALLOWED_MAX 256

/* Only some of the tools may be called: the others are not offered. */
static bool choose_allowed(ob_form *form, yyjson_val *allowed)
{
    yyjson_val *tools = ob_json_get(allowed, "tools");
    ob_tool **at = &form->tools;
    if (!yyjson_is_arr(tools) || yyjson_arr_size(tools) > ALLOWED_MAX)
        return refuse(form, "tool_choice.allowed_tools.tools must be an array",
                      OB_S(""), "");
    while (*at) {
        if (is_allowed(tools, (*at)->name))
            at = &(*at)->next;
        else
            *at = (*at)->next;
    }
    return choose_word(form, ob_json_get(allowed, "mode"));
}

static bool read_choice(ob_form *form, yyjson_val *choice)
{
    yyjson_val *type = ob_json_get(choice, "type");
    if (!ob_json_told(choice))
        return true;
    if (!yyjson_is_obj(choice))
        return choose_word(form, choice);
    if (ob_json_is(type, "allowed_tools"))
        return choose_allowed(form, ob_json_get(choice, "allowed_tools"));
    if (ob_json_is(type, "function"))
        return choose_named(
            form, ob_json_get_text(ob_json_get(choice, "function"), "name"));
    if (ob_json_is(type, "custom"))
        return choose_named(
            form, ob_json_get_text(ob_json_get(choice, "custom"), "name"));
    return refuse(form, "tool_choice asks for a tool of type \"",
                  ob_json_text(type), "\", which cannot be translated");
}

/* Of the older API: "none", "auto" or {"name"}. */
static bool read_function_choice(ob_form *form, yyjson_val *choice)
{
    if (!ob_json_told(choice))
        return true;
    if (!yyjson_is_obj(choice))
        return choose_word(form, choice);
    return choose_named(form, ob_json_get_text(choice, "name"));
}

bool ob_openai_read_tools(ob_form *form, yyjson_val *root)
{
    return read_list(form, root, "tools", read_tool) &&
           read_list(form, root, "functions", add_function) &&
           read_function_choice(form, ob_json_get(root, "function_call")) &&
           read_choice(form, ob_json_get(root, "tool_choice"));
}

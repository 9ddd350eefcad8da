/* anthropic_request.c - reads requests to Anthropic's messages API. */
#include "anthropic.h"

static ob_status refuse(ob_form *form, const char *text)
{
    return ob_form_refuse(form, text, OB_S(""), "");
}

static void drop(ob_form *form, const char *name)
{
    ob_form_drop(form, ob_slice_str(name));
}

/* A member of an object that is not known: "output_config.task_budget". */
static void drop_inner(ob_form *form, const char *front, ob_slice name)
{
    char text[96];
    size_t len = strlen(front);
    name = ob_slice_head(name, sizeof(text) - len);
    memcpy(text, front, len);
    memcpy(text + len, name.ptr, name.len);
    ob_form_drop(form, ob_slice_make(text, len + name.len));
}

/* ---- tools ---- */

/* Tools that Anthropic runs, by how their types begin, and tools whose schema
 * only Anthropic's models know. */
static const char *const server_tools[] = {
    "web_search_",  "web_fetch_", "code_execution_",
    "tool_search_", "mcp_",       "advisor_"};
static const char *const client_tools[] = {"bash_", "text_editor_", "memory_",
                                           "computer_"};

static bool begins_with_one(ob_slice text, const char *const *heads,
                            size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ob_slice_starts(text, ob_slice_str(heads[i])))
            return true;
    return false;
}

static void drop_tool(ob_form *form, yyjson_val *value, ob_slice type)
{
    ob_slice name = ob_json_get_text(value, "name");
    drop_inner(form, "tools.", name.len ? name : type);
}

static ob_status read_tool_members(ob_form *form, ob_tool *tool,
                                   yyjson_val *value)
{
    static const char *const known[] = {"name",         "description",
                                        "type",         "strict",
                                        "input_schema", "cache_control"};
    yyjson_val *name, *member;
    size_t i, max;
    yyjson_obj_foreach(value, i, max, name, member)
    {
        bool is_known = yyjson_is_null(member);
        for (size_t k = 0; k < OB_LEN(known); k++)
            is_known |= ob_json_is(name, known[k]);
        if (!is_known)
            drop_inner(form, "tools.", ob_json_text(name));
    }
    yyjson_val *strict = ob_json_get(value, "strict");
    tool->description = ob_json_get_text(value, "description");
    tool->cached = ob_anthropic_read_cache(value, &tool->cache_ttl);
    if (yyjson_is_bool(strict))
        tool->strict = yyjson_get_bool(strict) ? OB_YES : OB_NO;
    return OB_OK;
}

static ob_status read_tool(ob_form *form, yyjson_val *value, size_t index)
{
    ob_anthropic_place place = {form, "tools", index, OB_NOWHERE, OB_NOWHERE};
    ob_slice type = ob_json_get_text(value, "type");
    yyjson_val *schema = ob_json_get(value, "input_schema");
    if (!yyjson_is_obj(value))
        return ob_anthropic_wrong(&place, "", "must be an object");
    if (begins_with_one(type, client_tools, OB_LEN(client_tools)))
        return ob_form_refuse(form, "tools: \"", type,
                              "\" has no schema that another provider's model "
                              "could follow; give one with input_schema");
    if ((type.len && !ob_slice_eq(type, OB_S("custom")) && !schema) ||
        begins_with_one(type, server_tools, OB_LEN(server_tools))) {
        drop_tool(form, value, type);
        return OB_OK;
    }
    if (!yyjson_is_str(ob_json_get(value, "name")))
        return ob_anthropic_wrong(&place, "name", "must be a string");
    if (schema && !yyjson_is_obj(schema))
        return ob_anthropic_wrong(&place, "input_schema", "must be an object");
    if (ob_anthropic_want_text(&place, value, "description") != OB_OK)
        return OB_INVALID;
    ob_tool *tool = ob_form_tool(form, ob_json_get_text(value, "name"));
    if (!tool)
        return OB_NO_MEMORY;
    tool->schema = schema;
    return read_tool_members(form, tool, value);
}

static ob_status read_tools(ob_form *form, yyjson_val *tools)
{
    if (!yyjson_is_arr(tools))
        return refuse(form, "tools must be an array");
    yyjson_val *value;
    size_t i, max;
    ob_status status = OB_OK;
    yyjson_arr_foreach(tools, i, max, value)
    {
        if (status == OB_OK)
            status = read_tool(form, value, i);
    }
    return status;
}

static bool has_tool(const ob_form *form, ob_slice name)
{
    for (const ob_tool *tool = form->tools; tool; tool = tool->next)
        if (ob_slice_eq(tool->name, name))
            return true;
    return false;
}

/* Behind the tools: what names one that was dropped is refused. */
static ob_status read_choice(ob_form *form, yyjson_val *choice)
{
    yyjson_val *type = ob_json_get(choice, "type");
    yyjson_val *alone = ob_json_get(choice, "disable_parallel_tool_use");
    if (!yyjson_is_obj(choice) || !yyjson_is_str(type))
        return refuse(form, "tool_choice must be an object with a type");
    if (yyjson_is_bool(alone))
        form->parallel = yyjson_get_bool(alone) ? OB_NO : OB_YES;
    if (ob_json_is(type, "auto"))
        form->choose = OB_CHOOSE_AUTO;
    else if (ob_json_is(type, "none"))
        form->choose = OB_CHOOSE_NONE;
    else if (ob_json_is(type, "any"))
        form->choose = OB_CHOOSE_REQUIRED;
    else if (ob_json_is(type, "tool"))
        form->choose = OB_CHOOSE_NAMED;
    else
        return ob_form_refuse(form, "tool_choice.type: \"", ob_json_text(type),
                              "\" is not auto, any, tool or none");
    form->chosen = ob_json_get_text(choice, "name");
    if (form->choose == OB_CHOOSE_NAMED && !has_tool(form, form->chosen))
        return ob_form_refuse(form, "tool_choice.name: \"", form->chosen,
                              "\" is none of the tools that are passed on");
    if (form->choose == OB_CHOOSE_REQUIRED && !form->tools)
        return refuse(form, "tool_choice: none of the tools is passed on");
    return OB_OK;
}

/* ---- thinking and output ---- */

static ob_status read_budget(ob_form *form, yyjson_val *thinking)
{
    if (!yyjson_is_int(ob_json_get(thinking, "budget_tokens")))
        return refuse(form, "thinking.budget_tokens must be a whole number");
    form->thinking_max = ob_json_get_i64(thinking, "budget_tokens", -1);
    if (form->thinking_max < 1)
        return refuse(form, "thinking.budget_tokens must be over 0");
    return OB_OK;
}

/*
 * "adaptive" is thinking as the model likes: all that is said of it is that it
 * is to be shown. Where it is not to be shown, Anthropic's own default effort
 * says that there is to be any.
 */
static ob_status read_thinking(ob_form *form, yyjson_val *thinking)
{
    yyjson_val *type = ob_json_get(thinking, "type");
    bool hidden = ob_json_is(ob_json_get(thinking, "display"), "omitted");
    if (!yyjson_is_obj(thinking) || !yyjson_is_str(type))
        return refuse(form, "thinking must be an object with a type");
    if (ob_json_is(type, "disabled")) {
        form->thinking_max = 0;
        return OB_OK;
    }
    form->show_thinking = hidden ? OB_NO : OB_YES;
    if (ob_json_is(type, "enabled"))
        return read_budget(form, thinking);
    if (!ob_json_is(type, "adaptive"))
        return ob_form_refuse(form, "thinking.type: \"", ob_json_text(type),
                              "\" is not enabled, adaptive or disabled");
    if (hidden && form->effort == OB_EFFORT_UNSAID)
        form->effort = OB_EFFORT_HIGH;
    return OB_OK;
}

static ob_status read_effort(ob_form *form, yyjson_val *effort)
{
    static const struct {
        const char *name;
        ob_effort effort;
    } names[] = {{"low", OB_EFFORT_LOW},
                 {"medium", OB_EFFORT_MEDIUM},
                 {"high", OB_EFFORT_HIGH},
                 {"xhigh", OB_EFFORT_MAX},
                 {"max", OB_EFFORT_MAX}};
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_json_is(effort, names[i].name)) {
            form->effort = names[i].effort;
            return OB_OK;
        }
    return refuse(form, "output_config.effort must be low, medium, high, xhigh "
                        "or max");
}

static ob_status read_format(ob_form *form, yyjson_val *format)
{
    form->schema = ob_json_get(format, "schema");
    if (!ob_json_is(ob_json_get(format, "type"), "json_schema"))
        return refuse(form, "output_config.format.type must be json_schema");
    if (!yyjson_is_obj(form->schema))
        return refuse(form, "output_config.format.schema must be an object");
    form->output = OB_OUTPUT_SCHEMA;
    form->schema_strict = OB_YES;
    return OB_OK;
}

static ob_status read_output(ob_form *form, yyjson_val *config)
{
    yyjson_val *effort = ob_json_get(config, "effort");
    yyjson_val *format = ob_json_get(config, "format"), *name, *value;
    ob_status status = OB_OK;
    size_t i, max;
    if (!yyjson_is_obj(config))
        return refuse(form, "output_config must be an object");
    yyjson_obj_foreach(config, i, max, name, value)
    {
        if (value != effort && value != format && ob_json_told(value))
            drop_inner(form, "output_config.", ob_json_text(name));
    }
    if (ob_json_told(effort))
        status = read_effort(form, effort);
    if (status == OB_OK && ob_json_told(format))
        status = read_format(form, format);
    return status;
}

/* ---- numbers and names ---- */

static ob_status read_max_tokens(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_int(value))
        return refuse(form, "max_tokens must be a whole number");
    form->answer_max = yyjson_get_sint(value);
    if (form->answer_max < 0)
        return refuse(form, "max_tokens must not be negative");
    return OB_OK;
}

static ob_status read_temperature(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_num(value))
        return refuse(form, "temperature must be a number");
    form->temperature = yyjson_get_num(value);
    return OB_OK;
}

static ob_status read_top_p(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_num(value))
        return refuse(form, "top_p must be a number");
    form->top_p = yyjson_get_num(value);
    return OB_OK;
}

static ob_status read_top_k(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_int(value))
        return refuse(form, "top_k must be a whole number");
    form->top_k = yyjson_get_sint(value);
    return OB_OK;
}

static ob_status read_stops(ob_form *form, yyjson_val *stops)
{
    yyjson_val *value;
    size_t i, max;
    if (!yyjson_is_arr(stops))
        return refuse(form, "stop_sequences must be an array");
    yyjson_arr_foreach(stops, i, max, value)
    {
        if (!yyjson_is_str(value))
            return refuse(form, "stop_sequences must hold strings");
        ob_form_stop(form, ob_json_text(value));
    }
    return OB_OK;
}

static ob_status read_metadata(ob_form *form, yyjson_val *metadata)
{
    yyjson_val *user = ob_json_get(metadata, "user_id");
    if (!yyjson_is_obj(metadata))
        return refuse(form, "metadata must be an object");
    if (ob_json_told(user) && !yyjson_is_str(user))
        return refuse(form, "metadata.user_id must be a string");
    form->user = ob_json_text(user);
    return OB_OK;
}

static ob_status read_model(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_str(value))
        return refuse(form, "model must be a string");
    /* Whoever reads may have put another in already. */
    if (!form->model.len)
        form->model = ob_json_text(value);
    return OB_OK;
}

static ob_status read_tier(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_str(value))
        return refuse(form, "service_tier must be a string");
    form->service_tier = ob_json_text(value);
    return OB_OK;
}

static ob_status read_stream(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_bool(value))
        return refuse(form, "stream must be true or false");
    form->stream = yyjson_get_bool(value);
    /* All of Anthropic's streams tell it. */
    form->stream_usage = form->stream;
    return OB_OK;
}

/* ---- turns ---- */

static ob_status read_system(ob_form *form, yyjson_val *system)
{
    ob_anthropic_place place = {form, NULL, 0, OB_NOWHERE, OB_NOWHERE};
    return ob_anthropic_read_content(&place, OB_ROLE_SYSTEM, system);
}

static ob_status read_message(ob_form *form, yyjson_val *message, size_t index)
{
    static const struct {
        const char *name;
        ob_role role;
    } roles[] = {{"user", OB_ROLE_USER},
                 {"assistant", OB_ROLE_ASSISTANT},
                 {"system", OB_ROLE_SYSTEM}};
    ob_anthropic_place place = {form, "messages", index, OB_NOWHERE,
                                OB_NOWHERE};
    yyjson_val *role = ob_json_get(message, "role");
    if (!yyjson_is_obj(message))
        return ob_anthropic_wrong(&place, "", "must be an object");
    for (size_t i = 0; i < OB_LEN(roles); i++)
        if (ob_json_is(role, roles[i].name))
            return ob_anthropic_read_content(&place, roles[i].role,
                                             ob_json_get(message, "content"));
    return ob_anthropic_wrong(&place, "role", "must be user or assistant");
}

static ob_status read_messages(ob_form *form, yyjson_val *messages)
{
    yyjson_val *message;
    size_t i, max;
    if (!yyjson_is_arr(messages))
        return refuse(form, "messages must be an array");
    yyjson_arr_foreach(messages, i, max, message)
    {
        ob_status status = read_message(form, message, i);
        if (status != OB_OK)
            return status;
    }
    return OB_OK;
}

/* At the top it marks the last block that can be cached. */
static ob_status read_cache(ob_form *form, yyjson_val *root)
{
    ob_part *last = NULL;
    ob_slice ttl = {NULL, 0};
    if (!ob_anthropic_read_cache(root, &ttl))
        return OB_OK;
    for (ob_turn *turn = form->turns; turn; turn = turn->next)
        for (ob_part *part = turn->parts; part; part = part->next)
            if (part->kind != OB_PART_THINKING)
                last = part;
    if (last) {
        last->cached = true;
        last->cache_ttl = ttl;
    }
    return OB_OK;
}

/* In the order in which they are read: a turn of the system's comes first, and
 * a choice is looked up among the tools. */
static const struct {
    const char *name;
    ob_status (*read)(ob_form *form, yyjson_val *value);
} members[] = {
    {"model", read_model},
    {"max_tokens", read_max_tokens},
    {"system", read_system},
    {"messages", read_messages},
    {"tools", read_tools},
    {"tool_choice", read_choice},
    {"output_format", read_format}, /* as it was called before */
    {"output_config", read_output},
    {"thinking", read_thinking},
    {"temperature", read_temperature},
    {"top_p", read_top_p},
    {"top_k", read_top_k},
    {"stop_sequences", read_stops},
    {"metadata", read_metadata},
    {"service_tier", read_tier},
    {"stream", read_stream},
    {"cache_control", NULL},
};

static void drop_unknown(ob_form *form, yyjson_val *root)
{
    yyjson_val *name, *value;
    size_t i, max;
    yyjson_obj_foreach(root, i, max, name, value)
    {
        bool known = yyjson_is_null(value);
        for (size_t k = 0; k < OB_LEN(members); k++)
            known |= ob_json_is(name, members[k].name);
        if (!known)
            ob_form_drop(form, ob_json_text(name));
    }
}

ob_status ob_anthropic_read_request(yyjson_val *root, ob_form *form)
{
    ob_status status = OB_OK;
    if (!yyjson_is_obj(root))
        return refuse(form, "the body must be a JSON object");
    for (size_t i = 0; i < OB_LEN(members) && status == OB_OK; i++) {
        yyjson_val *value = ob_json_get(root, members[i].name);
        if (ob_json_told(value) && members[i].read)
            status = members[i].read(form, value);
    }
    if (status == OB_OK && !ob_json_told(ob_json_get(root, "messages")))
        status = refuse(form, "messages is missing");
    if (status == OB_OK)
        status = read_cache(form, root);
    /* Without thinking, effort is about the answer alone, which others do not
     * have. */
    if (form->thinking_max == 0 && form->effort != OB_EFFORT_UNSAID) {
        form->effort = OB_EFFORT_UNSAID;
        drop(form, "output_config.effort");
    }
    drop_unknown(form, root);
    return form->failed ? OB_NO_MEMORY : status;
}

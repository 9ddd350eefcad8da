/*
 * responses_request.c - reads the body of POST /v1/responses; its items are
 * read by responses_input.c.
 */
#include "openai_custom.h"
#include "responses.h"

static void refuse(ob_form *form, const char *name, const char *behind)
{
    ob_form_refuse(form, name, OB_S(""), behind);
}

static bool is_object(ob_form *form, yyjson_val *value, const char *name)
{
    if (!yyjson_is_obj(value))
        refuse(form, name, " must be an object");
    return yyjson_is_obj(value);
}

static ob_slice read_text(ob_form *form, yyjson_val *value, const char *name)
{
    if (ob_json_told(value) && !yyjson_is_str(value))
        refuse(form, name, " must be a string");
    return ob_json_text(value);
}

static ob_maybe read_maybe(ob_form *form, yyjson_val *value, const char *name)
{
    if (!ob_json_told(value))
        return OB_UNSAID;
    if (!yyjson_is_bool(value))
        refuse(form, name, " must be a boolean");
    return yyjson_is_true(value) ? OB_YES : OB_NO;
}

static int64_t read_count(ob_form *form, yyjson_val *value, const char *name)
{
    if (yyjson_is_uint(value) && yyjson_get_uint(value) <= INT64_MAX)
        return (int64_t)yyjson_get_uint(value);
    refuse(form, name, " must be a whole number, 0 or more");
    return -1;
}

static double read_number(ob_form *form, yyjson_val *value, const char *name)
{
    if (!yyjson_is_num(value))
        refuse(form, name, " must be a number");
    return yyjson_get_num(value);
}

/* ---- tools ---- */

static ob_slice read_name(ob_form *form, const ob_responses_place *at,
                          yyjson_val *object, ob_slice space)
{
    return ob_custom_join(form, space,
                          ob_responses_need_text(form, at, object, "name"));
}

/* "tools." + type */
static void drop_tool(ob_form *form, ob_slice type)
{
    char name[64] = "tools.";
    type = ob_slice_head(type, sizeof(name) - 6);
    memcpy(name + 6, type.ptr, type.len);
    ob_form_drop(form, ob_slice_make(name, 6 + type.len));
}

/* "tools." + what is not known of one */
static void drop_tool_members(ob_form *form, yyjson_val *object)
{
    yyjson_val *name, *value;
    size_t i, max;
    yyjson_obj_foreach(object, i, max, name, value)
    {
        if (ob_json_told(value) &&
            !ob_slice_lists(OB_S("type,name,description,parameters,strict,"
                                 "format"),
                            ob_json_text(name)))
            drop_tool(form, ob_json_text(name));
    }
}

static void read_function(ob_form *form, const ob_responses_place *at,
                          yyjson_val *object, ob_slice space)
{
    yyjson_val *schema = ob_json_get(object, "parameters");
    yyjson_val *strict = ob_json_get(object, "strict");
    ob_tool *tool = ob_form_tool(form, read_name(form, at, object, space));
    if (!tool)
        return;
    drop_tool_members(form, object);
    tool->description = ob_responses_text_at(form, at, object, "description");
    if (ob_json_told(schema) && !yyjson_is_obj(schema))
        ob_responses_refuse_at(form, at, "parameters", " must be an object");
    tool->schema = yyjson_is_obj(schema) ? schema : NULL;
    if (ob_json_told(strict) && !yyjson_is_bool(strict))
        ob_responses_refuse_at(form, at, "strict", " must be a boolean");
    if (yyjson_is_bool(strict))
        tool->strict = yyjson_is_true(strict) ? OB_YES : OB_NO;
}

static void read_custom(ob_form *form, const ob_responses_place *at,
                        yyjson_val *object, ob_slice space)
{
    ob_custom_tool(form, read_name(form, at, object, space),
                   ob_responses_text_at(form, at, object, "description"),
                   ob_json_get(object, "format"));
}

/* A namespace holds functions and custom tools. */
static void read_tool(ob_form *form, const ob_responses_place *at,
                      yyjson_val *object, ob_slice space)
{
    yyjson_val *type = ob_json_get(object, "type"), *inner;
    bool holds = !space.len && ob_json_is(type, "namespace");
    size_t i, max;
    if (ob_json_is(type, "function"))
        read_function(form, at, object, space);
    else if (ob_json_is(type, "custom"))
        read_custom(form, at, object, space);
    else if (!yyjson_is_str(type))
        ob_responses_refuse_at(form, at, yyjson_is_obj(object) ? "type" : "",
                               yyjson_is_obj(object) ? " must be a string"
                                                     : " must be an object");
    else if (!holds)
        drop_tool(form, ob_json_text(type));
    if (!holds)
        return;
    space = ob_responses_need_text(form, at, object, "name");
    yyjson_arr_foreach(ob_json_get(object, "tools"), i, max, inner)
    {
        ob_responses_place inside = {at->list, at->item, "tools", i};
        read_tool(form, &inside, inner, space);
    }
}

static void read_tools(ob_form *form, yyjson_val *tools, const char *name)
{
    ob_responses_place at = {.list = name};
    yyjson_val *object;
    size_t i, max;
    if (!yyjson_is_arr(tools))
        refuse(form, name, " must be an array");
    yyjson_arr_foreach(tools, i, max, object)
    {
        at.item = i;
        read_tool(form, &at, object, OB_S(""));
    }
}

static bool is_allowed(yyjson_val *allowed, ob_slice tool)
{
    yyjson_val *object;
    size_t i, max;
    yyjson_arr_foreach(allowed, i, max, object)
    {
        if (ob_slice_eq(ob_json_get_text(object, "name"), tool))
            return true;
    }
    return false;
}

static void choose_word(ob_form *form, yyjson_val *word, const char *name)
{
    if (ob_json_is(word, "auto"))
        form->choose = OB_CHOOSE_AUTO;
    else if (ob_json_is(word, "none"))
        form->choose = OB_CHOOSE_NONE;
    else if (ob_json_is(word, "required"))
        form->choose = OB_CHOOSE_REQUIRED;
    else
        refuse(form, name, " must be auto, none, required or an object");
}

/* Tools that are not among the allowed ones are not offered at all: other
 * dialects have no such choice, and the model's are the same. */
static void choose_allowed(ob_form *form, yyjson_val *choice)
{
    yyjson_val *allowed = ob_json_get(choice, "tools");
    if (!yyjson_is_arr(allowed))
        refuse(form, "tool_choice.tools", " must be an array");
    for (ob_tool **at = &form->tools; *at;) {
        if (is_allowed(allowed, (*at)->name))
            at = &(*at)->next;
        else
            *at = (*at)->next;
    }
    choose_word(form, ob_json_get(choice, "mode"), "tool_choice.mode");
}

static void read_choice(ob_form *form, yyjson_val *choice, const char *name)
{
    yyjson_val *type = ob_json_get(choice, "type");
    if (yyjson_is_str(choice) || !yyjson_is_obj(choice)) {
        choose_word(form, choice, name);
    } else if (ob_json_is(type, "allowed_tools")) {
        choose_allowed(form, choice);
    } else if (ob_json_is(type, "function") || ob_json_is(type, "custom")) {
        form->choose = OB_CHOOSE_NAMED;
        form->chosen =
            read_text(form, ob_json_get(choice, "name"), "tool_choice.name");
        if (!form->chosen.len)
            refuse(form, "tool_choice.name", " must be a string");
    } else {
        ob_form_refuse(form, "tool_choice: the provider has no tool \"",
                       ob_json_text(type), "\"");
    }
}

/* ---- how to answer ---- */

static void read_format(ob_form *form, yyjson_val *format)
{
    yyjson_val *type = ob_json_get(format, "type");
    if (ob_json_is(type, "text"))
        return;
    if (ob_json_is(type, "json_object")) {
        form->output = OB_OUTPUT_JSON;
        return;
    }
    if (!ob_json_is(type, "json_schema")) {
        refuse(form, "text.format.type",
               " must be text, json_object or json_schema");
        return;
    }
    form->output = OB_OUTPUT_SCHEMA;
    form->schema = ob_json_get(format, "schema");
    if (!yyjson_is_obj(form->schema))
        refuse(form, "text.format.schema", " must be an object");
    form->schema_name =
        read_text(form, ob_json_get(format, "name"), "text.format.name");
    form->schema_description = read_text(
        form, ob_json_get(format, "description"), "text.format.description");
    form->schema_strict =
        read_maybe(form, ob_json_get(format, "strict"), "text.format.strict");
}

static void read_text_config(ob_form *form, yyjson_val *text, const char *name)
{
    if (!is_object(form, text, name))
        return;
    yyjson_val *format = ob_json_get(text, "format");
    if (ob_json_told(format) && is_object(form, format, "text.format"))
        read_format(form, format);
    form->verbosity =
        read_text(form, ob_json_get(text, "verbosity"), "text.verbosity");
}

static void read_effort(ob_form *form, yyjson_val *effort)
{
    if (!ob_effort_read(ob_json_text(effort), &form->effort) &&
        ob_json_told(effort))
        refuse(form, "reasoning.effort",
               " must be none, minimal, low, medium, high or xhigh");
}

static void read_reasoning(ob_form *form, yyjson_val *reasoning,
                           const char *name)
{
    if (!is_object(form, reasoning, name))
        return;
    read_effort(form, ob_json_get(reasoning, "effort"));
    ob_slice summary =
        read_text(form, ob_json_get(reasoning, "summary"), "reasoning.summary");
    ob_slice older = read_text(form, ob_json_get(reasoning, "generate_summary"),
                               "reasoning.generate_summary");
    if (ob_slice_eq(summary, OB_S("none")))
        form->show_thinking = OB_NO;
    else if (summary.len || older.len)
        form->show_thinking = OB_YES;
}

/* Signed thinking is always in the answer. */
static void read_include(ob_form *form, yyjson_val *include, const char *name)
{
    yyjson_val *item;
    size_t i, max;
    if (!yyjson_is_arr(include))
        refuse(form, name, " must be an array");
    yyjson_arr_foreach(include, i, max, item)
    {
        if (ob_json_is(item, "message.output_text.logprobs"))
            form->logprobs = true;
        else if (!ob_json_is(item, "reasoning.encrypted_content"))
            ob_form_drop(form, ob_slice_str(name));
    }
}

/* ---- members ---- */

static void read_model(ob_form *form, yyjson_val *value, const char *name)
{
    ob_slice model = read_text(form, value, name);
    if (!form->model.len)
        form->model = model;
}

static void read_instructions(ob_form *form, yyjson_val *value,
                              const char *name)
{
    ob_slice text = read_text(form, value, name);
    ob_turn *turn = text.len ? ob_form_turn(form, OB_ROLE_SYSTEM) : NULL;
    ob_part *part =
        turn ? ob_form_part(form, &turn->parts, OB_PART_TEXT) : NULL;
    if (part)
        part->text = text;
}

static void read_parallel(ob_form *form, yyjson_val *value, const char *name)
{
    form->parallel = read_maybe(form, value, name);
}

static void read_answer_max(ob_form *form, yyjson_val *value, const char *name)
{
    form->answer_max = read_count(form, value, name);
}

static void read_top_logprobs(ob_form *form, yyjson_val *value,
                              const char *name)
{
    form->top_logprobs = read_count(form, value, name);
}

static void read_temperature(ob_form *form, yyjson_val *value, const char *name)
{
    form->temperature = read_number(form, value, name);
}

static void read_top_p(ob_form *form, yyjson_val *value, const char *name)
{
    form->top_p = read_number(form, value, name);
}

static void read_stream(ob_form *form, yyjson_val *value, const char *name)
{
    form->stream = read_maybe(form, value, name) == OB_YES;
}

static void read_user(ob_form *form, yyjson_val *value, const char *name)
{
    ob_slice user = read_text(form, value, name);
    if (!form->user.len)
        form->user = user;
}

static void read_cache_key(ob_form *form, yyjson_val *value, const char *name)
{
    form->cache_key = read_text(form, value, name);
}

static void read_tier(ob_form *form, yyjson_val *value, const char *name)
{
    form->service_tier = read_text(form, value, name);
}

static void read_truncation(ob_form *form, yyjson_val *value, const char *name)
{
    if (!ob_json_is(value, "disabled"))
        ob_form_drop(form, ob_slice_str(name));
}

static void read_background(ob_form *form, yyjson_val *value, const char *name)
{
    if (read_maybe(form, value, name) == OB_YES)
        refuse(form, name,
               ": the provider keeps no responses; it must be false");
}

static void refuse_kept(ob_form *form, yyjson_val *value, const char *name)
{
    (void)value;
    refuse(form, name,
           ": the provider keeps no responses; send the conversation in input");
}

static void refuse_prompt(ob_form *form, yyjson_val *value, const char *name)
{
    (void)value;
    refuse(form, name,
           ": the provider keeps no prompts; send its text in instructions");
}

/* Nothing is kept, whatever is asked for. */
static void read_store(ob_form *form, yyjson_val *value, const char *name)
{
    (void)read_maybe(form, value, name);
}

/* In the order in which they are read: instructions before turns, tools before
 * the choice of one. All others are dropped. */
static const struct {
    const char *name;
    void (*read)(ob_form *form, yyjson_val *value, const char *name);
} members[] = {
    {"previous_response_id", refuse_kept},
    {"conversation", refuse_kept},
    {"prompt", refuse_prompt},
    {"background", read_background},
    {"model", read_model},
    {"instructions", read_instructions},
    {"input", ob_responses_read_input},
    {"tools", read_tools},
    {"tool_choice", read_choice},
    {"parallel_tool_calls", read_parallel},
    {"text", read_text_config},
    {"reasoning", read_reasoning},
    {"max_output_tokens", read_answer_max},
    {"include", read_include},
    {"top_logprobs", read_top_logprobs},
    {"temperature", read_temperature},
    {"top_p", read_top_p},
    {"stream", read_stream},
    {"safety_identifier", read_user},
    {"user", read_user},
    {"prompt_cache_key", read_cache_key},
    {"service_tier", read_tier},
    {"truncation", read_truncation},
    {"store", read_store},
};

static bool is_known(yyjson_val *name)
{
    for (size_t i = 0; i < OB_LEN(members); i++)
        if (ob_json_is(name, members[i].name))
            return true;
    return false;
}

ob_status ob_responses_read_request(yyjson_val *root, ob_form *form)
{
    yyjson_val *name, *value;
    size_t i, max;
    if (!yyjson_is_obj(root))
        return ob_form_refuse(form, "the body must be an object", OB_S(""), "");
    for (i = 0; i < OB_LEN(members); i++) {
        value = ob_json_get(root, members[i].name);
        if (ob_json_told(value))
            members[i].read(form, value, members[i].name);
    }
    if (!ob_json_told(ob_json_get(root, "input")))
        refuse(form, "input", " must be a string or an array");
    yyjson_obj_foreach(root, i, max, name, value)
    {
        if (!is_known(name) && ob_json_told(value))
            ob_form_drop(form, ob_json_text(name));
    }
    if (form->failed)
        return OB_NO_MEMORY;
    return form->refusal.len ? OB_INVALID : OB_OK;
}

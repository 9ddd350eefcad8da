/* gemini_config.c - reads what a request of generateContent asks for. */
#include "gemini.h"

/* ---- generationConfig ---- */

typedef struct config {
    ob_form *form;
    ob_gemini_at at;
    const char *name; /* of the member that is read */
} config;

static ob_status wrong(const config *c, const char *behind)
{
    return ob_gemini_refuse(&c->at, c->name, behind);
}

static ob_status read_number(config *c, yyjson_val *value, void *into)
{
    if (!yyjson_is_num(value))
        return wrong(c, " must be a number");
    *(double *)into = yyjson_get_num(value);
    return OB_OK;
}

static ob_status read_integer(config *c, yyjson_val *value, void *into)
{
    /* "topK": 40.0 comes from clients that know one kind of number alone. */
    double number = yyjson_is_num(value) ? yyjson_get_num(value) : -1;
    if (!(number >= 0) || number > 9e15 || number != (double)(int64_t)number)
        return wrong(c, " must be a whole number from 0 on");
    *(int64_t *)into = (int64_t)number;
    return OB_OK;
}

/* Google's seeds may be below 0; the form's are not, where -1 is none. */
static ob_status read_seed(config *c, yyjson_val *value, void *into)
{
    if (!yyjson_is_int(value))
        return wrong(c, " must be a whole number");
    int64_t seed = yyjson_get_sint(value);
    *(int64_t *)into = seed < 0 ? (int64_t)(uint32_t)seed : seed;
    return OB_OK;
}

static ob_status read_bool(config *c, yyjson_val *value, void *into)
{
    if (!yyjson_is_bool(value))
        return wrong(c, " must be true or false");
    *(bool *)into = yyjson_get_bool(value);
    return OB_OK;
}

static ob_status read_stops(config *c, yyjson_val *value, void *into)
{
    size_t i, count;
    yyjson_val *item;
    if (!yyjson_is_arr(value))
        return wrong(c, " must be an array of strings");
    yyjson_arr_foreach(value, i, count, item)
    {
        if (!yyjson_is_str(item))
            return wrong(c, " must be an array of strings");
        ob_form_stop(c->form, ob_json_text(item));
    }
    return OB_OK;
}

static ob_status read_modalities(config *c, yyjson_val *value, void *into)
{
    size_t i, count;
    yyjson_val *item;
    if (!yyjson_is_arr(value))
        return wrong(c, " must be an array of strings");
    yyjson_arr_foreach(value, i, count, item)
    {
        bool image = ob_slice_eq_nocase(ob_json_text(item), OB_S("IMAGE"));
        if (!image && !ob_slice_eq_nocase(ob_json_text(item), OB_S("TEXT")))
            return wrong(c, " must be TEXT or IMAGE for this model");
        c->form->images |= image;
    }
    return OB_OK;
}

static ob_status read_media_type(config *c, yyjson_val *value, void *into)
{
    ob_slice type = ob_json_text(value);
    if (ob_slice_eq_nocase(type, OB_S("text/plain")))
        return OB_OK;
    if (!ob_slice_eq_nocase(type, OB_S("application/json")))
        return wrong(c, " must be text/plain or application/json");
    if (c->form->output == OB_OUTPUT_TEXT)
        c->form->output = OB_OUTPUT_JSON;
    return OB_OK;
}

static ob_status read_schema(config *c, yyjson_val *value, void *into)
{
    if (!yyjson_is_obj(value))
        return wrong(c, " must be an object");
    c->form->output = OB_OUTPUT_SCHEMA;
    c->form->schema = value;
    return OB_OK;
}

static ob_status read_googles_schema(config *c, yyjson_val *value, void *into)
{
    if (!yyjson_is_obj(value))
        return wrong(c, " must be an object");
    value = ob_gemini_json_schema(c->form, value);
    if (!value)
        return c->form->failed ? OB_NO_MEMORY
                               : wrong(c, " is nested too deeply");
    return read_schema(c, value, into);
}

/* {"text": {"mimeType": "APPLICATION_JSON", "schema": {…}}} */
static ob_status read_response_format(config *c, yyjson_val *value, void *into)
{
    yyjson_val *text = ob_gemini_get(value, "text");
    ob_slice type = ob_gemini_get_text(text, "mimeType");
    yyjson_val *schema = ob_gemini_get(text, "schema");
    if (!yyjson_is_obj(value) || (text && !yyjson_is_obj(text)))
        return wrong(c, " must be an object");
    if (ob_gemini_get(value, "audio") || ob_gemini_get(value, "image"))
        return wrong(c, " must be of text alone for this model");
    if (ob_slice_eq_nocase(type, OB_S("APPLICATION_JSON")) ||
        ob_slice_eq_nocase(type, OB_S("application/json")))
        c->form->output = OB_OUTPUT_JSON;
    return schema ? read_schema(c, schema, into) : OB_OK;
}

static ob_status read_level(config *c, yyjson_val *value)
{
    static const struct {
        ob_slice name;
        ob_effort effort;
    } levels[] = {
        {OB_S_INIT("THINKING_LEVEL_UNSPECIFIED"), OB_EFFORT_UNSAID},
        {OB_S_INIT("minimal"), OB_EFFORT_MINIMAL},
        {OB_S_INIT("low"), OB_EFFORT_LOW},
        {OB_S_INIT("medium"), OB_EFFORT_MEDIUM},
        {OB_S_INIT("high"), OB_EFFORT_HIGH},
    };
    for (size_t i = 0; i < OB_LEN(levels); i++)
        if (ob_slice_eq_nocase(ob_json_text(value), levels[i].name)) {
            c->form->effort = levels[i].effort;
            return OB_OK;
        }
    c->name = "thinkingConfig.thinkingLevel";
    return wrong(c, " must be MINIMAL, LOW, MEDIUM or HIGH");
}

static ob_status read_thinking(config *c, yyjson_val *value, void *into)
{
    if (!yyjson_is_obj(value))
        return wrong(c, " must be an object");
    yyjson_val *show = ob_gemini_get(value, "includeThoughts");
    yyjson_val *budget = ob_gemini_get(value, "thinkingBudget");
    yyjson_val *level = ob_gemini_get(value, "thinkingLevel");
    if (show && !yyjson_is_bool(show)) {
        c->name = "thinkingConfig.includeThoughts";
        return wrong(c, " must be true or false");
    }
    if (budget && !yyjson_is_int(budget)) {
        c->name = "thinkingConfig.thinkingBudget";
        return wrong(c, " must be a whole number");
    }
    if (show)
        c->form->show_thinking = yyjson_get_bool(show) ? OB_YES : OB_NO;
    /* -1: as much as the model likes, which is what is not said elsewhere. */
    if (budget && yyjson_get_sint(budget) >= 0)
        c->form->thinking_max = yyjson_get_sint(budget);
    return level ? read_level(c, level) : OB_OK;
}

static const struct {
    const char *name;
    ob_status (*read)(config *c, yyjson_val *value, void *into);
    size_t offset;
} config_members[] = {
    {"maxOutputTokens", read_integer, offsetof(ob_form, answer_max)},
    {"candidateCount", read_integer, offsetof(ob_form, count)},
    {"temperature", read_number, offsetof(ob_form, temperature)},
    {"topP", read_number, offsetof(ob_form, top_p)},
    {"topK", read_integer, offsetof(ob_form, top_k)},
    {"seed", read_seed, offsetof(ob_form, seed)},
    {"presencePenalty", read_number, offsetof(ob_form, presence_penalty)},
    {"frequencyPenalty", read_number, offsetof(ob_form, frequency_penalty)},
    {"responseLogprobs", read_bool, offsetof(ob_form, logprobs)},
    {"logprobs", read_integer, offsetof(ob_form, top_logprobs)},
    {"stopSequences", read_stops, 0},
    {"responseModalities", read_modalities, 0},
    {"responseMimeType", read_media_type, 0},
    {"responseSchema", read_googles_schema, 0},
    {"responseJsonSchema", read_schema, 0},
    {"_responseJsonSchema", read_schema, 0},
    {"responseFormat", read_response_format, 0},
    {"thinkingConfig", read_thinking, 0},
};

ob_status ob_gemini_read_config(yyjson_val *object, ob_form *form)
{
    config c = {form, {form, {{"generationConfig", -1}, {NULL, -1}}}, ""};
    size_t i, count, m;
    yyjson_val *key, *value;
    ob_status status = OB_OK;
    if (!yyjson_is_obj(object))
        return ob_gemini_refuse(&c.at, "", " must be an object");
    yyjson_obj_foreach(object, i, count, key, value)
    {
        ob_slice name = ob_json_text(key);
        if (yyjson_is_null(value))
            continue;
        for (m = 0; m < OB_LEN(config_members); m++)
            if (ob_gemini_named(name, config_members[m].name))
                break;
        if (m == OB_LEN(config_members)) {
            ob_gemini_drop(form, "generationConfig.", name);
            continue;
        }
        c.name = config_members[m].name;
        status = config_members[m].read(
            &c, value, (char *)form + config_members[m].offset);
        if (status != OB_OK)
            return status;
    }
    return OB_OK;
}

/* ---- tools ---- */

static ob_status read_parameters(const ob_gemini_at *at, yyjson_val *declared,
                                 ob_tool *tool)
{
    yyjson_val *schema = ob_gemini_get(declared, "parametersJsonSchema");
    if (!schema && (schema = ob_gemini_get(declared, "parameters")) &&
        yyjson_is_obj(schema)) {
        tool->schema = ob_gemini_json_schema(at->form, schema);
        if (!tool->schema)
            return at->form->failed ? OB_NO_MEMORY
                                    : ob_gemini_refuse(at, "parameters",
                                                       " is nested too deeply");
        return OB_OK;
    }
    if (schema && !yyjson_is_obj(schema))
        return ob_gemini_refuse(at, "parameters", " must be an object");
    tool->schema = schema;
    return OB_OK;
}

static ob_status read_declaration(const ob_gemini_at *at, yyjson_val *declared)
{
    static const char *const others[] = {"behavior", "response",
                                         "responseJsonSchema"};
    ob_slice description = {NULL, 0};
    if (!yyjson_is_obj(declared))
        return ob_gemini_refuse(at, "", " must be an object");
    ob_slice name = ob_gemini_get_text(declared, "name");
    if (!name.len)
        return ob_gemini_refuse(at, "name", " must be a string");
    ob_status status =
        ob_gemini_read_text(at, declared, "description", &description);
    if (status != OB_OK)
        return status;
    for (size_t i = 0; i < OB_LEN(others); i++)
        if (ob_gemini_get(declared, others[i]))
            ob_gemini_drop(at->form, "tools.functionDeclarations.",
                           ob_slice_str(others[i]));
    ob_tool *tool = ob_form_tool(at->form, name);
    if (!tool)
        return OB_NO_MEMORY;
    tool->description = description;
    return read_parameters(at, declared, tool);
}

static ob_status read_declarations(ob_gemini_at *at, yyjson_val *list)
{
    size_t i, count;
    yyjson_val *declared;
    ob_status status = OB_OK;
    if (!yyjson_is_arr(list))
        return ob_gemini_refuse(at, "functionDeclarations",
                                " must be an array");
    at->steps[1].name = "functionDeclarations";
    yyjson_arr_foreach(list, i, count, declared)
    {
        at->steps[1].index = (int64_t)i;
        if (status == OB_OK)
            status = read_declaration(at, declared);
    }
    at->steps[1].name = NULL;
    return status;
}

static ob_status read_tool(ob_gemini_at *at, yyjson_val *tool)
{
    size_t i, count;
    yyjson_val *key, *value;
    ob_status status = OB_OK;
    if (!yyjson_is_obj(tool))
        return ob_gemini_refuse(at, "", " must be an object");
    yyjson_obj_foreach(tool, i, count, key, value)
    {
        ob_slice name = ob_json_text(key);
        if (status != OB_OK || yyjson_is_null(value))
            continue;
        if (ob_gemini_named(name, "functionDeclarations"))
            status = read_declarations(at, value);
        else
            /* Google's own: search, code execution and so on. */
            ob_gemini_drop(at->form, "tools.", name);
    }
    return status;
}

ob_status ob_gemini_read_tools(yyjson_val *tools, ob_form *form)
{
    ob_gemini_at at = {form, {{"tools", -1}, {NULL, -1}}};
    size_t i, count;
    yyjson_val *tool;
    ob_status status = OB_OK;
    if (yyjson_is_obj(tools))
        return read_tool(&at, tools);
    if (!yyjson_is_arr(tools))
        return ob_gemini_refuse(&at, "", " must be an array");
    yyjson_arr_foreach(tools, i, count, tool)
    {
        at.steps[0].index = (int64_t)i;
        if (status == OB_OK)
            status = read_tool(&at, tool);
    }
    return status;
}

/* ---- toolConfig ---- */

static const char *const calling = "functionCallingConfig";

static bool lists(yyjson_val *names, ob_slice name)
{
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(
        names, i, count,
        item) if (ob_slice_eq(ob_json_text(item), name)) return true;
    return false;
}

/* Some of the tools: others have no word for it but to offer no more. */
static ob_status allow(const ob_gemini_at *at, yyjson_val *names)
{
    size_t i, count, kept = 0;
    yyjson_val *item;
    yyjson_arr_foreach(names, i, count, item) if (
        !yyjson_is_str(
            item)) return ob_gemini_refuse(at, "allowedFunctionNames",
                                           " must be an array of strings");
    for (ob_tool **tool = &at->form->tools; *tool;) {
        if (lists(names, (*tool)->name)) {
            kept++;
            tool = &(*tool)->next;
        } else {
            *tool = (*tool)->next;
        }
    }
    if (!kept)
        return ob_gemini_refuse(at, "allowedFunctionNames",
                                " names none of the functions declared");
    return OB_OK;
}

static void drop_calling(ob_form *form, yyjson_val *object)
{
    yyjson_val *key, *value;
    size_t i, count;
    yyjson_obj_foreach(object, i, count, key, value)
    {
        ob_slice name = ob_json_text(key);
        if (!yyjson_is_null(value) && !ob_gemini_named(name, "mode") &&
            !ob_gemini_named(name, "allowedFunctionNames"))
            ob_gemini_drop(form, "toolConfig.functionCallingConfig.", name);
    }
}

static ob_status read_calling(const ob_gemini_at *at, yyjson_val *object)
{
    static const struct {
        ob_slice name;
        ob_choose choose;
    } modes[] = {
        {OB_S_INIT("MODE_UNSPECIFIED"), OB_CHOOSE_UNSAID},
        {OB_S_INIT("AUTO"), OB_CHOOSE_AUTO},
        {OB_S_INIT("VALIDATED"), OB_CHOOSE_AUTO},
        {OB_S_INIT("ANY"), OB_CHOOSE_REQUIRED},
        {OB_S_INIT("NONE"), OB_CHOOSE_NONE},
    };
    ob_form *form = at->form;
    yyjson_val *mode = ob_gemini_get(object, "mode");
    yyjson_val *names = ob_gemini_get(object, "allowedFunctionNames");
    size_t m = 0;
    while (mode && m < OB_LEN(modes) &&
           !ob_slice_eq_nocase(ob_json_text(mode), modes[m].name))
        m++;
    if (m == OB_LEN(modes))
        return ob_gemini_refuse(at, "mode", " must be AUTO, ANY or NONE");
    form->choose = modes[m].choose;
    drop_calling(form, object);
    if (names && !yyjson_is_arr(names))
        return ob_gemini_refuse(at, "allowedFunctionNames",
                                " must be an array of strings");
    if (!yyjson_arr_size(names) || form->choose == OB_CHOOSE_NONE)
        return OB_OK;
    if (form->choose != OB_CHOOSE_REQUIRED || yyjson_arr_size(names) > 1)
        return allow(at, names);
    form->chosen = ob_json_text(yyjson_arr_get_first(names));
    form->choose = OB_CHOOSE_NAMED;
    for (const ob_tool *tool = form->tools; tool; tool = tool->next)
        if (ob_slice_eq(tool->name, form->chosen))
            return OB_OK;
    return ob_gemini_refuse(at, "allowedFunctionNames",
                            " names none of the functions declared");
}

ob_status ob_gemini_read_tool_config(yyjson_val *object, ob_form *form)
{
    ob_gemini_at at = {form, {{"toolConfig", -1}, {calling, -1}}};
    size_t i, count;
    yyjson_val *key, *value;
    ob_status status = OB_OK;
    if (!yyjson_is_obj(object)) {
        at.steps[1].name = NULL;
        return ob_gemini_refuse(&at, "", " must be an object");
    }
    yyjson_obj_foreach(object, i, count, key, value)
    {
        if (status != OB_OK || yyjson_is_null(value))
            continue;
        if (!ob_gemini_named(ob_json_text(key), calling))
            ob_gemini_drop(form, "toolConfig.", ob_json_text(key));
        else if (!yyjson_is_obj(value))
            status = ob_gemini_refuse(&at, "", " must be an object");
        else
            status = read_calling(&at, value);
    }
    return status;
}

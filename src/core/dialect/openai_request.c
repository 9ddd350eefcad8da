/* openai_request.c - a request of chat completions: its members. */
#include "openai.h"

/* ---- refusals ---- */

typedef struct line {
    char text[160];
    size_t len;
} line;

static void put(line *to, const char *text)
{
    size_t len = strlen(text), room = sizeof(to->text) - to->len;
    if (len > room)
        len = room;
    memcpy(to->text + to->len, text, len);
    to->len += len;
}

static void put_index(line *to, size_t index)
{
    char digits[24] = {0};
    (void)ob_write_u64(digits, index);
    put(to, "[");
    put(to, digits);
    put(to, "]");
}

bool ob_openai_wrong(const ob_openai_place *at, const char *member,
                     const char *what)
{
    line place = {.len = 0};
    put(&place, at->list);
    put_index(&place, at->index);
    if (at->inner) {
        put(&place, ".");
        put(&place, at->inner);
        put_index(&place, at->inner_index);
    }
    if (member) {
        put(&place, ".");
        put(&place, member);
    }
    (void)ob_form_refuse(at->form, "", ob_slice_make(place.text, place.len),
                         what);
    return false;
}

static bool wrong(ob_form *form, const char *name, const char *what)
{
    (void)ob_form_refuse(form, "", ob_slice_str(name), what);
    return false;
}

/* ---- members that need a look ---- */

static bool read_model(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_str(value))
        return wrong(form, "model", " must be a string");
    if (!form->model.len)
        form->model = ob_json_text(value);
    return true;
}

#define STOPS_MAX 64

static bool read_stop(ob_form *form, yyjson_val *value)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    if (yyjson_is_str(value)) {
        ob_form_stop(form, ob_json_text(value));
        return true;
    }
    if (!yyjson_is_arr(value) || yyjson_arr_size(value) > STOPS_MAX)
        return wrong(form, "stop", " must be a string or a list of few");
    yyjson_arr_iter_init(value, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        if (!yyjson_is_str(item))
            return wrong(form, "stop", " must hold strings alone");
        ob_form_stop(form, ob_json_text(item));
    }
    return true;
}

static bool read_seed(ob_form *form, yyjson_val *value)
{
    if (!yyjson_is_int(value))
        return wrong(form, "seed", " must be an integer");
    /* Below zero the form means: not said. */
    if (yyjson_is_sint(value) && yyjson_get_sint(value) < 0)
        ob_form_drop(form, OB_S("seed"));
    else
        form->seed = (int64_t)(yyjson_get_uint(value) & INT64_MAX);
    return true;
}

static bool read_stream_options(ob_form *form, yyjson_val *value)
{
    yyjson_val *usage = ob_json_get(value, "include_usage");
    if (!yyjson_is_obj(value))
        return wrong(form, "stream_options", " must be an object");
    if (ob_json_told(usage) && !yyjson_is_bool(usage))
        return wrong(form, "stream_options.include_usage",
                     " must be true or false");
    form->stream_usage = yyjson_get_bool(usage);
    return true;
}

static bool read_schema(ob_form *form, yyjson_val *value)
{
    yyjson_val *schema = ob_json_get(value, "schema");
    yyjson_val *strict = ob_json_get(value, "strict");
    if (!yyjson_is_obj(value))
        return wrong(form, "response_format.json_schema", " must be an object");
    if (!yyjson_is_obj(schema))
        return wrong(form, "response_format.json_schema.schema",
                     " must be an object");
    form->output = OB_OUTPUT_SCHEMA;
    form->schema = schema;
    form->schema_name = ob_json_get_text(value, "name");
    form->schema_description = ob_json_get_text(value, "description");
    if (yyjson_is_bool(strict))
        form->schema_strict = yyjson_get_bool(strict) ? OB_YES : OB_NO;
    return true;
}

static bool read_response_format(ob_form *form, yyjson_val *value)
{
    yyjson_val *type = ob_json_get(value, "type");
    if (ob_json_is(type, "text"))
        return true;
    if (ob_json_is(type, "json_schema"))
        return read_schema(form, ob_json_get(value, "json_schema"));
    if (!ob_json_is(type, "json_object"))
        return wrong(form, "response_format.type",
                     " must be text, json_object or json_schema");
    form->output = OB_OUTPUT_JSON;
    return true;
}

static bool effort_of(ob_form *form, yyjson_val *value, const char *name)
{
    if (ob_json_is(value, "default"))
        form->effort = OB_EFFORT_UNSAID;
    else if (!ob_effort_read(ob_json_text(value), &form->effort))
        return wrong(form, name,
                     " must be none, minimal, low, medium, high or xhigh");
    return true;
}

static bool read_effort(ob_form *form, yyjson_val *value)
{
    return effort_of(form, value, "reasoning_effort");
}

/* OpenRouter's: {"effort", "max_tokens", "exclude", "enabled"}. */
static bool read_reasoning(ob_form *form, yyjson_val *value)
{
    yyjson_val *effort = ob_json_get(value, "effort");
    yyjson_val *enabled = ob_json_get(value, "enabled");
    yyjson_val *exclude = ob_json_get(value, "exclude");
    if (!yyjson_is_obj(value))
        return wrong(form, "reasoning", " must be an object");
    if (yyjson_is_bool(
            enabled)) /* as OpenRouter has it where no more is said */
        form->effort =
            yyjson_get_bool(enabled) ? OB_EFFORT_MEDIUM : OB_EFFORT_NONE;
    if (yyjson_is_bool(exclude))
        form->show_thinking = yyjson_get_bool(exclude) ? OB_NO : OB_YES;
    form->thinking_max = ob_json_get_i64(value, "max_tokens", -1);
    if (form->thinking_max < 0)
        form->thinking_max = -1;
    else if (form->effort == OB_EFFORT_MEDIUM)
        form->effort = OB_EFFORT_UNSAID; /* the number says it */
    return !ob_json_told(effort) || effort_of(form, effort, "reasoning.effort");
}

/* DeepSeek's and others': {"type": "enabled" | "disabled"}, with Anthropic's
 * budget where clients know that. */
static bool read_thinking(ob_form *form, yyjson_val *value)
{
    yyjson_val *type = ob_json_get(value, "type");
    if (!yyjson_is_obj(value))
        return wrong(form, "thinking", " must be an object");
    if (ob_json_is(type, "disabled")) {
        form->effort = OB_EFFORT_NONE;
        return true;
    }
    int64_t budget = ob_json_get_i64(value, "budget_tokens", -1);
    form->thinking_max = budget > 0 ? budget : -1;
    if (budget <= 0 && ob_json_told(type))
        form->effort = OB_EFFORT_MEDIUM;
    return true;
}

/* What no one is to keep is not kept. */
static bool read_store(ob_form *form, yyjson_val *value)
{
    if (yyjson_is_true(value))
        ob_form_drop(form, OB_S("store"));
    return true;
}

static bool read_modalities(ob_form *form, yyjson_val *value)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!yyjson_is_arr(value))
        return wrong(form, "modalities", " must be an array");
    yyjson_arr_iter_init(value, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        if (!ob_json_is(item, "text") && !ob_json_is(item, "image"))
            return wrong(form, "modalities",
                         " must be \"text\" or \"image\": there are no others "
                         "in translated answers");
        form->images |= ob_json_is(item, "image");
    }
    return true;
}

/* ---- the table of members ---- */

typedef enum member_kind {
    MEMBER_READ,
    MEMBER_TEXT,
    MEMBER_COUNT, /* an integer of 0 and more */
    MEMBER_NUMBER,
    MEMBER_TRUTH,
    MEMBER_MAYBE,
    MEMBER_LATER, /* read by what comes behind the table */
} member_kind;

typedef struct member {
    const char *name;
    member_kind kind;
    size_t at; /* in ob_form */
    bool (*read)(ob_form *form, yyjson_val *value);
} member;

#define AT(field) offsetof(ob_form, field), NULL

/* In the order in which they are read: of two names for one thing, the later
 * one counts. */
static const member members[] = {
    {"model", MEMBER_READ, 0, read_model},
    {"messages", MEMBER_LATER, 0, NULL},
    {"tools", MEMBER_LATER, 0, NULL},
    {"functions", MEMBER_LATER, 0, NULL},
    {"tool_choice", MEMBER_LATER, 0, NULL},
    {"function_call", MEMBER_LATER, 0, NULL},
    {"parallel_tool_calls", MEMBER_MAYBE, AT(parallel)},
    {"max_tokens", MEMBER_COUNT, AT(answer_max)},
    {"max_completion_tokens", MEMBER_COUNT, AT(answer_max)},
    {"temperature", MEMBER_NUMBER, AT(temperature)},
    {"top_p", MEMBER_NUMBER, AT(top_p)},
    {"top_k", MEMBER_COUNT, AT(top_k)},
    {"frequency_penalty", MEMBER_NUMBER, AT(frequency_penalty)},
    {"presence_penalty", MEMBER_NUMBER, AT(presence_penalty)},
    {"n", MEMBER_COUNT, AT(count)},
    {"seed", MEMBER_READ, 0, read_seed},
    {"stop", MEMBER_READ, 0, read_stop},
    {"logprobs", MEMBER_TRUTH, AT(logprobs)},
    {"top_logprobs", MEMBER_COUNT, AT(top_logprobs)},
    {"response_format", MEMBER_READ, 0, read_response_format},
    {"thinking", MEMBER_READ, 0, read_thinking},
    {"reasoning", MEMBER_READ, 0, read_reasoning},
    {"reasoning_effort", MEMBER_READ, 0, read_effort},
    {"include_reasoning", MEMBER_MAYBE, AT(show_thinking)},
    {"safety_identifier", MEMBER_TEXT, AT(user)},
    {"user", MEMBER_TEXT, AT(user)},
    {"prompt_cache_key", MEMBER_TEXT, AT(cache_key)},
    {"service_tier", MEMBER_TEXT, AT(service_tier)},
    {"stream", MEMBER_TRUTH, AT(stream)},
    {"stream_options", MEMBER_READ, 0, read_stream_options},
    {"modalities", MEMBER_READ, 0, read_modalities},
    {"store", MEMBER_READ, 0, read_store},
    {"verbosity", MEMBER_TEXT, AT(verbosity)},
};

static bool read_number(ob_form *form, const member *of, yyjson_val *value)
{
    char *at = (char *)form + of->at;
    if (of->kind == MEMBER_NUMBER) {
        if (!yyjson_is_num(value))
            return wrong(form, of->name, " must be a number");
        *(double *)(void *)at = yyjson_get_num(value);
        return true;
    }
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > INT64_MAX)
        return wrong(form, of->name, " must be a positive integer");
    *(int64_t *)(void *)at = (int64_t)yyjson_get_uint(value);
    return true;
}

static bool read_member(ob_form *form, const member *of, yyjson_val *value)
{
    char *at = (char *)form + of->at;
    switch (of->kind) {
    case MEMBER_READ:
        return of->read(form, value);
    case MEMBER_TEXT:
        if (!yyjson_is_str(value))
            return wrong(form, of->name, " must be a string");
        *(ob_slice *)(void *)at = ob_json_text(value);
        return true;
    case MEMBER_COUNT:
    case MEMBER_NUMBER:
        return read_number(form, of, value);
    case MEMBER_TRUTH:
    case MEMBER_MAYBE:
        if (!yyjson_is_bool(value))
            return wrong(form, of->name, " must be true or false");
        if (of->kind == MEMBER_TRUTH)
            *(bool *)(void *)at = yyjson_get_bool(value);
        else
            *(ob_maybe *)(void *)at = yyjson_get_bool(value) ? OB_YES : OB_NO;
        return true;
    case MEMBER_LATER:
        return true;
    }
    return true;
}

static bool is_known(yyjson_val *name)
{
    for (size_t i = 0; i < OB_LEN(members); i++)
        if (ob_json_is(name, members[i].name))
            return true;
    return false;
}

static void drop_unknown(ob_form *form, yyjson_val *root)
{
    yyjson_obj_iter items;
    yyjson_val *name;
    yyjson_obj_iter_init(root, &items);
    while ((name = yyjson_obj_iter_next(&items)))
        if (!yyjson_is_null(yyjson_obj_iter_get_val(name)) && !is_known(name))
            ob_form_drop(form, ob_json_text(name));
}

static bool read_all(yyjson_val *root, ob_form *form)
{
    if (!yyjson_is_obj(root)) {
        (void)ob_form_refuse(form, "the body must be a JSON object", OB_S(""),
                             "");
        return false;
    }
    for (size_t i = 0; i < OB_LEN(members); i++) {
        yyjson_val *value = ob_json_get(root, members[i].name);
        if (ob_json_told(value) && !read_member(form, &members[i], value))
            return false;
    }
    if (form->count == 0)
        return wrong(form, "n", " must be a positive integer");
    if (!ob_openai_read_messages(form, ob_json_get(root, "messages")) ||
        !ob_openai_read_tools(form, root))
        return false;
    drop_unknown(form, root);
    return true;
}

ob_status ob_openai_read_request(yyjson_val *root, ob_form *form)
{
    bool read = read_all(root, form);
    if (form->failed)
        return OB_NO_MEMORY;
    return read ? OB_OK : OB_INVALID;
}

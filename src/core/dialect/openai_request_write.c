/* openai_request_write.c - a request of chat completions, written. */
#include "compatible_models.h"
#include "members.h"
#include "openai.h"
#include "openai_models.h"

bool ob_openai_is_for(const ob_form *form, const char *slug)
{
    return ob_slice_eq(form->provider, ob_slice_str(slug));
}

/* ---- tools ---- */

static void write_tool(ob_form *form, ob_json *json, const ob_tool *tool)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("function"));
    ob_json_name(json, "function");
    ob_json_open(json, '{');
    ob_json_member(json, "name", tool->name);
    ob_json_member_told(json, "description", tool->description);
    if (tool->schema) {
        ob_json_name(json, "parameters");
        ob_json_value(json, tool->schema);
    }
    if (tool->strict != OB_UNSAID) {
        ob_json_name(json, "strict");
        ob_json_bool(json, tool->strict == OB_YES);
    }
    ob_json_close(json, '}');
    if (tool->cached)
        ob_openai_write_cache_mark(form, json, tool->cache_ttl);
    ob_json_close(json, '}');
}

static void write_choice(ob_form *form, ob_json *json)
{
    static const char *const words[] = {[OB_CHOOSE_AUTO] = "auto",
                                        [OB_CHOOSE_NONE] = "none",
                                        [OB_CHOOSE_REQUIRED] = "required"};
    if (form->choose == OB_CHOOSE_UNSAID)
        return;
    ob_json_name(json, "tool_choice");
    if (form->choose != OB_CHOOSE_NAMED) {
        ob_json_string(json, ob_slice_str(words[form->choose]));
        return;
    }
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("function"));
    ob_json_name(json, "function");
    ob_json_open(json, '{');
    ob_json_member(json, "name", form->chosen);
    ob_json_close(json, '}');
    ob_json_close(json, '}');
}

/* Without tools, nothing about them is taken. */
static void write_tools(ob_form *form, ob_json *json)
{
    if (!form->tools) {
        if (form->choose == OB_CHOOSE_REQUIRED ||
            form->choose == OB_CHOOSE_NAMED)
            (void)ob_form_refuse(form,
                                 "the choice of a tool is required, but this "
                                 "provider is left with none to choose from",
                                 OB_S(""), "");
        return;
    }
    ob_json_name(json, "tools");
    ob_json_open(json, '[');
    for (const ob_tool *tool = form->tools; tool; tool = tool->next)
        write_tool(form, json, tool);
    ob_json_close(json, ']');
    write_choice(form, json);
    if (form->parallel != OB_UNSAID) {
        ob_json_name(json, "parallel_tool_calls");
        ob_json_bool(json, form->parallel == OB_YES);
    }
}

/* ---- the answer's form ---- */

static void write_format(ob_form *form, ob_json *json)
{
    if (form->output == OB_OUTPUT_TEXT)
        return;
    ob_json_name(json, "response_format");
    ob_json_open(json, '{');
    if (form->output == OB_OUTPUT_JSON) {
        ob_json_member(json, "type", OB_S("json_object"));
        ob_json_close(json, '}');
        return;
    }
    ob_json_member(json, "type", OB_S("json_schema"));
    ob_json_name(json, "json_schema");
    ob_json_open(json, '{');
    ob_json_member(json, "name",
                   form->schema_name.len ? form->schema_name : OB_S("answer"));
    ob_json_member_told(json, "description", form->schema_description);
    ob_json_name(json, "schema");
    ob_json_value(json, form->schema);
    if (form->schema_strict != OB_UNSAID) {
        ob_json_name(json, "strict");
        ob_json_bool(json, form->schema_strict == OB_YES);
    }
    ob_json_close(json, '}');
    ob_json_close(json, '}');
}

/* ---- thinking ---- */

/* A model of OpenAI's that reasons, at OpenAI or at whoever else serves it as
 * strictly. OpenRouter leaves out itself what a model does not take. */
bool ob_openai_reasons(const ob_form *form)
{
    return !ob_openai_is_for(form, "openrouter") &&
           ob_model_is_openais(form->model) && ob_model_reasons(form->model);
}

/* In OpenAI's own words an effort is passed on as it is. */
static ob_effort fit_effort(const ob_form *form, ob_effort effort)
{
    bool own =
        form->from == OB_DIALECT_OPENAI || form->from == OB_DIALECT_RESPONSES;
    return own || !ob_openai_reasons(form)
               ? effort
               : ob_model_fit_effort(form->model, effort);
}

static ob_slice effort_name(const ob_form *form, ob_effort effort)
{
    effort = fit_effort(form, effort);
    if (effort != OB_EFFORT_MAX)
        return ob_effort_word(effort);
    if (ob_openai_is_for(form, "deepseek"))
        return OB_S("max");
    return ob_openai_is_for(form, "openai") ||
                   ob_openai_is_for(form, "openrouter") ||
                   ob_openai_reasons(form)
               ? OB_S("xhigh")
               : OB_S("high");
}

/* OpenAI's models that refuse to be asked for an effort. */
static bool thinks_never(const ob_form *form)
{
    static const ob_slice models[] = {OB_S_INIT("gpt-3"), OB_S_INIT("gpt-4"),
                                      OB_S_INIT("chatgpt-")};
    for (size_t i = 0; i < OB_LEN(models); i++)
        if (ob_openai_is_for(form, "openai") &&
            ob_slice_starts(form->model, models[i]))
            return true;
    return false;
}

/* OpenRouter has members for all of it. */
static void write_reasoning(ob_form *form, ob_json *json, ob_slice effort)
{
    if (!effort.len && form->thinking_max < 0 &&
        form->show_thinking == OB_UNSAID)
        return;
    ob_json_name(json, "reasoning");
    ob_json_open(json, '{');
    if (form->thinking_max > 0)
        ob_json_member_i64(json, "max_tokens", form->thinking_max);
    else if (form->thinking_max == 0)
        ob_json_member(json, "effort", OB_S("none"));
    else
        ob_json_member_told(json, "effort", effort);
    if (form->show_thinking != OB_UNSAID) {
        ob_json_name(json, "exclude");
        ob_json_bool(json, form->show_thinking == OB_NO);
    }
    ob_json_close(json, '}');
}

/* Can the provider's model be told not to think? */
static bool write_no_thinking(ob_form *form, ob_json *json)
{
    bool said =
        form->from == OB_DIALECT_OPENAI || form->from == OB_DIALECT_RESPONSES;
    if (ob_openai_is_for(form, "deepseek")) {
        ob_json_name(json, "thinking");
        ob_json_raw(json, OB_S("{\"type\":\"disabled\"}"));
        return true;
    }
    if (thinks_never(form))
        return true;
    /* Older models refuse the word, so only those get it that are known to
     * take it, or whose caller chose it himself. */
    bool known = ob_openai_is_for(form, "openai") &&
                 ob_slice_starts(form->model, OB_S("gpt-5."));
    if (!known && !(said && form->effort == OB_EFFORT_NONE))
        return false;
    ob_json_member(json, "reasoning_effort", OB_S("none"));
    return true;
}

static void drop_effort(ob_form *form)
{
    ob_form_drop_member(form, form->effort == OB_EFFORT_UNSAID
                                  ? OB_MEMBER_BUDGET
                                  : OB_MEMBER_EFFORT);
}

/* Of xAI and Groq, whoever asks: what they do not take is refused. */
static void write_known_effort(ob_form *form, ob_json *json, ob_effort effort)
{
    ob_effort fitted = ob_compatible_effort(form, effort);
    bool is_so = effort == OB_EFFORT_NONE && !ob_compatible_thinks(form);
    if (fitted != OB_EFFORT_UNSAID)
        ob_json_member(json, "reasoning_effort", ob_effort_word(fitted));
    else if (!is_so)
        drop_effort(form);
}

static void write_thinking(ob_form *form, ob_json *json)
{
    ob_effort effort = form->effort;
    if (ob_openai_is_for(form, "openrouter")) {
        write_reasoning(form, json, effort_name(form, effort));
        return;
    }
    /* OpenAI's chat never shows its thinking, others always do. */
    if (form->show_thinking ==
        (ob_openai_is_for(form, "openai") ? OB_YES : OB_NO))
        ob_form_drop_member(form, OB_MEMBER_SHOW_THINKING);
    if (effort == OB_EFFORT_UNSAID)
        effort = ob_effort_of_budget(form->thinking_max);
    if (effort == OB_EFFORT_UNSAID)
        return;
    if (ob_compatible_is_known(form)) {
        write_known_effort(form, json, effort);
    } else if (effort == OB_EFFORT_NONE) {
        if (!write_no_thinking(form, json))
            ob_form_drop_member(form, OB_MEMBER_BUDGET);
    } else if (thinks_never(form)) {
        drop_effort(form);
    } else {
        ob_json_member(json, "reasoning_effort", effort_name(form, effort));
    }
}

/* ---- the rest ---- */

/* OpenAI refuses longer ones, and others may. */
#define USER_BYTES_MAX 64

static void write_names(ob_form *form, ob_json *json)
{
    bool openai = ob_openai_is_for(form, "openai");
    bool same =
        form->from == OB_DIALECT_OPENAI || form->from == OB_DIALECT_RESPONSES;
    if (form->user.len > USER_BYTES_MAX || ob_openai_is_for(form, "mistral")) {
        if (form->user.len)
            ob_form_drop_member(form, OB_MEMBER_USER);
    } else {
        ob_json_member_told(json, "user", form->user);
    }
    if (openai)
        ob_json_member_told(json, "prompt_cache_key", form->cache_key);
    else if (form->cache_key.len)
        ob_form_drop_member(form, OB_MEMBER_CACHE_KEY);
    /* Anthropic's tiers have other names. */
    if (same && !ob_openai_is_for(form, "mistral"))
        ob_json_member_told(json, "service_tier", form->service_tier);
    else if (form->service_tier.len)
        ob_form_drop_member(form, OB_MEMBER_TIER);
}

static void write_stream(ob_form *form, ob_json *json)
{
    if (!form->stream)
        return;
    ob_json_name(json, "stream");
    ob_json_bool(json, true);
    /* Mistral refuses the option, and tells its usage unasked. */
    if (ob_openai_is_for(form, "mistral"))
        return;
    ob_json_name(json, "stream_options");
    ob_json_raw(json, OB_S("{\"include_usage\":true}"));
}

ob_status ob_openai_write_request(ob_form *form, ob_buffer *out)
{
    ob_json json = {.out = out};
    ob_form_name_results(form);
    ob_json_open(&json, '{');
    ob_json_member(&json, "model", form->model);
    ob_openai_write_messages(form, &json);
    write_tools(form, &json);
    write_format(form, &json);
    write_thinking(form, &json);
    ob_openai_write_sampling(form, &json);
    write_names(form, &json);
    write_stream(form, &json);
    ob_json_close(&json, '}');
    if (form->failed || out->failed)
        return OB_NO_MEMORY;
    return form->refusal.len ? OB_INVALID : OB_OK;
}

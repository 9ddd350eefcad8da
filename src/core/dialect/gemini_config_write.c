/* gemini_config_write.c - writes what a request of generateContent asks for:
 * tools, their choice and generationConfig. */
#include "gemini.h"
#include "members.h"

#include <math.h>

/* ---- names that the caller used ---- */

static ob_slice said(const ob_form *form, const char *openai,
                     const char *responses, const char *anthropic)
{
    /* Gemini's own callers are not translated. */
    return ob_form_name(
        form, &(ob_member_names){openai, responses, anthropic, openai});
}

static ob_slice effort_name(const ob_form *form)
{
    return said(form, "reasoning_effort", "reasoning.effort",
                form->thinking_max >= 0 ? "thinking.budget_tokens"
                                        : "output_config.effort");
}

/* ---- thinking ---- */

int ob_gemini_generation(ob_slice model)
{
    static const ob_slice family = OB_S_INIT("gemini-");
    size_t at = ob_slice_find_nocase(model, family);
    if (at == OB_NOWHERE)
        return 0;
    ob_slice rest = ob_slice_from(model, at + family.len);
    if (rest.len && rest.ptr[0] >= '0' && rest.ptr[0] <= '9')
        return rest.ptr[0] - '0';
    /* "gemini-flash-latest": the names without numbers follow the newest. */
    return ob_slice_ends(rest, OB_S("-latest")) ? 3 : 0;
}

static bool has(ob_slice model, const char *word)
{
    return ob_slice_find_nocase(model, ob_slice_str(word)) != OB_NOWHERE;
}

/* Google's "Gemini thinking" says which models take which level. */
static void write_level(ob_form *form, ob_json *json)
{
    ob_effort effort = form->effort;
    bool pro = !has(form->model, "flash");
    if (effort == OB_EFFORT_UNSAID)
        effort = ob_effort_of_budget(form->thinking_max);
    if (effort == OB_EFFORT_UNSAID)
        return;
    /* These models cannot but think. */
    if (effort == OB_EFFORT_NONE || (effort == OB_EFFORT_MINIMAL && pro))
        ob_form_drop(form, effort_name(form));
    ob_slice level = OB_S("high");
    if (effort <= OB_EFFORT_MINIMAL)
        level = pro ? OB_S("low") : OB_S("minimal");
    else if (effort == OB_EFFORT_LOW)
        level = OB_S("low");
    else if (effort == OB_EFFORT_MEDIUM && !has(form->model, "gemini-3-pro"))
        level = OB_S("medium");
    ob_json_member(json, "thinkingLevel", level);
}

static int64_t budget_of_effort(ob_effort effort)
{
    return effort == OB_EFFORT_NONE     ? 0
           : effort <= OB_EFFORT_LOW    ? 1024
           : effort == OB_EFFORT_MEDIUM ? 8192
                                        : 24576;
}

/* Least and most that a model of 2.5 takes. */
static void write_budget(ob_form *form, ob_json *json)
{
    int64_t budget = form->thinking_max, least = 0, most = 24576;
    if (budget < 0 && form->effort != OB_EFFORT_UNSAID)
        budget = budget_of_effort(form->effort);
    if (budget < 0)
        return;
    if (has(form->model, "pro")) {
        least = 128;
        most = 32768;
    } else if (has(form->model, "lite")) {
        least = budget ? 512 : 0;
    }
    int64_t taken = budget < least ? least : budget > most ? most : budget;
    if (taken != budget)
        ob_form_drop(form, effort_name(form));
    ob_json_member_i64(json, "thinkingBudget", taken);
}

static void write_thinking(ob_form *form, ob_json *json)
{
    int generation = ob_gemini_generation(form->model);
    bool thinks = generation >= 3 || has(form->model, "gemini-2.5");
    bool asked = form->effort != OB_EFFORT_UNSAID || form->thinking_max >= 0;
    if (!thinks) {
        bool none = form->thinking_max == 0 || form->effort == OB_EFFORT_NONE;
        if (asked && !none)
            ob_form_drop(form, effort_name(form));
        return;
    }
    if (!asked && form->show_thinking == OB_UNSAID)
        return;
    ob_json_name(json, "thinkingConfig");
    ob_json_open(json, '{');
    if (generation >= 3)
        write_level(form, json);
    else
        write_budget(form, json);
    if (form->show_thinking != OB_UNSAID) {
        ob_json_name(json, "includeThoughts");
        ob_json_bool(json, form->show_thinking == OB_YES);
    }
    ob_json_close(json, '}');
}

/* ---- generationConfig ---- */

static void write_double(ob_json *json, const char *name, double number)
{
    if (isnan(number))
        return;
    ob_json_name(json, name);
    ob_json_double(json, number);
}

static void write_i64(ob_json *json, const char *name, int64_t number)
{
    if (number >= 0)
        ob_json_member_i64(json, name, number);
}

static void write_stops(ob_form *form, ob_json *json)
{
    size_t count = 0;
    if (!form->stops)
        return;
    ob_json_name(json, "stopSequences");
    ob_json_open(json, '[');
    for (const ob_text_item *stop = form->stops; stop; stop = stop->next) {
        ob_json_string(json, stop->text);
        count++;
    }
    ob_json_close(json, ']');
    if (count > 5)
        ob_form_refuse(form, "", ob_form_member(form, OB_MEMBER_STOP),
                       " may hold 5 texts at most for this model");
}

static void write_output(ob_form *form, ob_json *json)
{
    if (form->output == OB_OUTPUT_TEXT)
        return;
    ob_json_member(json, "responseMimeType", OB_S("application/json"));
    if (form->output != OB_OUTPUT_SCHEMA || !form->schema)
        return;
    ob_json_name(json, "responseJsonSchema");
    ob_json_value(json, form->schema);
}

static void write_sampling(ob_form *form, ob_json *json)
{
    write_i64(json, "maxOutputTokens", form->answer_max);
    write_double(json, "temperature", form->temperature);
    write_double(json, "topP", form->top_p);
    write_i64(json, "topK", form->top_k);
    if (form->count > 1)
        write_i64(json, "candidateCount", form->count);
    /* An int32 there. */
    if (form->seed > INT32_MAX)
        ob_form_drop(form, OB_S("seed"));
    else
        write_i64(json, "seed", form->seed);
    write_double(json, "presencePenalty", form->presence_penalty);
    write_double(json, "frequencyPenalty", form->frequency_penalty);
    if (!form->logprobs)
        return;
    ob_json_name(json, "responseLogprobs");
    ob_json_bool(json, true);
    if (form->top_logprobs > 0)
        write_i64(json, "logprobs", form->top_logprobs);
}

static void write_modalities(const ob_form *form, ob_json *json)
{
    if (!form->images)
        return;
    ob_json_name(json, "responseModalities");
    ob_json_raw(json, OB_S("[\"TEXT\",\"IMAGE\"]"));
}

static void write_generation_config(ob_form *form, ob_json *json)
{
    ob_buffer held = {0};
    ob_json inner = {&held, false};
    ob_json_open(&inner, '{');
    write_sampling(form, &inner);
    write_stops(form, &inner);
    write_output(form, &inner);
    write_modalities(form, &inner);
    write_thinking(form, &inner);
    ob_json_close(&inner, '}');
    ob_slice text = ob_buffer_slice(&held);
    if (text.len > 2) {
        ob_json_name(json, "generationConfig");
        ob_json_raw(json, text);
    }
    form->failed |= held.failed;
    ob_buffer_deinit(&held);
}

/* ---- tools ---- */

static void write_tool(ob_form *form, ob_json *json, const ob_tool *tool)
{
    if (tool->strict == OB_YES)
        ob_form_drop(form, OB_S("tools.strict"));
    if (tool->cached)
        ob_form_drop(form, OB_S("cache_control"));
    ob_json_open(json, '{');
    ob_json_member(json, "name", tool->name);
    ob_json_member_told(json, "description", tool->description);
    if (tool->schema) {
        ob_json_name(json, "parametersJsonSchema");
        ob_json_value(json, tool->schema);
    }
    ob_json_close(json, '}');
}

static void write_choice(ob_form *form, ob_json *json)
{
    static const char *const modes[] = {
        [OB_CHOOSE_AUTO] = "AUTO",
        [OB_CHOOSE_NONE] = "NONE",
        [OB_CHOOSE_REQUIRED] = "ANY",
        [OB_CHOOSE_NAMED] = "ANY",
    };
    if (form->choose == OB_CHOOSE_UNSAID)
        return;
    ob_json_name(json, "toolConfig");
    ob_json_open(json, '{');
    ob_json_name(json, "functionCallingConfig");
    ob_json_open(json, '{');
    ob_json_member(json, "mode", ob_slice_str(modes[form->choose]));
    if (form->choose == OB_CHOOSE_NAMED) {
        ob_json_name(json, "allowedFunctionNames");
        ob_json_open(json, '[');
        ob_json_string(json, form->chosen);
        ob_json_close(json, ']');
    }
    ob_json_close(json, '}');
    ob_json_close(json, '}');
}

static void write_tools(ob_form *form, ob_json *json)
{
    if (!form->tools)
        return;
    ob_json_name(json, "tools");
    ob_json_open(json, '[');
    ob_json_open(json, '{');
    ob_json_name(json, "functionDeclarations");
    ob_json_open(json, '[');
    for (const ob_tool *tool = form->tools; tool; tool = tool->next)
        write_tool(form, json, tool);
    ob_json_close(json, ']');
    ob_json_close(json, '}');
    ob_json_close(json, ']');
    write_choice(form, json);
    if (form->parallel == OB_NO)
        ob_form_drop(form,
                     said(form, "parallel_tool_calls", "parallel_tool_calls",
                          "tool_choice.disable_parallel_tool_use"));
}

static void drop_rest(ob_form *form)
{
    ob_form_drop_wording(form);
    if (form->user.len)
        ob_form_drop_member(form, OB_MEMBER_USER);
    if (form->cache_key.len)
        ob_form_drop_member(form, OB_MEMBER_CACHE_KEY);
    if (form->service_tier.len)
        ob_form_drop_member(form, OB_MEMBER_TIER);
}

void ob_gemini_write_config(ob_form *form, ob_json *json)
{
    write_tools(form, json);
    write_generation_config(form, json);
    drop_rest(form);
}

/*
 * responses_request_write.c - writes a request for OpenAI's POST
 * /v1/responses. Nothing is kept there: the whole conversation is sent, with
 * what the model thought, encrypted.
 */
#include "members.h"
#include "responses.h"

#include <math.h>

/* ---- what is left out ---- */

static bool any_cached(const ob_part *part)
{
    for (; part; part = part->next)
        if (part->cached || any_cached(part->content))
            return true;
    return false;
}

/* OpenAI finds by itself what it has seen before. */
static void drop_cache_marks(ob_form *form)
{
    bool any = false;
    for (const ob_turn *turn = form->turns; turn && !any; turn = turn->next)
        any = any_cached(turn->parts);
    for (const ob_tool *tool = form->tools; tool && !any; tool = tool->next)
        any = tool->cached;
    if (any)
        ob_form_drop(form, OB_S("cache_control"));
}

static void drop_foreign(ob_form *form)
{
    drop_cache_marks(form);
    if (form->stops)
        ob_form_drop_member(form, OB_MEMBER_STOP);
    if (form->seed >= 0)
        ob_form_drop_member(form, OB_MEMBER_SEED);
    if (form->top_k >= 0)
        ob_form_drop_member(form, OB_MEMBER_TOP_K);
    if (!isnan(form->frequency_penalty))
        ob_form_drop_member(form, OB_MEMBER_FREQUENCY);
    if (!isnan(form->presence_penalty))
        ob_form_drop_member(form, OB_MEMBER_PRESENCE);
    if (form->images)
        ob_form_refuse(form, "this provider answers without images", OB_S(""),
                       "");
    if (form->count > 1)
        ob_form_refuse(form, "", ob_form_member(form, OB_MEMBER_COUNT),
                       " must be 1: the provider answers once");
}

/* ---- reasoning ---- */

/* In OpenAI's own words an effort is passed on as it is; that of others is
 * fitted to what the model has. */
static ob_effort effort_of(const ob_form *form)
{
    bool own =
        form->from == OB_DIALECT_OPENAI || form->from == OB_DIALECT_RESPONSES;
    ob_effort effort = form->effort;
    if (effort == OB_EFFORT_UNSAID)
        effort = ob_effort_of_budget(form->thinking_max);
    return own ? effort : ob_model_fit_effort(form->model, effort);
}

static void write_reasoning(ob_form *form, ob_json *json)
{
    ob_slice effort = ob_effort_word(effort_of(form));
    bool shown = form->show_thinking == OB_YES;
    if (!ob_model_reasons(form->model)) {
        /* Not to think is what they do. */
        if (shown || effort_of(form) > OB_EFFORT_NONE)
            ob_form_drop_member(form, OB_MEMBER_THINKING);
        return;
    }
    if (!effort.len && !shown)
        return;
    ob_json_name(json, "reasoning");
    ob_json_open(json, '{');
    ob_json_member_told(json, "effort", effort);
    if (shown)
        ob_json_member(json, "summary", OB_S("auto"));
    ob_json_close(json, '}');
}

/* A model that reasons takes none of these, and refuses them. */
static void write_sampling(ob_form *form, ob_json *json)
{
    bool takes = ob_model_samples(form->model, effort_of(form));
    if (!takes && !isnan(form->temperature))
        ob_form_drop_member(form, OB_MEMBER_TEMPERATURE);
    if (!takes && !isnan(form->top_p))
        ob_form_drop_member(form, OB_MEMBER_TOP_P);
    if (!takes && form->logprobs)
        ob_form_drop_member(form, OB_MEMBER_LOGPROBS);
    if (takes && !isnan(form->temperature)) {
        ob_json_name(json, "temperature");
        ob_json_double(json, form->temperature);
    }
    if (takes && !isnan(form->top_p)) {
        ob_json_name(json, "top_p");
        ob_json_double(json, form->top_p);
    }
    if (takes && form->logprobs && form->top_logprobs >= 0)
        ob_json_member_i64(json, "top_logprobs", form->top_logprobs);
    ob_json_name(json, "include");
    ob_json_open(json, '[');
    if (ob_model_reasons(form->model))
        ob_json_string(json, OB_S("reasoning.encrypted_content"));
    if (takes && form->logprobs)
        ob_json_string(json, OB_S("message.output_text.logprobs"));
    ob_json_close(json, ']');
}

/* ---- tools ---- */

/* Tools are strict there unless they are said not to be, and elsewhere the
 * other way round. */
static void write_tool(ob_form *form, ob_json *json, const ob_tool *tool)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("function"));
    ob_json_member(json, "name", tool->name);
    ob_json_member_told(json, "description", tool->description);
    ob_json_name(json, "parameters");
    if (tool->schema)
        ob_json_value(json, tool->schema);
    else
        ob_json_raw(json, OB_S("{\"type\":\"object\",\"properties\":{}}"));
    if (tool->strict != OB_UNSAID || form->from != OB_DIALECT_RESPONSES) {
        ob_json_name(json, "strict");
        ob_json_bool(json, tool->strict == OB_YES);
    }
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
    ob_json_member(json, "name", form->chosen);
    ob_json_close(json, '}');
}

static void write_tools(ob_form *form, ob_json *json)
{
    if (!form->tools) {
        if (form->choose >= OB_CHOOSE_REQUIRED)
            ob_form_refuse(form, "a tool must be called, and there is none",
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

/* ---- the rest ---- */

static void write_format(ob_form *form, ob_json *json)
{
    ob_json_name(json, "format");
    ob_json_open(json, '{');
    if (form->output == OB_OUTPUT_JSON) {
        ob_json_member(json, "type", OB_S("json_object"));
    } else {
        ob_json_member(json, "type", OB_S("json_schema"));
        ob_json_member(json, "name",
                       form->schema_name.len ? form->schema_name
                                             : OB_S("answer"));
        ob_json_member_told(json, "description", form->schema_description);
        ob_json_name(json, "schema");
        ob_json_value(json, form->schema);
        if (form->schema_strict != OB_UNSAID) {
            ob_json_name(json, "strict");
            ob_json_bool(json, form->schema_strict == OB_YES);
        }
    }
    ob_json_close(json, '}');
}

static void write_text_config(ob_form *form, ob_json *json)
{
    if (form->output == OB_OUTPUT_TEXT && !form->verbosity.len)
        return;
    ob_json_name(json, "text");
    ob_json_open(json, '{');
    if (form->output != OB_OUTPUT_TEXT)
        write_format(form, json);
    ob_json_member_told(json, "verbosity", form->verbosity);
    ob_json_close(json, '}');
}

static void write_tier(ob_form *form, ob_json *json)
{
    if (!form->service_tier.len)
        return;
    if (ob_slice_lists(OB_S("auto,default,flex,scale,priority"),
                       form->service_tier))
        ob_json_member(json, "service_tier", form->service_tier);
    else
        ob_form_drop(form, OB_S("service_tier"));
}

ob_status ob_responses_write_request(ob_form *form, ob_buffer *out)
{
    ob_json json = {.out = out};
    ob_form_name_results(form);
    drop_foreign(form);
    ob_json_open(&json, '{');
    ob_json_member(&json, "model", form->model);
    ob_responses_write_input(form, &json);
    write_tools(form, &json);
    write_text_config(form, &json);
    write_reasoning(form, &json);
    if (form->answer_max >= 0)
        ob_json_member_i64(&json, "max_output_tokens", form->answer_max);
    write_sampling(form, &json);
    ob_json_member_told(&json, "user", form->user);
    ob_json_member_told(&json, "prompt_cache_key", form->cache_key);
    write_tier(form, &json);
    ob_json_name(&json, "store");
    ob_json_bool(&json, false);
    if (form->stream) {
        ob_json_name(&json, "stream");
        ob_json_bool(&json, true);
    }
    ob_json_close(&json, '}');
    if (form->failed || out->failed)
        return OB_NO_MEMORY;
    return form->refusal.len ? OB_INVALID : OB_OK;
}

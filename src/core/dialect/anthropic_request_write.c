/* anthropic_request_write.c - writes requests to Anthropic's messages API. */
#include "anthropic.h"
#include "members.h"

#include <math.h>

/* ---- what has no equivalent ---- */

static void drop_unknown(ob_form *form)
{
    const struct {
        bool said;
        ob_member_of_form member;
    } members[] = {
        {form->seed != -1, OB_MEMBER_SEED},
        {!isnan(form->frequency_penalty), OB_MEMBER_FREQUENCY},
        {!isnan(form->presence_penalty), OB_MEMBER_PRESENCE},
        {form->logprobs, OB_MEMBER_LOGPROBS},
        {form->top_logprobs >= 0, OB_MEMBER_TOP_LOGPROBS},
        {form->cache_key.len > 0, OB_MEMBER_CACHE_KEY},
    };
    for (size_t i = 0; i < OB_LEN(members); i++)
        if (members[i].said)
            ob_form_drop_member(form, members[i].member);
}

static ob_status refuse_member(ob_form *form, ob_member_of_form member,
                               const char *why)
{
    return ob_form_refuse(form, "", ob_form_member(form, member), why);
}

static ob_status check(ob_form *form, const ob_anthropic_thinking *thinking)
{
    bool forced =
        form->choose == OB_CHOOSE_REQUIRED || form->choose == OB_CHOOSE_NAMED;
    if (form->count > 1)
        return refuse_member(form, OB_MEMBER_COUNT,
                             " must be 1: the provider answers once");
    if (form->images)
        return ob_form_refuse(form, "this provider answers without images",
                              OB_S(""), "");
    if (form->output == OB_OUTPUT_JSON)
        return refuse_member(form, OB_MEMBER_FORMAT,
                             ": the provider has no JSON without a schema");
    if (form->output == OB_OUTPUT_SCHEMA &&
        (!form->schema || !(thinking->takes & OB_TAKES_SCHEMA)))
        return refuse_member(form, OB_MEMBER_FORMAT,
                             ": the model cannot answer by a schema");
    if (forced && !form->tools)
        return refuse_member(form, OB_MEMBER_TOOL_CHOICE,
                             ": there are no tools");
    if (forced && !(thinking->takes & OB_TAKES_FORCE))
        return refuse_member(form, OB_MEMBER_TOOL_CHOICE,
                             ": the model decides by itself which tool it "
                             "calls");
    return OB_OK;
}

/* ---- tools ---- */

/* An object's schema must say that it is one. */
static void write_schema(ob_json *json, yyjson_val *schema)
{
    yyjson_val *name, *value;
    size_t i, max;
    if (ob_json_get(schema, "type")) {
        ob_json_value(json, schema);
        return;
    }
    if (!yyjson_obj_size(schema)) {
        ob_json_raw(json, OB_S("{\"type\":\"object\",\"properties\":{}}"));
        return;
    }
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("object"));
    yyjson_obj_foreach(schema, i, max, name, value)
    {
        ob_json_string(json, ob_json_text(name));
        ob_buffer_append_char(json->out, ':');
        json->comma = false;
        ob_json_value(json, value);
    }
    ob_json_close(json, '}');
}

static void write_tool(ob_json *json, ob_form *form, const ob_tool *tool,
                       unsigned takes)
{
    ob_json_open(json, '{');
    ob_json_member(json, "name", tool->name);
    ob_json_member_told(json, "description", tool->description);
    ob_json_name(json, "input_schema");
    write_schema(json, tool->schema);
    if (tool->strict == OB_YES && (takes & OB_TAKES_SCHEMA)) {
        ob_json_name(json, "strict");
        ob_json_bool(json, true);
    } else if (tool->strict == OB_YES) {
        ob_form_drop(form, OB_S("tools.strict"));
    }
    ob_anthropic_write_cache(json, tool->cached, tool->cache_ttl);
    ob_json_close(json, '}');
}

static void write_choice(ob_json *json, const ob_form *form)
{
    static const char *const types[] = {[OB_CHOOSE_UNSAID] = "auto",
                                        [OB_CHOOSE_AUTO] = "auto",
                                        [OB_CHOOSE_NONE] = "none",
                                        [OB_CHOOSE_REQUIRED] = "any",
                                        [OB_CHOOSE_NAMED] = "tool"};
    bool alone = form->parallel == OB_NO && form->choose != OB_CHOOSE_NONE;
    if (form->choose == OB_CHOOSE_UNSAID && !alone)
        return;
    ob_json_name(json, "tool_choice");
    ob_json_open(json, '{');
    ob_json_member(json, "type", ob_slice_str(types[form->choose]));
    if (form->choose == OB_CHOOSE_NAMED)
        ob_json_member(json, "name", form->chosen);
    if (alone) {
        ob_json_name(json, "disable_parallel_tool_use");
        ob_json_bool(json, true);
    }
    ob_json_close(json, '}');
}

static void write_tools(ob_json *json, ob_form *form, unsigned takes)
{
    if (!form->tools)
        return;
    ob_json_name(json, "tools");
    ob_json_open(json, '[');
    for (const ob_tool *tool = form->tools; tool; tool = tool->next)
        write_tool(json, form, tool, takes);
    ob_json_close(json, ']');
    write_choice(json, form);
}

/* ---- thinking and output ---- */

static void write_thinking(ob_json *json, const ob_form *form,
                           const ob_anthropic_thinking *thinking)
{
    if (!thinking->on && !thinking->off)
        return;
    ob_json_name(json, "thinking");
    ob_json_open(json, '{');
    ob_json_member(json, "type",
                   thinking->off      ? OB_S("disabled")
                   : thinking->budget ? OB_S("enabled")
                                      : OB_S("adaptive"));
    if (thinking->budget)
        ob_json_member_i64(json, "budget_tokens", thinking->budget);
    /* Newer models leave it out unless they are asked. */
    if (thinking->on && form->show_thinking == OB_NO)
        ob_json_member(json, "display", OB_S("omitted"));
    else if (thinking->on && form->show_thinking == OB_YES && !thinking->budget)
        ob_json_member(json, "display", OB_S("summarized"));
    ob_json_close(json, '}');
}

static void write_output(ob_json *json, const ob_form *form,
                         const ob_anthropic_thinking *thinking)
{
    bool by_schema = form->output == OB_OUTPUT_SCHEMA;
    if (!by_schema && !thinking->effort)
        return;
    ob_json_name(json, "output_config");
    ob_json_open(json, '{');
    if (thinking->effort)
        ob_json_member(json, "effort", ob_slice_str(thinking->effort));
    if (by_schema) {
        ob_json_name(json, "format");
        ob_json_open(json, '{');
        ob_json_member(json, "type", OB_S("json_schema"));
        ob_json_name(json, "schema");
        ob_anthropic_write_schema(json, form->schema);
        ob_json_close(json, '}');
    }
    ob_json_close(json, '}');
}

/* ---- sampling ---- */

static void write_number(ob_json *json, const char *name, double value)
{
    ob_json_name(json, name);
    ob_json_double(json, value);
}

/* While a model thinks, and with the newest at all times, these stay as
 * Anthropic has them; asking for just that is no loss. */
static void write_sampling(ob_json *json, ob_form *form,
                           const ob_anthropic_thinking *thinking)
{
    bool takes = (thinking->takes & OB_TAKES_SAMPLING) && !thinking->on;
    bool has_temperature = !isnan(form->temperature);
    bool top_p_too = !has_temperature || form->temperature == 1 ||
                     (thinking->takes & OB_TAKES_BOTH_TEMPERATURES);
    double temperature = form->temperature > 1   ? 1
                         : form->temperature < 0 ? 0
                                                 : form->temperature;
    if (has_temperature && takes &&
        (form->temperature != 1 || isnan(form->top_p)))
        write_number(json, "temperature", temperature);
    else if (has_temperature && form->temperature != 1)
        ob_form_drop_member(form, OB_MEMBER_TEMPERATURE);
    if (!isnan(form->top_p) && takes && top_p_too)
        write_number(json, "top_p", form->top_p);
    else if (!isnan(form->top_p) && form->top_p != 1)
        ob_form_drop_member(form, OB_MEMBER_TOP_P);
    if (form->top_k >= 0 && takes)
        ob_json_member_i64(json, "top_k", form->top_k);
    else if (form->top_k >= 0)
        ob_form_drop_member(form, OB_MEMBER_TOP_K);
}

/* Blank ones are refused by Anthropic. */
static void write_stops(ob_json *json, ob_form *form)
{
    bool any = false;
    for (const ob_text_item *stop = form->stops; stop; stop = stop->next) {
        if (!ob_slice_trim(stop->text).len) {
            ob_form_drop_member(form, OB_MEMBER_STOP);
            continue;
        }
        if (!any) {
            ob_json_name(json, "stop_sequences");
            ob_json_open(json, '[');
        }
        any = true;
        ob_json_string(json, stop->text);
    }
    if (any)
        ob_json_close(json, ']');
}

static void write_tier(ob_json *json, ob_form *form)
{
    static const struct {
        const char *caller;
        const char *name;
    } tiers[] = {{"auto", "auto"},
                 {"standard_only", "standard_only"},
                 {"standard", "standard_only"},
                 {"default", "standard_only"}};
    if (!form->service_tier.len)
        return;
    for (size_t i = 0; i < OB_LEN(tiers); i++)
        if (ob_slice_eq(form->service_tier, ob_slice_str(tiers[i].caller))) {
            ob_json_member(json, "service_tier", ob_slice_str(tiers[i].name));
            return;
        }
    ob_form_drop_member(form, OB_MEMBER_TIER);
}

#define USER_BYTES_MAX 256

static void write_user(ob_json *json, ob_form *form)
{
    if (!form->user.len)
        return;
    if (form->user.len > USER_BYTES_MAX) {
        ob_form_drop(form, OB_S("user"));
        return;
    }
    ob_json_name(json, "metadata");
    ob_json_open(json, '{');
    ob_json_member(json, "user_id", form->user);
    ob_json_close(json, '}');
}

/* ---- all of it ---- */

static bool has_system(const ob_form *form)
{
    for (const ob_turn *turn = form->turns; turn; turn = turn->next)
        for (const ob_part *part = turn->parts; part; part = part->next)
            if (turn->role == OB_ROLE_SYSTEM && part->kind == OB_PART_TEXT &&
                ob_slice_trim(part->text).len)
                return ob_anthropic_has_turns(form);
    return false;
}

static void write(ob_json *json, ob_form *form,
                  const ob_anthropic_thinking *thinking)
{
    ob_json_open(json, '{');
    ob_json_member(json, "model", form->model);
    ob_json_member_i64(json, "max_tokens", thinking->max_tokens);
    if (has_system(form)) {
        ob_json_name(json, "system");
        ob_anthropic_write_system(json, form);
    }
    ob_json_name(json, "messages");
    ob_anthropic_write_turns(json, form, thinking);
    write_tools(json, form, thinking->takes);
    write_thinking(json, form, thinking);
    write_output(json, form, thinking);
    write_sampling(json, form, thinking);
    write_stops(json, form);
    write_user(json, form);
    write_tier(json, form);
    if (form->stream) {
        ob_json_name(json, "stream");
        ob_json_bool(json, true);
    }
    ob_json_close(json, '}');
}

ob_status ob_anthropic_write_request(ob_form *form, ob_buffer *out)
{
    ob_anthropic_thinking thinking;
    ob_json json = {.out = out};
    if (ob_anthropic_prepare_turns(form) != OB_OK)
        return form->failed ? OB_NO_MEMORY : OB_INVALID;
    ob_anthropic_think(form, ob_anthropic_may_think(form), &thinking);
    if (check(form, &thinking) != OB_OK)
        return form->failed ? OB_NO_MEMORY : OB_INVALID;
    drop_unknown(form);
    ob_form_drop_wording(form);
    write(&json, form, &thinking);
    return form->failed || out->failed ? OB_NO_MEMORY : OB_OK;
}

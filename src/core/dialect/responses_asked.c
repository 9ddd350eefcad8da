/*
 * responses_asked.c - what was asked for, as the object of a response repeats
 * it. SDKs of OpenAI's read some of it, and strict ones want all of it.
 */
#include "responses.h"

/* In the order in which they are written. What stands here without what it is
 * otherwise is left out where it was not asked for. */
static const struct {
    const char *name;
    const char *otherwise;
} members[] = {
    {"instructions", "null"},        {"max_output_tokens", "null"},
    {"max_tool_calls", NULL},        {"metadata", "{}"},
    {"parallel_tool_calls", "true"}, {"prompt_cache_key", NULL},
    {"safety_identifier", NULL},     {"temperature", "null"},
    {"tool_choice", "\"auto\""},     {"tools", "[]"},
    {"top_logprobs", NULL},          {"top_p", "null"},
    {"truncation", "\"disabled\""},  {"user", NULL},
};

static void write_member(ob_json *json, yyjson_val *request, const char *name,
                         const char *otherwise)
{
    yyjson_val *value = ob_json_get(request, name);
    if (!ob_json_told(value) && !otherwise)
        return;
    ob_json_name(json, name);
    if (ob_json_told(value))
        ob_json_value(json, value);
    else
        ob_json_raw(json, ob_slice_str(otherwise));
}

static void write_reasoning(ob_json *json, yyjson_val *request)
{
    yyjson_val *reasoning = ob_json_get(request, "reasoning");
    ob_json_name(json, "reasoning");
    ob_json_open(json, '{');
    write_member(json, reasoning, "effort", "null");
    write_member(json, reasoning, "summary", "null");
    ob_json_close(json, '}');
}

static void write_text(ob_json *json, yyjson_val *request)
{
    yyjson_val *text = ob_json_get(request, "text");
    ob_json_name(json, "text");
    ob_json_open(json, '{');
    write_member(json, text, "format", "{\"type\":\"text\"}");
    write_member(json, text, "verbosity", NULL);
    ob_json_close(json, '}');
}

/* Nothing is kept, and nothing goes on behind the answer: who asks for that is
 * refused, or told in a header. */
void ob_responses_write_asked(ob_json *json, yyjson_val *request)
{
    ob_json_raw(json, OB_S("\"background\":false,\"previous_response_id\":null,"
                           "\"store\":false"));
    for (size_t i = 0; i < OB_LEN(members); i++)
        write_member(json, request, members[i].name, members[i].otherwise);
    write_reasoning(json, request);
    write_text(json, request);
}

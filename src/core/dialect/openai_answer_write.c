/* openai_answer_write.c - answers of chat completions, written. */
#include <math.h>

#include "openai.h"
#include "openai_custom.h"

/* ---- what answers and streams share ---- */

const char *ob_openai_finish_name(ob_finish finish)
{
    switch (finish) {
    case OB_FINISH_LENGTH:
        return "length";
    case OB_FINISH_CALLS:
        return "tool_calls";
    /* The dialect has no word for a malformed call and the like; "stop" would
     * say that all went well. */
    case OB_FINISH_OTHER:
    case OB_FINISH_REFUSAL:
        return "content_filter";
    case OB_FINISH_UNSAID:
    case OB_FINISH_STOP:
    case OB_FINISH_STOP_SEQUENCE:
    case OB_FINISH_PAUSE:
        return "stop";
    }
    return "stop";
}

static int64_t or_zero(int64_t count)
{
    return count < 0 ? 0 : count;
}

void ob_openai_write_usage(ob_json *json, const ob_usage *usage)
{
    int64_t input = or_zero(usage->input), output = or_zero(usage->output);
    ob_json_name(json, "usage");
    ob_json_open(json, '{');
    ob_json_member_i64(json, "prompt_tokens", input);
    ob_json_member_i64(json, "completion_tokens", output);
    ob_json_member_i64(json, "total_tokens", input + output);
    if (usage->cached >= 0 || usage->cache_written >= 0) {
        ob_json_name(json, "prompt_tokens_details");
        ob_json_open(json, '{');
        ob_json_member_i64(json, "cached_tokens", or_zero(usage->cached));
        if (usage->cache_written >= 0) /* as OpenRouter names it */
            ob_json_member_i64(json, "cache_write_tokens",
                               usage->cache_written);
        ob_json_close(json, '}');
    }
    if (usage->reasoning >= 0) {
        ob_json_name(json, "completion_tokens_details");
        ob_json_open(json, '{');
        ob_json_member_i64(json, "reasoning_tokens", usage->reasoning);
        ob_json_close(json, '}');
    }
    ob_json_close(json, '}');
}

void ob_openai_write_citation(ob_json *json, const ob_citation *citation,
                              int64_t begin, int64_t end)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("url_citation"));
    ob_json_name(json, "url_citation");
    ob_json_open(json, '{');
    ob_json_member_i64(json, "start_index", begin);
    ob_json_member_i64(json, "end_index", end);
    ob_json_member(json, "title", citation->title);
    ob_json_member(json, "url", citation->url);
    ob_json_member_told(json, "content", citation->quote);
    ob_json_close(json, '}');
    ob_json_close(json, '}');
}

static void open_logprob(ob_json *json, const ob_logprob *logprob)
{
    ob_json_open(json, '{');
    ob_json_member(json, "token", logprob->token);
    ob_json_name(json, "logprob");
    /* As OpenAI says of what is most unlikely. */
    ob_json_double(json, isfinite(logprob->value) ? logprob->value : -9999.0);
    ob_json_name(json, "bytes");
    ob_json_open(json, '[');
    for (size_t i = 0; i < logprob->token.len; i++)
        ob_json_i64(json, (unsigned char)logprob->token.ptr[i]);
    ob_json_close(json, ']');
}

void ob_openai_write_logprobs(ob_json *json, const ob_logprob *logprobs)
{
    ob_json_open(json, '{');
    ob_json_name(json, "content");
    ob_json_open(json, '[');
    for (; logprobs; logprobs = logprobs->next) {
        open_logprob(json, logprobs);
        ob_json_name(json, "top_logprobs");
        ob_json_open(json, '[');
        for (const ob_logprob *top = logprobs->tops; top; top = top->next) {
            open_logprob(json, top);
            ob_json_close(json, '}');
        }
        ob_json_close(json, ']');
        ob_json_close(json, '}');
    }
    ob_json_close(json, ']');
    ob_json_name(json, "refusal");
    ob_json_null(json);
    ob_json_close(json, '}');
}

void ob_openai_write_id(ob_json *json, ob_slice id,
                        const ob_answering *answering)
{
    ob_json_name(json, "id");
    if (id.len) {
        ob_json_string(json, id);
        return;
    }
    ob_json_raw(json, OB_S("\"chatcmpl-"));
    ob_buffer_append(json->out, answering->id);
    ob_buffer_append_char(json->out, '"');
}

/* Base64 needs no escapes. What is none of its letters is left out: a line's
 * end, or nonsense. */
static void append_base64(ob_buffer *out, ob_slice data)
{
    size_t from = 0;
    for (size_t i = 0; i <= data.len; i++) {
        char c = i < data.len ? data.ptr[i] : ' ';
        if (c > 0x20 && c < 0x7f && c != '"' && c != '\\')
            continue;
        ob_buffer_append(out, ob_slice_make(data.ptr + from, i - from));
        from = i + 1;
    }
}

void ob_openai_write_location(ob_json *json, const char *name,
                              const ob_part *part)
{
    ob_json_name(json, name);
    if (part->url.len) {
        ob_json_string(json, part->url);
        return;
    }
    ob_json_raw(json, OB_S("\"data:"));
    append_base64(json->out, part->media);
    ob_buffer_append_str(json->out, ";base64,");
    append_base64(json->out, part->data);
    ob_buffer_append_char(json->out, '"');
}

/* ---- answers ---- */

/* What a part says as that kind. What has no place in a message is told of in
 * its text. */
static ob_slice text_as(const ob_part *part, ob_part_kind kind, ob_arena *arena)
{
    bool is_other = part->kind == OB_PART_AUDIO || part->kind == OB_PART_FILE;
    if (part->kind == kind)
        return part->text;
    return kind == OB_PART_TEXT && is_other ? ob_part_words(arena, part)
                                            : OB_S("");
}

/* All texts of a kind as one; null where there are none. */
static void write_joined(ob_json *json, const char *name,
                         const ob_choice *choice, ob_part_kind kind,
                         ob_arena *arena)
{
    ob_slice only = {NULL, 0};
    size_t count = 0, len = 0, at = 0;
    for (const ob_part *part = choice->parts; part; part = part->next) {
        ob_slice text = text_as(part, kind, arena);
        only = text.len ? text : only;
        count += text.len > 0;
        len += text.len;
    }
    char *joined = count > 1 ? ob_arena_alloc(arena, len) : NULL;
    ob_json_name(json, name);
    if (!count) {
        ob_json_null(json);
        return;
    }
    json->out->failed |= count > 1 && !joined;
    for (const ob_part *part = joined ? choice->parts : NULL; part;
         part = part->next) {
        ob_slice text = text_as(part, kind, arena);
        if (text.len)
            memcpy(joined + at, text.ptr, text.len);
        at += text.len;
    }
    ob_json_string(json, joined ? ob_slice_make(joined, at) : only);
}

static bool has(const ob_choice *choice, ob_part_kind kind)
{
    for (const ob_part *part = choice->parts; part; part = part->next)
        if (part->kind == kind && (kind != OB_PART_THINKING || part->text.len))
            return true;
    return false;
}

static void write_tool(ob_json *json, const ob_part *call,
                       const ob_answering *answering)
{
    bool custom = ob_custom_find(answering->request, call->name).custom;
    const char *type = custom ? "custom" : "function";
    ob_json_member(json, "type", ob_slice_str(type));
    ob_json_name(json, type);
    ob_json_open(json, '{');
    ob_json_member(json, "name", call->name);
    if (custom)
        ob_json_member(json, "input",
                       ob_custom_input(answering->arena, call->text));
    else
        ob_json_member(json, "arguments",
                       call->text.len ? call->text : OB_S("{}"));
    ob_json_close(json, '}');
}

static void write_calls(ob_json *json, const ob_choice *choice,
                        const ob_answering *answering)
{
    ob_json_name(json, "tool_calls");
    ob_json_open(json, '[');
    for (const ob_part *part = choice->parts; part; part = part->next) {
        if (part->kind != OB_PART_CALL)
            continue;
        ob_json_open(json, '{');
        ob_json_member(json, "id",
                       ob_carry(answering->arena, part->id, part->signature,
                                part->signed_by));
        write_tool(json, part, answering);
        ob_json_close(json, '}');
    }
    ob_json_close(json, ']');
}

static bool has_citations(const ob_choice *choice)
{
    for (const ob_part *part = choice->parts; part; part = part->next)
        for (const ob_citation *c = part->citations; c; c = c->next)
            if (part->kind == OB_PART_TEXT && c->url.len)
                return true;
    return false;
}

static void write_annotations(ob_json *json, const ob_choice *choice)
{
    int64_t begin = 0;
    ob_json_name(json, "annotations");
    ob_json_open(json, '[');
    for (const ob_part *part = choice->parts; part; part = part->next) {
        if (part->kind != OB_PART_TEXT)
            continue;
        int64_t chars = ob_text_chars(part->text);
        for (const ob_citation *c = part->citations; c; c = c->next)
            if (c->url.len)
                ob_openai_write_citation(json, c, begin + or_zero(c->begin),
                                         begin + (c->end < 0 ? chars : c->end));
        begin += chars;
    }
    ob_json_close(json, ']');
}

/* As OpenRouter says them. */
void ob_openai_write_image(ob_json *json, const ob_part *part)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("image_url"));
    ob_json_name(json, "image_url");
    ob_json_open(json, '{');
    ob_openai_write_location(json, "url", part);
    ob_json_close(json, '}');
    ob_json_close(json, '}');
}

static void write_images(ob_json *json, const ob_choice *choice)
{
    ob_json_name(json, "images");
    ob_json_open(json, '[');
    for (const ob_part *part = choice->parts; part; part = part->next)
        if (part->kind == OB_PART_IMAGE)
            ob_openai_write_image(json, part);
    ob_json_close(json, ']');
}

static void write_message(ob_json *json, const ob_choice *choice,
                          const ob_answering *answering)
{
    ob_json_name(json, "message");
    ob_json_open(json, '{');
    ob_json_member(json, "role", OB_S("assistant"));
    write_joined(json, "content", choice, OB_PART_TEXT, answering->arena);
    if (has(choice, OB_PART_THINKING))
        write_joined(json, "reasoning_content", choice, OB_PART_THINKING,
                     answering->arena);
    write_joined(json, "refusal", choice, OB_PART_REFUSAL, answering->arena);
    if (has(choice, OB_PART_CALL))
        write_calls(json, choice, answering);
    if (has_citations(choice))
        write_annotations(json, choice);
    if (has(choice, OB_PART_IMAGE))
        write_images(json, choice);
    ob_json_close(json, '}');
}

static void write_choice(ob_json *json, const ob_choice *choice,
                         const ob_answering *answering)
{
    ob_json_open(json, '{');
    ob_json_member_i64(json, "index", choice->index);
    write_message(json, choice, answering);
    ob_json_name(json, "logprobs");
    if (choice->logprobs)
        ob_openai_write_logprobs(json, choice->logprobs);
    else
        ob_json_null(json);
    ob_json_member(json, "finish_reason",
                   ob_slice_str(ob_openai_finish_name(choice->finish)));
    ob_json_close(json, '}');
}

void ob_openai_write_answer(const ob_answer *answer,
                            const ob_answering *answering, ob_buffer *out)
{
    ob_json json = {.out = out};
    const ob_usage *usage = &answer->usage;
    ob_json_open(&json, '{');
    ob_openai_write_id(&json, answer->id, answering);
    ob_json_member(&json, "object", OB_S("chat.completion"));
    ob_json_member_i64(&json, "created", answering->created_s);
    ob_json_member(&json, "model",
                   answer->model.len ? answer->model : answering->model);
    ob_json_name(&json, "choices");
    ob_json_open(&json, '[');
    for (const ob_choice *c = answer->choices; c; c = c->next)
        write_choice(&json, c, answering);
    ob_json_close(&json, ']');
    if (usage->input >= 0 || usage->output >= 0)
        ob_openai_write_usage(&json, usage);
    ob_json_close(&json, '}');
}

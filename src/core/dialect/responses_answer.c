/*
 * responses_answer.c - reads and writes the object of a response, and what
 * streams have in common with it.
 */
#include "responses.h"

const ob_codec ob_codec_responses = {
    .read_request = ob_responses_read_request,
    .write_request = ob_responses_write_request,
    .read_answer = ob_responses_read_answer,
    .write_answer = ob_responses_write_answer,
    .read_event = ob_responses_read_event,
    .read_end = ob_responses_read_end,
    .write_event = ob_responses_write_event,
};

/* ---- signatures ---- */

static const struct {
    const char *mark;
    ob_dialect signed_by;
    bool redacted;
} marks[] = {
    {"ob-g-", OB_DIALECT_GEMINI, false},
    {"ob-a-", OB_DIALECT_ANTHROPIC, false},
    {"ob-ar-", OB_DIALECT_ANTHROPIC, true},
    {"ob-o-", OB_DIALECT_OPENAI, false},
    {"ob-or-", OB_DIALECT_OPENAI, true},
};

void ob_responses_sign(ob_part *thinking, ob_slice encrypted)
{
    thinking->signature = encrypted;
    thinking->signed_by =
        encrypted.len ? OB_DIALECT_RESPONSES : OB_DIALECT_NONE;
    thinking->redacted = encrypted.len && !thinking->text.len;
    for (size_t i = 0; i < OB_LEN(marks); i++) {
        ob_slice mark = ob_slice_str(marks[i].mark);
        if (!ob_slice_starts(encrypted, mark))
            continue;
        thinking->signature = ob_slice_from(encrypted, mark.len);
        thinking->signed_by = marks[i].signed_by;
        thinking->redacted = marks[i].redacted;
        return;
    }
}

const char *ob_responses_mark(ob_dialect signed_by, bool redacted)
{
    const char *found = "";
    for (size_t i = 0; i < OB_LEN(marks); i++)
        if (marks[i].signed_by == signed_by &&
            (!*found || marks[i].redacted == redacted))
            found = marks[i].mark;
    return found;
}

/* ---- what a model thought ---- */

/* Texts of a list, with an empty line between them. */
static ob_slice join_texts(ob_arena *arena, yyjson_val *list, bool *failed)
{
    yyjson_val *element;
    size_t i, max, len = 0, at = 0;
    if (yyjson_arr_size(list) == 1)
        return ob_json_get_text(yyjson_arr_get_first(list), "text");
    yyjson_arr_foreach(list, i, max, element) len +=
        ob_json_get_text(element, "text").len + 2;
    char *out = len ? ob_arena_alloc(arena, len) : NULL;
    *failed |= len && !out;
    if (!out)
        return (ob_slice){NULL, 0};
    yyjson_arr_foreach(list, i, max, element)
    {
        ob_slice text = ob_json_get_text(element, "text");
        if (at) {
            memcpy(out + at, "\n\n", 2);
            at += 2;
        }
        memcpy(out + at, text.ptr, text.len);
        at += text.len;
    }
    return ob_slice_make(out, at);
}

ob_slice ob_responses_thought(ob_arena *arena, yyjson_val *item, bool *failed)
{
    ob_slice text = join_texts(arena, ob_json_get(item, "summary"), failed);
    if (text.len)
        return text;
    return join_texts(arena, ob_json_get(item, "content"), failed);
}

/* ---- reading ---- */

ob_usage ob_responses_read_usage(yyjson_val *usage)
{
    yyjson_val *in = ob_json_get(usage, "input_tokens_details");
    yyjson_val *out = ob_json_get(usage, "output_tokens_details");
    ob_usage told = {
        .input = ob_json_get_i64(usage, "input_tokens", -1),
        .output = ob_json_get_i64(usage, "output_tokens", -1),
        .cached = ob_json_get_i64(in, "cached_tokens", -1),
        .cache_written = -1,
        .reasoning = ob_json_get_i64(out, "reasoning_tokens", -1),
    };
    told.known = told.input >= 0 || told.output >= 0;
    return told;
}

ob_finish ob_responses_read_finish(yyjson_val *response, bool calls)
{
    yyjson_val *status = ob_json_get(response, "status");
    yyjson_val *reason =
        ob_json_get(ob_json_get(response, "incomplete_details"), "reason");
    if (ob_json_is(status, "incomplete"))
        return ob_json_is(reason, "max_output_tokens") ? OB_FINISH_LENGTH
               : ob_json_is(reason, "content_filter")  ? OB_FINISH_REFUSAL
                                                       : OB_FINISH_OTHER;
    if (ob_json_is(status, "failed") || ob_json_is(status, "cancelled"))
        return OB_FINISH_OTHER;
    return calls ? OB_FINISH_CALLS : OB_FINISH_STOP;
}

static void *make(ob_answer *answer, size_t size)
{
    void *made = ob_arena_alloc(answer->arena, size);
    answer->failed |= !made;
    return made;
}

static void read_citations(ob_answer *answer, ob_part *part, yyjson_val *list)
{
    ob_citation **end = &part->citations;
    yyjson_val *object;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, object)
    {
        if (!ob_json_is(ob_json_get(object, "type"), "url_citation"))
            continue;
        ob_citation *made = make(answer, sizeof(*made));
        if (!made)
            return;
        ob_responses_read_citation(object, made);
        *end = made;
        end = &made->next;
    }
}

void ob_responses_read_citation(yyjson_val *object, ob_citation *citation)
{
    citation->url = ob_json_get_text(object, "url");
    citation->title = ob_json_get_text(object, "title");
    citation->begin = ob_json_get_i64(object, "start_index", -1);
    citation->end = ob_json_get_i64(object, "end_index", -1);
}

static ob_logprob *read_logprobs(ob_answer *answer, yyjson_val *list, bool top)
{
    ob_logprob *first = NULL, **end = &first;
    yyjson_val *object;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, object)
    {
        ob_logprob *made = make(answer, sizeof(*made));
        if (!made)
            break;
        made->token = ob_json_get_text(object, "token");
        made->value = ob_json_get_double(object, "logprob");
        if (!top)
            made->tops = read_logprobs(
                answer, ob_json_get(object, "top_logprobs"), true);
        *end = made;
        end = &made->next;
    }
    return first;
}

static void read_content(ob_answer *answer, ob_choice *choice,
                         yyjson_val *content)
{
    yyjson_val *type = ob_json_get(content, "type");
    if (ob_json_is(type, "refusal")) {
        ob_part *part = ob_answer_part(answer, choice, OB_PART_REFUSAL);
        if (part)
            part->text = ob_json_get_text(content, "refusal");
        return;
    }
    if (!ob_json_is(type, "output_text"))
        return;
    ob_part *part = ob_answer_part(answer, choice, OB_PART_TEXT);
    if (!part)
        return;
    part->text = ob_json_get_text(content, "text");
    read_citations(answer, part, ob_json_get(content, "annotations"));
    ob_logprob **end = &choice->logprobs;
    while (*end)
        end = &(*end)->next;
    *end = read_logprobs(answer, ob_json_get(content, "logprobs"), false);
}

static void read_thinking(ob_answer *answer, ob_choice *choice,
                          yyjson_val *item)
{
    ob_slice sign = ob_json_get_text(item, "encrypted_content");
    ob_slice text = ob_responses_thought(answer->arena, item, &answer->failed);
    if (!text.len && !sign.len)
        return;
    ob_part *part = ob_answer_part(answer, choice, OB_PART_THINKING);
    if (!part)
        return;
    part->text = text;
    ob_responses_sign(part, sign);
}

static void read_item(ob_answer *answer, ob_choice *choice, yyjson_val *item)
{
    yyjson_val *type = ob_json_get(item, "type"), *content;
    size_t i, max;
    if (ob_json_is(type, "message")) {
        yyjson_arr_foreach(ob_json_get(item, "content"), i, max, content)
            read_content(answer, choice, content);
    } else if (ob_json_is(type, "reasoning")) {
        read_thinking(answer, choice, item);
    } else if (ob_json_is(type, "image_generation_call")) {
        ob_slice data = ob_json_get_text(item, "result");
        ob_part *part =
            data.len ? ob_answer_part(answer, choice, OB_PART_IMAGE) : NULL;
        if (part)
            part->data = data;
        if (part)
            part->media = OB_S("image/png");
    } else if (ob_json_is(type, "function_call")) {
        ob_part *part = ob_answer_part(answer, choice, OB_PART_CALL);
        if (!part)
            return;
        part->id = ob_json_get_text(item, "call_id");
        part->name = ob_json_get_text(item, "name");
        part->text = ob_json_get_text(item, "arguments");
    }
}

static bool has_calls(const ob_choice *choice)
{
    for (const ob_part *part = choice->parts; part; part = part->next)
        if (part->kind == OB_PART_CALL)
            return true;
    return false;
}

ob_status ob_responses_read_answer(yyjson_val *root, ob_answer *answer)
{
    yyjson_val *output = ob_json_get(root, "output"), *item;
    size_t i, max;
    if (!yyjson_is_arr(output))
        return OB_INVALID;
    ob_choice *choice = ob_answer_choice(answer, 0);
    if (!choice)
        return OB_NO_MEMORY;
    answer->id = ob_json_get_text(root, "id");
    answer->model = ob_json_get_text(root, "model");
    yyjson_arr_foreach(output, i, max, item) read_item(answer, choice, item);
    choice->finish = ob_responses_read_finish(root, has_calls(choice));
    answer->usage = ob_responses_read_usage(ob_json_get(root, "usage"));
    return answer->failed ? OB_NO_MEMORY : OB_OK;
}

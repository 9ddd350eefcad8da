/* openai_answer.c - answers of chat completions, read. */
#include "openai.h"

/* ---- what answers and streams share ---- */

ob_finish ob_openai_read_finish(yyjson_val *choice)
{
    static const struct {
        const char *name;
        ob_finish finish;
    } reasons[] = {
        {"stop", OB_FINISH_STOP},
        {"length", OB_FINISH_LENGTH},
        {"tool_calls", OB_FINISH_CALLS},
        {"function_call", OB_FINISH_CALLS},
        {"content_filter", OB_FINISH_REFUSAL},
        {"eos", OB_FINISH_STOP},
        {"eos_token", OB_FINISH_STOP},
        {"end_turn", OB_FINISH_STOP},
        {"stop_sequence", OB_FINISH_STOP_SEQUENCE},
        {"max_tokens", OB_FINISH_LENGTH},
        {"model_length", OB_FINISH_LENGTH}, /* Mistral's */
    };
    yyjson_val *reason = ob_json_get(choice, "finish_reason");
    if (!yyjson_get_len(reason) || !yyjson_is_str(reason))
        return OB_FINISH_UNSAID;
    /* vLLM tells which stop text it was. */
    if (ob_json_is(reason, "stop") &&
        ob_json_get_text(choice, "stop_reason").len)
        return OB_FINISH_STOP_SEQUENCE;
    for (size_t i = 0; i < OB_LEN(reasons); i++)
        if (ob_json_is(reason, reasons[i].name))
            return reasons[i].finish;
    return OB_FINISH_OTHER;
}

ob_slice ob_openai_thinking(yyjson_val *message)
{
    ob_slice text = ob_json_get_text(message, "reasoning_content");
    return text.len ? text : ob_json_get_text(message, "reasoning");
}

ob_slice ob_openai_content_item(yyjson_val *item, ob_part_kind *kind)
{
    yyjson_val *type = ob_json_get(item, "type");
    yyjson_val *thinking = ob_json_get(item, "thinking");
    *kind = OB_PART_TEXT;
    if (ob_json_is(type, "text"))
        return ob_json_get_text(item, "text");
    if (!ob_json_is(type, "thinking"))
        return (ob_slice){NULL, 0};
    *kind = OB_PART_THINKING;
    /* Mistral's is a list, of one text as far as it is known. */
    if (yyjson_is_arr(thinking))
        return ob_json_get_text(yyjson_arr_get_first(thinking), "text");
    return ob_json_text(thinking);
}

ob_slice ob_openai_signature(yyjson_val *call)
{
    yyjson_val *extra = ob_json_get(call, "extra_content");
    yyjson_val *google = ob_json_get(extra, "google");
    if (!google)
        google = ob_json_get(extra, "vertex");
    return ob_json_get_text(google, "thought_signature");
}

static int64_t count_of(yyjson_val *usage, const char *details,
                        const char *name)
{
    int64_t count = ob_json_get_i64(
        details ? ob_json_get(usage, details) : usage, name, -1);
    return count < 0 ? -1 : count;
}

bool ob_openai_read_usage(yyjson_val *root, ob_usage *usage)
{
    yyjson_val *told = ob_json_get(root, "usage");
    if (!yyjson_is_obj(told))
        told = ob_json_get(ob_json_get(root, "x_groq"), "usage");
    if (!yyjson_is_obj(told))
        return false;
    int64_t total = count_of(told, NULL, "total_tokens");
    usage->input = count_of(told, NULL, "prompt_tokens");
    usage->output = count_of(told, NULL, "completion_tokens");
    usage->cached = count_of(told, "prompt_tokens_details", "cached_tokens");
    if (usage->cached < 0) /* DeepSeek's */
        usage->cached = count_of(told, NULL, "prompt_cache_hit_tokens");
    if (usage->cached < 0) /* Moonshot's */
        usage->cached = count_of(told, NULL, "cached_tokens");
    usage->cache_written =
        count_of(told, "prompt_tokens_details", "cache_write_tokens");
    usage->reasoning =
        count_of(told, "completion_tokens_details", "reasoning_tokens");
    /* xAI leaves reasoning out of completion_tokens, and only the total tells
     * so. */
    if (usage->reasoning > 0 && usage->input >= 0 && usage->output >= 0 &&
        total - usage->input - usage->output == usage->reasoning)
        usage->output += usage->reasoning;
    usage->known = usage->input >= 0 || usage->output >= 0;
    return usage->known;
}

bool ob_openai_read_citation(yyjson_val *annotation, ob_citation *citation)
{
    yyjson_val *url = ob_json_get(annotation, "url_citation");
    *citation = (ob_citation){
        .url = ob_json_get_text(url, "url"),
        .title = ob_json_get_text(url, "title"),
        .quote = ob_json_get_text(url, "content"), /* OpenRouter's */
        .begin = ob_json_get_i64(url, "start_index", -1),
        .end = ob_json_get_i64(url, "end_index", -1)};
    return citation->url.len > 0;
}

void ob_openai_read_logprob(yyjson_val *value, ob_logprob *logprob)
{
    double number = ob_json_get_double(value, "logprob");
    *logprob = (ob_logprob){.token = ob_json_get_text(value, "token"),
                            .value = number};
}

/* ---- answers ---- */

/* Where the next part of a choice goes. */
typedef struct reader {
    ob_answer *answer;
    ob_choice *choice;
    ob_part **end;
    bool calls;
} reader;

static ob_part *add_part(reader *r, ob_part_kind kind)
{
    ob_part *part = ob_arena_alloc(r->answer->arena, sizeof(*part));
    if (!part) {
        r->answer->failed = true;
        return NULL;
    }
    part->kind = kind;
    *r->end = part;
    r->end = &part->next;
    return part;
}

static ob_part *add_text(reader *r, ob_part_kind kind, ob_slice text)
{
    ob_part *part = text.len ? add_part(r, kind) : NULL;
    if (part)
        part->text = text;
    return part;
}

static ob_part *read_content(reader *r, yyjson_val *content)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    ob_part *last = NULL;
    if (!yyjson_is_arr(content))
        return add_text(r, OB_PART_TEXT, ob_json_text(content));
    yyjson_arr_iter_init(content, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        ob_part_kind kind;
        ob_slice text = ob_openai_content_item(item, &kind);
        ob_part *part = add_text(r, kind, text);
        if (part && kind == OB_PART_TEXT)
            last = part;
    }
    return last;
}

static void read_annotations(reader *r, yyjson_val *list, ob_part *text)
{
    ob_citation **end = text ? &text->citations : NULL, citation;
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!text || !yyjson_is_arr(list))
        return;
    yyjson_arr_iter_init(list, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        if (!ob_openai_read_citation(item, &citation))
            continue;
        *end = ob_arena_alloc(r->answer->arena, sizeof(citation));
        if (!*end) {
            r->answer->failed = true;
            return;
        }
        **end = citation;
        end = &(*end)->next;
    }
}

static void read_detail(reader *r, yyjson_val *detail)
{
    ob_buffer sign = {0};
    ob_slice text = ob_openai_detail_text(detail);
    bool is_signed = ob_openai_detail_sign(detail, &sign);
    ob_part *part =
        is_signed || text.len ? add_part(r, OB_PART_THINKING) : NULL;
    if (part)
        part->text = text;
    if (part && is_signed) {
        part->redacted = !text.len;
        part->signed_by = OB_DIALECT_OPENAI;
        part->signature =
            ob_arena_dup(r->answer->arena, ob_buffer_slice(&sign));
        r->answer->failed |= !part->signature.ptr;
    }
    r->answer->failed |= sign.failed;
    ob_buffer_deinit(&sign);
}

static void read_thinking(reader *r, yyjson_val *message)
{
    yyjson_val *detail;
    size_t i, max;
    if (!ob_openai_details_say(message))
        add_text(r, OB_PART_THINKING, ob_openai_thinking(message));
    yyjson_arr_foreach(ob_json_get(message, "reasoning_details"), i, max,
                       detail) read_detail(r, detail);
}

/* OpenRouter's. */
static void read_images(reader *r, yyjson_val *list)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!yyjson_is_arr(list))
        return;
    yyjson_arr_iter_init(list, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        ob_slice url = ob_json_get_text(ob_json_get(item, "image_url"), "url");
        ob_part located = {.kind = OB_PART_IMAGE};
        ob_part *part =
            ob_part_locate(&located, url) ? add_part(r, OB_PART_IMAGE) : NULL;
        if (part)
            *part = located;
    }
}

static void read_call(reader *r, yyjson_val *item, yyjson_val *function)
{
    yyjson_val *arguments = ob_json_get(function, "arguments");
    ob_slice name = ob_json_get_text(function, "name");
    ob_part *part = name.len ? add_part(r, OB_PART_CALL) : NULL;
    if (!part)
        return;
    r->calls = true;
    part->id = ob_json_get_text(item, "id");
    part->name = name;
    part->text = ob_json_text(arguments);
    if (yyjson_is_obj(arguments)) {
        part->text = ob_json_print(r->answer->arena, arguments);
        r->answer->failed |= !part->text.ptr;
    }
    part->signature = ob_openai_signature(item);
    if (part->signature.len)
        part->signed_by = OB_DIALECT_GEMINI;
}

static void read_message(reader *r, yyjson_val *message)
{
    yyjson_val *calls = ob_json_get(message, "tool_calls");
    yyjson_arr_iter items;
    yyjson_val *item;
    read_thinking(r, message);
    ob_part *text = read_content(r, ob_json_get(message, "content"));
    read_annotations(r, ob_json_get(message, "annotations"), text);
    read_images(r, ob_json_get(message, "images"));
    add_text(r, OB_PART_REFUSAL, ob_json_get_text(message, "refusal"));
    if (yyjson_is_arr(calls)) {
        yyjson_arr_iter_init(calls, &items);
        while ((item = yyjson_arr_iter_next(&items)))
            read_call(r, item, ob_json_get(item, "function"));
    }
    read_call(r, NULL, ob_json_get(message, "function_call"));
}

static void read_logprobs(ob_answer *answer, yyjson_val *list, ob_logprob **end,
                          bool tops)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!yyjson_is_arr(list))
        return;
    yyjson_arr_iter_init(list, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        *end = ob_arena_alloc(answer->arena, sizeof(**end));
        if (!*end) {
            answer->failed = true;
            return;
        }
        ob_openai_read_logprob(item, *end);
        if (tops)
            read_logprobs(answer, ob_json_get(item, "top_logprobs"),
                          &(*end)->tops, false);
        end = &(*end)->next;
    }
}

static ob_choice *read_choice(ob_answer *answer, ob_choice **end,
                              yyjson_val *value, uint32_t position)
{
    int64_t index = ob_json_get_i64(value, "index", position);
    ob_choice *choice = *end = ob_arena_alloc(answer->arena, sizeof(*choice));
    reader r = {.answer = answer, .choice = choice};
    if (!choice) {
        answer->failed = true;
        return NULL;
    }
    r.end = &choice->parts;
    choice->index =
        index >= 0 && index <= UINT32_MAX ? (uint32_t)index : position;
    read_message(&r, ob_json_get(value, "message"));
    read_logprobs(answer,
                  ob_json_get(ob_json_get(value, "logprobs"), "content"),
                  &choice->logprobs, true);
    choice->finish = ob_openai_read_finish(value);
    choice->stop_sequence = ob_json_get_text(value, "stop_reason");
    /* A call that was asked for by name ends with "stop". */
    if (r.calls && (choice->finish == OB_FINISH_STOP ||
                    choice->finish == OB_FINISH_UNSAID))
        choice->finish = OB_FINISH_CALLS;
    return choice;
}

ob_status ob_openai_read_answer(yyjson_val *root, ob_answer *answer)
{
    yyjson_val *choices = ob_json_get(root, "choices");
    ob_choice **end = &answer->choices;
    uint32_t position = 0;
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!yyjson_is_arr(choices) || !yyjson_arr_size(choices))
        return OB_INVALID;
    answer->id = ob_json_get_text(root, "id");
    answer->model = ob_json_get_text(root, "model");
    yyjson_arr_iter_init(choices, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        ob_choice *choice = read_choice(answer, end, item, position++);
        if (!choice)
            break;
        end = &choice->next;
    }
    (void)ob_openai_read_usage(root, &answer->usage);
    return answer->failed ? OB_NO_MEMORY : OB_OK;
}

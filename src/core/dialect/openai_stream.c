/* openai_stream.c - streams of chat completions, read. */
#include "openai.h"

static void tell(ob_event_reader *reader, const ob_event *event)
{
    reader->take(reader->context, event);
}

static void tell_text(ob_event_reader *reader, uint32_t choice,
                      ob_part_kind part, ob_slice text)
{
    if (text.len)
        tell(reader, &(ob_event){.kind = OB_EVENT_DELTA,
                                 .choice = choice,
                                 .part = part,
                                 .text = text});
}

/* ---- calls ---- */

/*
 * Is this delta the beginning of a call? Providers differ: most number their
 * calls and name each once; some give no number and the whole call at once,
 * some the number 0 to all, some repeat id and name in each piece.
 */
static bool begins_call(const ob_event_reader *reader, uint32_t choice,
                        int64_t index, ob_slice id, ob_slice name)
{
    if (!name.len)
        return false;
    if (!reader->call[choice].open || index != reader->call[choice].index)
        return true;
    if (id.len)
        return ob_slice_hash(id, 0) != reader->call[choice].id;
    return index < 0;
}

static void open_call(ob_event_reader *reader, uint32_t choice, int64_t index,
                      ob_slice id, ob_slice name, ob_slice signature)
{
    reader->call[choice].open = true;
    reader->call[choice].index = index;
    reader->call[choice].id = id.len ? ob_slice_hash(id, 0) : 0;
    tell(reader, &(ob_event){.kind = OB_EVENT_OPEN,
                             .choice = choice,
                             .part = OB_PART_CALL,
                             .ordinal = reader->calls[choice]++,
                             .id = id,
                             .name = name,
                             .signature = signature,
                             .signed_by = signature.len ? OB_DIALECT_GEMINI
                                                        : OB_DIALECT_NONE});
}

/* Arguments are a string; some give the object itself. */
static void tell_arguments(ob_event_reader *reader, uint32_t choice,
                           int64_t index, yyjson_val *arguments)
{
    size_t len = 0;
    char *made =
        yyjson_is_obj(arguments) ? yyjson_val_write(arguments, 0, &len) : NULL;
    ob_slice text = made ? ob_slice_make(made, len) : ob_json_text(arguments);
    /* A piece of another call than the one that is open gets a number that no
     * call has, so that it is not taken for this one's. */
    uint32_t ordinal = index == reader->call[choice].index
                           ? reader->calls[choice] - 1
                           : UINT32_MAX;
    if (text.len)
        tell(reader, &(ob_event){.kind = OB_EVENT_DELTA,
                                 .choice = choice,
                                 .part = OB_PART_CALL,
                                 .ordinal = ordinal,
                                 .text = text});
    free(made);
}

static void read_call(ob_event_reader *reader, uint32_t choice,
                      yyjson_val *item, yyjson_val *function)
{
    int64_t index = ob_json_get_i64(item, "index", -1);
    ob_slice id = ob_json_get_text(item, "id");
    ob_slice name = ob_json_get_text(function, "name");
    if (begins_call(reader, choice, index, id, name))
        open_call(reader, choice, index, id, name, ob_openai_signature(item));
    if (reader->call[choice].open)
        tell_arguments(reader, choice, index,
                       ob_json_get(function, "arguments"));
}

/* Of the older API: one call, named in its first piece. */
static void read_function_call(ob_event_reader *reader, uint32_t choice,
                               yyjson_val *function)
{
    ob_slice name = ob_json_get_text(function, "name");
    if (!yyjson_is_obj(function))
        return;
    if (name.len && !reader->call[choice].open)
        open_call(reader, choice, 0, OB_S(""), name, OB_S(""));
    if (reader->call[choice].open)
        tell_arguments(reader, choice, 0, ob_json_get(function, "arguments"));
}

/* ---- thinking ---- */

/* `block`: the number of the detail that goes on, and one; 0: none. Where the
 * provider does not number them, all are one. */
static void read_detail(ob_event_reader *reader, uint32_t choice,
                        yyjson_val *detail)
{
    uint32_t number = (uint32_t)ob_json_get_i64(detail, "index", 0) + 1;
    ob_slice text = ob_openai_detail_text(detail);
    ob_buffer sign = {0};
    bool is_signed = ob_openai_detail_sign(detail, &sign);
    bool goes_on = reader->block == number;
    if ((text.len || is_signed) && reader->block && !goes_on)
        tell(reader, &(ob_event){.kind = OB_EVENT_CLOSE, .choice = choice});
    tell_text(reader, choice, OB_PART_THINKING, text);
    if (is_signed)
        tell(reader, &(ob_event){.kind = text.len || goes_on ? OB_EVENT_SIGN
                                                             : OB_EVENT_OPEN,
                                 .choice = choice,
                                 .part = OB_PART_THINKING,
                                 .redacted = !text.len && !goes_on,
                                 .signature = ob_buffer_slice(&sign),
                                 .signed_by = OB_DIALECT_OPENAI});
    if (text.len || is_signed)
        reader->block = number;
    /* A signature ends what it signs. */
    if (is_signed) {
        tell(reader, &(ob_event){.kind = OB_EVENT_CLOSE, .choice = choice});
        reader->block = 0;
    }
    ob_buffer_deinit(&sign);
}

/* Texts of details are repeated in `reasoning`. */
static void read_thinking(ob_event_reader *reader, uint32_t choice,
                          yyjson_val *delta)
{
    yyjson_val *detail;
    size_t i, max;
    if (!ob_openai_details_say(delta))
        tell_text(reader, choice, OB_PART_THINKING, ob_openai_thinking(delta));
    yyjson_arr_foreach(ob_json_get(delta, "reasoning_details"), i, max, detail)
        read_detail(reader, choice, detail);
}

/* ---- choices ---- */

static void read_content(ob_event_reader *reader, uint32_t choice,
                         yyjson_val *content)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!yyjson_is_arr(content)) {
        tell_text(reader, choice, OB_PART_TEXT, ob_json_text(content));
        return;
    }
    yyjson_arr_iter_init(content, &items);
    while ((item = yyjson_arr_iter_next(&items))) {
        ob_part_kind kind;
        ob_slice text = ob_openai_content_item(item, &kind);
        tell_text(reader, choice, kind, text);
    }
}

static void read_annotations(ob_event_reader *reader, uint32_t choice,
                             yyjson_val *list)
{
    yyjson_arr_iter items;
    yyjson_val *item;
    ob_citation citation;
    if (!yyjson_is_arr(list))
        return;
    yyjson_arr_iter_init(list, &items);
    while ((item = yyjson_arr_iter_next(&items)))
        if (ob_openai_read_citation(item, &citation))
            tell(reader, &(ob_event){.kind = OB_EVENT_CITE,
                                     .choice = choice,
                                     .part = OB_PART_TEXT,
                                     .citation = &citation});
}

/* OpenRouter's: each comes whole. */
static void read_images(ob_event_reader *reader, uint32_t choice,
                        yyjson_val *list)
{
    yyjson_val *item;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, item)
    {
        ob_part part = {.kind = OB_PART_IMAGE};
        if (!ob_part_locate(
                &part, ob_json_get_text(ob_json_get(item, "image_url"), "url")))
            continue;
        tell(reader, &(ob_event){.kind = OB_EVENT_OPEN,
                                 .choice = choice,
                                 .part = OB_PART_IMAGE,
                                 .media = &part});
        tell(reader, &(ob_event){.kind = OB_EVENT_CLOSE, .choice = choice});
    }
}

#define TOPS_MAX 20

/* One event a token: nothing is kept. */
static void read_logprob(ob_event_reader *reader, uint32_t choice,
                         yyjson_val *value)
{
    yyjson_val *list = ob_json_get(value, "top_logprobs");
    ob_logprob logprob, tops[TOPS_MAX];
    size_t count = 0;
    yyjson_arr_iter items;
    yyjson_val *item;
    ob_openai_read_logprob(value, &logprob);
    if (yyjson_is_arr(list)) {
        yyjson_arr_iter_init(list, &items);
        while (count < TOPS_MAX && (item = yyjson_arr_iter_next(&items)))
            ob_openai_read_logprob(item, &tops[count++]);
    }
    for (size_t i = 0; i + 1 < count; i++)
        tops[i].next = &tops[i + 1];
    logprob.tops = count ? tops : NULL;
    tell(reader, &(ob_event){.kind = OB_EVENT_LOGPROBS,
                             .choice = choice,
                             .part = OB_PART_TEXT,
                             .logprobs = &logprob});
}

static void read_logprobs(ob_event_reader *reader, uint32_t choice,
                          yyjson_val *logprobs)
{
    yyjson_val *list = ob_json_get(logprobs, "content");
    yyjson_arr_iter items;
    yyjson_val *item;
    if (!yyjson_is_arr(list))
        return;
    yyjson_arr_iter_init(list, &items);
    while ((item = yyjson_arr_iter_next(&items)))
        read_logprob(reader, choice, item);
}

static void read_delta(ob_event_reader *reader, uint32_t choice,
                       yyjson_val *delta)
{
    yyjson_val *calls = ob_json_get(delta, "tool_calls");
    yyjson_arr_iter items;
    yyjson_val *item;
    read_thinking(reader, choice, delta);
    read_content(reader, choice, ob_json_get(delta, "content"));
    tell_text(reader, choice, OB_PART_REFUSAL,
              ob_json_get_text(delta, "refusal"));
    read_annotations(reader, choice, ob_json_get(delta, "annotations"));
    read_images(reader, choice, ob_json_get(delta, "images"));
    if (yyjson_is_arr(calls)) {
        yyjson_arr_iter_init(calls, &items);
        while ((item = yyjson_arr_iter_next(&items)))
            read_call(reader, choice, item, ob_json_get(item, "function"));
    }
    read_function_call(reader, choice, ob_json_get(delta, "function_call"));
}

static void read_finish(ob_event_reader *reader, uint32_t choice,
                        yyjson_val *value)
{
    ob_finish finish = ob_openai_read_finish(value);
    if (finish == OB_FINISH_UNSAID)
        return;
    /* A call that was asked for by name ends with "stop". */
    if (finish == OB_FINISH_STOP && reader->calls[choice])
        finish = OB_FINISH_CALLS;
    reader->finished = true;
    reader->call[choice].open = false;
    tell(reader,
         &(ob_event){.kind = OB_EVENT_FINISH,
                     .choice = choice,
                     .finish = finish,
                     .stop_sequence = ob_json_get_text(value, "stop_reason")});
}

static void read_choice(ob_event_reader *reader, yyjson_val *value)
{
    int64_t index = ob_json_get_i64(value, "index", 0);
    yyjson_val *delta = ob_json_get(value, "delta");
    if (index < 0 || index >= OB_STREAM_CHOICES_MAX) {
        /* ob_blocks says what is wrong. */
        tell(reader, &(ob_event){.kind = OB_EVENT_DELTA,
                                 .choice = OB_STREAM_CHOICES_MAX});
        return;
    }
    /* Some send what they have at once as a message of an answer. */
    if (!yyjson_is_obj(delta))
        delta = ob_json_get(value, "message");
    uint32_t choice = (uint32_t)index;
    read_delta(reader, choice, delta);
    read_logprobs(reader, choice, ob_json_get(value, "logprobs"));
    read_finish(reader, choice, value);
}

/* ---- errors ---- */

static int status_of(yyjson_val *error)
{
    static const struct {
        const char *part;
        int status;
    } words[] = {
        {"rate_limit", 429},      {"quota", 429},
        {"overloaded", 503},      {"unavailable", 503},
        {"timeout", 504},         {"authentication", 401},
        {"invalid_api_key", 401}, {"permission", 403},
        {"not_found", 404},       {"invalid_request", 400},
        {"context_length", 400},
    };
    int64_t code = ob_json_get_i64(error, "code", 0);
    ob_slice texts[] = {ob_json_get_text(error, "code"),
                        ob_json_get_text(error, "type")};
    uint64_t number = 0;
    if (texts[0].len && ob_slice_u64(texts[0], &number) == OB_OK)
        code = number < 1000 ? (int64_t)number : 0;
    if (code >= 400 && code < 600)
        return (int)code;
    for (size_t t = 0; t < OB_LEN(texts); t++)
        for (size_t i = 0; i < OB_LEN(words); i++)
            if (ob_slice_find_nocase(texts[t], ob_slice_str(words[i].part)) !=
                OB_NOWHERE)
                return words[i].status;
    return 502;
}

static bool read_error(ob_event_reader *reader, ob_slice name, yyjson_val *root)
{
    yyjson_val *error = ob_json_get(root, "error");
    bool named = ob_slice_eq(name, OB_S("error"));
    if ((!ob_json_told(error)) && named)
        error = root;
    if (!ob_json_told(error))
        return false;
    ob_slice text = yyjson_is_str(error) ? ob_json_text(error)
                                         : ob_json_get_text(error, "message");
    reader->ended = true;
    tell(reader,
         &(ob_event){.kind = OB_EVENT_ERROR,
                     .status = status_of(error),
                     .text = text.len ? text
                                      : OB_S("the provider reported an "
                                             "error inside its answer")});
    return true;
}

/* ---- events ---- */

void ob_openai_read_event(ob_event_reader *reader, ob_slice name,
                          yyjson_val *root)
{
    yyjson_val *choices = ob_json_get(root, "choices");
    ob_slice id = ob_json_get_text(root, "id");
    yyjson_arr_iter items;
    yyjson_val *item;
    if (reader->ended || read_error(reader, name, root))
        return;
    /* Azure begins with a chunk about the prompt, which has neither. */
    if (id.len || yyjson_arr_size(choices))
        tell(reader, &(ob_event){.kind = OB_EVENT_START,
                                 .id = id,
                                 .name = ob_json_get_text(root, "model")});
    if (yyjson_is_arr(choices)) {
        yyjson_arr_iter_init(choices, &items);
        while ((item = yyjson_arr_iter_next(&items)))
            read_choice(reader, item);
    }
    if (ob_openai_read_usage(root, &reader->usage))
        tell(reader,
             &(ob_event){.kind = OB_EVENT_USAGE, .usage = reader->usage});
}

void ob_openai_read_end(ob_event_reader *reader, bool done)
{
    if (reader->ended)
        return;
    reader->ended = true;
    ob_event_reader_end(reader, done || reader->finished);
}

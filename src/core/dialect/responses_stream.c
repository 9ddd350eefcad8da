/*
 * responses_stream.c - reads the events of a response's stream.
 */
#include "responses.h"

static void take(ob_event_reader *reader, const ob_event *event)
{
    reader->take(reader->context, event);
}

/* ---- beginning and end ---- */

static void read_created(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *response = ob_json_get(root, "response");
    take(reader, &(ob_event){.kind = OB_EVENT_START,
                             .id = ob_json_get_text(response, "id"),
                             .name = ob_json_get_text(response, "model")});
}

static void read_completed(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *response = ob_json_get(root, "response");
    ob_usage usage = ob_responses_read_usage(ob_json_get(response, "usage"));
    take(reader, &(ob_event){.kind = OB_EVENT_FINISH,
                             .finish = ob_responses_read_finish(
                                 response, reader->calls[0] > 0)});
    if (usage.known)
        take(reader, &(ob_event){.kind = OB_EVENT_USAGE, .usage = usage});
    reader->finished = reader->ended = true;
}

static const struct {
    const char *code;
    int status;
} codes[] = {
    {"rate_limit_exceeded", 429},
    {"insufficient_quota", 429},
    {"invalid_prompt", 400},
    {"context_length_exceeded", 400},
    {"invalid_request_error", 400},
    {"invalid_image", 400},
    {"invalid_image_format", 400},
    {"invalid_base64_image", 400},
    {"invalid_image_url", 400},
    {"image_too_large", 400},
    {"image_too_small", 400},
    {"image_parse_error", 400},
    {"invalid_image_mode", 400},
    {"image_file_too_large", 400},
    {"empty_image_file", 400},
    {"failed_to_download_image", 400},
    {"image_file_not_found", 400},
    {"image_content_policy_violation", 400},
    {"unsupported_image_media_type", 400},
    {"server_error", 500},
    {"server_is_overloaded", 503},
    {"slow_down", 503},
};

/* `error`: {code, message}. */
static void tell_error(ob_event_reader *reader, yyjson_val *error)
{
    ob_slice text = ob_json_get_text(error, "message");
    ob_event event = {.kind = OB_EVENT_ERROR,
                      .status = 502,
                      .text = text.len ? text
                                       : OB_S("the provider's answer failed")};
    for (size_t i = 0; i < OB_LEN(codes); i++)
        if (ob_json_is(ob_json_get(error, "code"), codes[i].code))
            event.status = codes[i].status;
    take(reader, &event);
}

static void read_failed(ob_event_reader *reader, yyjson_val *root)
{
    tell_error(reader, ob_json_get(ob_json_get(root, "response"), "error"));
}

/* Its members stand in the event, or in an object as in other errors. */
static void read_error(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *error = ob_json_get(root, "error");
    tell_error(reader, yyjson_is_obj(error) ? error : root);
}

/* ---- items ---- */

static void read_item_added(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *item = ob_json_get(root, "item");
    if (!ob_json_is(ob_json_get(item, "type"), "function_call"))
        return;
    reader->block = (uint32_t)ob_json_get_i64(root, "output_index", 0);
    take(reader, &(ob_event){.kind = OB_EVENT_OPEN,
                             .part = OB_PART_CALL,
                             .ordinal = reader->calls[0]++,
                             .id = ob_json_get_text(item, "call_id"),
                             .name = ob_json_get_text(item, "name")});
}

static void close_part(ob_event_reader *reader, yyjson_val *root)
{
    (void)root;
    take(reader, &(ob_event){.kind = OB_EVENT_CLOSE});
}

/* A thought without a word in it is its signature alone. */
static void tell_signature(ob_event_reader *reader, ob_slice encrypted)
{
    bool redacted = reader->part != OB_PART_THINKING;
    ob_part part = {.kind = OB_PART_THINKING};
    ob_responses_sign(&part, encrypted);
    if (part.signature.len)
        take(reader,
             &(ob_event){.kind = redacted ? OB_EVENT_OPEN : OB_EVENT_SIGN,
                         .part = OB_PART_THINKING,
                         .signature = part.signature,
                         .signed_by = part.signed_by,
                         .redacted = redacted});
}

static void read_item_done(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *item = ob_json_get(root, "item");
    if (ob_json_is(ob_json_get(item, "type"), "reasoning"))
        tell_signature(reader, ob_json_get_text(item, "encrypted_content"));
    reader->part = OB_PART_TEXT;
    close_part(reader, root);
}

/* ---- texts ---- */

static void tell_delta(ob_event_reader *reader, ob_part_kind part,
                       ob_slice text)
{
    if (text.len)
        take(reader,
             &(ob_event){.kind = OB_EVENT_DELTA, .part = part, .text = text});
}

#define TOPS_MAX 20 /* as many as can be asked for */

static void tell_logprob(ob_event_reader *reader, yyjson_val *object)
{
    ob_logprob tops[TOPS_MAX];
    ob_logprob token = {.token = ob_json_get_text(object, "token"),
                        .value = ob_json_get_double(object, "logprob")};
    yyjson_val *top;
    size_t i, max;
    ob_logprob **end = &token.tops;
    yyjson_arr_foreach(ob_json_get(object, "top_logprobs"), i, max, top)
    {
        if (i == TOPS_MAX)
            break;
        tops[i] = (ob_logprob){.token = ob_json_get_text(top, "token"),
                               .value = ob_json_get_double(top, "logprob")};
        *end = &tops[i];
        end = &tops[i].next;
    }
    take(reader, &(ob_event){.kind = OB_EVENT_LOGPROBS,
                             .part = OB_PART_TEXT,
                             .logprobs = &token});
}

static void read_text(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *object;
    size_t i, max;
    tell_delta(reader, OB_PART_TEXT, ob_json_get_text(root, "delta"));
    yyjson_arr_foreach(ob_json_get(root, "logprobs"), i, max, object)
        tell_logprob(reader, object);
}

static void read_annotation(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *object = ob_json_get(root, "annotation");
    ob_citation citation = {0};
    if (!ob_json_is(ob_json_get(object, "type"), "url_citation"))
        return;
    ob_responses_read_citation(object, &citation);
    take(reader, &(ob_event){.kind = OB_EVENT_CITE,
                             .part = OB_PART_TEXT,
                             .citation = &citation});
}

static void read_refusal(ob_event_reader *reader, yyjson_val *root)
{
    tell_delta(reader, OB_PART_REFUSAL, ob_json_get_text(root, "delta"));
}

/* Parts of one summary have an empty line between them. */
static void read_summary_part(ob_event_reader *reader, yyjson_val *root)
{
    if (ob_json_get_i64(root, "summary_index", 0) > 0)
        tell_delta(reader, OB_PART_THINKING, OB_S("\n\n"));
}

static void read_thought(ob_event_reader *reader, yyjson_val *root)
{
    reader->part = OB_PART_THINKING;
    tell_delta(reader, OB_PART_THINKING, ob_json_get_text(root, "delta"));
}

/* Arguments of a call other than the last cannot be told any more: an ordinal
 * that is not open makes that an error. */
static void read_arguments(ob_event_reader *reader, yyjson_val *root)
{
    int64_t index = ob_json_get_i64(root, "output_index", reader->block);
    uint32_t calls = reader->calls[0];
    ob_slice text = ob_json_get_text(root, "delta");
    if (text.len)
        take(reader,
             &(ob_event){.kind = OB_EVENT_DELTA,
                         .part = OB_PART_CALL,
                         .ordinal = calls && index == reader->block ? calls - 1
                                                                    : calls,
                         .text = text});
}

/* ---- events ---- */

/* What repeats deltas, and what tools of OpenAI's do, is skipped. */
static const struct {
    const char *type;
    void (*read)(ob_event_reader *reader, yyjson_val *root);
} events[] = {
    {"response.output_text.delta", read_text},
    {"response.function_call_arguments.delta", read_arguments},
    {"response.reasoning_summary_text.delta", read_thought},
    {"response.reasoning_text.delta", read_thought},
    {"response.refusal.delta", read_refusal},
    {"response.output_item.added", read_item_added},
    {"response.output_item.done", read_item_done},
    {"response.content_part.done", close_part},
    {"response.reasoning_summary_part.added", read_summary_part},
    {"response.output_text.annotation.added", read_annotation},
    {"response.created", read_created},
    {"response.in_progress", read_created},
    {"response.completed", read_completed},
    {"response.incomplete", read_completed},
    {"response.failed", read_failed},
    {"error", read_error},
};

void ob_responses_read_event(ob_event_reader *reader, ob_slice name,
                             yyjson_val *root)
{
    ob_slice type = ob_json_get_text(root, "type");
    if (!type.len)
        type = name;
    for (size_t i = 0; i < OB_LEN(events); i++)
        if (ob_slice_eq(type, ob_slice_str(events[i].type))) {
            events[i].read(reader, root);
            return;
        }
    if (yyjson_is_obj(ob_json_get(root, "error")))
        read_error(reader, root);
}

void ob_responses_read_end(ob_event_reader *reader, bool done)
{
    (void)done; /* there is no "[DONE]" */
    ob_event_reader_end(reader, reader->ended);
}

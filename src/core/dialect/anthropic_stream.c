/*
 * anthropic_stream.c - reads the events of Anthropic's streams.
 *
 *   message_start ─▶ ( content_block_start ─▶ content_block_delta … ─▶
 *   content_block_stop ) … ─▶ message_delta ─▶ message_stop
 */
#include "anthropic.h"

#include <stdlib.h>

/* As `block`: none is open whose pieces are passed on. */
#define NO_BLOCK UINT32_MAX

static void take(ob_event_reader *reader, const ob_event *event)
{
    reader->take(reader->context, event);
}

static void take_text(ob_event_reader *reader, ob_part_kind part, ob_slice text)
{
    if (!text.len)
        return;
    ob_event event = {.kind = OB_EVENT_DELTA, .part = part, .text = text};
    if (part == OB_PART_CALL)
        event.ordinal = reader->calls[0] - 1;
    take(reader, &event);
}

static void take_signature(ob_event_reader *reader, ob_slice signature)
{
    if (signature.len)
        take(reader, &(ob_event){.kind = OB_EVENT_SIGN,
                                 .part = OB_PART_THINKING,
                                 .signature = signature,
                                 .signed_by = OB_DIALECT_ANTHROPIC});
}

static void read_usage(ob_event_reader *reader, yyjson_val *usage)
{
    if (!reader->usage.known)
        reader->usage = (ob_usage){.input = -1,
                                   .output = -1,
                                   .cached = -1,
                                   .cache_written = -1,
                                   .reasoning = -1};
    ob_anthropic_add_usage(&reader->usage, usage);
}

static void tell_usage(ob_event_reader *reader)
{
    if (reader->usage.known)
        take(reader,
             &(ob_event){.kind = OB_EVENT_USAGE, .usage = reader->usage});
}

static void on_start(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *message = ob_json_get(root, "message");
    take(reader, &(ob_event){.kind = OB_EVENT_START,
                             .id = ob_json_get_text(message, "id"),
                             .name = ob_json_get_text(message, "model")});
    read_usage(reader, ob_json_get(message, "usage"));
    tell_usage(reader);
}

/* Some servers give the whole input where the block begins. */
static void open_call(ob_event_reader *reader, yyjson_val *block)
{
    yyjson_val *input = ob_json_get(block, "input");
    take(reader, &(ob_event){.kind = OB_EVENT_OPEN,
                             .part = OB_PART_CALL,
                             .ordinal = reader->calls[0]++,
                             .id = ob_json_get_text(block, "id"),
                             .name = ob_json_get_text(block, "name")});
    size_t len = 0;
    char *text =
        yyjson_obj_size(input) ? yyjson_val_write(input, 0, &len) : NULL;
    take_text(reader, OB_PART_CALL, ob_slice_make(text, len));
    free(text);
}

static void open_plain(ob_event_reader *reader, yyjson_val *block,
                       ob_part_kind part)
{
    take(reader, &(ob_event){.kind = OB_EVENT_OPEN, .part = part});
    if (part == OB_PART_TEXT) {
        take_text(reader, part, ob_json_get_text(block, "text"));
        return;
    }
    take_text(reader, part, ob_json_get_text(block, "thinking"));
    take_signature(reader, ob_json_get_text(block, "signature"));
}

static void on_block_start(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *block = ob_json_get(root, "content_block");
    yyjson_val *type = ob_json_get(block, "type");
    int64_t index = ob_json_get_i64(root, "index", 0);
    reader->block = index >= 0 && index < NO_BLOCK ? (uint32_t)index : NO_BLOCK;
    if (ob_json_is(type, "text")) {
        reader->part = OB_PART_TEXT;
        open_plain(reader, block, OB_PART_TEXT);
    } else if (ob_json_is(type, "thinking")) {
        reader->part = OB_PART_THINKING;
        open_plain(reader, block, OB_PART_THINKING);
    } else if (ob_json_is(type, "redacted_thinking")) {
        reader->part = OB_PART_THINKING;
        take(reader, &(ob_event){.kind = OB_EVENT_OPEN,
                                 .part = OB_PART_THINKING,
                                 .redacted = true,
                                 .signature = ob_json_get_text(block, "data"),
                                 .signed_by = OB_DIALECT_ANTHROPIC});
    } else if (ob_json_is(type, "tool_use")) {
        reader->part = OB_PART_CALL;
        open_call(reader, block);
    } else {
        /* Of Anthropic's own tools. */
        reader->block = NO_BLOCK;
    }
}

static bool is_open(const ob_event_reader *reader, yyjson_val *root)
{
    int64_t open = reader->block;
    return open != NO_BLOCK && ob_json_get_i64(root, "index", open) == open;
}

static void on_block_delta(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *delta = ob_json_get(root, "delta");
    yyjson_val *type = ob_json_get(delta, "type");
    ob_citation citation;
    if (!is_open(reader, root))
        return;
    if (ob_json_is(type, "text_delta"))
        take_text(reader, OB_PART_TEXT, ob_json_get_text(delta, "text"));
    else if (ob_json_is(type, "thinking_delta"))
        take_text(reader, OB_PART_THINKING,
                  ob_json_get_text(delta, "thinking"));
    else if (ob_json_is(type, "signature_delta"))
        take_signature(reader, ob_json_get_text(delta, "signature"));
    else if (ob_json_is(type, "input_json_delta") &&
             reader->part == OB_PART_CALL)
        take_text(reader, OB_PART_CALL,
                  ob_json_get_text(delta, "partial_json"));
    else if (ob_json_is(type, "citations_delta") &&
             ob_anthropic_read_citation(ob_json_get(delta, "citation"),
                                        &citation))
        take(reader, &(ob_event){.kind = OB_EVENT_CITE,
                                 .part = OB_PART_TEXT,
                                 .citation = &citation});
}

static void on_block_stop(ob_event_reader *reader, yyjson_val *root)
{
    if (!is_open(reader, root))
        return;
    take(reader, &(ob_event){.kind = OB_EVENT_CLOSE,
                             .part = reader->part,
                             .ordinal = reader->part == OB_PART_CALL
                                            ? reader->calls[0] - 1
                                            : 0});
    reader->block = NO_BLOCK;
}

static void on_message_delta(ob_event_reader *reader, yyjson_val *root)
{
    yyjson_val *delta = ob_json_get(root, "delta");
    ob_finish finish =
        ob_anthropic_finish(ob_json_get_text(delta, "stop_reason"));
    if (finish == OB_FINISH_REFUSAL)
        take_text(reader, OB_PART_REFUSAL,
                  ob_json_get_text(ob_json_get(delta, "stop_details"),
                                   "explanation"));
    if (finish != OB_FINISH_UNSAID)
        take(reader, &(ob_event){.kind = OB_EVENT_FINISH,
                                 .finish = finish,
                                 .stop_sequence =
                                     ob_json_get_text(delta, "stop_sequence")});
    read_usage(reader, ob_json_get(root, "usage"));
    tell_usage(reader);
}

static void on_message_stop(ob_event_reader *reader, yyjson_val *root)
{
    (void)root;
    reader->ended = true;
}

static void on_error(ob_event_reader *reader, yyjson_val *root)
{
    static const struct {
        const char *type;
        int status;
    } types[] = {
        {"invalid_request_error", 400}, {"authentication_error", 401},
        {"billing_error", 402},         {"permission_error", 403},
        {"not_found_error", 404},       {"request_too_large", 413},
        {"rate_limit_error", 429},      {"api_error", 500},
        {"timeout_error", 504},         {"overloaded_error", 529},
    };
    yyjson_val *error = ob_json_get(root, "error");
    ob_slice message = ob_json_get_text(error, "message");
    int status = 502;
    for (size_t i = 0; i < OB_LEN(types); i++)
        if (ob_json_is(ob_json_get(error, "type"), types[i].type))
            status = types[i].status;
    take(reader,
         &(ob_event){.kind = OB_EVENT_ERROR,
                     .status = status,
                     .text =
                         message.len ? message : OB_S("the provider failed")});
}

static const struct {
    const char *type;
    void (*read)(ob_event_reader *reader, yyjson_val *root);
} events[] = {
    {"message_start", on_start},
    {"content_block_start", on_block_start},
    {"content_block_delta", on_block_delta},
    {"content_block_stop", on_block_stop},
    {"message_delta", on_message_delta},
    {"message_stop", on_message_stop},
    {"error", on_error},
};

void ob_anthropic_read_event(ob_event_reader *reader, ob_slice name,
                             yyjson_val *root)
{
    ob_slice type = ob_json_get_text(root, "type");
    if (!type.len)
        type = name;
    for (size_t i = 0; i < OB_LEN(events); i++)
        if (ob_slice_eq(type, ob_slice_str(events[i].type)))
            events[i].read(reader, root);
}

void ob_anthropic_read_end(ob_event_reader *reader, bool done)
{
    (void)done;
    ob_event_reader_end(reader, reader->ended);
}

/* anthropic_stream_write.c - writes the events of Anthropic's streams, in the
 * order that anthropic_stream.c shows. */
#include "anthropic.h"
#include "error.h"

/* What the writer keeps in ob_event_writer: `items` counts the blocks that
 * were opened, `sequence` the calls. */

static void member_null(ob_json *json, const char *name)
{
    ob_json_name(json, name);
    ob_json_null(json);
}

static void write_start(ob_event_writer *writer, const ob_event *event)
{
    const ob_answering *answering = writer->answering;
    ob_json json = ob_json_event_begin(writer->out, "message_start");
    ob_json_name(&json, "message");
    ob_json_open(&json, '{');
    ob_json_member(&json, "id", event->id.len ? event->id : answering->id);
    ob_json_member(&json, "type", OB_S("message"));
    ob_json_member(&json, "role", OB_S("assistant"));
    ob_json_member(&json, "model",
                   event->name.len ? event->name : answering->model);
    ob_json_name(&json, "content");
    ob_json_open(&json, '[');
    ob_json_close(&json, ']');
    member_null(&json, "stop_reason");
    member_null(&json, "stop_sequence");
    ob_json_name(&json, "usage");
    ob_anthropic_write_usage(&json, event->usage.known ? &event->usage
                                                       : &writer->usage);
    ob_json_close(&json, '}');
    ob_json_event_end(&json);
}

static void write_new_block(ob_json *json, ob_arena *arena,
                            const ob_event *event)
{
    ob_slice signature =
        ob_anthropic_sign(arena, event->signature, event->signed_by);
    if (event->part == OB_PART_CALL) {
        ob_json_member(json, "type", OB_S("tool_use"));
        ob_json_member(
            json, "id",
            ob_carry(arena, event->id, event->signature, event->signed_by));
        ob_json_member(json, "name", event->name);
        ob_json_name(json, "input");
        ob_json_raw(json, OB_S("{}"));
    } else if (event->part != OB_PART_THINKING) {
        ob_json_member(json, "type", OB_S("text"));
        ob_json_member(json, "text", OB_S(""));
    } else if (event->redacted) {
        ob_json_member(json, "type", OB_S("redacted_thinking"));
        ob_json_member(json, "data", signature);
    } else {
        ob_json_member(json, "type", OB_S("thinking"));
        ob_json_member(json, "thinking", OB_S(""));
        ob_json_member(json, "signature", signature);
    }
}

static void write_open(ob_event_writer *writer, const ob_event *event)
{
    ob_json json = ob_json_event_begin(writer->out, "content_block_start");
    ob_json_member_i64(&json, "index", writer->items++);
    writer->sequence += event->part == OB_PART_CALL;
    ob_json_name(&json, "content_block");
    ob_json_open(&json, '{');
    write_new_block(&json, writer->answering->arena, event);
    ob_json_close(&json, '}');
    ob_json_event_end(&json);
}

static void write_delta(ob_event_writer *writer, const char *type,
                        const char *member, ob_slice text)
{
    ob_json json = ob_json_event_begin(writer->out, "content_block_delta");
    ob_json_member_i64(&json, "index", (int64_t)writer->items - 1);
    ob_json_name(&json, "delta");
    ob_json_open(&json, '{');
    ob_json_member(&json, "type", ob_slice_str(type));
    ob_json_member(&json, member, text);
    ob_json_close(&json, '}');
    ob_json_event_end(&json);
}

static void write_text(ob_event_writer *writer, const ob_event *event)
{
    if (!event->text.len)
        return;
    if (event->part == OB_PART_CALL)
        write_delta(writer, "input_json_delta", "partial_json", event->text);
    else if (event->part == OB_PART_THINKING)
        write_delta(writer, "thinking_delta", "thinking", event->text);
    else
        write_delta(writer, "text_delta", "text", event->text);
}

static void write_signature(ob_event_writer *writer, const ob_event *event)
{
    ob_slice signature = ob_anthropic_sign(writer->answering->arena,
                                           event->signature, event->signed_by);
    if (event->part == OB_PART_THINKING && signature.len)
        write_delta(writer, "signature_delta", "signature", signature);
    if (event->part != OB_PART_TEXT || event->signed_by != OB_DIALECT_GEMINI)
        return;
    ob_buffer_clear(&writer->signature);
    ob_buffer_append(&writer->signature, event->signature);
}

static void write_citation(ob_event_writer *writer, const ob_event *event)
{
    if (event->part != OB_PART_TEXT || !event->citation)
        return;
    ob_json json = ob_json_event_begin(writer->out, "content_block_delta");
    ob_json_member_i64(&json, "index", (int64_t)writer->items - 1);
    ob_json_name(&json, "delta");
    ob_json_open(&json, '{');
    ob_json_member(&json, "type", OB_S("citations_delta"));
    ob_json_name(&json, "citation");
    ob_anthropic_write_citation(&json, event->citation);
    ob_json_close(&json, '}');
    ob_json_event_end(&json);
}

static void write_close(ob_event_writer *writer)
{
    ob_json json = ob_json_event_begin(writer->out, "content_block_stop");
    ob_json_member_i64(&json, "index", (int64_t)writer->items - 1);
    ob_json_event_end(&json);
}

/* A text's signature stands in a block of its own behind it. */
static void close_block(ob_event_writer *writer)
{
    ob_slice signature = ob_buffer_slice(&writer->signature);
    write_close(writer);
    if (!signature.len)
        return;
    ob_json json = ob_json_event_begin(writer->out, "content_block_start");
    ob_json_member_i64(&json, "index", writer->items++);
    ob_json_name(&json, "content_block");
    ob_json_open(&json, '{');
    ob_json_member(&json, "type", OB_S("redacted_thinking"));
    ob_json_member(&json, "data",
                   ob_mark_text(writer->answering->arena, signature));
    ob_json_close(&json, '}');
    ob_json_event_end(&json);
    write_close(writer);
    ob_buffer_clear(&writer->signature);
}

static void hold_finish(ob_event_writer *writer, const ob_event *event)
{
    ob_slice stop =
        ob_slice_head(event->stop_sequence, sizeof(writer->stop_sequence));
    writer->finish = event->finish;
    writer->stop_sequence_len = stop.len;
    if (stop.len)
        memcpy(writer->stop_sequence, stop.ptr, stop.len);
}

static void write_end(ob_event_writer *writer)
{
    ob_slice stop =
        ob_slice_make(writer->stop_sequence, writer->stop_sequence_len);
    ob_json json = ob_json_event_begin(writer->out, "message_delta");
    ob_json_name(&json, "delta");
    ob_json_open(&json, '{');
    ob_json_member(&json, "stop_reason",
                   ob_slice_str(ob_anthropic_stop_reason(
                       writer->finish, writer->sequence > 0)));
    if (stop.len)
        ob_json_member(&json, "stop_sequence", stop);
    else
        member_null(&json, "stop_sequence");
    ob_json_close(&json, '}');
    ob_json_name(&json, "usage");
    ob_anthropic_write_usage(&json, &writer->usage);
    ob_json_event_end(&json);
    json = ob_json_event_begin(writer->out, "message_stop");
    ob_json_event_end(&json);
}

/* Zeroed, the writer's usage would tell of no reasoning at all. */
static void init_usage(ob_event_writer *writer)
{
    if (!writer->usage_known)
        writer->usage.reasoning = -1;
}

static void write_media(ob_event_writer *writer, const ob_event *event)
{
    write_open(writer, event);
    write_delta(writer, "text_delta", "text",
                ob_part_words(writer->answering->arena, event->media));
    write_close(writer);
}

/* Images and sound have no place in Anthropic's answers: they are told of in
 * words. Nor have choices beside the first. */
static void write_part_event(ob_event_writer *writer, const ob_event *event)
{
    if (event->choice > 0)
        return;
    if (event->part == OB_PART_IMAGE || event->part == OB_PART_AUDIO ||
        event->part == OB_PART_FILE) {
        if (event->kind == OB_EVENT_OPEN && event->media)
            write_media(writer, event);
        return;
    }
    switch (event->kind) {
    case OB_EVENT_OPEN:
        write_open(writer, event);
        return;
    case OB_EVENT_DELTA:
        write_text(writer, event);
        return;
    case OB_EVENT_SIGN:
        write_signature(writer, event);
        return;
    case OB_EVENT_CITE:
        write_citation(writer, event);
        return;
    case OB_EVENT_CLOSE:
        close_block(writer);
        return;
    default:
        return;
    }
}

void ob_anthropic_write_event(ob_event_writer *writer, const ob_event *event)
{
    init_usage(writer);
    switch (event->kind) {
    case OB_EVENT_START:
        write_start(writer, event);
        break;
    case OB_EVENT_FINISH:
        if (event->choice == 0)
            hold_finish(writer, event);
        break;
    case OB_EVENT_USAGE:
        writer->usage = event->usage;
        writer->usage_known = true;
        break;
    case OB_EVENT_ERROR:
        ob_error_write_event(writer->out, OB_DIALECT_ANTHROPIC, event->status,
                             event->text, writer->answering->id);
        break;
    case OB_EVENT_END:
        write_end(writer);
        break;
    default:
        write_part_event(writer, event);
    }
    writer->failed |= writer->out->failed || writer->signature.failed;
}

const ob_codec ob_codec_anthropic = {
    .read_request = ob_anthropic_read_request,
    .write_request = ob_anthropic_write_request,
    .read_answer = ob_anthropic_read_answer,
    .write_answer = ob_anthropic_write_answer,
    .read_event = ob_anthropic_read_event,
    .read_end = ob_anthropic_read_end,
    .write_event = ob_anthropic_write_event,
};

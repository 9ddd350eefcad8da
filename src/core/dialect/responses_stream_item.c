/*
 * responses_stream_item.c - single events of a stream that is written, and the
 * items in `output`.
 */
#include "responses_stream.h"

#include "error.h"

#define OUTPUT_BYTES_MAX ((size_t)16 * 1024 * 1024)

size_t ob_responses_length(const ob_buffer *buffer)
{
    return buffer->end - buffer->start;
}

static ob_slice answer_id(const ob_event_writer *writer)
{
    return ob_slice_make(writer->id, writer->id_len);
}

/* ---- one event ---- */

ob_json ob_responses_begin(ob_event_writer *writer, const char *type)
{
    ob_json json = ob_json_event_begin(writer->out, type);
    ob_json_member_i64(&json, "sequence_number", writer->sequence++);
    return json;
}

static const char *prefix_of(const ob_event_writer *writer, ob_part_kind part)
{
    return part == OB_PART_CALL       ? writer->custom ? "ctc_" : "fc_"
           : part == OB_PART_THINKING ? "rs_"
           : part == OB_PART_IMAGE    ? "ig_"
                                      : "msg_";
}

ob_json ob_responses_begin_part(ob_event_writer *writer, const char *type,
                                ob_part_kind part)
{
    ob_json json = ob_responses_begin(writer, type);
    ob_json_name(&json, "item_id");
    ob_responses_write_item_id(&json, prefix_of(writer, part),
                               answer_id(writer), writer->items);
    ob_json_member_i64(&json, "output_index", writer->items);
    if (part == OB_PART_THINKING)
        ob_json_member_i64(&json, "summary_index", 0);
    else if (part != OB_PART_CALL)
        ob_json_member_i64(&json, "content_index", writer->contents);
    return json;
}

void ob_responses_say_response(ob_event_writer *writer, const char *type,
                               bool ended)
{
    ob_responses_head head = {
        .id = answer_id(writer),
        .model = ob_slice_make(writer->model, writer->model_len),
        .created_s = writer->answering->created_s,
        .ended = ended,
        .finish = writer->finish,
        .usage = ended && writer->usage_known ? &writer->usage : NULL,
        .request = writer->answering->request};
    ob_json json = ob_responses_begin(writer, type);
    ob_json_name(&json, "response");
    ob_responses_write_head(&json, &head, ob_buffer_slice(&writer->output));
    ob_json_event_end(&json);
}

void ob_responses_fail(ob_event_writer *writer, int status, ob_slice text)
{
    if (writer->failed)
        return;
    ob_error_write_event(writer->out, OB_DIALECT_RESPONSES, status, text,
                         writer->answering->id);
    writer->failed = true;
}

void ob_responses_hold(ob_event_writer *writer, ob_slice text)
{
    ob_buffer_append(&writer->held, text);
    if (ob_responses_length(&writer->held) > OB_CALL_BYTES_MAX ||
        ob_responses_length(&writer->output) > OUTPUT_BYTES_MAX)
        ob_responses_fail(
            writer, 502,
            OB_S("the provider's answer is too large to be translated"));
}

void ob_responses_say_delta(ob_event_writer *writer, ob_part_kind part,
                            ob_slice text)
{
    const char *type = part == OB_PART_TEXT      ? "response.output_text.delta"
                       : part == OB_PART_REFUSAL ? "response.refusal.delta"
                       : part == OB_PART_THINKING
                           ? "response.reasoning_summary_text.delta"
                           : "response.function_call_arguments.delta";
    ob_json json = ob_responses_begin_part(writer, type, part);
    ob_json_member(&json, "delta", text);
    if (part == OB_PART_TEXT)
        ob_json_raw(&json, OB_S("\"logprobs\":[]"));
    ob_json_event_end(&json);
    ob_responses_hold(writer, text);
}

/* ---- items ---- */

ob_json ob_responses_open_item(ob_event_writer *writer, ob_part_kind part,
                               const char *type)
{
    ob_json json = {.out = &writer->output, .comma = writer->items > 0};
    writer->item_at =
        ob_responses_length(&writer->output) + (writer->items > 0);
    ob_json_open(&json, '{');
    ob_json_name(&json, "id");
    ob_responses_write_item_id(&json, prefix_of(writer, part),
                               answer_id(writer), writer->items);
    ob_json_member(&json, "type", ob_slice_str(type));
    return json;
}

ob_slice ob_responses_written_from(const ob_event_writer *writer, size_t at)
{
    return ob_slice_from(ob_buffer_slice(&writer->output), at);
}

void ob_responses_say_added(ob_event_writer *writer, const char *rest)
{
    ob_json json = ob_responses_begin(writer, "response.output_item.added");
    ob_json_member_i64(&json, "output_index", writer->items);
    ob_json_name(&json, "item");
    ob_json_raw(&json, ob_responses_written_from(writer, writer->item_at));
    ob_buffer_append_str(json.out, rest);
    ob_json_event_end(&json);
}

void ob_responses_say_done(ob_event_writer *writer)
{
    ob_json json = ob_responses_begin(writer, "response.output_item.done");
    ob_json_member_i64(&json, "output_index", writer->items);
    ob_json_name(&json, "item");
    ob_json_raw(&json, ob_responses_written_from(writer, writer->item_at));
    ob_json_event_end(&json);
    writer->items++;
}

/* openai_stream_write.c - streams of chat completions, written. */
#include "error.h"
#include "openai.h"
#include "openai_custom.h"

/* ---- chunks ---- */

/* Up to the "choices", which the caller opens. */
static void open_chunk(ob_event_writer *writer, ob_json *json)
{
    const ob_answering *answering = writer->answering;
    ob_slice model = ob_slice_make(writer->model, writer->model_len);
    *json = (ob_json){.out = writer->out};
    ob_buffer_append_str(writer->out, "data: ");
    ob_json_open(json, '{');
    ob_openai_write_id(json, ob_slice_make(writer->id, writer->id_len),
                       answering);
    ob_json_member(json, "object", OB_S("chat.completion.chunk"));
    ob_json_member_i64(json, "created", answering->created_s);
    ob_json_member(json, "model", model.len ? model : answering->model);
    ob_json_name(json, "choices");
    ob_json_open(json, '[');
}

static void close_chunk(ob_event_writer *writer, ob_json *json)
{
    ob_json_close(json, '}');
    ob_buffer_append_str(writer->out, "\n\n");
}

/* Up to inside of the "delta". */
static void open_delta(ob_event_writer *writer, ob_json *json, uint32_t choice)
{
    open_chunk(writer, json);
    ob_json_open(json, '{');
    ob_json_member_i64(json, "index", choice);
    ob_json_name(json, "delta");
    ob_json_open(json, '{');
}

static void close_delta(ob_event_writer *writer, ob_json *json,
                        const ob_logprob *logprobs, const char *finish)
{
    ob_json_close(json, '}');
    ob_json_name(json, "logprobs");
    if (logprobs)
        ob_openai_write_logprobs(json, logprobs);
    else
        ob_json_null(json);
    ob_json_name(json, "finish_reason");
    if (finish)
        ob_json_string(json, ob_slice_str(finish));
    else
        ob_json_null(json);
    ob_json_close(json, '}');
    ob_json_close(json, ']');
    /* All chunks have the member where the last one is to. */
    if (writer->answering->stream_usage) {
        ob_json_name(json, "usage");
        ob_json_null(json);
    }
    close_chunk(writer, json);
}

/* The first chunk of each choice. */
static void say_role(ob_event_writer *writer, uint32_t choice)
{
    ob_json json;
    if (writer->said_role[choice])
        return;
    writer->said_role[choice] = true;
    open_delta(writer, &json, choice);
    ob_json_member(&json, "role", OB_S("assistant"));
    ob_json_member(&json, "content", OB_S(""));
    close_delta(writer, &json, NULL, NULL);
}

/* ---- parts ---- */

/* Up to inside of the "function" of the one call in a delta. */
static void open_function(ob_json *json, uint32_t ordinal)
{
    ob_json_name(json, "tool_calls");
    ob_json_open(json, '[');
    ob_json_open(json, '{');
    ob_json_member_i64(json, "index", ordinal);
}

static void close_function(ob_json *json)
{
    ob_json_close(json, '}');
    ob_json_close(json, '}');
    ob_json_close(json, ']');
}

/* Its input comes as JSON, which is held until it is whole: of the first choice
 * alone, since there is one place to hold it. */
static bool is_custom(ob_event_writer *writer, const ob_event *event)
{
    if (event->choice > 0)
        return false;
    writer->custom =
        ob_custom_find(writer->answering->request, event->name).custom;
    ob_buffer_clear(&writer->held);
    return writer->custom;
}

static bool holds(const ob_event_writer *writer, const ob_event *event)
{
    return writer->custom && event->choice == 0;
}

static void hold(ob_event_writer *writer, ob_slice text)
{
    ob_buffer_append(&writer->held, text);
    writer->failed |= writer->held.failed ||
                      writer->held.end - writer->held.start > OB_CALL_BYTES_MAX;
}

static void write_call(ob_event_writer *writer, const ob_event *event)
{
    ob_json json;
    ob_slice id = ob_carry(writer->answering->arena, event->id,
                           event->signature, event->signed_by);
    bool custom = is_custom(writer, event);
    const char *type = custom ? "custom" : "function";
    writer->said[event->choice].arguments = false;
    open_delta(writer, &json, event->choice);
    open_function(&json, event->ordinal);
    ob_json_member(&json, "id", id);
    ob_json_member(&json, "type", ob_slice_str(type));
    ob_json_name(&json, type);
    ob_json_open(&json, '{');
    ob_json_member(&json, "name", event->name);
    ob_json_member(&json, custom ? "input" : "arguments", OB_S(""));
    close_function(&json);
    close_delta(writer, &json, NULL, NULL);
}

static void write_arguments(ob_event_writer *writer, const ob_event *event,
                            ob_slice text)
{
    ob_json json;
    writer->said[event->choice].arguments = true;
    open_delta(writer, &json, event->choice);
    open_function(&json, event->ordinal);
    ob_json_name(&json, "function");
    ob_json_open(&json, '{');
    ob_json_member(&json, "arguments", text);
    close_function(&json);
    close_delta(writer, &json, NULL, NULL);
}

static void write_input(ob_event_writer *writer, const ob_event *event)
{
    ob_json json;
    ob_slice input = ob_custom_input(writer->answering->arena,
                                     ob_buffer_slice(&writer->held));
    open_delta(writer, &json, event->choice);
    open_function(&json, event->ordinal);
    ob_json_name(&json, "custom");
    ob_json_open(&json, '{');
    ob_json_member(&json, "input", input);
    close_function(&json);
    close_delta(writer, &json, NULL, NULL);
    writer->custom = false;
}

static void close_call(ob_event_writer *writer, const ob_event *event)
{
    if (holds(writer, event))
        write_input(writer, event);
    else if (!writer->said[event->choice].arguments)
        write_arguments(writer, event, OB_S("{}"));
}

static void write_text(ob_event_writer *writer, const ob_event *event)
{
    const char *name = event->part == OB_PART_THINKING  ? "reasoning_content"
                       : event->part == OB_PART_REFUSAL ? "refusal"
                                                        : "content";
    ob_json json;
    if (event->part == OB_PART_TEXT)
        writer->said[event->choice].chars += ob_text_chars(event->text);
    open_delta(writer, &json, event->choice);
    ob_json_member(&json, name, event->text);
    close_delta(writer, &json, NULL, NULL);
}

static void write_delta(ob_event_writer *writer, const ob_event *event)
{
    switch (event->part) {
    case OB_PART_TEXT:
    case OB_PART_THINKING:
    case OB_PART_REFUSAL:
        if (event->text.len)
            write_text(writer, event);
        return;
    case OB_PART_CALL:
        if (holds(writer, event))
            hold(writer, event->text);
        else if (event->text.len)
            write_arguments(writer, event, event->text);
        return;
    case OB_PART_IMAGE:
    case OB_PART_AUDIO:
    case OB_PART_FILE:
    case OB_PART_RESULT:
        return;
    }
}

static void write_citation(ob_event_writer *writer, const ob_event *event)
{
    int64_t begin = writer->said[event->choice].begin;
    int64_t end = writer->said[event->choice].chars;
    const ob_citation *citation = event->citation;
    ob_json json;
    /* One of a document that the caller sent has no place here. */
    if (!citation || !citation->url.len)
        return;
    if (citation->end >= 0)
        end = begin + citation->end;
    if (citation->begin >= 0)
        begin += citation->begin;
    open_delta(writer, &json, event->choice);
    ob_json_name(&json, "annotations");
    ob_json_open(&json, '[');
    ob_openai_write_citation(&json, citation, begin, end);
    ob_json_close(&json, ']');
    close_delta(writer, &json, NULL, NULL);
}

static void write_bare(ob_event_writer *writer, uint32_t choice,
                       const ob_logprob *logprobs, const char *finish)
{
    ob_json json;
    open_delta(writer, &json, choice);
    close_delta(writer, &json, logprobs, finish);
}

/* ---- the ends ---- */

static void write_end(ob_event_writer *writer)
{
    ob_json json;
    if (writer->usage_known && writer->answering->stream_usage) {
        open_chunk(writer, &json);
        ob_json_close(&json, ']');
        ob_openai_write_usage(&json, &writer->usage);
        close_chunk(writer, &json);
    }
    ob_buffer_append_str(writer->out, "data: [DONE]\n\n");
}

static void take_start(ob_event_writer *writer, const ob_event *event)
{
    writer->id_len = ob_event_keep(writer->id, sizeof(writer->id), event->id);
    writer->model_len =
        ob_event_keep(writer->model, sizeof(writer->model), event->name);
    say_role(writer, 0);
}

static void write_media(ob_event_writer *writer, const ob_event *event)
{
    ob_json json;
    if (event->part != OB_PART_IMAGE) {
        ob_event words = *event;
        words.part = OB_PART_TEXT;
        words.text = ob_part_words(writer->answering->arena, event->media);
        write_text(writer, &words);
        return;
    }
    open_delta(writer, &json, event->choice);
    ob_json_name(&json, "images");
    ob_json_open(&json, '[');
    ob_openai_write_image(&json, event->media);
    ob_json_close(&json, ']');
    close_delta(writer, &json, NULL, NULL);
}

static void write_open(ob_event_writer *writer, const ob_event *event)
{
    if (event->part == OB_PART_CALL)
        write_call(writer, event);
    if (event->media)
        write_media(writer, event);
    writer->said[event->choice].begin = writer->said[event->choice].chars;
}

static void write_of_choice(ob_event_writer *writer, const ob_event *event)
{
    if (event->choice >= OB_STREAM_CHOICES_MAX)
        return;
    say_role(writer, event->choice);
    switch (event->kind) {
    case OB_EVENT_OPEN:
        write_open(writer, event);
        return;
    case OB_EVENT_DELTA:
        write_delta(writer, event);
        return;
    case OB_EVENT_CITE:
        write_citation(writer, event);
        return;
    case OB_EVENT_LOGPROBS:
        write_bare(writer, event->choice, event->logprobs, NULL);
        return;
    case OB_EVENT_CLOSE:
        if (event->part == OB_PART_CALL)
            close_call(writer, event);
        return;
    case OB_EVENT_FINISH:
        write_bare(writer, event->choice, NULL,
                   ob_openai_finish_name(event->finish));
        return;
    default: /* a signature has no place here */
        return;
    }
}

void ob_openai_write_event(ob_event_writer *writer, const ob_event *event)
{
    switch (event->kind) {
    case OB_EVENT_START:
        take_start(writer, event);
        return;
    case OB_EVENT_USAGE:
        writer->usage = event->usage;
        writer->usage_known = true;
        return;
    case OB_EVENT_ERROR:
        ob_error_write_event(writer->out, OB_DIALECT_OPENAI, event->status,
                             event->text, writer->answering->id);
        return;
    case OB_EVENT_END:
        write_end(writer);
        return;
    default:
        write_of_choice(writer, event);
    }
}

const ob_codec ob_codec_openai = {
    .read_request = ob_openai_read_request,
    .write_request = ob_openai_write_request,
    .read_answer = ob_openai_read_answer,
    .write_answer = ob_openai_write_answer,
    .read_event = ob_openai_read_event,
    .read_end = ob_openai_read_end,
    .write_event = ob_openai_write_event,
};

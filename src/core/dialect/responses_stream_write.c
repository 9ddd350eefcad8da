/*
 * responses_stream_write.c - writes the events of a response's stream; how
 * `output` and `held` stand is in responses_stream.h.
 */
#include "openai_custom.h"
#include "responses_stream.h"

/* ---- messages ---- */

static void open_message(ob_event_writer *writer)
{
    ob_json json = ob_responses_open_item(writer, OB_PART_TEXT, "message");
    ob_json_member(&json, "role", OB_S("assistant"));
    ob_responses_say_added(writer,
                           ",\"status\":\"in_progress\",\"content\":[]}");
    ob_json_name(&json, "content");
    ob_json_open(&json, '[');
    writer->in_message = true;
    writer->contents = 0;
}

/* How it ended is known at its end alone. */
static void close_message(ob_event_writer *writer)
{
    ob_json json = {.out = &writer->output};
    if (!writer->in_message)
        return;
    ob_json_close(&json, ']');
    ob_json_member(&json, "status", ob_responses_item_status(writer->finish));
    ob_json_close(&json, '}');
    writer->in_message = false;
    ob_responses_say_done(writer);
}

static void say_part(ob_event_writer *writer, const char *type,
                     ob_part_kind part, ob_slice text)
{
    ob_json json = ob_responses_begin_part(writer, type, part);
    ob_json_name(&json, "part");
    ob_json_raw(&json, text);
    ob_json_event_end(&json);
}

static void open_content(ob_event_writer *writer, ob_part_kind part)
{
    bool refuses = part == OB_PART_REFUSAL;
    if (!writer->in_message)
        open_message(writer);
    if (writer->contents)
        ob_buffer_append_char(&writer->output, ',');
    writer->part_at = ob_responses_length(&writer->output);
    if (refuses) {
        ob_buffer_append_str(&writer->output, "{\"type\":\"refusal\"");
        say_part(writer, "response.content_part.added", part,
                 OB_S("{\"type\":\"refusal\",\"refusal\":\"\"}"));
        return;
    }
    ob_buffer_append_str(&writer->output,
                         "{\"type\":\"output_text\",\"logprobs\":[");
    writer->list_at = ob_responses_length(&writer->output);
    writer->citations = 0;
    ob_buffer_append_str(&writer->output, "],\"annotations\":[");
    say_part(writer, "response.content_part.added", part,
             OB_S("{\"type\":\"output_text\",\"logprobs\":[],"
                  "\"annotations\":[],\"text\":\"\"}"));
}

/* The logprobs of the part that is open, with brackets. */
static ob_slice logprobs_of(const ob_event_writer *writer)
{
    static const ob_slice before = OB_S_INIT("{\"type\":\"output_text\","
                                             "\"logprobs\":");
    size_t from = writer->part_at + before.len;
    return ob_slice_head(ob_responses_written_from(writer, from),
                         writer->list_at + 1 - from);
}

static void say_text_done(ob_event_writer *writer, ob_part_kind part)
{
    bool refuses = part == OB_PART_REFUSAL;
    ob_json json = ob_responses_begin_part(
        writer, refuses ? "response.refusal.done" : "response.output_text.done",
        part);
    ob_json_member(&json, refuses ? "refusal" : "text",
                   ob_buffer_slice(&writer->held));
    if (!refuses) {
        ob_json_name(&json, "logprobs");
        ob_json_raw(&json, logprobs_of(writer));
    }
    ob_json_event_end(&json);
}

static void close_content(ob_event_writer *writer, ob_part_kind part)
{
    ob_json json = {.out = &writer->output};
    say_text_done(writer, part);
    ob_buffer_append_str(&writer->output, part == OB_PART_REFUSAL
                                              ? ",\"refusal\":"
                                              : "],\"text\":");
    ob_json_string(&json, ob_buffer_slice(&writer->held));
    ob_json_close(&json, '}');
    say_part(writer, "response.content_part.done", part,
             ob_responses_written_from(writer, writer->part_at));
    writer->contents++;
}

static void say_logprobs(ob_event_writer *writer, const ob_event *event)
{
    ob_buffer list = {0};
    ob_json items = {.out = &list};
    for (const ob_logprob *one = event->logprobs; one; one = one->next)
        ob_responses_write_logprob(&items, one);
    ob_json json = ob_responses_begin_part(writer, "response.output_text.delta",
                                           OB_PART_TEXT);
    ob_json_member(&json, "delta", OB_S(""));
    ob_json_name(&json, "logprobs");
    ob_json_open(&json, '[');
    ob_json_raw(&json, ob_buffer_slice(&list));
    ob_json_close(&json, ']');
    ob_json_event_end(&json);
    if (!writer->output.failed && ob_responses_length(&list)) {
        bool first =
            ob_responses_written_from(writer, writer->list_at - 1).ptr[0] ==
            '[';
        if (!first) {
            ob_responses_insert(&writer->output, writer->list_at, OB_S(","));
            writer->list_at++;
        }
        ob_responses_insert(&writer->output, writer->list_at,
                            ob_buffer_slice(&list));
        writer->list_at += ob_responses_length(&list);
    }
    writer->out->failed |= list.failed;
    ob_buffer_deinit(&list);
}

static void say_citation(ob_event_writer *writer, const ob_event *event)
{
    ob_json list = {.out = &writer->output, .comma = writer->citations > 0};
    int64_t chars = ob_text_chars(ob_buffer_slice(&writer->held));
    if (!event->citation->url.len)
        return;
    ob_responses_write_citation(&list, event->citation, chars);
    ob_json json = ob_responses_begin_part(
        writer, "response.output_text.annotation.added", OB_PART_TEXT);
    ob_json_member_i64(&json, "annotation_index", writer->citations++);
    ob_json_name(&json, "annotation");
    ob_responses_write_citation(&json, event->citation, chars);
    ob_json_event_end(&json);
}

/* ---- thinking ---- */

static void sign(ob_event_writer *writer, const ob_event *event)
{
    ob_json json = {.out = &writer->output, .comma = true};
    if (!event->signature.len)
        return;
    /* The last one counts. */
    writer->output.end = writer->output.start + writer->list_at;
    ob_responses_write_signature(&json, event->signature, event->signed_by,
                                 event->redacted);
}

static void open_thinking(ob_event_writer *writer, const ob_event *event)
{
    (void)ob_responses_open_item(writer, OB_PART_THINKING, "reasoning");
    writer->list_at = ob_responses_length(&writer->output);
    ob_responses_say_added(writer, ",\"summary\":[]}");
    sign(writer, event);
}

/* A text's signature stands in an item of its own behind its message. */
static void say_text_signature(ob_event_writer *writer)
{
    ob_slice signature = ob_buffer_slice(&writer->signature);
    if (!signature.len)
        return;
    close_message(writer);
    ob_json json =
        ob_responses_open_item(writer, OB_PART_THINKING, "reasoning");
    ob_responses_say_added(writer, ",\"summary\":[]}");
    ob_json_member(&json, "encrypted_content",
                   ob_mark_text(writer->answering->arena, signature));
    ob_json_raw(&json, OB_S("\"summary\":[]"));
    ob_json_close(&json, '}');
    ob_responses_say_done(writer);
    ob_buffer_clear(&writer->signature);
}

static void keep_text_signature(ob_event_writer *writer, const ob_event *event)
{
    if (event->signed_by != OB_DIALECT_GEMINI)
        return;
    ob_buffer_clear(&writer->signature);
    ob_buffer_append(&writer->signature, event->signature);
}

static void say_summary(ob_event_writer *writer, const char *type,
                        ob_slice text)
{
    ob_json json = ob_responses_begin_part(writer, type, OB_PART_THINKING);
    ob_json_name(&json, "part");
    ob_json_open(&json, '{');
    ob_json_member(&json, "type", OB_S("summary_text"));
    ob_json_member(&json, "text", text);
    ob_json_close(&json, '}');
    ob_json_event_end(&json);
}

static void close_thinking(ob_event_writer *writer)
{
    ob_json json = {.out = &writer->output, .comma = true};
    ob_slice text = ob_buffer_slice(&writer->held);
    ob_json_name(&json, "summary");
    ob_json_open(&json, '[');
    if (text.len) {
        ob_json done = ob_responses_begin_part(
            writer, "response.reasoning_summary_text.done", OB_PART_THINKING);
        ob_json_member(&done, "text", text);
        ob_json_event_end(&done);
        say_summary(writer, "response.reasoning_summary_part.done", text);
        ob_json_open(&json, '{');
        ob_json_member(&json, "type", OB_S("summary_text"));
        ob_json_member(&json, "text", text);
        ob_json_close(&json, '}');
    }
    ob_json_close(&json, ']');
    ob_json_close(&json, '}');
    ob_responses_say_done(writer);
}

/* ---- calls ---- */

static void open_call(ob_event_writer *writer, const ob_event *event)
{
    ob_asked_tool tool =
        ob_custom_find(writer->answering->request, event->name);
    writer->custom = tool.custom;
    ob_json json = ob_responses_open_item(writer, OB_PART_CALL,
                                          tool.custom ? "custom_tool_call"
                                                      : "function_call");
    ob_json_member(&json, "call_id",
                   ob_carry(writer->answering->arena, event->id,
                            event->signature, event->signed_by));
    ob_json_member_told(&json, "namespace", tool.space);
    ob_json_name(&json, "name");
    writer->part_at = ob_responses_length(&writer->output);
    ob_json_string(&json, tool.name);
    writer->list_at = ob_responses_length(&writer->output);
    ob_responses_say_added(
        writer, tool.custom
                    ? ",\"status\":\"in_progress\",\"input\":\"\"}"
                    : ",\"status\":\"in_progress\",\"arguments\":\"\"}");
}

static void end_call(ob_event_writer *writer, const char *name, ob_slice text,
                     ob_finish finish)
{
    ob_json json = {.out = &writer->output, .comma = true};
    ob_json_member(&json, "status", ob_responses_item_status(finish));
    ob_json_member(&json, name, text);
    ob_json_close(&json, '}');
    ob_responses_say_done(writer);
}

static void say_input(ob_event_writer *writer, const char *type,
                      const char *name, ob_slice text)
{
    ob_json json = ob_responses_begin_part(writer, type, OB_PART_CALL);
    ob_json_member(&json, name, text);
    ob_json_event_end(&json);
}

/* The input comes as JSON, which is held until it is whole. */
static void close_custom_call(ob_event_writer *writer, ob_finish finish)
{
    ob_slice text = ob_custom_input(writer->answering->arena,
                                    ob_buffer_slice(&writer->held));
    say_input(writer, "response.custom_tool_call_input.delta", "delta", text);
    say_input(writer, "response.custom_tool_call_input.done", "input", text);
    end_call(writer, "input", text, finish);
    writer->custom = false;
}

static void close_call(ob_event_writer *writer, ob_finish finish)
{
    if (writer->custom) {
        close_custom_call(writer, finish);
        return;
    }
    if (!ob_responses_length(&writer->held))
        ob_responses_say_delta(writer, OB_PART_CALL, OB_S("{}"));
    ob_slice text = ob_buffer_slice(&writer->held);
    ob_json done = ob_responses_begin_part(
        writer, "response.function_call_arguments.done", OB_PART_CALL);
    ob_json_name(&done, "name");
    ob_json_raw(
        &done, ob_slice_head(ob_responses_written_from(writer, writer->part_at),
                             writer->list_at - writer->part_at));
    ob_json_member(&done, "arguments", text);
    ob_json_event_end(&done);
    end_call(writer, "arguments", text, finish);
}

/* ---- events ---- */

static void start(ob_event_writer *writer, const ob_event *event)
{
    ob_slice model = event->name.len ? event->name : writer->answering->model;
    model = ob_slice_head(model, sizeof(writer->model));
    if (model.len)
        memcpy(writer->model, model.ptr, model.len);
    writer->model_len = model.len;
    writer->id_len = ob_responses_id(event->id, writer->answering, writer->id,
                                     sizeof(writer->id))
                         .len;
    ob_responses_say_response(writer, "response.created", false);
    ob_responses_say_response(writer, "response.in_progress", false);
}

static void open_part(ob_event_writer *writer, const ob_event *event);
static void close_part(ob_event_writer *writer, const ob_event *event);

/* It is whole: an image with its data is an item; other media are told of in
 * words. */
static void write_media(ob_event_writer *writer, const ob_event *event)
{
    const ob_part *media = event->media;
    if (media->kind != OB_PART_IMAGE || !media->data.len) {
        static const ob_event text = {.part = OB_PART_TEXT};
        open_part(writer, &text);
        ob_responses_say_delta(writer, OB_PART_TEXT,
                               ob_part_words(writer->answering->arena, media));
        close_part(writer, &text);
        return;
    }
    close_message(writer);
    ob_json json =
        ob_responses_open_item(writer, OB_PART_IMAGE, "image_generation_call");
    ob_responses_say_added(writer,
                           ",\"status\":\"in_progress\",\"result\":null}");
    ob_json_member(&json, "status", OB_S("completed"));
    ob_json_member(&json, "result", media->data);
    ob_json_close(&json, '}');
    ob_responses_say_done(writer);
}

static bool is_said(ob_part_kind part)
{
    return part == OB_PART_TEXT || part == OB_PART_REFUSAL ||
           part == OB_PART_THINKING || part == OB_PART_CALL;
}

static void open_part(ob_event_writer *writer, const ob_event *event)
{
    ob_buffer_clear(&writer->held);
    if (event->part == OB_PART_TEXT || event->part == OB_PART_REFUSAL) {
        open_content(writer, event->part);
        return;
    }
    close_message(writer);
    if (event->part == OB_PART_THINKING)
        open_thinking(writer, event);
    else
        open_call(writer, event);
}

static void go_on(ob_event_writer *writer, const ob_event *event)
{
    if (!event->text.len)
        return;
    if (event->part == OB_PART_THINKING && !ob_responses_length(&writer->held))
        say_summary(writer, "response.reasoning_summary_part.added", OB_S(""));
    if (event->part == OB_PART_CALL && writer->custom)
        ob_responses_hold(writer, event->text);
    else
        ob_responses_say_delta(writer, event->part, event->text);
}

static void close_part(ob_event_writer *writer, const ob_event *event)
{
    if (event->part == OB_PART_THINKING)
        close_thinking(writer);
    else if (event->part == OB_PART_CALL)
        close_call(writer, event->finish);
    else
        close_content(writer, event->part);
    if (event->part == OB_PART_TEXT)
        say_text_signature(writer);
}

static void finish(ob_event_writer *writer)
{
    const char *status = ob_responses_status(writer->finish);
    close_message(writer);
    ob_responses_say_response(writer,
                              *status == 'c'   ? "response.completed"
                              : *status == 'i' ? "response.incomplete"
                                               : "response.failed",
                              true);
}

static void write_of_part(ob_event_writer *writer, const ob_event *event)
{
    if (event->kind == OB_EVENT_OPEN && event->media)
        write_media(writer, event);
    if (!is_said(event->part))
        return;
    if (event->kind == OB_EVENT_OPEN)
        open_part(writer, event);
    else if (event->kind == OB_EVENT_DELTA)
        go_on(writer, event);
    else if (event->kind == OB_EVENT_CLOSE)
        close_part(writer, event);
    else if (event->kind == OB_EVENT_SIGN && event->part == OB_PART_THINKING)
        sign(writer, event);
    else if (event->kind == OB_EVENT_SIGN && event->part == OB_PART_TEXT)
        keep_text_signature(writer, event);
    else if (event->kind == OB_EVENT_CITE && event->part == OB_PART_TEXT)
        say_citation(writer, event);
    else if (event->kind == OB_EVENT_LOGPROBS && event->part == OB_PART_TEXT)
        say_logprobs(writer, event);
}

void ob_responses_write_event(ob_event_writer *writer, const ob_event *event)
{
    if (writer->failed || event->choice > 0)
        return;
    switch (event->kind) {
    case OB_EVENT_START:
        start(writer, event);
        break;
    case OB_EVENT_FINISH:
        writer->finish = event->finish;
        close_message(writer);
        break;
    case OB_EVENT_USAGE:
        writer->usage = event->usage;
        writer->usage_known = ob_responses_counts(&event->usage);
        break;
    case OB_EVENT_ERROR:
        ob_responses_fail(writer, event->status, event->text);
        break;
    case OB_EVENT_END:
        finish(writer);
        break;
    default:
        write_of_part(writer, event);
    }
    writer->failed |= writer->held.failed || writer->output.failed ||
                      writer->signature.failed;
}

/*
 * gemini_stream_write.c - writes the stream of streamGenerateContent: pieces of
 * an answer, as events with alt=sse, and else as the elements of one array:
 *
 *   [{…}
 *   ,
 *   {…}
 *   ]
 *
 * The array is closed where the answer ended as it should; an error is its last
 * element and leaves it open.
 */
#include "error.h"
#include "gemini.h"

/* ---- pieces ---- */

static ob_slice answer_id(const ob_event_writer *w)
{
    return w->id_len ? ob_slice_make(w->id, w->id_len) : w->answering->id;
}

static void begin_element(ob_event_writer *w)
{
    if (!w->array)
        ob_buffer_append_str(w->out, "data: ");
    else
        ob_buffer_append_str(w->out, w->array_begun ? "\n,\n" : "[");
    w->array_begun = true;
}

static ob_json begin_chunk(ob_event_writer *w)
{
    ob_json json = {w->out, false};
    begin_element(w);
    ob_json_open(&json, '{');
    return json;
}

static void end_chunk(ob_event_writer *w, ob_json *json)
{
    ob_json_member(json, "modelVersion",
                   w->model_len ? ob_slice_make(w->model, w->model_len)
                                : w->answering->model);
    ob_json_member(json, "responseId", answer_id(w));
    ob_json_close(json, '}');
    if (!w->array)
        ob_buffer_append_str(w->out, "\n\n");
}

static void write_error(ob_event_writer *w, int status, ob_slice text)
{
    w->failed = true;
    if (!w->array) {
        ob_error_write_event(w->out, OB_DIALECT_GEMINI, status, text,
                             w->answering->id);
        return;
    }
    begin_element(w);
    ob_error_write(w->out, OB_DIALECT_GEMINI, status, text, w->answering->id);
}

/* Up to the parts of the one candidate. */
static ob_json begin_parts(ob_event_writer *w)
{
    ob_json json = begin_chunk(w);
    ob_json_name(&json, "candidates");
    ob_json_open(&json, '[');
    ob_json_open(&json, '{');
    ob_json_name(&json, "content");
    ob_json_open(&json, '{');
    ob_json_member(&json, "role", OB_S("model"));
    ob_json_name(&json, "parts");
    ob_json_open(&json, '[');
    ob_json_open(&json, '{');
    return json;
}

static void end_parts(ob_json *json)
{
    ob_json_close(json, '}');
    ob_json_close(json, ']');
    ob_json_close(json, '}');
}

static void end_candidate(ob_json *json, uint32_t choice)
{
    ob_json_member_i64(json, "index", choice);
    ob_json_close(json, '}');
    ob_json_close(json, ']');
}

/* A piece of text or thought, with a signature at its end. */
static void write_words(ob_event_writer *w, const ob_event *event,
                        ob_slice signature)
{
    ob_slice carried = ob_gemini_carry(w->answering->arena, signature,
                                       event->signed_by, event->redacted);
    if (!event->text.len && !carried.len)
        return;
    ob_json json = begin_parts(w);
    ob_json_member(&json, "text", event->text);
    if (event->part == OB_PART_THINKING &&
        !(event->redacted && event->signed_by == OB_DIALECT_GEMINI)) {
        ob_json_name(&json, "thought");
        ob_json_bool(&json, true);
    }
    ob_json_member_told(&json, "thoughtSignature", carried);
    end_parts(&json);
    end_candidate(&json, event->choice);
    end_chunk(w, &json);
}

/* ---- where texts are from ---- */

static void count_text(ob_event_writer *w, const ob_event *event)
{
    uint32_t choice = event->choice;
    if (event->kind == OB_EVENT_OPEN) {
        w->said[choice].begin = w->said[choice].chars;
        w->said[choice].plain = 0;
    }
    bool plain =
        w->said[choice].begin + w->said[choice].plain == w->said[choice].chars;
    for (size_t i = 0; plain && i < event->text.len; i++) {
        plain = (unsigned char)event->text.ptr[i] < 0x80;
        w->said[choice].plain += plain;
    }
    w->said[choice].chars += (int64_t)event->text.len;
}

/* Characters of the open part as bytes of the text, where they are the same;
 * not told at all, it is the part up to now. */
static ob_gemini_segment segment_of(const ob_event_writer *w,
                                    const ob_event *event)
{
    const ob_citation *citation = event->citation;
    int64_t begin = w->said[event->choice].begin;
    if (citation->end < 0)
        return (ob_gemini_segment){.begin = begin,
                                   .end = w->said[event->choice].chars};
    if (citation->begin < 0 || citation->end > w->said[event->choice].plain)
        return (ob_gemini_segment){.end = -1};
    return (ob_gemini_segment){.begin = begin + citation->begin,
                               .end = begin + citation->end};
}

static void write_citation(ob_event_writer *w, const ob_event *event)
{
    ob_gemini_segment segment = segment_of(w, event);
    ob_json json = begin_chunk(w);
    ob_json_name(&json, "candidates");
    ob_json_open(&json, '[');
    ob_json_open(&json, '{');
    ob_json_name(&json, "groundingMetadata");
    ob_json_open(&json, '{');
    ob_json_name(&json, "groundingChunks");
    ob_json_open(&json, '[');
    ob_gemini_write_source(&json, event->citation);
    ob_json_close(&json, ']');
    ob_json_name(&json, "groundingSupports");
    ob_json_open(&json, '[');
    ob_gemini_write_support(&json, &segment, 0);
    ob_json_close(&json, ']');
    ob_json_close(&json, '}');
    end_candidate(&json, event->choice);
    end_chunk(w, &json);
}

/* Clients lose a signature that stands alone. So the last words of thinking
 * wait until it is known whether one follows, which then stands beside them. */
static void hold_thinking(ob_event_writer *w, const ob_event *event)
{
    if (w->items || event->text.len > OB_CALL_BYTES_MAX) {
        write_words(w, event, OB_S(""));
        return;
    }
    ob_buffer_clear(&w->held);
    ob_buffer_append(&w->held, event->text);
    w->contents = event->choice + 1;
}

/* `next` is what follows the thinking; whether that is said with it. */
static bool tell_thinking(ob_event_writer *w, const ob_event *next)
{
    ob_event words = {.part = OB_PART_THINKING,
                      .choice = w->contents - 1,
                      .text = ob_buffer_slice(&w->held)};
    bool signs = next->kind == OB_EVENT_SIGN &&
                 next->part == OB_PART_THINKING && next->choice == words.choice;
    if (!w->contents || next->kind == OB_EVENT_USAGE)
        return false;
    words.signed_by = next->signed_by;
    write_words(w, &words, signs ? next->signature : OB_S(""));
    w->contents = 0;
    return signs;
}

static void fail(ob_event_writer *w, const char *text)
{
    write_error(w, 502, ob_slice_str(text));
}

/* ---- calls, which are said whole ---- */

/* `items` is the choice whose call is held, and one; `output` its signature. */
static void open_call(ob_event_writer *w, const ob_event *event)
{
    if (w->items) {
        fail(w, "the provider sends two tool calls in turns, which this API "
                "cannot say");
        return;
    }
    w->items = event->choice + 1;
    w->call_id_len = ob_event_keep(w->call_id, sizeof(w->call_id), event->id);
    w->name_len = ob_event_keep(w->name, sizeof(w->name), event->name);
    ob_buffer_clear(&w->held);
    ob_buffer_clear(&w->output);
}

static void sign_call(ob_event_writer *w, const ob_event *event)
{
    ob_buffer_clear(&w->output);
    ob_buffer_append(&w->output,
                     ob_gemini_carry(w->answering->arena, event->signature,
                                     event->signed_by, false));
}

static void hold(ob_event_writer *w, const ob_event *event)
{
    if (w->held.end - w->held.start + event->text.len > OB_CALL_BYTES_MAX)
        fail(w, "the provider's tool call is too long");
    else
        ob_buffer_append(&w->held, event->text);
}

static void write_call(ob_event_writer *w, uint32_t choice)
{
    ob_json json = begin_parts(w);
    ob_json_name(&json, "functionCall");
    ob_json_open(&json, '{');
    ob_json_member_told(&json, "id", ob_slice_make(w->call_id, w->call_id_len));
    ob_json_member(&json, "name", ob_slice_make(w->name, w->name_len));
    ob_json_name(&json, "args");
    ob_gemini_write_args(&json, ob_buffer_slice(&w->held));
    ob_json_close(&json, '}');
    ob_json_member_told(&json, "thoughtSignature", ob_buffer_slice(&w->output));
    end_parts(&json);
    end_candidate(&json, choice);
    end_chunk(w, &json);
    w->items = 0;
}

/* ---- the end ---- */

static ob_json begin_finish(ob_event_writer *w, ob_finish finish,
                            uint32_t choice)
{
    ob_json json = begin_parts(w);
    ob_json_member(&json, "text", OB_S(""));
    end_parts(&json);
    ob_json_member(&json, "finishReason", ob_gemini_finish_name(finish));
    end_candidate(&json, choice);
    return json;
}

/* The first choice's waits for the usage, which stands beside it. */
static void write_finish(ob_event_writer *w, const ob_event *event)
{
    if (event->choice == 0) {
        w->finish = event->finish;
        return;
    }
    ob_json json = begin_finish(w, event->finish, event->choice);
    end_chunk(w, &json);
}

static void write_end(ob_event_writer *w)
{
    ob_json json = begin_finish(w, w->finish, 0);
    if (w->usage_known)
        ob_gemini_write_usage(&json, &w->usage);
    end_chunk(w, &json);
    if (w->array)
        ob_buffer_append_str(w->out, "\n]");
}

static void write_logprobs(ob_event_writer *w, const ob_event *event)
{
    ob_json json = begin_chunk(w);
    ob_json_name(&json, "candidates");
    ob_json_open(&json, '[');
    ob_json_open(&json, '{');
    ob_gemini_write_logprobs(&json, event->logprobs);
    end_candidate(&json, event->choice);
    end_chunk(w, &json);
}

static void start(ob_event_writer *w, const ob_event *event)
{
    w->id_len = ob_event_keep(w->id, sizeof(w->id), event->id);
    w->model_len = ob_event_keep(w->model, sizeof(w->model), event->name);
}

static void write_of_call(ob_event_writer *w, const ob_event *event)
{
    switch (event->kind) {
    case OB_EVENT_OPEN:
        open_call(w, event);
        if (event->signature.len)
            sign_call(w, event);
        return;
    case OB_EVENT_DELTA:
        hold(w, event);
        return;
    case OB_EVENT_SIGN:
        sign_call(w, event);
        return;
    case OB_EVENT_CLOSE:
        write_call(w, event->choice);
        return;
    default:
        return;
    }
}

static void write_media(ob_event_writer *w, const ob_event *event)
{
    ob_json json = begin_parts(w);
    ob_gemini_write_media(&json, event->media);
    ob_json_member_told(&json, "thoughtSignature",
                        ob_gemini_carry(w->answering->arena, event->signature,
                                        event->signed_by, false));
    end_parts(&json);
    end_candidate(&json, event->choice);
    end_chunk(w, &json);
}

static void write_of_words(ob_event_writer *w, const ob_event *event)
{
    if (event->media) {
        write_media(w, event);
        return;
    }
    if (event->part == OB_PART_TEXT && event->choice < OB_STREAM_CHOICES_MAX)
        count_text(w, event);
    if (event->kind == OB_EVENT_DELTA && event->part == OB_PART_THINKING)
        hold_thinking(w, event);
    else if (event->kind == OB_EVENT_DELTA)
        write_words(w, event, OB_S(""));
    else if (event->kind == OB_EVENT_OPEN || event->kind == OB_EVENT_SIGN)
        write_words(w, event, event->signature);
}

void ob_gemini_write_event(ob_event_writer *w, const ob_event *event)
{
    if (w->failed || tell_thinking(w, event))
        return;
    switch (event->kind) {
    case OB_EVENT_START:
        start(w, event);
        break;
    case OB_EVENT_OPEN:
    case OB_EVENT_DELTA:
    case OB_EVENT_SIGN:
    case OB_EVENT_CLOSE:
        if (event->part == OB_PART_CALL)
            write_of_call(w, event);
        else
            write_of_words(w, event);
        break;
    case OB_EVENT_LOGPROBS:
        write_logprobs(w, event);
        break;
    case OB_EVENT_FINISH:
        write_finish(w, event);
        break;
    case OB_EVENT_USAGE:
        w->usage = event->usage;
        w->usage_known = true;
        break;
    case OB_EVENT_ERROR:
        write_error(w, event->status, event->text);
        break;
    case OB_EVENT_END:
        write_end(w);
        break;
    case OB_EVENT_CITE:
        if (event->choice < OB_STREAM_CHOICES_MAX && event->citation)
            write_citation(w, event);
        break;
    }
    w->failed |= w->out->failed || w->held.failed || w->output.failed;
}

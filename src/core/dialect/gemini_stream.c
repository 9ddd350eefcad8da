/*
 * gemini_stream.c - reads and writes the stream of streamGenerateContent with
 * alt=sse: pieces of an answer as events without a name, and no "[DONE]".
 */
#include "error.h"
#include "gemini.h"

/* ---- reading ---- */

static void tell(ob_event_reader *r, const ob_event *event)
{
    r->take(r->context, event);
}

static void tell_error(ob_event_reader *r, yyjson_val *error)
{
    int64_t code = ob_gemini_get_i64(error, "code", 502);
    ob_slice message = ob_gemini_get_text(error, "message");
    tell(r, &(ob_event){.kind = OB_EVENT_ERROR,
                        .status = code >= 400 && code < 600 ? (int)code : 502,
                        .text = message.len ? message
                                            : OB_S("the provider failed")});
    r->ended = true;
}

static void read_call(ob_event_reader *r, uint32_t choice, yyjson_val *call,
                      ob_slice signature)
{
    yyjson_val *args = ob_gemini_get(call, "args");
    size_t len = 0;
    char *text = yyjson_is_obj(args) ? yyjson_val_write(args, 0, &len) : NULL;
    ob_event event = {.kind = OB_EVENT_OPEN,
                      .choice = choice,
                      .part = OB_PART_CALL,
                      .id = ob_gemini_get_text(call, "id"),
                      .name = ob_gemini_get_text(call, "name"),
                      .signature = signature};
    if (signature.len)
        event.signed_by = OB_DIALECT_GEMINI;
    if (choice < OB_STREAM_CHOICES_MAX)
        event.ordinal = r->calls[choice]++;
    tell(r, &event);
    if (text)
        tell(r, &(ob_event){.kind = OB_EVENT_DELTA,
                            .choice = choice,
                            .part = OB_PART_CALL,
                            .ordinal = event.ordinal,
                            .text = ob_slice_make(text, len)});
    tell(r, &(ob_event){.kind = OB_EVENT_CLOSE,
                        .choice = choice,
                        .part = OB_PART_CALL,
                        .ordinal = event.ordinal});
    free(text);
}

static void read_signature(ob_event_reader *r, uint32_t choice,
                           ob_part_kind part, ob_slice signature)
{
    tell(r, &(ob_event){.kind = OB_EVENT_SIGN,
                        .choice = choice,
                        .part = part,
                        .signature = signature,
                        .signed_by = OB_DIALECT_GEMINI});
}

/* What was told last is kept in `block`, 0 for nothing: a signature without
 * a text, as streams end with, is of that. */
static void read_part(ob_event_reader *r, uint32_t choice, yyjson_val *told)
{
    ob_slice signature = ob_gemini_get_text(told, "thoughtSignature");
    ob_slice text = ob_gemini_get_text(told, "text");
    yyjson_val *call = ob_gemini_get(told, "functionCall");
    ob_part_kind part = yyjson_is_true(ob_gemini_get(told, "thought"))
                            ? OB_PART_THINKING
                            : OB_PART_TEXT;
    if (yyjson_is_obj(call)) {
        read_call(r, choice, call, signature);
        r->block = 0;
        return;
    }
    if (text.len) {
        tell(r, &(ob_event){.kind = OB_EVENT_DELTA,
                            .choice = choice,
                            .part = part,
                            .text = text});
        r->block = 1;
        r->part = part;
    }
    if (!signature.len)
        return;
    if (r->block) {
        read_signature(r, choice, r->part, signature);
        return;
    }
    tell(r, &(ob_event){.kind = OB_EVENT_OPEN,
                        .choice = choice,
                        .part = OB_PART_THINKING,
                        .redacted = true,
                        .signature = signature,
                        .signed_by = OB_DIALECT_GEMINI});
    tell(r, &(ob_event){.kind = OB_EVENT_CLOSE,
                        .choice = choice,
                        .part = OB_PART_THINKING});
}

#define TOPS_MAX 20

static ob_logprob token_of(yyjson_val *told)
{
    yyjson_val *value = ob_gemini_get(told, "logProbability");
    return (ob_logprob){.token = ob_gemini_get_text(told, "token"),
                        .value =
                            yyjson_is_num(value) ? yyjson_get_num(value) : 0};
}

/* A token at a time, so that no list has to be kept. */
static void read_logprobs(ob_event_reader *r, uint32_t choice,
                          yyjson_val *result)
{
    size_t i, count, t, tops_count;
    yyjson_val *told, *top;
    yyjson_arr_iter each =
        yyjson_arr_iter_with(ob_gemini_get(result, "topCandidates"));
    yyjson_arr_foreach(ob_gemini_get(result, "chosenCandidates"), i, count,
                       told)
    {
        ob_logprob token = token_of(told), tops[TOPS_MAX];
        yyjson_val *list =
            ob_gemini_get(yyjson_arr_iter_next(&each), "candidates");
        yyjson_arr_foreach(list, t, tops_count, top)
        {
            if (t == TOPS_MAX)
                break;
            tops[t] = token_of(top);
            if (t > 0)
                tops[t - 1].next = &tops[t];
            token.tops = tops;
        }
        tell(r, &(ob_event){.kind = OB_EVENT_LOGPROBS,
                            .choice = choice,
                            .part = OB_PART_TEXT,
                            .logprobs = &token});
    }
}

static void read_candidate(ob_event_reader *r, yyjson_val *told, uint32_t place)
{
    size_t i, count;
    yyjson_val *part, *content = ob_gemini_get(told, "content");
    int64_t index = ob_gemini_get_i64(told, "index", place);
    uint32_t choice = index >= 0 && index < UINT32_MAX ? (uint32_t)index : 0;
    ob_finish finish =
        ob_gemini_finish(ob_gemini_get_text(told, "finishReason"));
    yyjson_arr_foreach(ob_gemini_get(content, "parts"), i, count, part)
        read_part(r, choice, part);
    read_logprobs(r, choice, ob_gemini_get(told, "logprobsResult"));
    if (finish == OB_FINISH_UNSAID || choice >= OB_STREAM_CHOICES_MAX)
        return;
    r->finishes[choice] = (uint8_t)finish;
    r->finished = true;
}

/* At the end of the stream: some models say STOP in every chunk. */
static void tell_finishes(ob_event_reader *r)
{
    for (uint32_t i = 0; i < OB_STREAM_CHOICES_MAX; i++) {
        ob_finish finish = (ob_finish)r->finishes[i];
        if (finish == OB_FINISH_STOP && r->calls[i])
            finish = OB_FINISH_CALLS;
        if (finish != OB_FINISH_UNSAID)
            tell(r, &(ob_event){.kind = OB_EVENT_FINISH,
                                .choice = i,
                                .finish = finish});
    }
}

static void read_blocked(ob_event_reader *r, ob_slice reason)
{
    tell(r, &(ob_event){.kind = OB_EVENT_DELTA,
                        .part = OB_PART_REFUSAL,
                        .text = reason});
    r->finishes[0] = OB_FINISH_REFUSAL;
    r->finished = true;
}

void ob_gemini_read_event(ob_event_reader *r, ob_slice name, yyjson_val *root)
{
    size_t i, count;
    yyjson_val *told, *error = ob_gemini_get(root, "error");
    yyjson_val *usage = ob_gemini_get(root, "usageMetadata");
    ob_slice blocked = ob_gemini_blocked(root);
    if (r->ended || !yyjson_is_obj(root))
        return;
    if (error) {
        tell_error(r, error);
        return;
    }
    tell(r, &(ob_event){.kind = OB_EVENT_START,
                        .id = ob_gemini_get_text(root, "responseId"),
                        .name = ob_gemini_get_text(root, "modelVersion")});
    yyjson_arr_foreach(ob_gemini_get(root, "candidates"), i, count, told)
        read_candidate(r, told, (uint32_t)i);
    if (blocked.len)
        read_blocked(r, blocked);
    if (!usage)
        return;
    r->usage = ob_gemini_usage(usage);
    tell(r, &(ob_event){.kind = OB_EVENT_USAGE, .usage = r->usage});
}

void ob_gemini_read_end(ob_event_reader *r, bool done)
{
    if (r->ended)
        return;
    r->ended = true;
    tell_finishes(r);
    ob_event_reader_end(r, r->finished);
}

/* ---- writing ---- */

static ob_slice answer_id(const ob_event_writer *w)
{
    return w->id_len ? ob_slice_make(w->id, w->id_len) : w->answering->id;
}

static ob_json begin_chunk(ob_event_writer *w)
{
    ob_json json = {w->out, false};
    ob_buffer_append_str(w->out, "data: ");
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
    ob_buffer_append_str(w->out, "\n\n");
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

static void fail(ob_event_writer *w, const char *text)
{
    ob_error_write_event(w->out, OB_DIALECT_GEMINI, 502, ob_slice_str(text),
                         w->answering->id);
    w->failed = true;
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

static void write_of_words(ob_event_writer *w, const ob_event *event)
{
    if (event->kind == OB_EVENT_DELTA)
        write_words(w, event, OB_S(""));
    else if (event->kind == OB_EVENT_OPEN || event->kind == OB_EVENT_SIGN)
        write_words(w, event, event->signature);
}

void ob_gemini_write_event(ob_event_writer *w, const ob_event *event)
{
    if (w->failed)
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
        ob_error_write_event(w->out, OB_DIALECT_GEMINI, event->status,
                             event->text, w->answering->id);
        w->failed = true;
        break;
    case OB_EVENT_END:
        write_end(w);
        break;
    case OB_EVENT_CITE: /* Google has places for those of its own search. */
        break;
    }
    w->failed |= w->out->failed || w->held.failed || w->output.failed;
}

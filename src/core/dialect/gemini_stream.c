/*
 * gemini_stream.c - reads the stream of streamGenerateContent with alt=sse:
 * pieces of an answer as events without a name, and no "[DONE]".
 */
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

static void read_media(ob_event_reader *r, uint32_t choice, yyjson_val *told,
                       ob_slice signature)
{
    ob_arena arena;
    ob_part part;
    bool failed = false;
    ob_arena_init(&arena, 0);
    if (ob_gemini_read_media(&arena, told, &part, &failed)) {
        tell(r, &(ob_event){.kind = OB_EVENT_OPEN,
                            .choice = choice,
                            .part = part.kind,
                            .signature = signature,
                            .signed_by = signature.len ? OB_DIALECT_GEMINI
                                                       : OB_DIALECT_NONE,
                            .media = &part});
        tell(r, &(ob_event){.kind = OB_EVENT_CLOSE, .choice = choice});
    }
    ob_arena_deinit(&arena);
}

static void count_text(ob_event_reader *r, uint32_t choice, ob_slice text)
{
    bool plain = r->said[choice].plain == r->said[choice].bytes;
    if (!r->block || r->part != OB_PART_TEXT)
        r->said[choice].begin = r->said[choice].bytes;
    for (size_t i = 0; plain && i < text.len; i++) {
        plain = (unsigned char)text.ptr[i] < 0x80;
        r->said[choice].plain += plain;
    }
    r->said[choice].bytes += (int64_t)text.len;
}

typedef struct citing {
    ob_event_reader *reader;
    uint32_t choice;
} citing;

/* Where a segment is in the text that is open, in characters. The text has gone
 * by: where it was not ASCII alone, bytes say nothing of characters, and only
 * the source is told. */
static void place(const ob_event_reader *r, uint32_t choice,
                  const ob_gemini_segment *segment, ob_citation *citation)
{
    int64_t plain = r->said[choice].plain, open = r->said[choice].begin;
    int64_t end = -1;
    if (segment->begin < open || segment->begin > plain ||
        segment->end <= segment->begin)
        return;
    if (segment->end <= plain)
        end = segment->end;
    else if (segment->text.len)
        end = segment->begin + ob_text_chars(segment->text);
    if (end < 0)
        return;
    citation->begin = segment->begin - open;
    citation->end = end - open;
}

static void tell_citation(void *context, const ob_gemini_segment *segment,
                          const ob_citation *citation)
{
    const citing *c = context;
    ob_citation told = *citation;
    place(c->reader, c->choice, segment, &told);
    tell(c->reader, &(ob_event){.kind = OB_EVENT_CITE,
                                .choice = c->choice,
                                .part = OB_PART_TEXT,
                                .citation = &told});
}

static void read_citations(ob_event_reader *r, uint32_t choice,
                           yyjson_val *candidate)
{
    citing c = {r, choice};
    if (choice < OB_STREAM_CHOICES_MAX)
        ob_gemini_read_citations(candidate, tell_citation, &c);
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
    if (ob_gemini_get(told, "inlineData") || ob_gemini_get(told, "fileData")) {
        read_media(r, choice, told, signature);
        r->block = 0;
        return;
    }
    if (text.len) {
        tell(r, &(ob_event){.kind = OB_EVENT_DELTA,
                            .choice = choice,
                            .part = part,
                            .text = text});
        if (part == OB_PART_TEXT && choice < OB_STREAM_CHOICES_MAX)
            count_text(r, choice, text);
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
    read_citations(r, choice, told);
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
    if (usage)
        r->usage = ob_gemini_usage(usage);
    tell(r, &(ob_event){.kind = OB_EVENT_START,
                        .id = ob_gemini_get_text(root, "responseId"),
                        .name = ob_gemini_get_text(root, "modelVersion"),
                        .usage = r->usage});
    yyjson_arr_foreach(ob_gemini_get(root, "candidates"), i, count, told)
        read_candidate(r, told, (uint32_t)i);
    if (blocked.len)
        read_blocked(r, blocked);
    if (usage)
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

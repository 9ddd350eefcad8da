/* gemini_answer.c - reads and writes an answer of generateContent. */
#include "gemini.h"

#include <math.h>

/* ---- why it ended ---- */

static const struct {
    ob_slice name;
    ob_finish finish;
} finishes[] = {
    {OB_S_INIT("STOP"), OB_FINISH_STOP},
    {OB_S_INIT("MAX_TOKENS"), OB_FINISH_LENGTH},
    {OB_S_INIT("SAFETY"), OB_FINISH_REFUSAL},
    {OB_S_INIT("BLOCKLIST"), OB_FINISH_REFUSAL},
    {OB_S_INIT("PROHIBITED_CONTENT"), OB_FINISH_REFUSAL},
    {OB_S_INIT("SPII"), OB_FINISH_REFUSAL},
    {OB_S_INIT("RECITATION"), OB_FINISH_REFUSAL},
    {OB_S_INIT("MODEL_ARMOR"), OB_FINISH_REFUSAL},
    {OB_S_INIT("IMAGE_SAFETY"), OB_FINISH_REFUSAL},
    {OB_S_INIT("IMAGE_PROHIBITED_CONTENT"), OB_FINISH_REFUSAL},
    {OB_S_INIT("FINISH_REASON_UNSPECIFIED"), OB_FINISH_UNSAID},
};

ob_finish ob_gemini_finish(ob_slice reason)
{
    if (!reason.len)
        return OB_FINISH_UNSAID;
    for (size_t i = 0; i < OB_LEN(finishes); i++)
        if (ob_slice_eq(reason, finishes[i].name))
            return finishes[i].finish;
    return OB_FINISH_OTHER;
}

ob_slice ob_gemini_finish_name(ob_finish finish)
{
    switch (finish) {
    case OB_FINISH_STOP:
    case OB_FINISH_STOP_SEQUENCE:
    case OB_FINISH_CALLS:
    case OB_FINISH_PAUSE:
        return OB_S("STOP");
    case OB_FINISH_LENGTH:
        return OB_S("MAX_TOKENS");
    case OB_FINISH_REFUSAL:
        return OB_S("SAFETY");
    case OB_FINISH_OTHER:
        return OB_S("OTHER");
    case OB_FINISH_UNSAID:
        break;
    }
    return OB_S("FINISH_REASON_UNSPECIFIED");
}

ob_slice ob_gemini_blocked(yyjson_val *root)
{
    yyjson_val *feedback = ob_gemini_get(root, "promptFeedback");
    ob_slice reason = ob_gemini_get_text(feedback, "blockReason");
    ob_slice message = ob_gemini_get_text(feedback, "blockReasonMessage");
    return !reason.len || message.len ? message : reason;
}

/* ---- usage ---- */

ob_usage ob_gemini_usage(yyjson_val *m)
{
    int64_t prompt = ob_gemini_get_i64(m, "promptTokenCount", -1);
    int64_t tool = ob_gemini_get_i64(m, "toolUsePromptTokenCount", 0);
    int64_t said = ob_gemini_get_i64(m, "candidatesTokenCount", -1);
    int64_t thought = ob_gemini_get_i64(m, "thoughtsTokenCount", -1);
    int64_t total = ob_gemini_get_i64(m, "totalTokenCount", -1);
    ob_usage usage = {.input = prompt >= 0 ? prompt + tool : -1,
                      .output = -1,
                      .cached =
                          ob_gemini_get_i64(m, "cachedContentTokenCount", -1),
                      .cache_written = -1,
                      .reasoning = thought};
    if (said >= 0 || thought >= 0)
        usage.output = (said > 0 ? said : 0) + (thought > 0 ? thought : 0);
    else if (usage.input >= 0 && total >= usage.input)
        usage.output = total - usage.input;
    usage.known = usage.input >= 0 || usage.output >= 0;
    return usage;
}

void ob_gemini_write_usage(ob_json *json, const ob_usage *usage)
{
    int64_t input = usage->input > 0 ? usage->input : 0;
    int64_t output = usage->output > 0 ? usage->output : 0;
    int64_t thought = usage->reasoning > 0 ? usage->reasoning : 0;
    if (usage->input < 0 && usage->output < 0)
        return;
    ob_json_name(json, "usageMetadata");
    ob_json_open(json, '{');
    ob_json_member_i64(json, "promptTokenCount", input);
    ob_json_member_i64(json, "candidatesTokenCount",
                       output > thought ? output - thought : 0);
    if (thought)
        ob_json_member_i64(json, "thoughtsTokenCount", thought);
    if (usage->cached > 0)
        ob_json_member_i64(json, "cachedContentTokenCount", usage->cached);
    ob_json_member_i64(json, "totalTokenCount", input + output);
    ob_json_close(json, '}');
}

/* ---- log probabilities ---- */

static ob_logprob *read_token(ob_answer *answer, yyjson_val *told)
{
    ob_logprob *made = ob_arena_alloc(answer->arena, sizeof(*made));
    if (!made) {
        answer->failed = true;
        return NULL;
    }
    made->token = ob_gemini_get_text(told, "token");
    yyjson_val *value = ob_gemini_get(told, "logProbability");
    made->value = yyjson_is_num(value) ? yyjson_get_num(value) : 0;
    return made;
}

static void read_tokens(ob_answer *answer, yyjson_val *list, ob_logprob **end)
{
    size_t i, count;
    yyjson_val *told;
    yyjson_arr_foreach(list, i, count, told)
    {
        *end = read_token(answer, told);
        if (!*end)
            return;
        end = &(*end)->next;
    }
}

static void read_logprobs(ob_answer *answer, ob_choice *choice,
                          yyjson_val *result)
{
    yyjson_val *tops = ob_gemini_get(result, "topCandidates");
    read_tokens(answer, ob_gemini_get(result, "chosenCandidates"),
                &choice->logprobs);
    yyjson_arr_iter each = yyjson_arr_iter_with(tops);
    for (ob_logprob *token = choice->logprobs; token; token = token->next)
        read_tokens(answer,
                    ob_gemini_get(yyjson_arr_iter_next(&each), "candidates"),
                    &token->tops);
}

static void write_token(ob_json *json, const ob_logprob *token)
{
    ob_json_open(json, '{');
    ob_json_member(json, "token", token->token);
    ob_json_name(json, "logProbability");
    ob_json_double(json, token->value);
    ob_json_close(json, '}');
}

void ob_gemini_write_logprobs(ob_json *json, const ob_logprob *logprobs)
{
    if (!logprobs)
        return;
    ob_json_name(json, "logprobsResult");
    ob_json_open(json, '{');
    ob_json_name(json, "chosenCandidates");
    ob_json_open(json, '[');
    for (const ob_logprob *token = logprobs; token; token = token->next)
        write_token(json, token);
    ob_json_close(json, ']');
    ob_json_name(json, "topCandidates");
    ob_json_open(json, '[');
    for (const ob_logprob *token = logprobs; token; token = token->next) {
        ob_json_open(json, '{');
        ob_json_name(json, "candidates");
        ob_json_open(json, '[');
        for (const ob_logprob *top = token->tops; top; top = top->next)
            write_token(json, top);
        ob_json_close(json, ']');
        ob_json_close(json, '}');
    }
    ob_json_close(json, ']');
    ob_json_close(json, '}');
}

/* ---- reading ---- */

typedef struct reader {
    ob_answer *answer;
    ob_choice *choice;
    ob_part *last;
    bool called;
} reader;

/* Lists are appended to at their last part, not from their beginning. */
static ob_part *add(reader *r, ob_part_kind kind)
{
    ob_part *part = ob_arena_alloc(r->answer->arena, sizeof(*part));
    if (!part) {
        r->answer->failed = true;
        return NULL;
    }
    part->kind = kind;
    *(r->last ? &r->last->next : &r->choice->parts) = part;
    r->last = part;
    return part;
}

static void sign(ob_part *part, ob_slice signature)
{
    part->signature = signature;
    part->signed_by = signature.len ? OB_DIALECT_GEMINI : OB_DIALECT_NONE;
}

static void read_call(reader *r, yyjson_val *call, ob_slice signature)
{
    yyjson_val *args = ob_gemini_get(call, "args");
    ob_part *part = add(r, OB_PART_CALL);
    if (!part)
        return;
    part->id = ob_gemini_get_text(call, "id");
    part->name = ob_gemini_get_text(call, "name");
    if (yyjson_is_obj(args)) {
        part->text = ob_json_print(r->answer->arena, args);
        r->answer->failed |= !part->text.ptr;
    }
    sign(part, signature);
    r->called = true;
}

bool ob_gemini_read_media(ob_arena *arena, yyjson_val *told, ob_part *part,
                          bool *failed)
{
    yyjson_val *blob = ob_gemini_get(told, "inlineData");
    yyjson_val *file = ob_gemini_get(told, "fileData");
    ob_slice media = ob_gemini_get_text(blob ? blob : file, "mimeType");
    *part = (ob_part){.kind = OB_PART_FILE, .media = media};
    if (ob_slice_starts_nocase(media, OB_S("image/")))
        part->kind = OB_PART_IMAGE;
    else if (ob_slice_starts_nocase(media, OB_S("audio/")))
        part->kind = OB_PART_AUDIO;
    part->data =
        ob_gemini_base64(arena, ob_gemini_get_text(blob, "data"), failed);
    part->url = ob_gemini_get_text(file, "fileUri");
    return part->data.len || part->url.len;
}

/* A signature without a text is of what stands before it. */
static void read_part(reader *r, yyjson_val *told)
{
    ob_slice signature = ob_gemini_get_text(told, "thoughtSignature");
    yyjson_val *call = ob_gemini_get(told, "functionCall");
    bool thought = yyjson_is_true(ob_gemini_get(told, "thought"));
    ob_slice text = ob_gemini_get_text(told, "text");
    if (yyjson_is_obj(call)) {
        read_call(r, call, signature);
        return;
    }
    ob_part media;
    if (ob_gemini_read_media(r->answer->arena, told, &media,
                             &r->answer->failed)) {
        ob_part *made = add(r, media.kind);
        if (made) {
            *made = media;
            sign(made, signature);
        }
        return;
    }
    if (!text.len && !signature.len)
        return;
    if (!text.len && r->last && !r->last->signature.len &&
        r->last->kind != OB_PART_CALL) {
        sign(r->last, signature);
        return;
    }
    ob_part *part =
        add(r, thought || !text.len ? OB_PART_THINKING : OB_PART_TEXT);
    if (!part)
        return;
    part->text = text;
    part->redacted = !text.len;
    sign(part, signature);
}

static void read_candidate(ob_answer *answer, yyjson_val *told, uint32_t place)
{
    size_t i, count;
    yyjson_val *part, *content = ob_gemini_get(told, "content");
    int64_t index = ob_gemini_get_i64(told, "index", place);
    reader r = {.answer = answer};
    r.choice = ob_answer_choice(
        answer, index >= 0 && index < 1024 ? (uint32_t)index : place);
    if (!r.choice)
        return;
    yyjson_arr_foreach(ob_gemini_get(content, "parts"), i, count, part)
        read_part(&r, part);
    read_logprobs(answer, r.choice, ob_gemini_get(told, "logprobsResult"));
    ob_gemini_cite_answer(answer, r.choice, told);
    r.choice->finish =
        ob_gemini_finish(ob_gemini_get_text(told, "finishReason"));
    if (r.called && r.choice->finish == OB_FINISH_STOP)
        r.choice->finish = OB_FINISH_CALLS;
}

static void read_blocked(ob_answer *answer, ob_slice reason)
{
    ob_choice *choice = ob_answer_choice(answer, 0);
    ob_part *part =
        choice ? ob_answer_part(answer, choice, OB_PART_REFUSAL) : NULL;
    if (!part)
        return;
    part->text = reason;
    choice->finish = OB_FINISH_REFUSAL;
}

ob_status ob_gemini_read_answer(yyjson_val *root, ob_answer *answer)
{
    yyjson_val *candidates = ob_gemini_get(root, "candidates"), *told;
    ob_slice blocked = ob_gemini_blocked(root);
    size_t i, count;
    if (!yyjson_is_obj(root) || ob_gemini_get(root, "error") ||
        (!yyjson_arr_size(candidates) && !blocked.len))
        return OB_INVALID;
    answer->id = ob_gemini_get_text(root, "responseId");
    answer->model = ob_gemini_get_text(root, "modelVersion");
    answer->usage = ob_gemini_usage(ob_gemini_get(root, "usageMetadata"));
    yyjson_arr_foreach(candidates, i, count, told)
        read_candidate(answer, told, (uint32_t)i);
    if (!answer->choices && blocked.len)
        read_blocked(answer, blocked);
    return answer->failed ? OB_NO_MEMORY : OB_OK;
}

/* ---- writing ---- */

static bool is_media(ob_part_kind kind)
{
    return kind == OB_PART_IMAGE || kind == OB_PART_AUDIO ||
           kind == OB_PART_FILE;
}

void ob_gemini_write_media(ob_json *json, const ob_part *part)
{
    ob_json_name(json, part->data.len ? "inlineData" : "fileData");
    ob_json_open(json, '{');
    ob_json_member(json, "mimeType",
                   part->media.len ? part->media : OB_S("image/png"));
    if (part->data.len)
        ob_json_member(json, "data", part->data);
    else
        ob_json_member(json, "fileUri", part->url);
    ob_json_close(json, '}');
}

static void write_part(ob_json *json, const ob_part *part, ob_arena *arena)
{
    ob_slice signature = ob_gemini_carry(arena, part->signature,
                                         part->signed_by, part->redacted);
    bool empty =
        !part->text.len && !signature.len && !part->data.len && !part->url.len;
    if (part->kind != OB_PART_CALL && empty)
        return;
    ob_json_open(json, '{');
    if (part->kind == OB_PART_CALL) {
        ob_json_name(json, "functionCall");
        ob_json_open(json, '{');
        ob_json_member_told(json, "id", part->id);
        ob_json_member(json, "name", part->name);
        ob_json_name(json, "args");
        ob_gemini_write_args(json, part->text);
        ob_json_close(json, '}');
    } else if (is_media(part->kind)) {
        ob_gemini_write_media(json, part);
    } else {
        ob_json_member(json, "text", part->text);
        if (part->kind == OB_PART_THINKING &&
            !(part->redacted && part->signed_by == OB_DIALECT_GEMINI)) {
            ob_json_name(json, "thought");
            ob_json_bool(json, true);
        }
    }
    ob_json_member_told(json, "thoughtSignature", signature);
    ob_json_close(json, '}');
}

static bool is_said(ob_part_kind kind)
{
    return kind == OB_PART_TEXT || kind == OB_PART_THINKING ||
           kind == OB_PART_REFUSAL || kind == OB_PART_CALL || is_media(kind);
}

static void write_choice(ob_json *json, const ob_choice *choice,
                         ob_arena *arena)
{
    ob_json_open(json, '{');
    ob_json_name(json, "content");
    ob_json_open(json, '{');
    ob_json_member(json, "role", OB_S("model"));
    ob_json_name(json, "parts");
    ob_json_open(json, '[');
    for (const ob_part *part = choice->parts; part; part = part->next)
        if (is_said(part->kind))
            write_part(json, part, arena);
    ob_json_close(json, ']');
    ob_json_close(json, '}');
    ob_json_member(json, "finishReason", ob_gemini_finish_name(choice->finish));
    ob_gemini_write_citations(json, choice);
    ob_json_member_i64(json, "index", choice->index);
    ob_gemini_write_logprobs(json, choice->logprobs);
    ob_json_close(json, '}');
}

void ob_gemini_write_answer(const ob_answer *answer,
                            const ob_answering *answering, ob_buffer *out)
{
    ob_json json = {out, false};
    ob_json_open(&json, '{');
    ob_json_name(&json, "candidates");
    ob_json_open(&json, '[');
    for (const ob_choice *choice = answer->choices; choice;
         choice = choice->next)
        write_choice(&json, choice, answering->arena);
    ob_json_close(&json, ']');
    ob_gemini_write_usage(&json, &answer->usage);
    ob_json_member(&json, "modelVersion",
                   answer->model.len ? answer->model : answering->model);
    ob_json_member(&json, "responseId",
                   answer->id.len ? answer->id : answering->id);
    ob_json_close(&json, '}');
}

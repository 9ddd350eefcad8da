/*
 * responses_answer_write.c - writes the object of a response; streams write
 * it with parts of this.
 */
#include "openai_custom.h"
#include "responses.h"

/* ---- the object ---- */

const char *ob_responses_status(ob_finish finish)
{
    switch (finish) {
    case OB_FINISH_LENGTH:
    case OB_FINISH_REFUSAL:
        return "incomplete";
    case OB_FINISH_OTHER:
        return "failed";
    case OB_FINISH_UNSAID:
    case OB_FINISH_STOP:
    case OB_FINISH_STOP_SEQUENCE:
    case OB_FINISH_CALLS:
    case OB_FINISH_PAUSE:
        break;
    }
    return "completed";
}

/* One that was cut off is not whole, whatever it holds. */
ob_slice ob_responses_item_status(ob_finish finish)
{
    return finish == OB_FINISH_LENGTH || finish == OB_FINISH_REFUSAL
               ? OB_S("incomplete")
               : OB_S("completed");
}

static void write_end(ob_json *json, const ob_responses_head *head)
{
    ob_finish finish = head->ended ? head->finish : OB_FINISH_UNSAID;
    ob_json_member(json, "status",
                   head->ended ? ob_slice_str(ob_responses_status(finish))
                               : OB_S("in_progress"));
    ob_json_name(json, "error");
    if (finish == OB_FINISH_OTHER)
        ob_json_raw(json, OB_S("{\"code\":\"server_error\",\"message\":\"the "
                               "model ended its answer before its time\"}"));
    else
        ob_json_null(json);
    ob_json_name(json, "incomplete_details");
    if (finish == OB_FINISH_LENGTH)
        ob_json_raw(json, OB_S("{\"reason\":\"max_output_tokens\"}"));
    else if (finish == OB_FINISH_REFUSAL)
        ob_json_raw(json, OB_S("{\"reason\":\"content_filter\"}"));
    else
        ob_json_null(json);
}

bool ob_responses_counts(const ob_usage *usage)
{
    return usage->input >= 0 || usage->output >= 0;
}

static int64_t at_least_0(int64_t count)
{
    return count < 0 ? 0 : count;
}

static void write_usage(ob_json *json, const ob_usage *usage)
{
    int64_t input = at_least_0(usage->input);
    int64_t output = at_least_0(usage->output);
    ob_json_open(json, '{');
    ob_json_member_i64(json, "input_tokens", input);
    ob_json_name(json, "input_tokens_details");
    ob_json_open(json, '{');
    ob_json_member_i64(json, "cached_tokens", at_least_0(usage->cached));
    ob_json_close(json, '}');
    ob_json_member_i64(json, "output_tokens", output);
    ob_json_name(json, "output_tokens_details");
    ob_json_open(json, '{');
    ob_json_member_i64(json, "reasoning_tokens", at_least_0(usage->reasoning));
    ob_json_close(json, '}');
    ob_json_member_i64(json, "total_tokens",
                       input > INT64_MAX - output ? INT64_MAX : input + output);
    ob_json_close(json, '}');
}

void ob_responses_write_head(ob_json *json, const ob_responses_head *head,
                             ob_slice items)
{
    ob_json_open(json, '{');
    ob_json_member(json, "id", head->id);
    ob_json_member(json, "object", OB_S("response"));
    ob_json_member_i64(json, "created_at", head->created_s);
    write_end(json, head);
    ob_json_member(json, "model", head->model);
    ob_json_name(json, "output");
    ob_json_open(json, '[');
    ob_json_raw(json, items);
    ob_json_close(json, ']');
    ob_responses_write_asked(json, head->request);
    ob_json_name(json, "usage");
    if (head->usage)
        write_usage(json, head->usage);
    else
        ob_json_null(json);
    ob_json_close(json, '}');
}

/* ---- what is in texts ---- */

void ob_responses_write_citation(ob_json *json, const ob_citation *citation,
                                 int64_t chars)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("url_citation"));
    ob_json_member_i64(json, "start_index", at_least_0(citation->begin));
    ob_json_member_i64(json, "end_index",
                       citation->end < 0 ? chars : citation->end);
    ob_json_member(json, "title", citation->title);
    ob_json_member(json, "url", citation->url);
    ob_json_close(json, '}');
}

static void write_token(ob_json *json, const ob_logprob *logprob)
{
    ob_json_member(json, "token", logprob->token);
    ob_json_name(json, "bytes");
    ob_json_open(json, '[');
    for (size_t i = 0; i < logprob->token.len; i++)
        ob_json_i64(json, (unsigned char)logprob->token.ptr[i]);
    ob_json_close(json, ']');
    ob_json_name(json, "logprob");
    ob_json_double(json, logprob->value);
}

void ob_responses_write_logprob(ob_json *json, const ob_logprob *logprob)
{
    ob_json_open(json, '{');
    write_token(json, logprob);
    ob_json_name(json, "top_logprobs");
    ob_json_open(json, '[');
    for (const ob_logprob *top = logprob->tops; top; top = top->next) {
        ob_json_open(json, '{');
        write_token(json, top);
        ob_json_close(json, '}');
    }
    ob_json_close(json, ']');
    ob_json_close(json, '}');
}

void ob_responses_insert(ob_buffer *buffer, size_t at, ob_slice text)
{
    size_t behind = buffer->end - buffer->start - at;
    ob_buffer_append(buffer, text);
    if (buffer->failed || !text.len)
        return;
    char *here = buffer->data + buffer->start + at;
    memmove(here + text.len, here, behind);
    memcpy(here, text.ptr, text.len);
}

void ob_responses_write_signature(ob_json *json, ob_slice signature,
                                  ob_dialect signed_by, bool redacted)
{
    ob_json_name(json, "encrypted_content");
    size_t at = json->out->end - json->out->start;
    ob_json_string(json, signature);
    if (!json->out->failed) /* behind the quote */
        ob_responses_insert(
            json->out, at + 1,
            ob_slice_str(ob_responses_mark(signed_by, redacted)));
}

/* ---- ids ---- */

ob_slice ob_responses_id(ob_slice told, const ob_answering *answering,
                         char *room, size_t size)
{
    ob_slice own = OB_S("resp_");
    ob_slice rest = told.len ? told : answering->id;
    if (ob_slice_starts(rest, own))
        rest = ob_slice_from(rest, own.len);
    rest = ob_slice_head(rest, size - own.len);
    memcpy(room, own.ptr, own.len);
    if (rest.len)
        memcpy(room + own.len, rest.ptr, rest.len);
    return ob_slice_make(room, own.len + rest.len);
}

void ob_responses_write_item_id(ob_json *json, const char *prefix,
                                ob_slice answer_id, uint32_t number)
{
    char text[OB_RESPONSES_ID_BYTES + 32];
    ob_slice bare =
        ob_slice_head(ob_slice_from(answer_id, 5), OB_RESPONSES_ID_BYTES);
    size_t len = strlen(prefix);
    memcpy(text, prefix, len);
    if (bare.len)
        memcpy(text + len, bare.ptr, bare.len);
    len += bare.len;
    text[len++] = '_';
    len += ob_write_u64(text + len, number);
    ob_json_string(json, ob_slice_make(text, len));
}

/* ---- items ---- */

typedef struct writing {
    ob_json json;
    ob_slice id;
    uint32_t items;
    const ob_logprob *logprobs; /* of the first text; NULL: written */
    const ob_answering *answering;
} writing;

static void open_item(writing *w, const char *prefix, const char *type)
{
    ob_json_open(&w->json, '{');
    ob_json_name(&w->json, "id");
    ob_responses_write_item_id(&w->json, prefix, w->id, w->items++);
    ob_json_member(&w->json, "type", ob_slice_str(type));
}

static void write_content(writing *w, const ob_part *part)
{
    ob_json *json = &w->json;
    ob_json_open(json, '{');
    if (part->kind == OB_PART_REFUSAL) {
        ob_json_member(json, "type", OB_S("refusal"));
        ob_json_member(json, "refusal", part->text);
        ob_json_close(json, '}');
        return;
    }
    ob_json_member(json, "type", OB_S("output_text"));
    ob_json_name(json, "logprobs");
    ob_json_open(json, '[');
    for (; w->logprobs; w->logprobs = w->logprobs->next)
        ob_responses_write_logprob(json, w->logprobs);
    ob_json_close(json, ']');
    ob_json_name(json, "annotations");
    ob_json_open(json, '[');
    for (const ob_citation *c = part->citations; c; c = c->next)
        if (c->url.len) /* one of a document has no place here */
            ob_responses_write_citation(json, c, ob_text_chars(part->text));
    ob_json_close(json, ']');
    ob_json_member(json, "text", part->text);
    ob_json_close(json, '}');
}

static bool is_content(const ob_part *part)
{
    return part &&
           (part->kind == OB_PART_TEXT || part->kind == OB_PART_REFUSAL);
}

static const ob_part *write_message(writing *w, const ob_part *part,
                                    ob_finish finish)
{
    const ob_part *end = part;
    bool is_signed = false; /* what is signed is the last of its message */
    while (is_content(end) && !is_signed) {
        is_signed = ob_text_is_signed(end);
        end = end->next;
    }
    open_item(w, "msg_", "message");
    ob_json_member(&w->json, "status",
                   ob_responses_item_status(end ? OB_FINISH_UNSAID : finish));
    ob_json_member(&w->json, "role", OB_S("assistant"));
    ob_json_name(&w->json, "content");
    ob_json_open(&w->json, '[');
    for (; part != end; part = part->next)
        write_content(w, part);
    ob_json_close(&w->json, ']');
    ob_json_close(&w->json, '}');
    return end;
}

static void write_thinking(writing *w, const ob_part *part)
{
    open_item(w, "rs_", "reasoning");
    if (part->signature.len)
        ob_responses_write_signature(&w->json, part->signature, part->signed_by,
                                     part->redacted);
    ob_json_name(&w->json, "summary");
    ob_json_open(&w->json, '[');
    if (part->text.len) {
        ob_json_open(&w->json, '{');
        ob_json_member(&w->json, "type", OB_S("summary_text"));
        ob_json_member(&w->json, "text", part->text);
        ob_json_close(&w->json, '}');
    }
    ob_json_close(&w->json, ']');
    ob_json_close(&w->json, '}');
}

static void write_text_signature(writing *w, const ob_part *part)
{
    open_item(w, "rs_", "reasoning");
    ob_json_member(&w->json, "encrypted_content",
                   ob_mark_text(w->answering->arena, part->signature));
    ob_json_raw(&w->json, OB_S("\"summary\":[]"));
    ob_json_close(&w->json, '}');
}

static void write_call(writing *w, const ob_part *part, ob_finish finish)
{
    ob_arena *arena = w->answering->arena;
    ob_asked_tool tool = ob_custom_find(w->answering->request, part->name);
    open_item(w, tool.custom ? "ctc_" : "fc_",
              tool.custom ? "custom_tool_call" : "function_call");
    ob_json_member(
        &w->json, "status",
        ob_responses_item_status(part->next ? OB_FINISH_UNSAID : finish));
    ob_json_member(&w->json, "call_id",
                   ob_carry(arena, part->id, part->signature, part->signed_by));
    ob_json_member(&w->json, "name", tool.name);
    ob_json_member_told(&w->json, "namespace", tool.space);
    if (tool.custom)
        ob_json_member(&w->json, "input", ob_custom_input(arena, part->text));
    else
        ob_json_member(&w->json, "arguments",
                       part->text.len ? part->text : OB_S("{}"));
    ob_json_close(&w->json, '}');
}

static void write_image(writing *w, const ob_part *part)
{
    open_item(w, "ig_", "image_generation_call");
    ob_json_member(&w->json, "status", OB_S("completed"));
    ob_json_member(&w->json, "result", part->data);
    ob_json_close(&w->json, '}');
}

/* An image with its data is an item; other media are told of in words. */
static void write_media(writing *w, const ob_part *part, ob_finish finish)
{
    if (part->kind == OB_PART_IMAGE && part->data.len) {
        write_image(w, part);
        return;
    }
    ob_part words = {.text = ob_part_words(w->answering->arena, part)};
    (void)write_message(w, &words, part->next ? OB_FINISH_UNSAID : finish);
}

static void write_items(writing *w, const ob_choice *choice)
{
    const ob_part *part = choice ? choice->parts : NULL;
    w->logprobs = choice ? choice->logprobs : NULL;
    while (part) {
        if (is_content(part)) {
            const ob_part *end = write_message(w, part, choice->finish);
            for (; part != end; part = part->next)
                if (ob_text_is_signed(part))
                    write_text_signature(w, part);
            continue;
        }
        if (part->kind == OB_PART_THINKING)
            write_thinking(w, part);
        else if (part->kind == OB_PART_CALL)
            write_call(w, part, choice->finish);
        else
            write_media(w, part, choice->finish);
        part = part->next;
    }
}

void ob_responses_write_answer(const ob_answer *answer,
                               const ob_answering *answering, ob_buffer *out)
{
    char room[OB_RESPONSES_ID_BYTES];
    ob_buffer items = {0};
    ob_json json = {.out = out};
    const ob_choice *choice = answer->choices;
    writing w = {.json.out = &items,
                 .id =
                     ob_responses_id(answer->id, answering, room, sizeof(room)),
                 .answering = answering};
    write_items(&w, choice);
    ob_responses_head head = {
        .id = w.id,
        .model = answer->model.len ? answer->model : answering->model,
        .created_s = answering->created_s,
        .ended = true,
        .finish = choice ? choice->finish : OB_FINISH_OTHER,
        .usage = ob_responses_counts(&answer->usage) ? &answer->usage : NULL,
        .request = answering->request};
    ob_responses_write_head(&json, &head, ob_buffer_slice(&items));
    out->failed |= items.failed;
    ob_buffer_deinit(&items);
}

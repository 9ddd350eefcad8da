/* anthropic_answer.c - reads and writes whole answers of Anthropic's messages
 * API, and what they share with its streams. */
#include "anthropic.h"

#include <stdlib.h>

/* ---- how it ended ---- */

/* The first of a kind is what is written for it. OTHER is none of Anthropic's:
 * "refusal" alone says that the answer is not to be taken for a good one. */
static const struct {
    const char *reason;
    ob_finish finish;
} reasons[] = {
    {"end_turn", OB_FINISH_STOP},
    {"stop_sequence", OB_FINISH_STOP_SEQUENCE},
    {"max_tokens", OB_FINISH_LENGTH},
    {"model_context_window_exceeded", OB_FINISH_LENGTH},
    {"tool_use", OB_FINISH_CALLS},
    {"refusal", OB_FINISH_REFUSAL},
    {"pause_turn", OB_FINISH_PAUSE},
    {"refusal", OB_FINISH_OTHER},
};

ob_finish ob_anthropic_finish(ob_slice stop_reason)
{
    for (size_t i = 0; i < OB_LEN(reasons); i++)
        if (ob_slice_eq(stop_reason, ob_slice_str(reasons[i].reason)))
            return reasons[i].finish;
    return stop_reason.len ? OB_FINISH_OTHER : OB_FINISH_UNSAID;
}

const char *ob_anthropic_stop_reason(ob_finish finish, bool has_calls)
{
    if (finish == OB_FINISH_UNSAID || finish == OB_FINISH_STOP)
        finish = has_calls ? OB_FINISH_CALLS : OB_FINISH_STOP;
    for (size_t i = 0; i < OB_LEN(reasons); i++)
        if (reasons[i].finish == finish)
            return reasons[i].reason;
    return "end_turn";
}

/* ---- usage ---- */

static int64_t higher(int64_t known, yyjson_val *told, const char *name)
{
    int64_t number = ob_json_get_i64(told, name, -1);
    return number > known ? number : known;
}

static int64_t count(int64_t number)
{
    return number > 0 ? number : 0;
}

void ob_anthropic_add_usage(ob_usage *usage, yyjson_val *told)
{
    if (!yyjson_is_obj(told))
        return;
    int64_t apart = count(usage->cached) + count(usage->cache_written);
    int64_t bare = usage->input < 0 ? -1 : usage->input - apart;
    bare = higher(bare, told, "input_tokens");
    usage->cached = higher(usage->cached, told, "cache_read_input_tokens");
    usage->cache_written =
        higher(usage->cache_written, told, "cache_creation_input_tokens");
    usage->output = higher(usage->output, told, "output_tokens");
    usage->reasoning =
        higher(usage->reasoning, ob_json_get(told, "output_tokens_details"),
               "thinking_tokens");
    /* Numbers that cannot be are not added up. */
    int64_t most = INT64_MAX / 4;
    apart = count(usage->cached) + count(usage->cache_written);
    if (bare >= 0 && bare < most && usage->cached < most &&
        usage->cache_written < most)
        usage->input = bare + apart;
    usage->known = usage->input >= 0 || usage->output >= 0;
}

void ob_anthropic_write_usage(ob_json *json, const ob_usage *usage)
{
    int64_t cached = count(usage->cached);
    int64_t written = count(usage->cache_written);
    ob_json_open(json, '{');
    ob_json_member_i64(json, "input_tokens",
                       count(count(usage->input) - cached - written));
    ob_json_member_i64(json, "cache_creation_input_tokens", written);
    ob_json_member_i64(json, "cache_read_input_tokens", cached);
    ob_json_member_i64(json, "output_tokens", count(usage->output));
    if (usage->reasoning >= 0) {
        ob_json_name(json, "output_tokens_details");
        ob_json_open(json, '{');
        ob_json_member_i64(json, "thinking_tokens", usage->reasoning);
        ob_json_close(json, '}');
    }
    ob_json_close(json, '}');
}

/* ---- signatures ---- */

static const struct {
    ob_slice mark;
    ob_dialect dialect;
} marks[] = {
    {OB_S_INIT("ob-g-"), OB_DIALECT_GEMINI},
    {OB_S_INIT("ob-r-"), OB_DIALECT_RESPONSES},
    {OB_S_INIT("ob-o-"), OB_DIALECT_OPENAI},
    {OB_S_INIT(OB_TEXT_MARK), OB_DIALECT_GEMINI},
};

ob_slice ob_anthropic_sign(ob_arena *arena, ob_slice signature,
                           ob_dialect signed_by)
{
    for (size_t i = 0; i < OB_LEN(marks); i++) {
        ob_slice mark = marks[i].mark;
        if (marks[i].dialect != signed_by || !signature.len)
            continue;
        char *out = ob_arena_alloc(arena, mark.len + signature.len);
        if (!out)
            return OB_S("");
        memcpy(out, mark.ptr, mark.len);
        memcpy(out + mark.len, signature.ptr, signature.len);
        return ob_slice_make(out, mark.len + signature.len);
    }
    return signature;
}

ob_slice ob_anthropic_unsign(ob_slice text, ob_dialect *signed_by)
{
    *signed_by = text.len ? OB_DIALECT_ANTHROPIC : OB_DIALECT_NONE;
    for (size_t i = 0; i < OB_LEN(marks); i++)
        if (ob_slice_starts(text, marks[i].mark)) {
            *signed_by = marks[i].dialect;
            return ob_slice_from(text, marks[i].mark.len);
        }
    return text;
}

/* ---- citations ---- */

/* Anthropic's positions are in the source, not in the text: they are left out.
 * A source without an address has its title. */
bool ob_anthropic_read_citation(yyjson_val *value, ob_citation *citation)
{
    ob_slice title = ob_json_get_text(value, "title");
    *citation = (ob_citation){
        .url = ob_json_get_text(value, "url"),
        .title = title.len ? title : ob_json_get_text(value, "document_title"),
        .quote = ob_json_get_text(value, "cited_text"),
        .begin = -1,
        .end = -1};
    if (!citation->url.len)
        citation->url = ob_json_get_text(value, "source");
    return citation->url.len || citation->title.len || citation->quote.len;
}

void ob_anthropic_write_citation(ob_json *json, const ob_citation *citation)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("web_search_result_location"));
    ob_json_member(json, "cited_text", citation->quote);
    ob_json_member(json, "encrypted_index", OB_S(""));
    ob_json_member(json, "title", citation->title);
    ob_json_member(json, "url", citation->url);
    ob_json_close(json, '}');
}

/* ---- reading ---- */

static void read_citations(ob_answer *answer, ob_part *part, yyjson_val *list)
{
    ob_citation **end = &part->citations;
    yyjson_val *value;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, value)
    {
        ob_citation *made = ob_arena_alloc(answer->arena, sizeof(*made));
        if (!made) {
            answer->failed = true;
            return;
        }
        if (!ob_anthropic_read_citation(value, made))
            continue;
        *end = made;
        end = &made->next;
    }
}

static void read_call(ob_answer *answer, ob_part *part, yyjson_val *block)
{
    yyjson_val *input = ob_json_get(block, "input");
    part->id = ob_json_get_text(block, "id");
    part->name = ob_json_get_text(block, "name");
    if (!yyjson_is_obj(input))
        return;
    part->text = ob_json_print(answer->arena, input);
    answer->failed |= !part->text.ptr;
}

static ob_part *add_part(ob_answer *answer, ob_part ***end, ob_part_kind kind)
{
    ob_part *part = ob_arena_alloc(answer->arena, sizeof(*part));
    if (!part) {
        answer->failed = true;
        return NULL;
    }
    part->kind = kind;
    **end = part;
    *end = &part->next;
    return part;
}

static void read_block(ob_answer *answer, ob_part ***end, yyjson_val *block)
{
    yyjson_val *type = ob_json_get(block, "type");
    ob_part *part = NULL;
    if (ob_json_is(type, "text")) {
        if ((part = add_part(answer, end, OB_PART_TEXT))) {
            part->text = ob_json_get_text(block, "text");
            read_citations(answer, part, ob_json_get(block, "citations"));
        }
    } else if (ob_json_is(type, "thinking")) {
        if ((part = add_part(answer, end, OB_PART_THINKING))) {
            part->text = ob_json_get_text(block, "thinking");
            part->signature = ob_json_get_text(block, "signature");
        }
    } else if (ob_json_is(type, "redacted_thinking")) {
        if ((part = add_part(answer, end, OB_PART_THINKING))) {
            part->redacted = true;
            part->signature = ob_json_get_text(block, "data");
        }
    } else if (ob_json_is(type, "tool_use")) {
        if ((part = add_part(answer, end, OB_PART_CALL)))
            read_call(answer, part, block);
    }
    if (part && part->signature.len)
        part->signed_by = OB_DIALECT_ANTHROPIC;
}

/* Why a model refuses is told beside the content, where there may be none. */
static void read_refusal(ob_answer *answer, ob_part ***end, yyjson_val *root)
{
    ob_slice why =
        ob_json_get_text(ob_json_get(root, "stop_details"), "explanation");
    ob_part *part = why.len ? add_part(answer, end, OB_PART_REFUSAL) : NULL;
    if (part)
        part->text = why;
}

ob_status ob_anthropic_read_answer(yyjson_val *root, ob_answer *answer)
{
    yyjson_val *content = ob_json_get(root, "content"), *block;
    size_t i, max;
    if (!yyjson_is_arr(content))
        return OB_INVALID;
    answer->id = ob_json_get_text(root, "id");
    answer->model = ob_json_get_text(root, "model");
    ob_choice *choice = ob_answer_choice(answer, 0);
    if (!choice)
        return OB_NO_MEMORY;
    ob_part **end = &choice->parts;
    yyjson_arr_foreach(content, i, max, block) read_block(answer, &end, block);
    choice->finish = ob_anthropic_finish(ob_json_get_text(root, "stop_reason"));
    choice->stop_sequence = ob_json_get_text(root, "stop_sequence");
    if (choice->finish == OB_FINISH_REFUSAL)
        read_refusal(answer, &end, root);
    ob_anthropic_add_usage(&answer->usage, ob_json_get(root, "usage"));
    return answer->failed ? OB_NO_MEMORY : OB_OK;
}

/* ---- writing ---- */

/*
 * What is no object is what a model made of its arguments when it was cut off
 * or erred. It goes on under a name that no tool has, so that the tool says
 * what is wrong: without any arguments it might do something else.
 */
void ob_anthropic_write_input(ob_json *json, ob_slice arguments)
{
    arguments = ob_slice_trim(arguments);
    yyjson_doc *doc =
        arguments.len
            ? yyjson_read_opts((char *)(uintptr_t)arguments.ptr, arguments.len,
                               YYJSON_READ_NOFLAG, NULL, NULL)
            : NULL;
    bool is_object = yyjson_is_obj(yyjson_doc_get_root(doc));
    if (is_object || !arguments.len) {
        ob_json_raw(json, is_object ? arguments : OB_S("{}"));
    } else {
        ob_json_open(json, '{');
        ob_json_member(json, "invalid_arguments", arguments);
        ob_json_close(json, '}');
    }
    yyjson_doc_free(doc);
}

static void write_text(ob_json *json, const ob_part *part)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("text"));
    ob_json_member(json, "text", part->text);
    if (part->citations) {
        ob_json_name(json, "citations");
        ob_json_open(json, '[');
        for (const ob_citation *c = part->citations; c; c = c->next)
            ob_anthropic_write_citation(json, c);
        ob_json_close(json, ']');
    }
    ob_json_close(json, '}');
}

static void write_thinking(ob_json *json, ob_arena *arena, const ob_part *part)
{
    ob_slice signature =
        ob_anthropic_sign(arena, part->signature, part->signed_by);
    ob_json_open(json, '{');
    if (part->redacted) {
        ob_json_member(json, "type", OB_S("redacted_thinking"));
        ob_json_member(json, "data", signature);
    } else {
        ob_json_member(json, "type", OB_S("thinking"));
        ob_json_member(json, "thinking", part->text);
        ob_json_member(json, "signature", signature);
    }
    ob_json_close(json, '}');
}

static void write_text_signature(ob_json *json, ob_arena *arena,
                                 const ob_part *part)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("redacted_thinking"));
    ob_json_member(json, "data", ob_mark_text(arena, part->signature));
    ob_json_close(json, '}');
}

static void write_call(ob_json *json, ob_arena *arena, const ob_part *part)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("tool_use"));
    ob_json_member(json, "id",
                   ob_carry(arena, part->id, part->signature, part->signed_by));
    ob_json_member(json, "name", part->name);
    ob_json_name(json, "input");
    ob_anthropic_write_input(json, part->text);
    ob_json_close(json, '}');
}

static bool write_parts(ob_json *json, ob_arena *arena, const ob_part *part)
{
    bool has_calls = false;
    ob_json_open(json, '[');
    for (; part; part = part->next) {
        if (part->kind == OB_PART_TEXT || part->kind == OB_PART_REFUSAL)
            write_text(json, part);
        else if (part->kind == OB_PART_THINKING)
            write_thinking(json, arena, part);
        else if (part->kind == OB_PART_CALL)
            write_call(json, arena, part);
        else if (part->kind != OB_PART_RESULT)
            write_text(json, &(ob_part){.text = ob_part_words(arena, part)});
        if (ob_text_is_signed(part))
            write_text_signature(json, arena, part);
        has_calls |= part->kind == OB_PART_CALL;
    }
    ob_json_close(json, ']');
    return has_calls;
}

void ob_anthropic_write_answer(const ob_answer *answer,
                               const ob_answering *answering, ob_buffer *out)
{
    static const ob_choice nothing = {0};
    const ob_choice *choice = answer->choices ? answer->choices : &nothing;
    ob_json json = {.out = out};
    ob_json_open(&json, '{');
    ob_json_member(&json, "id", answer->id.len ? answer->id : answering->id);
    ob_json_member(&json, "type", OB_S("message"));
    ob_json_member(&json, "role", OB_S("assistant"));
    ob_json_member(&json, "model",
                   answer->model.len ? answer->model : answering->model);
    ob_json_name(&json, "content");
    bool has_calls = write_parts(&json, answering->arena, choice->parts);
    ob_json_member(
        &json, "stop_reason",
        ob_slice_str(ob_anthropic_stop_reason(choice->finish, has_calls)));
    ob_json_name(&json, "stop_sequence");
    if (choice->stop_sequence.len)
        ob_json_string(&json, choice->stop_sequence);
    else
        ob_json_null(&json);
    ob_json_name(&json, "usage");
    ob_anthropic_write_usage(&json, &answer->usage);
    ob_json_close(&json, '}');
}

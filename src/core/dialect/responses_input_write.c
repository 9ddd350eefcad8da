/*
 * responses_input_write.c - writes a form's turns as `instructions` and the
 * items of `input`.
 */
#include "responses.h"

/* ---- parts ---- */

static ob_slice data_url(ob_form *form, const ob_part *part, ob_slice media)
{
    const ob_slice pieces[] = {OB_S("data:"), media, OB_S(";base64,"),
                               part->data};
    size_t len = 0;
    for (size_t i = 0; i < OB_LEN(pieces); i++)
        len += pieces[i].len;
    char *out = ob_arena_alloc(form->arena, len);
    form->failed |= !out;
    if (!out)
        return (ob_slice){NULL, 0};
    char *at = out;
    for (size_t i = 0; i < OB_LEN(pieces); i++) {
        if (pieces[i].len)
            memcpy(at, pieces[i].ptr, pieces[i].len);
        at += pieces[i].len;
    }
    return ob_slice_make(out, len);
}

static void check_file_id(ob_form *form, const ob_part *part)
{
    if (part->file_id.len && form->from != OB_DIALECT_RESPONSES &&
        form->from != OB_DIALECT_OPENAI)
        ob_form_refuse(form, "the file \"", part->file_id,
                       "\" is kept at another provider; send its content");
}

static void write_image(ob_form *form, ob_json *json, const ob_part *part)
{
    check_file_id(form, part);
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("input_image"));
    if (part->data.len)
        ob_json_member(
            json, "image_url",
            data_url(form, part,
                     part->media.len ? part->media : OB_S("image/png")));
    else
        ob_json_member_told(json, "image_url", part->url);
    ob_json_member_told(json, "file_id", part->file_id);
    ob_json_member(json, "detail",
                   part->detail.len ? part->detail : OB_S("auto"));
    ob_json_close(json, '}');
}

static void write_file(ob_form *form, ob_json *json, const ob_part *part)
{
    ob_slice media = part->media.len ? part->media : OB_S("application/pdf");
    bool pdf = ob_slice_eq(media, OB_S("application/pdf"));
    check_file_id(form, part);
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("input_file"));
    if (part->file_name.len)
        ob_json_member(json, "filename", part->file_name);
    else if (part->data.len)
        ob_json_member(json, "filename",
                       pdf ? OB_S("file.pdf") : OB_S("file.txt"));
    if (part->data.len)
        ob_json_member(json, "file_data", data_url(form, part, media));
    ob_json_member_told(json, "file_url", part->url);
    ob_json_member_told(json, "file_id", part->file_id);
    ob_json_close(json, '}');
}

static void write_text(ob_json *json, const char *type, const char *name,
                       ob_slice text)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", ob_slice_str(type));
    ob_json_member(json, name, text);
    ob_json_close(json, '}');
}

/* One of a message, or of a tool's result. */
static void write_part(ob_form *form, ob_json *json, ob_role role,
                       const ob_part *part)
{
    bool answers = role == OB_ROLE_ASSISTANT;
    if (part->kind == OB_PART_TEXT)
        write_text(json, answers ? "output_text" : "input_text", "text",
                   part->text);
    else if (part->kind == OB_PART_REFUSAL)
        write_text(json, answers ? "refusal" : "input_text",
                   answers ? "refusal" : "text", part->text);
    else if (part->kind == OB_PART_AUDIO)
        ob_form_refuse(form, "audio: the provider's Responses API takes none",
                       OB_S(""), "");
    else if (answers)
        ob_form_drop(form, OB_S("images and files of the assistant"));
    else if (part->kind == OB_PART_IMAGE)
        write_image(form, json, part);
    else if (part->kind == OB_PART_FILE)
        write_file(form, json, part);
}

/* ---- items ---- */

static void write_output(ob_form *form, ob_json *json, const ob_part *result)
{
    const ob_part *first = result->content;
    bool plain = !first || (first->kind == OB_PART_TEXT && !first->next);
    ob_json_name(json, "output");
    if (plain) {
        ob_json_string(json, first ? first->text : OB_S(""));
        return;
    }
    ob_json_open(json, '[');
    for (const ob_part *part = first; part; part = part->next)
        write_part(form, json, OB_ROLE_USER, part);
    ob_json_close(json, ']');
}

static void write_result(ob_form *form, ob_json *json, const ob_part *result)
{
    if (result->is_error)
        ob_form_drop_failure(form);
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("function_call_output"));
    ob_json_member(json, "call_id", result->id);
    write_output(form, json, result);
    ob_json_close(json, '}');
}

static void write_call(ob_json *json, const ob_part *call)
{
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("function_call"));
    ob_json_member(json, "call_id", call->id);
    ob_json_member(json, "name", call->name);
    ob_json_member(json, "arguments", call->text.len ? call->text : OB_S("{}"));
    ob_json_close(json, '}');
}

/* Only what OpenAI encrypted itself; its summary alone says nothing to it. */
static void write_thinking(ob_form *form, ob_json *json, const ob_part *part)
{
    bool own = part->signed_by == OB_DIALECT_RESPONSES;
    if (!own || !part->signature.len || !ob_model_reasons(form->model))
        return;
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("reasoning"));
    ob_json_name(json, "summary");
    ob_json_open(json, '[');
    if (part->text.len)
        write_text(json, "summary_text", "text", part->text);
    ob_json_close(json, ']');
    ob_json_member(json, "encrypted_content", part->signature);
    ob_json_close(json, '}');
}

static bool is_content(const ob_part *part)
{
    return part && part->kind != OB_PART_CALL && part->kind != OB_PART_RESULT &&
           part->kind != OB_PART_THINKING;
}

/* Writes the parts up to the next that is an item of its own. */
static const ob_part *write_message(ob_form *form, ob_json *json, ob_role role,
                                    const ob_part *part)
{
    static const char *const roles[] = {[OB_ROLE_SYSTEM] = "developer",
                                        [OB_ROLE_USER] = "user",
                                        [OB_ROLE_ASSISTANT] = "assistant"};
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("message"));
    ob_json_member(json, "role", ob_slice_str(roles[role]));
    ob_json_name(json, "content");
    ob_json_open(json, '[');
    for (; is_content(part); part = part->next)
        write_part(form, json, role, part);
    ob_json_close(json, ']');
    ob_json_close(json, '}');
    return part;
}

static void write_turn(ob_form *form, ob_json *json, const ob_turn *turn)
{
    const ob_part *part = turn->parts;
    if (turn->name.len)
        ob_form_drop(form, OB_S("messages.name"));
    while (part) {
        if (is_content(part)) {
            part = write_message(form, json, turn->role, part);
            continue;
        }
        if (part->kind == OB_PART_CALL)
            write_call(json, part);
        else if (part->kind == OB_PART_RESULT)
            write_result(form, json, part);
        else
            write_thinking(form, json, part);
        part = part->next;
    }
}

/* The first turn where it is a system's text: joined by line ends. */
static ob_slice find_instructions(ob_form *form)
{
    const ob_turn *turn = form->turns;
    size_t len = 0, at = 0;
    if (!turn || turn->role != OB_ROLE_SYSTEM || !turn->parts)
        return (ob_slice){NULL, 0};
    for (const ob_part *part = turn->parts; part; part = part->next) {
        if (part->kind != OB_PART_TEXT)
            return (ob_slice){NULL, 0};
        len += part->text.len + 1;
    }
    if (!turn->parts->next)
        return turn->parts->text;
    char *out = ob_arena_alloc(form->arena, len);
    form->failed |= !out;
    for (const ob_part *part = turn->parts; out && part; part = part->next) {
        if (part->text.len)
            memcpy(out + at, part->text.ptr, part->text.len);
        at += part->text.len;
        if (part->next)
            out[at++] = '\n';
    }
    return ob_slice_make(out, at);
}

void ob_responses_write_input(ob_form *form, ob_json *json)
{
    ob_slice instructions = find_instructions(form);
    const ob_turn *turn = form->turns;
    if (instructions.len) {
        ob_json_member(json, "instructions", instructions);
        turn = turn->next;
    }
    ob_json_name(json, "input");
    ob_json_open(json, '[');
    for (; turn; turn = turn->next)
        write_turn(form, json, turn);
    ob_json_close(json, ']');
}

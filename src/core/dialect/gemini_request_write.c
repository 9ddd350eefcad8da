/* gemini_request_write.c - writes a request of generateContent: its turns.
 * gemini_config_write.c has the rest. */
#include "gemini.h"

/* Google's word for calls that its model did not make: see "Thought
 * signatures", frequently asked questions. */
static const ob_slice unsigned_call =
    OB_S_INIT("skip_thought_signature_validator");

typedef struct writer {
    ob_form *form;
    ob_json *json;
    bool open; /* a content, of that role */
    ob_role role;
    bool called; /* in it */
    bool must_sign;
    bool ids; /* of calls are taken */
} writer;

/* Contents are opened with their first part, so that none is empty; turns of
 * one role that follow each other are one. */
static void begin_part(writer *w, ob_role role)
{
    if (w->open && w->role != role) {
        ob_json_close(w->json, ']');
        ob_json_close(w->json, '}');
        w->open = false;
    }
    if (!w->open) {
        ob_json_open(w->json, '{');
        ob_json_member(w->json, "role",
                       role == OB_ROLE_ASSISTANT ? OB_S("model")
                                                 : OB_S("user"));
        ob_json_name(w->json, "parts");
        ob_json_open(w->json, '[');
        w->open = true;
        w->role = role;
        w->called = false;
    }
    ob_json_open(w->json, '{');
}

static bool is_ours(const ob_part *part)
{
    return part->signature.len && part->signed_by == OB_DIALECT_GEMINI;
}

static void write_text(writer *w, ob_role role, const ob_part *part)
{
    if (!part->text.len && !is_ours(part))
        return;
    begin_part(w, role);
    ob_json_member(w->json, "text", part->text);
    if (is_ours(part))
        ob_json_member(w->json, "thoughtSignature", part->signature);
    ob_json_close(w->json, '}');
}

/* Thoughts that are not signed say nothing to Google's models. */
static void write_thinking(writer *w, ob_role role, const ob_part *part)
{
    if (!is_ours(part))
        return;
    begin_part(w, role);
    ob_json_member(w->json, "text", part->text);
    if (!part->redacted) {
        ob_json_name(w->json, "thought");
        ob_json_bool(w->json, true);
    }
    ob_json_member(w->json, "thoughtSignature", part->signature);
    ob_json_close(w->json, '}');
}

/* ---- media ---- */

static const struct {
    ob_slice ending;
    ob_slice media;
} media_of[] = {
    {OB_S_INIT(".png"), OB_S_INIT("image/png")},
    {OB_S_INIT(".jpg"), OB_S_INIT("image/jpeg")},
    {OB_S_INIT(".jpeg"), OB_S_INIT("image/jpeg")},
    {OB_S_INIT(".webp"), OB_S_INIT("image/webp")},
    {OB_S_INIT(".gif"), OB_S_INIT("image/gif")},
    {OB_S_INIT(".heic"), OB_S_INIT("image/heic")},
    {OB_S_INIT(".heif"), OB_S_INIT("image/heif")},
    {OB_S_INIT(".wav"), OB_S_INIT("audio/wav")},
    {OB_S_INIT(".mp3"), OB_S_INIT("audio/mpeg")},
    {OB_S_INIT(".flac"), OB_S_INIT("audio/flac")},
    {OB_S_INIT(".ogg"), OB_S_INIT("audio/ogg")},
    {OB_S_INIT(".aac"), OB_S_INIT("audio/aac")},
    {OB_S_INIT(".mp4"), OB_S_INIT("video/mp4")},
    {OB_S_INIT(".webm"), OB_S_INIT("video/webm")},
    {OB_S_INIT(".mov"), OB_S_INIT("video/quicktime")},
    {OB_S_INIT(".pdf"), OB_S_INIT("application/pdf")},
    {OB_S_INIT(".txt"), OB_S_INIT("text/plain")},
    {OB_S_INIT(".md"), OB_S_INIT("text/markdown")},
    {OB_S_INIT(".csv"), OB_S_INIT("text/csv")},
    {OB_S_INIT(".html"), OB_S_INIT("text/html")},
    {OB_S_INIT(".json"), OB_S_INIT("application/json")},
};

static bool ends_nocase(ob_slice text, ob_slice ending)
{
    return text.len >= ending.len &&
           ob_slice_eq_nocase(ob_slice_from(text, text.len - ending.len),
                              ending);
}

static ob_slice guess(const ob_part *part)
{
    ob_slice url = part->url;
    url = ob_slice_head(url, ob_slice_index(url, '#'));
    url = ob_slice_head(url, ob_slice_index(url, '?'));
    if (part->media.len)
        return part->media;
    for (size_t i = 0; i < OB_LEN(media_of); i++)
        if (ends_nocase(part->file_name, media_of[i].ending) ||
            ends_nocase(url, media_of[i].ending))
            return media_of[i].media;
    return part->kind == OB_PART_IMAGE   ? OB_S("image/jpeg")
           : part->kind == OB_PART_AUDIO ? OB_S("audio/mpeg")
                                         : OB_S("application/pdf");
}

/* Of what is sent, Google keeps no name. */
static const ob_member_names file_names = {"filename", "filename", "title",
                                           "displayName"};

static void write_media(writer *w, ob_role role, const ob_part *part)
{
    bool here = part->data.len || (!part->url.len && !part->file_id.len);
    if (part->file_id.len && w->form->from != OB_DIALECT_GEMINI) {
        ob_form_refuse(w->form, "file ", part->file_id,
                       " is kept at another provider; send its content");
        return;
    }
    if (part->detail.len && !ob_slice_eq(part->detail, OB_S("auto")))
        ob_form_drop(w->form, OB_S("detail"));
    if (part->file_name.len)
        ob_form_drop(w->form, ob_form_name(w->form, &file_names));
    begin_part(w, role);
    ob_json_name(w->json, here ? "inlineData" : "fileData");
    ob_json_open(w->json, '{');
    ob_json_member(w->json, "mimeType", guess(part));
    if (here)
        ob_json_member(w->json, "data", part->data);
    else
        ob_json_member(w->json, "fileUri",
                       part->url.len ? part->url : part->file_id);
    ob_json_close(w->json, '}');
    ob_json_close(w->json, '}');
}

/* ---- calls and results ---- */

static void write_call(writer *w, ob_role role, const ob_part *part)
{
    begin_part(w, role);
    ob_json_name(w->json, "functionCall");
    ob_json_open(w->json, '{');
    if (w->ids)
        ob_json_member_told(w->json, "id", part->id);
    ob_json_member(w->json, "name", part->name);
    ob_json_name(w->json, "args");
    ob_gemini_write_args(w->json, part->text);
    ob_json_close(w->json, '}');
    if (is_ours(part))
        ob_json_member(w->json, "thoughtSignature", part->signature);
    else if (w->must_sign && !w->called)
        ob_json_member(w->json, "thoughtSignature", unsigned_call);
    w->called = true;
    ob_json_close(w->json, '}');
}

/* The texts of a result are one. */
static ob_slice result_text(ob_form *form, const ob_part *content)
{
    size_t len = 0, count = 0;
    ob_slice text = OB_S("");
    for (const ob_part *part = content; part; part = part->next)
        if (part->kind == OB_PART_TEXT && part->text.len) {
            len += part->text.len + 1;
            count++;
            text = part->text;
        }
    if (count < 2)
        return text;
    char *out = ob_arena_alloc(form->arena, len), *at = out;
    if (!out) {
        form->failed = true;
        return text;
    }
    for (const ob_part *part = content; part; part = part->next) {
        if (part->kind != OB_PART_TEXT || !part->text.len)
            continue;
        if (at != out)
            *at++ = '\n';
        memcpy(at, part->text.ptr, part->text.len);
        at += part->text.len;
    }
    return ob_slice_make(out, (size_t)(at - out));
}

static void write_response(writer *w, const ob_part *part)
{
    ob_slice text = result_text(w->form, part->content);
    ob_json_name(w->json, "response");
    if (!part->is_error && ob_gemini_write_object(w->json, text))
        return;
    ob_json_open(w->json, '{');
    ob_json_member(w->json, part->is_error ? "error" : "result", text);
    ob_json_close(w->json, '}');
}

static void write_result(writer *w, const ob_part *part)
{
    if (!part->name.len) {
        ob_form_refuse(w->form, "the tool result ", part->id,
                       " answers no call of this conversation");
        return;
    }
    begin_part(w, OB_ROLE_USER);
    ob_json_name(w->json, "functionResponse");
    ob_json_open(w->json, '{');
    if (w->ids)
        ob_json_member_told(w->json, "id", part->id);
    ob_json_member(w->json, "name", part->name);
    write_response(w, part);
    ob_json_close(w->json, '}');
    ob_json_close(w->json, '}');
    for (const ob_part *more = part->content; more; more = more->next)
        if (more->kind != OB_PART_TEXT)
            write_media(w, OB_ROLE_USER, more);
}

/* ---- turns ---- */

static void write_part(writer *w, ob_role role, const ob_part *part)
{
    if (part->cached)
        ob_form_drop(w->form, OB_S("cache_control"));
    switch (part->kind) {
    case OB_PART_TEXT:
    case OB_PART_REFUSAL:
        write_text(w, role, part);
        return;
    case OB_PART_THINKING:
        write_thinking(w, role, part);
        return;
    case OB_PART_IMAGE:
    case OB_PART_AUDIO:
    case OB_PART_FILE:
        write_media(w, role, part);
        return;
    case OB_PART_CALL:
        write_call(w, role, part);
        return;
    case OB_PART_RESULT:
        write_result(w, part);
        return;
    }
}

static bool has_turns(const ob_form *form)
{
    for (const ob_turn *turn = form->turns; turn; turn = turn->next)
        if (turn->role != OB_ROLE_SYSTEM)
            return true;
    return false;
}

/* Texts alone may stand in a systemInstruction. */
static void write_system(ob_form *form, ob_json *json)
{
    bool open = false;
    for (const ob_turn *turn = form->turns; turn; turn = turn->next) {
        const ob_part *part = turn->role == OB_ROLE_SYSTEM ? turn->parts : NULL;
        for (; part; part = part->next) {
            if (part->cached)
                ob_form_drop(form, OB_S("cache_control"));
            if (part->kind != OB_PART_TEXT)
                ob_form_drop(form, OB_S("system"));
            if (part->kind != OB_PART_TEXT || !part->text.len)
                continue;
            if (!open) {
                ob_json_name(json, "systemInstruction");
                ob_json_open(json, '{');
                ob_json_name(json, "parts");
                ob_json_open(json, '[');
                open = true;
            }
            ob_json_open(json, '{');
            ob_json_member(json, "text", part->text);
            ob_json_close(json, '}');
        }
    }
    if (open) {
        ob_json_close(json, ']');
        ob_json_close(json, '}');
    }
}

void ob_gemini_write_contents(ob_form *form, ob_json *json)
{
    /* Vertex AI's interface does not know the ids. */
    bool ids =
        ob_slice_find_nocase(form->provider, OB_S("vertex")) == OB_NOWHERE;
    writer w = {.form = form,
                .json = json,
                .ids = ids,
                .must_sign = ob_gemini_generation(form->model) >= 3};
    bool all_system = !has_turns(form);
    if (!all_system)
        write_system(form, json);
    ob_json_name(json, "contents");
    ob_json_open(json, '[');
    for (const ob_turn *turn = form->turns; turn; turn = turn->next) {
        if (turn->role == OB_ROLE_SYSTEM && !all_system)
            continue;
        if (turn->name.len)
            ob_form_drop(form, OB_S("messages.name"));
        /* Google answers a user: what stands alone is what the user says. */
        ob_role role = turn->role == OB_ROLE_SYSTEM ? OB_ROLE_USER : turn->role;
        for (const ob_part *part = turn->parts; part; part = part->next)
            write_part(&w, role, part);
    }
    if (w.open) {
        ob_json_close(json, ']');
        ob_json_close(json, '}');
    }
    ob_json_close(json, ']');
}

ob_status ob_gemini_write_request(ob_form *form, ob_buffer *out)
{
    ob_json json = {out, false};
    ob_form_name_results(form);
    ob_json_open(&json, '{');
    ob_gemini_write_contents(form, &json);
    ob_gemini_write_config(form, &json);
    ob_json_close(&json, '}');
    if (form->failed || out->failed)
        return OB_NO_MEMORY;
    return form->refusal.len ? OB_INVALID : OB_OK;
}
